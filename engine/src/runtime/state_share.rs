//! What the state of all nodes may take of `memory`. Where it is about to take more, each node moves
//! some of what it holds to disk, the more the more it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;
use crate::operator::Operator;
use crate::plan::Plan;
use crate::spill::SpillRoom;

/// Hundredths of the share beyond which state goes to disk.
const FULL: usize = 85;
/// Hundredths of the share that are left in memory then.
const KEPT: usize = 65;
/// State is looked at each time this part of the share has come in as rows.
const LOOKS: usize = 64;
/// And not more often than this.
const LOOK_AT_LEAST: usize = 64 << 10;

/// The share of all nodes.
pub(super) struct StateShares {
    bytes: usize,
    /// `None` where nothing goes to disk.
    room: Option<SpillRoom>,
    /// Bytes of memory that all take, as they last said.
    taken: AtomicUsize,
}

/// What the state of a node takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Bytes of memory.
    pub(super) memory: usize,
    /// Bytes of the disk.
    pub(super) disk: usize,
}

impl Held {
    pub(super) const fn add(&mut self, other: Self) {
        self.memory += other.memory;
        self.disk += other.disk;
    }
}

impl StateShares {
    /// The share of a plan.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the directory that the topology names cannot be written.
    pub(super) fn of(plan: &Plan) -> Result<Self> {
        let bytes = usize::try_from(plan.memory.state_bytes).unwrap_or(usize::MAX);
        let room = if bytes > 0 { SpillRoom::of(&plan.config.checkpoint)? } else { None };
        Ok(Self { bytes, room, taken: AtomicUsize::new(0) })
    }
}

/// The share of one instance of a node.
pub(super) struct Share {
    all: Arc<StateShares>,
    stateful: bool,
    /// Bytes of memory that it took when it was last looked at.
    taken: usize,
    /// Bytes of rows that came since.
    came: usize,
}

impl Share {
    pub(super) fn new(all: &Arc<StateShares>, stateful: bool) -> Self {
        Self { all: Arc::clone(all), stateful, taken: 0, came: 0 }
    }

    /// Rows of so many bytes came: looks at the state where that is worth while.
    pub(super) fn took(&mut self, bytes: usize, operator: &mut dyn Operator) -> Result<()> {
        self.came += bytes;
        if self.stateful && self.came > (self.all.bytes / LOOKS).max(LOOK_AT_LEAST) {
            self.keep_within(operator)?;
        }
        Ok(())
    }

    /// Looks at the state, and moves some of it to disk where all state is about to pass its share;
    /// tells what it takes.
    pub(super) fn keep_within(&mut self, operator: &mut dyn Operator) -> Result<Held> {
        if !self.stateful {
            return Ok(Held::default());
        }
        self.came = 0;
        let all = self.tell(operator.state_bytes());
        if let Some(room) = &self.all.room
            && all > self.all.bytes / 100 * FULL
        {
            let kept = (self.all.bytes / 100 * KEPT) as u128;
            let target = kept * self.taken as u128 / all as u128;
            operator.spill(usize::try_from(target).unwrap_or(usize::MAX), room)?;
            self.tell(operator.state_bytes());
        }
        Ok(Held { memory: self.taken, disk: operator.spilled_bytes() })
    }

    /// Notes what the instance takes; returns what all take.
    fn tell(&mut self, bytes: usize) -> usize {
        let before = std::mem::replace(&mut self.taken, bytes);
        self.all.taken.fetch_add(bytes, Ordering::Relaxed);
        self.all.taken.fetch_sub(before, Ordering::Relaxed).saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::operator::Output;

    /// Holds bytes of which it can move all but `fixed`.
    struct Holder {
        memory: usize,
        fixed: usize,
        disk: usize,
    }

    impl Operator for Holder {
        fn process(&mut self, _input: usize, _batch: Batch, _out: &mut Output) -> Result<()> {
            Ok(())
        }

        fn state_bytes(&self) -> usize {
            self.memory
        }

        fn spill(&mut self, target: usize, _room: &SpillRoom) -> Result<()> {
            let left = target.max(self.fixed).min(self.memory);
            self.disk += self.memory - left;
            self.memory = left;
            Ok(())
        }

        fn spilled_bytes(&self) -> usize {
            self.disk
        }
    }

    fn shares(room: Option<SpillRoom>) -> Arc<StateShares> {
        Arc::new(StateShares { bytes: 1_000_000, room, taken: AtomicUsize::new(0) })
    }

    #[test]
    fn those_that_can_make_room_for_those_that_cannot() {
        let all = shares(Some(SpillRoom::new([])));
        let mut holders = [(500_000, 500_000), (600_000, 0), (100_000, 0)]
            .map(|(memory, fixed)| (Share::new(&all, true), Holder { memory, fixed, disk: 0 }));
        for _ in 0..8 {
            for (share, holder) in &mut holders {
                share.keep_within(holder).unwrap();
            }
        }
        let memory: usize = holders.iter().map(|(_, h)| h.memory).sum();
        let disk: usize = holders.iter().map(|(_, h)| h.disk).sum();
        assert!(memory <= 850_000, "{memory}");
        assert_eq!(memory + disk, 1_200_000);
        assert_eq!(all.taken.load(Ordering::Relaxed), memory);
    }

    #[test]
    fn state_is_looked_at_as_rows_come() {
        let all = shares(Some(SpillRoom::new([])));
        let mut share = Share::new(&all, true);
        let mut holder = Holder { memory: 2_000_000, fixed: 0, disk: 0 };
        share.took(LOOK_AT_LEAST, &mut holder).unwrap();
        assert_eq!(holder.disk, 0);
        share.took(1, &mut holder).unwrap();
        assert_eq!(holder.memory, 650_000);
    }

    #[test]
    fn nothing_moves_where_it_is_off() {
        let mut share = Share::new(&shares(None), true);
        let mut holder = Holder { memory: 2_000_000, fixed: 0, disk: 0 };
        let held = share.keep_within(&mut holder).unwrap();
        assert_eq!(held, Held { memory: 2_000_000, disk: 0 });
    }
}
