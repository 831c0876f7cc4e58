//! What is written is read back as the same value.

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::codec::Payloads;

fn encode(records: &RecordBatch, options: Value) -> Payloads {
    let options: JsonOptions = serde_json::from_value(options).unwrap();
    let make = encoder(options, &records.schema(), &CX).unwrap();
    let mut out = Payloads::default();
    make().unwrap().encode(records, &mut out).unwrap();
    out
}

fn lines(records: &RecordBatch, options: Value) -> Vec<String> {
    let payloads = encode(records, options);
    let lines = payloads.iter().map(|p| String::from_utf8(p.to_vec()).unwrap());
    lines.collect()
}

fn column(array: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("a", array, true)]).unwrap()
}

/// Any rows of all types that a topology file can declare.
fn batches() -> impl Strategy<Value = RecordBatch> {
    let rows = prop::collection::vec(
        (
            (any::<Option<i64>>(), any::<Option<u64>>(), any::<Option<String>>()),
            (prop::option::of(-1e9..1e9_f64), any::<f64>(), any::<f32>()),
            (any::<Option<i64>>(), any::<Option<i32>>(), any::<Option<Vec<u8>>>()),
            (
                prop::option::of(-10_i128.pow(20)..10_i128.pow(20)),
                any::<Option<Vec<Option<i32>>>>(),
            ),
        ),
        0..20,
    );
    rows.prop_map(|rows| {
        let finite = |v: f64| v.is_finite().then_some(v);
        let integers: Int64Array = rows.iter().map(|r| r.0.0).collect();
        let unsigned: UInt64Array = rows.iter().map(|r| r.0.1).collect();
        let text: StringArray = rows.iter().map(|r| r.0.2.clone()).collect();
        let prices: Float64Array = rows.iter().map(|r| r.1.0).collect();
        let doubles: Float64Array = rows.iter().map(|r| finite(r.1.1)).collect();
        let singles: Float32Array =
            rows.iter().map(|r| Some(r.1.2).filter(|v| v.is_finite())).collect();
        let seconds: TimestampSecondArray = rows.iter().map(|r| r.2.0).collect();
        let millis: TimestampMillisecondArray = rows.iter().map(|r| r.2.0).collect();
        let micros: TimestampMicrosecondArray = rows.iter().map(|r| r.2.0).collect();
        let nanos: TimestampNanosecondArray = rows.iter().map(|r| r.2.0).collect();
        let dates: Date32Array = rows.iter().map(|r| r.2.1).collect();
        let bytes: BinaryArray = rows.iter().map(|r| r.2.2.as_deref()).collect();
        let decimals: Decimal128Array = rows.iter().map(|r| r.3.0).collect();
        let decimals = decimals.with_precision_and_scale(24, 5).unwrap();
        let lists =
            ListArray::from_iter_primitive::<Int32Type, _, _>(rows.iter().map(|r| r.3.1.clone()));
        let inner: Vec<(&str, ArrayRef, bool)> = vec![
            ("x \"y\"", Arc::new(integers.clone()), true),
            ("z", Arc::new(text.clone()), true),
        ];
        let inner: StructArray = RecordBatch::try_from_iter_with_nullable(inner).unwrap().into();
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("integers", Arc::new(integers), true),
            ("unsigned", Arc::new(unsigned), true),
            ("text", Arc::new(text), true),
            ("prices", Arc::new(prices), true),
            ("doubles", Arc::new(doubles), true),
            ("singles", Arc::new(singles), true),
            ("seconds", Arc::new(seconds), true),
            ("millis", Arc::new(millis), true),
            ("micros", Arc::new(micros), true),
            ("nanos", Arc::new(nanos), true),
            ("dates", Arc::new(dates), true),
            ("bytes", Arc::new(bytes), true),
            ("decimals", Arc::new(decimals), true),
            ("lists", Arc::new(lists), true),
            ("inner", Arc::new(inner), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(500))]

    #[test]
    fn rows_are_read_back_as_written(
        records in batches(),
        epoch in any::<bool>(),
        omit in any::<bool>(),
    ) {
        let options = json!({
            "timestamps": if epoch { "epoch" } else { "rfc3339" },
            "nulls": if omit { "omit" } else { "write" },
        });
        let payloads = encode(&records, options);
        for payload in payloads.iter() {
            let value: Value = serde_json::from_slice(payload).unwrap();
            prop_assert!(value.is_object());
        }
        let payloads: Vec<_> = payloads.iter().collect();
        let decoded = decode_all(&records.schema(), &payloads);
        prop_assert_eq!(decoded.rejected, vec![]);
        prop_assert_eq!(decoded.records, records);
    }
}

#[test]
fn values_have_the_form_that_the_manual_says() {
    let time = |ms| column(Arc::new(TimestampMillisecondArray::from(vec![ms])));
    let cases: Vec<(RecordBatch, Value, &str)> = vec![
        (time(1_769_851_616_123), json!({}), r#"{"a":"2026-01-31T09:26:56.123Z"}"#),
        (time(-1), json!({}), r#"{"a":"1969-12-31T23:59:59.999Z"}"#),
        (time(951_782_400_000), json!({}), r#"{"a":"2000-02-29T00:00:00.000Z"}"#),
        (time(i64::MAX), json!({}), r#"{"a":9223372036854775807}"#),
        (time(5), json!({"timestamps": "epoch"}), r#"{"a":5}"#),
        (column(Arc::new(Date32Array::from(vec![0]))), json!({}), r#"{"a":"1970-01-01"}"#),
        (column(Arc::new(Float64Array::from(vec![f64::NAN]))), json!({}), r#"{"a":null}"#),
        (column(Arc::new(Float64Array::from(vec![f64::INFINITY]))), json!({}), r#"{"a":null}"#),
        (column(Arc::new(Float64Array::from(vec![1.0]))), json!({}), r#"{"a":1.0}"#),
        (column(Arc::new(Float32Array::from(vec![0.1]))), json!({}), r#"{"a":0.1}"#),
        (column(Arc::new(Int64Array::from(vec![None]))), json!({}), r#"{"a":null}"#),
        (column(Arc::new(Int64Array::from(vec![None]))), json!({"nulls": "omit"}), "{}"),
        (
            column(Arc::new(BinaryArray::from(vec![&b"hi!\xff"[..]]))),
            json!({}),
            r#"{"a":"aGkh/w=="}"#,
        ),
        (
            column(Arc::new(StringArray::from(vec!["a\"\\\n\u{1}é"]))),
            json!({}),
            r#"{"a":"a\"\\\n\u0001é"}"#,
        ),
        (column(Arc::new(StringViewArray::from(vec!["view"]))), json!({}), r#"{"a":"view"}"#),
        (
            column(Arc::new(DictionaryArray::<Int32Type>::from_iter(["d"]))),
            json!({}),
            r#"{"a":"d"}"#,
        ),
    ];
    for (records, options, expected) in cases {
        assert_eq!(lines(&records, options), [expected]);
    }
    for (value, scale, expected) in
        [(-5, 2, "-0.05"), (1234, 2, "12.34"), (7, 0, "7"), (100, 2, "1.00")]
    {
        let decimals =
            Decimal128Array::from(vec![value]).with_precision_and_scale(10, scale).unwrap();
        assert_eq!(
            lines(&column(Arc::new(decimals)), json!({})),
            [format!("{{\"a\":{expected}}}")]
        );
    }
}

#[test]
fn a_slice_is_written_like_the_rows_it_shows() {
    let list =
        ListArray::from_iter_primitive::<Int32Type, _, _>((0..6).map(|i| Some(vec![Some(i); 2])));
    let text = StringViewArray::from_iter_values((0..6).map(|i| format!("text {i}")));
    let records = RecordBatch::try_from_iter([
        ("list", Arc::new(list) as ArrayRef),
        ("text", Arc::new(text) as ArrayRef),
    ])
    .unwrap();
    assert_eq!(
        lines(&records.slice(2, 2), json!({})),
        [r#"{"list":[2,2],"text":"text 2"}"#, r#"{"list":[3,3],"text":"text 3"}"#]
    );
}

#[test]
fn a_column_without_a_form_is_refused_when_the_node_is_planned() {
    let fields =
        arrow::datatypes::UnionFields::from_fields([Field::new("x", DataType::Int32, true)]);
    let schema = one(DataType::Union(fields, arrow::datatypes::UnionMode::Sparse));
    let error = encoder(JsonOptions::default(), &schema, &CX).err().unwrap();
    assert_eq!(error.code, "SW3124");
    assert!(error.to_string().contains("column `a`"), "{error}");
}
