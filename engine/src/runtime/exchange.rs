//! The sending side of a link: to one task, to each in turn, or by the hash of key columns.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use std::time::Duration;

use super::control::{Control, Stopped};
use super::edge::Sender;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::key_group;
use crate::message::Message;
use crate::plan::Exchange;

/// Spreads rows over the edges of a link.
pub(super) struct Outlet {
    senders: Vec<Sender>,
    spread: Spread,
}

enum Spread {
    First,
    Turn(usize),
    Hash(Vec<String>),
}

impl Outlet {
    /// `senders` holds one edge for each taking task that this task can reach.
    pub(super) fn new(exchange: &Exchange, senders: Vec<Sender>) -> Self {
        let spread = match exchange {
            Exchange::Forward | Exchange::Gather => Spread::First,
            Exchange::RoundRobin => Spread::Turn(0),
            Exchange::Hash(columns) => Spread::Hash(columns.clone()),
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
            Spread::Hash(columns) => {
                let parts = split_by_hash(&batch.records, columns, self.senders.len())?;
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

fn split_by_hash(
    records: &RecordBatch,
    columns: &[String],
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
    let mut picked: Vec<Vec<u32>> = vec![Vec::new(); tasks];
    for (index, group) in (0..).zip(key_group::of_rows(&keys)?) {
        if let Some(picked) = picked.get_mut(key_group::task(group, tasks)) {
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
        let parts = split_by_hash(&records, &["k".into(), "t".into()], 3).unwrap();
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
