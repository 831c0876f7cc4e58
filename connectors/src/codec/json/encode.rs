//! Rows as JSON objects.

use std::sync::Arc;

use arrow::array::RecordBatch;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use swiftwater_engine::{Error, Result};

use super::scan::plain;
use super::{JsonOptions, Nulls, Timestamps};
use crate::codec::cell::{Cell, Member, Values, range};
use crate::codec::number_text::{decimal, float, integer};
use crate::codec::registry::{Language, Registry, frame};
use crate::codec::{Encoder, Payloads, codes, time_text};

/// How values are written that have several forms.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// Timestamps as integers.
    epoch: bool,
    /// Null fields not at all.
    omit_nulls: bool,
}

/// What stands before each object.
#[derive(Clone)]
pub(super) enum Framing {
    Known(Vec<u8>),
    /// The number of a schema, which is registered first where there is one.
    Asked {
        registry: Arc<Registry>,
        subject: String,
        schema: Option<String>,
    },
}

/// Writes JSON objects.
pub(super) struct JsonEncoder {
    style: Style,
    framing: Framing,
}

impl JsonEncoder {
    pub(super) fn new(options: &JsonOptions, framing: Framing) -> Self {
        let style = Style {
            epoch: options.timestamps == Timestamps::Epoch,
            omit_nulls: options.nulls == Nulls::Omit,
        };
        Self { style, framing }
    }

    /// Asks the registry, the first time that rows are to be written.
    fn resolve(&mut self) -> Result<()> {
        let Framing::Asked { registry, subject, schema } = &self.framing else { return Ok(()) };
        let id = match schema {
            Some(schema) => registry.register(subject, Language::Json, schema)?,
            None => match registry.latest(subject)? {
                Some((id, _)) => id,
                None => {
                    let message = format!("find subject `{subject}` in the schema registry");
                    return Err(Error::config(codes::NO_SCHEMA, message)
                        .with_hint("register a schema, or use `auto_register: true`"));
                }
            },
        };
        self.framing = Framing::Known(frame(id).to_vec());
        Ok(())
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        self.resolve()?;
        let Framing::Known(prefix) = &self.framing else {
            return Err(Error::bug("encode `json` without a schema"));
        };
        let members = Member::all(records.schema_ref().fields(), records.columns())
            .map_err(|e| Error::data(codes::UNENCODABLE, "encode rows as `json`").with_source(e))?;
        out.ends.reserve(records.num_rows());
        for row in 0..records.num_rows() {
            out.bytes.extend_from_slice(prefix);
            object(&members, row, self.style, &mut out.bytes);
            out.end();
        }
        Ok(())
    }
}

fn object(members: &[Member], row: usize, style: Style, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for Member { key, cell, .. } in members {
        let null = cell.is_null(row);
        if null && style.omit_nulls {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(key);
        if null {
            out.extend_from_slice(b"null");
        } else {
            value(&cell.values, row, style, out);
        }
    }
    out.push(b'}');
}

fn item(cell: &Cell, row: usize, style: Style, out: &mut Vec<u8>) {
    if cell.is_null(row) {
        out.extend_from_slice(b"null");
    } else {
        value(&cell.values, row, style, out);
    }
}

/// Appends the value of a row that is not null.
#[expect(
    clippy::indexing_slicing,
    reason = "the row is one of the batch's, and every buffer holds that many"
)]
fn value(values: &Values, row: usize, style: Style, out: &mut Vec<u8>) {
    match values {
        Values::Null => out.extend_from_slice(b"null"),
        Values::Bool(v) if v.value(row) => out.extend_from_slice(b"true"),
        Values::Bool(_) => out.extend_from_slice(b"false"),
        Values::I8(v) => integer(v[row], out),
        Values::I16(v) => integer(v[row], out),
        Values::I32(v) => integer(v[row], out),
        Values::I64(v) => integer(v[row], out),
        Values::U8(v) => integer(v[row], out),
        Values::U16(v) => integer(v[row], out),
        Values::U32(v) => integer(v[row], out),
        Values::U64(v) => integer(v[row], out),
        Values::F32(v) if v[row].is_finite() => float(v[row], out),
        Values::F64(v) if v[row].is_finite() => float(v[row], out),
        Values::F32(_) | Values::F64(_) => out.extend_from_slice(b"null"),
        Values::Utf8(v) => string(v.value(row).as_bytes(), out),
        Values::Utf8View(v) => string(v.value(row).as_bytes(), out),
        Values::Binary(v) => {
            out.push(b'"');
            base64(v.value(row), out);
            out.push(b'"');
        }
        Values::Date(v) => {
            out.push(b'"');
            time_text::date(i64::from(v[row]), out);
            out.push(b'"');
        }
        Values::Timestamp(_, v) if style.epoch => integer(v[row], out),
        Values::Timestamp(unit, v) => {
            quoted(out, v[row], |out| time_text::timestamp(v[row], *unit, out));
        }
        Values::Decimal(scale, v) => decimal(v[row], *scale, out),
        Values::Digits(v) => out.extend_from_slice(v.value(row).as_bytes()),
        Values::Struct(members) => object(members, row, style, out),
        Values::List(offsets, items) => {
            out.push(b'[');
            for (n, at) in range(offsets, row).enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                item(items, at, style, out);
            }
            out.push(b']');
        }
        Values::Map(offsets, keys, values) => {
            out.push(b'{');
            for (n, at) in range(offsets, row).enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                string(keys.value(at).as_bytes(), out);
                out.push(b':');
                item(values, at, style, out);
            }
            out.push(b'}');
        }
    }
}

/// Text in quotes, or the number where there is no text for it.
fn quoted(out: &mut Vec<u8>, number: impl itoa::Integer, text: impl FnOnce(&mut Vec<u8>) -> bool) {
    out.push(b'"');
    if text(out) {
        out.push(b'"');
    } else {
        out.pop();
        integer(number, out);
    }
}

/// Appends bytes as base64.
pub(in crate::codec) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    if let Some(space) = out.get_mut(start..) {
        let written = STANDARD.encode_slice(bytes, space).unwrap_or_default();
        out.truncate(start + written);
    }
}

/// Appends text in quotes, with the escapes that JSON requires.
pub(in crate::codec) fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut start = 0;
    loop {
        let end = plain(text, start);
        out.extend_from_slice(text.get(start..end).unwrap_or_default());
        let Some(special) = text.get(end) else {
            break;
        };
        escape(*special, out);
        start = end + 1;
    }
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        control => {
            let digit = |value: u8| *b"0123456789abcdef".get(usize::from(value)).unwrap_or(&b'0');
            out.extend_from_slice(b"\\u00");
            out.push(digit(control >> 4));
            out.push(digit(control & 15));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
