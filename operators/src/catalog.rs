//! One file an operator. A new operator is its file here, its `mod` line and its line in
//! [`register`].

use swiftwater_engine::Registry;

/// Registers every operator of this crate.
pub fn register(_registry: &mut Registry) {}
