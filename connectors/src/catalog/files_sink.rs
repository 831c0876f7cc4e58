//! The `files` sink: rows into files on disk or in an object store, each visible when it is whole.

mod features;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::{ByteSize, Duration};
use swiftwater_engine::{Error, NodeContext, Result, Sink, SinkOptions, SinkPlan};

use crate::codec::{self, CodecContext};
use crate::files::compression::Compression;
use crate::files::csv::CsvLayout;
use crate::files::derived::Derived;
use crate::files::encoder::{Form, Making};
use crate::files::format::FileFormat;
use crate::files::location::Location;
use crate::files::partition;
use crate::files::sink::{Design, FilesSink};
use crate::files::store::StoreOptions;

pub use features::FilesFeatures;

/// Writes files on disk or in an object store, each of which appears when it is whole.
///
/// Files are named by the time the topology started and a number, so that names sort by time and
/// are never used twice: `20261123T101530123Z-9f86d081-000042.parquet`. A file is ended when it is
/// large or old enough (`roll`), when the topology ends, and when partitions of a topic move to
/// another process. Only then do its rows count as written and are their offsets committed: `every`
/// is also how much is read again after a crash.
///
/// On a local disk a file is written under a hidden name, made durable (fsync) and renamed; what a
/// crash leaves behind is removed at the next start. In an object store it is one request, or an
/// upload in parts that appears with the last request; let a rule of the bucket remove unfinished
/// uploads after some days.
///
/// With `guarantee: exactly_once` the files of an epoch appear together, after the epoch was
/// committed: there are at least as many files as epochs with rows, so that a longer
/// `checkpoint.interval` makes fewer and larger ones. What is staged and not committed when the
/// process dies never appears; what was committed appears at the next start. Which epoch appeared
/// last is noted in `_swiftwater/` below `path`.
///
/// The makings come from `format` (`json`, `csv`, `raw`, `parquet`, `arrow_ipc`); without it, lines
/// of JSON.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSinkOptions {
    /// The directory: a local path, or a URL such as `s3://bucket/bids/`.
    pub path: String,
    /// The makings of the files, where the node has no `format`.
    #[serde(default)]
    pub format: Option<FileFormat>,
    /// When a file is ended and the next one begun.
    #[serde(default)]
    pub roll: RollOptions,
    /// Columns whose values name sub-directories, `country=CH/`, in the way of Hive; they are left out
    /// of the files. `year(at)`, `month(at)`, `day(at)` and `hour(at)` are parts of a time in UTC,
    /// `day=2026-11-23/`, `hour=2026-11-23-10/`; the column stays in the files.
    #[serde(default)]
    pub partition_by: Vec<String>,
    /// Adds a column of this name: the time at which the sink took the row, by the clock of the
    /// machine. A training set asks by it what was known at some moment, where the event time
    /// says of which moment a row speaks.
    #[serde(default)]
    pub created_column: Option<String>,
    /// Writes rows as features of entities: their keys, event time and features alone. Without more they
    /// are Parquet, in a directory for each day of the event time, with a `created_column` `created_at`:
    /// a training set asks for both clocks.
    #[serde(default)]
    pub features: Option<FilesFeatures>,
    /// Columns that are written; all without it. Beside `features`, their keys and event time are
    /// written as well.
    #[serde(default)]
    pub values: Vec<String>,
    /// How bytes are made fewer: inside Parquet (`zstd` without it, `snappy`, `gzip`, `lz4`, `none`)
    /// and Arrow IPC (`zstd`, `lz4`), and of whole files of lines (`gzip`, `zstd`).
    #[serde(default)]
    pub compression: Option<Compression>,
    /// Parquet: most rows in a row group (1048576 without it). Fewer where memory is short.
    #[serde(default)]
    pub row_group_rows: Option<usize>,
    /// CSV: whether the first line names the columns.
    #[serde(default)]
    pub header: Option<bool>,
    /// How the object store is reached.
    #[serde(default)]
    pub store: StoreOptions,
}

/// When a file is ended.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollOptions {
    /// At about this size.
    pub bytes: ByteSize,
    /// At this age.
    pub every: Duration,
}

impl Default for RollOptions {
    fn default() -> Self {
        Self { bytes: ByteSize(128 << 20), every: Duration::from_secs(60) }
    }
}

