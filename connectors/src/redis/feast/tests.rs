//! Bytes as the Python SDK of Feast 0.67 makes them.

use serde_json::{Value, json};
use swiftwater_engine::testing::rows;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn entity_keys_are_feasts() {
    let int = |value| Scalar::Integer(value);
    let text = |bytes: &[u8]| Scalar::Bytes(bytes.to_vec());
    let key = |keys: &[(&str, FeastType, Scalar)]| {
        let keys = keys.iter().map(|(name, kind, value)| (*name, *kind, Some(value)));
        hex(&entity_key(&keys.collect::<Vec<_>>(), "p").unwrap())
    };
    assert_eq!(
        key(&[("driver_id", FeastType::Int64, int(1002))]),
        "0100000002000000090000006472697665725f69640400000008000000ea0300000000000070"
    );
    assert_eq!(
        key(&[("a", FeastType::String, text(b"x")), ("z", FeastType::Int32, int(-5))]),
        "0200000002000000010000006102000000010000007a0200000001000000780300000004000000fbffffff70"
    );
    assert_eq!(
        key(&[("b", FeastType::Bytes, text(b"\x00\xff"))]),
        "01000000020000000100000062010000000200000000ff70"
    );
    assert_eq!(
        key(&[("t", FeastType::UnixTimestamp, int(-1))]),
        "010000000200000001000000740800000008000000ffffffffffffffff70"
    );
    assert_eq!(entity_key(&[("t", FeastType::Int64, None)], "p"), None);
}

#[test]
fn fields_and_times_are_feasts() {
    assert_eq!(hex(&field("driver_hourly_stats", "conv_rate")), "6160e3da");
    assert_eq!(hex(&field("a", "b")), "436844a2");
    assert_eq!(hex(&field("v", "fé1")), "5dae62d8");
    assert_eq!(time_field("v"), b"_ts:v");
    let cases = [
        (0, 0, ""),
        (1, 0, "0801"),
        (0, 5, "1005"),
        (1_795_428_930, 123_456_789, "08c2a490d80610959aef3a"),
        (-2, 999_999_999, "08feffffffffffffffff0110ff93ebdc03"),
    ];
    for (seconds, nanos, expected) in cases {
        assert_eq!(hex(&timestamp(seconds, nanos)), expected, "{seconds} {nanos}");
    }
}

#[test]
fn values_are_feasts() {
    let cases = [
        ("utf8", json!(""), "1200"),
        ("utf8", json!("xé"), "120378c3a9"),
        ("int32", json!(-1), "18ffffffffffffffffff01"),
        ("int8", json!(-1), "18ffffffffffffffffff01"),
        ("int64", json!(0), "2000"),
        ("int64", json!(i64::MIN), "2080808080808080808001"),
        ("float64", json!(0.5), "29000000000000e03f"),
        ("float32", json!(-1.5), "350000c0bf"),
        ("bool", json!(false), "3800"),
        ("bool", json!(true), "3801"),
        ("timestamp_ms", json!("1969-12-31T23:59:58.500Z"), "40feffffffffffffffff01"),
        ("date", json!("1970-01-02"), "4080a305"),
        ("int64", Value::Null, ""),
        ("list<utf8>", json!(["a", ""]), "62050a01610a00"),
        ("list<int64>", json!([1, -1, 300]), "720f0a0d01ffffffffffffffffff01ac02"),
        ("list<float64>", json!([0.5]), "7a0a0a08000000000000e03f"),
        ("list<int32>", json!([]), "6a00"),
        ("list<bool>", json!([true, false]), "8a01040a020100"),
        ("list<float32>", json!([0.5]), "8201060a040000003f"),
        ("list<timestamp_s>", json!(["1970-01-01T00:00:07Z"]), "9201030a0107"),
    ];
    for (column, value, expected) in cases {
        let columns = json!({"v": column});
        let schema = swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap();
        let records = rows::batch(&schema, &json!([{"v": value}]));
        let found = values("v", records.column(0)).unwrap();
        assert_eq!(hex(&found[0]), expected, "{column} {value}");
    }
    let schema = json!({"v": "list<int64>"});
    let schema = swiftwater_engine::schema::from_config(schema.as_object().unwrap()).unwrap();
    let records = rows::batch(&schema, &json!([{"v": [1, null]}]));
    assert_eq!(values("v", records.column(0)).unwrap_err().code, "SW2216");
}
