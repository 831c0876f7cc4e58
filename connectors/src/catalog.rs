//! One file a kind. A new kind is its file here, its `mod` line and its line in [`register`].

use swiftwater_engine::Registry;

use crate::codec;

/// Registers every source, sink and message format of this crate.
pub fn register(registry: &mut Registry) {
    // Sources.
    // Sinks.
    // Formats.
    registry.format::<codec::JsonOptions>("json");
}
