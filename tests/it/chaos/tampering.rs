//! The checker is itself checked: each way of breaking the protocol that is done here from outside,
//! between a kill and the next start, must be seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::checker::{Follower, expected_windows, read_files};
use super::{KEYS, LIMIT, Setting, event};
use crate::support::{Broker, wait_until};

/// Rows of each key before and after the tampering.
const ROUNDS: u64 = 200;

fn state(setting: &Setting) -> PathBuf {
    setting.directory.path().join("state").join(&setting.name)
}

fn manifests(setting: &Setting) -> Vec<PathBuf> {
    let entries = fs::read_dir(state(setting).join("epochs")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
    paths.sort();
    paths
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// Moves the source's position in the manifest.
fn shift(manifest: &mut Value, by: i64) {
    let positions = manifest["sources"]["events"]["0"]["position"].as_object_mut().unwrap();
    for next in positions.values_mut() {
        *next = (next.as_i64().unwrap() + by).into();
    }
}

/// Forgets the state of a node.
fn forget(manifest: &mut Value, node: &str) {
    for table in manifest["nodes"][node]["tables"].as_object_mut().unwrap().values_mut() {
        table["parts"] = Value::Array(Vec::new());
    }
}

/// Runs to the middle, stops in order, tampers, runs to the end; whether all was found right.
fn is_found_right(broker: &Broker, tamper: impl FnOnce(&Setting)) -> bool {
    let setting = Setting::new(broker);
    let follower = Follower::start(&setting.brokers, setting.out.name());
    let directory = setting.directory.path();
    setting.events.produce((0..KEYS * ROUNDS).map(event));
    let mut process = setting.launch().start_in(directory);
    process.wait_ready();
    let windows = expected_windows(ROUNDS);
    wait_until("the windows of the first half", LIMIT, || {
        read_files(&setting.files()).len() >= windows.len()
    });
    assert_eq!(process.drain(LIMIT), 143, "{}", process.log());
    tamper(&setting);
    setting.events.produce((KEYS * ROUNDS..2 * KEYS * ROUNDS).map(event));
    let mut process = setting.launch().start_in(directory);
    process.wait_ready();
    let seen = follower.wait(2 * KEYS * ROUNDS, Duration::from_secs(15));
    process.drain(LIMIT);
    let mut found = read_files(&setting.files());
    found.sort_unstable();
    seen.faults.is_empty()
        && seen.rows == 2 * KEYS * ROUNDS
        && found == expected_windows(2 * ROUNDS)
}

#[test]
fn the_checker_sees_every_breakage() {
    let broker = Broker::shared();
    let newest = |s: &Setting| manifests(s).pop().unwrap();
    assert!(is_found_right(broker, |_| {}), "nothing was broken");
    let skipped = is_found_right(broker, |s| edit(&newest(s), |m| shift(m, 3)));
    assert!(!skipped, "positions ahead of the state lose rows");
    let repeated = is_found_right(broker, |s| edit(&newest(s), |m| shift(m, -3)));
    assert!(!repeated, "positions behind the outputs double rows");
    let forgotten = is_found_right(broker, |s| edit(&newest(s), |m| forget(m, "chained")));
    assert!(!forgotten, "lost state of a chain is seen");
    let forgotten = is_found_right(broker, |s| edit(&newest(s), |m| forget(m, "per_key")));
    assert!(!forgotten, "lost state of windows is seen");
    let gone = is_found_right(broker, |s| {
        let file = fs::read_dir(s.files()).unwrap().map(|e| e.unwrap().path());
        fs::remove_file(file.filter(|p| p.is_file()).max().unwrap()).unwrap();
    });
    assert!(!gone, "a file that was never finalised is missed");
}
