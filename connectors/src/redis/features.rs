//! Rows of features: one hash for an entity, in which an older event time never replaces a newer one.

use std::collections::HashMap;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::stream::DELETE;
use swiftwater_engine::{Error, Result};

use super::command::Command;
use super::feast::{self, FeastType};
use super::script::COMPARE_AND_SET;
use crate::value_text::as_text;

/// How features lie in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeatureLayout {
    /// A hash `project:view:key` with a field for each feature as text, and the event time in `_ts`.
    Plain,
    /// As Feast's Redis online store with `entity_key_serialization_version: 3`, for its SDK to read.
    Feast,
}

/// How rows become hashes of features.
#[derive(Debug, Clone)]
pub(crate) struct FeatureRows {
    pub(crate) layout: FeatureLayout,
    pub(crate) project: String,
    pub(crate) view: String,
    /// Columns of the entity's key with their places; of `feast` sorted by name.
    pub(crate) keys: Vec<(String, usize)>,
    /// Place of the event time.
    pub(crate) event_time: usize,
    /// Features with their places.
    pub(crate) features: Vec<(String, usize)>,
    /// The column that says what a row of an upsert stream does.
    pub(crate) op: Option<usize>,
    /// How long a hash lives after it was written.
    pub(crate) ttl: Option<Duration>,
    /// How old the newest event time should be at most.
    pub(crate) freshness: Option<Duration>,
}

/// Event time as seconds and nanoseconds.
type Moment = (i64, u32);
/// Values of a column; `None` takes the field away.
type Values = Vec<Option<Vec<u8>>>;

fn refused(message: String) -> Error {
    Error::data("SW2216", message)
        .with_hint("filter such rows out, or set them aside with `on_error`")
}

fn column(records: &RecordBatch, place: usize) -> Result<&ArrayRef> {
    let missing = || Error::bug("write a column that the input does not have");
    records.columns().get(place).ok_or_else(missing)
}

impl FeatureRows {
    /// The commands that write a batch, in the order of rows. Of a stream without deletes only the
    /// newest row of a key is sent, and of several of one time the last.
    ///
    /// # Errors
    /// `Data` (`SW2216`) for a row with a null in its key or without an event time.
    pub(super) fn commands(&self, records: &RecordBatch) -> Result<Vec<Command>> {
        let keys = self.entity_keys(records)?;
        let moments = moments(column(records, self.event_time)?)?;
        let fields: Vec<Vec<u8>> = self.features.iter().map(|(name, _)| self.field(name)).collect();
        let values: Vec<Values> = self
            .features
            .iter()
            .map(|(name, place)| self.values(name, column(records, *place)?))
            .collect::<Result<_>>()?;
        let ops = self.op.map(|place| column(records, place)).transpose()?;
        let ops = ops.and_then(|ops| ops.as_string_opt::<i32>());
        let mut newest: HashMap<&[u8], (Moment, usize)> = HashMap::new();
        if self.op.is_none() {
            for (row, (key, moment)) in keys.iter().zip(&moments).enumerate() {
                let held = newest.entry(key.as_slice()).or_insert((*moment, row));
                if *moment >= held.0 {
                    *held = (*moment, row);
                }
            }
        }
        let mut commands = Vec::with_capacity(keys.len());
        for (row, (key, moment)) in keys.iter().zip(&moments).enumerate() {
            if self.op.is_none() && newest.get(key.as_slice()).is_none_or(|held| held.1 != row) {
                continue;
            }
            let deletes = ops.is_some_and(|ops| ops.value(row) == DELETE);
            let mut command = self.head(key, *moment, deletes)?;
            let of_row = |column: &Values| column.get(row).cloned().flatten();
            let given = values.iter().map(of_row).map(|value| value.filter(|_| !deletes));
            self.tail(fields.iter().zip(given), &mut command);
            commands.push(command);
        }
        Ok(commands)
    }

    /// The newest event time of a batch, in seconds since 1970.
    ///
    /// # Errors
    /// As [`FeatureRows::commands`].
    pub(super) fn newest(&self, records: &RecordBatch) -> Result<Option<f64>> {
        let moments = moments(column(records, self.event_time)?)?;
        let newest = moments.into_iter().max();
        Ok(newest.map(|(seconds, nanos)| {
            #[expect(clippy::cast_precision_loss, reason = "to the microsecond for 285 years")]
            let seconds = seconds as f64;
            seconds + f64::from(nanos) / 1e9
        }))
    }

    fn head(&self, key: &[u8], (seconds, nanos): Moment, deletes: bool) -> Result<Command> {
        let (layout, field, time) = match self.layout {
            FeatureLayout::Plain => ("plain", b"_ts".to_vec(), plain_time(seconds, nanos)?),
            FeatureLayout::Feast => {
                ("feast", feast::time_field(&self.view), feast::timestamp(seconds, nanos))
            }
        };
        let what = if deletes { "delete" } else { "write" };
        let ttl = self.ttl.map_or_else(|| "0".to_owned(), |ttl| ttl.as_millis().to_string());
        let word = |text: &str| text.as_bytes().to_vec();
        Ok(vec![
            word(COMPARE_AND_SET),
            key.to_vec(),
            word(layout),
            field,
            time,
            word(what),
            word(&ttl),
        ])
    }

