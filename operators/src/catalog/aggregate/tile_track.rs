//! Partial aggregates of a fixed size as the words of a tile. No words but zeros are those of no row.

use super::heavy::Source;
use super::held::Known;
use super::partial::{Floats, Integers, Moments, Pairs, Partial, Spread};
use super::shape::Row;
use super::weighted::{Decayed, Fall, Smoothed};

/// What is kept of the rows in a tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TileTrack {
    /// Number of rows.
    Rows,
    /// Time of the newest row.
    Newest,
    Integers(usize),
    Floats(usize),
    Spread(Source),
    Moments(Source),
    Pairs(Source, Source),
    /// Time in seconds and an argument together.
    Trend(Source),
    /// With a half-life in microseconds.
    Decayed(Source, f64),
    /// With the weight of a new value.
    Smoothed(Source, f64),
    Fall(Source),
    /// The first value, or the last.
    End {
        of: usize,
        last: bool,
    },
    /// A value where another is greatest, or least, first.
    At {
        of: usize,
        by: Source,
        greatest: bool,
    },
}

/// A cell that may be there.
type Cell = [u64; 2];

impl TileTrack {
    /// How many words it takes.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Rows => 1,
            Self::Newest | Self::End { .. } => 2,
            Self::Integers(_) | Self::Floats(_) | Self::Spread(_) | Self::At { .. } => 3,
            Self::Decayed(..) | Self::Fall(_) => 4,
            Self::Moments(_) | Self::Smoothed(..) => 5,
            Self::Pairs(..) | Self::Trend(_) => 7,
        }
    }

    /// Adds a row to its words.
    pub(super) fn add(self, words: &mut [u64], row: Row<'_>) {
        match self {
            Self::Rows => words.iter_mut().take(1).for_each(|n| *n += 1),
            Self::Newest => put(words, [1, row.time.cast_unsigned()]),
            Self::Integers(a) => {
                let value = row.cell(a).map(|cell| Integers::of(cell.cast_signed()));
                join(words, value, Integers::from_words, Integers::words);
            }
            Self::Floats(a) => {
                let value = row.cell(a).map(|cell| Floats::of(f64::from_bits(cell)));
                join(words, value, Floats::from_words, Floats::words);
            }
            Self::Spread(a) => {
                join(words, a.number(row).map(Spread::of), Spread::from_words, Spread::words);
            }
            Self::Moments(a) => {
                join(words, a.number(row).map(Moments::of), Moments::from_words, Moments::words);
            }
            Self::Pairs(x, y) => {
                let value = x.number(row).zip(y.number(row)).map(|(x, y)| Pairs::of(x, y));
                join(words, value, Pairs::from_words, Pairs::words);
            }
            Self::Trend(y) => {
                let value = y.number(row).map(|y| Pairs::at(row.time, y));
                join(words, value, Pairs::from_words, Pairs::words);
            }
            Self::Decayed(a, half_life) => {
                let value = a.number(row).map(|v| Decayed::of(v, row.time, half_life));
                join(words, value, Decayed::from_words, Decayed::words);
            }
            Self::Smoothed(a, alpha) => {
                let value = a.number(row).map(|v| Smoothed::of(v, alpha));
                join(words, value, Smoothed::from_words, Smoothed::words);
            }
            Self::Fall(a) => {
                join(words, a.number(row).map(Fall::of), Fall::from_words, Fall::words);
            }
            Self::End { of, last } => {
                if let Some(cell) = row.cell(of).filter(|_| last || words.first() == Some(&0)) {
                    put(words, [1, cell]);
                }
            }
            Self::At { of, by, greatest } => {
                let Some(rank) = row.cell(by.argument).map(|cell| by.cells.rank(cell)) else {
                    return;
                };
                let cell = row.cell(of);
                let later =
                    [1 + 2 * u64::from(cell.is_some()), rank.cast_unsigned(), cell.unwrap_or(0)];
                put(words, better(take(words), later, greatest));
            }
        }
    }

    /// What is known of tiles, `stride` words each; the track begins at `offset`.
    pub(super) fn over(self, tiles: &[u64], stride: usize, offset: usize) -> Known {
        let each =
            || tiles.chunks_exact(stride.max(1)).map(|tile| tile.get(offset..).unwrap_or(&[]));
        match self {
            Self::Rows => {
                let n = each().filter_map(|tile| tile.first()).sum();
                Known::Integers(Integers { n, sum: 0 })
            }
            Self::Newest => {
                let newest = each().map(take::<2>).rfind(|[held, _]| *held == 1);
                Known::Newest(newest.map(|[_, time]| time.cast_signed()))
            }
            Self::Integers(_) => Known::Integers(all(each(), Integers::from_words)),
            Self::Floats(_) => Known::Floats(all(each(), Floats::from_words)),
            Self::Spread(_) => Known::Spread(all(each(), Spread::from_words)),
            Self::Moments(_) => Known::Moments(all(each(), Moments::from_words)),
            Self::Pairs(..) | Self::Trend(_) => Known::Pairs(all(each(), Pairs::from_words)),
            Self::Decayed(..) => Known::Decayed(all(each(), Decayed::from_words)),
            Self::Smoothed(..) => Known::Smoothed(all(each(), Smoothed::from_words)),
            Self::Fall(_) => Known::Fall(all(each(), Fall::from_words)),
            Self::End { last, .. } => {
                let mut held = each().map(take::<2>).filter(|[held, _]| *held == 1);
                let cell: Option<Cell> = if last { held.next_back() } else { held.next() };
                Known::Cell(cell.map(|[_, cell]| cell))
            }
            Self::At { greatest, .. } => {
                let best =
                    each().map(take).fold([0; 3], |best, later| better(best, later, greatest));
                let [held, _, cell] = best;
                Known::Cell((held == 3).then_some(cell))
            }
        }
    }
}

fn take<const N: usize>(words: &[u64]) -> [u64; N] {
    words.first_chunk().copied().unwrap_or([0; N])
}

fn put<const N: usize>(words: &mut [u64], new: [u64; N]) {
    if let Some(words) = words.first_chunk_mut() {
        *words = new;
    }
}

fn join<P: Partial, const N: usize>(
    words: &mut [u64],
    value: Option<P>,
    read: impl Fn([u64; N]) -> P,
    write: impl Fn(P) -> [u64; N],
) {
    if let Some(value) = value {
        put(words, write(read(take(words)).merge(value)));
    }
}

fn all<'w, P: Partial, const N: usize>(
    tiles: impl Iterator<Item = &'w [u64]>,
    read: impl Fn([u64; N]) -> P,
) -> P {
    tiles.map(|tile| read(take(tile))).fold(P::default(), P::merge)
}

/// Whether there is a rank and a cell, the rank, and the cell: the better one, or the earlier.
const fn better(earlier: [u64; 3], later: [u64; 3], greatest: bool) -> [u64; 3] {
    let ([held, rank, _], [held_later, rank_later, _]) = (earlier, later);
    let (rank, rank_later) = (rank.cast_signed(), rank_later.cast_signed());
    let beats = if greatest { rank_later > rank } else { rank_later < rank };
    if held == 0 || (held_later != 0 && beats) { later } else { earlier }
}
