//! Which schemas fill which columns.

use super::*;

fn schema(fields: Value) -> Value {
    json!({ "schema": {"type": "record", "name": "r", "fields": fields} })
}

#[test]
fn values_are_widened_and_taken_by_their_meaning() {
    let long = |logical: &str| json!({"type": "long", "logicalType": logical});
    let cases: Vec<(Value, &str, Vec<u8>, &str)> = vec![
        (json!("int"), "int64", vec![5], "-3"),
        (json!("int"), "float32", vec![5], "-3.0"),
        (json!("long"), "float64", vec![6], "3.0"),
        (json!("float"), "float64", 1.5_f32.to_le_bytes().to_vec(), "1.5"),
        (json!("double"), "float32", 1.5_f64.to_le_bytes().to_vec(), "1.5"),
        (json!("long"), "timestamp_ms", vec![2], "\"1970-01-01T00:00:00.001Z\""),
        (long("timestamp-millis"), "timestamp_us", vec![2], "\"1970-01-01T00:00:00.001000Z\""),
        (long("timestamp-micros"), "timestamp_ms", vec![1], "\"1969-12-31T23:59:59.999Z\""),
        (long("local-timestamp-nanos"), "timestamp_s", vec![2], "\"1970-01-01T00:00:00Z\""),
        (long("timestamp-millis"), "int64", vec![2], "1"),
        (long("unheard-of"), "int64", vec![2], "1"),
        (json!({"type": "int", "logicalType": "date"}), "date", vec![2], "\"1970-01-02\""),
        (json!("string"), "binary", vec![2, b'a'], "\"YQ==\""),
        (json!("bytes"), "utf8", vec![2, b'a'], "\"a\""),
        (
            json!("string"),
            "timestamp_s",
            [&[20][..], b"2026-01-31"].concat(),
            "\"2026-01-31T00:00:00Z\"",
        ),
        (json!({"type": "fixed", "name": "f", "size": 2}), "binary", vec![1, 2], "\"AQI=\""),
        (
            json!({"type": "fixed", "name": "f", "size": 2, "logicalType": "decimal", "precision": 4, "scale": 1}),
            "decimal(10,3)",
            vec![0xFF, 0xFE],
            "-0.200",
        ),
        (json!("int"), "decimal(5,1)", vec![6], "3.0"),
        (json!(["null", "int", "long"]), "int64", vec![4, 6], "3"),
        (json!(["int", "double"]), "float64", vec![0, 6], "3.0"),
        (
            json!({"type": "array", "items": ["null", "int"]}),
            "list<int32>",
            vec![4, 2, 6, 0, 0],
            "[3,null]",
        ),
        (json!({"type": "int"}), "uint64", vec![6], "3"),
    ];
    for (from, to, payload, expected) in cases {
        let with = schema(json!([{ "name": "a", "type": from }]));
        let row = read(with, Some(columns(json!({ "a": to }))), &payload);
        assert_eq!(row, Ok(format!("{{\"a\":{expected}}}")), "{from} as {to}");
    }
}

#[test]
fn what_cannot_be_filled_is_refused_when_the_node_is_planned() {
    let cases = [
        (json!("double"), "int64", "column `a` is int64, and the schema's field is double"),
        (json!("string"), "int64", "field is string"),
        (json!(["null", "string"]), "int64", "field is union<null, string>"),
        (json!({"type": "array", "items": "string"}), "list<int64>", "field is array<string>"),
        (
            json!({"type": "bytes", "logicalType": "decimal", "precision": 4}),
            "float64",
            "field is decimal(4,0)",
        ),
        (json!({"type": "map", "values": "int"}), "int64", "field is map<int>"),
    ];
    for (from, to, message) in cases {
        let with = schema(json!([{ "name": "a", "type": from }]));
        let error = planned(with, Some(columns(json!({ "a": to })))).err().unwrap();
        assert_eq!(error.code, "SW3125");
        assert!(error.to_string().contains(message), "{error}");
    }
    let with = schema(json!([{"name": "a", "type": "int"}]));
    let error = planned(with, Some(columns(json!({"b": "int64!"})))).err().unwrap();
    assert!(error.to_string().contains("column `b` is required"), "{error}");
}

