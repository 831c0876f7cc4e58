//! Lines of CSV, good and bad, and back.

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

use super::*;

fn schema(columns: Value) -> SchemaRef {
    swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap()
}

fn options(options: Value) -> CsvOptions {
    serde_json::from_value(options).unwrap()
}

fn decode(schema: &SchemaRef, with: Value, lines: &[&[u8]]) -> Decoded {
    let planned = decoder(options(with), Some(Arc::clone(schema))).unwrap();
    let lines: Vec<_> = lines.iter().map(|line| Some(*line)).collect();
    (planned.make)().unwrap().decode(&lines).unwrap()
}

fn encode(records: &RecordBatch, with: Value) -> Vec<String> {
    let make = encoder(options(with), records.schema_ref()).unwrap();
    let mut out = Payloads::default();
    make().unwrap().encode(records, &mut out).unwrap();
    let lines = out.iter().map(|line| String::from_utf8(line.to_vec()).unwrap());
    lines.collect()
}

fn bids() -> SchemaRef {
    schema(
        json!({"auction": "int64!", "price": "decimal(10,2)", "channel": "utf8", "at": "timestamp_ms"}),
    )
}

#[test]
fn lines_become_rows() {
    let lines: &[&[u8]] = &[
        b"1,2.50,web,2026-01-31T09:26:56.123Z\r\n",
        b"2,,\"a \"\"b\"\", c\nd\",1769851616123",
        b"3,1e1,\"\",\n",
    ];
    let decoded = decode(&bids(), json!({}), lines);
    assert_eq!(decoded.rejected, []);
    let at = [Some(1_769_851_616_123), Some(1_769_851_616_123), None];
    let expected = RecordBatch::try_new(
        bids(),
        vec![
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(
                Decimal128Array::from(vec![Some(250), None, Some(1000)])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
            Arc::new(StringArray::from(vec!["web", "a \"b\", c\nd", ""])),
            Arc::new(arrow::array::TimestampMillisecondArray::from(at.to_vec())),
        ],
    )
    .unwrap();
    assert_eq!(decoded.records, expected);
}

#[test]
fn fields_are_named_by_their_place() {
    let schema = schema(json!({"b": "int64", "a": "utf8"}));
    let with = json!({"delimiter": "|", "quote": "'", "null": "NULL", "fields": ["a", "x", "b"]});
    let decoded = decode(&schema, with.clone(), &[b"'NULL'|?|NULL", b"o''k|1|2", b"'o''k'|1|2"]);
    assert_eq!(decoded.rejected.len(), 1, "{:?}", decoded.rejected);
    let columns = decoded.records;
    let mut with = with;
    with["fields"] = json!(["a", "b"]);
    assert_eq!(encode(&columns, with), ["'NULL'|NULL", "'o''k'|2"]);
}

#[test]
fn a_bad_line_costs_one_record() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"1,2", "SW3101", "expected 4 fields, found 2"),
        (b"", "SW3101", "expected 4 fields, found 1"),
        (b"1,2,3,4,5", "SW3101", "found 5"),
        (b"1,2,\"a,4", "SW3101", "at byte 8: expected a closing quote, found the end"),
        (b"1,2,\"a\"b,4", "SW3101", "at byte 7: expected a delimiter or the end, found `b`"),
        (b"1,2,a\"b,4", "SW3101", "at byte 5: expected a delimiter or the end, found `\\\"`"),
        (b"1,2,a,4\n1,2,a,4", "SW3101", "found `\\n`"),
        (b"x,2,a,4", "SW3102", "column `auction`: expected int64, found `x`"),
        (b"1,2,a,noon", "SW3102", "column `at`: expected timestamp_ms, found `noon`"),
        (b",2,a,4", "SW3103", "column `auction`: required int64"),
        (b"1,2,a\xff,4", "SW3104", "invalid UTF-8 at byte 5"),
    ];
    for (line, code, message) in cases {
        let decoded = decode(&bids(), json!({}), &[b"1,2,a,4", line, b"2,3,b,5"]);
        let bad = &decoded.rejected[0];
        assert_eq!((bad.index, bad.code), (1, *code), "{}", bad.message);
        assert!(bad.message.contains(message), "{}", bad.message);
        assert_eq!(decoded.rows, Some(vec![0, 2]));
        let clean = decode(&bids(), json!({}), &[b"1,2,a,4", b"2,3,b,5"]);
        assert_eq!(decoded.records, clean.records);
    }
    let planned = decoder(options(json!({"max_bytes": "4B"})), Some(bids())).unwrap();
    let decoded = (planned.make)().unwrap().decode(&[Some(b"1,2,a"), None]).unwrap();
    let codes: Vec<_> = decoded.rejected.iter().map(|r| r.code).collect();
    assert_eq!(codes, ["SW3106", "SW3105"]);
}

#[test]
fn options_and_columns_are_checked_when_the_node_is_planned() {
    let refused = |with: Value, columns: Value| {
        let error = decoder(options(with), Some(schema(columns))).err().unwrap();
        (error.code, error.to_string())
    };
    let number = json!({"a": "int64"});
    assert_eq!(refused(json!({"delimiter": "é"}), number.clone()).0, "SW3122");
    assert_eq!(refused(json!({"delimiter": "\""}), number.clone()).0, "SW3122");
    let (code, message) = refused(json!({"fields": ["b"]}), number);
    assert!(code == "SW3122" && message.contains("column `a` in `fields`"), "{message}");
    assert_eq!(refused(json!({}), json!({"a": "list<int64>"})).0, "SW3124");
    assert_eq!(decoder(options(json!({})), None).err().unwrap().code, "SW3123");
    let error = encoder(options(json!({"fields": ["b"]})), &schema(json!({"a": "int64"})));
    assert!(error.err().unwrap().to_string().contains("field `b`"));
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(500) })]

    #[test]
    fn rows_are_read_back_as_written(
        rows in prop::collection::vec(
            (any::<Option<i64>>(), any::<Option<String>>(), any::<Option<bool>>(), any::<Option<i32>>(),
             any::<Option<f64>>(), any::<Option<Vec<u8>>>()), 0..10),
        delimiter in prop::sample::select(vec![",", ";", "\t", "|", "a"]),
        nothing in prop::sample::select(vec!["", "NULL", "\\N"]),
        epoch in any::<bool>(),
    ) {
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("integer", Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()), true),
            ("text", Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringArray>()), true),
            ("flag", Arc::new(rows.iter().map(|r| r.2).collect::<BooleanArray>()), true),
            ("date", Arc::new(rows.iter().map(|r| r.3).collect::<Date32Array>()), true),
            ("number", Arc::new(rows.iter().map(|r| r.4).collect::<Float64Array>()), true),
            ("bytes", Arc::new(rows.iter().map(|r| r.5.as_deref()).collect::<BinaryArray>()), true),
            ("at", Arc::new(rows.iter().map(|r| r.0).collect::<TimestampMicrosecondArray>()), true),
        ];
        let records = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let timestamps = if epoch { "epoch" } else { "rfc3339" };
        let with = json!({"delimiter": delimiter, "null": nothing, "timestamps": timestamps});
        let lines = encode(&records, with.clone());
        let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
        let decoded = decode(&records.schema(), with, &lines);
        prop_assert_eq!(decoded.rejected, vec![]);
        // NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", decoded.records), format!("{records:?}"));
    }
}
