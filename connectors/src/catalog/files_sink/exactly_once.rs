//! Files that appear with their epoch: not before it is committed, then all of them, and once.

use std::path::Path;
use std::process::Command;
use std::time::Duration as Wait;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use proptest::prelude::*;
use serde_json::{Value, json};
use swiftwater_engine::{Clock, Epoch, ErrorKind, ExactlyOnce, Staged};

use super::tests::{FLUSH, batch, files, is_visible, numbers, read, sink_node};
use super::*;
use crate::test_node::try_open_sink;

type LastCommit = Option<(Epoch, Option<Staged>)>;

fn try_open(directory: &Path, options: Value, committed: LastCommit) -> Result<Box<dyn Sink>> {
    let node = sink_node(directory, options, "json");
    let exactly_once = Some(ExactlyOnce { committed });
    let schema = numbers(0..1).schema();
    try_open_sink::<FilesSinkOptions>(&node, schema, 64 << 20, &Clock::system(), exactly_once)
}

fn open(directory: &Path, options: Value, committed: LastCommit) -> Box<dyn Sink> {
    try_open(directory, options, committed).unwrap()
}

/// Takes `rows` and stages them, as the engine does.
fn stage(sink: &mut dyn Sink, epoch: Epoch, rows: std::ops::Range<i64>) -> Staged {
    sink.write(epoch, &batch(numbers(rows))).unwrap();
    sink.barrier(FLUSH).unwrap();
    assert_eq!(sink.acknowledged(Wait::ZERO).unwrap(), epoch, "the engine stages what is taken");
    sink.stage(epoch).unwrap()
}

fn seen(directory: &Path) -> Vec<i64> {
    if !files(directory).iter().any(|f| is_visible(f) && !f.starts_with('_')) {
        return Vec::new();
    }
    let rows = read(directory, "json", Some(&numbers(0..1).schema()), 1000);
    let mut n = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
    n.sort_unstable();
    n
}

fn all(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

#[test]
fn files_are_seen_when_their_epoch_is_finalised_and_however_often_that_is() {
    let dir = tempfile::tempdir().unwrap();
    let options = json!({"roll": {"bytes": "2KiB"}, "compression": "none"});
    let mut sink = open(dir.path(), options, None);
    for (sequence, from) in (1..).zip((0..400).step_by(50)) {
        sink.write(sequence, &batch(numbers(from..from + 50))).unwrap();
    }
    let staged = sink.stage(1).unwrap();
    assert_eq!(sink.stage(1).unwrap(), staged, "asked again, it says the same");
    assert!(staged["files"].as_array().unwrap().len() > 3, "files roll within an epoch");
    assert_eq!(seen(dir.path()), all(0..0));
    sink.finalise(1, &staged).unwrap();
    sink.finalise(1, &staged).unwrap();
    assert_eq!(seen(dir.path()), all(0..400));
    let empty = sink.stage(2).unwrap();
    assert_eq!(empty["files"], json!([]));
    sink.finalise(2, &empty).unwrap();
    let staged = stage(sink.as_mut(), 3, 400..410);
    assert_eq!(seen(dir.path()), all(0..400));
    sink.finalise(3, &staged).unwrap();
    sink.close().unwrap();
    drop(sink);
    assert_eq!(seen(dir.path()), all(0..410));
}

#[test]
fn a_restart_finishes_the_committed_epoch_and_forgets_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let options = || json!({"compression": "none"});
    let mut sink = open(dir.path(), options(), None);
    let first = stage(sink.as_mut(), 1, 0..10);
    drop(sink);
    // It was committed, and nobody finalised it.
    let mut sink = open(dir.path(), options(), Some((1, Some(first.clone()))));
    assert_eq!(seen(dir.path()), all(0..10));
    let second = stage(sink.as_mut(), 2, 10..20);
    drop(sink);
    // The second epoch was not committed: its rows come again.
    let mut sink = open(dir.path(), options(), Some((1, Some(first))));
    assert_eq!(seen(dir.path()), all(0..10));
    assert!(sink.finalise(2, &second).is_err_and(|e| e.code == "SW2028"));
    let again = stage(sink.as_mut(), 2, 10..25);
    sink.finalise(2, &again).unwrap();
    assert_eq!(seen(dir.path()), all(0..25));
    drop(sink);
    drop(open(dir.path(), options(), Some((2, Some(again)))));
    assert_eq!(seen(dir.path()), all(0..25));
    let left = files(dir.path()).into_iter().filter(|f| !is_visible(f)).count();
    assert_eq!(left, 0, "what was in the making is swept");
}

