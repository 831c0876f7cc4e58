//! What is learned of each column and key, and the table in which snapshots hold it: a row for each
//! part (a bin, a category, a total), so that a barrier writes what changed.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use swiftwater_engine::{Error, Merge, Result, TableDelta, TableSpec};

use super::categories::Counts;
use super::fit::{Fit, Learned, Lesson, Spec};
use super::moments::{Moments, Range};
use super::transform::Value;
use crate::keyed::{KeyColumns, KeyIndex, Slot, check_columns};

const TABLE: &str = "learned";
/// Stands for the counters of a key in the place of a column's number.
const COUNTERS: i64 = -1;

/// How much of a key was learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) rows: i64,
    pub(super) labels: i64,
    /// The stretch of the export interval in which the newest event was.
    pub(super) stretch: Option<i64>,
    /// The time of the newest event.
    pub(super) newest: i64,
}

/// Fits by column and key.
pub(super) struct Fits {
    pub(super) index: KeyIndex,
    keys: KeyColumns,
    specs: Vec<Spec>,
    columns: Vec<Vec<Fit>>,
    pub(super) counters: Vec<Counters>,
    changed: Vec<Vec<bool>>,
    /// Column (or [`COUNTERS`]) and slot of what changed.
    changes: Vec<(i64, Slot)>,
    schema: SchemaRef,
    restored: bool,
}

/// A row of the table without its key.
#[derive(Debug, Default)]
struct Part {
    name: String,
    numbers: [f64; 3],
    times: [i64; 2],
    text: Option<Arc<str>>,
}

impl Fits {
    pub(super) fn new(keys: &KeyColumns, specs: Vec<Spec>) -> Result<Self> {
        let mut fields = keys.fields.clone();
        let mut add = |name: &str, of, null| fields.push(Arc::new(Field::new(name, of, null)));
        add("__column", DataType::Int64, false);
        add("__part", DataType::Utf8, false);
        for name in ["__a", "__b", "__c"] {
            add(name, DataType::Float64, false);
        }
        add("__landmark", DataType::Int64, false);
        add("__last", DataType::Int64, false);
        add("__text", DataType::Utf8, true);
        Ok(Self {
            index: KeyIndex::new(&keys.types())?,
            keys: keys.clone(),
            columns: vec![Vec::new(); specs.len()],
            changed: vec![Vec::new(); specs.len() + 1],
            specs,
            counters: Vec::new(),
            changes: Vec::new(),
            schema: Arc::new(Schema::new(fields)),
            restored: false,
        })
    }

    pub(super) fn spec(&self) -> TableSpec {
        let keys = self.keys.numbers.len();
        TableSpec {
            name: TABLE,
            version: 1,
            schema: Arc::clone(&self.schema),
            partition: keys,
            key: keys + 2,
            expiry: None,
            merge: Merge::Latest,
        }
    }

    /// The slots of the keys of `rows`, which have these key columns.
    pub(super) fn slots(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        self.settle();
        let mut slots = Vec::with_capacity(rows);
        self.index.insert(keys, rows, &mut slots)?;
        if let Some(last) = slots.iter().max() {
            self.make_room(*last);
        }
        Ok(slots)
    }

    fn make_room(&mut self, slot: Slot) {
        let slots = slot as usize + 1;
        if slots > self.counters.len() {
            self.counters.resize(slots, Counters::default());
            self.changed.iter_mut().for_each(|changed| changed.resize(slots, false));
            for (fits, spec) in self.columns.iter_mut().zip(&self.specs) {
                fits.resize(slots, Fit::new(spec));
            }
        }
    }

    pub(super) fn get(&self, column: usize, slot: Slot) -> Option<&Fit> {
        self.columns.get(column)?.get(slot as usize)
    }

    pub(super) fn learn(
        &mut self,
        (column, slot): (usize, Slot),
        value: Value<'_>,
        at: (f64, i64),
    ) -> Lesson {
        let Some(fit) = self.columns.get_mut(column).and_then(|c| c.get_mut(slot as usize)) else {
            return Lesson::Skipped;
        };
        let Some(spec) = self.specs.get(column) else { return Lesson::Skipped };
        let lesson = fit.learn(spec, value, at);
        if lesson == Lesson::Learned {
            self.change(column, slot);
        }
        lesson
    }

