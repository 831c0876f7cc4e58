//! Which blocks of a file are in use. Free ones are given out lowest first, so that the file can be
//! cut where its end is free.

use std::collections::BTreeMap;

/// Neighbouring blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) count: u64,
}

/// The blocks of a file.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Length of the file in blocks.
    pub(super) end: u64,
    /// Free blocks before the end: first block and count, no two of them neighbours.
    free: BTreeMap<u64, u64>,
}

impl Blocks {
    /// Takes `count` blocks, which need not be neighbours.
    pub(super) fn take(&mut self, mut count: u64) -> Vec<Run> {
        let mut runs = Vec::new();
        while count > 0 {
            let Some((first, free)) = self.free.pop_first() else {
                runs.push(Run { first: self.end, count });
                self.end += count;
                break;
            };
            let taken = free.min(count);
            if taken < free {
                self.free.insert(first + taken, free - taken);
            }
            runs.push(Run { first, count: taken });
            count -= taken;
        }
        runs
    }

    /// Gives blocks back; tells whether the file became shorter.
    pub(super) fn give(&mut self, runs: &[Run]) -> bool {
        for run in runs {
            let Run { mut first, mut count } = *run;
            if let Some((before, free)) = self.free.range(..first).next_back()
                && before + free == first
            {
                (first, count) = (*before, free + count);
            }
            if let Some(after) = self.free.remove(&(run.first + run.count)) {
                count += after;
            }
            self.free.insert(first, count);
        }
        let end = self.end;
        while let Some((first, count)) = self.free.last_key_value().map(|(f, c)| (*f, *c))
            && first + count == self.end
        {
            self.free.remove(&first);
            self.end = first;
        }
        self.end < end
    }
}
