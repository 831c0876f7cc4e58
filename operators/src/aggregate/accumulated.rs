//! Aggregates of numbered groups: an overlay of live accumulators over partial states at rest.
//!
//! A group that a batch touches is loaded into the overlay, where rows are added to it one after
//! the other; a snapshot, or a result that does not end the group, moves the overlay to the states
//! at rest. So a sum of floats is the same whenever snapshots are taken, and the cost of a snapshot
//! follows what was touched.

use std::ops::Range;

use arrow::array::ArrayRef;
use datafusion_expr::GroupsAccumulator;
use swiftwater_engine::{Error, Result};

use super::call::Call;
use super::chunks::{Chunks, Rows};
use super::key_index::Group;
use super::plan::{Aggregates, Inputs};

const NO_SLOT: u32 = u32::MAX;

/// The aggregates of groups.
pub(crate) struct Accumulated {
    /// Slot of each group in the overlay.
    slots: Vec<u32>,
    /// Group of each slot.
    touched: Vec<Group>,
    overlay: Vec<Box<dyn GroupsAccumulator>>,
    states: Chunks,
}

/// Merges partial states of groups, in the order in which they are given.
pub(super) struct Merging<'p> {
    plan: &'p Aggregates,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    total: usize,
}

fn next_slot(touched: &[Group]) -> u32 {
    u32::try_from(touched.len()).expect("invariant: memory ends before four billion groups")
}

fn accumulators(plan: &Aggregates) -> Result<Vec<Box<dyn GroupsAccumulator>>> {
    plan.calls.iter().map(Call::accumulator).collect()
}

/// Merges rows of partial states into the groups of `accumulators` at `groups`.
fn merge(
    plan: &Aggregates,
    accumulators: &mut [Box<dyn GroupsAccumulator>],
    states: &[ArrayRef],
    groups: &[usize],
    total: usize,
) -> Result<()> {
    let mut rest = states;
    for (call, accumulator) in plan.calls.iter().zip(accumulators) {
        let (own, others) = rest
            .split_at_checked(call.states().len())
            .ok_or_else(|| Error::bug("read the state of an aggregate: columns are missing"))?;
        rest = others;
        accumulator.merge_batch(own, groups, total).map_err(|e| call.failed(&e))?;
    }
    Ok(())
}

fn results(
    plan: &Aggregates,
    accumulators: &mut [Box<dyn GroupsAccumulator>],
) -> Result<Vec<ArrayRef>> {
    let calls = plan.calls.iter().zip(accumulators);
    calls.map(|(call, accumulator)| call.result(accumulator.as_mut())).collect()
}

impl<'p> Merging<'p> {
    /// Of `total` groups without a state yet.
    pub(super) fn new(plan: &'p Aggregates, total: usize) -> Result<Self> {
        let calls = plan.calls.iter();
        let accumulators = calls.map(|call| call.merging(total)).collect::<Result<_>>()?;
        Ok(Self { plan, accumulators, total })
    }

    /// Merges a row of states into each of `groups`.
    pub(super) fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        merge(self.plan, &mut self.accumulators, states, groups, self.total)
    }

    /// The results of all groups.
    pub(super) fn results(mut self) -> Result<Vec<ArrayRef>> {
        results(self.plan, &mut self.accumulators)
    }
}

impl Accumulated {
    /// No groups.
    ///
    /// # Errors
    /// None once the aggregates are planned.
    pub(crate) fn new(plan: &Aggregates) -> Result<Self> {
        Ok(Self {
            slots: Vec::new(),
            touched: Vec::new(),
            overlay: accumulators(plan)?,
            states: Chunks::default(),
        })
    }

