//! How a node takes rows and labels: in one order of time, column by column, with parameters that
//! leave in between.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use swiftwater_engine::{Batch, Output, Result};

use super::events::{Event, Moment, merge};
use super::fit::{Lesson, Statistic};
use super::fits::Counters;
use super::node::{Learner, PARAMETERS, count_infinite};
use super::parameters::{Exported, key_texts};
use super::transform::{Answer, Growing, Known, Value, Values};
use crate::keyed::Slot;

/// Rows or labels with what is needed of them.
struct Taken {
    slots: Vec<Slot>,
    times: Vec<i64>,
    values: Vec<Values>,
}

/// A place in the order of events at which parameters leave.
pub(super) struct Export {
    pub(super) before: usize,
    pub(super) slot: Slot,
    /// Those learned from labels, or those learned from rows.
    pub(super) supervised: bool,
    pub(super) version: i64,
    pub(super) time: i64,
}

impl Learner {
    pub(super) fn pass(
        &mut self,
        (records, times): (RecordBatch, Vec<i64>),
        labels: &[(RecordBatch, Vec<i64>)],
        out: &mut Output,
    ) -> Result<()> {
        let rows = self.take_rows(&records, times, out)?;
        let (labels, targets) = self.take_labels(labels)?;
        let mut moments = merge((&rows.slots, &rows.times), (&labels.slots, &labels.times));
        let exports = self.count(&mut moments);
        let mut grown: Vec<Growing> = self
            .layout
            .columns
            .iter()
            .map(|c| Growing::new(c.field.data_type(), records.num_rows()))
            .collect();
        let mut infinite = vec![0; grown.len()];
        let mut exported = Exported::default();
        let mut from = 0;
        for export in &exports {
            let part = moments.get(from..export.before).unwrap_or_default();
            self.go(part, (&rows, &labels, &targets), (&mut grown, &mut infinite), out);
            self.export(export, &mut exported)?;
            from = export.before;
        }
        let part = moments.get(from..).unwrap_or_default();
        self.go(part, (&rows, &labels, &targets), (&mut grown, &mut infinite), out);
        let layout = Arc::clone(&self.layout);
        let mut made = Vec::with_capacity(grown.len());
        for ((grown, column), (values, infinite)) in
            grown.into_iter().zip(&layout.columns).zip(rows.values.iter().zip(infinite))
        {
            count_infinite(column, infinite, out);
            made.push(grown.into_column(column, (&records, values))?);
        }
        let readings = self.clock.readings(out.now());
        out.emit(Batch::new(layout.output(&records, made)?, readings));
        out.emit_to(PARAMETERS, Batch::new(exported.finish(&self.exported)?, readings));
        Ok(())
    }

    fn take_rows(
        &mut self,
        records: &RecordBatch,
        times: Vec<i64>,
        out: &mut Output,
    ) -> Result<Taken> {
        let slots = self.fits.slots(&self.layout.keys.of(records), records.num_rows())?;
        let mut values = Vec::with_capacity(self.layout.columns.len());
        for column in &self.layout.columns {
            let (read, infinite) = Values::of(records.column(column.source), column.reads)?;
            count_infinite(column, infinite, out);
            values.push(read);
        }
        Ok(Taken { slots, times, values })
    }

    /// Labels with their targets.
    fn take_labels(
        &mut self,
        parts: &[(RecordBatch, Vec<i64>)],
    ) -> Result<(Taken, Vec<Option<f64>>)> {
        let none = Taken { slots: Vec::new(), times: Vec::new(), values: Vec::new() };
        let Some(labels) = self.labels.as_ref().filter(|_| !parts.is_empty()) else {
            return Ok((none, Vec::new()));
        };
        let records = concat_batches(&labels.schema, parts.iter().map(|(records, _)| records))?;
        let times = parts.iter().flat_map(|(_, times)| times).copied().collect();
        let slots = self.fits.slots(&labels.keys.of(&records), records.num_rows())?;
        let target = cast(records.column(labels.target), &DataType::Float64)?;
        let target = target.as_primitive::<Float64Type>().iter();
        let target = target.map(|t| t.filter(|t| t.is_finite())).collect();
        let columns = self.layout.columns.iter().zip(&labels.sources);
        let values = columns.map(|(column, source)| {
            Values::of(records.column(*source), column.reads).map(|(values, _)| values)
        });
        Ok((Taken { slots, times, values: values.collect::<Result<_>>()? }, target))
    }

