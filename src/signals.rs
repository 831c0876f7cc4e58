//! SIGINT and SIGTERM: the first asks for a drain, the second to stop at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Pending;
use swiftwater_engine::{Error, Result};

/// What the user or the supervisor has asked for so far.
pub(crate) struct Signals {
    pending: Pending,
    first: Option<i32>,
    count: usize,
}

/// What a look at the signals says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing new.
    Nothing,
    /// To finish what is in flight and end.
    Drain,
    /// To end at once.
    Abort,
}

impl Signals {
    /// Takes the two signals over from the system, which would end the process.
    ///
    /// # Errors
    /// `Unavailable` where the system refuses.
    pub(crate) fn take_over() -> Result<Self> {
        let pending = Pending::new([SIGINT, SIGTERM])
            .map_err(|e| Error::unavailable("SW4103", "listen for signals").with_source(e))?;
        Ok(Self { pending, first: None, count: 0 })
    }

    /// Looks, without waiting.
    pub(crate) fn look(&mut self) -> Asked {
        let before = self.count;
        for signal in self.pending.pending() {
            self.first.get_or_insert(signal);
            self.count += 1;
        }
        match self.count {
            now if now == before => Asked::Nothing,
            1 => Asked::Drain,
            _ => Asked::Abort,
        }
    }

    /// Number of the first signal, where there was one.
    pub(crate) fn first(&self) -> Option<u8> {
        self.first.and_then(|s| u8::try_from(s).ok())
    }
}
