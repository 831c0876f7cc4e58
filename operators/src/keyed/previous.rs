//! The last rows of each key: a ring of row numbers for each, the rows themselves in a table.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use swiftwater_engine::Result;

use super::{Agenda, KeyColumns, KeyIndex, NO_ROW, Removal, RowId, RowTable, Slot, WatermarkClock};

/// The last `offset` rows of each key.
pub(crate) struct Previous {
    pub(crate) clock: WatermarkClock,
    pub(crate) index: KeyIndex,
    pub(crate) table: RowTable,
    offset: usize,
    ttl: Option<i64>,
    /// The key's columns in a batch.
    keys: KeyColumns,
    /// The columns that are kept: those of the key and those that are looked back at.
    kept: Vec<usize>,
    /// Numbers in `kept` of the columns that are looked back at.
    taken: Vec<usize>,
    slots: Vec<Slot>,
    /// `offset` places for each slot.
    rings: Vec<RowId>,
    /// Where each slot's next row goes.
    next: Vec<usize>,
    /// One entry for each key: a time at which to look at it.
    expiring: Agenda<Slot>,
    scheduled: Vec<i64>,
}

impl Previous {
    pub(crate) fn new(
        keys: &KeyColumns,
        rows: &SchemaRef,
        sources: &[usize],
        (offset, ttl): (usize, Option<i64>),
    ) -> Result<Self> {
        let mut kept = keys.numbers.clone();
        kept.extend(sources);
        kept.sort_unstable();
        kept.dedup();
        let place = |number: &usize| kept.iter().position(|k| k == number).unwrap_or(0);
        let keys_in_kept = KeyColumns {
            numbers: keys.numbers.iter().map(place).collect(),
            fields: keys.fields.clone(),
        };
        let schema = Arc::new(rows.project(&kept)?);
        Ok(Self {
            clock: WatermarkClock::default(),
            index: KeyIndex::new(&keys.types())?,
            table: RowTable::new("previous", &keys_in_kept, &schema, Removal::ByKey),
            offset,
            ttl,
            keys: keys.clone(),
            taken: sources.iter().map(place).collect(),
            kept,
            slots: Vec::new(),
            rings: Vec::new(),
            next: Vec::new(),
            expiring: Agenda::default(),
            scheduled: Vec::new(),
        })
    }

    /// How many rows are looked back.
    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    /// Rows pass: the looked-back columns for each, in order. Rows up to `horizon` are not
    /// remembered, nor those for which `remembered` is not true.
    pub(crate) fn pass(
        &mut self,
        records: &RecordBatch,
        times: &[i64],
        (horizon, remembered): (i64, Option<&BooleanArray>),
    ) -> Result<Vec<ArrayRef>> {
        let mut slots = std::mem::take(&mut self.slots);
        self.index.insert(&self.keys.of(records), records.num_rows(), &mut slots)?;
        let first = self.table.push(records.project(&self.kept)?, times)?;
        let (mut before, mut gone) = (Vec::with_capacity(slots.len()), Vec::new());
        let passes = |row: usize, time: i64| {
            time <= horizon || remembered.is_some_and(|rows| rows.is_null(row) || !rows.value(row))
        };
        for (row, (slot, time)) in slots.iter().zip(times).enumerate() {
            let id = first + row as RowId;
            self.make_room(*slot);
            let farthest = self.farthest(*slot);
            before.push(if self.counts(farthest, *time) { farthest } else { NO_ROW });
            if passes(row, *time) {
                gone.push(id);
                continue;
            }
            let replaced = self.replace(*slot, id);
            gone.extend((replaced != NO_ROW).then_some(replaced));
            self.schedule(*slot, *time);
        }
        for (row, (slot, time)) in slots.iter().zip(times).enumerate() {
            if passes(row, *time) && self.is_empty(*slot) {
                self.index.remove(*slot);
            }
        }
        self.slots = slots;
        let places = self.table.places(&before)?;
        let columns = self.taken.iter().map(|c| self.table.column(*c, &places)).collect();
        self.table.remove(&gone)?;
        columns
    }

    /// Whether a row counts for one of `time`.
    fn counts(&self, id: RowId, time: i64) -> bool {
        let Some(ttl) = self.ttl else { return true };
        self.table.time(id).is_some_and(|held| held > time.saturating_sub(ttl))
    }

