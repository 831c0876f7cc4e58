//! Operators on Arrow batches. Expressions are DataFusion's, planned once at start.

pub mod catalog;
pub mod expression;

pub use catalog::register;
pub use expression::{Expression, Predicate, Taken};
