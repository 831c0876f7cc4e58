//! Streams of record batches, good and bad.

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, LargeStringArray, NullArray, StringArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

use super::*;

fn bids() -> RecordBatch {
    let text: Vec<_> = (0..100).map(|n| format!("channel {}", n % 5)).collect();
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        (
            "price",
            Arc::new(Int64Array::from_iter((0..100).map(|n| (n % 7 > 0).then_some(n)))),
            true,
        ),
        ("channel", Arc::new(StringArray::from(text)), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn encode(records: &RecordBatch, with: Value) -> Vec<u8> {
    let options = serde_json::from_value(with).unwrap();
    let make = encoder(&options, &records.schema()).unwrap();
    let mut out = Payloads::default();
    make().unwrap().encode(records, &mut out).unwrap();
    assert_eq!(out.ends, [out.bytes.len()]);
    out.bytes
}

fn decode_with(schema: &SchemaRef, with: Value, payloads: &[Option<&[u8]>]) -> Decoded {
    let options = serde_json::from_value(with).unwrap();
    let planned = decoder(&options, Some(Arc::clone(schema))).unwrap();
    (planned.make)().unwrap().decode(payloads).unwrap()
}

fn decode(schema: &SchemaRef, payloads: &[&[u8]]) -> Decoded {
    let payloads: Vec<_> = payloads.iter().map(|p| Some(*p)).collect();
    decode_with(schema, json!({}), &payloads)
}

#[test]
fn batches_are_read_back_as_written() {
    let records = bids();
    for compression in ["none", "lz4", "zstd"] {
        let whole = encode(&records, json!({ "compression": compression }));
        let part = encode(&records.slice(3, 2), json!({ "compression": compression }));
        let decoded = decode_with(&records.schema(), json!({}), &[Some(&part), None, Some(&whole)]);
        assert_eq!(decoded.rejected, []);
        let rows = decoded.rows.unwrap();
        assert_eq!(rows[..4], [0, 0, 1, 2]);
        assert_eq!(rows.len(), 103);
        assert_eq!(decoded.records.slice(0, 2), records.slice(3, 2));
        assert_eq!(decoded.records.slice(3, 100), records);
        assert!(decoded.records.column(0).is_null(2));
    }
}

#[test]
fn columns_are_found_by_name_and_converted_where_no_value_changes() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("other", Arc::new(Int32Array::from(vec![1, 2]))),
        ("b", Arc::new(DictionaryArray::<Int32Type>::from_iter(["x", "y"]))),
        ("a", Arc::new(Int32Array::from(vec![3, 4]))),
        ("c", Arc::new(LargeStringArray::from(vec!["v", "w"]))),
        ("d", Arc::new(NullArray::new(2))),
    ];
    let payload = encode(&RecordBatch::try_from_iter(columns).unwrap(), json!({}));
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let schema = Arc::new(Schema::new(vec![
        field("a", DataType::Int64),
        field("b", DataType::Utf8),
        field("c", DataType::Utf8),
        field("d", DataType::Float64),
        field("absent", DataType::Boolean),
    ]));
    let decoded = decode(&schema, &[&payload]);
    assert_eq!(decoded.rejected, []);
    let expected = super::super::json_rows(&decoded.records);
    assert_eq!(
        expected,
        [
            r#"{"a":3,"b":"x","c":"v","d":null,"absent":null}"#,
            r#"{"a":4,"b":"y","c":"w","d":null,"absent":null}"#
        ]
    );
}

#[test]
fn a_stream_of_other_columns_is_a_bad_record() {
    let payload = encode(&bids(), json!({}));
    let refused = |field: Field| {
        let schema = Arc::new(Schema::new(vec![field]));
        let decoded = decode(&schema, &[&payload]);
        assert_eq!(decoded.records.num_rows(), 0);
        (decoded.rejected[0].code, decoded.rejected[0].message.clone())
    };
    let (code, message) = refused(Field::new("price", DataType::Utf8, true));
    assert_eq!(code, "SW3113");
    assert_eq!(message, "column `price`: expected utf8, found a column of Int64");
    assert_eq!(refused(Field::new("price", DataType::Int64, false)).0, "SW3103");
    assert_eq!(refused(Field::new("absent", DataType::Int64, false)).0, "SW3103");
    let large =
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![300])) as ArrayRef)]);
    let large = encode(&large.unwrap(), json!({}));
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::UInt8, true)]));
    assert_eq!(decode(&schema, &[&large]).rejected[0].code, "SW3102");
}

#[test]
fn a_bad_stream_costs_one_message() {
    let records = bids();
    let good = encode(&records, json!({}));
    let cut: &[&[u8]] =
        &[b"", b"{}", &good[..3], &good[..good.len() / 2], b"\xff\xff\xff\xff\xff\xff\xff\x7f"];
    for bad in cut {
        let decoded = decode(&records.schema(), &[&good, bad, &good]);
        assert_eq!(decoded.records.num_rows(), 200);
        assert_eq!(decoded.rejected.len(), 1);
        assert_eq!((decoded.rejected[0].index, decoded.rejected[0].code), (1, "SW3101"));
    }
    let codes = |with: Value, payload: &[u8]| {
        let decoded = decode_with(&records.schema(), with, &[Some(payload)]);
        decoded.rejected.first().map(|r| r.code)
    };
    assert_eq!(codes(json!({"max_bytes": "1KiB"}), &good), Some("SW3106"));
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 1_000_000]));
    let zeros = RecordBatch::try_from_iter_with_nullable([("price", zeros, true)]).unwrap();
    let small = encode(&zeros, json!({"compression": "zstd"}));
    assert!(small.len() < 10_000);
    assert_eq!(codes(json!({"max_decoded_bytes": "4MiB"}), &small), Some("SW3106"));
    let nulls: ArrayRef = Arc::new(NullArray::new(1 << 30));
    let nulls = encode(&RecordBatch::try_from_iter([("price", nulls)]).unwrap(), json!({}));
    assert_eq!(codes(json!({}), &nulls), Some("SW3106"));
    let required = Arc::new(Schema::new(vec![Field::new("price", DataType::Int64, false)]));
    assert_eq!(decode_with(&required, json!({}), &[None]).rejected[0].code, "SW3105");
    assert_eq!(decoder(&ArrowIpcOptions::default(), None).err().unwrap().code, "SW3123");
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(2_000) })]

    #[test]
    fn changed_bytes_never_stop_the_decoder(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        compression in prop::sample::select(vec!["none", "zstd"]),
    ) {
        let records = bids();
        let good = encode(&records, json!({ "compression": compression }));
        let mut bad = good.clone();
        for (place, value) in edits {
            let at = place.index(bad.len());
            bad[at] = value;
        }
        let decoded = decode(&records.schema(), &[&good, &bad]);
        prop_assert!(decoded.records.num_rows() >= 100);
        prop_assert_eq!(decoded.records.slice(0, 100), records);
    }
}
