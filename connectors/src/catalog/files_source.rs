//! The `files` source: rows from files on disk or in an object store.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::{ByteSize, Duration};
use swiftwater_engine::{Error, NodeContext, Result, SourceOptions, SourcePlan, schema as columns};

use crate::codec::{self, CodecContext};
use crate::event_time::EventTime;
use crate::files::csv::CsvLayout;
use crate::files::format::FileFormat;
use crate::files::infer;
use crate::files::location::Location;
use crate::files::reader::{Reading, Shape};
use crate::files::source::{Design, FilesSource};
use crate::files::store::StoreOptions;

/// Reads files on disk or in an object store, in the order of their names.
///
/// The makings of the files come from `format` (`json`, `csv`, `raw`, `parquet`, `arrow_ipc`) or
/// from the path's extension; `.gz` and `.zst` are decompressed. The columns come from `schema`, or
/// else from the first file: always for Parquet and Arrow IPC, and for local JSON and CSV from its
/// first 1000 records. Declared columns are found by name; one that a file lacks is null.
///
/// A record that cannot be decoded costs only itself and names its file and line; of a file that is
/// damaged, the rest is set aside as one record.
///
/// The source ends with the last file, unless `watch` is set. With `parallelism` each file is read
/// by one of the instances.
///
/// Snapshots note how many records of each file were read: after a crash the source goes on with
/// the next one. Files must stay as they are until they are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSourceOptions {
    /// A file, a directory, or a pattern with `*`, `?`, `**`, `[a-z]`, `{a,b}`: a local path or a
    /// URL such as `s3://bucket/bids/*.parquet`. In a directory all files are read but those whose
    /// names begin with `.` or `_`.
    pub path: String,
    /// The makings of the files, where neither the node's `format` nor the extension tells them.
    #[serde(default)]
    pub format: Option<FileFormat>,
    /// Goes on after the last file and reads new ones as they appear. A file is read once, when it
    /// is first seen: move files in whole.
    #[serde(default)]
    pub watch: bool,
    /// How often to look for new files.
    #[serde(default = "FilesSourceOptions::default_every")]
    pub every: Duration,
    /// Longest line, or longest CSV record; a longer one is set aside.
    #[serde(default = "FilesSourceOptions::default_max_record")]
    pub max_record: ByteSize,
    /// CSV: whether the first line names the columns. Without a header the columns are those of the
    /// format's `fields`, or of `schema`, in their order.
    #[serde(default)]
    pub header: Option<bool>,
    /// How the object store is reached.
    #[serde(default)]
    pub store: StoreOptions,
}

impl FilesSourceOptions {
    fn default_every() -> Duration {
        Duration::from_secs(1)
    }

    const fn default_max_record() -> ByteSize {
        ByteSize(16 << 20)
    }

    fn format(&self, cx: &NodeContext<'_>) -> Result<FileFormat> {
        FileFormat::of_node(cx.node, self.format, &self.path)?.ok_or_else(|| {
            Error::config("SW2013", format!("tell what the files at `{}` are made of", self.path))
                .with_hint("set `format: json`, csv, raw, parquet or arrow_ipc")
        })
    }

    /// The columns, and how the records of a file become them.
    fn shape(
        &self,
        format: FileFormat,
        location: &Location,
        cx: &NodeContext<'_>,
    ) -> Result<(SchemaRef, Shape)> {
        let csv = CsvLayout::of_node(cx.node, format, self.header)?;
        let schema = match &cx.node.schema {
            Some(declared) => columns::from_config(declared)?,
            None => infer::columns(location, &self.path, format, csv.as_ref())?,
        };
        let shape = match (format, csv) {
            (FileFormat::Parquet, _) => Shape::Parquet,
            (FileFormat::ArrowIpc, _) => Shape::ArrowIpc,
            (_, Some(csv)) => {
                csv.check(&schema, &cx.node.name)?;
                Shape::Csv(csv)
            }
            (_, None) => {
                let node = CodecContext { topic: None, node: &cx.node.name };
                let config = format.as_config(cx.node);
                let declared = Some(Arc::clone(&schema));
                Shape::Lines(codec::decoder(Some(&config), declared, &node)?.make)
            }
        };
        Ok((schema, shape))
    }
}

impl SourceOptions for FilesSourceOptions {
    const KIND: &'static str = "files";
    const EXAMPLE: &'static str = "\
name: replay
sources:
  bids:
    files: {path: \"bids/*.ndjson\", watch: true}
    schema: {auction: int64, price: int64, date_time: timestamp_ms}
    event_time: {column: date_time}
sinks:
  screen: {input: bids, stdout: {}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        let format = self.format(cx)?;
        let location = Location::parse(&self.path, &self.store)?;
        let (schema, shape) = self.shape(format, &location, cx)?;
        let max_record = usize::try_from(self.max_record.0).unwrap_or(usize::MAX).max(1);
        let design = Arc::new(Design {
            location,
            reading: Reading { schema: Arc::clone(&schema), shape, max_record },
            watch: self.watch.then_some(self.every.0),
            event_time: EventTime::find(cx.node.event_time.as_ref(), &schema)?,
            path: self.path,
        });
        Ok(SourcePlan {
            bounded: !self.watch,
            replayable: true,
            ..SourcePlan::new(
                schema,
                Arc::new(move |_| Ok(Box::new(FilesSource::new(Arc::clone(&design))))),
            )
        })
    }
}

#[cfg(test)]
#[path = "files_source/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "files_source/resume.rs"]
mod resume;
