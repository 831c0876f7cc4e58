//! The open session of each key.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use swiftwater_engine::{Merge, Result, TableDelta, TableSpec, key_group};

use crate::keyed::{Agenda, KeyColumns, KeyIndex, Slot, check_columns};

/// Name of the table that holds the open sessions.
const TABLE: &str = "sessions";

/// When a session ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Microseconds without a row.
    pub(super) gap: i64,
    /// Microseconds since its first row.
    pub(super) longest: i64,
}

/// A session.
#[derive(Debug, Clone, Copy)]
struct Session {
    first: i64,
    last: i64,
    rows: i64,
    /// Hash of the key.
    key: u64,
    changed: bool,
}

impl Bounds {
    /// The time from which on a row does not belong to a session.
    const fn end(self, session: &Session) -> i64 {
        let (gap, longest) =
            (session.last.saturating_add(self.gap), session.first.saturating_add(self.longest));
        if gap < longest { gap } else { longest }
    }
}

/// The open sessions of a task.
pub(super) struct Sessions {
    keys: KeyColumns,
    bounds: Bounds,
    index: KeyIndex,
    open: Vec<Option<Session>>,
    ending: Agenda<Slot>,
    changed: Vec<Slot>,
    /// Sessions that are over, with their keys.
    over: Vec<(Session, Vec<ArrayRef>)>,
    expired_below: Option<i64>,
    schema: SchemaRef,
    pending: Vec<TableDelta>,
}

impl Sessions {
    pub(super) fn new(keys: &KeyColumns, bounds: Bounds) -> Result<Self> {
        let mut fields = keys.fields.clone();
        let number = |name| Arc::new(Field::new(name, DataType::Int64, false));
        fields.extend(["__first", "__last", "__rows", "__end"].map(number));
        Ok(Self {
            keys: keys.clone(),
            bounds,
            index: KeyIndex::new(&keys.types())?,
            open: Vec::new(),
            ending: Agenda::default(),
            changed: Vec::new(),
            over: Vec::new(),
            expired_below: None,
            schema: Arc::new(Schema::new(fields)),
            pending: Vec::new(),
        })
    }

    /// An index of the same keys without any.
    pub(super) fn empty_index(&self) -> Result<KeyIndex> {
        KeyIndex::new(&self.keys.types())
    }

    /// What state means beyond its columns.
    pub(super) fn meaning(&self) -> String {
        format!("sessions of {} us, {} us at most", self.bounds.gap, self.bounds.longest)
    }

    /// Rows pass in the order of event time: the names of their sessions and their places in them.
    pub(super) fn pass(&mut self, records: &RecordBatch, times: &[i64]) -> Result<Vec<ArrayRef>> {
        let key = self.keys.of(records);
        let mut slots = Vec::new();
        self.index.insert(&key, records.num_rows(), &mut slots)?;
        let hashes = key_group::hashes(&key)?;
        let (mut names, mut places) = (Vec::new(), Vec::new());
        for ((slot, time), hash) in slots.iter().zip(times).zip(hashes) {
            let session = self.add(*slot, *time, hash)?;
            names.push(name(&session));
            places.push(session.rows);
        }
        Ok(vec![Arc::new(StringArray::from(names)), Arc::new(Int64Array::from(places))])
    }

    fn add(&mut self, slot: Slot, time: i64, key: u64) -> Result<Session> {
        let at = slot as usize;
        if at >= self.open.len() {
            self.open.resize(at + 1, None);
        }
        let held = self.open.get(at).copied().flatten();
        let open = held.filter(|session| time < self.bounds.end(session));
        if let Some(ended) = held.filter(|_| open.is_none()) {
            self.over.push((ended, self.index.columns(&[slot])?));
        }
        let was_changed = held.is_some_and(|session| session.changed);
        let session = match open {
            Some(open) => Session { last: time, rows: open.rows + 1, changed: true, ..open },
            None => Session { first: time, last: time, rows: 1, key, changed: true },
        };
        if !was_changed {
            self.changed.push(slot);
        }
        if held.is_none() {
            self.ending.push(self.bounds.end(&session), 0, slot);
        }
        if let Some(held) = self.open.get_mut(at) {
            *held = Some(session);
        }
        Ok(session)
    }

    /// All rows up to the watermark have passed: sessions that no later row belongs to are over.
    pub(super) fn close(&mut self, watermark: i64) {
        let next = watermark.saturating_add(1);
        self.expired_below = self.expired_below.max(Some(next.saturating_add(1)));
        while let Some((_, _, slot)) = self.ending.pop_until(next) {
            let Some(held) = self.open.get_mut(slot as usize) else { continue };
            let Some(session) = *held else { continue };
            let end = self.bounds.end(&session);
            if end > next {
                self.ending.push(end, 0, slot);
                continue;
            }
            *held = None;
            if let Ok(key) = self.index.columns(&[slot]) {
                self.over.push((session, key));
            }
            self.index.remove(slot);
        }
    }

