//! The end of a transaction is held back between the process and its broker, or its answer is: the
//! process cannot know whether the epoch was committed, and must find out.

use super::checker::Follower;
use super::feed::{Feed, Steady};
use super::setting::Setting;
use super::verdict::judge;
use super::{KEYS, LIMIT, times};
use crate::support::{Broker, Held, Proxy, Swiftwater, free_address, wait_until};

fn recoveries(process: &Swiftwater) -> u64 {
    match process.get("/metrics") {
        Some((200, _)) => process.metrics().total("swiftwater_recoveries_total", &[]) as u64,
        _ => 0,
    }
}

/// Holds back one end of a transaction. The process then finds out by itself what became of it, or is
/// killed and the next one does.
fn hold_once(setting: &Setting, proxy: &Proxy, process: &mut Swiftwater, what: Held, kill: bool) {
    let (held, recovered) = (proxy.held(), recoveries(process));
    proxy.hold(what);
    wait_until("an end of a transaction", LIMIT, || {
        assert_eq!(process.status(), None, "{}", process.log());
        proxy.held() > held
    });
    if kill {
        process.kill();
        *process = setting.start();
        process.wait_ready();
    } else {
        wait_until("the process to find out", LIMIT, || {
            assert_eq!(process.status(), None, "{}", process.log());
            recoveries(process) > recovered
        });
    }
}

#[test]
fn an_end_of_a_transaction_that_comes_late_or_never_loses_and_doubles_nothing() {
    let (port, upstream) = (free_address().port(), "127.0.0.1");
    let proxy = Proxy::start(format!("{upstream}:{port}").parse().unwrap());
    let advertised = format!("advertised.listeners=PLAINTEXT://{}", proxy.address());
    let broker = Broker::start(&["--port", &port.to_string(), "--set", &advertised]);
    let setting = Setting::new(&broker);
    let brokers = proxy.address().to_string();
    let setting = Setting { transaction_timeout: "3s", brokers, ..setting };
    let follower = Follower::start(&setting);
    let feed = Steady::start(Feed::new(&setting));
    let mut process = setting.start();
    let each = times(1, 6);
    for round in 0..4 * each {
        let what = if round % 2 == 0 { Held::Request } else { Held::Answer };
        let before = follower.rows();
        wait_until("progress", LIMIT, || {
            assert_eq!(process.status(), None, "{}", process.log());
            follower.rows() > before + 20 * KEYS
        });
        hold_once(&setting, &proxy, &mut process, what, round / 2 % 2 == 1);
        // Now the broker hears of it, long after a newer producer has taken over.
        proxy.release();
    }
    let rounds = feed.end(&setting.events);
    let log = process.log();
    assert!(proxy.held() == 4 * each, "{} were held back", proxy.held());
    let verdict = judge(&setting, process, follower, rounds);
    println!("{} delayed ends of transactions; {}", 4 * each, verdict.counts());
    verdict.assert_right(&log);
}
