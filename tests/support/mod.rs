//! What tests of the whole program stand on: real servers, topics, the running binary, its metrics.
//!
//! - [`Broker`]: a real Apache Kafka, shared or of one's own, with a restart and a SIGKILL.
//! - [`Topic`]: creates, fills and reads a topic through plain rdkafka, independently of the
//!   product's connectors.
//! - [`Swiftwater`]: the built binary running a topology, its signals, exit code and log.
//! - [`oracle`]: what a Python script says.
//! - [`Samples`]: what its `/metrics` says.
//! - [`Proxy`]: stands between a client and a broker, and holds back the end of transactions.
//! - [`Prometheus`]: a real one that scrapes what a test runs.
//! - [`wait_until`]: polls a condition against a deadline; the only way a test may wait.

mod broker;
mod deadline;
mod http;
mod oracle;
mod process;
mod prometheus;
mod proxy;
mod samples;
mod server;
mod topic;

pub(crate) use broker::Broker;
pub(crate) use deadline::{wait_for, wait_until};
pub(crate) use http::get;
pub(crate) use oracle::{oracle, python};
pub(crate) use process::{Launch, Swiftwater, free_address, swiftwater};
pub(crate) use prometheus::{Prometheus, complaints};
pub(crate) use proxy::{Held, Proxy};
pub(crate) use samples::Samples;
pub(crate) use server::shared as shared_server;
pub(crate) use topic::{Record, Topic};
