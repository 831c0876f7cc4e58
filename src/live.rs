//! What is going on right now: rates, shares of time, lag and latency of each node, taken from the
//! metrics at regular moments. The progress block and `/topology` show it.

mod sampler;
mod series;

use serde::Serialize;

pub(crate) use sampler::{Live, Sampler};

/// A node's last second.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct NodeRates {
    /// Name of the node.
    pub(crate) node: String,
    /// Rows taken so far.
    pub(crate) rows_in: u64,
    /// Rows given so far.
    pub(crate) rows_out: u64,
    /// Rows taken per second.
    pub(crate) rows_in_per_second: f64,
    /// Rows given per second.
    pub(crate) rows_out_per_second: f64,
    /// Share of its threads' time spent working, 0 to 1.
    pub(crate) busy: f64,
    /// Share of its threads' time spent waiting for a full edge or a slow system, 0 to 1.
    pub(crate) backpressured: f64,
    /// Records between the read position and the end, of a source that knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lag_records: Option<u64>,
    /// Kafka append to acknowledgement over the last seconds, of a sink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) e2e_latency_seconds: Option<Quantiles>,
    /// Source read to acknowledgement over the last seconds, of a sink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingest_to_ack_seconds: Option<Quantiles>,
    /// Records set aside so far.
    pub(crate) dead_letters: u64,
    /// Rows dropped on purpose so far.
    pub(crate) dropped_rows: u64,
    /// Further tries of an unavailable system so far.
    pub(crate) retries: u64,
    /// Rows older than the watermark so far.
    pub(crate) late_rows: u64,
    /// How far its watermark is behind the clock, of a node that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) watermark_lag_seconds: Option<f64>,
    /// Memory that its state takes, of a node that keeps some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_bytes: Option<u64>,
    /// State of it on local disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_spilled_bytes: Option<u64>,
}

/// Two quantiles in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    /// Half of the rows were faster.
    pub(crate) p50: f64,
    /// All but one row in a hundred were faster.
    pub(crate) p99: f64,
}

/// How full an edge is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct EdgeFill {
    /// The edge, such as `bids->serious`.
    pub(crate) edge: String,
    /// Rows waiting.
    pub(crate) rows: u64,
    /// Most rows that may wait.
    pub(crate) capacity_rows: u64,
    /// Bytes waiting.
    pub(crate) bytes: u64,
}

/// All nodes and edges at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Snapshot {
    /// The nodes in the order of the plan.
    pub(crate) nodes: Vec<NodeRates>,
    /// The edges by name.
    pub(crate) edges: Vec<EdgeFill>,
    /// Time since the newest committed epoch began.
    pub(crate) epoch_age_seconds: f64,
    /// Memory the process takes, where the system tells.
    pub(crate) resident_bytes: Option<u64>,
}
