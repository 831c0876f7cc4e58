//! What a file is made of: by the node's `format`, or by the file's extension.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use swiftwater_config::{FormatConfig, NodeConfig};
use swiftwater_engine::{Error, Result};

/// The makings of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// One JSON object a line (NDJSON).
    Json,
    /// Comma-separated values, the first line naming the columns.
    Csv,
    /// Lines of bytes.
    Raw,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, the file or the stream form.
    ArrowIpc,
}

/// The format `parquet` has no options of its own: `files` has them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParquetOptions {}

const ALL: [(FileFormat, &str, &[&str]); 5] = [
    (FileFormat::Json, "json", &["json", "ndjson", "jsonl"]),
    (FileFormat::Csv, "csv", &["csv"]),
    (FileFormat::Raw, "raw", &["txt", "log"]),
    (FileFormat::Parquet, "parquet", &["parquet"]),
    (FileFormat::ArrowIpc, "arrow_ipc", &["arrow", "ipc", "feather", "arrows"]),
];

impl FileFormat {
    /// The name in a topology file.
    pub(crate) fn name(self) -> &'static str {
        ALL.iter().find(|(f, ..)| *f == self).map_or("json", |(_, name, _)| name)
    }

    /// The extension of files that are written.
    pub(crate) fn extension(self) -> &'static str {
        let first = |extensions: &[&'static str]| extensions.first().copied();
        ALL.iter().find(|(f, ..)| *f == self).and_then(|(.., e)| first(e)).unwrap_or("json")
    }

    /// Whether a file is read and written line by line through a message format.
    pub(crate) const fn is_lines(self) -> bool {
        matches!(self, Self::Json | Self::Csv | Self::Raw)
    }

    fn of_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches(".gz").trim_end_matches(".zst");
        let (_, extension) = path.rsplit_once('.')?;
        ALL.iter().find(|(.., e)| e.contains(&extension)).map(|(format, ..)| *format)
    }

    /// The format of a node: of its `format`, of the kind's option, or of its path's extension.
    ///
    /// # Errors
    /// `Config` (`SW2013`) where they disagree or a format has no file form.
    pub(crate) fn of_node(
        node: &NodeConfig,
        option: Option<Self>,
        path: &str,
    ) -> Result<Option<Self>> {
        let Some(common) = &node.format else {
            return Ok(option.or_else(|| Self::of_path(path)));
        };
        let named = ALL.iter().find(|(_, name, _)| *name == common.name).map(|(f, ..)| *f);
        match (named, option) {
            (None, _) => {
                let names: Vec<&str> = ALL.iter().map(|(_, name, _)| *name).collect();
                Err(Error::config("SW2013", format!("use files with `format: {}`", common.name))
                    .with_hint(format!("formats of files are {}", names.join(", "))))
            }
            (Some(named), Some(option)) if named != option => Err(Error::config(
                "SW2013",
                format!("use `format: {}` beside `format: {}`", common.name, option.name()),
            )
            .with_hint("give the format once")),
            (Some(named), _) => {
                refuse_options(named, &common.options)?;
                Ok(Some(named))
            }
        }
    }

    /// The format as the message formats are asked for it, with the options the node gave.
    pub(crate) fn as_config(self, node: &NodeConfig) -> FormatConfig {
        let options = node.format.as_ref().map_or(Value::Null, |f| f.options.clone());
        FormatConfig { name: self.name().into(), options }
    }
}

/// Options of a message format make sense for files of lines only.
fn refuse_options(format: FileFormat, options: &Value) -> Result<()> {
    let given = options.as_object().is_some_and(|o| !o.is_empty());
    if !given || format.is_lines() {
        return Ok(());
    }
    Err(Error::config("SW2013", format!("use options of `format: {}` with files", format.name()))
        .with_hint("give them as options of `files`, such as `compression`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_node::node;
    use swiftwater_config::Role;

    #[test]
    fn the_format_comes_from_the_node_the_option_or_the_extension() {
        let of = |common: &str, option, path: &str| {
            let node = node(Role::Source, "files", Value::Null, common);
            FileFormat::of_node(&node, option, path)
        };
        assert_eq!(of("", None, "in/*.ndjson.gz").unwrap(), Some(FileFormat::Json));
        assert_eq!(of("", None, "in/x.parquet").unwrap(), Some(FileFormat::Parquet));
        assert_eq!(of("", None, "in/").unwrap(), None);
        assert_eq!(of("csv", None, "in/x.txt").unwrap(), Some(FileFormat::Csv));
        let ipc = Some(FileFormat::ArrowIpc);
        assert_eq!(of("arrow_ipc", ipc, "x").unwrap(), ipc);
        assert_eq!(of("json", ipc, "x").unwrap_err().code, "SW2013");
        assert_eq!(of("avro", None, "x").unwrap_err().code, "SW2013");
    }
}
