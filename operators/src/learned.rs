//! What `scale`, `encode`, `impute` and `outlier` have in common: statistics of columns that are
//! learned row by row in the order of event time, each row being transformed before it is learned
//! from, and parameters that leave in the form in which they are read back.

mod categories;
mod clock;
mod events;
mod fit;
mod fits;
mod moments;
mod node;
mod options;
mod parameters;
mod passing;
mod serving;
mod sketch;
mod transform;

pub(crate) use fit::{Spec, Statistic};
pub(crate) use moments::{Moments, Range};
pub(crate) use options::{Learning, columns, half_life, mistake, plan};
pub(crate) use transform::{Answer, Column, Known, Reads, Transform, Value};
