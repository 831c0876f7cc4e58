//! A bad payload costs one record, whatever it says about itself.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

fn options() -> Value {
    proto(
        "int64 a = 1; optional string s = 2; M m = 3; repeated fixed32 r = 4; map<int32, M> k = 5;",
    )
}

fn target() -> SchemaRef {
    columns(json!({"a": "int16!", "s": "utf8", "m": {"s": "utf8"}, "r": "list<uint32>"}))
}

const GOOD: &[u8] = &[8, 7, 18, 2, b'h', b'i', 26, 3, 18, 1, b'x', 34, 4, 1, 0, 0, 0, 42, 2, 8, 1];

fn reject(payload: &[u8]) -> (String, String) {
    let mut decoder = reader_for(options(), Some(target()));
    let decoded = decoder.decode(&[Some(GOOD), Some(payload), Some(GOOD)]).unwrap();
    assert_eq!(decoded.rejected.len(), 1, "{payload:?} was not rejected");
    assert_eq!(decoded.rows, Some(vec![0, 2]));
    let clean = decoder.decode(&[Some(GOOD), Some(GOOD)]).unwrap();
    assert_eq!(decoded.records, clean.records, "the bad record left a trace");
    (decoded.rejected[0].code.to_owned(), decoded.rejected[0].message.clone())
}

#[test]
fn each_bad_value_has_its_reason() {
    let row = read(options(), Some(target()), GOOD);
    assert_eq!(row.unwrap(), r#"{"a":7,"s":"hi","m":{"s":"x"},"r":[1]}"#);
    let groups = [[0x0b_u8; 200], [0x0c; 200]].concat();
    let cases: Vec<(&[u8], &str, &str)> = vec![
        (&[8], "SW3111", "ends within a number"),
        (&[8, 0x80], "SW3111", "ends within a number"),
        (&[18, 9, b'x'], "SW3111", "ends within a field of bytes"),
        (&[13, 1, 2], "SW3111", "ends within a fixed number"),
        (&[0x3b, 8, 1], "SW3111", "ends within a number"),
        (&[26, 2, 18, 9], "SW3111", "ends within a field of bytes"),
        (&[34, 3, 1, 0, 0], "SW3111", "ends within a fixed number"),
        (&[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], "SW3114", "more than 64 bits"),
        (&[0, 1], "SW3114", "the field number 0"),
        (&[14], "SW3114", "the wire type 6"),
        (&[0x0c], "SW3114", "the end of group 1, which was not begun"),
        (&groups, "SW3107", "groups nested deeper than 100 levels"),
        (&[8, 0x80, 0x80, 4], "SW3102", "column `a`: expected int16, found 65536"),
        (&[18, 1, 0xFF], "SW3104", "column `s`: invalid UTF-8 at byte 0"),
        (&[26, 3, 18, 1, 0xFF], "SW3104", "column `m.s`: invalid UTF-8"),
    ];
    for (payload, expected, text) in cases {
        let (code, message) = reject(payload);
        assert_eq!(code, expected, "{payload:?}: {message}");
        assert!(message.contains(text), "{message}");
    }
    let required = json!({"schema": "message M { optional int64 a = 1; }"});
    let (code, message) = read(required, Some(columns(json!({"a": "int64!"}))), b"").unwrap_err();
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("SW3103", "column `a`: required int64 is missing or null")
    );
    let mut limits = options();
    limits["max_bytes"] = json!("4B");
    assert_eq!(read(limits, Some(target()), GOOD).unwrap_err().0, "SW3106");
    let mut reader = reader_for(options(), Some(target()));
    assert_eq!(reader.decode(&[None]).unwrap().rejected[0].code, "SW3105");
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(5_000) })]

    #[test]
    fn any_bytes_leave_the_decoder_in_order(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..5),
    ) {
        let mut bad = GOOD.to_vec();
        for (place, value, edit) in edits {
            let at = place.index(bad.len());
            match edit {
                0 => bad[at] = value,
                1 => bad.insert(at, value),
                _ if bad.len() > 1 => drop(bad.remove(at)),
                _ => {}
            }
        }
        let mut decoder = reader_for(options(), Some(target()));
        let decoded = decoder.decode(&[Some(GOOD), Some(&bad), Some(GOOD)]).unwrap();
        let last = decoded.records.num_rows() - 1;
        prop_assert_eq!(decoded.records.slice(0, 1), decoded.records.slice(last, 1));
        prop_assert_eq!(last + 1 + decoded.rejected.len(), 3);
    }
}
