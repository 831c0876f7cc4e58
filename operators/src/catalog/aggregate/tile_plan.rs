//! Which tiles are kept for which windows, and what of them is asked.

use super::heavy::HeavySpec;
use super::tile_track::TileTrack;

/// Tiles of one length.
#[derive(Debug, Clone)]
pub(super) struct Level {
    /// Microseconds of a tile; 0 for one that holds all rows since ever.
    pub(super) hop: i64,
    /// Microseconds from the start of a tile to where no row reaches it any more; of all rows since
    /// ever, from the newest row.
    pub(super) keep: i64,
    /// With the place of their words.
    pub(super) tracks: Vec<(TileTrack, usize)>,
    /// Words of a tile.
    pub(super) stride: usize,
    pub(super) heavies: Vec<HeavySpec>,
}

/// What of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Track(usize),
    Heavy(usize),
}

/// Tiles that features ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) level: usize,
    pub(super) window: i64,
    /// Whether the tile of the row itself is left out.
    pub(super) at_hops: bool,
}

/// What a feature asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) span: usize,
    pub(super) what: What,
}

/// A window of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TileWindow {
    /// Microseconds it reaches back.
    pub(super) window: i64,
    /// Microseconds of a tile; 0 for all rows since ever.
    pub(super) hop: i64,
    pub(super) at_hops: bool,
}

/// All tiles of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct TilePlan {
    pub(super) levels: Vec<Level>,
    pub(super) spans: Vec<Span>,
    pub(super) questions: Vec<Question>,
    pub(super) include_current: bool,
}

/// Begin of the tile in which `time` lies. Rounds down before 1970 too.
pub(super) const fn floor(time: i64, hop: i64) -> i64 {
    if hop == 0 { 0 } else { time - time.rem_euclid(hop) }
}

impl TilePlan {
    /// Sees to it that tiles hold what a feature asks for; gives the number of its question.
    pub(super) fn ask(&mut self, window: TileWindow, wanted: Wanted) -> usize {
        let TileWindow { window, hop, at_hops } = window;
        let level = self.levels.iter().position(|level| level.hop == hop);
        let level = level.unwrap_or_else(|| {
            let (tracks, heavies) = (Vec::new(), Vec::new());
            self.levels.push(Level { hop, keep: 0, tracks, stride: 0, heavies });
            self.levels.len() - 1
        });
        let what = match self.levels.get_mut(level) {
            None => What::Track(0),
            Some(held) => {
                let tiles = hop.saturating_mul(2);
                held.keep = held.keep.max(window.saturating_add(tiles));
                held.hold(wanted)
            }
        };
        let span = place(&mut self.spans, Span { level, window, at_hops });
        place(&mut self.questions, Question { span, what })
    }

    /// What tiles mean: what they hold of which values.
    pub(super) fn meaning(&self) -> String {
        let level = |level: &Level| {
            let tracks: Vec<_> = level.tracks.iter().map(|(track, _)| track).collect();
            format!("{} us: {tracks:?} {:?} for {} us", level.hop, level.heavies, level.keep)
        };
        self.levels.iter().map(level).collect::<Vec<_>>().join("; ")
    }
}

/// The place of an item, which is added where it is not there.
fn place<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|held| *held == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}

/// What a feature needs tiles to hold.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Track(TileTrack),
    Heavy(HeavySpec),
}

impl Level {
    fn hold(&mut self, wanted: Wanted) -> What {
        match wanted {
            Wanted::Track(track) => {
                let held = self.tracks.iter().position(|(held, _)| *held == track);
                What::Track(held.unwrap_or_else(|| {
                    self.tracks.push((track, self.stride));
                    self.stride += track.width();
                    self.tracks.len() - 1
                }))
            }
            Wanted::Heavy(spec) => {
                let held = self.heavies.iter().position(|held| *held == spec);
                What::Heavy(held.unwrap_or_else(|| {
                    self.heavies.push(spec);
                    self.heavies.len() - 1
                }))
            }
        }
    }
}
