//! Operators on Arrow batches. Expressions are DataFusion's, planned once at start.

pub mod catalog;
pub mod expression;
mod keyed;
mod planned;
mod quality;
mod query;
#[cfg(test)]
mod rate;
mod row_hash;
mod unnest;

pub use catalog::register;
pub use expression::{Expression, Predicate, Taken};
