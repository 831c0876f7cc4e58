//! Whether the endpoint is there: how many requests may be under way, and what the engine is told.

use std::time::{Duration, Instant};

use swiftwater_engine::{Error, ErrorKind, Result};

/// A failed attempt.
struct Failure {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    hint: Option<String>,
    noticed: Instant,
    /// Whether the engine knows.
    told: bool,
}

/// What is known of the endpoint's absence.
pub(super) struct Outage {
    /// Set from a failed attempt to the next that succeeds.
    failure: Option<Failure>,
    /// The endpoint asked for no request before this moment.
    paused_until: Option<Instant>,
    longest_pause: Duration,
}

impl Failure {
    fn error(&self) -> Error {
        let error = Error::new(self.kind, self.code, &self.message);
        match &self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl Outage {
    /// No outage. A pause beyond the retry budget is cut to it: after that the topology stops, and
    /// an endless pause must not prevent it.
    pub(super) const fn none(retry_budget: Duration) -> Self {
        Self { failure: None, paused_until: None, longest_pause: retry_budget }
    }

    /// The endpoint answered and took or refused rows.
    pub(super) fn is_over(&mut self) {
        self.failure = None;
    }

    /// An attempt that was made at `departed` failed; the endpoint may have asked for a pause.
    pub(super) fn failed(
        &mut self,
        error: Error,
        pause: Option<Duration>,
        departed: Instant,
        now: Instant,
    ) {
        if let Some(pause) = pause {
            let until = now.checked_add(pause.min(self.longest_pause));
            self.paused_until = self.paused_until.max(until);
        }
        // Requests that were under way when the first of them failed say nothing new.
        if self.failure.as_ref().is_some_and(|failure| departed < failure.noticed) {
            return;
        }
        let Error { kind, code, message, hint, .. } = error;
        self.failure = Some(Failure { kind, code, message, hint, noticed: now, told: false });
    }

    /// Tells the engine of a failed attempt, once.
    ///
    /// # Errors
    /// The failure, if it is not known yet.
    pub(super) fn tell(&mut self) -> Result<()> {
        match self.failure.as_mut().filter(|failure| !failure.told) {
            Some(failure) => {
                failure.told = true;
                Err(failure.error())
            }
            None => Ok(()),
        }
    }

    /// The failure that lasts.
    pub(super) fn error(&self) -> Option<Error> {
        self.failure.as_ref().map(Failure::error)
    }

    /// The end of the pause that the endpoint asked for.
    pub(super) const fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// How many requests may be under way, of `concurrency` in good times.
    pub(super) fn at_most(&self, concurrency: usize, now: Instant) -> usize {
        match &self.failure {
            _ if self.paused_until.is_some_and(|until| until > now) => 0,
            // The engine pauses first.
            Some(failure) if !failure.told => 0,
            // One request finds out whether the endpoint is back.
            Some(_) => 1,
            None => concurrency,
        }
    }

    #[cfg(test)]
    pub(super) fn end_pause(&mut self) {
        self.paused_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::unavailable("SW2052", "deliver rows to `h`: it answered 503")
    }

    #[test]
    fn a_failure_is_told_once_and_then_one_request_tries() {
        let (mut outage, start) = (Outage::none(Duration::from_secs(60)), Instant::now());
        assert_eq!(outage.at_most(8, start), 8);
        let noticed = start + Duration::from_millis(1);
        outage.failed(away(), None, start, noticed);
        assert_eq!(outage.at_most(8, noticed), 0);
        assert_eq!(outage.tell().unwrap_err().code, "SW2052");
        assert_eq!(outage.at_most(8, noticed), 1);
        outage.failed(away(), None, start, noticed);
        assert!(outage.tell().is_ok(), "it was under way when the first one failed");
        outage.failed(away(), None, noticed, noticed);
        assert!(outage.tell().is_err(), "this one was a new attempt");
        outage.is_over();
        assert_eq!(outage.at_most(8, noticed), 8);
        assert!(outage.error().is_none());
    }

    #[test]
    fn a_pause_is_kept_and_ends() {
        let (mut outage, start) = (Outage::none(Duration::from_secs(600)), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        outage.failed(away(), Some(Duration::from_secs(120)), start, start);
        assert!(outage.tell().is_err());
        outage.failed(away(), Some(Duration::from_secs(5)), start, start);
        assert_eq!(outage.paused_until(), Some(after(120)), "the longest counts");
        assert!(outage.tell().is_err());
        assert_eq!((outage.at_most(4, after(119)), outage.at_most(4, after(120))), (0, 1));
        outage.failed(away(), Some(Duration::MAX), start, start);
        assert_eq!(outage.paused_until(), Some(after(600)), "no longer than the budget");
    }
}
