//! Rows as JSON objects.

use arrow::array::RecordBatch;
use arrow::buffer::NullBuffer;
use arrow::datatypes::Schema;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use swiftwater_engine::{Error, Result};

use super::cell::{Cell, Member, Style, Values, check};
use super::scan::plain;
use super::{JsonOptions, Nulls, Timestamps, time};
use crate::codec::{Encoder, Payloads, codes};

/// Writes JSON objects.
pub(super) struct JsonEncoder {
    style: Style,
}

impl JsonEncoder {
    pub(super) fn new(options: &JsonOptions) -> Self {
        let style = Style {
            epoch: options.timestamps == Timestamps::Epoch,
            omit_nulls: options.nulls == Nulls::Omit,
        };
        Self { style }
    }

    /// Whether all columns can be written.
    ///
    /// # Errors
    /// `Config` for the first that cannot.
    pub(super) fn check(schema: &Schema) -> Result<()> {
        for field in schema.fields() {
            check(field).map_err(|e| {
                let message = format!(
                    "encode column `{}` of type {} as `json`",
                    field.name(),
                    field.data_type()
                );
                Error::config(codes::UNSUPPORTED_TYPE, message).with_source(e)
            })?;
        }
        Ok(())
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        let members = Member::all(records.schema_ref().fields(), records.columns())
            .map_err(|e| Error::data(codes::UNENCODABLE, "encode rows as `json`").with_source(e))?;
        out.ends.reserve(records.num_rows());
        for row in 0..records.num_rows() {
            object(&members, row, self.style, &mut out.bytes);
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }
}

fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(row))
}

fn object(members: &[Member], row: usize, style: Style, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for Member { key, cell } in members {
        let null = is_null(cell.nulls.as_ref(), row);
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
            cell.values.write(row, style, out);
        }
    }
    out.push(b'}');
}

impl Cell {
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) {
        if is_null(self.nulls.as_ref(), row) {
            out.extend_from_slice(b"null");
        } else {
            self.values.write(row, style, out);
        }
    }
}

impl Values {
    /// Appends the value of a row that is not null.
    #[expect(
        clippy::indexing_slicing,
        reason = "the row is one of the batch's, and every buffer holds that many"
    )]
    fn write(&self, row: usize, style: Style, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(v) if v.value(row) => out.extend_from_slice(b"true"),
            Self::Bool(_) => out.extend_from_slice(b"false"),
            Self::I8(v) => integer(v[row], out),
            Self::I16(v) => integer(v[row], out),
            Self::I32(v) => integer(v[row], out),
            Self::I64(v) => integer(v[row], out),
            Self::U8(v) => integer(v[row], out),
            Self::U16(v) => integer(v[row], out),
            Self::U32(v) => integer(v[row], out),
            Self::U64(v) => integer(v[row], out),
            Self::F32(v) if v[row].is_finite() => float(v[row], out),
            Self::F64(v) if v[row].is_finite() => float(v[row], out),
            Self::F32(_) | Self::F64(_) => out.extend_from_slice(b"null"),
            Self::Utf8(v) => string(v.value(row).as_bytes(), out),
            Self::Utf8View(v) => string(v.value(row).as_bytes(), out),
            Self::Binary(v) => base64(v.value(row), out),
            Self::Date(v) => {
                if !time::date(v[row], out) {
                    integer(v[row], out);
                }
            }
            Self::Timestamp(unit, v) => {
                if style.epoch || !time::timestamp(v[row], *unit, out) {
                    integer(v[row], out);
                }
            }
            Self::Decimal(scale, v) => decimal(v[row], *scale, out),
            Self::Digits(v) => out.extend_from_slice(v.value(row).as_bytes()),
            Self::Struct(members) => object(members, row, style, out),
            Self::List(offsets, items) => {
                out.push(b'[');
                let (start, end) = (offsets[row], offsets[row + 1]);
                for (n, item) in (start..end).enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    items.write(usize::try_from(item).unwrap_or_default(), style, out);
                }
                out.push(b']');
            }
            Self::Map(offsets, keys, values) => {
                out.push(b'{');
                let (start, end) = (offsets[row], offsets[row + 1]);
                for (n, item) in (start..end).enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    let item = usize::try_from(item).unwrap_or_default();
                    string(keys.value(item).as_bytes(), out);
                    out.push(b':');
                    values.write(item, style, out);
                }
                out.push(b'}');
            }
        }
    }
}

fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest text that is read back as the same number.
fn float(value: impl zmij::Float, out: &mut Vec<u8>) {
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
}

fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    let scale = match usize::try_from(scale) {
        Ok(0) => return out.extend_from_slice(digits),
        Ok(scale) => scale,
        Err(_) => {
            out.extend_from_slice(digits);
            let zeros = if value == 0 { 0 } else { scale.unsigned_abs() };
            return out.extend((0..zeros).map(|_| b'0'));
        }
    };
    match digits.len().checked_sub(scale) {
        Some(whole @ 1..) => {
            let (whole, fraction) = digits.split_at(whole);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.extend((digits.len()..scale).map(|_| b'0'));
            out.extend_from_slice(digits);
        }
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    if let Some(space) = out.get_mut(start..) {
        let written = STANDARD.encode_slice(bytes, space).unwrap_or_default();
        out.truncate(start + written);
    }
    out.push(b'"');
}

/// Appends text in quotes, with the escapes that JSON requires.
pub(super) fn string(text: &[u8], out: &mut Vec<u8>) {
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
