//! What must come out, computed by hand from what went in.

use super::KEYS;

/// Event time between two rows of a key, in milliseconds.
const STEP: i64 = 20;
/// Size of the windows, in milliseconds.
pub(super) const WINDOW: i64 = 1000;
/// An answer joins its event where it is at most so much older or newer, in milliseconds.
pub(super) const BEFORE: i64 = 200;
pub(super) const AFTER: i64 = 500;
/// An answer's time is less than this before its event's, and at most [`LATEST`] after it.
const EARLIEST: i64 = 300;
const LATEST: i64 = 599;
/// How far the watermarks of both inputs stay behind the newest event, at most, in milliseconds.
const BEHIND: i64 = 2000;

/// A number that looks random, the same in every run.
pub(super) const fn mixed(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

/// Row number `seq` of a key, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: u64,
    pub(super) seq: i64,
    pub(super) value: i64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
}

/// What answers an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) score: i64,
    pub(super) at: i64,
}

impl Event {
    pub(super) fn new(key: u64, seq: i64) -> Self {
        let value = (mixed(key << 32 | seq.unsigned_abs()) % 1000).cast_signed();
        Self { key, seq, value, at: seq * STEP }
    }

    /// Three of four events are answered.
    pub(super) fn answer(self) -> Option<Answer> {
        let luck = mixed(!(self.key << 32 | self.seq.unsigned_abs()));
        let apart = (luck / 4 % (EARLIEST + LATEST + 1).unsigned_abs()).cast_signed() - EARLIEST;
        let score = (luck >> 40).cast_signed() % 1000;
        (!luck.is_multiple_of(4)).then_some(Answer { score, at: self.at + apart })
    }

    /// The answer that the join finds.
    pub(super) fn joined(self) -> Option<Answer> {
        let near = |answer: &Answer| (-BEFORE..=AFTER).contains(&(answer.at - self.at));
        self.answer().filter(near)
    }

    /// Whether the join must have told once each key has had `rounds` rows: at once where it finds
    /// an answer, otherwise when none can come any more.
    pub(super) fn is_told(self, rounds: i64) -> bool {
        self.joined().is_some() || self.at + AFTER + BEHIND < rounds * STEP
    }

    /// What this row adds to the chain of its key: it binds the row to the one before it.
    pub(super) fn mark(self) -> i64 {
        ((self.seq - 1) * 31 + self.seq * 7 + self.value) % 1_000_003
    }
}

/// A window: key, start, rows and sum of the values.
pub(super) type Window = (u64, i64, i64, i64);

/// Every window that is closed once each key has had `rounds` rows.
pub(super) fn windows(rounds: i64) -> Vec<Window> {
    // The watermark: newest event less 100 ms and one.
    let watermark = rounds * STEP - 101;
    let mut windows = Vec::new();
    for key in 0..KEYS {
        for start in (0..).map(|n| n * WINDOW).take_while(|s| s + WINDOW <= watermark + 1) {
            let inside = (start / STEP).max(1)..(start + WINDOW) / STEP;
            let total = inside.clone().map(|seq| Event::new(key, seq).value).sum();
            windows.push((key, start, inside.end - inside.start, total));
        }
    }
    windows
}
