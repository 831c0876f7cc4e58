//! From the messages of one take to one batch of rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::batch::Span;
use swiftwater_engine::dead_letter::{Origin, Rejected};
use swiftwater_engine::{Batch, Error, Readings, Result, Split, Timestamp};

use super::assignment::Partition;
use super::columns::Columns;
use super::ffi::{Message, Messages};
use crate::codec::Decoder;
use crate::event_time::EventTime;

/// What becomes of a record without a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tombstones {
    /// A row whose payload columns are null (the default); a bad record where a column forbids it.
    #[default]
    NullRow,
    /// Left out, and counted as dropped rows with the reason `tombstone`.
    Skip,
    /// A bad record.
    Reject,
}

/// A message and the partition it was counted for.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    pub(super) message: Message<'a>,
    pub(super) partition: &'a Arc<Partition>,
}

/// What becomes of a record before it is decoded.
enum Fate {
    Row,
    Skipped,
    Rejected(Box<Rejected>),
}

impl Picked<'_> {
    fn reject(&self, code: &'static str, message: String) -> Rejected {
        Rejected {
            code,
            message,
            key: self.message.key().map(Bytes::copy_from_slice),
            payload: self.message.payload().map(Bytes::copy_from_slice),
            origin: Some(Origin {
                topic: Arc::clone(&self.partition.topic),
                partition: self.partition.number,
                offset: self.message.offset(),
                timestamp: self.message.timestamp().map(Timestamp::from_millis),
            }),
            attempts: 1,
        }
    }

    fn bytes(&self) -> usize {
        self.message.payload().map_or(0, <[u8]>::len) + self.message.key().map_or(0, <[u8]>::len)
    }
}

/// Makes rows.
pub(super) struct Rows {
    pub(super) decoder: Box<dyn Decoder>,
    pub(super) columns: Columns,
    /// Payload columns, then metadata columns.
    pub(super) schema: SchemaRef,
    pub(super) event_time: Option<EventTime>,
    pub(super) tombstones: Tombstones,
}

/// What became of messages.
pub(super) struct Made {
    pub(super) batch: Batch,
    pub(super) rejected: Vec<Rejected>,
    pub(super) bytes: usize,
    /// Tombstones that were left out.
    pub(super) skipped: usize,
    /// Runs of rows by partition, in the order of the rows.
    pub(super) splits: Vec<(Split, usize)>,
}

fn appended(picked: &[Picked<'_>]) -> Option<Span> {
    let times = picked.iter().filter_map(|p| p.message.timestamp()).map(Timestamp::from_millis);
    times.map(Span::at).reduce(Span::union)
}

fn runs<'a>(rows: impl Iterator<Item = &'a Picked<'a>>) -> Vec<(Split, usize)> {
    let mut runs: Vec<(Split, usize)> = Vec::new();
    for row in rows {
        match runs.last_mut() {
            Some((split, count)) if Arc::ptr_eq(split, &row.partition.label) => *count += 1,
            _ => runs.push((Arc::clone(&row.partition.label), 1)),
        }
    }
    runs
}

impl Rows {
    /// Makes rows of the messages that `taken` names with their partitions.
    ///
    /// # Errors
    /// `Unavailable` from a decoder that must ask a schema registry. A bad record is not an error.
    pub(super) fn make(
        &mut self,
        messages: &Messages,
        taken: &[(usize, Arc<Partition>)],
        now: Timestamp,
    ) -> Result<Made> {
        let mut picked: Vec<Picked<'_>> = taken
            .iter()
            .filter_map(|(index, partition)| {
                Some(Picked { message: messages.get(*index)?, partition })
            })
            .collect();
        let bytes = picked.iter().map(Picked::bytes).sum();
        let (mut rejected, mut skipped) = (Vec::new(), 0);
        picked.retain(|p| match self.sift(p) {
            Fate::Row => true,
            Fate::Skipped => {
                skipped += 1;
                false
            }
            Fate::Rejected(told) => {
                rejected.push(*told);
                false
            }
        });
        let payloads: Vec<Option<&[u8]>> = picked.iter().map(|p| p.message.payload()).collect();
        let decoded = self.decoder.decode(&payloads)?;
        for bad in decoded.rejected {
            if let Some(p) = picked.get(bad.index) {
                rejected.push(p.reject(bad.code, bad.message));
            }
        }
        let records = self.with_metadata(decoded.records, decoded.rows.as_deref(), &picked)?;
        let readings = Readings {
            appended: appended(&picked),
            polled: Span::at(now),
            event: self.event_time.and_then(|e| e.span(&records)),
        };
        let splits = match decoded.rows.as_deref() {
            None => runs(picked.iter().take(records.num_rows())),
            Some(rows) => runs(rows.iter().filter_map(|row| picked.get(*row as usize))),
        };
        Ok(Made { batch: Batch::new(records, readings), rejected, bytes, skipped, splits })
    }

    fn sift(&self, p: &Picked<'_>) -> Fate {
        let reject = |code, told| Fate::Rejected(Box::new(p.reject(code, told)));
        if p.message.payload().is_none() {
            match self.tombstones {
                Tombstones::NullRow => {}
                Tombstones::Skip => return Fate::Skipped,
                Tombstones::Reject => {
                    return reject("SW2120", "take a record without a value".to_owned());
                }
            }
        }
        match self.columns.refusal(p) {
            None => Fate::Row,
            Some(told) => reject("SW2121", told),
        }
    }

    fn with_metadata(
        &self,
        records: RecordBatch,
        rows: Option<&[u32]>,
        picked: &[Picked<'_>],
    ) -> Result<RecordBatch> {
        let (_, mut columns, count) = records.into_parts();
        let added = match rows {
            None => self.columns.build(picked.iter().take(count)),
            Some(rows) => {
                self.columns.build(rows.iter().filter_map(|row| picked.get(*row as usize)))
            }
        };
        columns.extend(added?);
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| Error::bug("put a record's columns together").with_source(e))
    }
}
