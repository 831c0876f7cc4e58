//! Epochs in Redis: each is seen once, whatever dies.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::{Epoch, ErrorKind, ExactlyOnce, Result, Sink, Staged, Stream};

use crate::sink::{epochs, rows, run_epochs, write};
use crate::store::*;

type LastCommit = Option<(Epoch, Option<Staged>)>;

fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    let all: Vec<Value> = range.map(|n| json!({"k": n % 10, "v": n})).collect();
    rows(json!({"k": "int64", "v": "int64"}), all.into())
}

fn try_numbers(options: &Value, committed: LastCommit) -> Result<Box<dyn Sink>> {
    try_open(options, &numbers(0..0), Stream::append(), Some(ExactlyOnce { committed }))
}

fn stage(sink: &mut dyn Sink, epoch: Epoch, range: std::ops::Range<i64>) -> Staged {
    write(sink, &mut 0, &numbers(range));
    sink.stage(epoch).unwrap()
}

#[test]
fn epochs_are_seen_once_committed_and_an_old_one_never_overwrites_a_new_one() {
    let store = Store::new("epochs");
    let options = store.options("{k}", json!({}));
    let value = |k: i64| store.hash(&k.to_string()).get("v").cloned();
    let mut frozen = try_numbers(&options, None).unwrap();
    let first = stage(frozen.as_mut(), 1, 0..10);
    assert_eq!(frozen.stage(1).unwrap(), first, "asked again, it says the same");
    assert_eq!(value(3), None);
    // The first epoch was committed, and the process froze: the next one finishes it.
    let mut next = try_numbers(&options, Some((1, Some(first.clone())))).unwrap();
    assert_eq!(value(3).unwrap(), "3");
    let second = stage(next.as_mut(), 2, 10..20);
    assert_eq!(value(3).unwrap(), "3");
    next.finalise(2, &second).unwrap();
    next.finalise(2, &second).unwrap();
    frozen.finalise(1, &first).unwrap();
    assert_eq!(value(3).unwrap(), "13");
    drop(next);
    // The third was staged and never committed.
    let mut third = try_numbers(&options, Some((2, Some(second.clone())))).unwrap();
    stage(third.as_mut(), 3, 20..30);
    drop(third);
    let mut last = try_numbers(&options, Some((2, Some(second)))).unwrap();
    let own: Vec<String> = store.ask("KEYS sw:{$p:{k}:node}:*");
    assert_eq!(own.len(), 1, "only the fence is left: {own:?}");
    let empty = last.stage(3).unwrap();
    last.finalise(3, &empty).unwrap();
    assert_eq!(value(3).unwrap(), "13");
}

#[test]
fn what_redis_lost_stops_the_topology_with_the_cure() {
    let store = Store::new("lost");
    let options = store.options("{k}", json!({}));
    let mut sink = try_numbers(&options, None).unwrap();
    let first = stage(sink.as_mut(), 5, 0..10);
    let staged: Vec<String> = store.ask("KEYS sw:{$p:{k}:node}:staged:*");
    redis::cmd("DEL").arg(staged).exec(&mut store.connection.lock().unwrap()).unwrap();
    let error = try_numbers(&options, Some((5, Some(first.clone())))).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2217"));
    let cure = error.hint.unwrap().split("without them: ").last().unwrap().to_owned();
    store.ask::<()>(&cure);
    drop(try_numbers(&options, Some((5, Some(first)))).unwrap());
    let error = try_numbers(&options, None).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2218"));
    store.ask::<()>(error.hint.unwrap().split("anew: ").last().unwrap());
    drop(try_numbers(&options, None).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn redis_holds_what_the_committed_changes_say_whatever_dies(epochs in epochs()) {
        let store = Store::new("model");
        let options = store.options("{k}", json!({}));
        let columns = json!({"_op": "utf8!", "k": "int64", "v": "int64"});
        let none = rows(columns.clone(), json!([]));
        let stream = || Stream::append().upserting(vec!["k".into()]);
        let open = |committed| {
            try_open(&options, &none, stream(), Some(ExactlyOnce { committed })).unwrap()
        };
        run_epochs(epochs, &columns, |_| 0, open, |model| {
            let found: BTreeMap<i64, i64> = (0..8)
                .filter_map(|k| Some((k, store.hash(&k.to_string()).get("v")?.parse().unwrap())))
                .collect();
            prop_assert_eq!(&found, model);
            Ok(())
        })?;
    }
}
