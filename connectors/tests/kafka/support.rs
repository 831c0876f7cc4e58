//! The broker and the topics that the tests of the whole program stand on.
#![expect(dead_code, reason = "the tests of the whole program use the rest")]

#[path = "../../../tests/support/broker.rs"]
mod broker;
#[path = "../../../tests/support/deadline.rs"]
mod deadline;
#[path = "../../../tests/support/server.rs"]
mod server;
#[path = "../../../tests/support/topic.rs"]
mod topic;

pub(crate) use broker::Broker;
pub(crate) use deadline::{wait_for, wait_until};
pub(crate) use topic::{Record, Topic, unique};
