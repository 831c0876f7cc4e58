//! What tests of kinds stand on.
//!
//! - [`rows`] turns JSON into record batches and back, and makes up rows for any schema.
//! - [`Harness`] drives one operator by hand, with a clock that the test moves.
//! - [`conformance`] holds every kind of a registry to the rules that all kinds share.
//!
//! Nothing here is called outside tests; a failed expectation panics with both sides printed.

pub mod conformance;
mod harness;
pub mod rows;

pub use harness::{Harness, node, payload};
