//! What all keys of a node have in common: arguments, windows, and what is kept of their rows.

use super::texts::Texts;
use super::tile_plan::TileWindow;

/// How the cells of an argument are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cells {
    /// As a 64-bit integer.
    Integer,
    /// As the bits of a double.
    Float,
    /// As the number of a text.
    Text,
}

impl Cells {
    /// A number whose order is that of the values.
    pub(super) const fn rank(self, cell: u64) -> i64 {
        let bits = cell.cast_signed();
        match self {
            Self::Float => bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed(),
            Self::Integer | Self::Text => bits,
        }
    }

    /// The cell of a rank.
    pub(super) const fn of_rank(self, rank: i64) -> u64 {
        // Turning a double's bits over twice gives them back.
        self.rank(rank.cast_unsigned()).cast_unsigned()
    }

    /// The value as a double.
    #[expect(clippy::cast_precision_loss, reason = "statistics are doubles")]
    pub(super) const fn number(self, cell: u64) -> f64 {
        match self {
            Self::Float => f64::from_bits(cell),
            Self::Integer | Self::Text => cell.cast_signed() as f64,
        }
    }
}

/// How far a window reaches back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// So many microseconds.
    Time(i64),
    /// So many rows, none older than so many microseconds.
    Rows(u64, i64),
    /// Over tiles.
    Tiles(TileWindow),
}

impl Reach {
    /// Microseconds after which a row is in no window of this kind any more.
    pub(super) const fn time(self) -> i64 {
        match self {
            Self::Time(time) | Self::Rows(_, time) => time,
            Self::Tiles(tiles) => tiles.window,
        }
    }
}

/// A partial aggregate that is kept for blocks of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Track {
    /// Number and sum of an argument.
    Sum(usize),
    /// Mean and variance.
    Spread(usize),
    /// Four moments.
    Moments(usize),
    /// Least and greatest value.
    Extremes(usize),
    /// Two arguments together.
    Pairs(usize, usize),
    /// Time in seconds and an argument together.
    Trend(usize),
    /// With a half-life in microseconds.
    Decayed(usize, f64),
    /// With the weight of a new value.
    Smoothed(usize, f64),
    /// The deepest fall.
    Fall(usize),
}

/// Values of a window that are kept one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BagSpec {
    pub(super) argument: usize,
    pub(super) window: usize,
    /// In their order; otherwise how often each is there.
    pub(super) sorted: bool,
}

/// What lanes of a node have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub(super) arguments: Vec<Cells>,
    pub(super) windows: Vec<Reach>,
    pub(super) tracks: Vec<Track>,
    pub(super) bags: Vec<BagSpec>,
    /// Whether a row is in its own window.
    pub(super) include_current: bool,
}

impl Shape {
    /// Microseconds after which a row is in no window any more.
    pub(super) fn widest(&self) -> i64 {
        self.windows.iter().map(|reach| reach.time()).max().unwrap_or(0)
    }

    /// Whether a row of time `held` is in a window of `reach` microseconds of a row of time `now`.
    pub(super) const fn reaches(&self, held: i64, now: i64, reach: i64) -> bool {
        let first = now.saturating_sub(reach);
        if self.include_current { held > first } else { held >= first }
    }
}

/// A row's arguments: cells, and one bit for each that is not null.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) time: i64,
    pub(super) cells: &'a [u64],
    pub(super) present: u64,
}

impl Row<'_> {
    pub(super) fn cell(&self, argument: usize) -> Option<u64> {
        if self.present >> argument & 1 == 0 { None } else { self.cells.get(argument).copied() }
    }
    /// The row does not hold its texts any more.
    pub(super) fn release(&self, texts: &mut Texts, arguments: &[Cells]) {
        for (argument, _) in arguments.iter().enumerate().filter(|(_, c)| **c == Cells::Text) {
            if let Some(cell) = self.cell(argument) {
                texts.release(u32::try_from(cell).unwrap_or(u32::MAX));
            }
        }
    }
}
