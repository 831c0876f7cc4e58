//! What rows look like in the table: every type, upserts, deletes, and rows that it refuses.

use serde_json::{Value, json};
use swiftwater_engine::{ErrorKind, Stream};

use crate::database::{Database, numbers, open, plan, try_open};
use crate::sink::{rows, write};

const TYPES: &str = r#"{"b": "bool", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "f32": "float32", "f64": "float64",
    "s": "utf8", "bin": "binary", "d": "date", "ts": "timestamp_s", "tms": "timestamp_ms",
    "tus": "timestamp_us", "dec": "decimal(20,4)", "l": "list<utf8>", "st": {"x": "int64", "y": "utf8"}}"#;

fn every_type() -> (Value, Value) {
    let full = json!({
        "b": true, "i8": -128, "i16": -32768, "i32": -2147483648, "i64": i64::MIN, "u8": 255,
        "u16": 65535, "u32": 4294967295_u32, "u64": u64::MAX, "f32": 1.5, "f64": -0.1,
        "s": "Grüße, \"Welt\"\n\t\\.", "bin": "0001ff", "d": "1969-12-31", "ts": "1969-12-31T23:59:59Z",
        "tms": "2026-11-23T10:15:30.123Z", "tus": "2026-11-23T10:15:30.123456Z",
        "dec": "-1234567890123456.7891", "l": ["a", null], "st": {"x": 1, "y": null}
    });
    let zero = json!({
        "b": false, "i8": 0, "i16": 0, "i32": 0, "i64": 0, "u8": 0, "u16": 0, "u32": 0, "u64": 0,
        "f32": 0.0, "f64": 0.0, "s": "", "bin": "", "d": "2000-01-01", "ts": "2000-01-01T00:00:00Z",
        "tms": "0099-01-01T00:00:00Z", "tus": "2261-12-31T00:00:00Z", "dec": "0.0500", "l": [], "st": {"x": null, "y": ""}
    });
    (serde_json::from_str(TYPES).unwrap(), json!([full, zero, {}]))
}

#[test]
fn every_type_arrives_as_it_was_in_a_table_that_the_sink_made() {
    let database = Database::new("types");
    let (columns, values) = every_type();
    let records = rows(columns, values);
    let mut sink = open(&database.options("t", json!({"create": true})), &records.schema());
    assert!(write(sink.as_mut(), &mut 0, &records).is_empty());
    database.run("SET timezone = 'UTC'; SET bytea_output = 'hex'");
    let found = database.query("SELECT * FROM $s.t");
    let full = "t|-128|-32768|-2147483648|-9223372036854775808|255|65535|4294967295|18446744073709551615|1.5|-0.1|\
        Grüße, \"Welt\"\n\t\\.|\\x0001ff|1969-12-31|1969-12-31 23:59:59+00|2026-11-23 10:15:30.123+00|\
        2026-11-23 10:15:30.123456+00|-1234567890123456.7891|[\"a\", null]|{\"x\": 1, \"y\": null}";
    let zero = "f|0|0|0|0|0|0|0|0|0|0||\\x|2000-01-01|2000-01-01 00:00:00+00|0099-01-01 00:00:00+00|\
        2261-12-31 00:00:00+00|0.0500|[]|{\"x\": null, \"y\": \"\"}";
    assert_eq!(found, [full.to_owned(), zero.to_owned(), ["~"; 20].join("|")]);
    let types = database.query(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '$s.t'::regclass AND attnum > 0 ORDER BY attnum",
    );
    assert_eq!(types[7..9], ["bigint", "numeric(20,0)"]);
    assert_eq!(types[17], "numeric(20,4)");
}