    /// The sessions that are over, in the order of their ends: the key's columns and what follows.
    pub(super) fn take_over(&mut self) -> Result<Option<Vec<ArrayRef>>> {
        let mut over = std::mem::take(&mut self.over);
        if over.is_empty() {
            return Ok(None);
        }
        over.sort_by_key(|(session, _)| (self.bounds.end(session), session.first, session.key));
        let mut columns = Vec::new();
        for number in 0..self.keys.numbers.len() {
            let parts = over.iter().filter_map(|(_, key)| key.get(number)).map(AsRef::as_ref);
            columns.push(arrow::compute::concat(&parts.collect::<Vec<_>>())?);
        }
        let sessions: Vec<Session> = over.iter().map(|(session, _)| *session).collect();
        let times = |of: &dyn Fn(&Session) -> i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(sessions.iter().map(of)))
        };
        columns.push(Arc::new(StringArray::from_iter_values(sessions.iter().map(name))));
        columns.push(times(&|session| session.first));
        columns.push(times(&|session| session.last));
        columns.push(Arc::new(Int64Array::from_iter_values(sessions.iter().map(|s| s.rows))));
        columns.push(times(&|session| self.bounds.end(session).saturating_sub(1)));
        Ok(Some(columns))
    }

    pub(super) fn spec(&self) -> TableSpec {
        let keys = self.keys.numbers.len();
        TableSpec {
            name: TABLE,
            version: 1,
            schema: Arc::clone(&self.schema),
            partition: keys,
            key: keys,
            expiry: Some(keys + 3),
            merge: Merge::Latest,
        }
    }

    /// The sessions that changed since the last time.
    pub(super) fn seal(&mut self) -> Result<Option<TableDelta>> {
        self.settle()?;
        let (mut slots, mut sessions) = (Vec::new(), Vec::new());
        for slot in std::mem::take(&mut self.changed) {
            let held = self.open.get_mut(slot as usize).and_then(Option::as_mut);
            if let Some(session) = held.filter(|session| session.changed) {
                session.changed = false;
                slots.push(slot);
                sessions.push(*session);
            }
        }
        let mut columns = self.index.columns(&slots)?;
        for of in [|s: &Session| s.first, |s: &Session| s.last, |s: &Session| s.rows] {
            columns.push(Arc::new(Int64Array::from_iter_values(sessions.iter().map(of))));
        }
        let ends = sessions.iter().map(|session| self.bounds.end(session));
        columns.push(Arc::new(Int64Array::from_iter_values(ends)));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let expired_below = self.expired_below.take();
        let delta = TableDelta { table: TABLE, rows, deleted: None, expired_below };
        Ok((!delta.is_empty()).then_some(delta))
    }

    pub(super) fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        check_columns(TABLE, &self.schema, delta)?;
        self.pending.push(delta.clone());
        Ok(())
    }

    /// Opens the sessions that were restored, each as it was last.
    pub(super) fn settle(&mut self) -> Result<()> {
        let mut slots = Vec::new();
        let pending = std::mem::take(&mut self.pending);
        let expired = pending.iter().filter_map(|delta| delta.expired_below).max();
        for delta in &pending {
            let keys = self.keys.numbers.len();
            let columns = delta.rows.columns().get(..keys).unwrap_or_default();
            self.index.insert(columns, delta.rows.num_rows(), &mut slots)?;
            let number = |at: usize| delta.rows.column(keys + at).as_primitive::<Int64Type>();
            let (firsts, lasts, rows) = (number(0), number(1), number(2));
            let hashes = key_group::hashes(columns)?;
            for (row, (slot, key)) in slots.iter().zip(hashes).enumerate() {
                let at = *slot as usize;
                if at >= self.open.len() {
                    self.open.resize(at + 1, None);
                }
                let (first, last) = (firsts.value(row), lasts.value(row));
                let session = Session { first, last, rows: rows.value(row), key, changed: false };
                if let Some(held) = self.open.get_mut(at) {
                    *held = Some(session);
                }
            }
        }
        if pending.is_empty() {
            return Ok(());
        }
        for (slot, held) in (0..).zip(&mut self.open) {
            match held {
                Some(session) if expired.is_none_or(|e| self.bounds.end(session) >= e) => {
                    self.ending.push(self.bounds.end(session), 0, slot);
                }
                _ => *held = None,
            }
        }
        let open = &self.open;
        self.index.retain(|slot| open.get(slot as usize).is_some_and(Option::is_some));
        Ok(())
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.open.capacity() * size_of::<Option<Session>>()
            + self.index.bytes()
            + self.ending.bytes()
            + self.changed.capacity() * size_of::<Slot>()
    }
}

/// A hash of key and first time.
fn name(session: &Session) -> String {
    let mixed = session.key ^ session.first.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{:016x}", mixed ^ mixed >> 31)
}
