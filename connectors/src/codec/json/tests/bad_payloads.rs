//! A bad payload costs one record, and the message says which column, what was expected and what
//! was found.

use serde_json::json;

use super::*;

fn bids() -> SchemaRef {
    schema(json!({"auction": "int64!", "price": "int64", "channel": "utf8", "tags": "list<int32>",
        "user": {"name": "utf8", "age": "uint8"}}))
}

/// Decodes the payload between two good ones and returns code and message of its rejection.
fn reject(payload: &[u8], options: Value) -> (&'static str, String) {
    let good: &[u8] = br#"{"auction":1,"price":2,"channel":"x","tags":[1],"user":{"name":"u"}}"#;
    let decoded =
        decoder_with(&bids(), options).decode(&[Some(good), Some(payload), Some(good)]).unwrap();
    let [bad] = decoded.rejected.as_slice() else {
        panic!("{:?} was not rejected", String::from_utf8_lossy(payload));
    };
    assert_eq!(bad.index, 1);
    assert_eq!(decoded.rows, Some(vec![0, 2]));
    let twice = decode_all(&bids(), &[good, good]).records;
    assert_eq!(decoded.records, twice, "the bad record left a trace");
    (bad.code, bad.message.clone())
}

#[test]
fn what_is_not_json_is_malformed() {
    let cases: &[(&str, &str)] = &[
        ("", "at byte 0: expected a value, found the end"),
        ("{", "at byte 1: expected a field name, found the end"),
        ("{\"auction\":1", "at byte 12: expected `,` or `}`"),
        ("{\"auction\":1]", "at byte 12: expected `,` or `}`, found `]`"),
        ("{\"auction\":1}}", "at byte 13: expected the end, found `}`"),
        ("{\"auction\":1} {}", "expected the end, found `{}`"),
        ("{\"auction\" 1}", "expected `:`"),
        ("{auction:1}", "expected a field name"),
        ("{\"auction\":1,}", "expected a field name"),
        ("{\"auction\":1 \"price\":2}", "expected `,` or `}`"),
        ("{\"auction\":,\"price\":2}", "expected a value"),
        ("{\"auction\":01}", "expected `,` or `}`"),
        ("{\"auction\":-}", "expected a digit"),
        ("{\"auction\":1.}", "expected a digit"),
        ("{\"auction\":1e}", "expected a digit"),
        ("{\"auction\":1,\"other\":.5}", "expected a value"),
        ("{\"auction\":1,\"other\":1-2}", "expected `,` or `}`"),
        ("{\"auction\":1,\"other\":truth}", "expected a value"),
        ("{\"auction\":1,\"other\":nul}", "expected a value"),
        ("{\"auction\":1,\"other\":\"abc}", "expected `\"`, found the end"),
        ("{\"auction\":1,\"other\":\"a\\x\"}", "expected a valid escape"),
        ("{\"auction\":1,\"other\":\"a\\u12G4\"}", "four hexadecimal digits"),
        ("{\"auction\":1,\"other\":\"\\ud800\"}", "surrogate"),
        ("{\"auction\":1,\"other\":\"\\udc00\"}", "surrogate"),
        ("{\"auction\":1,\"other\":\"\\ud800\\u0041\"}", "surrogate"),
        ("{\"auction\":1,\"other\":\"a\nb\"}", "control character"),
        ("{\"auction\":1,\"other\":[1,2}", "expected `,` or `]`"),
        ("{\"auction\":1,\"other\":{\"a\":[}}", "expected a value"),
        ("{\"auction\":1,\"other\":{\"a\" 1}}", "expected `:`"),
        ("{\"auction\":1,\"other\":[,]}", "expected a value"),
        ("{\"auction\":1,\"tags\":[1,]}", "expected a value"),
        ("{\"auction\":1,\"tags\":[1}", "expected `,` or `]`"),
        ("\u{feff}{\"auction\":1}", "at byte 0: expected a value"),
        ("// {\"auction\":1}", "expected a value"),
    ];
    for (payload, expected) in cases {
        let (code, message) = reject(payload.as_bytes(), json!({}));
        assert_eq!(code, "SW3101", "{payload}: {message}");
        assert!(message.contains(expected), "{payload}: {message}");
    }
}

#[test]
fn a_wrong_type_names_column_type_and_value() {
    let cases: &[(&str, &str)] = &[
        (
            "{\"auction\":1,\"price\":\"abc\"}",
            "column `price`: expected int64, found string \"abc\"",
        ),
        ("{\"auction\":1,\"price\":1.5}", "column `price`: expected int64, found number 1.5"),
        ("{\"auction\":1,\"price\":9223372036854775808}", "found number 9223372036854775808"),
        ("{\"auction\":1,\"price\":true}", "column `price`: expected int64, found true"),
        ("{\"auction\":1,\"channel\":7}", "column `channel`: expected utf8, found number 7"),
        ("{\"auction\":1,\"tags\":[1,{},3]}", "column `tags[1]`: expected int32, found object {}"),
        ("{\"auction\":1,\"tags\":3}", "column `tags`: expected list<int32>, found number 3"),
        (
            "{\"auction\":1,\"user\":{\"age\":256}}",
            "column `user.age`: expected uint8, found number 256",
        ),
        ("{\"auction\":1,\"user\":[]}", "expected {name: utf8, age: uint8}, found array []"),
        ("[1]", "expected an object, found array [1]"),
        ("null", "expected an object, found null"),
        ("5", "expected an object, found number 5"),
    ];
    for (payload, expected) in cases {
        let (code, message) = reject(payload.as_bytes(), json!({}));
        assert_eq!(code, "SW3102", "{payload}: {message}");
        assert!(message.contains(expected), "{payload}: {message}");
    }
}