#[test]
fn rows_fit_into_a_table_of_other_types_where_values_do() {
    let database = Database::new("others");
    database.run(
        "CREATE TYPE $s.mood AS ENUM ('glad', 'sad'); CREATE DOMAIN $s.positive AS int CHECK (VALUE > 0);
         CREATE TABLE $s.\"T one\" (id serial PRIMARY KEY, a smallint, b numeric, c varchar(5), d uuid, e json, f jsonb,
         g $s.mood, h $s.positive, i real, j timestamp, more text DEFAULT 'there')",
    );
    let columns = json!({"a": "int64", "b": "decimal(9,3)", "c": "utf8", "d": "utf8", "e": "utf8", "f": "utf8",
        "g": "utf8", "h": "int64", "i": "float64", "j": "timestamp_ms"});
    let good = json!({"a": 7, "b": "1.250", "c": "abcde", "d": "00112233-4455-6677-8899-AABBCCDDEEFF",
        "e": "{\"k\": [1]}", "f": "[1, 2]", "g": "sad", "h": 1, "i": 0.25, "j": "2026-01-01T00:00:00Z"});
    let with = |name: &str, value: Value| {
        let mut row = good.clone();
        row[name] = value;
        row
    };
    let bad = [
        ("a", json!(40_000)),
        ("c", json!("abcdef")),
        ("d", json!("no uuid")),
        ("e", json!("{")),
        ("f", json!("nonsense")),
        ("g", json!("angry")),
        ("h", json!(0)),
        ("i", json!(1e300)),
        ("c", json!("a\u{0}b")),
    ];
    let mut all = vec![good.clone()];
    for (name, value) in &bad {
        all.push(with(name, value.clone()));
        all.push(good.clone());
    }
    let records = rows(columns, all.into());
    for key in [json!([]), json!(["d"])] {
        if key != json!([]) {
            database.run("TRUNCATE $s.\"T one\"; CREATE UNIQUE INDEX ON $s.\"T one\" (d)");
        }
        let options = database.options("T one", json!({"key": key}));
        let mut sink = open(&options, &records.schema());
        let refused = write(sink.as_mut(), &mut 0, &records);
        assert_eq!(refused.len(), bad.len(), "{refused:?}");
        for error in &refused {
            assert_eq!(error.code, "SW2206", "{error}");
        }
        assert!(
            refused[0].message.contains("40000") && refused[0].message.contains("`a`"),
            "{}",
            refused[0]
        );
        let expected = if key == json!([]) { 10 } else { 1 };
        assert_eq!(database.number("SELECT count(*) FROM $s.\"T one\""), expected);
        let row =
            database.query("SELECT a, b, c, d, e, f, g, h, i, j, more FROM $s.\"T one\" LIMIT 1");
        assert_eq!(
            row[0],
            "7|1.250|abcde|00112233-4455-6677-8899-aabbccddeeff|{\"k\": [1]}|[1, 2]|sad|1|0.25|2026-01-01 00:00:00|there"
        );
    }
}

#[test]
fn constraints_set_a_row_aside_and_no_other() {
    let database = Database::new("constraints");
    database.run(
        "CREATE TABLE $s.parent (id bigint PRIMARY KEY); INSERT INTO $s.parent VALUES (1);
         CREATE TABLE $s.t (n bigint PRIMARY KEY, parent bigint REFERENCES $s.parent, must text NOT NULL, CHECK (n < 100))",
    );
    let columns = json!({"n": "int64", "parent": "int64", "must": "utf8"});
    let row = |n: Option<i64>, parent: i64, must: Option<&str>| json!({"n": n, "parent": parent, "must": must});
    let some = Some("x");
    let records = rows(
        columns,
        json!([
            row(Some(1), 1, some),
            row(Some(2), 9, some),
            row(Some(3), 1, None),
            row(Some(1), 1, some),
            row(Some(100), 1, some),
            row(None, 1, some),
            row(Some(4), 1, some)
        ]),
    );
    let mut sink = open(&database.options("t", json!({})), &records.schema());
    let refused = write(sink.as_mut(), &mut 0, &records);
    assert_eq!(database.query("SELECT n FROM $s.t ORDER BY n"), ["1", "4"]);
    let states = ["23503", "23502", "23505", "23514", "23502"];
    assert_eq!(refused.len(), states.len());
    for (error, state) in refused.iter().zip(states) {
        assert!(error.message.contains(state), "{error} has no {state}");
    }
}

