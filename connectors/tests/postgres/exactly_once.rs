//! Epochs in a table: unseen until they are committed, then there once, whatever is killed.

use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::{Epoch, ErrorKind, ExactlyOnce, Result, Sink, Staged, Stream};

use crate::database::{Database, numbers, try_open};
use crate::sink::{epochs, rows, run_epochs, until_done, write};

type LastCommit = Option<(Epoch, Option<Staged>)>;

fn try_numbers(options: &Value, committed: LastCommit) -> Result<Box<dyn Sink>> {
    let schema = numbers(0..1).schema();
    try_open(options, &schema, Stream::append(), Some(ExactlyOnce { committed }))
}

fn open(options: &Value, committed: LastCommit) -> Box<dyn Sink> {
    try_numbers(options, committed).unwrap()
}

fn stage(sink: &mut dyn Sink, epoch: Epoch, range: std::ops::Range<i64>) -> Staged {
    let mut sequence = 0;
    for n in range.step_by(5) {
        write(sink, &mut sequence, &numbers(n..n + 5));
    }
    sink.stage(epoch).unwrap()
}

fn seen(database: &Database) -> i64 {
    let found =
        database.query("SELECT count(*), count(DISTINCT n), coalesce(max(n) + 1, 0) FROM $s.t");
    let parts: Vec<i64> = found[0].split('|').map(|n| n.parse().unwrap()).collect();
    assert!(parts[0] == parts[1] && parts[1] == parts[2], "{found:?}");
    parts[0]
}

#[test]
fn rows_are_seen_when_their_epoch_is_finalised_and_once() {
    let database = Database::new("epochs");
    database.run("CREATE TABLE $s.t (n bigint, text text)");
    let options = database.options("t", json!({}));
    let mut sink = open(&options, None);
    let first = stage(sink.as_mut(), 1, 0..50);
    assert_eq!(sink.stage(1).unwrap(), first, "asked again, it says the same");
    assert_eq!(seen(&database), 0);
    sink.finalise(1, &first).unwrap();
    sink.finalise(1, &first).unwrap();
    assert_eq!(seen(&database), 50);
    let empty = sink.stage(2).unwrap();
    sink.finalise(2, &empty).unwrap();
    let third = stage(sink.as_mut(), 3, 50..60);
    drop(sink);
    // The third epoch was committed, and the process died.
    let mut sink = open(&options, Some((3, Some(third.clone()))));
    assert_eq!(seen(&database), 60);
    stage(sink.as_mut(), 4, 60..90);
    drop(sink);
    // The fourth was not.
    let mut sink = open(&options, Some((3, Some(third))));
    assert_eq!(seen(&database), 60);
    let fourth = stage(sink.as_mut(), 4, 60..70);
    sink.finalise(4, &fourth).unwrap();
    assert_eq!(seen(&database), 70);
    let left = "SELECT sum(n_live_tup) FROM pg_stat_user_tables WHERE schemaname = '$s' AND relname LIKE 'swiftwater_staging%'";
    assert!(database.query(left).len() == 1);
}

#[test]
fn an_earlier_process_that_was_only_frozen_changes_nothing() {
    let database = Database::new("zombie");
    database.run("CREATE TABLE $s.t (n bigint, text text)");
    let options = database.options("t", json!({}));
    let mut frozen = open(&options, None);
    let first = stage(frozen.as_mut(), 1, 0..10);
    // It committed the epoch and froze; the next process finishes it and goes on.
    let mut next = open(&options, Some((1, Some(first.clone()))));
    assert_eq!(seen(&database), 10);
    let second = stage(next.as_mut(), 2, 10..20);
    until_done(|| frozen.finalise(1, &first));
    assert_eq!(seen(&database), 10);
    next.finalise(2, &second).unwrap();
    assert_eq!(seen(&database), 20);
    let mut sequence = 0;
    write(frozen.as_mut(), &mut sequence, &numbers(10..15));
    let error = frozen.stage(2).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2208"));
    let third = stage(next.as_mut(), 3, 20..30);
    next.finalise(3, &third).unwrap();
    assert_eq!(seen(&database), 30);
}

#[test]
fn tables_that_do_not_agree_with_the_snapshots_stop_the_start() {
    let database = Database::new("disagree");
    database.run("CREATE TABLE $s.t (n bigint, text text)");
    let options = database.options("t", json!({}));
    let mut sink = open(&options, None);
    let first = stage(sink.as_mut(), 7, 0..10);
    sink.finalise(7, &first).unwrap();
    drop(sink);
    let error = try_numbers(&options, None).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2208"));
    let cure = error.hint.unwrap().split(": ").last().unwrap().to_owned();
    assert!(cure.starts_with("DELETE FROM"), "{cure}");
    database.run(&cure);
    let mut sink = open(&options, None);
    let again = stage(sink.as_mut(), 1, 10..20);
    drop(sink);
    let staging = database.query("SELECT tablename FROM pg_tables WHERE schemaname = '$s' AND tablename LIKE 'swiftwater_staging%'");
    database.run(&format!("DELETE FROM $s.{} WHERE n = 15", staging[0]));
    let error = try_numbers(&options, Some((1, Some(again)))).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2207"), "{error}");
    let error = try_numbers(&options, Some((1, Some(json!({"files": []}))))).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2207"));
    assert_eq!(seen(&database), 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn the_table_is_what_the_committed_changes_say_whatever_dies(epochs in epochs()) {
        let database = Database::new("model");
        let options = database.options("t", json!({"key": ["k"], "create": true}));
        let columns = json!({"_op": "utf8!", "k": "int64!", "v": "int64"});
        let schema = rows(columns.clone(), json!([])).schema();
        let stream = || Stream::append().upserting(vec!["k".into()]);
        let open = |committed| {
            try_open(&options, &schema, stream(), Some(ExactlyOnce { committed })).unwrap()
        };
        run_epochs(epochs, &columns, |epoch| epoch * 1000, open, |model| {
            let found = database.query("SELECT k, v FROM $s.t ORDER BY k");
            let expected: Vec<String> = model.iter().map(|(k, v)| format!("{k}|{v}")).collect();
            prop_assert_eq!(found, expected);
            Ok(())
        })?;
    }
}