    /// Notes that a column of a key changed; the number of columns stands for its counters.
    fn change(&mut self, column: usize, slot: Slot) {
        if let Some(changed) = self.changed.get_mut(column).and_then(|c| c.get_mut(slot as usize))
            && !std::mem::replace(changed, true)
        {
            let number = if column < self.specs.len() {
                i64::try_from(column).unwrap_or(i64::MAX)
            } else {
                COUNTERS
            };
            self.changes.push((number, slot));
        }
    }

    /// The counters of a key, which are about to change.
    pub(super) fn count(&mut self, slot: Slot) -> Option<&mut Counters> {
        self.change(self.specs.len(), slot);
        self.counters.get_mut(slot as usize)
    }

    pub(super) fn seal(&mut self) -> Result<Option<TableDelta>> {
        self.settle();
        let changes = std::mem::take(&mut self.changes);
        let (mut slots, mut columns) = (Vec::new(), Int64Builder::new());
        let mut parts: Vec<Part> = Vec::new();
        for (column, slot) in changes {
            let number = usize::try_from(column).unwrap_or(self.specs.len());
            if let Some(changed) =
                self.changed.get_mut(number).and_then(|c| c.get_mut(slot as usize))
            {
                *changed = false;
            }
            let before = parts.len();
            match self.columns.get_mut(number).and_then(|c| c.get_mut(slot as usize)) {
                Some(fit) => fit_parts(fit, &mut parts),
                None => parts.extend(self.counters.get(slot as usize).map(counter_part)),
            }
            let many = parts.len() - before;
            slots.extend(std::iter::repeat_n(slot, many));
            columns.append_value_n(column, many);
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let mut table = key_columns(&self.index, &slots)?;
        table.push(Arc::new(columns.finish()));
        table.extend(part_columns(&parts));
        Ok(Some(TableDelta::of(TABLE, RecordBatch::try_new(Arc::clone(&self.schema), table)?)))
    }

    pub(super) fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        check_columns(TABLE, &self.schema, delta)?;
        let keys = self.keys.numbers.len();
        let (key, rest) = delta.rows.columns().split_at(keys);
        let slots = {
            let mut slots = Vec::new();
            self.index.insert(key, delta.rows.num_rows(), &mut slots)?;
            slots
        };
        if let Some(last) = slots.iter().max() {
            self.make_room(*last);
        }
        let [column, name, a, b, c, landmark, last, text] = rest else {
            return Err(Error::bug("find the columns of a table that was checked"));
        };
        let (column, name) = (column.as_primitive::<Int64Type>(), name.as_string::<i32>());
        let text = text.as_string::<i32>();
        let [a, b, c] = [a, b, c].map(|n| n.as_primitive::<Float64Type>());
        let [landmark, last] = [landmark, last].map(|n| n.as_primitive::<Int64Type>());
        for (row, slot) in slots.iter().enumerate() {
            let part = Part {
                name: name.value(row).to_owned(),
                numbers: [a.value(row), b.value(row), c.value(row)],
                times: [landmark.value(row), last.value(row)],
                text: text.is_valid(row).then(|| text.value(row).into()),
            };
            let fits = usize::try_from(column.value(row)).ok();
            match fits.and_then(|n| self.columns.get_mut(n)).and_then(|f| f.get_mut(*slot as usize))
            {
                Some(fit) => restore_part(fit, part),
                None => {
                    if let Some(counters) = self.counters.get_mut(*slot as usize) {
                        *counters = restored_counters(&part);
                    }
                }
            }
        }
        self.restored = true;
        Ok(())
    }

