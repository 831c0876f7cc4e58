//! The crash test of exactly-once: whatever happens to the process, its broker or its disks, an
//! independent reader sees every row once, in order, and only ever a prefix.
//!
//! - `kills`: SIGKILL at random moments and at every named step of the commit; restarts of the broker.
//! - `zombie`: a process that is frozen while another takes over, and then goes on.
//! - `delayed`: the end of a transaction, or its answer, comes late or never.
//! - `disk_full`: the disk of the snapshots, or that of the files sink, fills up.
//! - `breakages`: the checker is itself checked, by breaking the protocol on purpose.
//!
//! The short form runs with the other tests. `SWIFTWATER_TEST_KILLS=500` makes it longer (`make
//! chaos`).

mod breakages;
mod checker;
mod delayed;
mod disk_full;
mod feed;
mod kills;
mod oracle;
mod results;
mod setting;
mod verdict;
mod zombie;

use std::time::Duration;

/// Keys, and partitions of every topic; a key's rows are in one partition.
const KEYS: u64 = 40;
const PARTITIONS: i32 = 4;
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(120);

/// How many times the process is killed in the long form; `None` in the short one.
fn kills_asked() -> Option<usize> {
    std::env::var("SWIFTWATER_TEST_KILLS").ok().and_then(|kills| kills.parse().ok())
}

/// How often something is done that takes seconds each time.
fn times(short: usize, long: usize) -> usize {
    if kills_asked().is_some() { long } else { short }
}
