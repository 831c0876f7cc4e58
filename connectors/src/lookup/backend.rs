//! Where rows are looked up, behind one interface.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use swiftwater_engine::{Error, Result, Timestamp};

use crate::codec::{self, CodecContext, Decoder};

/// The columns of a lookup.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// Those of the key, as the input has them.
    pub(crate) key: SchemaRef,
    /// Those that are added; all may be null.
    pub(crate) added: SchemaRef,
    /// The added columns as they were declared.
    pub(crate) declared: serde_json::Map<String, serde_json::Value>,
}

impl Columns {
    /// Key and added columns together: what a row elsewhere has.
    pub(crate) fn all(&self) -> SchemaRef {
        let fields = self.key.fields().iter().chain(self.added.fields()).cloned();
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// What was found for a batch of keys.
pub(crate) struct Found {
    /// The added columns of rows that were found.
    pub(crate) rows: RecordBatch,
    /// For each key the number of its row; `None` where there is none.
    pub(crate) of: Vec<Option<usize>>,
}

/// A place where rows are looked up.
pub(crate) trait Backend: Send {
    /// Looks up keys, each once and without nulls.
    ///
    /// # Errors
    /// `Unavailable` is tried again; anything else stops the topology.
    fn fetch(&mut self, keys: &RecordBatch, now: Timestamp) -> Result<Found>;

    /// Whether it answers from memory, so that there is no point in a cache.
    fn is_local(&self) -> bool {
        false
    }
}

/// Makes a backend for each instance of a node.
pub(crate) type MakeBackend = Arc<dyn Fn() -> Result<Box<dyn Backend>> + Send + Sync>;

/// Decodes JSON objects that came from elsewhere; a bad one fails the call.
pub(crate) struct Objects {
    decoder: Box<dyn Decoder>,
    place: String,
}

impl Objects {
    /// # Errors
    /// `Config` for columns that JSON cannot hold.
    pub(crate) fn new(schema: SchemaRef, place: String) -> Result<Self> {
        let node = CodecContext { topic: None, node: "" };
        Ok(Self { decoder: (codec::decoder(None, Some(schema), &node)?.make)()?, place })
    }

    /// # Errors
    /// `State` (`SW2235`) for what is no object of these columns.
    pub(crate) fn decode(&mut self, objects: &[&[u8]]) -> Result<RecordBatch> {
        let payloads: Vec<Option<&[u8]>> = objects.iter().copied().map(Some).collect();
        let decoded = self.decoder.decode(&payloads)?;
        match decoded.rejected.first() {
            None => Ok(decoded.records),
            Some(bad) => Err(unreadable(&self.place, &bad.message)),
        }
    }
}

/// What was found does not have the columns that were declared.
pub(super) fn unreadable(place: &str, why: &str) -> Error {
    Error::state("SW2235", format!("read a row that was looked up in {place}: {why}"))
        .with_hint("declare the columns in `add` as they are there, or correct the row")
}
