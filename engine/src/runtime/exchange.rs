//! The sending side of a link: to one task, to each in turn, or by the hash of key columns.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::row::{RowConverter, SortField};

use std::time::Duration;

use super::control::{Control, Stopped};
use super::edge::Sender;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::plan::Exchange;

/// Key groups: the unit in which keyed rows, and later their state, are placed on tasks.
const KEY_GROUPS: u64 = 128;

/// Spreads rows over the edges of a link.
pub(super) struct Outlet {
    senders: Vec<Sender>,
    spread: Spread,
}

enum Spread {
    First,
    Turn(usize),
    Hash { columns: Vec<String>, rows: Option<RowConverter> },
}

impl Outlet {
    /// `senders` holds one edge for each taking task that this task can reach.
    pub(super) fn new(exchange: &Exchange, senders: Vec<Sender>) -> Self {
        let spread = match exchange {
            Exchange::Forward | Exchange::Gather => Spread::First,
            Exchange::RoundRobin => Spread::Turn(0),
            Exchange::Hash(columns) => Spread::Hash { columns: columns.clone(), rows: None },
        };
        Self { senders, spread }
    }

    /// Sends rows; returns the time the sender was parked.
    pub(super) fn send(&mut self, batch: Batch, control: &Control) -> Result<Duration, Stopped> {
        match &mut self.spread {
            Spread::First => to(&self.senders, 0, batch, control),
            Spread::Turn(turn) => {
                *turn = (*turn + 1) % self.senders.len().max(1);
                to(&self.senders, *turn, batch, control)
            }
            Spread::Hash { columns, rows } => {
                let parts = split_by_hash(&batch.records, columns, rows, self.senders.len())?;
                let mut parked = Duration::ZERO;
                for (task, records) in parts.into_iter().enumerate() {
                    if records.num_rows() > 0 {
                        parked += to(&self.senders, task, batch.with_records(records), control)?;
                    }
                }
                Ok(parked)
            }
        }
    }

    /// Tells every taking task.
    pub(super) fn broadcast(&self, message: &Message, control: &Control) -> Result<(), Stopped> {
        for sender in &self.senders {
            sender.send(message.clone(), control)?;
        }
        Ok(())
    }
}

fn to(
    senders: &[Sender],
    task: usize,
    batch: Batch,
    control: &Control,
) -> Result<Duration, Stopped> {
    match senders.get(task) {
        Some(sender) => sender.send(Message::Batch(batch), control),
        None => Err(Error::bug("send to a task that does not exist").into()),
    }
}

/// FNV-1a with a final mix (its low bits alone are weak): equal on every machine and in every
/// version, so that keyed state can move.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

fn split_by_hash(
    records: &RecordBatch,
    columns: &[String],
    converter: &mut Option<RowConverter>,
    tasks: usize,
) -> Result<Vec<RecordBatch>> {
    let keys = columns
        .iter()
        .map(|c| {
            records
                .column_by_name(c)
                .cloned()
                .ok_or_else(|| Error::bug(format!("find the key column `{c}`")))
        })
        .collect::<Result<Vec<_>>>()?;
    let converter = match converter {
        Some(converter) => converter,
        empty => {
            let fields = keys.iter().map(|k| SortField::new(k.data_type().clone())).collect();
            empty.insert(RowConverter::new(fields)?)
        }
    };
    let rows = converter.convert_columns(&keys)?;
    let mut picked: Vec<Vec<u32>> = vec![Vec::new(); tasks];
    for (index, row) in rows.iter().enumerate() {
        let group = hash(row.as_ref()) % KEY_GROUPS;
        let task = usize::try_from(group).unwrap_or(0) * tasks / KEY_GROUPS as usize;
        if let (Some(picked), Ok(index)) = (picked.get_mut(task), u32::try_from(index)) {
            picked.push(index);
        }
    }
    picked
        .into_iter()
        .map(|rows| Ok(take_record_batch(records, &UInt32Array::from(rows))?))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn rows_of_a_key_meet_on_one_task_and_none_is_lost() {
        let keys: Vec<i64> = (0..1000).map(|i| i % 37).collect();
        let text: StringArray = keys.iter().map(|k| Some(format!("k{k}"))).collect();
        let records = RecordBatch::try_from_iter([
            ("k", Arc::new(Int64Array::from(keys)) as _),
            ("t", Arc::new(text) as _),
        ])
        .unwrap();
        let mut converter = None;
        let parts = split_by_hash(&records, &["k".into(), "t".into()], &mut converter, 3).unwrap();
        assert_eq!(parts.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
        let mut owner = std::collections::HashMap::new();
        for (task, part) in parts.iter().enumerate() {
            assert!(part.num_rows() > 0, "task {task} has no key");
            for key in part.column(0).as_primitive::<Int64Type>().values() {
                assert_eq!(*owner.entry(*key).or_insert(task), task);
            }
        }
    }
}
