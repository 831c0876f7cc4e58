//! What `arrow-avro` writes is read, and what is written it reads.

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use arrow_avro::writer::WriterBuilder;
use arrow_avro::writer::format::AvroSoeFormat;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

/// Any rows of all types that both sides know.
fn batches() -> impl Strategy<Value = RecordBatch> {
    let rows = prop::collection::vec(
        (
            (any::<Option<i64>>(), any::<i32>(), any::<Option<String>>(), any::<Option<bool>>()),
            (prop::option::of(-1e9..1e9_f64), prop::option::of(-1e9..1e9_f32)),
            (any::<Option<i32>>(), any::<Option<Vec<u8>>>()),
            (
                prop::option::of(-10_i128.pow(20)..10_i128.pow(20)),
                any::<Option<Vec<Option<i32>>>>(),
            ),
        ),
        1..20,
    );
    rows.prop_map(|rows| {
        let millis = |v: Option<i64>| v.map(|v| v / 1_000_000);
        let decimals: Decimal128Array = rows.iter().map(|r| r.3.0).collect();
        let decimals = decimals.with_precision_and_scale(24, 5).unwrap();
        let lists = rows.iter().map(|r| r.3.1.clone());
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
        let integers: ArrayRef = Arc::new(rows.iter().map(|r| r.0.0).collect::<Int64Array>());
        let text: ArrayRef = Arc::new(rows.iter().map(|r| r.0.2.clone()).collect::<StringArray>());
        let inner = vec![("x", Arc::clone(&integers), true), ("y", Arc::clone(&text), true)];
        let inner: StructArray = RecordBatch::try_from_iter_with_nullable(inner).unwrap().into();
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("integers", integers, true),
            ("required", Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.0.1))), false),
            ("text", text, true),
            ("flags", Arc::new(rows.iter().map(|r| r.0.3).collect::<BooleanArray>()), true),
            ("doubles", Arc::new(rows.iter().map(|r| r.1.0).collect::<Float64Array>()), true),
            ("singles", Arc::new(rows.iter().map(|r| r.1.1).collect::<Float32Array>()), true),
            ("dates", Arc::new(rows.iter().map(|r| r.2.0).collect::<Date32Array>()), true),
            (
                "bytes",
                Arc::new(rows.iter().map(|r| r.2.1.as_deref()).collect::<BinaryArray>()),
                true,
            ),
            (
                "millis",
                Arc::new(rows.iter().map(|r| millis(r.0.0)).collect::<TimestampMillisecondArray>()),
                true,
            ),
            (
                "micros",
                Arc::new(rows.iter().map(|r| r.0.0).collect::<TimestampMicrosecondArray>()),
                true,
            ),
            (
                "nanos",
                Arc::new(rows.iter().map(|r| r.0.0).collect::<TimestampNanosecondArray>()),
                true,
            ),
            ("decimals", Arc::new(decimals), true),
            ("lists", Arc::new(lists), true),
            ("inner", Arc::new(inner), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    })
}

fn decode(schema: &str, columns: SchemaRef, payloads: &[&[u8]]) -> Decoded {
    let with = json!({ "schema": schema, "framing": "single_object" });
    let payloads: Vec<_> = payloads.iter().map(|p| Some(*p)).collect();
    reader_for(with, Some(columns)).decode(&payloads).unwrap()
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]

    #[test]
    fn what_arrow_avro_writes_is_read(records in batches()) {
        let schema = records.schema();
        let mut encoder =
            WriterBuilder::new(schema.as_ref().clone()).build_encoder::<AvroSoeFormat>().unwrap();
        encoder.encode(&records).unwrap();
        let text = AvroSchema::try_from(schema.as_ref()).unwrap().json_string;
        let payloads: Vec<_> = encoder.flush().iter().collect();
        let payloads: Vec<_> = payloads.iter().map(AsRef::as_ref).collect();
        let decoded = decode(&text, schema, &payloads);
        prop_assert_eq!(decoded.rejected, vec![]);
        prop_assert_eq!(decoded.records, records);
    }

    #[test]
    fn what_is_written_arrow_avro_reads(records in batches()) {
        let given = from_columns::schema("bids", records.schema().fields()).unwrap();
        let text = given.to_string();
        let with = json!({ "schema": given, "framing": "single_object" });
        let payloads = write(with, &records).unwrap();
        let mut store = SchemaStore::new();
        store.register(AvroSchema::new(text.clone())).unwrap();
        let mut reader =
            ReaderBuilder::new().with_writer_schema_store(store).build_decoder().unwrap();
        for payload in &payloads {
            prop_assert_eq!(reader.decode(payload).unwrap(), payload.len());
        }
        let theirs = reader.flush().unwrap().unwrap();
        prop_assert_eq!(json_rows(&theirs), json_rows(&records));
        let payloads: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
        let ours = decode(&text, records.schema(), &payloads);
        prop_assert_eq!(ours.records, records);
    }
}

#[test]
fn fingerprints_are_those_of_arrow_avro() {
    let schemas = [
        test_record(),
        json!({"type": "record", "name": "b", "namespace": "a.x", "doc": "d", "aliases": ["z"], "fields": [
            {"name": "self", "type": ["null", "b"], "default": null, "doc": "é"},
            {"name": "when", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "f", "type": {"type": "fixed", "size": 16, "name": "md5"}},
            {"name": "g", "type": "md5"},
            {"name": "e", "type": {"type": "enum", "name": "q.e", "symbols": ["A", "B"], "default": "A"}},
            {"name": "m", "type": {"type": "map", "values": {"type": "array", "items": "q.e"}}}]}),
    ];
    for schema in schemas {
        let theirs = AvroSchema::new(schema.to_string()).fingerprint(FingerprintAlgorithm::Rabin);
        assert_eq!(theirs.unwrap(), Fingerprint::Rabin(fingerprint(&schema)));
    }
}