    /// The fields that are set, how many words they are, and the fields that go.
    fn tail<'f>(
        &self,
        given: impl Iterator<Item = (&'f Vec<u8>, Option<Vec<u8>>)>,
        command: &mut Command,
    ) {
        let (mut set, mut gone) = (Vec::new(), Vec::new());
        for (field, value) in given {
            match value {
                Some(value) => set.extend([field.clone(), value]),
                None => gone.push(field.clone()),
            }
        }
        command.push(set.len().to_string().into_bytes());
        command.append(&mut set);
        command.append(&mut gone);
    }

    fn field(&self, feature: &str) -> Vec<u8> {
        match self.layout {
            FeatureLayout::Plain => feature.as_bytes().to_vec(),
            FeatureLayout::Feast => feast::field(&self.view, feature),
        }
    }

    fn values(&self, name: &str, array: &ArrayRef) -> Result<Values> {
        match self.layout {
            FeatureLayout::Plain => as_text(array),
            FeatureLayout::Feast => Ok(feast::values(name, array)?.into_iter().map(Some).collect()),
        }
    }

    fn entity_keys(&self, records: &RecordBatch) -> Result<Vec<Vec<u8>>> {
        let keys = match self.layout {
            FeatureLayout::Plain => self.plain_keys(records)?,
            FeatureLayout::Feast => self.feast_keys(records)?,
        };
        let names: Vec<&str> = self.keys.iter().map(|(name, _)| name.as_str()).collect();
        let null = || refused(format!("make a key of {}, one of which is null", names.join(", ")));
        keys.into_iter().map(|key| key.ok_or_else(null)).collect()
    }

    fn plain_keys(&self, records: &RecordBatch) -> Result<Values> {
        let columns: Vec<Values> = self
            .keys
            .iter()
            .map(|(_, place)| as_text(column(records, *place)?))
            .collect::<Result<_>>()?;
        let key = |row: usize| {
            let mut key = format!("{}:{}", self.project, self.view).into_bytes();
            for column in &columns {
                key.push(b':');
                let value = column.get(row)?.as_ref()?;
                if columns.len() == 1 {
                    key.extend_from_slice(value);
                } else {
                    key.extend(value.iter().flat_map(|byte| escaped(*byte)));
                }
            }
            Some(key)
        };
        Ok((0..records.num_rows()).map(key).collect())
    }

    fn feast_keys(&self, records: &RecordBatch) -> Result<Values> {
        let mut columns = Vec::with_capacity(self.keys.len());
        for (name, place) in &self.keys {
            let array = column(records, *place)?;
            let kind = FeastType::of(array.data_type())
                .ok_or_else(|| Error::bug(format!("make a key of `{name}`")))?;
            columns.push((name.as_str(), kind, feast::scalars(array, kind)?));
        }
        let key = |row: usize| {
            let keys: Vec<_> = columns
                .iter()
                .map(|(name, kind, values)| {
                    (*name, *kind, values.get(row).and_then(Option::as_ref))
                })
                .collect();
            feast::entity_key(&keys, &self.project)
        };
        Ok((0..records.num_rows()).map(key).collect())
    }
}

/// A byte of one of several key columns: what would read as a separator is written as in a URL.
fn escaped(byte: u8) -> Vec<u8> {
    match byte {
        b':' => b"%3A".to_vec(),
        b'%' => b"%25".to_vec(),
        other => vec![other],
    }
}

/// `2026-11-23T10:15:30.123456789Z`, which sorts as text.
fn plain_time(seconds: i64, nanos: u32) -> Result<Vec<u8>> {
    use chrono::Datelike;
    let time = chrono::DateTime::from_timestamp(seconds, nanos)
        .filter(|time| (0..10_000).contains(&time.year()));
    let time = time.ok_or_else(|| {
        refused(format!(
            "write the event time {seconds} s after 1970, of which the year has not four digits"
        ))
    })?;
    Ok(time.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string().into_bytes())
}

fn moments(array: &ArrayRef) -> Result<Vec<Moment>> {
    let (per_second, nanos) = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => (1, 0),
        DataType::Timestamp(TimeUnit::Millisecond, _) => (1_000, 1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1_000_000, 1_000),
        _ => (1_000_000_000_i64, 1_u32),
    };
    let raw = cast(array, &DataType::Int64)?;
    let raw = raw.as_primitive::<Int64Type>();
    let moment = |value: Option<i64>| {
        let value = value.ok_or_else(|| refused("write a row without an event time".to_owned()))?;
        let part = u32::try_from(value.rem_euclid(per_second)).unwrap_or(0);
        Ok((value.div_euclid(per_second), part * nanos))
    };
    raw.iter().map(moment).collect()
}
