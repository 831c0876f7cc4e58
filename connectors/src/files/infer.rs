//! Columns of files that the topology does not declare, from the first file.

use std::io::BufReader;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::reader::infer_json_schema;
use swiftwater_engine::{Error, Result};

use super::byte_stream;
use super::compression::decompressed;
use super::csv::CsvLayout;
use super::format::FileFormat;
use super::ipc_reader;
use super::listing::FileRef;
use super::location::Location;
use super::parquet_reader;

/// Records that are looked at to tell the columns of text.
const LOOKED_AT: usize = 1000;

fn undeclared(path: &str, why: &str) -> Error {
    Error::config("SW2019", format!("tell the columns of `{path}`: {why}"))
        .with_hint("declare them: `schema: {price: int64, …}`")
}

/// The columns of the first file at `location`. Text in an object store is not looked at.
///
/// # Errors
/// `Config` (`SW2019`) where they must be declared, `Data` or `Unavailable` where the file cannot be
/// read.
pub(crate) fn columns(
    location: &Location,
    path: &str,
    format: FileFormat,
    layout: Option<&CsvLayout>,
) -> Result<SchemaRef> {
    if format == FileFormat::Raw {
        return Ok(Arc::new(Schema::new(vec![Field::new("value", DataType::Binary, true)])));
    }
    let is_text = matches!(format, FileFormat::Json | FileFormat::Csv);
    if is_text && matches!(location, Location::Object { .. }) {
        return Err(undeclared(path, "text in an object store is not read by `check`"));
    }
    let files = location.list()?;
    let Some(first) = files.first() else {
        return Err(undeclared(path, "no file is there yet"));
    };
    match (format, &first.file) {
        (FileFormat::Parquet, _) => parquet_reader::schema(first),
        (FileFormat::ArrowIpc, _) => Ok(ipc_reader::open_stream(first)?.schema()),
        (_, FileRef::Object(..) | FileRef::Local(_)) => {
            let bytes = decompressed(&first.name, byte_stream::open(first)?)
                .map_err(|e| undeclared(&first.name, "it cannot be read").with_source(e))?;
            let told =
                |e| undeclared(&first.name, "its first records differ too much").with_source(e);
            let schema = match layout {
                Some(csv) => {
                    csv.for_inference().infer_schema(bytes, Some(LOOKED_AT)).map_err(told)?.0
                }
                None => infer_json_schema(BufReader::new(bytes), Some(LOOKED_AT)).map_err(told)?.0,
            };
            if schema.fields().is_empty() {
                return Err(undeclared(&first.name, "it holds no record"));
            }
            Ok(Arc::new(schema))
        }
    }
}
