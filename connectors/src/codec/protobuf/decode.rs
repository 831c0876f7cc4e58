//! Payloads of protocol buffers into columns.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::datatypes::{Fields, SchemaRef};
use swiftwater_engine::Result;

use super::compile;
use super::read::Layout;
use super::wire::{Cursor, bad, unzigzag};
use crate::codec::column::Group;
use crate::codec::registry::{self, Language, Registered, Registry};
use crate::codec::rows::{Bad, decode_each};
use crate::codec::{Decoded, Decoder, codes};

/// Messages inside messages that a payload may name.
const MAX_INDEXES: u64 = 32;

/// How the message's type is found.
pub(super) enum Source {
    /// All payloads have one type.
    Plain(Arc<Layout>),
    /// Each payload names its schema in the registry.
    Registry(Arc<Registry>),
}

/// A message's type by the number of its schema and its place in it.
type Name = (u32, Vec<usize>);

/// Reads protocol buffers.
pub(super) struct ProtobufDecoder {
    schema: SchemaRef,
    group: Group,
    source: Source,
    /// Types by name, or why they cannot be read.
    layouts: HashMap<Name, Result<Layout, Bad>>,
    max_bytes: usize,
}

impl ProtobufDecoder {
    pub(super) fn new(schema: SchemaRef, source: Source, max_bytes: usize) -> Result<Self> {
        let group = Group::new(schema.fields())?;
        Ok(Self { schema, group, source, layouts: HashMap::new(), max_bytes })
    }
}

impl Decoder for ProtobufDecoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Result<Decoded> {
        let Self { schema, group, source, layouts, max_bytes } = self;
        let columns = schema.fields().clone();
        decode_each(schema, group, *max_bytes, payloads, |group, payload| match source {
            Source::Plain(layout) => Ok(layout.row(group, payload)),
            Source::Registry(registry) => {
                let (name, body) = match unframe(payload) {
                    Ok(framed) => framed,
                    Err(bad) => return Ok(Err(bad)),
                };
                let layout = match layouts.entry(name) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let (id, indexes) = place.key();
                        let Some(found) = registry.schema(*id)? else {
                            return Ok(Err(registry::unknown(*id)));
                        };
                        match layout(*id, indexes, &found, &columns) {
                            Ok(layout) => place.insert(Ok(layout)),
                            // Places come from the payload: only those of a schema are kept.
                            Err(bad) if bad.code == codes::BAD_VALUE => return Ok(Err(bad)),
                            Err(bad) => place.insert(Err(bad)),
                        }
                    }
                };
                Ok(match layout {
                    Ok(layout) => layout.row(group, body),
                    Err(bad) => Err(bad.clone()),
                })
            }
        })
    }
}

/// Takes schema number and place off a payload.
fn unframe(payload: &[u8]) -> Result<(Name, &[u8]), Bad> {
    let (id, rest) = registry::unframe(payload)?;
    let mut cursor = Cursor::new(rest);
    let count = unzigzag(cursor.varint()?).cast_unsigned();
    // A single zero is short for the first message of the file.
    if count == 0 {
        return Ok(((id, vec![0]), cursor.rest()));
    }
    if count > MAX_INDEXES {
        return Err(bad(format!("a place of {count} message indexes")));
    }
    let mut indexes = Vec::new();
    for _ in 0..count {
        let index = unzigzag(cursor.varint()?);
        indexes
            .push(usize::try_from(index).map_err(|_| bad(format!("the message index {index}")))?);
    }
    Ok(((id, indexes), cursor.rest()))
}

/// Matches a message of the registry with the columns.
fn layout(id: u32, indexes: &[usize], found: &Registered, columns: &Fields) -> Result<Layout, Bad> {
    let refuse = |reason: &str| {
        Bad::new(codes::OTHER_SCHEMA, format!("schema id {id} cannot fill the columns: {reason}"))
    };
    if found.language != Language::Protobuf.name() {
        return Err(refuse(&format!("it is {} and not PROTOBUF", found.language)));
    }
    let file = compile::text(&found.text, &found.references).map_err(|reason| refuse(&reason))?;
    let message = compile::at(&file, indexes)
        .ok_or_else(|| bad(format!("schema id {id} has no message at the indexes {indexes:?}")))?;
    Layout::new(&message, columns).map_err(|reason| refuse(&reason))
}
