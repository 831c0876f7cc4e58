//! Sketches: what is known of many values in little memory, the same in whatever order they come.

mod ddsketch;
mod hll;

pub(crate) use ddsketch::DdSketch;
pub(crate) use hll::Hll;
