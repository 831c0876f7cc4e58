//! Payloads of Avro into columns.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::datatypes::{Fields, SchemaRef};
use swiftwater_engine::Result;

use super::read::Reader;
use super::schema::Schema;
use crate::codec::column::Group;
use crate::codec::registry::{self, Language, Registered, Registry};
use crate::codec::rows::{Bad, decode_each};
use crate::codec::{Decoded, Decoder, codes};

/// How the schema of a payload is found.
pub(super) enum Source {
    /// All payloads have one schema.
    Plain(Arc<Reader>),
    /// The same, and each says so by the schema's fingerprint.
    SingleObject(u64, Arc<Reader>),
    /// Each payload names its schema in the registry.
    Registry(Arc<Registry>),
}

/// Reads Avro records.
pub(super) struct AvroDecoder {
    schema: SchemaRef,
    group: Group,
    source: Source,
    /// Schemas by number, or why they cannot be read.
    readers: HashMap<u32, Result<Reader, Bad>>,
    max_bytes: usize,
}

impl AvroDecoder {
    pub(super) fn new(schema: SchemaRef, source: Source, max_bytes: usize) -> Result<Self> {
        let group = Group::new(schema.fields())?;
        Ok(Self { schema, group, source, readers: HashMap::new(), max_bytes })
    }
}

impl Decoder for AvroDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let Self { schema, group, source, readers, max_bytes } = self;
        let columns = schema.fields().clone();
        decode_each(schema, group, *max_bytes, payloads, |group, payload| match source {
            Source::Plain(reader) => Ok(reader.row(group, payload)),
            Source::SingleObject(fingerprint, reader) => {
                Ok(single_object(payload, *fingerprint).and_then(|body| reader.row(group, body)))
            }
            Source::Registry(registry) => {
                let (id, body) = match registry::unframe(payload) {
                    Ok(framed) => framed,
                    Err(bad) => return Ok(Err(bad)),
                };
                let reader = match readers.entry(id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let Some(found) = registry.schema(id)? else {
                            return Ok(Err(registry::unknown(id)));
                        };
                        place.insert(reader(id, &found, &columns))
                    }
                };
                Ok(match reader {
                    Ok(reader) => reader.row(group, body),
                    Err(bad) => Err(bad.clone()),
                })
            }
        })
    }
}

/// Matches a schema of the registry with the columns.
fn reader(id: u32, found: &Registered, columns: &Fields) -> Result<Reader, Bad> {
    let refuse = |reason: &str| {
        Bad::new(codes::OTHER_SCHEMA, format!("schema id {id} cannot fill the columns: {reason}"))
    };
    if found.language != Language::Avro.name() {
        return Err(refuse(&format!("it is {} and not AVRO", found.language)));
    }
    Schema::parse(&found.text, &found.references)
        .and_then(|schema| Reader::new(schema, columns))
        .map_err(|reason| refuse(&reason))
}

/// Takes marker and fingerprint off a payload.
fn single_object(payload: &[u8], expected: u64) -> Result<&[u8], Bad> {
    let Some((head, body)) = payload.split_first_chunk::<10>() else {
        let message = format!("payload of {} bytes ends within its marker", payload.len());
        return Err(Bad::new(codes::TRUNCATED, message));
    };
    let [0xC3, 0x01, fingerprint @ ..] = head else {
        let [first, second, ..] = head;
        let message = format!("expected the marker c3 01, found {first:02x} {second:02x}");
        return Err(Bad::new(codes::WRONG_MAGIC, message));
    };
    let found = u64::from_le_bytes(*fingerprint);
    if found != expected {
        let message = format!("expected the schema {expected:016x}, found {found:016x}");
        return Err(Bad::new(codes::UNKNOWN_SCHEMA, message));
    }
    Ok(body)
}
