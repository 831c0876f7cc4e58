//! Slices of time that take no rows for now, on disk. A window that ends reads them one after the
//! other; a row that comes brings its slice back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use swiftwater_engine::{Result, SpillRoom};

use super::sliced::{SlicedPlan, SlicedWindows};
use crate::aggregate::{ColdGroups, Groups};
use crate::keyed::ColdStore;

/// Where slices go.
#[derive(Default)]
enum Disk {
    /// None went there yet.
    #[default]
    Unused,
    /// Groups of these keys and states cannot.
    Unfit,
    Used(Arc<ColdStore>),
}

/// Slices on disk, and which of the others might go there.
#[derive(Default)]
pub(super) struct ColdSlices {
    disk: Disk,
    slices: BTreeMap<i64, ColdGroups>,
    /// Slices that took rows since the last snapshot, and between that and the one before.
    touched: [BTreeSet<i64>; 2],
}

impl ColdSlices {
    /// A slice takes rows.
    pub(super) fn touch(&mut self, slice: i64) {
        let [now, _] = &mut self.touched;
        now.insert(slice);
    }

    /// A snapshot was taken.
    pub(super) fn sealed(&mut self) {
        let [now, before] = &mut self.touched;
        *before = std::mem::take(now);
    }

    /// Whether a slice has taken no rows for a while, so that the last snapshot has all of it.
    fn is_at_rest(&self, slice: i64) -> bool {
        !self.touched.iter().any(|touched| touched.contains(&slice))
    }

    /// Slices in the order of time.
    pub(super) fn range(&self, slices: Range<i64>) -> impl Iterator<Item = (&i64, &ColdGroups)> {
        self.slices.range(slices)
    }

    /// The newest slice.
    pub(super) fn last(&self) -> Option<i64> {
        self.slices.last_key_value().map(|(slice, _)| *slice)
    }

    /// Forgets slices.
    pub(super) fn forget(&mut self, is_gone: impl Fn(i64) -> bool) {
        self.slices.retain(|slice, _| !is_gone(*slice));
    }

    /// Takes slices back into memory.
    pub(super) fn take(
        &mut self,
        slices: Range<i64>,
        plan: &SlicedPlan,
    ) -> Result<Vec<(i64, Groups)>> {
        let mut taken = Vec::new();
        while let Some((slice, groups)) = self.slices.range(slices.clone()).next() {
            let slice = *slice;
            taken.extend(groups.read(&plan.aggregates, &plan.key)?.map(|groups| (slice, groups)));
            self.slices.remove(&slice);
        }
        Ok(taken)
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slices.values().map(ColdGroups::memory_bytes).sum()
    }

    /// Bytes of the disk.
    pub(super) fn disk_bytes(&self) -> usize {
        self.slices.values().map(ColdGroups::disk_bytes).sum()
    }
}

/// Moves slices that take no rows to disk, the newest first because the oldest are needed soonest,
/// until what is in memory takes `target` bytes.
pub(super) fn spill(operator: &mut SlicedWindows, target: usize, room: &SpillRoom) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    let mut held: usize = operator.slices.values().map(Groups::size).sum();
    // Rows that are given early are looked at all the time.
    if held <= target || plan.early.is_some() {
        return Ok(());
    }
    if matches!(operator.cold.disk, Disk::Unused) {
        let store = ColdGroups::store(&plan.aggregates, &plan.key, room)?;
        operator.cold.disk = store.map_or(Disk::Unfit, Disk::Used);
    }
    let Disk::Used(store) = &operator.cold.disk else {
        return Ok(());
    };
    let store = Arc::clone(store);
    let resting = operator.slices.keys().rev().copied();
    let resting: Vec<i64> = resting.filter(|slice| operator.cold.is_at_rest(*slice)).collect();
    for slice in resting {
        if held <= target {
            break;
        }
        let Some(groups) = operator.slices.get_mut(&slice) else { continue };
        let bytes = groups.size();
        let written = ColdGroups::write(groups, &plan.aggregates, &plan.key, &store)?;
        if let Some(cold) = written {
            operator.slices.remove(&slice);
            operator.cold.slices.insert(slice, cold);
            held = held.saturating_sub(bytes);
        }
    }
    Ok(())
}
