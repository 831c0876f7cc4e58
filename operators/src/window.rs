//! Windows over time: which windows a row belongs to, their aggregates, and when they are given.

mod cold;
mod corrections;
mod early;
pub(crate) mod layout;
#[cfg(test)]
mod oracle;
pub(crate) mod results;
pub(crate) mod session;
mod shape;
mod sliced;
pub(crate) mod snapshot;
pub(crate) mod times;

pub(crate) use layout::Layout;
pub(crate) use shape::Shape;
pub(crate) use sliced::{SlicedPlan, SlicedWindows};
pub(crate) use times::EventTimes;
