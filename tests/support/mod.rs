//! What tests of the whole program stand on: real servers, topics, the running binary, its metrics.
//!
//! - [`Broker`]: a real Apache Kafka, shared or of one's own, with a restart and a SIGKILL.
//! - [`Topic`]: creates, fills and reads a topic through plain rdkafka, independently of the
//!   product's connectors.
//! - [`Swiftwater`]: the built binary running a topology, its signals, exit code and log.
//! - [`Samples`]: what its `/metrics` says.
//! - [`Prometheus`]: a real one that scrapes what a test runs.
//! - [`wait_until`]: polls a condition against a deadline; the only way a test may wait.

mod broker;
mod deadline;
mod http;
mod process;
mod prometheus;
mod samples;
mod server;
mod topic;

pub(crate) use broker::Broker;
pub(crate) use deadline::{wait_for, wait_until};
pub(crate) use http::get;
pub(crate) use process::{Launch, Swiftwater, swiftwater};
pub(crate) use prometheus::{Prometheus, complaints};
pub(crate) use samples::Samples;
pub(crate) use server::shared as shared_server;
pub(crate) use topic::{Record, Topic};
