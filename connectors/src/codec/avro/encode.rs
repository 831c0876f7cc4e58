//! Columns into payloads of Avro.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Error, Result};

use super::schema::Schema;
use super::unusable;
use super::write::Writer;
use crate::codec::cell::Member;
use crate::codec::registry::{Language, Registry, frame};
use crate::codec::{Encoder, Payloads, codes};

/// Which schema is written.
#[derive(Clone)]
pub(super) enum Target {
    /// One that is known, with what stands before each record.
    Known { prefix: Vec<u8>, writer: Writer },
    /// One that must be registered first.
    Register { registry: Arc<Registry>, subject: String, text: String, writer: Writer },
    /// The newest of a subject.
    Newest { registry: Arc<Registry>, subject: String },
}

/// What stands before a single object of a schema.
pub(super) fn single_object(fingerprint: u64) -> Vec<u8> {
    let mut prefix = vec![0xC3, 0x01];
    prefix.extend(fingerprint.to_le_bytes());
    prefix
}

/// Writes Avro records.
pub(super) struct AvroEncoder {
    target: Target,
    columns: SchemaRef,
}

impl AvroEncoder {
    pub(super) const fn new(target: Target, columns: SchemaRef) -> Self {
        Self { target, columns }
    }

    /// Asks the registry, the first time that rows are to be written.
    fn resolve(&self) -> Result<Option<Target>> {
        match &self.target {
            Target::Known { .. } => Ok(None),
            Target::Register { registry, subject, text, writer } => {
                let id = registry.register(subject, Language::Avro, text)?;
                Ok(Some(Target::Known { prefix: frame(id).to_vec(), writer: writer.clone() }))
            }
            Target::Newest { registry, subject } => {
                let Some((id, found)) = registry.latest(subject)? else {
                    let message = format!("find subject `{subject}` in the schema registry");
                    return Err(Error::config(codes::NO_SCHEMA, message)
                        .with_hint("register a schema, or use `auto_register: true`"));
                };
                let writer = Schema::parse(&found.text, &found.references)
                    .and_then(|schema| Writer::new(schema, self.columns.fields()))
                    .map_err(|e| unusable(&format!("of subject `{subject}`: {e}")))?;
                Ok(Some(Target::Known { prefix: frame(id).to_vec(), writer }))
            }
        }
    }
}

impl Encoder for AvroEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut Payloads) -> Result<()> {
        if let Some(target) = self.resolve()? {
            self.target = target;
        }
        let Target::Known { prefix, writer } = &self.target else {
            return Err(Error::bug("encode `avro` without a schema"));
        };
        let members = Member::all(records.schema_ref().fields(), records.columns())?;
        for row in 0..records.num_rows() {
            out.bytes.extend_from_slice(prefix);
            writer.row(&members, row, &mut out.bytes).map_err(|e| {
                Error::data(codes::UNENCODABLE, format!("encode row {row} as `avro`: {e}"))
            })?;
            out.end();
        }
        Ok(())
    }
}
