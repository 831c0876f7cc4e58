//! The `postgres` sink on a real PostgreSQL, started by `scripts/postgres.sh`, or named by
//! `SWIFTWATER_TEST_POSTGRES`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step fails the test"
)]

mod database;
mod exactly_once;
mod features;
mod rows;
#[path = "../../../tests/support/server.rs"]
mod server;
#[path = "../../../tests/support/sink.rs"]
mod sink;
mod trouble;
