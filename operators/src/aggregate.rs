//! Aggregates by key: DataFusion's accumulators over an index of keys that is our own, held so that
//! a snapshot takes what changed and a result can be read without ending the aggregation.

mod accumulated;
mod call;
mod chunks;
mod cold_groups;
mod groups;
mod key_index;
mod keys;
mod marks;
mod one_by_one;
mod plan;

pub(crate) use accumulated::Accumulated;
pub(crate) use chunks::Rows as StateRows;
pub(crate) use cold_groups::ColdGroups;
pub(crate) use groups::{Groups, Scratch, Set};
pub(crate) use key_index::{Group, KeyIndex};
pub(crate) use keys::{KeyColumns, Keys};
pub(crate) use marks::Marks;
pub(crate) use plan::Aggregates;
