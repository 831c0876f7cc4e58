//! Aggregates by key, and those of several sets of keys put together.

use std::ops::Range;

use arrow::array::ArrayRef;
use swiftwater_engine::{Error, Result};

use super::accumulated::{Accumulated, Merging};
use super::chunks::Rows;
use super::cold_groups::ColdGroups;
use super::key_index::{Group, KeyIndex};
use super::keys::{KeyColumns, Keys};
use super::marks::Marks;
use super::plan::{Aggregates, Inputs};

/// The aggregates of the keys of one slice of time, or of all time.
pub(crate) struct Groups {
    index: KeyIndex,
    accumulated: Accumulated,
    /// Where rows are given before the end.
    marks: Option<Marks>,
}

/// Groups wherever they are.
pub(crate) enum Set<'g> {
    /// In memory.
    Hot(&'g mut Groups),
    /// On disk.
    Cold(&'g ColdGroups),
}

/// Results of calls by key.
pub(crate) struct Combined {
    /// The keys.
    pub(crate) index: KeyIndex,
    /// The result of each call, in the order of the keys' numbers.
    pub(crate) calls: Vec<ArrayRef>,
}

/// Buffers that batches reuse.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    groups: Vec<Group>,
    slots: Vec<usize>,
}

/// The state of groups that changed.
pub(crate) struct Changed {
    /// Key columns.
    pub(crate) keys: Vec<ArrayRef>,
    /// Partial states, and the mark where there is one.
    pub(crate) states: Vec<ArrayRef>,
    /// Number of rows.
    pub(crate) rows: usize,
}

impl Groups {
    /// No groups, for keys like these; `marked` where rows are given before the end.
    ///
    /// # Errors
    /// None once the aggregates are planned.
    pub(crate) fn new(plan: &Aggregates, keys: &Keys, marked: bool) -> Result<Self> {
        let marks = marked.then(Marks::default);
        Ok(Self { index: KeyIndex::like(keys), accumulated: Accumulated::new(plan)?, marks })
    }

    /// The groups that changed since their row was given.
    pub(crate) fn changed(&self) -> impl Iterator<Item = Group> {
        self.marks.iter().flat_map(Marks::changed)
    }

