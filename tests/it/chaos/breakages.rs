//! The checker is itself checked: each way of breaking the protocol must be seen. Most are broken
//! inside the process, by leaving out a step and killing it at the worst moment; the others from
//! outside, between an end and the next start.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::checker::Follower;
use super::feed::{Feed, Steady};
use super::setting::Setting;
use super::verdict::{Verdict, judge};
use super::{KEYS, LIMIT};
use crate::support::{Broker, wait_until};

/// Runs a process with each of these failpoints until it dies there, then one to the end.
fn broken_inside(broker: &Broker, failpoints: &[&str]) -> Verdict {
    let setting = Setting::new(broker);
    let follower = Follower::start(&setting);
    let feed = Steady::start(Feed::new(&setting));
    for failpoints in failpoints {
        // One that needs luck is done again until it is seen.
        if follower.faults() == 0 {
            setting.start_with(failpoints).wait(LIMIT);
        }
    }
    // Windows that were open then must be over before the end.
    let mut process = setting.start();
    let before = follower.rows();
    wait_until("rows of later windows", LIMIT, || {
        process.status().is_some() || follower.rows() > before + 120 * KEYS
    });
    let rounds = feed.end(&setting.events);
    judge(&setting, process, follower, rounds)
}

/// A way to break the protocol: what is left out, and where the process is killed.
const INSIDE: [(&str, &[&str]); 5] = [
    (
        "an epoch is committed before its state is durable",
        &["skip durable_state/chained:9, committed:9"; 5],
    ),
    ("changes of state are forgotten", &["skip delta/per_key, committed:9"]),
    ("the files of an epoch are not finalised", &["skip finalise/windows, cleared:25"]),
    (
        "outputs are committed without their positions",
        &["skip one_transaction, before_send_offsets:9"],
    ),
    (
        "the snapshot before the last is restored",
        &["committed:9", "skip newest_manifest, committed:3"],
    ),
];

/// This one is seen only where a kill meets inputs that are apart, which a fast process seldom lets
/// happen: it belongs to the long form.
const WITH_LUCK: (&str, &[&str]) =
    ("barriers are not aligned", &["skip alignment, committed:5"; 60]);

#[test]
fn the_checker_sees_every_breakage_inside_the_protocol() {
    let broker = Broker::shared();
    broken_inside(broker, &["committed:9"]).assert_right("nothing was broken");
    let mut unseen = Vec::new();
    let long = std::env::var_os("SWIFTWATER_TEST_KILLS").is_some();
    for (what, failpoints) in INSIDE.into_iter().chain(long.then_some(WITH_LUCK)) {
        let verdict = broken_inside(broker, failpoints);
        if verdict.is_right() {
            unseen.push(what);
        }
        let stopped = verdict.failure.as_ref().map(|log| format!("stopped with {}", code(log)));
        println!("{what}: {}", stopped.unwrap_or_else(|| verdict.counts()));
    }
    assert!(unseen.is_empty(), "the checker did not see: {unseen:?}");
}

/// The last error code in a log.
fn code(log: &str) -> &str {
    log.rfind("\"code\":\"").and_then(|at| log.get(at + 8..at + 14)).unwrap_or("no code")
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// The manifest of the last epoch.
fn newest(setting: &Setting) -> PathBuf {
    let entries = fs::read_dir(setting.snapshots().join("epochs")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
    paths.into_iter().max().unwrap()
}

/// Moves the source's positions in the manifest.
fn shift(setting: &Setting, by: i64) {
    edit(&newest(setting), |manifest| {
        let positions = &mut manifest["sources"]["events"]["0"]["position"];
        for next in positions.as_object_mut().unwrap().values_mut() {
            *next = (next.as_i64().unwrap() + by).into();
        }
    });
}

/// Rounds before and after the tampering.
const ROUNDS: i64 = 120;

/// Runs to the middle, stops in order, tampers, runs to the end.
fn broken_outside(broker: &Broker, tamper: Tampering) -> Verdict {
    let setting = Setting::new(broker);
    let follower = Follower::start(&setting);
    let mut feed = Feed::new(&setting);
    feed.write(ROUNDS);
    let mut process = setting.start();
    assert!(setting.wait_all_read(&mut process), "{}", process.log());
    assert_eq!(process.drain(LIMIT), 143, "{}", process.log());
    tamper(&setting);
    feed.write(ROUNDS);
    judge(&setting, setting.start(), follower, 2 * ROUNDS)
}

type Tampering = fn(&Setting);

/// What is done to what an ended process left behind.
const OUTSIDE: [(&str, Tampering); 3] = [
    ("positions are ahead of the state", |setting| shift(setting, 3)),
    ("positions are behind the outputs", |setting| shift(setting, -3)),
    ("a file is gone", |setting| {
        let files = fs::read_dir(&setting.files).unwrap().map(|e| e.unwrap().path());
        fs::remove_file(files.filter(|p| p.is_file()).max().unwrap()).unwrap();
    }),
];

#[test]
fn the_checker_sees_every_breakage_from_outside() {
    let broker = Broker::shared();
    for (what, tamper) in OUTSIDE {
        let verdict = broken_outside(broker, tamper);
        assert!(!verdict.is_right(), "it was not seen that {what}");
        println!("{what}: {}", verdict.counts());
    }
}