const ROW_GROUP_ROWS: usize = 1 << 20;
/// Epochs shorter than this make more files than readers like.
const FEW_FILES: std::time::Duration = std::time::Duration::from_secs(10);

impl FilesSinkOptions {
    fn form(&self, format: FileFormat, schema: &SchemaRef, cx: &NodeContext<'_>) -> Result<Form> {
        let csv = CsvLayout::of_node(cx.node, format, self.header)?;
        let groups = self.row_group_rows;
        if groups.is_some() && format != FileFormat::Parquet || groups == Some(0) {
            return Err(Error::config("SW2013", "use `row_group_rows` so")
                .with_hint("it is a number above 0 and belongs to `format: parquet`"));
        }
        Ok(match format {
            FileFormat::Parquet => {
                ArrowSchemaConverter::new().convert(schema).map_err(|e| {
                    Error::config("SW2013", "write the input's columns as Parquet").with_source(e)
                })?;
                Form::Parquet { row_group_rows: groups.unwrap_or(ROW_GROUP_ROWS) }
            }
            FileFormat::ArrowIpc => Form::ArrowIpc,
            FileFormat::Json | FileFormat::Csv | FileFormat::Raw => {
                let name = cx.node.name.as_str();
                let (make, header) = match csv {
                    Some(csv) => csv.encoder(schema, name)?,
                    None => {
                        let node = CodecContext { topic: None, node: name };
                        let config = format.as_config(cx.node);
                        (codec::encoder(Some(&config), Arc::clone(schema), &node)?, None)
                    }
                };
                Form::Lines { make, header, bare: format == FileFormat::Raw }
            }
        })
    }

    fn check_roll(&self) -> Result<()> {
        let RollOptions { bytes, every } = &self.roll;
        if bytes.0 > 0 && !every.0.is_zero() {
            return Ok(());
        }
        Err(Error::config("SW2013", format!("roll files with bytes {bytes}, every {every}"))
            .with_hint("give a size and an age above 0"))
    }
}

impl SinkOptions for FilesSinkOptions {
    const KIND: &'static str = "files";
    const EXAMPLE: &'static str = "\
name: archive
sources:
  bids: {generate: {preset: bids, count: 100000}}
sinks:
  archive:
    input: bids
    files: {path: archive/bids/, roll: {bytes: 128MiB, every: 60s}, partition_by: [channel]}
    format: parquet
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let design = self.design(cx)?;
        let make = Arc::new(move || Ok(Box::new(FilesSink::new(design.clone())) as Box<dyn Sink>));
        Ok(SinkPlan {
            exactly_once: true,
            least_interval: Some((FEW_FILES, "each epoch makes files of its own".to_owned())),
            ..SinkPlan::new(make)
        })
    }
}

impl FilesSinkOptions {
    fn design(mut self, cx: &NodeContext<'_>) -> Result<Design> {
        let places = self.written(cx)?;
        let input = Arc::new(cx.input()?.project(&places)?);
        self.check_roll()?;
        if crate::files::glob::is_pattern(&self.path) {
            return Err(Error::config(
                "SW2011",
                format!("write files to the pattern `{}`", self.path),
            )
            .with_hint("give a directory; files are named by the sink"));
        }
        let usual = if self.features.is_some() { FileFormat::Parquet } else { FileFormat::Json };
        let format = FileFormat::of_node(cx.node, self.format, "")?.unwrap_or(usual);
        let derived =
            Derived::new(&input, places, &self.partition_by, self.created_column.as_deref())?;
        let by = &derived.partition_by;
        let schema = if by.is_empty() {
            Arc::clone(&derived.schema)
        } else {
            partition::remaining(&derived.schema, by)?
        };
        let form = self.form(format, &schema, cx)?;
        let compression = match self.compression {
            Some(compression) => compression.check(format)?,
            None => Compression::default_for(format),
        };
        let whole = matches!(form, Form::Lines { .. });
        let suffix = if whole { compression.suffix() } else { "" };
        Ok(Design {
            location: Location::parse(&self.path, &self.store)?,
            extension: format!("{}{suffix}", format.extension()),
            making: Making { schema, form, compression },
            derived,
            roll_bytes: self.roll.bytes.0,
            roll_every: self.roll.every.0,
        })
    }
}

#[cfg(test)]
#[path = "files_sink/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "files_sink/exactly_once.rs"]
mod exactly_once;

#[cfg(test)]
#[path = "files_sink/trouble.rs"]
mod trouble;
