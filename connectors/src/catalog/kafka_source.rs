//! The `kafka` source: reads topics as a member of a consumer group.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, NodeContext, Result, SourceOptions, SourcePlan, schema};

use super::kafka_sink::default_transaction_timeout;
use crate::codec::{self, CodecContext};
use crate::event_time::EventTime;
use crate::kafka::bounds::{self, Start, Until};
use crate::kafka::client::Connection;
use crate::kafka::columns::MetadataColumns;
use crate::kafka::commit_point;
use crate::kafka::embedded;
use crate::kafka::ends::Ends;
use crate::kafka::rows::Tombstones;
use crate::kafka::security::Security;
use crate::kafka::settings::{Group, GroupProtocol, Isolation, Strategy};
use crate::kafka::source::{Design, KafkaSource, Subscription};
use crate::kafka::terms::{Terms, transactional_id};

/// Reads topics as a member of a consumer group.
///
/// Rows are handed on as soon as they are there. An offset is committed once every sink has
/// finished what came before it, never earlier. With `parallelism: N` the node is N members of the
/// group, and so are further processes that run the same topology: the group shares the partitions
/// out and moves them when members come and go.
///
/// Where the topology keeps state or is `exactly_once`, one process reads all partitions, those that
/// come later included: the group then moves none of them and only shows how far the topology is
/// (`group_protocol`, `assignment`, `instance_id` and `session_timeout` have no meaning there), and
/// after a restart the offsets of the last snapshot count, not those of the group.
///
/// A group that has committed offsets goes on there; `start` is for one that has not. Where the
/// records at a committed offset are gone, the topology stops and says so. With `until` the source
/// is bounded: it ends when all partitions were read up to their ends.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSourceOptions {
    /// Addresses of brokers, `host:port`, separated by commas. `embedded` is a broker inside this
    /// process, for trials only.
    pub brokers: String,
    /// The topic to read. Give one of `topic`, `topics` and `pattern`.
    #[serde(default)]
    pub topic: Option<String>,
    /// Several topics to read.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Reads all topics whose whole name matches this (POSIX extended) regular expression, also
    /// those that come later.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Name of the consumer group; the topology's name without it. Sources of one topology that
    /// read different topics need groups of their own.
    #[serde(default)]
    pub group: Option<String>,
    /// Where a group starts that has committed nothing: `earliest` (the default), `latest`,
    /// `{timestamp: 2026-01-31T12:00:00Z}` or `{offsets: {0: 1200, 1: 1180}}`.
    #[serde(default)]
    pub start: Start,
    /// Where the source ends: `latest` (what is there at the start), `{timestamp: …}` or
    /// `{offsets: …}`; it never ends without it.
    #[serde(default)]
    pub until: Option<Until>,
    /// Columns for the record's key, topic, partition, offset, timestamp and headers.
    #[serde(default)]
    pub metadata: MetadataColumns,
    /// What becomes of records without a value: `null_row` (the default), `skip` or `reject`.
    #[serde(default)]
    pub tombstones: Tombstones,
    /// Whether records of unfinished and aborted transactions are read: `read_committed` (the
    /// default) or `read_uncommitted`.
    #[serde(default)]
    pub isolation: Isolation,
    /// How the group agrees: `classic` (the default) or `consumer` (KIP-848).
    #[serde(default)]
    pub group_protocol: GroupProtocol,
    /// How partitions are shared out: `cooperative_sticky` (the default), `range` or `round_robin`.
    #[serde(default)]
    pub assignment: Strategy,
    /// Name of this process within the group (static membership): after a restart within
    /// `session_timeout` it gets its partitions back without a rebalance. Every process needs a
    /// name of its own, such as `"${HOSTNAME}"`.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// After how long without a word the group takes this process for dead.
    #[serde(default = "default_session_timeout")]
    pub session_timeout: Duration,
    /// With `exactly_once` and no kafka sink: the transactional id by which epochs are committed, and
    /// the name of the group that remembers the last one; `swiftwater.` and the topology's name
    /// without it.
    #[serde(default)]
    pub transactional_id: Option<String>,
    /// Encryption and login.
    #[serde(default)]
    pub security: Security,
    /// Further settings of librdkafka by their names, such as `fetch.min.bytes: 65536`. Those that
    /// the engine answers for are refused.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

fn default_session_timeout() -> Duration {
    Duration(std::time::Duration::from_secs(30))
}

