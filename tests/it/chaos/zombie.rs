//! A process is frozen, as a machine that swaps or is moved may be, and another takes over. When the
//! first one goes on it must notice, stop, and write nothing that readers see.

use std::time::{Duration, Instant};

use super::checker::Follower;
use super::feed::{Feed, Steady};
use super::setting::Setting;
use super::verdict::judge;
use super::{KEYS, LIMIT, times};
use crate::support::{Broker, Swiftwater, wait_until};

/// How long a transaction may last here.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Waits until a reader has seen rows that were written after this call.
fn wait_progress(follower: &Follower, process: &mut Swiftwater) {
    let before = follower.rows();
    wait_until("progress", LIMIT, || {
        assert_eq!(process.status(), None, "{}", process.log());
        follower.rows() > before + 20 * KEYS
    });
}

#[test]
fn a_process_that_was_frozen_stops_once_another_has_taken_over() {
    let setting = Setting::new(Broker::shared()).with_table();
    let setting = Setting { transaction_timeout: "3s", ..setting };
    let follower = Follower::start(&setting);
    let feed = Steady::start(Feed::new(&setting));
    let mut process = setting.start();
    let takeovers = times(2, 12);
    for round in 0..takeovers {
        wait_progress(&follower, &mut process);
        process.signal("STOP");
        let frozen = Instant::now();
        let mut next = setting.start();
        wait_progress(&follower, &mut next);
        // Every second time it is frozen for longer than its transaction may last: then the brokers
        // would have ended that anyway, and it cannot tell by the transaction who did.
        if round % 2 == 0 {
            wait_until("the transaction to be out of time", LIMIT, || {
                frozen.elapsed() > TIMEOUT + Duration::from_secs(1)
            });
        }
        process.signal("CONT");
        let status = process.wait(LIMIT);
        let log = process.log();
        assert_eq!(status.code(), Some(1), "round {round}: {log}");
        assert!(log.contains("SW4310"), "round {round}: {log}");
        wait_progress(&follower, &mut next);
        process = next;
    }
    let rounds = feed.end(&setting.events);
    let verdict = judge(&setting, process, follower, rounds);
    println!("{takeovers} frozen processes; {}", verdict.counts());
    verdict.assert_right("after the last takeover");
}
