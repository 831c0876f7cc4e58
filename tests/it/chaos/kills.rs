//! The process is killed again and again, at random moments and at every named step of the commit,
//! while its broker restarts now and then.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use super::checker::Follower;
use super::feed::{Feed, Steady};
use super::oracle::mixed;
use super::setting::Setting;
use super::verdict::judge;
use super::{KEYS, LIMIT, kills_asked};
use crate::support::Broker;

/// Steps at which the process ends itself by SIGKILL, and how often each is passed at most before.
const PLACES: [(&str, u64); 12] = [
    ("fenced", 1),
    ("staged", 8),
    ("state_written", 3),
    ("manifest_written", 3),
    ("before_send_offsets", 3),
    ("before_commit_transaction", 3),
    ("after_commit_transaction", 3),
    ("committed", 3),
    ("cleared", 3),
    ("before_finalise", 8),
    ("finalised", 8),
    ("swept", 1),
];
const SIGKILL: i32 = 9;

/// Kills a process once, at a named place or at some moment; says where.
fn kill_once(setting: &Setting, round: usize) -> &'static str {
    let luck = mixed(round as u64);
    if round % 3 != 2 {
        let (place, most) = PLACES[(round - round / 3) % PLACES.len()];
        let mut process = setting.start_with(&format!("{place}:{}", 1 + luck % most));
        let status = process.wait(LIMIT);
        assert_eq!(status.signal(), Some(SIGKILL), "at {place}: {}", process.log());
        return place;
    }
    let mut process = setting.start();
    std::thread::sleep(Duration::from_millis(100 + luck % 1400));
    assert_eq!(process.status(), None, "before it was killed: {}", process.log());
    process.kill();
    "at random"
}

/// Restarts the broker under a process, which must go on by itself; says how often it went on from
/// its last commit.
fn restart_broker(setting: &Setting, broker: &Broker, follower: &Follower, kill: bool) -> u64 {
    let mut process = setting.start();
    process.wait_ready();
    if kill {
        broker.kill()
    } else {
        broker.stop()
    }
    broker.start_again();
    let before = follower.rows();
    let started = Instant::now();
    while follower.rows() <= before + 20 * KEYS {
        assert_eq!(process.status(), None, "{}", process.log());
        assert!(
            started.elapsed() < LIMIT,
            "no rows after the restart of the broker: {before} seen before, {} now; the topic ends at {:?}\n{}\n{}",
            follower.rows(),
            setting.rows.ends(),
            broker.tool(&["TransactionsCommand", "list"]),
            broker.tool(&[
                "TransactionsCommand",
                "describe-producers",
                "--topic",
                setting.rows.name(),
                "--partition",
                "0"
            ]),
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let recoveries = process.metrics().total("swiftwater_recoveries_total", &[]);
    process.kill();
    recoveries as u64
}

#[test]
fn killed_at_any_moment_nothing_is_lost_doubled_or_out_of_order() {
    let kills = kills_asked().unwrap_or(PLACES.len() * 3 / 2);
    let broker = Broker::start(&[]);
    let setting = Setting::new(&broker).with_table();
    let follower = Follower::start(&setting);
    let feed = Steady::start(Feed::new(&setting));

    let (mut places, mut restarts, mut recoveries) = (BTreeMap::<_, usize>::new(), 0, 0);
    let every = (kills / 5).max(kills.min(PLACES.len()));
    let working = Instant::now();
    for round in 0..kills {
        *places.entry(kill_once(&setting, round)).or_default() += 1;
        if round % every == every - 1 && round + 1 < kills.max(every + 1) {
            recoveries += restart_broker(&setting, &broker, &follower, restarts % 2 == 0);
            restarts += 1;
        }
    }
    let seconds = working.elapsed().as_secs();
    let rounds = feed.end(&setting.events);
    let verdict = judge(&setting, setting.start(), follower, rounds);
    println!("{kills} kills by SIGKILL in {seconds} s, by place:");
    for (place, times) in places {
        println!("  {times:>4} {place}");
    }
    println!("{restarts} restarts of the broker, {recoveries} recoveries within the process");
    println!("{}", verdict.counts());
    verdict.assert_right("after all kills");
    assert!(verdict.windows > 0, "no window was over");
}
