//! The tiles of one key: for each length of tile those in which a row lies, oldest first.

use std::ops::Range;

use super::heavy::Heavy;
use super::held::Known;
use super::shape::Row;
use super::texts::Texts;
use super::tile_plan::{Level, Question, Span, TilePlan, What, floor};
use super::wire::{Reader, Writer};

/// What tiles know that a feature asked for.
pub(super) enum Told {
    Known(Known),
    Heavy(Heavy),
}

/// The answers to all questions for one row; memory that each row uses again.
#[derive(Default)]
pub(super) struct Answers {
    spans: Vec<Option<(usize, Range<usize>)>>,
    pub(super) all: Vec<Option<Told>>,
}

/// Tiles of one length.
#[derive(Debug, Default)]
struct Tiles {
    starts: Vec<i64>,
    /// Where the first tile is not below this, earlier ones are gone.
    gone: usize,
    words: Vec<u64>,
    heavies: Vec<Heavy>,
    /// Time of the newest row, where tiles are of all rows since ever.
    newest: i64,
    /// Starts of the tiles that changed since the last barrier.
    changed: Vec<i64>,
}

/// The tiles of one key.
#[derive(Debug)]
pub(super) struct TileLane {
    levels: Vec<Tiles>,
}

impl Tiles {
    fn live(&self) -> &[i64] {
        self.starts.get(self.gone..).unwrap_or_default()
    }

    fn until(&self, level: &Level, start: i64) -> i64 {
        let from = if level.hop == 0 { self.newest } else { start };
        from.saturating_add(level.keep)
    }

    /// Forgets tiles that no row of time `now` or later reaches.
    fn trim(&mut self, level: &Level, now: i64) {
        let over = self.live().iter().take_while(|start| self.until(level, **start) <= now);
        self.gone += over.count();
        if self.gone > 8 && self.gone * 2 > self.starts.len() || self.gone == self.starts.len() {
            self.starts.drain(..self.gone);
            self.words.drain(..self.gone * level.stride);
            self.heavies.drain(..self.gone * level.heavies.len());
            self.gone = 0;
        }
    }

    fn push(&mut self, level: &Level, start: i64) {
        self.starts.push(start);
        self.words.resize(self.words.len() + level.stride, 0);
        self.heavies.extend(level.heavies.iter().map(super::heavy::HeavySpec::empty));
    }

    /// Adds a row. Whether it is the first one of the key since the last barrier.
    fn add(&mut self, level: &Level, row: Row<'_>, texts: &Texts) -> bool {
        self.trim(level, row.time);
        let start = floor(row.time, level.hop);
        if self.live().last() != Some(&start) {
            self.push(level, start);
        }
        self.newest = row.time;
        let tile = self.words.len() - level.stride;
        for (track, offset) in &level.tracks {
            if let Some(words) = self.words.get_mut(tile + offset..) {
                track.add(words, row);
            }
        }
        let first = self.heavies.len() - level.heavies.len();
        for (spec, heavy) in level.heavies.iter().zip(self.heavies.iter_mut().skip(first)) {
            spec.add(heavy, row, texts);
        }
        let first = self.changed.is_empty();
        if self.changed.last() != Some(&start) {
            self.changed.push(start);
        }
        first
    }

    /// The tiles that a window of a row of time `now` holds.
    fn within(&self, level: &Level, span: &Span, now: i64) -> Range<usize> {
        let end = if span.at_hops { floor(now, level.hop) } else { i64::MAX };
        let as_of = if span.at_hops { end } else { now };
        let from = match level.hop {
            0 => 0,
            hop => floor(as_of.saturating_sub(span.window), hop),
        };
        let live = self.live();
        let over = level.hop == 0 && self.until(level, 0) <= now;
        let first = if over { live.len() } else { live.partition_point(|start| *start < from) };
        let last = live.partition_point(|start| *start < end).max(first);
        self.gone + first..self.gone + last
    }

    /// What is known of tiles.
    fn told(&self, level: &Level, what: What, tiles: Range<usize>) -> Told {
        let (first, last) = (tiles.start, tiles.end);
        match what {
            What::Track(track) => {
                let words = self.words.get(first * level.stride..last * level.stride);
                let track = level.tracks.get(track);
                let known = track.map(|(track, offset)| {
                    track.over(words.unwrap_or_default(), level.stride, *offset)
                });
                Told::Known(known.unwrap_or(Known::Cell(None)))
            }
            What::Heavy(heavy) => {
                let Some(spec) = level.heavies.get(heavy) else {
                    return Told::Known(Known::Cell(None));
                };
                let per_tile = level.heavies.len();
                let tiles = self.heavies.get(first * per_tile..last * per_tile);
                let tiles = tiles.unwrap_or_default();
                let mut each = tiles.iter().skip(heavy).step_by(per_tile);
                let mut all = each.next().map_or_else(|| spec.empty(), Clone::clone);
                each.for_each(|later| spec.merge(&mut all, later));
                Told::Heavy(all)
            }
        }
    }

