//! The numbers of rows that lie side by side: mostly without a gap, and then only the first is held.

use super::RowId;

/// Ascending numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    first: RowId,
    count: usize,
    /// How far each is above the first; empty where no number is left out.
    above: Vec<u32>,
}

impl Numbers {
    /// The numbers from `first` on.
    pub(super) const fn from(first: RowId, count: usize) -> Self {
        Self { first, count, above: Vec::new() }
    }

    /// Ascending numbers; `None` where they lie too far apart.
    pub(super) fn of(ids: &[RowId]) -> Option<Self> {
        let first = ids.first().copied().unwrap_or_default();
        let last = ids.last().copied().unwrap_or_default();
        if (last - first) as usize + 1 == ids.len() {
            return Some(Self::from(first, ids.len()));
        }
        let above: Result<_, _> = ids.iter().map(|id| u32::try_from(id - first)).collect();
        Some(Self { first, count: ids.len(), above: above.ok()? })
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn first(&self) -> RowId {
        self.first
    }

    pub(super) fn get(&self, at: usize) -> Option<RowId> {
        if at >= self.count {
            return None;
        }
        match self.above.get(at) {
            Some(above) => Some(self.first + u64::from(*above)),
            None => Some(self.first + at as u64),
        }
    }

    pub(super) fn last(&self) -> Option<RowId> {
        self.get(self.count.checked_sub(1)?)
    }

    /// The place of a number that is not below the first.
    pub(super) fn find(&self, id: RowId) -> Option<usize> {
        let above = usize::try_from(id.checked_sub(self.first)?).ok()?;
        if self.above.is_empty() {
            return (above < self.count).then_some(above);
        }
        let above = u32::try_from(above).ok()?;
        if self.above.get(above as usize) == Some(&above) {
            return Some(above as usize);
        }
        self.above.binary_search(&above).ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RowId> {
        (0..self.count).filter_map(|at| self.get(at))
    }

    /// Bytes of memory.
    pub(super) const fn bytes(&self) -> usize {
        self.above.capacity() * 4
    }
}
