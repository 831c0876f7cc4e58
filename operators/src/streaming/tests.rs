//! Streaming queries.
