//! librdkafka's settings for a member of a group.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::SourceContext;

use super::source::Design;

/// Memory that librdkafka takes for a fetched message beside its payload.
const MESSAGE_OVERHEAD: usize = 320;
/// Most bytes a client takes in one answer of a broker: a compressed batch must fit unpacked.
const RECEIVE_AT_MOST: usize = 256 << 20;
/// Longest time that partitions which shall go are waited for.
const GRACE: Duration = Duration::from_secs(10);

/// Which records of unfinished and aborted transactions are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// None of them (the default).
    #[default]
    ReadCommitted,
    /// All of them.
    ReadUncommitted,
}

/// How the group agrees on who reads what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupProtocol {
    /// One member decides for all (the default; every broker knows it).
    #[default]
    Classic,
    /// The broker decides (KIP-848, Apache Kafka 4.0 or newer).
    Consumer,
}

/// How partitions are shared out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Evenly, and moving as few as possible while the others go on (the default).
    #[default]
    CooperativeSticky,
    /// Partition n of every topic to the same member: for topics that are joined.
    Range,
    /// One by one.
    RoundRobin,
}

/// The settings that decide about the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) isolation: Isolation,
    pub(crate) protocol: GroupProtocol,
    pub(crate) strategy: Strategy,
    pub(crate) session_timeout: Duration,
    pub(crate) is_bounded: bool,
}

impl Group {
    pub(super) fn is_read_committed(&self) -> bool {
        self.isolation == Isolation::ReadCommitted
    }

    /// How long partitions that shall go may stay: the group counts us as dead after a session
    /// without a word, and waits for all members before it goes on.
    pub(super) fn grace(&self) -> Duration {
        (self.session_timeout / 2).min(GRACE)
    }

    fn set_protocol(&self, set: &mut Vec<(&'static str, String)>) {
        match self.protocol {
            GroupProtocol::Classic => {
                set.push(("group.protocol", "classic".into()));
                set.push(("session.timeout.ms", self.session_timeout.as_millis().to_string()));
                let heartbeat = (self.session_timeout / 10).min(Duration::from_secs(3));
                set.push(("heartbeat.interval.ms", heartbeat.as_millis().max(1).to_string()));
                let strategy = match self.strategy {
                    Strategy::CooperativeSticky => "cooperative-sticky",
                    Strategy::Range => "range",
                    Strategy::RoundRobin => "roundrobin",
                };
                set.push(("partition.assignment.strategy", strategy.into()));
            }
            GroupProtocol::Consumer => {
                set.push(("group.protocol", "consumer".into()));
                let range = self.strategy == Strategy::Range;
                let assignor = if range { "range" } else { "uniform" };
                set.push(("group.remote.assignor", assignor.into()));
            }
        }
    }

    /// Settings that do not depend on where and how often the source runs.
    pub(crate) fn common(&self, group: &str) -> Vec<(&'static str, String)> {
        let isolation = match self.isolation {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        };
        // A bounded source learns from them that it has come to its end.
        let interval = if self.is_bounded { "250" } else { "1000" };
        let fixed = [
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", "false"),
            ("auto.offset.reset", "error"),
            ("isolation.level", isolation),
            ("statistics.interval.ms", interval),
            ("max.poll.interval.ms", "300000"),
            // After a full queue the client would otherwise sleep a second.
            ("fetch.queue.backoff.ms", "10"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            ("topic.metadata.refresh.interval.ms", "60000"),
            ("enable.metrics.push", "false"),
        ];
        let mut all: Vec<(&'static str, String)> =
            fixed.map(|(name, value)| (name, value.to_owned())).into();
        self.set_protocol(&mut all);
        all
    }

    /// All settings of one instance.
    pub(super) fn of_instance(
        &self,
        design: &Design,
        cx: &SourceContext,
    ) -> Vec<(&'static str, String)> {
        let mut all = self.common(&design.group);
        all.extend(prefetch(cx.prefetch_bytes));
        let id = format!("swiftwater-{}-{}-{}", cx.topology, cx.node, cx.instance);
        all.push(("client.id", id));
        if let Some(name) = design.instance_id.as_ref().filter(|_| !cx.takes_all) {
            // Two members of one name would shut each other out.
            let own =
                if cx.instances > 1 { format!("{name}-{}", cx.instance) } else { name.clone() };
            all.push(("group.instance.id", own));
        }
        all
    }
}

/// Settings that keep what is read ahead within `budget` bytes: half for payloads, half for what
/// librdkafka keeps beside each, whichever is used up first. One answer for each broker may come on
/// top.
fn prefetch(budget: usize) -> [(&'static str, String); 5] {
    let payloads = (budget / 2 / 1024).max(1);
    let messages = (budget / 2 / MESSAGE_OVERHEAD).max(1);
    let answer = (budget / 4).clamp(1 << 20, 32 << 20);
    let partition = (budget / 16).clamp(256 << 10, 4 << 20);
    [
        ("queued.max.messages.kbytes", payloads.min(2_097_151).to_string()),
        ("queued.min.messages", messages.min(10_000_000).to_string()),
        ("fetch.max.bytes", answer.to_string()),
        ("max.partition.fetch.bytes", partition.to_string()),
        ("receive.message.max.bytes", RECEIVE_AT_MOST.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_stays_within_its_budget() {
        for budget in [64 << 10, 16 << 20, 512 << 20] {
            let all = prefetch(budget);
            let value = |name| {
                let (_, value) = all.iter().find(|(n, _)| *n == name).unwrap();
                value.parse::<usize>().unwrap()
            };
            let payloads = value("queued.max.messages.kbytes") * 1024;
            let overhead = value("queued.min.messages") * MESSAGE_OVERHEAD;
            assert!(payloads + overhead <= budget.max(2048), "{budget}");
            assert!(value("fetch.max.bytes") >= value("max.partition.fetch.bytes"));
        }
    }
}
