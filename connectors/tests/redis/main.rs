//! The `redis` sink on a real Redis, started by `scripts/redis.sh`, or named by
//! `SWIFTWATER_TEST_REDIS`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step fails the test"
)]

mod epochs;
mod features;
#[path = "../../../tests/support/oracle.rs"]
mod oracle;
mod rows;
#[path = "../../../tests/support/server.rs"]
mod server;
#[path = "../../../tests/support/sink.rs"]
mod sink;
mod store;
