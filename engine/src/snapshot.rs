//! Snapshots: what a topology must remember to go on after a crash, in an object store.
//!
//! An epoch leaves one manifest, which names the files that hold the state of every node, the
//! positions of the sources and what the sinks have staged. Files are never changed once written.

mod manifest;
mod merge;
mod part;
mod reset;
mod store;

pub use manifest::{Manifest, NodeState, Part, Slice, SourceState, TableState};
pub use part::Contents;
pub use reset::reset;
pub use store::Store;

pub(crate) use merge::{Job, Merged, due, merge};
pub(crate) use part::{encode, part_name};
pub(crate) use reset::{LAST, last_reset};
