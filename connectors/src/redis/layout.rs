//! What a row becomes: a hash, JSON or a string under its key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::stream::DELETE;
use swiftwater_engine::{Error, Result};

use super::command::Command;
use super::template::Template;
use crate::codec::{Encoder, Payloads};
use crate::value_text::as_text;

/// What a row becomes in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A hash with a field for each column.
    #[default]
    Hash,
    /// A string that holds the row as JSON.
    Json,
    /// A string that holds the value of one column.
    String,
}

/// How rows become commands.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) layout: Layout,
    pub(crate) key: Template,
    /// Places of the key's columns in the input.
    pub(crate) key_places: Vec<usize>,
    /// Columns that are written, with their places in the input.
    pub(crate) values: Vec<(String, usize)>,
    /// The column that says what a row of an upsert stream does.
    pub(crate) op: Option<usize>,
    /// How long a key lives after it was written.
    pub(crate) ttl: Option<Duration>,
}

fn argument(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn column(records: &RecordBatch, place: usize) -> Result<Vec<Option<Vec<u8>>>> {
    let array = records.columns().get(place);
    as_text(array.ok_or_else(|| Error::bug("write a column that the input does not have"))?)
}

impl Rows {
    /// The commands that write a batch: for each key those of its last row, in the order of rows.
    ///
    /// # Errors
    /// `Data` (`SW2216`) for a row whose key has a null.
    pub(super) fn commands(
        &self,
        records: &RecordBatch,
        encoder: Option<&mut Box<dyn Encoder>>,
    ) -> Result<Vec<Command>> {
        let keys = self.keys(records)?;
        let mut last: HashMap<&[u8], usize> = HashMap::with_capacity(keys.len());
        for (row, key) in keys.iter().enumerate() {
            last.insert(key, row);
        }
        let ops = self.op.and_then(|place| records.columns().get(place)).map(Arc::clone);
        let deletes = |row: usize| {
            let op = ops.as_ref().and_then(|ops| ops.as_string_opt::<i32>());
            op.is_some_and(|op| op.value(row) == DELETE)
        };
        let values = self.written(records, encoder)?;
        let mut commands = Vec::with_capacity(last.len() * 2);
        for (row, key) in keys.iter().enumerate() {
            if last.get(key.as_slice()) != Some(&row) {
                continue;
            }
            match self.layout {
                Layout::Hash => self.hash(key, row, deletes(row), &values, &mut commands),
                Layout::Json | Layout::String => {
                    let value = values.first().and_then(|v| v.get(row)).and_then(Option::as_ref);
                    commands.push(self.string(key, value.filter(|_| !deletes(row))));
                }
            }
        }
        Ok(commands)
    }

    fn keys(&self, records: &RecordBatch) -> Result<Vec<Vec<u8>>> {
        let columns: Vec<_> =
            self.key_places.iter().map(|place| column(records, *place)).collect::<Result<_>>()?;
        let key = |row: usize| {
            let value = |i: usize| columns.get(i)?.get(row)?.as_deref();
            self.key.key(value).ok_or_else(|| {
                Error::data(
                    "SW2216",
                    format!("make a key of {}, one of which is null", self.key.columns.join(", ")),
                )
                .with_hint("filter such rows out, or set them aside with `on_error`")
            })
        };
        (0..records.num_rows()).map(key).collect()
    }

    /// Texts of the columns that are written; of `json`, one for the whole row.
    fn written(
        &self,
        records: &RecordBatch,
        encoder: Option<&mut Box<dyn Encoder>>,
    ) -> Result<Vec<Vec<Option<Vec<u8>>>>> {
        if let (Layout::Json, Some(encoder)) = (self.layout, encoder) {
            let places: Vec<usize> = self.values.iter().map(|(_, place)| *place).collect();
            let mut payloads = Payloads::default();
            encoder.encode(&records.project(&places)?, &mut payloads)?;
            return Ok(vec![payloads.iter().map(|payload| Some(payload.to_vec())).collect()]);
        }
        self.values.iter().map(|(_, place)| column(records, *place)).collect()
    }

    fn hash(
        &self,
        key: &[u8],
        row: usize,
        deletes: bool,
        values: &[Vec<Option<Vec<u8>>>],
        commands: &mut Vec<Command>,
    ) {
        let mut set = vec![argument("HSET"), key.to_vec()];
        let mut gone = vec![argument("HDEL"), key.to_vec()];
        for ((name, _), column) in self.values.iter().zip(values) {
            match column.get(row).and_then(Option::as_ref).filter(|_| !deletes) {
                Some(value) => set.extend([argument(name), value.clone()]),
                None => gone.push(argument(name)),
            }
        }
        // Others may keep fields of their own in the hash: only ours go.
        if gone.len() > 2 {
            commands.push(gone);
        }
        if set.len() > 2 {
            commands.push(set);
            commands.extend(self.ttl.map(|ttl| {
                vec![argument("PEXPIRE"), key.to_vec(), argument(&ttl.as_millis().to_string())]
            }));
        }
    }

    fn string(&self, key: &[u8], value: Option<&Vec<u8>>) -> Command {
        let Some(value) = value else { return vec![argument("DEL"), key.to_vec()] };
        let mut set = vec![argument("SET"), key.to_vec(), value.clone()];
        if let Some(ttl) = self.ttl {
            set.extend([argument("PX"), argument(&ttl.as_millis().to_string())]);
        }
        set
    }
}
