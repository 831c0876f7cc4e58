//! One key: its rows in the order of event time, and where each of its windows begins.

use super::bag::{Counts, Sorted};
use super::held::{Held, Known, Tracked};
use super::shape::{Cells, Reach, Row, Shape};

/// Values of a window that are kept one by one.
#[derive(Debug, Clone)]
pub(super) enum Bag {
    Counts(Counts),
    Sorted(Sorted),
}

impl Bag {
    fn add(&mut self, cell: u64, cells: Cells) {
        match self {
            Self::Counts(counts) => counts.add(cell),
            Self::Sorted(sorted) => sorted.add(cells.rank(cell)),
        }
    }

    fn remove(&mut self, cell: u64, cells: Cells) {
        match self {
            Self::Counts(counts) => counts.remove(cell),
            Self::Sorted(sorted) => sorted.remove(cells.rank(cell)),
        }
    }
}

/// The rows of one key and what is kept of them.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    held: Held,
    tracks: Vec<Tracked>,
    bags: Vec<Bag>,
    /// The first row of each window.
    lows: Vec<u64>,
    /// The row after the last one of all windows.
    high: u64,
    /// Number of the next row.
    next: u64,
}

impl Lane {
    pub(super) fn new(shape: &Shape) -> Self {
        let bag = |sorted| match sorted {
            true => Bag::Sorted(Sorted::default()),
            false => Bag::Counts(Counts::default()),
        };
        Self {
            held: Held::new(shape),
            tracks: shape.tracks.iter().map(|track| Tracked::new(*track, shape)).collect(),
            bags: shape.bags.iter().map(|spec| bag(spec.sorted)).collect(),
            lows: vec![0; shape.windows.len()],
            high: 0,
            next: 0,
        }
    }

    /// The time of the newest row.
    pub(super) fn newest(&self) -> Option<i64> {
        self.held.times.get(self.next.checked_sub(1)?)
    }

    /// Reads what the next row of the key is going to read, for `warm_up`.
    pub(super) fn touch(&self) -> u64 {
        let newest = self.next.saturating_sub(1);
        self.held.touch(self.next, newest) ^ self.tracks.len() as u64 ^ self.lows.len() as u64
    }

    /// Whether rows are held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.times.first() == self.next
    }

    /// Whether a row of time `now` is out of reach of all rows: numbers begin anew with it. That
    /// they do must follow from the rows alone, for blocks are cut by number.
    pub(super) fn is_over(&self, shape: &Shape, now: i64) -> bool {
        !self.newest().is_some_and(|newest| shape.reaches(newest, now, shape.widest()))
    }

    /// Adds the next row; gives its number.
    pub(super) fn push(&mut self, row: Row<'_>) -> u64 {
        let number = self.next;
        self.push_at(number, row);
        number
    }

    /// Adds a row under the number it had before a restart.
    pub(super) fn push_at(&mut self, number: u64, row: Row<'_>) {
        if self.is_empty() {
            self.lows.fill(number);
            self.high = number;
        }
        self.held.push(number, row);
        self.next = number + 1;
        let from = self.held.times.first();
        self.tracks.iter_mut().for_each(|track| track.grow(&self.held, from, self.next));
    }

    /// Moves the windows to a row of time `now`: those before it, or up to it.
    pub(super) fn move_to(&mut self, shape: &Shape, now: i64) {
        let (old_high, mut high) = (self.high, self.next);
        if !shape.include_current {
            let times = &self.held.times;
            while high > old_high && times.get(high - 1).is_some_and(|time| time >= now) {
                high -= 1;
            }
        }
        self.high = high;
        for (window, reach) in shape.windows.iter().enumerate() {
            let Some(old) = self.lows.get(window).copied() else { continue };
            let low = self.low(shape, *reach, (old, now));
            let specs = self.bags.iter_mut().zip(&shape.bags);
            for (bag, spec) in specs.filter(|(_, spec)| spec.window == window) {
                let Some(cells) = shape.arguments.get(spec.argument) else { continue };
                let value = |row| self.held.cell(spec.argument, row);
                (old..low.min(old_high)).filter_map(value).for_each(|v| bag.remove(v, *cells));
                (old_high.max(low)..high).filter_map(value).for_each(|v| bag.add(v, *cells));
            }
            if let Some(held) = self.lows.get_mut(window) {
                *held = low;
            }
        }
    }

    fn low(&self, shape: &Shape, reach: Reach, (old, now): (u64, i64)) -> u64 {
        let mut low = match reach {
            Reach::Time(_) | Reach::Tiles(_) => old,
            Reach::Rows(rows, _) => old.max(self.high.saturating_sub(rows)),
        };
        let times = &self.held.times;
        while low < self.high
            && times.get(low).is_some_and(|held| !shape.reaches(held, now, reach.time()))
        {
            low += 1;
        }
        low
    }

    /// The rows of a window.
    pub(super) fn window(&self, window: usize) -> std::ops::Range<u64> {
        self.lows.get(window).map_or(0..0, |low| *low..self.high.max(*low))
    }

    /// What a track knows of a window.
    pub(super) fn known(&self, track: usize, window: usize) -> Option<Known> {
        let rows = self.window(window);
        self.tracks.get(track).map(|tracked| tracked.over(&self.held, rows.start, rows.end))
    }

    pub(super) fn bag(&self, bag: usize) -> Option<&Bag> {
        self.bags.get(bag)
    }

    /// The value of an argument in a row.
    pub(super) fn cell(&self, argument: usize, row: u64) -> Option<u64> {
        self.held.cell(argument, row)
    }

    /// Calls with a whole row.
    pub(super) fn with_row(&self, row: u64, call: impl FnOnce(Row<'_>)) {
        self.held.with_row(row, call);
    }

    pub(super) fn time(&self, row: u64) -> Option<i64> {
        self.held.times.get(row)
    }

    /// Rows that are in no window any more.
    pub(super) fn gone(&self) -> std::ops::Range<u64> {
        let low = self.lows.iter().copied().min().unwrap_or(self.next);
        self.held.times.first()..low.min(self.next)
    }

    /// All rows that are held.
    pub(super) fn rows(&self) -> std::ops::Range<u64> {
        self.held.times.first()..self.next
    }

    /// Rows below this number are given back.
    pub(super) fn forget_below(&mut self, row: u64) {
        self.held.forget_below(row);
        self.tracks.iter_mut().for_each(|track| track.forget_below(row));
    }

    pub(super) fn bytes(&self) -> usize {
        let bags = self.bags.iter().map(|bag| match bag {
            Bag::Counts(counts) => counts.bytes(),
            Bag::Sorted(sorted) => sorted.bytes(),
        });
        let tracks: usize = self.tracks.iter().map(Tracked::bytes).sum();
        size_of::<Self>()
            + self.held.bytes()
            + tracks
            + bags.sum::<usize>()
            + self.bags.capacity() * size_of::<Bag>()
            + self.lows.capacity() * 8
    }
}
