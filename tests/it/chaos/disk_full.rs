//! The disk of the snapshots fills up, and that of the files sink: nothing is committed meanwhile and
//! nothing is lost, and the topology goes on when there is room again, by itself or after a restart.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::LIMIT;
use super::checker::Follower;
use super::feed::Feed;
use super::oracle::windows;
use super::results::in_files;
use super::setting::Setting;
use super::verdict::judge;
use crate::support::{Broker, Swiftwater, wait_until};

/// Rounds between two things that happen.
const ROUNDS: i64 = 200;

/// A small file system of its own.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one; `None` where this process may not.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "swiftwater-test"])
            .arg(at)
            .output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

fn wait_log(process: &mut Swiftwater, words: &str) {
    wait_until(words, LIMIT, || {
        assert_eq!(process.status(), None, "{}", process.log());
        process.log().contains(words)
    });
}

fn wait_windows(setting: &Setting, process: &mut Swiftwater, rounds: i64) {
    wait_until("windows in files", LIMIT, || {
        assert_eq!(process.status(), None, "{}", process.log());
        in_files(&setting.files).len() >= windows(rounds).len()
    });
}

#[test]
fn a_full_disk_loses_nothing() {
    let setting = Setting::new(Broker::shared());
    let disks = (Disk::mount(&setting.state), Disk::mount(&setting.files));
    let (Some(state), Some(files)) = disks else {
        println!("SKIPPED: this user may not mount a small file system to fill it");
        return;
    };
    let follower = Follower::start(&setting);
    let mut feed = Feed::new(&setting);
    let mut process = setting.start();
    feed.write(ROUNDS);
    wait_windows(&setting, &mut process, ROUNDS);

    state.fill();
    feed.write(ROUNDS);
    wait_log(&mut process, "an epoch waits for the store of snapshots");
    let seen = follower.rows();
    state.make_room();
    wait_windows(&setting, &mut process, 2 * ROUNDS);
    assert!(follower.rows() > seen, "rows wait for the snapshot of their epoch");

    files.fill();
    feed.write(ROUNDS);
    wait_log(&mut process, "unavailable, trying again");
    files.make_room();
    wait_windows(&setting, &mut process, 3 * ROUNDS);
    assert_eq!(process.drain(LIMIT), 143, "{}", process.log());

    // Without patience the process ends, with a clear word, and the next one goes on.
    let setting = Setting { retry_budget: "1s", ..setting };
    for (disk, code) in [(&state, "SW4321"), (&files, "SW2020")] {
        disk.fill();
        feed.write(ROUNDS);
        let mut process = setting.start();
        assert_eq!(process.wait(LIMIT).code(), Some(1), "{}", process.log());
        assert!(process.log().contains(code), "{}", process.log());
        disk.make_room();
    }
    let verdict = judge(&setting, setting.start(), follower, 5 * ROUNDS);
    println!("disks were full four times; {}", verdict.counts());
    verdict.assert_right("after the disks were full");
}
