//! Data-quality rules: what a row or a batch must hold to, and what a breach of it says.

mod batch_rule;
mod row_rule;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Error, dead_letter};

pub(crate) use batch_rule::BatchRule;
pub(crate) use row_rule::{Demand, RowRule};

/// What happens when a rule is broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// The row is set aside as `on_error` of the node says.
    #[default]
    DeadLetter,
    /// The row passes; it is only counted.
    Count,
    /// The topology stops.
    Stop,
}

/// A rule's name and what happens when it is broken.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The name the user gave, or the rule in words; label of the metric.
    pub(crate) label: Arc<str>,
    /// What happens.
    pub(crate) breach: Breach,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Number of the row in its batch.
    pub(crate) row: usize,
    /// Code of the dead letter.
    pub(crate) code: &'static str,
    /// The rule and the value.
    pub(crate) message: String,
}

impl Terms {
    /// The error that stops the topology.
    pub(crate) fn stop(&self, broken: &Broken, records: &RecordBatch) -> Error {
        let payload = dead_letter::row_as_json(&records.slice(broken.row, 1));
        let row = String::from_utf8_lossy(&payload);
        Error::state(broken.code, format!("{}; the row is {row}", broken.message)).with_hint(
            "the rule says on_breach: stop; dead_letter sets the row aside, count lets it pass",
        )
    }
}

/// The values of some columns of a row, for messages.
pub(crate) fn values(records: &RecordBatch, columns: &[usize], row: usize) -> String {
    const LONGEST: usize = 100;
    let schema = records.schema();
    let value = |number: usize| {
        let column = records.column(number).as_ref();
        let options = FormatOptions::default().with_null("null");
        let text = ArrayFormatter::try_new(column, &options)
            .and_then(|formatter| formatter.value(row).try_to_string());
        let mut text = text.unwrap_or_else(|_| format!("a {}", column.data_type()));
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
        format!("`{}` is {text}", schema.field(number).name())
    };
    columns.iter().map(|number| value(*number)).collect::<Vec<_>>().join(", ")
}

/// Each row as JSON.
pub(crate) fn payloads(records: &RecordBatch) -> Vec<Bytes> {
    let text = dead_letter::row_as_json(records);
    let lines: Vec<Bytes> =
        text.split(|byte| *byte == b'\n').map(|line| text.slice_ref(line)).collect();
    if lines.len() == records.num_rows() {
        return lines;
    }
    // One value without a JSON form spoils the whole text: row by row, only its own.
    (0..records.num_rows()).map(|row| dead_letter::row_as_json(&records.slice(row, 1))).collect()
}