    fn bytes(&self) -> usize {
        let heavies: usize = self.heavies.iter().map(Heavy::bytes).sum();
        (self.starts.capacity() + self.words.capacity() + self.changed.capacity()) * 8
            + self.heavies.capacity() * size_of::<Heavy>()
            + heavies
    }
}

impl TileLane {
    pub(super) fn new(plan: &TilePlan) -> Self {
        Self { levels: plan.levels.iter().map(|_| Tiles::default()).collect() }
    }

    /// Adds a row; rows come in the order of time. Whether it is the first since the last barrier.
    pub(super) fn add(&mut self, plan: &TilePlan, row: Row<'_>, texts: &Texts) -> bool {
        let mut first = false;
        for (tiles, level) in self.levels.iter_mut().zip(&plan.levels) {
            first |= tiles.add(level, row, texts);
        }
        first
    }

    /// Reads what the next row of the key is going to read, for `warm_up`.
    pub(super) fn touch(&self) -> u64 {
        let ends = |words: &[u64]| {
            words.first().copied().unwrap_or(0) ^ words.last().copied().unwrap_or(0)
        };
        let level = |tiles: &Tiles| {
            tiles.starts.last().map_or(0, |start| start.cast_unsigned()) ^ ends(&tiles.words)
        };
        self.levels.iter().fold(0, |all, tiles| all ^ level(tiles))
    }

    /// What is known as of a row of time `now`: an answer to each question.
    pub(super) fn tell(&self, plan: &TilePlan, now: i64, told: &mut Answers) {
        let level_of = |span: &Span| self.levels.get(span.level).zip(plan.levels.get(span.level));
        told.spans.clear();
        told.spans.extend(plan.spans.iter().map(|span| {
            let (tiles, level) = level_of(span)?;
            Some((span.level, tiles.within(level, span, now)))
        }));
        let answer = |question: &Question| {
            let (at, range) = told.spans.get(question.span)?.clone()?;
            let (tiles, level) = self.levels.get(at).zip(plan.levels.get(at))?;
            Some(tiles.told(level, question.what, range))
        };
        told.all.clear();
        told.all.extend(plan.questions.iter().map(answer));
    }

    /// The time from which on no row reaches any of the tiles.
    pub(super) fn until(&self, plan: &TilePlan) -> i64 {
        let each = self.levels.iter().zip(&plan.levels);
        let last = |(tiles, level): (&Tiles, &Level)| {
            tiles.live().last().map(|start| tiles.until(level, *start))
        };
        each.filter_map(last).max().unwrap_or(i64::MIN)
    }

    /// Tiles that changed since the last time: their level, start, end, and bytes.
    pub(super) fn changed(&mut self, plan: &TilePlan, mut each: impl FnMut(Changed)) {
        for (tiles, level) in self.levels.iter_mut().zip(&plan.levels) {
            for start in std::mem::take(&mut tiles.changed) {
                let Ok(at) = tiles.live().binary_search(&start) else { continue };
                let at = tiles.gone + at;
                let mut state = Writer(Vec::with_capacity(level.stride * size_of::<u64>()));
                let words = tiles.words.get(at * level.stride..(at + 1) * level.stride);
                words.unwrap_or_default().iter().for_each(|word| state.word(*word));
                let count = level.heavies.len();
                let heavies = tiles.heavies.get(at * count..(at + 1) * count);
                heavies.unwrap_or_default().iter().for_each(|heavy| heavy.write(&mut state));
                let until = tiles.until(level, start);
                each(Changed { hop: level.hop, start, until, state: state.0 });
            }
        }
    }

    /// Puts a tile back, in the order of time. `None` where its bytes are others.
    pub(super) fn restore(&mut self, plan: &TilePlan, tile: &Changed) -> Option<()> {
        let place = plan.levels.iter().position(|level| level.hop == tile.hop)?;
        let (tiles, level) = (self.levels.get_mut(place)?, plan.levels.get(place)?);
        let mut state = Reader(&tile.state);
        tiles.push(level, tile.start);
        tiles.newest = tile.until.saturating_sub(level.keep);
        let first = tiles.words.len() - level.stride;
        for word in tiles.words.iter_mut().skip(first) {
            *word = state.word()?;
        }
        let first = tiles.heavies.len() - level.heavies.len();
        tiles.heavies.iter_mut().skip(first).try_for_each(|heavy| heavy.read(&mut state))
    }

    pub(super) fn bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Tiles>()
            + self.levels.iter().map(Tiles::bytes).sum::<usize>()
    }
}

/// A tile of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    pub(super) hop: i64,
    pub(super) start: i64,
    /// No row of this time or later reaches it.
    pub(super) until: i64,
    pub(super) state: Vec<u8>,
}
