//! The registry of feature views: what is live, what may change, and a page to read it on.

mod changes;
mod page;
mod place;
mod record;

pub(crate) use changes::merge;
pub(crate) use page::page;
pub(crate) use place::Place;
pub(crate) use record::{Registry, ViewRecord};
