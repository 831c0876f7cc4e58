//! Named places at which a test can kill the process, or leave out a step of the protocol that keeps
//! epochs.
//!
//! `SWIFTWATER_FAILPOINT=manifest_written:3` ends the process by SIGKILL when it comes to that place
//! for the third time. `skip finalise/files:5` leaves that step out at the fifth time, `skip
//! alignment` always: so it is tested that the checker of the crash tests sees it. Several stand
//! behind commas. A process that is to leave steps out says so in its log, as an error.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use signal_hook::consts::SIGKILL;
use signal_hook::low_level::raise;

/// Variable that names places, and how many times each is passed before something happens.
pub const VARIABLE: &str = "SWIFTWATER_FAILPOINT";

const SKIP: &str = "skip ";

#[derive(Debug)]
struct Armed {
    place: String,
    skips: bool,
    /// Passes that are left; `None` where every one counts.
    left: Option<AtomicU64>,
}

impl Armed {
    fn parse(text: &str) -> Self {
        let (rest, skips) = match text.trim().strip_prefix(SKIP) {
            Some(rest) => (rest.trim(), true),
            None => (text.trim(), false),
        };
        let (place, times) = match rest.split_once(':') {
            Some((place, times)) => (place, times.parse().ok()),
            None => (rest, (!skips).then_some(1)),
        };
        Self { place: place.to_owned(), skips, left: times.map(AtomicU64::new) }
    }

    fn is_hit(&self) -> bool {
        self.left.as_ref().is_none_or(|left| left.fetch_sub(1, Ordering::AcqRel) == 1)
    }
}

/// What a test asked for; empty in production.
fn armed() -> &'static [Armed] {
    static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let armed: Vec<_> =
            text.split(',').filter(|t| !t.trim().is_empty()).map(Armed::parse).collect();
        for skipped in armed.iter().filter(|a| a.skips) {
            let place = &skipped.place;
            tracing::error!(
                place,
                "`{VARIABLE}` makes this process lose or double rows on purpose"
            );
        }
        armed
    })
}

/// Ends the process where a test asked for it; costs one look otherwise.
pub fn failpoint(place: &str) {
    if armed().iter().any(|a| !a.skips && a.place == place && a.is_hit()) {
        // Nothing is left to be done where even this fails.
        raise(SIGKILL).ok();
        std::process::abort();
    }
}

/// Whether a test asked to leave out the step at `place`, of `node` where that is not empty.
#[must_use]
pub fn skips(place: &str, node: &str) -> bool {
    let is_here = |a: &Armed| {
        let named = a.place.split_once('/').unwrap_or((&a.place, ""));
        a.skips && named == (place, node)
    };
    armed().iter().any(|a| is_here(a) && a.is_hit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_hit_when_they_were_passed_often_enough() {
        let hits = |text: &str| {
            let armed = Armed::parse(text);
            (0..4).map(|_| armed.is_hit()).collect::<Vec<_>>()
        };
        assert_eq!(hits("staged"), [true, false, false, false]);
        assert_eq!(hits(" staged:3"), [false, false, true, false]);
        assert_eq!(hits("skip finalise/files:2"), [false, true, false, false]);
        assert_eq!(hits("skip alignment"), [true; 4]);
        let armed = Armed::parse("skip finalise/files:2");
        assert!(armed.skips);
        assert_eq!(armed.place, "finalise/files");
    }

    #[test]
    fn nothing_is_armed_without_the_variable() {
        assert!(!skips("finalise", "files"));
        failpoint("staged");
    }
}