    /// Counts events by key: which of them are learned from, and where parameters leave.
    fn count(&mut self, moments: &mut [Moment]) -> Vec<Export> {
        let mut exports = Vec::new();
        let has_labels = self.labels.is_some();
        let freeze = self.times.freeze_after;
        for (place, moment) in moments.iter_mut().enumerate() {
            let (slot, time) = (moment.slot, moment.time);
            let Some(held) = self.fits.counters.get(slot as usize).copied() else { continue };
            let frozen = |count: i64| freeze.is_some_and(|most| count >= most);
            let mut next = Counters { newest: time, ..held };
            if let Some(every) = self.times.every {
                let stretch = time.div_euclid(every);
                if let Some(before) = held.stretch.filter(|before| *before < stretch) {
                    let time = (before + 1).saturating_mul(every);
                    let mut add = |supervised, version: i64| {
                        if version > 0 && !frozen(version) {
                            exports.push(Export { before: place, slot, supervised, version, time });
                        }
                    };
                    add(false, held.rows);
                    add(true, held.labels);
                }
                next.stretch = Some(stretch);
            }
            let supervised = matches!(moment.event, Event::Label(_));
            let count = if supervised { &mut next.labels } else { &mut next.rows };
            moment.learn = !frozen(*count);
            if moment.learn {
                *count += 1;
                let version = *count;
                if frozen(version) && (!supervised || has_labels) {
                    exports.push(Export { before: place + 1, slot, supervised, version, time });
                }
            }
            if next != held
                && let Some(counters) = self.fits.count(slot)
            {
                *counters = next;
            }
        }
        exports
    }

    /// Events in their order, column by column.
    fn go(
        &mut self,
        moments: &[Moment],
        (rows, labels, targets): (&Taken, &Taken, &[Option<f64>]),
        (grown, infinite): (&mut [Growing], &mut [usize]),
        out: &mut Output,
    ) {
        let layout = Arc::clone(&self.layout);
        for (number, column) in layout.columns.iter().enumerate() {
            let (Some(grown), Some(infinite)) = (grown.get_mut(number), infinite.get_mut(number))
            else {
                continue;
            };
            let row_values = rows.values.get(number);
            let label_values = labels.values.get(number);
            let mut no_room = 0;
            for moment in moments {
                let (value, label) = match moment.event {
                    Event::Row(row) => {
                        let value = row_values.map_or(Value::Null, |values| values.get(row));
                        let fit = self.fits.get(number, moment.slot);
                        let answer = fit.map_or(Answer::Null, |fit| {
                            let known = Known { fit, spec: &column.spec, time: moment.time };
                            column.transform.one(known, value)
                        });
                        *infinite += usize::from(!grown.push(answer));
                        (value, 0.0)
                    }
                    Event::Label(label) => {
                        let target = targets.get(label).copied().flatten();
                        let value = label_values.map_or(Value::Null, |values| values.get(label));
                        let Some(target) = target else { continue };
                        (value, target)
                    }
                };
                let supervised = matches!(moment.event, Event::Label(_));
                if moment.learn && supervised == column.supervised {
                    let at = (label, moment.time);
                    let lesson = self.fits.learn((number, moment.slot), value, at);
                    no_room += usize::from(lesson == Lesson::NoRoom);
                }
            }
            if let Statistic::Categories { room, .. } = &column.spec.statistic
                && no_room > 0
            {
                let rule = format!("{} has at most {room} categories", column.field.name());
                out.count_breaches(&rule.into(), no_room);
            }
        }
    }

    pub(super) fn export(&self, export: &Export, exported: &mut Exported) -> Result<()> {
        let key = self.fits.index.columns(&[export.slot])?;
        let key = key_texts(&key, 1)?.into_iter().next().flatten();
        for (number, column) in self.layout.columns.iter().enumerate() {
            if column.supervised == export.supervised
                && let Some(fit) = self.fits.get(number, export.slot)
            {
                let at = (export.version, export.time);
                exported.add((column, fit), key.as_deref(), at);
            }
        }
        Ok(())
    }
}