#[test]
fn files_that_their_readers_took_away_are_not_missed_and_files_that_never_appeared_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = open(dir.path(), json!({}), None);
    let staged = stage(sink.as_mut(), 7, 0..10);
    sink.finalise(7, &staged).unwrap();
    drop(sink);
    let written = files(dir.path()).into_iter().find(|f| f.ends_with(".json")).unwrap();
    std::fs::remove_file(dir.path().join(written)).unwrap();
    let mut sink = open(dir.path(), json!({}), Some((7, Some(staged))));
    // Epochs may be counted from 1 again: a number alone says nothing.
    let staged = stage(sink.as_mut(), 7, 10..20);
    drop(sink);
    let hidden = files(dir.path()).into_iter().find(|f| !is_visible(f)).unwrap();
    std::fs::remove_file(dir.path().join(hidden)).unwrap();
    let committed = Some((7, Some(staged.clone())));
    let error = try_open(dir.path(), json!({}), committed.clone()).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2028"));
    // The message says how to go on without them.
    let id = staged["id"].as_str().unwrap();
    let hint = error.hint.unwrap();
    let note = dir.path().join("_swiftwater/test-node.finalised");
    assert!(hint.contains(id) && hint.contains(note.to_str().unwrap()), "{hint}");
    std::fs::write(note, id).unwrap();
    open(dir.path(), json!({}), committed);
}

#[test]
fn what_another_kind_staged_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = try_open(dir.path(), json!({}), Some((1, Some(json!({"rows": 3}))))).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2028"));
}

/// Where the child process of the crash test writes.
const CRASH: &str = "SWIFTWATER_CRASH_DIRECTORY";

#[test]
#[ignore = "the child process of the crash test, which dies"]
fn crash_child() {
    let Ok(directory) = std::env::var(CRASH) else { return };
    let mut sink = open(Path::new(&directory), json!({}), None);
    let staged = stage(sink.as_mut(), 1, 0..5000);
    std::fs::write(Path::new(&directory).join("_staged"), staged.to_string()).unwrap();
    sink.write(2, &batch(numbers(5000..5010))).unwrap();
    std::process::abort();
}

#[test]
fn a_process_that_dies_between_stage_and_finalise_loses_and_doubles_nothing() {
    for committed in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let child = "catalog::files_sink::exactly_once::crash_child";
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--ignored", "--exact", child]).env(CRASH, dir.path());
        assert!(!test.output().unwrap().status.success());
        assert_eq!(seen(dir.path()), all(0..0));
        let staged = std::fs::read_to_string(dir.path().join("_staged")).unwrap();
        let staged: Staged = serde_json::from_str(&staged).unwrap();
        let last = committed.then_some((1, Some(staged)));
        drop(open(dir.path(), json!({}), last));
        let expected = if committed { all(0..5000) } else { Vec::new() };
        assert_eq!(seen(dir.path()), expected);
        assert!(files(dir.path()).iter().all(|f| is_visible(f)));
    }
}

/// When a process dies in an epoch.
#[derive(Debug, Clone, Copy)]
enum Death {
    BeforeStage,
    BeforeCommit,
    BeforeFinalise,
    Not,
}

fn deaths() -> impl Strategy<Value = Vec<(i64, Death)>> {
    let death = prop::sample::select(vec![
        Death::BeforeStage,
        Death::BeforeCommit,
        Death::BeforeFinalise,
        Death::Not,
        Death::Not,
    ]);
    prop::collection::vec((0_i64..30, death), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn readers_see_the_committed_rows_whatever_dies(epochs in deaths(), roll in 1_u64..2000) {
        let dir = tempfile::tempdir().unwrap();
        let options = || json!({"roll": {"bytes": format!("{roll}B")}, "compression": "none"});
        let mut sink = open(dir.path(), options(), None);
        let (mut at, mut epoch, mut committed, mut sequence) = (0, 0, None, 0);
        for (rows, death) in epochs {
            epoch += 1;
            for from in at..at + rows {
                sequence += 1;
                sink.write(sequence, &batch(numbers(from..from + 1))).unwrap();
            }
            let dies = !matches!(death, Death::Not);
            if !matches!(death, Death::BeforeStage) {
                let staged = sink.stage(epoch).unwrap();
                if !matches!(death, Death::BeforeCommit) {
                    at += rows;
                    committed = Some((epoch, Some(staged.clone())));
                }
                if !dies {
                    sink.finalise(epoch, &staged).unwrap();
                }
            }
            if dies {
                drop(sink);
                epoch = committed.as_ref().map_or(0, |(epoch, _)| *epoch);
                sequence = 0;
                sink = open(dir.path(), options(), committed.clone());
            }
            prop_assert_eq!(seen(dir.path()), all(0..at));
        }
    }
}
