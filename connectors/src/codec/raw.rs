//! Raw: the payload as it is, in one column.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::ByteSize;
use swiftwater_engine::{Error, Result};

use super::cell::{Member, Values};
use super::column::{self, Group};
use super::plan::{PlannedDecoder, make_decoder, make_encoder};
use super::rows::{Bad, decode_each};
use super::{Decoded, Decoder, Encoder, MakeEncoder, Payloads, codes};
use arrow::array::RecordBatch;

/// The payload as it is, in one column of `binary` or `utf8`.
///
/// Without a `schema` the column is `value: binary`. A column of `utf8` takes only valid UTF-8;
/// other payloads are bad records. A null in the column has no payload and cannot be written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawOptions {
    /// Reading: a larger payload is a bad record.
    pub max_bytes: ByteSize,
}

impl Default for RawOptions {
    fn default() -> Self {
        Self { max_bytes: ByteSize(8 << 20) }
    }
}

/// Plans a decoder.
pub(super) fn decoder(options: &RawOptions, schema: Option<SchemaRef>) -> Result<PlannedDecoder> {
    let schema = schema.unwrap_or_else(|| {
        let column = Field::new("value", DataType::Binary, true);
        Arc::new(Schema::new(vec![column]))
    });
    check(&schema, "decode", |data_type| matches!(data_type, DataType::Utf8 | DataType::Binary))?;
    let max_bytes = usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX);
    let make = {
        let schema = Arc::clone(&schema);
        make_decoder(move || {
            Ok(RawDecoder {
                group: Group::new(schema.fields())?,
                schema: Arc::clone(&schema),
                max_bytes,
            })
        })
    };
    Ok(PlannedDecoder { schema, make })
}

/// Plans an encoder.
pub(super) fn encoder(schema: &Schema) -> Result<MakeEncoder> {
    check(schema, "encode", |data_type| {
        matches!(
            data_type,
            DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
    })?;
    Ok(make_encoder(|| Ok(RawEncoder)))
}

fn check(schema: &Schema, verb: &str, fits: fn(&DataType) -> bool) -> Result<()> {
    match schema.fields().as_ref() {
        [field] if fits(field.data_type()) => Ok(()),
        [field] => {
            let (name, data_type) = (field.name(), field.data_type());
            let message = format!("{verb} column `{name}` of type {data_type} as `raw`");
            Err(Error::config(codes::UNSUPPORTED_TYPE, message)
                .with_hint("the column of `raw` is `binary` or `utf8`"))
        }
        columns => {
            let message = format!("{verb} {} columns as `raw`", columns.len());
            Err(Error::config(codes::UNSUPPORTED_TYPE, message)
                .with_hint("`raw` is one column: keep it with a `select`"))
        }
    }
}

struct RawDecoder {
    schema: SchemaRef,
    group: Group,
    max_bytes: usize,
}

impl Decoder for RawDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let (schema, group) = (&self.schema, &mut self.group);
        decode_each(schema, group, self.max_bytes, payloads, |group, payload| {
            let Some(column) = group.columns.first_mut() else {
                return Err(Error::bug("decode `raw` without a column"));
            };
            match &mut column.values {
                column::Values::Binary(values) => values.append(payload),
                column::Values::Utf8(values) => match std::str::from_utf8(payload) {
                    Ok(text) => values.append(text.as_bytes()),
                    Err(error) => return Ok(Err(Bad::utf8(payload, &error))),
                },
                _ => return Err(Error::bug("decode `raw` to another type")),
            }
            column.nulls.append_non_null();
            group.end_row();
            Ok(Ok(()))
        })
    }
}

struct RawEncoder;

impl Encoder for RawEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        let members = Member::all(records.schema_ref().fields(), records.columns())?;
        let Some(Member { name, cell, .. }) = members.first() else {
            return Err(Error::bug("encode `raw` without a column"));
        };
        for row in 0..records.num_rows() {
            if cell.is_null(row) {
                let message = format!("encode a null of column `{name}` as `raw`");
                return Err(Error::data(codes::UNENCODABLE, message)
                    .with_hint(format!("put a `filter: \"{name} is not null\"` before it")));
            }
            match &cell.values {
                Values::Utf8(values) => out.bytes.extend_from_slice(values.value(row).as_bytes()),
                Values::Utf8View(values) => {
                    out.bytes.extend_from_slice(values.value(row).as_bytes());
                }
                Values::Binary(values) => out.bytes.extend_from_slice(values.value(row)),
                _ => return Err(Error::bug("encode another type as `raw`")),
            }
            out.end();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, BinaryArray, StringArray, StringViewArray};

    fn column(array: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([("value", array, true)]).unwrap()
    }

    #[test]
    fn bytes_go_through_unchanged() {
        let planned = decoder(&RawOptions::default(), None).unwrap();
        let payloads: &[Option<&[u8]>] = &[Some(b"\x00\xff"), None, Some(b"")];
        let decoded = (planned.make)().unwrap().decode(payloads).unwrap();
        let expected = BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None, Some(b"")]);
        assert_eq!(decoded.records, column(Arc::new(expected)));
        let mut out = Payloads::default();
        let make = encoder(&planned.schema).unwrap();
        make().unwrap().encode(&decoded.records.slice(0, 1), &mut out).unwrap();
        assert_eq!(out.iter().collect::<Vec<_>>(), [b"\x00\xff"]);
        let error = make().unwrap().encode(&decoded.records, &mut out).unwrap_err();
        assert_eq!(error.code, "SW3141");
    }

    #[test]
    fn text_must_be_utf8() {
        let schema = column(Arc::new(StringArray::from(vec!["é"]))).schema();
        let planned = decoder(&RawOptions::default(), Some(schema)).unwrap();
        let payloads: &[Option<&[u8]>] =
            &[Some("é".as_bytes()), Some(b"a\xff"), Some(&[b'x'; 9 << 20])];
        let decoded = (planned.make)().unwrap().decode(payloads).unwrap();
        assert_eq!(decoded.records, column(Arc::new(StringArray::from(vec!["é"]))));
        let codes: Vec<_> = decoded.rejected.iter().map(|r| r.code).collect();
        assert_eq!(codes, ["SW3104", "SW3106"]);
    }

    #[test]
    fn other_columns_are_refused_when_the_node_is_planned() {
        let views = column(Arc::new(StringViewArray::from(vec!["é"])));
        assert!(encoder(&views.schema()).is_ok());
        let two = Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
        ]);
        assert_eq!(encoder(&two).err().unwrap().code, "SW3124");
        let number = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let error = decoder(&RawOptions::default(), Some(number)).err().unwrap();
        assert!(error.to_string().contains("column `a` of type Int64"), "{error}");
    }
}
