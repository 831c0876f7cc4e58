//! Operators on Arrow batches. Expressions are DataFusion's, planned once at start.

mod aggregate;
pub mod catalog;
pub mod expression;
pub mod fidelity;
mod group;
mod keyed;
mod learned;
mod privacy;
mod quality;
mod query;
#[cfg(test)]
mod rate;
mod row_hash;
mod series;
mod sketch;
mod streaming;
mod synthetic;
mod unnest;
mod window;

pub use catalog::register;
pub use expression::{Expression, Predicate, Taken};
pub use synthetic::wishes::{Foreign, Limits, Unique, Wish};