#[test]
fn columns_come_from_the_schema_where_none_are_declared() {
    let with = schema(json!([
        {"name": "a", "type": ["null", "long"]},
        {"name": "b", "type": {"type": "enum", "name": "e", "symbols": ["x", "y"]}},
        {"name": "c", "type": {"type": "map", "values": ["int", "null"]}},
        {"name": "d", "type": {"type": "array", "items": {"type": "record", "name": "i", "fields": [
            {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}}},
    ]));
    let payload = [2, 6, 2, 4, 2, b'k', 0, 10, 2, b'l', 2, 0, 2, 4, 0];
    assert_eq!(
        read(with, None, &payload).unwrap(),
        r#"{"a":3,"b":"y","c":{"k":5,"l":null},"d":[{"t":"1970-01-01T00:00:00.000002Z"}]}"#
    );
    for (field, message) in [
        (json!(["int", "string"]), "field `a`: union<int, string> has no column type"),
        (json!(["null", "r"]), "it holds itself"),
        (json!("null"), "always null"),
    ] {
        let error = planned(schema(json!([{ "name": "a", "type": field }])), None).err().unwrap();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn maps_and_decimals_are_written_as_they_are_read() {
    let with = schema(json!([
        {"name": "m", "type": {"type": "map", "values": "int"}},
        {"name": "d", "type": {"type": "fixed", "name": "f", "size": 3, "logicalType": "decimal",
            "precision": 5, "scale": 2}},
        {"name": "w", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}},
    ]));
    for payload in [
        vec![4, 2, b'k', 1, 2, b'l', 2, 0, 0xFF, 0xFF, 0x80, 2, 0x80],
        vec![0, 0, 0, 0x80, 4, 0, 0x80],
        vec![0, 0, 0, 0, 2, 0],
    ] {
        let decoded = reader_for(with.clone(), None).decode(&[Some(&payload)]).unwrap();
        assert_eq!(decoded.rejected, []);
        assert_eq!(write(with.clone(), &decoded.records).unwrap(), [payload]);
    }
}

#[test]
fn values_without_a_form_are_refused() {
    let records =
        |column: &str, value: Value| rows(json!({ "a": column }), &[json!({ "a": value })]);
    let refused = |field: Value, records: &RecordBatch| {
        let error = write(schema(json!([{ "name": "a", "type": field }])), records).unwrap_err();
        (error.code, error.to_string())
    };
    let cases = [
        (json!("long"), records("int64", Value::Null), "SW3141", "column `a`: null"),
        (
            json!("int"),
            records("int64", json!(1_u64 << 40)),
            "SW3141",
            "does not fit into an Avro int",
        ),
        (json!("long"), records("uint64", json!(u64::MAX)), "SW3141", "does not fit into 64 bits"),
        (
            json!({"type": "enum", "name": "e", "symbols": ["x"]}),
            records("utf8", json!("z")),
            "SW3141",
            "`z`",
        ),
        (
            json!({"type": "long", "logicalType": "timestamp-nanos"}),
            records("timestamp_s", json!(1_u64 << 40)),
            "SW3141",
            "do not fit",
        ),
        (json!("string"), records("int64", json!(1)), "SW3125", "column `a` is int64"),
        (json!("float"), records("float64", json!(1)), "SW3125", "field is float"),
    ];
    for (field, records, code, message) in cases {
        let (found, text) = refused(field, &records);
        assert_eq!(found, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
    let error = write(schema(json!([])), &records("int64", json!(1))).unwrap_err();
    assert!(error.to_string().contains("no field for column `a`"), "{error}");
    let with = schema(json!([{"name": "a", "type": "long"}, {"name": "b", "type": "long"}]));
    let error = write(with, &records("int64", json!(1))).unwrap_err();
    assert!(error.to_string().contains("no column for field `b`"), "{error}");
}