    /// Adds the rows `rows` of a batch to their groups; `slots` is a buffer.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn add(
        &mut self,
        plan: &Aggregates,
        inputs: &Inputs,
        rows: Range<usize>,
        groups: &[Group],
        slots: &mut Vec<usize>,
    ) -> Result<()> {
        self.touch(plan, groups, slots)?;
        let total = self.touched.len();
        for ((call, taking), accumulator) in plan.calls.iter().zip(&inputs.0).zip(&mut self.overlay)
        {
            let cut = |array: &ArrayRef| array.slice(rows.start, rows.len());
            let arguments: Vec<ArrayRef> = taking.arguments.iter().map(cut).collect();
            let filter = taking.filter.as_ref().map(|f| f.slice(rows.start, rows.len()));
            accumulator
                .update_batch(&arguments, slots, filter.as_ref(), total)
                .map_err(|e| call.failed(&e))?;
        }
        Ok(())
    }

    /// Gives each group its slot in the overlay, loading those at rest.
    fn touch(&mut self, plan: &Aggregates, groups: &[Group], into: &mut Vec<usize>) -> Result<()> {
        self.make_room(groups);
        if !self.states.is_empty() {
            self.load(plan, groups)?;
        }
        let Self { slots, touched, .. } = self;
        into.clear();
        into.extend(groups.iter().map(|group| {
            let Some(slot) = slots.get_mut(*group as usize) else {
                return 0;
            };
            if *slot == NO_SLOT {
                *slot = next_slot(touched);
                touched.push(*group);
            }
            *slot as usize
        }));
        Ok(())
    }

    /// Makes room for the slots of groups.
    fn make_room(&mut self, groups: &[Group]) {
        let top = groups.iter().max().map_or(0, |group| *group as usize + 1);
        if top > self.slots.len() {
            self.slots.resize(top, NO_SLOT);
        }
    }

    /// Loads the groups at rest among `groups`. They get their slots before new ones do, because
    /// DataFusion wants a row for every slot that is new with a call.
    fn load(&mut self, plan: &Aggregates, groups: &[Group]) -> Result<()> {
        let Self { slots, touched, states, .. } = self;
        let first = touched.len();
        for group in groups {
            let slot = slots.get_mut(*group as usize);
            if let Some(slot) = slot.filter(|slot| **slot == NO_SLOT && states.has(*group)) {
                *slot = next_slot(touched);
                touched.push(*group);
            }
        }
        let loaded = touched.get(first..).unwrap_or_default();
        if loaded.is_empty() {
            return Ok(());
        }
        let rows = states.gather(loaded.iter().copied())?;
        let (slots, total): (Vec<usize>, _) = ((first..touched.len()).collect(), touched.len());
        merge(plan, &mut self.overlay, &rows, &slots, total)
    }

    /// Merges groups into others, `(from, into)`, and forgets the first. All of them have rows.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn merge_groups(
        &mut self,
        plan: &Aggregates,
        pairs: &[(Group, Group)],
    ) -> Result<()> {
        self.fold(plan)?;
        let into: Vec<Group> = pairs.iter().map(|(_, into)| *into).collect();
        self.make_room(&into);
        self.load(plan, &into)?;
        let rows = self.states.gather(pairs.iter().map(|(from, _)| *from))?;
        let slot = |group: &Group| self.slots.get(*group as usize).map_or(0, |s| *s as usize);
        let slots: Vec<usize> = into.iter().map(slot).collect();
        merge(plan, &mut self.overlay, &rows, &slots, self.touched.len())?;
        pairs.iter().for_each(|(from, _)| self.states.forget(*from));
        Ok(())
    }

    /// Puts those of the groups into the next snapshot that are in an earlier one only.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn restate(&mut self, plan: &Aggregates, groups: &[Group]) -> Result<()> {
        self.fold(plan)?;
        let sealed = groups.iter().copied().filter(|group| self.states.is_sealed(*group));
        let sealed: Vec<Group> = sealed.collect();
        if sealed.is_empty() {
            return Ok(());
        }
        let rows = self.states.gather(sealed.iter().copied())?;
        self.states.push(sealed, rows)
    }

    /// Forgets groups that are at rest.
    pub(crate) fn forget(&mut self, groups: &[Group]) {
        groups.iter().for_each(|group| self.states.forget(*group));
    }

    /// Puts the overlay to rest.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn fold(&mut self, plan: &Aggregates) -> Result<()> {
        if self.touched.is_empty() {
            return Ok(());
        }
        let mut columns = Vec::new();
        for (call, accumulator) in plan.calls.iter().zip(&mut self.overlay) {
            columns.extend(call.state(accumulator.as_mut())?);
        }
        self.overlay = accumulators(plan)?;
        let touched = std::mem::take(&mut self.touched);
        for group in &touched {
            if let Some(slot) = self.slots.get_mut(*group as usize) {
                *slot = NO_SLOT;
            }
        }
        self.states.push(touched, columns)
    }

    /// The results of some groups, each of which has rows, in their order.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(crate) fn results_of(
        &mut self,
        plan: &Aggregates,
        groups: &[Group],
    ) -> Result<Vec<ArrayRef>> {
        self.fold(plan)?;
        let rows = self.states.gather(groups.iter().copied())?;
        let mut merging = Merging::new(plan, groups.len())?;
        merging.merge(&rows, &(0..groups.len()).collect::<Vec<_>>())?;
        merging.results()
    }

    /// The results of all groups in their order, where none was ever put to rest: then slots and
    /// groups have the same numbers. They end here.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn finish(&mut self, plan: &Aggregates) -> Result<Option<Vec<ArrayRef>>> {
        if !self.states.is_empty() {
            return Ok(None);
        }
        self.slots.clear();
        self.touched.clear();
        results(plan, &mut self.overlay).map(Some)
    }

    /// The states of all groups.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn all(&mut self, plan: &Aggregates) -> Result<Vec<Rows>> {
        self.fold(plan)?;
        self.states.all()
    }

    /// Whether all of some groups have states.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn are_at_rest(&mut self, plan: &Aggregates, groups: &[Group]) -> Result<bool> {
        self.fold(plan)?;
        Ok(groups.iter().all(|group| self.states.has(*group)))
    }

    /// The states of some groups, all of which have rows.
    ///
    /// # Errors
    /// `Data` (`SW3201`) where DataFusion fails.
    pub(super) fn some(&mut self, plan: &Aggregates, groups: &[Group]) -> Result<Vec<ArrayRef>> {
        self.fold(plan)?;
        self.states.gather(groups.iter().copied())
    }

    /// The states of groups that changed since this was last called.
    ///
    /// # Errors
    /// As for [`Accumulated::fold`].
    pub(crate) fn seal(&mut self, plan: &Aggregates) -> Result<Option<Rows>> {
        self.fold(plan)?;
        self.states.seal()
    }

    /// Takes back states of groups; later ones take the place of earlier ones.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn restore(&mut self, groups: Vec<Group>, states: Vec<ArrayRef>) -> Result<()> {
        self.states.push_sealed(groups, states)
    }

    /// Bytes of memory.
    pub(crate) fn size(&self) -> usize {
        let overlay: usize = self.overlay.iter().map(|accumulator| accumulator.size()).sum();
        (self.slots.capacity() + self.touched.capacity()) * 4 + overlay + self.states.size()
    }
}