    /// Puts what was restored in order.
    fn settle(&mut self) {
        if std::mem::take(&mut self.restored) {
            for fit in self.columns.iter_mut().flatten() {
                if let Learned::Categories(categories) = &mut fit.learned {
                    categories.settle();
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let step = (self.counters.len() / 64).max(1);
        let sampled = |fits: &Vec<Fit>| {
            let sample: Vec<usize> = fits.iter().step_by(step).map(Fit::bytes).collect();
            sample.iter().sum::<usize>() * fits.len() / sample.len().max(1)
        };
        let fits: usize = self.columns.iter().map(sampled).sum();
        fits + self.counters.capacity() * (size_of::<Counters>() + self.changed.len())
            + self.index.bytes()
    }
}

/// The key columns of some slots, of which many may be the same one.
pub(super) fn key_columns(index: &KeyIndex, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
    let mut distinct: Vec<Slot> = slots.to_vec();
    distinct.dedup();
    let mut places = Vec::with_capacity(slots.len());
    let mut place = 0_u32;
    for (before, slot) in [None].into_iter().chain(slots.iter().map(Some)).zip(slots) {
        place += u32::from(before.is_some_and(|before| before != slot));
        places.push(place);
    }
    let places = UInt32Array::from(places);
    index.columns(&distinct)?.iter().map(|column| Ok(take(column, &places, None)?)).collect()
}

fn part_columns(parts: &[Part]) -> Vec<ArrayRef> {
    let mut name = StringBuilder::new();
    let mut numbers = [Float64Builder::new(), Float64Builder::new(), Float64Builder::new()];
    let mut times = [Int64Builder::new(), Int64Builder::new()];
    let mut text = StringBuilder::new();
    for part in parts {
        name.append_value(&part.name);
        numbers.iter_mut().zip(part.numbers).for_each(|(to, number)| to.append_value(number));
        times.iter_mut().zip(part.times).for_each(|(to, time)| to.append_value(time));
        text.append_option(part.text.as_deref());
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(name.finish())];
    columns.extend(numbers.iter_mut().map(|n| Arc::new(n.finish()) as ArrayRef));
    columns.extend(times.iter_mut().map(|t| Arc::new(t.finish()) as ArrayRef));
    columns.push(Arc::new(text.finish()));
    columns
}

fn counter_part(counters: &Counters) -> Part {
    // Counts are whole numbers below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "whole numbers below 2^53")]
    let numbers = [
        counters.rows as f64,
        counters.labels as f64,
        f64::from(u8::from(counters.stretch.is_some())),
    ];
    Part { numbers, times: [counters.stretch.unwrap_or(0), counters.newest], ..Part::default() }
}

#[expect(clippy::cast_possible_truncation, reason = "whole numbers below 2^53")]
fn restored_counters(part: &Part) -> Counters {
    let [rows, labels, known] = part.numbers;
    let [stretch, newest] = part.times;
    let stretch = (known > 0.0).then_some(stretch);
    Counters { rows: rows as i64, labels: labels as i64, stretch, newest }
}

fn fit_parts(fit: &mut Fit, parts: &mut Vec<Part>) {
    let times = [fit.clock.landmark, fit.clock.last];
    let head = |numbers| Part { numbers, times, ..Part::default() };
    match &mut fit.learned {
        Learned::Nothing | Learned::Table(_) => {}
        Learned::Moments(m) => parts.push(head([m.n, m.mean, m.m2])),
        Learned::Range(range) => parts.push(head([range.least, range.greatest, 0.0])),
        Learned::Last(text, time) => {
            let (times, text) = ([*time, 0], Some(Arc::clone(text)));
            parts.push(Part { times, text, ..Part::default() });
        }
        Learned::Sketch(sketch) => {
            parts.push(head([sketch.total(), 0.0, 0.0]));
            for (bin, weight) in sketch.take_changed() {
                let numbers = [weight, 0.0, 0.0];
                parts.push(Part { name: bin.to_string(), numbers, ..Part::default() });
            }
        }
        Learned::Categories(categories) => {
            let all = categories.all();
            parts.push(head([all.n, all.sum, 0.0]));
            for (name, counts) in categories.take_changed() {
                let numbers = [counts.n, counts.sum, counts.order.into()];
                let name = name.map_or_else(|| "null".to_owned(), |name| format!("={name}"));
                parts.push(Part { name, numbers, ..Part::default() });
            }
        }
    }
}

fn restore_part(fit: &mut Fit, part: Part) {
    let ([a, b, c], [landmark, last]) = (part.numbers, part.times);
    let is_head = part.name.is_empty();
    if is_head {
        fit.clock.landmark = landmark;
        fit.clock.last = last;
        fit.clock.started = true;
    }
    if let Some(text) = part.text {
        fit.learned = Learned::Last(text, landmark);
        return;
    }
    match &mut fit.learned {
        Learned::Moments(moments) => *moments = Moments { n: a, mean: b, m2: c },
        Learned::Range(range) => *range = Range { least: a, greatest: b },
        Learned::Sketch(sketch) if is_head => sketch.restore_total(a),
        Learned::Sketch(sketch) => {
            if let Ok(bin) = part.name.parse() {
                sketch.restore_bin(bin, a);
            }
        }
        Learned::Categories(categories) if is_head => {
            categories.restore_all(Counts { n: a, sum: b, order: 0 });
        }
        Learned::Categories(categories) => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole")]
            let counts = Counts { n: a, sum: b, order: c as u32 };
            categories.restore(part.name.strip_prefix('='), counts);
        }
        Learned::Nothing | Learned::Table(_) | Learned::Last(..) => {}
    }
}
