//! Columns into payloads of protocol buffers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Error, Result};

use super::wire::{put_varint, zigzag};
use super::write::Writer;
use super::{compile, unusable};
use crate::codec::cell::Member;
use crate::codec::registry::{Language, Registry, frame};
use crate::codec::{Encoder, Payloads, codes};

/// Which message is written.
#[derive(Clone)]
pub(super) enum Target {
    /// One that is known, with what stands before each payload.
    Known { prefix: Vec<u8>, writer: Writer },
    /// One whose schema must be registered first, with its place in it.
    Register {
        registry: Arc<Registry>,
        subject: String,
        text: String,
        indexes: Vec<usize>,
        writer: Writer,
    },
    /// One of the newest schema of a subject.
    Newest { registry: Arc<Registry>, subject: String, message: Option<String> },
}

/// Writes protocol buffers.
pub(super) struct ProtobufEncoder {
    target: Target,
    columns: SchemaRef,
}

/// The framing of a payload: the schema's number and the message's place.
fn prefix(id: u32, indexes: &[usize]) -> Vec<u8> {
    let mut prefix = frame(id).to_vec();
    if indexes == [0] {
        prefix.push(0);
        return prefix;
    }
    let numbers = std::iter::once(indexes.len()).chain(indexes.iter().copied());
    for number in numbers {
        put_varint(zigzag(i64::try_from(number).unwrap_or(i64::MAX)), &mut prefix);
    }
    prefix
}

impl ProtobufEncoder {
    pub(super) const fn new(target: Target, columns: SchemaRef) -> Self {
        Self { target, columns }
    }

    /// Asks the registry, the first time that rows are to be written.
    fn resolve(&self) -> Result<Option<Target>> {
        match &self.target {
            Target::Known { .. } => Ok(None),
            Target::Register { registry, subject, text, indexes, writer } => {
                let id = registry.register(subject, Language::Protobuf, text)?;
                Ok(Some(Target::Known { prefix: prefix(id, indexes), writer: writer.clone() }))
            }
            Target::Newest { registry, subject, message } => {
                let Some((id, found)) = registry.latest(subject)? else {
                    let message = format!("find subject `{subject}` in the schema registry");
                    return Err(Error::config(codes::NO_SCHEMA, message).with_hint(
                        "register a schema, or give one and use `auto_register: true`",
                    ));
                };
                let refuse = |e: String| unusable(&format!("of subject `{subject}`: {e}"));
                let message = compile::text(&found.text, &found.references)
                    .and_then(|file| compile::message(&file, message.as_deref()))
                    .map_err(refuse)?;
                let writer = Writer::new(&message, self.columns.fields()).map_err(refuse)?;
                let prefix = prefix(id, &compile::indexes(&message));
                Ok(Some(Target::Known { prefix, writer }))
            }
        }
    }
}

impl Encoder for ProtobufEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        if let Some(target) = self.resolve()? {
            self.target = target;
        }
        let Target::Known { prefix, writer } = &self.target else {
            return Err(Error::bug("encode `protobuf` without a schema"));
        };
        let members = Member::all(records.schema_ref().fields(), records.columns())?;
        for row in 0..records.num_rows() {
            out.bytes.extend_from_slice(prefix);
            writer.row(&members, row, &mut out.bytes).map_err(|e| {
                Error::data(codes::UNENCODABLE, format!("encode row {row} as `protobuf`: {e}"))
            })?;
            out.end();
        }
        Ok(())
    }
}