#[test]
fn the_last_row_of_a_key_wins() {
    let database = Database::new("upsert");
    let columns = json!({"k": "utf8!", "part": "int64!", "v": "int64"});
    let options = database.options("t", json!({"key": ["part", "k"], "create": true}));
    let of = |values: &[(&str, i64, i64)]| {
        let all: Vec<Value> =
            values.iter().map(|(k, p, v)| json!({"k": k, "part": p, "v": v})).collect();
        rows(columns.clone(), all.into())
    };
    let first = of(&[("a", 1, 10), ("b", 1, 20), ("a", 1, 11), ("a", 2, 30), ("a", 1, 12)]);
    let mut sink = open(&options, &first.schema());
    let mut sequence = 0;
    write(sink.as_mut(), &mut sequence, &first);
    write(sink.as_mut(), &mut sequence, &of(&[("b", 1, 21), ("c", 1, 40)]));
    // Written again, as after a lost answer, it comes out the same.
    write(sink.as_mut(), &mut sequence, &of(&[("b", 1, 21), ("c", 1, 40)]));
    let found = database.query("SELECT * FROM $s.t ORDER BY k, part");
    assert_eq!(found, ["a|1|12", "a|2|30", "b|1|21", "c|1|40"]);
    let keys_only = rows(json!({"k": "utf8!"}), json!([{"k": "x"}, {"k": "x"}]));
    let options = database.options("keys", json!({"key": ["k"], "create": true}));
    let mut sink = open(&options, &keys_only.schema());
    write(sink.as_mut(), &mut 0, &keys_only);
    write(sink.as_mut(), &mut 1, &keys_only);
    assert_eq!(database.query("SELECT * FROM $s.keys"), ["x"]);
}

#[test]
fn rows_of_an_upsert_stream_delete() {
    let database = Database::new("deletes");
    let columns = json!({"_op": "utf8!", "k": "int64", "v": "utf8"});
    let of = |ops: &[(&str, i64)]| {
        let all: Vec<Value> = ops
            .iter()
            .map(|(op, k)| json!({"_op": op, "k": k, "v": format!("{op} {k}")}))
            .collect();
        rows(columns.clone(), all.into())
    };
    let first = of(&[("insert", 1), ("insert", 2), ("update", 1), ("insert", 3), ("delete", 3)]);
    let stream = || Stream::append().upserting(vec!["k".into()]);
    let options = database.options("t", json!({"key": ["k"], "create": true}));
    assert!(plan(&options, &first.schema(), stream()).unwrap().takes_upserts);
    let mut sink = try_open(&options, &first.schema(), stream(), None).unwrap();
    let mut sequence = 0;
    write(sink.as_mut(), &mut sequence, &first);
    assert_eq!(database.query("SELECT * FROM $s.t ORDER BY k"), ["1|update 1", "2|insert 2"]);
    write(
        sink.as_mut(),
        &mut sequence,
        &of(&[("delete", 1), ("insert", 1), ("delete", 2), ("delete", 9)]),
    );
    assert_eq!(database.query("SELECT * FROM $s.t ORDER BY k"), ["1|insert 1"]);
    for key in [json!([]), json!(["v"]), json!(["k", "v"])] {
        let options = database.options("t", json!({"key": key}));
        let error = plan(&options, &first.schema(), stream()).err().unwrap();
        assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2202"), "{error}");
    }
}

#[test]
fn a_table_that_does_not_fit_is_told_with_everything_that_does_not() {
    let database = Database::new("misfits");
    database.run(
        "CREATE TABLE $s.t (n text, g bigint GENERATED ALWAYS AS (1) STORED, must int NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY)",
    );
    let told = |table: &str, options: Value, columns: Value| {
        let schema = rows(columns, json!([])).schema();
        try_open(&database.options(table, options), &schema, Stream::append(), None).err().unwrap()
    };
    let error = told("t", json!({}), json!({"n": "int64", "g": "int64", "gone": "utf8"}));
    assert_eq!((error.kind, error.code), (ErrorKind::Config, "SW2204"));
    for part in [
        "`gone`",
        "`n` is text, which does not take int64",
        "`g` is generated",
        "`must` is required",
    ] {
        assert!(error.message.contains(part), "{error} lacks {part}");
    }
    let error = told("nowhere", json!({}), json!({"n": "int64"}));
    assert!(error.code == "SW2204" && error.hint.unwrap().contains("create: true"));
    let schema = numbers(0..1).schema();
    database.run("CREATE TABLE $s.keyless (n bigint, text text); CREATE UNIQUE INDEX ON $s.keyless (n) WHERE n > 5");
    let options = database.options("keyless", json!({"key": ["n"]}));
    let error = try_open(&options, &schema, Stream::append(), None).err().unwrap();
    assert!(error.code == "SW2204" && error.hint.unwrap().contains("CREATE UNIQUE INDEX"));
}
