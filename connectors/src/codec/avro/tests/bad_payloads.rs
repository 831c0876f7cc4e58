//! A bad payload costs one record, whatever it says about itself.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

fn schema() -> Value {
    json!({"type": "record", "name": "r", "fields": [
        {"name": "n", "type": ["null", "long"]},
        {"name": "s", "type": "string"},
        {"name": "small", "type": "int"},
        {"name": "flag", "type": "boolean"},
        {"name": "color", "type": {"type": "enum", "name": "color", "symbols": ["red", "blue"]}},
        {"name": "list", "type": {"type": "array", "items": "null"}},
        {"name": "map", "type": {"type": "map", "values": "int"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}},
        {"name": "skipped", "type": {"type": "array", "items": "string"}},
    ]})
}

fn target() -> SchemaRef {
    columns(json!({"n": "uint8!", "s": "utf8", "small": "int8", "flag": "bool", "color": "utf8",
        "amount": "decimal(10,2)"}))
}

/// A good payload: each field's bytes.
fn good() -> Vec<Vec<u8>> {
    vec![
        vec![2, 14],
        vec![4, b'h', b'i'],
        vec![20],
        vec![1],
        vec![2],
        vec![6, 0],
        vec![2, 2, b'k', 4, 0],
        vec![4, 0x04, 0xD2],
        vec![1, 6, 4, b'a', b'b', 0],
    ]
}

fn reject(payload: &[u8]) -> (String, String) {
    let mut decoder = reader_for(json!({ "schema": schema() }), Some(target()));
    let good = good().concat();
    let decoded = decoder.decode(&[Some(&good), Some(payload), Some(&good)]).unwrap();
    assert_eq!(decoded.rejected.len(), 1, "{payload:?} was not rejected");
    assert_eq!(decoded.rows, Some(vec![0, 2]));
    let clean = decoder.decode(&[Some(&good), Some(&good)]).unwrap();
    assert_eq!(decoded.records, clean.records, "the bad record left a trace");
    (decoded.rejected[0].code.to_owned(), decoded.rejected[0].message.clone())
}

#[test]
fn the_good_payload_is_good() {
    let row = read(json!({ "schema": schema() }), Some(target()), &good().concat());
    assert_eq!(
        row.unwrap(),
        r#"{"n":7,"s":"hi","small":10,"flag":true,"color":"blue","amount":12.34}"#
    );
}

#[test]
fn each_bad_value_has_its_reason() {
    let with = |field: usize, bytes: &[u8]| {
        let mut fields = good();
        fields[field] = bytes.to_vec();
        reject(&fields.concat())
    };
    let huge = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    let cases: Vec<((String, String), &str, &str)> = vec![
        (reject(b""), "SW3111", "ends within a number"),
        (reject(&good().concat()[..4]), "SW3111", "ends within bytes or a string"),
        (reject(&[good().concat(), vec![9]].concat()), "SW3112", "1 of 25 bytes are left over"),
        (with(0, &[0]), "SW3103", "column `n`: required uint8 is missing or null"),
        (with(0, &[4]), "SW3114", "union branch 2 of 2"),
        (with(0, &[1]), "SW3114", "union branch -1 of 2"),
        (with(0, &[2, 0x80, 4]), "SW3102", "column `n`: expected uint8, found 256"),
        (with(0, &[&[2][..], &huge[..9], &[0x7F]].concat()), "SW3114", "more than 64 bits"),
        (with(1, &[3]), "SW3114", "the length -2"),
        (with(1, &huge), "SW3114", "the length -9223372036854775808"),
        (with(1, &[4, 0xFF, 0xFE]), "SW3104", "invalid UTF-8 at byte 3"),
        (with(2, &huge), "SW3114", "more than 32 bits"),
        (with(3, &[2]), "SW3114", "neither 0 nor 1"),
        (with(4, &[4]), "SW3114", "enum symbol 2 of 2"),
        (with(5, &[&huge[..9], &[0, 0][..]].concat()), "SW3114", "a block of"),
        (with(6, &[2, 2, 0xFF, 4, 0]), "SW3104", "invalid UTF-8"),
        (with(7, &[2 * 17]), "SW3111", "ends within"),
        (with(7, &[&[34][..], &[1; 17]].concat()), "SW3114", "more than 38 digits"),
        (
            with(7, &[&[32][..], &[1; 16]].concat()),
            "SW3102",
            "column `amount`: expected decimal(10,2)",
        ),
        (with(8, &[1, 5, 4, b'a', b'b', 0]), "SW3114", "a block of negative size"),
    ];
    for ((code, message), expected, text) in cases {
        assert_eq!(code, expected, "{message}");
        assert!(message.contains(text), "{message}");
    }
}

/// Items without bytes of their own make no millions of values, and a chain of records no deep
/// recursion.
#[test]
fn little_payloads_stay_little() {
    let list = json!({"type": "record", "name": "r", "fields": [
        {"name": "list", "type": {"type": "array", "items": {"type": "record", "name": "e", "fields": []}}}]});
    let block = [0x80, 0x80, 0x40]; // 524 288 items
    let payload = [block.repeat(8), vec![0]].concat();
    let (code, _) = read(json!({ "schema": list }), Some(columns(json!({"x": "int64"}))), &payload)
        .unwrap_err();
    assert_eq!(code, "SW3114");
    let chain =
        json!({"type": "record", "name": "r", "fields": [{"name": "next", "type": ["null", "r"]}]});
    let payload = vec![2; 1 << 20];
    let (code, _) =
        read(json!({ "schema": chain }), Some(columns(json!({"x": "int64"}))), &payload)
            .unwrap_err();
    assert_eq!(code, "SW3107");
    let with = json!({ "schema": test_record(), "max_bytes": "4B" });
    let (code, _) = read(with, None, &[0x36, 0x06, 0x66, 0x6f, 0x6f]).unwrap_err();
    assert_eq!(code, "SW3106");
}

#[test]
fn a_null_payload_is_a_row_of_nulls_where_that_is_allowed() {
    let mut required = reader_for(json!({ "schema": test_record() }), None);
    assert_eq!(required.decode(&[None]).unwrap().rejected[0].code, "SW3105");
    let mut nullable =
        reader_for(json!({ "schema": test_record() }), Some(columns(json!({"a": "int64"}))));
    assert_eq!(json_rows(&nullable.decode(&[None]).unwrap().records), [r#"{"a":null}"#]);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(5_000) })]

    #[test]
    fn any_bytes_leave_the_decoder_in_order(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..5),
    ) {
        let good = good().concat();
        let mut bad = good.clone();
        for (place, value, edit) in edits {
            let at = place.index(bad.len());
            match edit {
                0 => bad[at] = value,
                1 => bad.insert(at, value),
                _ if bad.len() > 1 => drop(bad.remove(at)),
                _ => {}
            }
        }
        let mut decoder = reader_for(json!({ "schema": schema() }), Some(target()));
        let decoded = decoder.decode(&[Some(&good), Some(&bad), Some(&good)]).unwrap();
        let last = decoded.records.num_rows() - 1;
        prop_assert_eq!(decoded.records.slice(0, 1), decoded.records.slice(last, 1));
        prop_assert_eq!(last + 1 + decoded.rejected.len(), 3);
    }
}
