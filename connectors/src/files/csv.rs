//! CSV files: the message format `csv`, with a first line that names the columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};
use swiftwater_config::{FormatConfig, NodeConfig};
use swiftwater_engine::{Error, Result};

use super::format::FileFormat;
use crate::codec::{self, CodecContext, CsvOptions, Decoder, MakeEncoder, Payloads};

/// How CSV files are read and written.
#[derive(Debug, Clone)]
pub(crate) struct CsvLayout {
    options: CsvOptions,
    /// The same as the node wrote them.
    config: FormatConfig,
    /// Whether the first line names the columns.
    pub header: bool,
}

fn refused(what: &str, hint: &str) -> Error {
    Error::config("SW2013", what.to_owned()).with_hint(hint)
}

fn ascii(character: char) -> u8 {
    u8::try_from(character).unwrap_or(b'"')
}

impl CsvLayout {
    /// The layout of a node's files; `None` where they are no CSV.
    ///
    /// # Errors
    /// `Config` (`SW2013`) for options that contradict each other.
    pub(crate) fn of_node(
        node: &NodeConfig,
        format: FileFormat,
        header: Option<bool>,
    ) -> Result<Option<Self>> {
        if format != FileFormat::Csv {
            return match header {
                None => Ok(None),
                Some(_) => Err(refused(
                    &format!("use `header` with {}", format.name()),
                    "remove `header`: it belongs to `format: csv`",
                )),
            };
        }
        let config = format.as_config(node);
        let options = match &config.options {
            Value::Null => CsvOptions::default(),
            given => serde_json::from_value(given.clone()).map_err(|e| {
                refused("read the options of the format `csv`", "see the manual of the format")
                    .with_source(e)
            })?,
        };
        let header = header.unwrap_or(options.fields.is_none());
        if header && options.fields.is_some() {
            return Err(refused(
                "use `fields` of `csv` with files that have a header",
                "remove `fields`, or set `header: false`",
            ));
        }
        Ok(Some(Self { options, config, header }))
    }

    /// The character around values that hold line breaks.
    pub(super) fn quote(&self) -> u8 {
        ascii(self.options.quote)
    }

    /// As the inference of columns takes it.
    pub(super) fn for_inference(&self) -> Format {
        Format::default()
            .with_header(self.header)
            .with_delimiter(ascii(self.options.delimiter))
            .with_quote(self.quote())
    }

    /// The names that a header line holds.
    ///
    /// # Errors
    /// Those of the parser.
    pub(super) fn names(
        &self,
        line: &[u8],
    ) -> std::result::Result<Vec<String>, arrow::error::ArrowError> {
        let (schema, _) = self.for_inference().infer_schema(line, Some(0))?;
        Ok(schema.fields().iter().map(|f| f.name().clone()).collect())
    }

    /// Checks that the columns can be read.
    ///
    /// # Errors
    /// `Config` of the message format.
    pub(crate) fn check(&self, schema: &SchemaRef, node: &str) -> Result<()> {
        let cx = CodecContext { topic: None, node };
        codec::decoder(Some(&self.config), Some(Arc::clone(schema)), &cx).map(|_| ())
    }

    /// A decoder of `schema` for lines whose fields are `names`, or the columns in their order.
    ///
    /// # Errors
    /// Those of the message format.
    pub(super) fn decoder(
        &self,
        schema: &SchemaRef,
        names: Option<&[String]>,
        max_record: usize,
    ) -> Result<Box<dyn Decoder>> {
        let mut config = self.config.clone();
        if config.options.is_null() {
            config.options = json!({});
        }
        if let Some(options) = config.options.as_object_mut() {
            // Longer records do not come this far.
            options.insert("max_bytes".into(), format!("{max_record}B").into());
            if let Some(names) = names {
                options.insert("fields".into(), names.into());
            }
        }
        let cx = CodecContext { topic: None, node: "files" };
        (codec::decoder(Some(&config), Some(Arc::clone(schema)), &cx)?.make)()
    }

    /// Makes encoders, and the header line that every file begins with.
    ///
    /// # Errors
    /// `Config` where a column has no form in CSV.
    pub(crate) fn encoder(
        &self,
        schema: &SchemaRef,
        node: &str,
    ) -> Result<(MakeEncoder, Option<Vec<u8>>)> {
        let cx = CodecContext { topic: None, node };
        let make = codec::encoder(Some(&self.config), Arc::clone(schema), &cx)?;
        if !self.header {
            return Ok((make, None));
        }
        // The header is a line like any other: one of text, with the names as values.
        let names = schema.fields().iter().map(|f| f.name());
        let fields: Vec<Field> =
            names.clone().map(|name| Field::new(name, DataType::Utf8, false)).collect();
        let texts = Arc::new(Schema::new(fields));
        let values = names.map(|n| Arc::new(StringArray::from(vec![n.as_str()])) as ArrayRef);
        let line = RecordBatch::try_new(Arc::clone(&texts), values.collect())?;
        let mut encoder = codec::encoder(Some(&self.config), texts, &cx)?()?;
        let mut header = Payloads::default();
        encoder.encode(&line, &mut header)?;
        header.bytes.push(b'\n');
        Ok((make, Some(header.bytes)))
    }
}
