//! Runs the topology to the end of what there is, and compares everything that came out.

use super::LIMIT;
use super::checker::{Faults, Follower, Seen};
use super::oracle::{Window, windows};
use super::results::{in_files, in_table};
use super::setting::Setting;
use crate::support::Swiftwater;

/// What came out by the end.
pub(super) struct Verdict {
    pub(super) seen: Seen,
    pub(super) windows: usize,
    /// Why the process did not come to the end, with its log.
    pub(super) failure: Option<String>,
}

impl Verdict {
    pub(super) fn is_right(&self) -> bool {
        self.failure.is_none() && self.seen.faults.are_none()
    }

    /// Fails the test where anything is wrong.
    pub(super) fn assert_right(&self, what: &str) {
        if let Some(failure) = &self.failure {
            panic!("{what}: {failure}");
        }
        assert!(self.seen.faults.are_none(), "{what}: {:#?}", self.seen.faults);
    }

    /// The counts, in words.
    pub(super) fn counts(&self) -> String {
        let (seen, faults) = (&self.seen, &self.seen.faults);
        format!(
            "{} rows, {} chain values, {} joined rows, {} windows: {} lost, {} doubled, {} out of \
             order, {} wrong",
            seen.rows,
            seen.chains,
            seen.pairs,
            self.windows,
            faults.lost,
            faults.doubled,
            faults.disordered,
            faults.wrong
        )
    }
}

/// Compares sorted windows with those that are expected.
fn compare(place: &str, found: &[Window], expected: &[Window], faults: &mut Faults) {
    for pair in found.windows(2) {
        if let [(key, start, ..), (k, s, ..)] = pair
            && (key, start) == (k, s)
        {
            faults.double(format!("{place}: the window {start} of key {key} came again"));
        }
    }
    for window in expected {
        if found.binary_search(window).is_err() {
            let (key, start, ..) = window;
            match found.iter().find(|(k, s, ..)| (k, s) == (key, start)) {
                Some(other) => faults.mistake(format!("{place}: {other:?}, and not {window:?}")),
                None => faults.lose(1, format!("{place}: {window:?} never came")),
            }
        }
    }
    let end = expected.iter().map(|(_, start, ..)| *start).max().unwrap_or(-1);
    for (key, start, ..) in found.iter().filter(|(_, start, ..)| *start > end) {
        faults.mistake(format!("{place}: the window {start} of key {key} is not over"));
    }
}

/// Lets `process` finish what there is, ends it in order and compares everything.
pub(super) fn judge(
    setting: &Setting,
    mut process: Swiftwater,
    follower: Follower,
    rounds: i64,
) -> Verdict {
    let failure = if setting.wait_all_read(&mut process) {
        let code = process.drain(LIMIT);
        (code != 143).then(|| format!("it ended with {code}\n{}", process.log()))
    } else {
        Some(format!("it ended by itself\n{}", process.log()))
    };
    let expected = windows(rounds);
    let mut seen = follower.end(rounds);
    compare("files", &in_files(&setting.files), &expected, &mut seen.faults);
    if let Some(postgres) = &setting.postgres {
        compare("table", &in_table(postgres, &setting.name), &expected, &mut seen.faults);
    }
    Verdict { seen, windows: expected.len(), failure }
}
