//! Session windows: rows of a key less than a gap apart share a window, which ends a gap after the
//! last of them. A row that bridges two sessions makes one of them.

mod book;
mod operator;
mod results;
mod snapshot;

pub(crate) use operator::{SessionPlan, SessionWindows};
pub(crate) use snapshot::table;
