//! Protocol buffers against the bytes of their documentation, against `prost-reflect`, and against
//! a registry.

mod bad_payloads;
mod oracle;
mod registry;

use arrow::array::RecordBatch;
use serde_json::{Value, json};

use super::*;
use crate::codec::{Decoder, Payloads, json_rows};

const CX: CodecContext<'static> = CodecContext { topic: Some("orders"), node: "test" };

/// One of everything.
const EVERYTHING: &str = r#"
    syntax = "proto3";
    package shop;
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";
    message Everything {
        int32 a = 1;  int64 b = 2;  uint32 c = 3;  uint64 d = 4;  sint32 e = 5;  sint64 f = 6;
        fixed32 g = 7;  fixed64 h = 8;  sfixed32 i = 9;  sfixed64 j = 10;
        float k = 11;  double l = 12;  bool m = 13;  string n = 14;  bytes o = 15;
        Color color = 16;
        optional int64 maybe = 17;
        google.protobuf.Timestamp time = 18;
        google.protobuf.StringValue wrapped = 19;
        repeated sint64 packed = 20;
        repeated string words = 21;
        repeated int32 loose = 22 [packed = false];
        map<string, int64> by_name = 23;
        map<int32, Inner> by_number = 24;
        Inner inner = 25;
        repeated Inner inners = 300;
        oneof choice { string left = 301; int64 right = 302; }
        enum Color { RED = 0; BLUE = 5; }
        message Inner { int64 x = 1; repeated double y = 2; optional Color color = 3; }
    }
"#;

/// A schema as a topology file writes it.
fn columns(columns: Value) -> SchemaRef {
    swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap()
}

fn planned(options: Value, columns: Option<SchemaRef>) -> Result<PlannedDecoder> {
    decoder(&serde_json::from_value(options).unwrap(), columns, &CX)
}

fn reader_for(options: Value, columns: Option<SchemaRef>) -> Box<dyn Decoder> {
    (planned(options, columns).unwrap().make)().unwrap()
}

/// Decodes one payload to JSON, or gives the code and message of its rejection.
fn read(
    options: Value,
    columns: Option<SchemaRef>,
    payload: &[u8],
) -> Result<String, (String, String)> {
    let decoded = reader_for(options, columns).decode(&[Some(payload)]).unwrap();
    match decoded.rejected.as_slice() {
        [] => Ok(json_rows(&decoded.records).remove(0)),
        [bad, ..] => Err((bad.code.to_owned(), bad.message.clone())),
    }
}

fn write(options: Value, records: &RecordBatch) -> Result<Vec<Vec<u8>>> {
    let options = serde_json::from_value(options).unwrap();
    let make = encoder(&options, &records.schema(), &CX)?;
    let mut out = Payloads::default();
    make()?.encode(records, &mut out)?;
    Ok(out.iter().map(<[u8]>::to_vec).collect())
}

/// Rows from JSON.
fn rows(columns: Value, rows: &[Value]) -> RecordBatch {
    let columns = self::columns(columns);
    let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
    let rows: Vec<_> = rows.iter().map(|row| Some(row.as_bytes())).collect();
    let planned = crate::codec::decoder(None, Some(columns), &CX).unwrap();
    let decoded = (planned.make)().unwrap().decode(&rows).unwrap();
    assert_eq!(decoded.rejected, []);
    decoded.records
}

fn proto(fields: &str) -> Value {
    json!({ "schema": format!("syntax = \"proto3\"; message M {{ {fields} }}") })
}

#[test]
fn the_bytes_are_those_of_the_documentation() {
    // https://protobuf.dev/programming-guides/encoding/
    let cases: [(&str, Value, Value, &[u8]); 4] = [
        ("int32 a = 1;", json!({"a": "int32"}), json!({"a": 150}), &[0x08, 0x96, 0x01]),
        (
            "string b = 2;",
            json!({"b": "utf8"}),
            json!({"b": "testing"}),
            &[0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67],
        ),
        (
            "M c = 3; int32 a = 1;",
            json!({"c": {"a": "int32"}}),
            json!({"c": {"a": 150}}),
            &[0x1a, 0x03, 0x08, 0x96, 0x01],
        ),
        (
            "repeated int32 f = 6;",
            json!({"f": "list<int32>"}),
            json!({"f": [3, 270, 86942]}),
            &[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05],
        ),
    ];
    for (fields, types, row, bytes) in cases {
        let records = rows(types.clone(), std::slice::from_ref(&row));
        assert_eq!(write(proto(fields), &records).unwrap(), [bytes]);
        assert_eq!(read(proto(fields), Some(columns(types)), bytes).unwrap(), row.to_string());
    }
}

