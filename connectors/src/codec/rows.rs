//! Which payload became which row: the account that every decoder of single payloads keeps.

use std::str::Utf8Error;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Error, Result};

use super::column::{Column, Group};
use super::{BadPayload, Decoded, codes};

/// Why a payload is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    /// Stable code of the reason.
    pub(super) code: &'static str,
    /// The reason, quoting the value.
    pub(super) message: String,
}

impl Bad {
    /// A reason.
    #[cold]
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Puts the name of an enclosing column before the one that the message names.
    #[cold]
    pub(super) fn below(mut self, outer: &str) -> Self {
        if let Some(rest) = self.message.strip_prefix("column `") {
            self.message = format!("column `{outer}.{rest}");
        }
        self
    }

    /// A value that the column cannot hold.
    #[cold]
    pub(super) fn wrong(column: &Column, found: &str) -> Self {
        let (name, expected) = (column.name(), column.expected());
        let message = format!("column `{name}`: expected {expected}, found {}", clip(found));
        Self::new(codes::WRONG_TYPE, message)
    }

    /// A null, or nothing, for a required column.
    #[cold]
    pub(super) fn missing(column: &Column) -> Self {
        let (name, expected) = (column.name(), column.expected());
        let message = format!("column `{name}`: required {expected} is missing or null");
        Self::new(codes::MISSING_FIELD, message)
    }

    /// Text of `payload` that is not UTF-8.
    #[cold]
    pub(super) fn utf8(payload: &[u8], error: &Utf8Error) -> Self {
        let at = error.valid_up_to();
        let byte = payload.get(at).copied().unwrap_or_default();
        let message = format!("invalid UTF-8 at byte {at} (0x{byte:02x})");
        Self::new(codes::BAD_UTF8, message)
    }
}

/// Decodes payload after payload into `group` by `append`, which appends exactly one row and calls
/// [`Group::end_row`], or says why not; what it leaves of a bad payload is taken back here.
///
/// Null payloads are rows of nulls where that is allowed. `append` fails outright only where the
/// whole batch must be tried again.
pub(super) fn decode_each(
    schema: &SchemaRef,
    group: &mut Group,
    max_bytes: usize,
    payloads: &[Option<&[u8]>],
    mut append: impl FnMut(&mut Group, &[u8]) -> Result<Result<(), Bad>>,
) -> Result<Decoded> {
    // A batch that was given up half way leaves rows behind.
    group.truncate(0);
    group.reserve(payloads.len());
    let mut rejected = Vec::new();
    let mut rows: Option<Vec<u32>> = None;
    let mut len = 0;
    // The offsets of text columns are 32 bits wide.
    let mut room = i32::MAX as usize;
    for (index, payload) in payloads.iter().enumerate() {
        let outcome = match payload {
            Some(payload) if payload.len() > max_bytes => Err(too_large(payload.len(), max_bytes)),
            Some(payload) if payload.len() > room => {
                Err(Bad::new(codes::TOO_LARGE, "payloads of one batch exceed 2 GiB"))
            }
            Some(payload) => {
                room -= payload.len();
                append(group, payload)?
            }
            None => append_null(group),
        };
        match outcome {
            Ok(()) => {
                len += 1;
                if let Some(rows) = &mut rows {
                    rows.push(row_number(index)?);
                }
            }
            Err(Bad { code, message }) => {
                group.truncate(len);
                if rows.is_none() {
                    rows = Some((0..row_number(len)?).collect());
                }
                rejected.push(BadPayload { index, code, message });
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(len));
    let columns = group.finish()?;
    let records = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    Ok(Decoded { records, rows, rejected })
}

/// Text cut to a length that a log line can bear.
fn clip(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn append_null(group: &mut Group) -> Result<(), Bad> {
    if !group.accepts_nulls() {
        let message = "null payload, and a column is required";
        return Err(Bad::new(codes::NULL_PAYLOAD, message));
    }
    group.append_nulls();
    Ok(())
}

#[cold]
fn too_large(size: usize, limit: usize) -> Bad {
    let message = format!("payload of {size} bytes is larger than `max_bytes`, {limit}");
    Bad::new(codes::TOO_LARGE, message)
}

/// An index as the number of a row.
pub(super) fn row_number(index: usize) -> Result<u32> {
    u32::try_from(index).map_err(|_| Error::bug("decode a batch of more than 2^32 payloads"))
}
