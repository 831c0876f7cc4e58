//! CSV: one line a payload, columns by the place of their fields.

mod split;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use self::split::{Splitter, Syntax};
use super::cell::{Cell, Member, Values};
use super::column::{Column, Group};
use super::json::Timestamps;
use super::number_text::{decimal, float, integer};
use super::plan::{PlannedDecoder, make_decoder, make_encoder};
use super::rows::{Bad, decode_each};
use super::{Decoded, Decoder, Encoder, MakeEncoder, Payloads, codes, time_text};

/// One line of separated fields a message, without a header line.
///
/// A field that is not quoted and equals `null` is null; what equals it but is text is written in
/// quotes. Values are spelled as in `json`: booleans `true` and `false`, timestamps as
/// `2026-01-31T09:26:56.123Z` or as integers in the column's unit, dates as `2026-01-31`, binary as
/// base64. Columns of lists and structs cannot be read or written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// Character between fields.
    pub delimiter: char,
    /// Character around fields that hold a delimiter, a line break or itself; inside it is doubled.
    pub quote: char,
    /// Text that stands for null.
    pub null: String,
    /// Names of the fields in the order in which they stand in the line. Reading: fields that are
    /// no columns are skipped. Writing: the columns to write. Without it the fields are the columns
    /// in their order.
    pub fields: Option<Vec<String>>,
    /// Writing: timestamps as text (`rfc3339`) or as an integer in the column's unit (`epoch`).
    pub timestamps: Timestamps,
    /// Reading: a larger payload is a bad record.
    pub max_bytes: ByteSize,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: ',',
            quote: '"',
            null: String::new(),
            fields: None,
            timestamps: Timestamps::default(),
            max_bytes: ByteSize(8 << 20),
        }
    }
}

impl CsvOptions {
    fn syntax(&self) -> Result<Syntax> {
        let byte = |option: &str, character: char| {
            u8::try_from(character)
                .ok()
                .filter(|b| b.is_ascii() && !matches!(b, b'\n' | b'\r'))
                .ok_or_else(|| {
                    let message = format!("use `{option}: {character:?}` of `csv`");
                    Error::config(codes::BAD_OPTIONS, message)
                        .with_hint("it is one ASCII character and no line break")
                })
        };
        let syntax = Syntax {
            delimiter: byte("delimiter", self.delimiter)?,
            quote: byte("quote", self.quote)?,
        };
        if syntax.delimiter == syntax.quote {
            let message = "use one character of `csv` as `delimiter` and `quote`";
            return Err(Error::config(codes::BAD_OPTIONS, message));
        }
        Ok(syntax)
    }

    /// For each field of a line the column it is, if it is one.
    fn places(&self, schema: &Schema) -> Result<Vec<Option<usize>>> {
        let columns = schema.fields();
        let Some(fields) = &self.fields else {
            return Ok((0..columns.len()).map(Some).collect());
        };
        let places = fields.iter().map(|name| schema.index_of(name).ok());
        Ok(places.collect())
    }
}

/// Plans a decoder.
pub(super) fn decoder(options: CsvOptions, schema: Option<SchemaRef>) -> Result<PlannedDecoder> {
    let schema = schema.ok_or_else(|| {
        Error::config(codes::NO_SCHEMA, "decode `csv` without columns")
            .with_hint("declare the columns to read: `schema: {price: int64, …}`")
    })?;
    check(&schema, "decode")?;
    let (syntax, places) = (options.syntax()?, options.places(&schema)?);
    for (index, column) in schema.fields().iter().enumerate() {
        if !places.contains(&Some(index)) {
            let message = format!("find column `{}` in `fields` of `csv`", column.name());
            return Err(Error::config(codes::BAD_OPTIONS, message));
        }
    }
    let make = {
        let schema = Arc::clone(&schema);
        make_decoder(move || {
            Ok(CsvDecoder {
                group: Group::new(schema.fields())?,
                schema: Arc::clone(&schema),
                splitter: Splitter::new(syntax),
                places: places.clone(),
                null: options.null.clone(),
                max_bytes: usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX),
            })
        })
    };
    Ok(PlannedDecoder { schema, make })
}

/// Plans an encoder.
pub(super) fn encoder(options: CsvOptions, schema: &Schema) -> Result<MakeEncoder> {
    check(schema, "encode")?;
    super::cell::check(schema, "csv")?;
    let syntax = options.syntax()?;
    let places = options.places(schema)?;
    if let Some(at) = places.iter().position(Option::is_none) {
        let name = options.fields.iter().flatten().nth(at);
        let message = format!("find a column for field `{}` of `csv`", name.map_or("", |n| n));
        return Err(Error::config(codes::BAD_OPTIONS, message));
    }
    let places: Vec<usize> = places.into_iter().flatten().collect();
    Ok(make_encoder(move || {
        Ok(CsvEncoder {
            syntax,
            places: places.clone(),
            null: options.null.clone(),
            epoch: options.timestamps == Timestamps::Epoch,
        })
    }))
}

