//! The lists of all keys: row numbers in order, and when each list is done with.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use swiftwater_engine::Result;

use super::Ties;
use crate::keyed::{Agenda, KeyIndex, RowId, Slot};

/// A row in its list.
struct Entry {
    order: Box<[u8]>,
    id: RowId,
}

/// The list of one key, in order; rows that are equal in it in the order in which they came.
#[derive(Default)]
struct List {
    rows: Vec<Entry>,
}

/// What became of a row.
pub(super) enum Placed {
    /// It is not among the first.
    Behind,
    /// It is in the list, which had `before` rows.
    At { place: usize, before: usize },
}

/// The lists of all keys.
pub(super) struct Groups {
    pub(super) index: KeyIndex,
    n: usize,
    ties: Ties,
    lists: Vec<List>,
    closing: Agenda<Slot>,
    evicted: Vec<RowId>,
    held: usize,
}

impl Groups {
    pub(super) fn new(key: &[DataType], n: usize, ties: Ties) -> Result<Self> {
        Ok(Self {
            index: KeyIndex::new(key)?,
            n,
            ties,
            lists: Vec::new(),
            closing: Agenda::default(),
            evicted: Vec::new(),
            held: 0,
        })
    }

    /// What the rows that are kept mean.
    pub(super) fn layout(&self, order: &str) -> String {
        let ties = if self.ties == Ties::Include { " with ties" } else { "" };
        format!("first {}{ties} by {order}", self.n)
    }

    pub(super) fn slots(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let mut slots = Vec::new();
        self.index.insert(keys, rows, &mut slots)?;
        Ok(slots)
    }

    /// Puts a row, newer than all others, into the list of its key if it is among the first. `time`
    /// is when the list is done with.
    pub(super) fn place(&mut self, slot: Slot, time: i64, order: &[u8], id: RowId) -> Placed {
        let at = slot as usize;
        if at >= self.lists.len() {
            self.lists.resize_with(at + 1, List::default);
        }
        let Some(list) = self.lists.get_mut(at) else { return Placed::Behind };
        if list.rows.is_empty() {
            self.closing.push(time, 0, slot);
        }
        let before = list.rows.len();
        let place = list.rows.partition_point(|e| e.order.as_ref() <= order);
        let ahead = match self.ties {
            Ties::Exclude => place,
            Ties::Include => list.rows.partition_point(|e| e.order.as_ref() < order),
        };
        if ahead >= self.n {
            return Placed::Behind;
        }
        list.rows.insert(place, Entry { order: order.into(), id });
        let kept = match (self.ties, list.rows.get(self.n - 1)) {
            (Ties::Include, Some(last)) => {
                list.rows.partition_point(|e| e.order.as_ref() <= last.order.as_ref())
            }
            _ => self.n.min(list.rows.len()),
        };
        self.evicted.extend(list.rows.drain(kept..).map(|e| e.id));
        self.held = self.held + list.rows.len() - before;
        Placed::At { place, before }
    }

    /// The rows of a list from a place on.
    pub(super) fn from(&self, slot: Slot, place: usize) -> Vec<RowId> {
        let rows = self.lists.get(slot as usize).and_then(|l| l.rows.get(place..));
        rows.unwrap_or_default().iter().map(|e| e.id).collect()
    }

    /// The rows that are no longer in a list, since this was last asked.
    pub(super) fn take_evicted(&mut self) -> Vec<RowId> {
        std::mem::take(&mut self.evicted)
    }

    /// Takes the lists that are done with at `watermark`, with the rank of each row: in the order of
    /// time and of the rows that came first.
    pub(super) fn close(&mut self, watermark: i64) -> Vec<Vec<(usize, RowId)>> {
        let mut closed = Vec::new();
        while let Some((time, _, slot)) = self.closing.pop_until(watermark) {
            self.index.remove(slot);
            let Some(list) = self.lists.get_mut(slot as usize).map(std::mem::take) else {
                continue;
            };
            self.held -= list.rows.len();
            closed.push((time, list.rows.iter().map(|e| e.id).min(), list));
        }
        closed.sort_by_key(|(time, first, _)| (*time, *first));
        closed.into_iter().map(|(_, _, list)| self.ranked(&list)).collect()
    }

    fn ranked(&self, list: &List) -> Vec<(usize, RowId)> {
        let (mut ranked, mut rank) = (Vec::with_capacity(list.rows.len()), 0);
        let mut last: Option<&[u8]> = None;
        for (place, entry) in list.rows.iter().enumerate() {
            let tied = self.ties == Ties::Include && last == Some(entry.order.as_ref());
            rank = if tied { rank } else { place + 1 };
            last = Some(entry.order.as_ref());
            ranked.push((rank, entry.id));
        }
        ranked
    }

    /// Forgets keys without a list.
    pub(super) fn forget_empty(&mut self) {
        let lists = &self.lists;
        self.index.retain(|slot| lists.get(slot as usize).is_some_and(|l| !l.rows.is_empty()));
    }

    pub(super) fn bytes(&self) -> usize {
        // The order of a row takes 16 bytes at least, with what the allocator needs for it.
        let rows = self.held * (size_of::<Entry>() + 32);
        self.index.bytes() + self.closing.bytes() + self.lists.capacity() * size_of::<List>() + rows
    }
}
