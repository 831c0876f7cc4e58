//! The options of `score`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use swiftwater_config::{Duration, Secret};

use crate::score::TensorType;

/// Adds to each row what a model says of it.
///
/// The model stands at a server of the Open Inference Protocol v2 over HTTP (KServe, `MLServer`,
/// Triton and others). All rows of a batch go out at once, in requests of at most `max_rows` rows,
/// `at_once` of them at a time; rows keep their order. A row never waits for a batch to fill: while
/// an answer is awaited, the rows that come meanwhile make the next batch.
///
/// A request that finds no server, takes longer than `timeout`, or is answered with status 408, 429
/// or 5xx is sent again for the time of `retry`. A row that has no score then, whose answer cannot be
/// read, or that has null, NaN or infinity in an input (JSON cannot hold them), gets the values of
/// `fallback` and a null version; without `fallback` it is set aside as `on_error` says.
///
/// The column `model_version` says which model scored a row: `fraud:3`, name and version as the
/// server tells it. The model is swapped without a restart: without `version` the server picks it,
/// with `version_file` it is what that file says at the moment of each request.
///
/// `canary` gives the rows of some keys to another model, `shadow` asks another model as well and
/// only compares and counts: see their options.
///
/// A row that is read again after a crash is scored again, by the model of that time.
///
/// `swiftwater_score_rows_total` counts rows by outcome, `swiftwater_score_seconds` is the time that
/// batches wait, `swiftwater_score_shadow_rows_total` and `swiftwater_score_shadow_difference` compare
/// the shadow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreOptions {
    /// Address of the server: `http://localhost:8080`.
    pub server: String,
    /// Name of the model there.
    pub model: String,
    /// Its version; the server picks one without it.
    #[serde(default)]
    pub version: Option<String>,
    /// A file that holds the version and is read anew when it changes.
    #[serde(default)]
    pub version_file: Option<PathBuf>,
    /// Tensors of a request, each with the columns that fill it: a row of the tensor for each row, an
    /// element for each column.
    pub inputs: BTreeMap<String, ScoreInput>,
    /// Columns that are added, each with its type: the first element of the answer's only tensor, or
    /// `{tensor: probabilities, at: 1, type: float64}`.
    pub outputs: BTreeMap<String, ScoreOutput>,
    /// Values of `outputs` for rows without a score; a column that is not named gets null.
    #[serde(default)]
    #[schemars(with = "Option<std::collections::BTreeMap<String, serde_json::Value>>")]
    pub fallback: Option<Map<String, Value>>,
    /// Name of the column that says which model scored a row.
    #[serde(default = "model_version")]
    pub version_column: String,
    /// Most rows of a request.
    #[serde(default = "many")]
    pub max_rows: usize,
    /// Most requests at once, for each of the node's tasks.
    #[serde(default = "four")]
    pub at_once: usize,
    /// How long an answer may take.
    #[serde(default = "a_second")]
    pub timeout: Duration,
    /// How long a request is sent again.
    #[serde(default = "five_seconds")]
    pub retry: Duration,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// PEM file of certificate authorities to trust beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A model that is asked as well, for comparison.
    #[serde(default)]
    pub shadow: Option<ScoreShadow>,
    /// A model that scores the rows of some keys.
    #[serde(default)]
    pub canary: Option<ScoreCanary>,
}

/// The columns of a tensor.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScoreInput {
    /// Columns; numbers go as FP64 or INT64, texts as BYTES.
    Columns(Vec<String>),
    /// Columns in a given type.
    Tensor(ScoreTensor),
}

/// A tensor of a given type.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreTensor {
    /// Columns that fill it.
    pub columns: Vec<String>,
    /// Type of its elements.
    #[serde(default, rename = "type")]
    pub of: Option<TensorType>,
}

/// Where a column comes from in the answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScoreOutput {
    /// The first element of the only tensor: `float64`, `float32`, `int64`, `int32`, `utf8` or `bool`.
    Type(String),
    /// An element of a tensor.
    Element(ScoreElement),
}

/// An element of a row of a tensor.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreElement {
    /// Name of the tensor; the only one without it.
    #[serde(default)]
    pub tensor: Option<String>,
    /// Which element of a row of it, from 0.
    #[serde(default)]
    pub at: usize,
    /// Type of the column.
    #[serde(rename = "type")]
    pub of: String,
}

/// A model that is asked as well: its answers are compared with the model's, counted, and never come
/// out. It is not waited for: rows that it is too slow for are counted as `skipped`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreShadow {
    /// Name of the model.
    pub model: String,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// A file that holds the version.
    #[serde(default)]
    pub version_file: Option<PathBuf>,
    /// Its server, if that is another one.
    #[serde(default)]
    pub server: Option<String>,
    /// Numbers that are no further apart count as equal.
    #[serde(default = "rounding")]
    pub tolerance: f64,
}

/// A model that scores the rows of some keys: the same key goes to the same model, on every task and
/// after every restart.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreCanary {
    /// Name of the model.
    pub model: String,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// A file that holds the version.
    #[serde(default)]
    pub version_file: Option<PathBuf>,
    /// Its server, if that is another one.
    #[serde(default)]
    pub server: Option<String>,
    /// Share of the keys that go to it, from 0 to 1.
    pub share: f64,
    /// Columns whose values decide, by their hash.
    pub key: Vec<String>,
}

/// Which model is asked where.
pub(super) struct Asked<'a> {
    pub(super) server: Option<&'a String>,
    pub(super) model: &'a String,
    pub(super) version: Option<&'a String>,
    pub(super) version_file: Option<&'a PathBuf>,
    pub(super) retry: std::time::Duration,
}

impl ScoreOptions {
    pub(super) const fn asked(&self) -> Asked<'_> {
        Asked {
            server: None,
            model: &self.model,
            version: self.version.as_ref(),
            version_file: self.version_file.as_ref(),
            retry: self.retry.0,
        }
    }
}

impl ScoreShadow {
    /// The shadow is asked once: what fails is counted.
    pub(super) const fn asked(&self) -> Asked<'_> {
        Asked {
            server: self.server.as_ref(),
            model: &self.model,
            version: self.version.as_ref(),
            version_file: self.version_file.as_ref(),
            retry: std::time::Duration::ZERO,
        }
    }
}

impl ScoreCanary {
    pub(super) const fn asked(&self, retry: std::time::Duration) -> Asked<'_> {
        Asked {
            server: self.server.as_ref(),
            model: &self.model,
            version: self.version.as_ref(),
            version_file: self.version_file.as_ref(),
            retry,
        }
    }
}

fn model_version() -> String {
    "model_version".to_owned()
}

const fn many() -> usize {
    1024
}

const fn four() -> usize {
    4
}

const fn rounding() -> f64 {
    1e-6
}

fn a_second() -> Duration {
    Duration::from_secs(1)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}