fn check(schema: &Schema, verb: &str) -> Result<()> {
    for field in schema.fields() {
        if field.data_type().is_nested() && !matches!(field.data_type(), DataType::Dictionary(..)) {
            let (name, data_type) = (field.name(), field.data_type());
            let message = format!("{verb} column `{name}` of type {data_type} as `csv`");
            return Err(Error::config(codes::UNSUPPORTED_TYPE, message)
                .with_hint("a field of CSV is a plain value: take the parts in a `select`"));
        }
    }
    Ok(())
}

struct CsvDecoder {
    schema: SchemaRef,
    group: Group,
    splitter: Splitter,
    places: Vec<Option<usize>>,
    null: String,
    max_bytes: usize,
}

impl Decoder for CsvDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let Self { splitter, places, null, .. } = self;
        let (schema, group) = (&self.schema, &mut self.group);
        decode_each(schema, group, self.max_bytes, payloads, |group, payload| {
            Ok(line(splitter, places, null, group, payload))
        })
    }
}

/// Appends the fields of one line as a row.
fn line(
    splitter: &mut Splitter,
    places: &[Option<usize>],
    null: &str,
    group: &mut Group,
    payload: &[u8],
) -> Result<(), Bad> {
    let text = std::str::from_utf8(payload).map_err(|error| Bad::utf8(payload, &error))?;
    splitter.split(text)?;
    let found = splitter.fields().count();
    if found != places.len() {
        let message = format!("expected {} fields, found {found}", places.len());
        return Err(Bad::new(codes::MALFORMED, message));
    }
    for (field, place) in splitter.fields().zip(places) {
        if let Some(column) = place.and_then(|place| group.columns.get_mut(place)) {
            let is_null = !field.quoted && field.text == null;
            append(column, (!is_null).then_some(field.text))?;
        }
    }
    group.end_row();
    Ok(())
}

fn append(column: &mut Column, text: Option<&str>) -> Result<(), Bad> {
    let Some(text) = text else {
        if !column.is_nullable() {
            return Err(Bad::missing(column));
        }
        column.append_null();
        return Ok(());
    };
    if !column.values.append_number_or_text(text) {
        return Err(Bad::wrong(column, &format!("`{text}`")));
    }
    column.nulls.append_non_null();
    Ok(())
}

struct CsvEncoder {
    syntax: Syntax,
    /// The columns in the order of the fields.
    places: Vec<usize>,
    null: String,
    epoch: bool,
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        let records = records.project(&self.places)?;
        let members = Member::all(records.schema_ref().fields(), records.columns())?;
        let mut text = Vec::new();
        for row in 0..records.num_rows() {
            for (index, Member { cell, .. }) in members.iter().enumerate() {
                if index > 0 {
                    out.bytes.push(self.syntax.delimiter);
                }
                if cell.is_null(row) {
                    out.bytes.extend_from_slice(self.null.as_bytes());
                    continue;
                }
                text.clear();
                self.value(cell, row, &mut text);
                self.syntax.write(&text, self.null.as_bytes(), &mut out.bytes);
            }
            out.end();
        }
        Ok(())
    }
}

impl CsvEncoder {
    #[expect(
        clippy::indexing_slicing,
        reason = "the row is one of the batch's, and every buffer holds that many"
    )]
    fn value(&self, cell: &Cell, row: usize, out: &mut Vec<u8>) {
        match &cell.values {
            Values::Bool(v) => out.extend_from_slice(if v.value(row) { b"true" } else { b"false" }),
            Values::I8(v) => integer(v[row], out),
            Values::I16(v) => integer(v[row], out),
            Values::I32(v) => integer(v[row], out),
            Values::I64(v) => integer(v[row], out),
            Values::U8(v) => integer(v[row], out),
            Values::U16(v) => integer(v[row], out),
            Values::U32(v) => integer(v[row], out),
            Values::U64(v) => integer(v[row], out),
            Values::F32(v) => float(v[row], out),
            Values::F64(v) => float(v[row], out),
            Values::Utf8(v) => out.extend_from_slice(v.value(row).as_bytes()),
            Values::Utf8View(v) => out.extend_from_slice(v.value(row).as_bytes()),
            Values::Digits(v) => out.extend_from_slice(v.value(row).as_bytes()),
            Values::Binary(v) => super::json::base64(v.value(row), out),
            Values::Decimal(scale, v) => decimal(v[row], *scale, out),
            Values::Date(v) => time_text::date(i64::from(v[row]), out),
            Values::Timestamp(unit, v) => {
                if self.epoch || !time_text::timestamp(v[row], *unit, out) {
                    integer(v[row], out);
                }
            }
            // Nested columns are refused when the node is planned.
            Values::Null | Values::Struct(_) | Values::List(..) | Values::Map(..) => {}
        }
    }
}
