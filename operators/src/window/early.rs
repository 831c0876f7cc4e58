//! Early results: what changed in windows that are not over, every so often by the clock.

use std::sync::Arc;

use swiftwater_engine::stream::{INSERT, UPDATE};
use swiftwater_engine::{Output, Result};

use super::shape::Window;
use super::sliced::SlicedWindows;
use crate::aggregate::{Group, Groups, KeyIndex};

/// Gives the rows that changed since this was last called, of all windows that are not over.
pub(super) fn give(operator: &mut SlicedWindows, out: &mut Output) -> Result<()> {
    let plan = Arc::clone(&operator.plan);
    let results = operator.results(out);
    let windows: Vec<Window> = operator.pending.iter().copied().collect();
    for window in windows {
        let mut keys: Option<KeyIndex> = None;
        for (_, groups) in operator.slices.range(window.start..window.end) {
            let keys = keys.get_or_insert_with(|| KeyIndex::empty_like(groups.index()));
            keys.absorb(groups.index(), groups.changed());
        }
        let Some(keys) = keys.filter(|keys| keys.len() > 0) else {
            continue;
        };
        let operations = operations(operator, window, &keys);
        let held = operator.slices.range_mut(window.start..window.end);
        let mut sets: Vec<&mut Groups> = held.map(|(_, groups)| groups).collect();
        let calls = Groups::combine_some(&plan.aggregates, &mut sets, &keys)?;
        results.emit(&plan, window, (&keys, &calls), Some(operations), out)?;
    }
    operator.slices.values_mut().try_for_each(|groups| groups.give(&plan.aggregates))
}

/// What the rows of keys do that a window gives: whatever was given of a slice was given for all of
/// its windows.
pub(super) fn operations(
    operator: &SlicedWindows,
    window: Window,
    keys: &KeyIndex,
) -> Vec<&'static str> {
    if operator.plan.early.is_none() {
        return vec![INSERT; keys.len()];
    }
    let count = Group::try_from(keys.len()).unwrap_or(Group::MAX);
    let was_given = |key: Group| {
        operator.slices.range(window.start..window.end).any(|(_, groups)| {
            groups.index().find(keys, key).is_some_and(|group| groups.is_given(group))
        })
    };
    (0..count).map(|key| if was_given(key) { UPDATE } else { INSERT }).collect()
}
