//! The `kafka` sink: writes a topic with an idempotent producer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Changes, Error, NodeContext, Result, SinkOptions, SinkPlan};

use crate::codec::{self, CodecContext};
use crate::kafka::admin::CreateTopic;
use crate::kafka::client::Connection;
use crate::kafka::commit_point;
use crate::kafka::embedded;
use crate::kafka::envelope::{EnvelopePlan, HeaderValue, column};
use crate::kafka::keys::{KeyFormat, KeyPlan};
use crate::kafka::producing::{Compression, Partitioner, Producing};
use crate::kafka::security::Security;
use crate::kafka::sink::{Design, KafkaSink};
use crate::kafka::terms::{Terms, transactional_id};
use crate::kafka::tombstones::TombstonePlan;
use crate::unused_fields;

/// Writes a topic with an idempotent producer that waits for all replicas in sync.
///
/// A row is durable when Kafka has acknowledged it, and the offsets of the sources are committed
/// only then. Connections that break are tried again for as long as `retry: {budget: …}` of the
/// topology allows; records keep their order within a partition meanwhile. A record that the topic
/// does not take (too large) is a bad record, which `on_error` decides about.
///
/// With `guarantee: exactly_once` the rows of an epoch are one transaction, together with those of
/// the other kafka sinks of the topology and the offsets of its kafka sources on the same cluster:
/// readers with `isolation: read_committed` see all of it or nothing, once for each epoch. A newer
/// process of the topology shuts an older one out. The group named like the transactional id
/// remembers the last epoch: its offsets must not be deleted or expire
/// (`offsets.retention.minutes` of the brokers) while the topology stands still.
///
/// An input whose rows replace earlier ones needs the same columns as `key`; a row that takes its
/// key's row away becomes a record without a value.
///
/// A full queue or a slow broker makes the sink wait, and what is before it wait in turn: memory
/// stays within the sink's share of `memory`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSinkOptions {
    /// Addresses of brokers, `host:port`, separated by commas. `embedded` is a broker inside this
    /// process, for trials only.
    pub brokers: String,
    /// The topic to write.
    pub topic: String,
    /// Makes the topic where it does not exist: `create: {partitions: 4, replication: 3}`. Without
    /// it a topic that does not exist is an error.
    #[serde(default)]
    pub create: Option<CreateTopic>,
    /// Columns of the key; records have none without it.
    #[serde(default)]
    pub key: Vec<String>,
    /// How the columns become a key: `raw`, the value's text (the default for one column), or
    /// `json`, an object of the columns (the default for several). A key of nulls is a null key.
    #[serde(default)]
    pub key_format: Option<KeyFormat>,
    /// Which partition a record goes to: `murmur2_random` (the default), `consistent_random`,
    /// `fnv1a_random` or `random`.
    #[serde(default)]
    pub partitioner: Partitioner,
    /// Column with the number of the partition; a null leaves it to the partitioner.
    #[serde(default)]
    pub partition: Option<String>,
    /// Column with the record's timestamp; the time of writing without it or for a null.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// Headers by name: `{origin: {value: shop}, trace: {column: trace_id}}`.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValue>,
    /// Map column whose entries become headers, such as the one that the `kafka` source makes with
    /// `metadata: {headers: …}`.
    #[serde(default)]
    pub headers_from: Option<String>,
    /// Columns that are left out of the payload.
    #[serde(default)]
    pub except: Vec<String>,
    /// Whether a row whose payload columns, those of the key aside, are all null becomes a record
    /// without a value: a compacted topic forgets its key.
    #[serde(default)]
    pub tombstones: bool,
    /// Whether the column `_op` (`insert`, `update`, `delete`) of an input whose rows replace earlier
    /// ones is part of the payload; it is left out without it.
    #[serde(default)]
    pub keep_op: bool,
    /// With `exactly_once`: the transactional id, and the name of the group that remembers the last
    /// epoch; `swiftwater.` and the topology's name without it. Two topologies that run at the same
    /// time need two.
    #[serde(default)]
    pub transactional_id: Option<String>,
    /// With `exactly_once`: how long an epoch may take before the brokers give it up, which is also
    /// how long readers wait for the rows of a process that died and does not come back. At least
    /// twice the `interval` of `checkpoint`; brokers allow up to 15 min, unless they are told
    /// otherwise.
    #[serde(default = "default_transaction_timeout")]
    pub transaction_timeout: Duration,
    /// Compression: `none`, `gzip`, `snappy`, `lz4` (the default) or `zstd`.
    #[serde(default)]
    pub compression: Compression,
    /// Level of the compression; each kind has its own range.
    #[serde(default)]
    pub compression_level: Option<i32>,
    /// How long a record may wait for others to share a request with (at most 1 s). Records that
    /// come together travel together anyway.
    #[serde(default = "default_linger")]
    pub linger: Duration,
    /// Encryption and login.
    #[serde(default)]
    pub security: Security,
    /// Further settings of librdkafka by their names, such as `socket.timeout.ms: 30000`. Those
    /// that the engine answers for are refused.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

fn default_linger() -> Duration {
    Duration(std::time::Duration::from_millis(1))
}

/// Kafka's own default.
pub(super) fn default_transaction_timeout() -> Duration {
    Duration(std::time::Duration::from_secs(60))
}

