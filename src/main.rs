//! The `swiftwater` command.
fn main() {}
