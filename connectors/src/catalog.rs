//! One file a kind. A new kind is its file here, its `mod` line and its line in [`register`].

use swiftwater_engine::Registry;

/// Registers every source, sink and message format of this crate.
pub fn register(_registry: &mut Registry) {
    // Sources.
    // Sinks.
    // Formats.
}
