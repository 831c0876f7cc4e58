//! Codes of formats.

pub(super) use swiftwater_connectors::codec::codes::CODES;