#[test]
fn a_required_field_is_missing_or_null() {
    for payload in ["{}", "{\"price\":1}", "{\"auction\":null}"] {
        let (code, message) = reject(payload.as_bytes(), json!({}));
        assert_eq!(code, "SW3103");
        assert_eq!(message, "column `auction`: required int64 is missing or null");
    }
    let schema = schema(json!({"a": "int64", "b": {"c": "int64"}}));
    let mut strict = decoder_with(&schema, json!({"missing": "reject"}));
    let payloads: [Option<&[u8]>; 3] =
        [Some(br#"{"a":1,"b":null}"#), Some(br#"{"a":1}"#), Some(br#"{"a":null,"b":{}}"#)];
    let decoded = strict.decode(&payloads).unwrap();
    let messages: Vec<_> = decoded.rejected.iter().map(|r| r.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "column `b`: required {c: int64} is missing or null",
            "column `b.c`: required int64 is missing or null"
        ]
    );
    assert!(decoded.rejected.iter().all(|r| r.code == "SW3103"));
}

#[test]
fn unknown_fields_are_refused_on_request() {
    let schema = schema(json!({"a": "int64", "b": {"c": "int64"}}));
    let mut strict = decoder_with(&schema, json!({"unknown_fields": "reject"}));
    let payloads: Vec<Option<&[u8]>> = vec![
        Some(br#"{"a":1,"d":2}"#),
        Some(br#"{"a":1,"d":2}"#),
        Some(br#"{"a":1,"b":{"c":1,"\u0065":2}}"#),
        Some(br#"{"a":1}"#),
    ];
    let decoded = strict.decode(&payloads).unwrap();
    let messages: Vec<_> = decoded.rejected.iter().map(|r| r.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "field `d` is not in the schema",
            "field `d` is not in the schema",
            "field `b.e` is not in the schema",
        ]
    );
    assert!(decoded.rejected.iter().all(|r| r.code == "SW3110"));
    assert_eq!(decoded.records.num_rows(), 1);
}

#[test]
fn bad_utf8_is_rejected_wherever_it_stands() {
    for payload in [
        &b"{\"auction\":1,\"channel\":\"a\xff\"}"[..],
        b"{\"auction\":1,\"other\":\"a\xc3\"}",
        b"\xfe\xff",
    ] {
        let (code, message) = reject(payload, json!({}));
        assert_eq!(code, "SW3104");
        assert!(message.starts_with("invalid UTF-8 at byte"), "{message}");
    }
}

#[test]
fn a_null_payload_is_a_row_of_nulls_where_that_is_allowed() {
    let required = bids();
    let mut decoder = decoder_with(&required, json!({}));
    let decoded = decoder.decode(&[None]).unwrap();
    assert_eq!(decoded.rejected[0].code, "SW3105");
    assert_eq!(decoded.records.num_rows(), 0);
    let nullable = one(DataType::Int64);
    let mut decoder = decoder_with(&nullable, json!({}));
    let decoded = decoder.decode(&[None, Some(b"{\"a\":1}")]).unwrap();
    assert!(decoded.rejected.is_empty() && decoded.rows.is_none());
    assert!(decoded.records.column(0).is_null(0) && decoded.records.column(0).is_valid(1));
}

#[test]
fn a_payload_above_the_limits_is_rejected() {
    let mut large = b"{\"auction\":1,\"other\":\"".to_vec();
    large.resize(10 << 20, b'x');
    large.extend_from_slice(b"\"}");
    let (code, message) = reject(&large, json!({}));
    assert_eq!(code, "SW3106");
    assert!(message.contains("10485762 bytes"), "{message}");

    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{\"auction\":1,\"other\":{open}{close}}}")
    };
    assert!(decode_all(&bids(), &[deep(127).as_bytes()]).rejected.is_empty());
    for levels in [128, 1_000_000] {
        let (code, message) = reject(deep(levels).as_bytes(), json!({}));
        assert_eq!(code, "SW3107");
        assert!(message.contains("deeper than 128 levels at byte"), "{message}");
    }
    let (code, _) = reject(deep(3).as_bytes(), json!({"max_depth": 3}));
    assert_eq!(code, "SW3107");
}

#[test]
fn the_last_of_several_fields_with_one_name_counts() {
    let payloads: &[&[u8]] = &[
        br#"{"auction":1,"auction":2,"price":"bad","price":3,"channel":"a","channel":"b"}"#,
        br#"{"auction":1,"tags":[1,"x"],"tags":[2,3],"user":{"age":-1},"user":{"age":5}}"#,
        br#"{"auction":1,"tags":[1],"tags":null,"user":{"age":1,"age":7}}"#,
    ];
    let decoded = decode_all(&bids(), payloads);
    assert_eq!(decoded.rejected, []);
    let plain: &[&[u8]] = &[
        br#"{"auction":2,"price":3,"channel":"b"}"#,
        br#"{"auction":1,"tags":[2,3],"user":{"age":5}}"#,
        br#"{"auction":1,"user":{"age":7}}"#,
    ];
    assert_eq!(decoded.records, decode_all(&bids(), plain).records);
}

#[test]
fn options_are_checked_when_the_node_is_planned() {
    let planned = decoder(serde_json::from_value(json!({"max_depth": 500})).unwrap(), Some(bids()));
    let error = planned.err().unwrap();
    assert_eq!(error.code, "SW3122");
    assert!(error.to_string().contains("max_depth: 500"), "{error}");
    let error = decoder(JsonOptions::default(), None).err().unwrap();
    assert_eq!(error.code, "SW3123");
    let error = decoder(JsonOptions::default(), Some(one(DataType::Float16)));
    assert_eq!(error.err().unwrap().code, "SW3124");
}
