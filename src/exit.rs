//! Exit codes: what a supervisor or an orchestrator learns from the end of the process.

use std::process::ExitCode;

use swiftwater_engine::{Error, ErrorKind};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done: 0.
    Finished,
    /// Something went wrong at run time, or a test failed: 1.
    Failed,
    /// The topology file or the arguments are wrong; trying again is of no use: 2.
    BadConfiguration,
    /// Everything in flight was finished after this signal: 128 and its number.
    Drained(u8),
}

impl Exit {
    /// The number the process returns.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Finished => 0,
            Self::Failed => 1,
            Self::BadConfiguration => 2,
            Self::Drained(signal) => 128 + signal,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.kind {
            ErrorKind::Config => Self::BadConfiguration,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
