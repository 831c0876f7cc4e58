//! Partial aggregates of aligned stretches of rows, so that any stretch is joined from few of them.
//!
//! Blocks hold 16, 256, 4096 … rows and begin at multiples of their size. Which blocks make up a
//! stretch follows from its ends alone: the same rows give the same doubles to the last bit,
//! whenever and wherever they are asked for.

use super::partial::Partial;
use super::ring::Ring;

/// Parts of a block.
const FAN: u64 = 16;

/// Blocks of the rows of one key.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks<P> {
    /// Blocks of 16 rows, of 256, and so on.
    levels: Vec<Ring<P>>,
}

impl<P: Partial> Blocks<P> {
    /// The rows `from..next` are there and the last of them is new; `fold` joins rows.
    pub(super) fn grow(&mut self, from: u64, next: u64, fold: impl Fn(u64, u64) -> P) {
        if !next.is_multiple_of(FAN) || next - from < FAN {
            return;
        }
        let mut block = fold(next - FAN, next);
        let mut number = next / FAN - 1;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Ring::default());
            }
            let Some(ring) = self.levels.get_mut(level) else { return };
            ring.push(number, block);
            let after = number + 1;
            if !after.is_multiple_of(FAN) || ring.first() + FAN > after {
                return;
            }
            block = joined(ring.slice(after - FAN, after));
            number = after / FAN - 1;
        }
    }

    /// What is known of the rows `from..to`; `fold` joins rows that fill no block.
    pub(super) fn over(&self, from: u64, to: u64, fold: impl Fn(u64, u64) -> P) -> P {
        let (a, b) = (from.div_ceil(FAN) * FAN, to / FAN * FAN);
        if a >= b {
            return fold(from, to);
        }
        fold(from, a).merge(self.part(0, a / FAN, b / FAN)).merge(fold(b, to))
    }

    fn part(&self, level: usize, from: u64, to: u64) -> P {
        let direct = |from, to| {
            self.levels.get(level).map_or_else(P::default, |ring| joined(ring.slice(from, to)))
        };
        let (a, b) = (from.div_ceil(FAN) * FAN, to / FAN * FAN);
        if a >= b {
            return direct(from, to);
        }
        direct(from, a).merge(self.part(level + 1, a / FAN, b / FAN)).merge(direct(b, to))
    }

    /// Rows below `row` go.
    pub(super) fn forget_below(&mut self, row: u64) {
        let mut number = row;
        for ring in &mut self.levels {
            number = number.div_ceil(FAN);
            ring.forget_below(number);
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.levels.iter().map(|ring| ring.bytes() + size_of::<Ring<P>>()).sum()
    }
}

fn joined<P: Partial>(parts: &[P]) -> P {
    parts.iter().copied().fold(P::default(), P::merge)
}
