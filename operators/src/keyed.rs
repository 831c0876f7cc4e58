//! What operators that keep rows or values by key are made of: an index of keys, rows by number,
//! queues in event time, and the tables in which snapshots hold them.

mod agenda;
mod cold_rows;
mod event_time;
mod index;
mod key_columns;
mod look_back;
mod previous;
mod row_log;
mod row_table;
mod timeline;
mod tumbling;
mod version_table;
mod versions;
mod waiting;
mod warm;

pub(crate) use agenda::Agenda;
pub(crate) use cold_rows::{ColdRows, ColdStore, RawRows};
pub(crate) use event_time::{EventTime, Times, WatermarkClock, set_aside};
pub(crate) use index::{KeyIndex, Slot};
pub(crate) use key_columns::KeyColumns;
pub(crate) use look_back::{LookBack, Passing, Remember};
pub(crate) use row_log::{NO_ROW, RowId};
pub(crate) use row_table::{Hasher, Removal, RowTable, check_columns, identity, spill_tables};
pub(crate) use timeline::{Entry, Timeline};
pub(crate) use tumbling::{Tumbling, window_fields};
pub(crate) use version_table::{VersionRows, VersionTable, keyed_rows};
pub(crate) use versions::Asked;
pub(crate) use waiting::Waiting;
pub(crate) use warm::{AHEAD, warm_up};

/// Microseconds of a duration of the topology file.
pub(crate) fn micros(duration: swiftwater_config::Duration) -> i64 {
    i64::try_from(duration.0.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod fleet;