impl KafkaSinkOptions {
    fn terms(&self, cx: &NodeContext<'_>, connection: &Connection) -> Result<Terms> {
        let id = transactional_id(self.transactional_id.as_ref(), cx.topology);
        let timeout = self.transaction_timeout.0;
        let possible = std::time::Duration::from_secs(1)..=std::time::Duration::from_secs(86_400);
        if id.trim().is_empty() || !possible.contains(&timeout) {
            let what = format!("use `transaction_timeout: {}` as `{id}`", self.transaction_timeout);
            return Err(Error::config("SW2130", what)
                .with_hint("from 1s, with a `transactional_id` that is not empty"));
        }
        Ok(Terms { id, timeout, linger: self.linger.0, connection: connection.clone() })
    }

    /// Whether the input replaces rows, by the sink's own key.
    fn upserts(&self, cx: &NodeContext<'_>) -> Result<bool> {
        let Changes::Upsert { key } = cx.stream(0).changes else {
            return Ok(false);
        };
        let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        if !self.key.is_empty() && sorted(&key) != sorted(&self.key) {
            let what = format!(
                "write rows that replace those of the same {} by the key {}",
                key.join(", "),
                self.key.join(", ")
            );
            return Err(Error::config("SW2142", what).with_hint(format!(
                "`key: [{}]` lets Kafka replace what the row replaces",
                key.join(", ")
            )));
        }
        Ok(!self.key.is_empty())
    }

    fn producing(&self) -> Result<Producing> {
        if self.linger.0 > std::time::Duration::from_secs(1) {
            return Err(Error::config(
                "SW2130",
                format!("wait `linger: {}` for more records", self.linger),
            )
            .with_hint("at most 1s: every record that lingers is late by as much"));
        }
        Ok(Producing {
            partitioner: self.partitioner,
            compression: self.compression,
            compression_level: self.compression_level,
            linger: self.linger.0,
        })
    }

    fn envelope(&self, cx: &NodeContext<'_>, schema: &Arc<Schema>) -> Result<EnvelopePlan> {
        let mut headers = Vec::new();
        if let Some(name) = &self.headers_from {
            headers.push(EnvelopePlan::all_headers(name, schema)?);
        }
        for (name, value) in &self.headers {
            headers.push(EnvelopePlan::header(name, value, schema)?);
        }
        Ok(EnvelopePlan {
            key: KeyPlan::new(&self.key, self.key_format, schema, &cx.node.name)?,
            partition: EnvelopePlan::partition(self.partition.as_ref(), schema)?,
            timestamp: EnvelopePlan::timestamp(self.timestamp.as_ref(), schema)?,
            headers,
        })
    }

    /// Columns of the payload.
    fn payload(&self, schema: &Schema, op: Option<usize>) -> Result<Vec<usize>> {
        let mut left_out: Vec<usize> = self
            .except
            .iter()
            .map(|name| column(schema, name, "payload"))
            .collect::<Result<_>>()?;
        left_out.extend(op.filter(|_| !self.keep_op));
        let kept: Vec<usize> =
            (0..schema.fields().len()).filter(|i| !left_out.contains(i)).collect();
        if kept.is_empty() {
            return Err(Error::config("SW2130", "write records without a column")
                .with_hint("`except` leaves nothing out of which to make a payload"));
        }
        Ok(kept)
    }
}

impl SinkOptions for KafkaSinkOptions {
    const KIND: &'static str = "kafka";
    const EXAMPLE: &'static str = "\
name: orders_to_kafka
sources:
  orders:
    generate:
      rate: 1000
      columns:
        id: {sequence: {start: 1}}
        customer: {zipf: {values: 500}}
        amount: {uniform: {min: 1.0, max: 250.0, decimals: 2}}
sinks:
  out:
    input: orders
    kafka:
      brokers: \"localhost:9092\"
      topic: orders
      key: [customer]
      create: {partitions: 4}
    format: json
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        unused_fields::refuse_schema(cx.node, "a sink writes the columns of its input")?;
        let schema = cx.input()?;
        let connection = Connection {
            brokers: self.brokers.clone(),
            security: self.security.clone(),
            properties: self.properties.clone(),
        };
        if self.topic.trim().is_empty() {
            return Err(Error::config("SW2101", "write a topic without a name"));
        }
        if let Some(create) = &self.create {
            create.check()?;
        }
        let producing = self.producing()?;
        connection.check(&producing.common())?;
        let terms = self.terms(cx, &connection)?;
        connection.check(&terms.settings())?;
        let envelope = self.envelope(cx, &schema)?;
        let op = if self.upserts(cx)? { schema.index_of(OP_COLUMN).ok() } else { None };
        let payload = self.payload(&schema, op)?;
        let columns = Arc::new(schema.project(&payload)?);
        let codec = CodecContext { topic: Some(&self.topic), node: &cx.node.name };
        let make_encoder = codec::encoder(cx.node.format.as_ref(), columns, &codec)?;
        let is_key = |i: &usize| self.key.iter().any(|name| name == schema.field(*i).name());
        let is_value = |i: &usize| !is_key(i) && Some(*i) != op;
        let values: Vec<usize> = payload.iter().copied().filter(is_value).collect();
        let mut warnings = Vec::new();
        if connection.is_embedded() {
            warnings.push(embedded::WARNING.to_owned());
        }
        let takes_upserts = !self.key.is_empty();
        let commit_point = Some(commit_point::plan(terms.clone(), Some(self.topic.clone())));
        let design = Arc::new(Design {
            connection,
            topic: self.topic,
            create: self.create,
            producing,
            make_encoder,
            payload,
            tombstones: TombstonePlan { null: self.tombstones.then_some(values), op },
            envelope,
            terms,
        });
        let make = move || Ok(Box::new(KafkaSink::new(Arc::clone(&design))) as _);
        let plan = SinkPlan::new(Arc::new(make));
        Ok(SinkPlan { warnings, exactly_once: true, takes_upserts, commit_point, ..plan })
    }
}