impl KafkaSourceOptions {
    fn subscription(&self) -> Result<Subscription> {
        let wrong = |what: &str| {
            Err(Error::config("SW2101", format!("subscribe to {what}"))
                .with_hint("give one of `topic: bids`, `topics: [a, b]` and `pattern: bids-.*`"))
        };
        match (&self.topic, self.topics.as_slice(), &self.pattern) {
            (Some(topic), [], None) if !topic.is_empty() => {
                Ok(Subscription::Topics(vec![topic.clone()]))
            }
            (None, topics @ [_, ..], None) if !topics.iter().any(String::is_empty) => {
                Ok(Subscription::Topics(topics.to_vec()))
            }
            (None, [], Some(pattern)) => match Regex::new(&format!("^({pattern})$")) {
                Ok(pattern) => Ok(Subscription::Pattern(pattern)),
                Err(error) => wrong(&format!("the pattern `{pattern}`: {error}")),
            },
            (None, [], None) => wrong("no topic"),
            _ => wrong("topics in more than one way, or to one without a name"),
        }
    }

    fn check_offsets(&self, subscription: &Subscription) -> Result<()> {
        let topics = match subscription {
            Subscription::Topics(topics) => topics.as_slice(),
            Subscription::Pattern(_) => &[],
        };
        if let Start::Offsets(offsets) = &self.start {
            bounds::check(offsets, topics)?;
        }
        if let Some(Until::Offsets(offsets)) = &self.until {
            bounds::check(offsets, topics)?;
        }
        Ok(())
    }

    fn settings(&self) -> Group {
        Group {
            isolation: self.isolation,
            protocol: self.group_protocol,
            strategy: self.assignment,
            session_timeout: self.session_timeout.0,
            is_bounded: self.until.is_some(),
        }
    }

    fn warnings(&self, connection: &Connection) -> Vec<String> {
        let mut warnings = Vec::new();
        if connection.is_embedded() {
            warnings.push(embedded::WARNING.to_owned());
        }
        warnings
    }
}

impl SourceOptions for KafkaSourceOptions {
    const KIND: &'static str = "kafka";
    const EXAMPLE: &'static str = "\
name: bids_to_screen
sources:
  bids:
    kafka:
      brokers: \"localhost:9092\"
      topic: bids
      start: earliest
      metadata: {key: bidder_key, timestamp: appended_at}
    format: json
    schema: {auction: int64, bidder: int64, price: int64, date_time: timestamp_ms}
    event_time: {column: date_time}
sinks:
  screen: {input: bids, stdout: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        let connection = Connection {
            brokers: self.brokers.clone(),
            security: self.security.clone(),
            properties: self.properties.clone(),
        };
        let subscription = self.subscription()?;
        self.check_offsets(&subscription)?;
        let group = self.group.clone().unwrap_or_else(|| cx.topology.to_owned());
        let settings = self.settings();
        connection.check(&settings.common(&group))?;
        let topic = match &subscription {
            Subscription::Topics(topics) if topics.len() == 1 => topics.first().map(String::as_str),
            _ => None,
        };
        let declared = cx.node.schema.as_ref().map(schema::from_config).transpose()?;
        let codec = CodecContext { topic, node: &cx.node.name };
        let decoder = codec::decoder(cx.node.format.as_ref(), declared, &codec)?;
        let (columns, schema) = self.metadata.plan(&decoder.schema)?;
        let warnings = self.warnings(&connection);
        let bounded = self.until.is_some();
        let terms = Terms {
            id: transactional_id(self.transactional_id.as_ref(), cx.topology),
            timeout: default_transaction_timeout().0,
            linger: std::time::Duration::ZERO,
            connection: connection.clone(),
        };
        let first = match &subscription {
            Subscription::Topics(topics) => topics.iter().min().cloned(),
            Subscription::Pattern(_) => None,
        };
        let commit_point = Some(commit_point::plan(terms, first));
        let design = Arc::new(Design {
            connection,
            subscription,
            group,
            instance_id: self.instance_id,
            settings,
            start: Arc::new(self.start),
            ends: self.until.map(|until| Arc::new(Ends::new(until))),
            make_decoder: decoder.make,
            columns,
            event_time: EventTime::find(cx.node.event_time.as_ref(), &schema)?,
            schema: Arc::clone(&schema),
            tombstones: self.tombstones,
            backlog: Arc::default(),
        });
        let make = move |_| Ok(Box::new(KafkaSource::new(Arc::clone(&design))) as _);
        let plan = SourcePlan::new(schema, Arc::new(make));
        Ok(SourcePlan { bounded, warnings, replayable: true, commit_point, ..plan })
    }
}
