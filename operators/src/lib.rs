//! Operators on Arrow batches. Expressions are DataFusion's, planned once at start.

pub mod catalog;

pub use catalog::register;
