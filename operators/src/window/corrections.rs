//! Corrections: a row that comes within the allowed lateness gives the rows of its key again, for
//! each window that was given already. They leave with the batch that caused them, so that no
//! correction is ever waiting when a snapshot is taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use swiftwater_engine::stream::{INSERT, UPDATE};
use swiftwater_engine::{Output, Result};

use super::shape::Window;
use super::sliced::SlicedWindows;
use crate::aggregate::{Group, Groups, KeyIndex};

/// Groups of a slice to which a batch added rows.
pub(super) struct Touched {
    slice: i64,
    /// Number of groups of the slice before the batch.
    before: usize,
    groups: Vec<Group>,
}

impl Touched {
    pub(super) fn new(slice: i64, before: usize, groups: &[Group]) -> Self {
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        groups.dedup();
        Self { slice, before, groups }
    }
}

/// Gives the rows that changed in windows that were given.
pub(super) fn correct(
    operator: &mut SlicedWindows,
    touched: &[Touched],
    out: &mut Output,
) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    let mut windows: BTreeMap<Window, Vec<&Touched>> = BTreeMap::new();
    for slice in touched {
        for window in plan.shape.windows(slice.slice) {
            if operator.has_fired(window) && !operator.is_gone(window.end) {
                windows.entry(window).or_default().push(slice);
            }
        }
    }
    let results = operator.results(out);
    for (window, touched) in windows {
        operator.warm(window.start..window.end)?;
        let mut keys: Option<KeyIndex> = None;
        for slice in &touched {
            if let Some(groups) = operator.slices.get(&slice.slice) {
                let keys = keys.get_or_insert_with(|| KeyIndex::empty_like(groups.index()));
                keys.absorb(groups.index(), slice.groups.iter().copied());
            }
        }
        let Some(keys) = keys else {
            continue;
        };
        let operations = operations(operator, window, &keys, &touched);
        let held = operator.slices.range_mut(window.start..window.end);
        let mut sets: Vec<&mut Groups> = held.map(|(_, groups)| groups).collect();
        let calls = Groups::combine_some(&plan.aggregates, &mut sets, &keys)?;
        results.emit(&plan, window, (&keys, &calls), Some(operations), out)?;
    }
    Ok(())
}

/// A key that was in no slice of the window before the batch is new, others had a row.
fn operations(
    operator: &SlicedWindows,
    window: Window,
    keys: &KeyIndex,
    touched: &[&Touched],
) -> Vec<&'static str> {
    let count = Group::try_from(keys.len()).unwrap_or(Group::MAX);
    let had = |key: Group| {
        operator.slices.range(window.start..window.end).any(|(slice, groups)| {
            let before = touched.iter().find(|t| t.slice == *slice).map(|t| t.before);
            let group = groups.index().find(keys, key);
            group.is_some_and(|group| before.is_none_or(|before| (group as usize) < before))
        })
    };
    (0..count).map(|key| if had(key) { UPDATE } else { INSERT }).collect()
}