    /// Rows of this time and before are forgotten.
    pub(crate) fn horizon(&self) -> i64 {
        self.ttl.and_then(|ttl| self.clock.before(ttl)).unwrap_or(i64::MIN)
    }

    fn make_room(&mut self, slot: Slot) {
        let at = slot as usize;
        if at >= self.next.len() {
            self.next.resize(at + 1, 0);
            self.scheduled.resize(at + 1, i64::MAX);
            self.rings.resize((at + 1) * self.offset, NO_ROW);
        }
    }

    fn ring(&self, slot: Slot) -> &[RowId] {
        let from = slot as usize * self.offset;
        self.rings.get(from..from + self.offset).unwrap_or_default()
    }

    fn is_empty(&self, slot: Slot) -> bool {
        self.ring(slot).iter().all(|id| *id == NO_ROW)
    }

    /// The row that lies `offset` back of the next one.
    fn farthest(&self, slot: Slot) -> RowId {
        let next = self.next.get(slot as usize).copied().unwrap_or(0);
        self.ring(slot).get(next).copied().unwrap_or(NO_ROW)
    }

    /// Puts a row into its key's ring and gives the one whose place it takes.
    fn replace(&mut self, slot: Slot, id: RowId) -> RowId {
        let at = slot as usize;
        let Some(next) = self.next.get_mut(at) else { return NO_ROW };
        let place = at * self.offset + *next;
        *next = (*next + 1) % self.offset;
        self.rings.get_mut(place).map_or(NO_ROW, |held| std::mem::replace(held, id))
    }

    /// Sees to it that a key is looked at once `time` is over.
    fn schedule(&mut self, slot: Slot, time: i64) {
        if self.ttl.is_some()
            && let Some(scheduled) = self.scheduled.get_mut(slot as usize)
            && time < *scheduled
        {
            *scheduled = time;
            self.expiring.push(time, 0, slot);
        }
    }

    /// Forgets the rows that the watermark has passed by `ttl`.
    pub(crate) fn forget(&mut self) -> Result<()> {
        let horizon = self.horizon();
        let mut gone = Vec::new();
        while let Some((at, _, slot)) = self.expiring.pop_until(horizon) {
            let scheduled = self.scheduled.get_mut(slot as usize);
            // A key that was looked at for an earlier entry has a new one.
            let Some(scheduled) = scheduled.filter(|s| **s == at) else { continue };
            *scheduled = i64::MAX;
            self.forget_key(slot, horizon, &mut gone);
        }
        self.table.remove(&gone)
    }

    /// The rows of a key that are left close up.
    fn forget_key(&mut self, slot: Slot, horizon: i64, gone: &mut Vec<RowId>) {
        let next = self.next.get(slot as usize).copied().unwrap_or(0);
        let (newer, older) = self.ring(slot).split_at(next.min(self.ring(slot).len()));
        let held = older.iter().chain(newer).copied().filter(|id| *id != NO_ROW);
        let held: Vec<(RowId, i64)> =
            held.map(|id| (id, self.table.time(id).unwrap_or(i64::MIN))).collect();
        let (kept, forgotten): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, t)| *t > horizon);
        gone.extend(forgotten.into_iter().map(|(id, _)| id));
        let from = slot as usize * self.offset;
        if let Some(ring) = self.rings.get_mut(from..from + self.offset) {
            ring.fill(NO_ROW);
            ring.iter_mut().zip(&kept).for_each(|(place, (id, _))| *place = *id);
        }
        if let Some(next) = self.next.get_mut(slot as usize) {
            *next = kept.len() % self.offset;
        }
        match kept.iter().map(|(_, time)| *time).min() {
            Some(time) => self.schedule(slot, time),
            None => self.index.remove(slot),
        }
    }

    /// Makes rings of what was restored.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if !self.table.is_restoring() {
            return Ok(());
        }
        for row in self.table.settle(&mut self.index)? {
            self.make_room(row.slot);
            self.replace(row.slot, row.id);
            self.schedule(row.slot, row.mark.time);
        }
        let mut index = std::mem::replace(&mut self.index, KeyIndex::new(&[])?);
        index.retain(|slot| !self.is_empty(slot));
        self.index = index;
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        let by_slot = self.rings.capacity() * size_of::<RowId>() + self.next.capacity() * 16;
        self.index.bytes() + self.table.bytes() + by_slot + self.expiring.bytes()
    }
}
