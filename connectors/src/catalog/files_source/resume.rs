//! A source that goes on where a snapshot says: every record once, whatever the number of instances
//! before and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration as Wait;

use proptest::prelude::*;
use serde_json::json;
use swiftwater_engine::{Clock, ErrorKind, Polled, Position, Source, Timestamp};

use super::tests::{Read, drain, numbers, places, plan};
use crate::test_node::open_source_at;

const BAD: &str = "no number";

/// Files `00.json` and so on of so many lines; every seventh cannot be read.
fn write(directory: &Path, sizes: &[usize]) -> (Vec<i64>, Vec<(String, i64)>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (file, lines) in sizes.iter().enumerate() {
        let (name, mut text) = (format!("{file:02}.json"), String::new());
        for line in 1..=*lines {
            if line % 7 == 0 {
                bad.push((name.clone(), i64::try_from(line).unwrap()));
                text.push_str(BAD);
            } else {
                let n = i64::try_from(file * 1000 + line).unwrap();
                good.push(n);
                text.push_str(&format!("{{\"n\":{n}}}"));
            }
            text.push('\n');
        }
        fs::write(directory.join(name), text).unwrap();
    }
    (good, bad)
}

/// At most `polls` polls.
fn read_some(source: &mut dyn Source, polls: usize, read: &mut Read) -> bool {
    for _ in 0..polls {
        match source.poll(Wait::ZERO).unwrap() {
            Polled::Rows { batch, rejected, .. } => {
                read.rows.push(batch.records);
                read.rejected.extend(rejected);
            }
            Polled::End => return true,
            other => panic!("{other:?}"),
        }
    }
    false
}

/// What a manifest keeps and gives back: the positions of all instances as one.
fn joined(positions: Vec<Position>) -> Position {
    let all: BTreeMap<String, i64> = positions.into_iter().flat_map(|p| p.0).collect();
    let kept = serde_json::to_string(&Position(all)).unwrap();
    serde_json::from_str(&kept).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_is_read_once_whatever_crashes_between(
        sizes in prop::collection::vec(0_usize..40, 1..9),
        lives in prop::collection::vec((1_usize..4, 0_usize..12), 0..6),
        batch_rows in 1_usize..20,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad) = write(dir.path(), &sizes);
        let plan = plan(dir.path(), "*.json", json!({}), json!({"n": "int64"})).unwrap();
        prop_assert!(plan.replayable);
        let mut resume = None;
        let mut read = Read { rows: Vec::new(), rejected: Vec::new(), ended: false };
        for (instances, polls) in lives.into_iter().chain([(2, usize::MAX)]) {
            let mut positions = Vec::new();
            for instance in 0..instances {
                let of = (instance, instances);
                let mut source =
                    open_source_at(&plan, of, resume.clone(), batch_rows, &Clock::system()).unwrap();
                // Each stands elsewhere.
                read.ended = read_some(source.as_mut(), polls.saturating_sub(instance), &mut read);
                positions.push(source.position());
            }
            resume = Some(joined(positions));
        }
        prop_assert!(read.ended);
        let mut found = numbers(&read);
        found.sort_unstable();
        prop_assert_eq!(found, good);
        let mut set_aside: Vec<(String, i64)> =
            places(&read).into_iter().map(|(file, line, _)| (file, line)).collect();
        set_aside.sort();
        prop_assert_eq!(set_aside, bad);
    }
}

#[test]
fn a_watching_source_goes_on_and_takes_up_new_files_only() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[3, 3]);
    let clock = Clock::manual(Timestamp(0));
    let options = json!({"watch": true, "every": "5s"});
    let plan = plan(dir.path(), "*.json", options, json!({"n": "int64"})).unwrap();
    let mut source = open_source_at(&plan, (0, 1), None, 2, &clock).unwrap();
    let mut read = Read { rows: Vec::new(), rejected: Vec::new(), ended: false };
    read_some(source.as_mut(), 3, &mut read);
    assert_eq!(numbers(&read), [1, 2, 3, 1001, 1002]);
    let resume = source.position();
    fs::write(dir.path().join("_00.json"), "{\"n\":7}\n").unwrap();
    let mut source = open_source_at(&plan, (0, 1), Some(resume), 2, &clock).unwrap();
    let rest = drain(source.as_mut());
    assert_eq!(numbers(&rest), [1003, 7]);
    assert!(!rest.ended);
    let mut source = open_source_at(&plan, (0, 1), Some(source.position()), 2, &clock).unwrap();
    assert!(numbers(&drain(source.as_mut())).is_empty());
}

#[test]
fn a_half_read_file_that_is_gone_is_told_and_a_finished_one_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[3, 3]);
    let plan = plan(dir.path(), "*.json", json!({}), json!({"n": "int64"})).unwrap();
    let mut source = open_source_at(&plan, (0, 1), None, 2, &Clock::system()).unwrap();
    let mut read = Read { rows: Vec::new(), rejected: Vec::new(), ended: false };
    read_some(source.as_mut(), 3, &mut read);
    let half = source.position();
    drain(source.as_mut());
    let end = source.position();
    fs::remove_file(dir.path().join("00.json")).unwrap();
    let open = |resume| open_source_at(&plan, (0, 1), Some(resume), 2, &Clock::system());
    assert_eq!(numbers(&drain(open(half.clone()).unwrap().as_mut())), [1003]);
    fs::remove_file(dir.path().join("01.json")).unwrap();
    let error = open(half).err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2029"));
    assert!(error.message.contains("01.json"), "{error}");
    assert!(drain(open(end).unwrap().as_mut()).ended);
}