#[test]
fn absent_and_default_are_told_apart_where_the_message_can() {
    let fields = "int64 a = 1; optional int64 b = 2; oneof o { int64 c = 3; }";
    let empty = read(proto(fields), None, b"").unwrap();
    assert_eq!(empty, r#"{"a":0,"b":null,"c":null}"#);
    let zeros = read(proto(fields), None, &[0x08, 0, 0x10, 0, 0x18, 0]).unwrap();
    assert_eq!(zeros, r#"{"a":0,"b":0,"c":0}"#);
    let types = json!({"a": "int64", "b": "int64", "c": "int64"});
    let records = rows(types.clone(), &[json!({"a": 0, "b": 0}), json!({"a": 5, "c": 0})]);
    assert_eq!(write(proto(fields), &records).unwrap(), [vec![0x10, 0], vec![0x08, 5, 0x18, 0]]);
    let error = write(proto(fields), &rows(types, &[json!({"b": 1})])).unwrap_err();
    assert_eq!(error.code, "SW3141");
    assert!(error.to_string().contains("column `a`: null"), "{error}");
}

#[test]
fn the_last_value_counts_and_pieces_of_a_message_are_joined() {
    let fields = "int64 a = 1; M m = 2; repeated int64 r = 3;";
    let types = json!({"a": "int64", "m": {"a": "int64", "r": "list<int64>"}, "r": "list<int64>"});
    let payload = [
        0x08, 1, 0x18, 7, 0x12, 4, 0x08, 9, 0x18, 1, 0x08, 2, 0x1a, 2, 8, 9, 0x12, 2, 0x18, 3,
        // A value of another wire type is an unknown field.
        0x0d, 0, 0, 0, 0,
    ];
    assert_eq!(
        read(proto(fields), Some(columns(types)), &payload).unwrap(),
        r#"{"a":2,"m":{"a":9,"r":[1,3]},"r":[7,8,9]}"#
    );
}

#[test]
fn enums_are_names_or_numbers() {
    let fields = "enum E { A = 0; B = 1; } E e = 1;";
    assert_eq!(read(proto(fields), None, &[8, 1]).unwrap(), r#"{"e":"B"}"#);
    // A value of a later version of the enum.
    assert_eq!(read(proto(fields), None, &[8, 7]).unwrap(), r#"{"e":"7"}"#);
    let number = columns(json!({"e": "int8"}));
    assert_eq!(read(proto(fields), Some(number), &[8, 7]).unwrap(), r#"{"e":7}"#);
    let records =
        rows(json!({"e": "utf8"}), &[json!({"e": "B"}), json!({"e": "7"}), json!({"e": "A"})]);
    assert_eq!(write(proto(fields), &records).unwrap(), [vec![8, 1], vec![8, 7], vec![]]);
    let error =
        write(proto(fields), &rows(json!({"e": "utf8"}), &[json!({"e": "C"})])).unwrap_err();
    assert!(error.to_string().contains("`C` is no value of the enum"), "{error}");
}

#[test]
fn values_fit_into_wider_and_checked_columns() {
    let time = "import \"google/protobuf/timestamp.proto\";";
    let time = json!({ "schema": format!("syntax = \"proto3\"; {time} message M {{ google.protobuf.Timestamp a = 1; }}") });
    let second = [0x0a, 6, 0x08, 1, 0x10, 0xc0, 0xc4, 0x07]; // 1 s 123 456 ns
    let cases = [
        (proto("int32 a = 1;"), "int64", &[8, 5][..], Ok("5")),
        (proto("uint64 a = 1;"), "timestamp_ms", &[8, 5], Ok("\"1970-01-01T00:00:00.005Z\"")),
        (proto("float a = 1;"), "float64", &[0x0d, 0, 0, 0xc0, 0x3f], Ok("1.5")),
        (time.clone(), "timestamp_ns", &second, Ok("\"1970-01-01T00:00:01.000123456Z\"")),
        (time.clone(), "timestamp_s", &second, Ok("\"1970-01-01T00:00:01Z\"")),
        (time, "timestamp_s", &[0x0a, 2, 0x10, 0xff, 0x7f][..4], Err("SW3111")),
        (proto("int64 a = 1;"), "uint8", &[8, 0x80, 2], Err("SW3102")),
        (
            proto("int32 a = 1;"),
            "uint8",
            &[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            Err("SW3102"),
        ),
    ];
    for (with, to, payload, expected) in cases {
        let found = read(with, Some(columns(json!({ "a": to }))), payload);
        let expected = expected.map(|value| format!("{{\"a\":{value}}}"));
        assert_eq!(found.map_err(|(code, _)| code), expected.map_err(str::to_owned), "{to}");
    }
}

#[test]
fn options_and_columns_are_checked_when_the_node_is_planned() {
    let two = "syntax = \"proto3\"; package p; message A { message B { int64 b = 1; } } message C { A a = 1; }";
    let cases = [
        (json!({}), json!({"a": "int64"}), "SW3123", "without the message's schema"),
        (json!({"schema": "message"}), json!({"a": "int64"}), "SW3125", "expected an identifier"),
        (
            json!({"schema": "import \"other.proto\";"}),
            json!({"a": "int64"}),
            "SW3125",
            "other.proto",
        ),
        (json!({"schema": two}), json!({"a": "int64"}), "SW3125", "p.A, p.C"),
        (json!({"schema": two, "message": "D"}), json!({"a": "int64"}), "SW3125", "no message `D`"),
        (
            json!({"proto_file": "/no/such.proto"}),
            json!({"a": "int64"}),
            "SW3125",
            "/no/such.proto",
        ),
        (
            json!({"proto_file": "a", "descriptor_file": "b"}),
            json!({"a": "int64"}),
            "SW3122",
            "more than one",
        ),
        (
            json!({"schema": two, "message": "A", "registry": {"url": "http://r"}}),
            json!({"a": "int64"}),
            "SW3122",
            "for reading",
        ),
        (
            proto("string a = 1;"),
            json!({"a": "int64"}),
            "SW3125",
            "column `a` is int64, and the message's field is string",
        ),
        (
            proto("repeated int64 a = 1;"),
            json!({"a": "int64"}),
            "SW3125",
            "field is repeated int64",
        ),
        (proto("map<string, int64> a = 1;"), json!({"a": "int64"}), "SW3125", "field is a map"),
        (proto("string b = 1;"), json!({"a": "int64!"}), "SW3125", "column `a` is required"),
    ];
    for (options, types, code, message) in cases {
        let error = planned(options, Some(columns(types))).err().unwrap();
        assert_eq!(error.code, code, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn messages_and_columns_must_fit() {
    let two = "syntax = \"proto3\"; package p; message A { message B { int64 b = 1; } } message C { A a = 1; }";
    let error = planned(proto("M m = 1;"), None).err().unwrap();
    assert!(error.to_string().contains("message M holds itself"), "{error}");
    let nested = planned(json!({"schema": two, "message": "p.A.B"}), None).unwrap();
    assert_eq!(nested.schema.field(0).name(), "b");
    let refused = |options: Value, types: Value| {
        let options = serde_json::from_value(options).unwrap();
        encoder(&options, &columns(types), &CX).err().unwrap().to_string()
    };
    assert!(refused(proto("float a = 1;"), json!({"a": "float64"})).contains("field is float"));
    assert!(
        refused(proto("int64 b = 1;"), json!({"a": "int64"})).contains("no field for column `a`")
    );
    let required = json!({"schema": "message M { required int64 a = 1; optional int64 b = 2; }"});
    assert!(refused(required, json!({"b": "int64"})).contains("required field `a`"));
}

#[test]
fn files_are_compiled_with_their_imports() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("b.proto"), "syntax = \"proto3\"; message B { int64 b = 1; }").unwrap();
    let main = "syntax = \"proto3\"; import \"b.proto\"; message A { B inner = 1; }";
    std::fs::write(path("a.proto"), main).unwrap();
    let set = protox::compile(["a.proto"], [directory.path()]).unwrap();
    std::fs::write(path("set.bin"), prost::Message::encode_to_vec(&set)).unwrap();
    for options in [
        json!({ "proto_file": path("a.proto") }),
        json!({ "descriptor_file": path("set.bin"), "message": "A" }),
    ] {
        assert_eq!(read(options, None, &[10, 2, 8, 5]).unwrap(), r#"{"inner":{"b":5}}"#);
    }
}