    /// Whether a row of the group was given.
    pub(crate) fn is_given(&self, group: Group) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.is_given(group))
    }

    /// Takes note that the rows of all that changed were given.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn give(&mut self, plan: &Aggregates) -> Result<()> {
        let given = self.marks.as_mut().map(Marks::give).unwrap_or_default();
        if given.is_empty() { Ok(()) } else { self.accumulated.restate(plan, &given) }
    }

    /// The keys, by group.
    pub(crate) const fn index(&self) -> &KeyIndex {
        &self.index
    }

    /// Adds the rows `rows` of a batch; returns the group of each until the next call.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn add<'s>(
        &mut self,
        plan: &Aggregates,
        (keys, inputs): (&Keys, &Inputs),
        rows: Range<usize>,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Group]> {
        let Scratch { groups, slots } = scratch;
        groups.clear();
        self.index.number(keys, rows.clone(), groups);
        self.accumulated.add(plan, inputs, rows, groups, slots)?;
        if let Some(marks) = &mut self.marks {
            marks.change(groups);
        }
        Ok(groups)
    }

    /// What changed since this was last called.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn seal(
        &mut self,
        plan: &Aggregates,
        columns: &KeyColumns,
    ) -> Result<Option<Changed>> {
        let Some(Rows { groups, columns: mut states }) = self.accumulated.seal(plan)? else {
            return Ok(None);
        };
        states.extend(self.marks.as_ref().map(|marks| marks.column(&groups)));
        let keys = self.index.columns(columns, &groups)?;
        Ok(Some(Changed { keys, states, rows: groups.len() }))
    }

    /// Takes back what was sealed; later rows take the place of earlier ones.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn restore(
        &mut self,
        keys: &Keys,
        rows: Range<usize>,
        states: &[ArrayRef],
    ) -> Result<()> {
        let mut groups = Vec::with_capacity(rows.len());
        self.index.number(keys, rows.clone(), &mut groups);
        let cut = |state: &ArrayRef| state.slice(rows.start, rows.len());
        let mut states: Vec<ArrayRef> = states.iter().map(cut).collect();
        if let Some(marks) = &mut self.marks
            && let Some(column) = states.pop()
        {
            marks.restore(&groups, &column);
        }
        self.accumulated.restore(groups, states)
    }

    /// The results of all groups, which end here.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn finish(mut self, plan: &Aggregates, key: &KeyColumns) -> Result<Combined> {
        match self.accumulated.finish(plan)? {
            Some(calls) => Ok(Combined { index: self.index, calls }),
            None => Self::combine(plan, key, &mut [Set::Hot(&mut self)]),
        }
    }

    /// The keys and partial states of some groups; `None` where one of them has no state at rest,
    /// or rows are given before the end.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn at_rest(
        &mut self,
        plan: &Aggregates,
        columns: &KeyColumns,
        groups: &[Group],
    ) -> Result<Option<Vec<ArrayRef>>> {
        if self.marks.is_some() || !self.accumulated.are_at_rest(plan, groups)? {
            return Ok(None);
        }
        let mut all = self.index.columns(columns, groups)?;
        all.extend(self.accumulated.some(plan, groups)?);
        Ok(Some(all))
    }

    /// The results of several sets of groups as one, in the order of the sets. Those on disk are
    /// read one after the other.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails; `State` (`SW4327`) where the disk is broken.
    pub(crate) fn combine(
        plan: &Aggregates,
        key: &KeyColumns,
        sets: &mut [Set<'_>],
    ) -> Result<Combined> {
        let mut index: Option<KeyIndex> = None;
        let mut numbers: Vec<Vec<Group>> = Vec::with_capacity(sets.len());
        for set in sets.iter() {
            numbers.push(match set {
                Set::Hot(groups) => {
                    let count = Group::try_from(groups.index.len()).unwrap_or(Group::MAX);
                    match &mut index {
                        Some(index) => index.absorb(&groups.index, 0..count),
                        empty => {
                            *empty = Some(groups.index.clone());
                            (0..count).collect()
                        }
                    }
                }
                Set::Cold(groups) => {
                    let mut found = Vec::new();
                    groups.each(key, |keys, rows, _| {
                        let index = index.get_or_insert_with(|| KeyIndex::like(keys));
                        index.number(keys, 0..rows, &mut found);
                        Ok(())
                    })?;
                    found
                }
            });
        }
        let index = index.ok_or_else(|| Error::bug("combine no groups"))?;
        let mut merging = Merging::new(plan, index.len())?;
        for (set, numbers) in sets.iter_mut().zip(&numbers) {
            match set {
                Set::Hot(groups) => {
                    for rows in groups.accumulated.all(plan)? {
                        let number =
                            |g: &Group| numbers.get(*g as usize).map_or(0, |n| *n as usize);
                        let groups: Vec<usize> = rows.groups.iter().map(number).collect();
                        merging.merge(&rows.columns, &groups)?;
                    }
                }
                Set::Cold(groups) => {
                    let mut numbers = numbers.iter();
                    groups.each(key, |_, rows, states| {
                        let groups: Vec<usize> =
                            numbers.by_ref().take(rows).map(|n| *n as usize).collect();
                        merging.merge(states, &groups)
                    })?;
                }
            }
        }
        Ok(Combined { index, calls: merging.results()? })
    }

    /// The results of some keys over several sets of groups, in the order of the sets. Each key is
    /// in one of them at least.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn combine_some(
        plan: &Aggregates,
        sets: &mut [&mut Self],
        keys: &KeyIndex,
    ) -> Result<Vec<ArrayRef>> {
        let count = Group::try_from(keys.len()).unwrap_or(Group::MAX);
        let mut merging = Merging::new(plan, keys.len())?;
        for set in sets.iter_mut() {
            let found = (0..count).filter_map(|key| Some((key, set.index.find(keys, key)?)));
            let (keys, groups): (Vec<Group>, Vec<Group>) = found.unzip();
            if groups.is_empty() {
                continue;
            }
            let rows = set.accumulated.some(plan, &groups)?;
            let keys: Vec<usize> = keys.into_iter().map(|key| key as usize).collect();
            merging.merge(&rows, &keys)?;
        }
        merging.results()
    }

    /// Bytes of memory.
    pub(crate) fn size(&self) -> usize {
        let marks = self.marks.as_ref().map_or(0, Marks::size);
        self.index.size() + self.accumulated.size() + marks
    }
}
