//! Which groups have rows that nobody was given yet, where rows are given before the end.

use arrow::array::{ArrayRef, AsArray, Int8Array};
use arrow::datatypes::Int8Type;
use std::sync::Arc;

use super::key_index::Group;

/// A row of the group was given.
const GIVEN: i8 = 1;
/// The group changed since.
const CHANGED: i8 = 2;
/// The group is in the list of those that changed, whether or not it still counts.
const LISTED: i8 = 4;

/// A mark for each group.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    marks: Vec<i8>,
    changed: Vec<Group>,
}

impl Marks {
    fn at(&mut self, group: Group) -> Option<&mut i8> {
        let place = group as usize;
        if self.marks.len() <= place {
            self.marks.resize(place + 1, 0);
        }
        self.marks.get_mut(place)
    }

    /// Takes note that groups changed.
    pub(crate) fn change(&mut self, groups: &[Group]) {
        for group in groups {
            let Some(mark) = self.at(*group) else {
                continue;
            };
            let listed = *mark & LISTED != 0;
            *mark |= CHANGED | LISTED;
            if !listed {
                self.changed.push(*group);
            }
        }
    }

    /// The groups that changed since their row was given, in the order in which they did.
    pub(crate) fn changed(&self) -> impl Iterator<Item = Group> {
        let changed =
            |group: &Group| self.marks.get(*group as usize).is_some_and(|mark| mark & CHANGED != 0);
        self.changed.iter().copied().filter(changed)
    }

    /// Whether a row of the group was given.
    pub(crate) fn is_given(&self, group: Group) -> bool {
        self.marks.get(group as usize).is_some_and(|mark| mark & GIVEN != 0)
    }

    /// Takes note that all that changed was given; returns it.
    pub(crate) fn give(&mut self) -> Vec<Group> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.retain(|group| {
            let Some(mark) = self.at(*group) else {
                return false;
            };
            let counts = *mark & CHANGED != 0;
            *mark = if counts { GIVEN } else { *mark & GIVEN };
            counts
        });
        changed
    }

    /// Forgets a group.
    pub(crate) fn forget(&mut self, group: Group) {
        if let Some(mark) = self.at(group) {
            *mark &= LISTED;
        }
    }

    /// The marks of some groups as a column of the state.
    pub(crate) fn column(&self, groups: &[Group]) -> ArrayRef {
        let mark = |group: &Group| {
            self.marks.get(*group as usize).map_or(0, |mark| mark & (GIVEN | CHANGED))
        };
        Arc::new(Int8Array::from_iter_values(groups.iter().map(mark)))
    }

    /// Takes back marks of groups.
    pub(crate) fn restore(&mut self, groups: &[Group], column: &ArrayRef) {
        let Some(marks) = column.as_primitive_opt::<Int8Type>() else {
            return;
        };
        for (group, mark) in groups.iter().zip(marks.values()) {
            self.forget(*group);
            if let Some(place) = self.at(*group) {
                *place |= *mark & GIVEN;
            }
            if mark & CHANGED != 0 {
                self.change(&[*group]);
            }
        }
    }

    /// Bytes of memory.
    pub(crate) const fn size(&self) -> usize {
        self.marks.capacity() + self.changed.capacity() * 4
    }
}
