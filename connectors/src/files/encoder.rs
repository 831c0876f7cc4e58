//! Rows as the bytes of a file: one encoder a file, whose output is taken away as it comes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use swiftwater_engine::{Error, Result};

use super::compression::{Compressed, Compression};
use crate::codec::{Encoder, MakeEncoder, Payloads};

/// What a sink's files are made of.
#[derive(Clone)]
pub(crate) struct Making {
    /// Columns of the files.
    pub schema: SchemaRef,
    /// How rows become bytes.
    pub form: Form,
    /// How bytes are made fewer.
    pub compression: Compression,
}

/// How rows become bytes.
#[derive(Clone)]
pub(crate) enum Form {
    /// A line for each row, by a message format.
    Lines {
        /// Makes the message format's encoders.
        make: MakeEncoder,
        /// What every file begins with, with its line break.
        header: Option<Vec<u8>>,
        /// Whether a row must not hold a line break, because nothing would tell it from the end.
        bare: bool,
    },
    /// Parquet with this many rows in a row group.
    Parquet {
        /// Most rows in a row group.
        row_group_rows: usize,
    },
    /// Arrow IPC, the file form.
    ArrowIpc,
}

/// Rows that can be written without fail.
pub(crate) enum Prepared {
    /// Text to append.
    Text(Vec<u8>),
    /// Rows to encode.
    Rows(RecordBatch),
}

/// Turns rows into text; shared by all files of a sink.
pub(crate) struct Preparer(Option<Lines>);

struct Lines {
    encoder: Box<dyn Encoder>,
    payloads: Payloads,
    bare: bool,
}

impl Preparer {
    /// # Errors
    /// Those of the message format.
    pub(crate) fn new(making: &Making) -> Result<Self> {
        Ok(Self(match &making.form {
            Form::Lines { make, bare, .. } => {
                Some(Lines { encoder: make()?, payloads: Payloads::default(), bare: *bare })
            }
            Form::Parquet { .. } | Form::ArrowIpc => None,
        }))
    }

    /// Does everything about rows that can fail because of the rows.
    ///
    /// # Errors
    /// `Data` where a value has no form in the format.
    pub(crate) fn prepare(&mut self, records: &RecordBatch) -> Result<Prepared> {
        let Some(Lines { encoder, payloads, bare }) = &mut self.0 else {
            return Ok(Prepared::Rows(records.clone()));
        };
        payloads.clear();
        encoder.encode(records, payloads)?;
        if *bare && payloads.bytes.contains(&b'\n') {
            return Err(Error::data("SW2024", "write a value that holds a line break as one line")
                .with_hint("write JSON, CSV or Parquet"));
        }
        Ok(Prepared::Text(payloads.lines()))
    }
}

/// The bytes of one file.
pub(crate) enum FileEncoder {
    /// Lines.
    Text(Box<Compressed>),
    /// Parquet.
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    /// Arrow IPC.
    ArrowIpc(Box<FileWriter<Vec<u8>>>),
}

/// The writer failed where it cannot: the file is unusable, and the rows must be read again.
fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::state("SW2025", "encode rows for a file")
        .with_hint("the topology goes on from the last epoch")
        .with_source(error)
}

impl FileEncoder {
    /// The beginning of a file.
    ///
    /// # Errors
    /// `State` (`SW2025`) for columns that the format cannot hold; planning has ruled that out.
    pub(crate) fn begin(making: &Making) -> Result<Self> {
        let schema = Arc::clone(&making.schema);
        Ok(match &making.form {
            Form::Lines { header, .. } => {
                let mut text = Compressed::new(making.compression).map_err(broken)?;
                text.write(header.as_deref().unwrap_or_default()).map_err(broken)?;
                Self::Text(Box::new(text))
            }
            Form::Parquet { row_group_rows } => {
                let properties = WriterProperties::builder()
                    .set_compression(making.compression.in_parquet())
                    .set_max_row_group_row_count(Some(*row_group_rows))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties));
                Self::Parquet(Box::new(writer.map_err(broken)?))
            }
            Form::ArrowIpc => {
                let options = IpcWriteOptions::default()
                    .try_with_compression(making.compression.in_arrow_ipc())
                    .map_err(broken)?;
                let writer = FileWriter::try_new_with_options(Vec::new(), &schema, options);
                Self::ArrowIpc(Box::new(writer.map_err(broken)?))
            }
        })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// `State` (`SW2025`) where the encoder fails.
    pub(crate) fn write(&mut self, rows: &Prepared) -> Result<()> {
        match (self, rows) {
            (Self::Text(text), Prepared::Text(bytes)) => text.write(bytes).map_err(broken),
            (Self::Parquet(writer), Prepared::Rows(rows)) => writer.write(rows).map_err(broken),
            (Self::ArrowIpc(writer), Prepared::Rows(rows)) => writer.write(rows).map_err(broken),
            _ => Err(Error::bug("write rows that were prepared for another format")),
        }
    }

    /// Bytes that have come out and are to be stored.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Text(text) => text.buffer(),
            // Both writers count the bytes they have written by themselves, so that the buffer can
            // be emptied between writes.
            Self::Parquet(writer) => writer.inner_mut(),
            Self::ArrowIpc(writer) => writer.get_mut(),
        }
    }

    /// Bytes that will come out later: of memory, and as they will be in the file.
    pub(crate) fn inside(&self) -> (usize, usize) {
        match self {
            Self::Parquet(writer) => (writer.memory_size(), writer.in_progress_size()),
            Self::Text(_) | Self::ArrowIpc(_) => (0, 0),
        }
    }

    /// Lets come out what can: ends the row group of a Parquet file.
    ///
    /// # Errors
    /// `State` (`SW2025`) where the encoder fails.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match self {
            Self::Parquet(writer) => writer.flush().map_err(broken),
            Self::Text(_) | Self::ArrowIpc(_) => Ok(()),
        }
    }

    /// The rest of the file.
    ///
    /// # Errors
    /// `State` (`SW2025`) where the encoder fails.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => text.finish().map_err(broken),
            Self::Parquet(writer) => writer.into_inner().map_err(broken),
            Self::ArrowIpc(mut writer) => {
                writer.finish().map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }
}
