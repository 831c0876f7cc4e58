//! Rows as a table on a terminal.

pub(crate) mod live;
pub(crate) mod table;
