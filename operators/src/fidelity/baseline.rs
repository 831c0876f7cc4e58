//! Where a quality score lies between what anybody can reach and what nobody can pass.
//!
//! A score has a high floor: rows whose columns were drawn independently of each other keep every
//! column's shape. And it has a ceiling below 1: the real rows drawn again differ from themselves.
//! `(score - floor) / (ceiling - floor)` is what a synthesizer has learned of the dependence.

use serde::Serialize;

use super::quality::{Quality, Reference, mean};
use super::table::Table;

/// Smallest distance of ceiling and floor at which a normalised score means something.
const APART: f64 = 0.01;

/// A score with its floor and ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Placed {
    /// The score of the synthetic rows.
    pub score: Option<f64>,
    /// The mean score of rows with independent columns.
    pub floor: Option<f64>,
    /// The mean score of real rows that were drawn with replacement.
    pub ceiling: Option<f64>,
    /// 0 at the floor, 1 at the ceiling; null where the two are less than 0.01 apart, because the
    /// real columns do not depend on each other.
    pub normalised: Option<f64>,
}

impl Placed {
    fn new(score: Option<f64>, floor: Option<f64>, ceiling: Option<f64>) -> Self {
        let normalised = match (score, floor, ceiling) {
            (Some(s), Some(f), Some(c)) if c - f >= APART => Some((s - f) / (c - f)),
            _ => None,
        };
        Self { score, floor, ceiling, normalised }
    }
}

/// The scores of a table in their places.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baselines {
    /// How often floor and ceiling were drawn.
    pub draws: u64,
    /// The quality score.
    pub quality: Placed,
    /// The trends of the pairs that count.
    pub column_pair_trends: Placed,
    /// The quality score with all pairs, whether they count or not.
    pub quality_of_all_pairs: Placed,
}

fn of_all_pairs(quality: &Quality) -> Option<f64> {
    mean([quality.column_shapes, quality.all_pair_trends].into_iter())
}

/// Places `quality` between floor and ceiling, each drawn `draws` times with as many rows as the
/// synthetic side has.
#[must_use]
pub fn baselines(
    (reference, real): (&Reference<'_>, &Table),
    (quality, rows): (&Quality, usize),
    (draws, seed): (u64, u64),
) -> Baselines {
    let scores = |table: &dyn Fn(u64) -> Table| -> [Option<f64>; 3] {
        let found: Vec<Quality> = (0..draws).map(|draw| reference.score(&table(draw))).collect();
        [
            mean(found.iter().map(|q| q.score)),
            mean(found.iter().map(|q| q.column_pair_trends)),
            mean(found.iter().map(of_all_pairs)),
        ]
    };
    let [floor, floor_trends, floor_all] = scores(&|draw| real.independent(rows, seed, draw));
    let [ceiling, ceiling_trends, ceiling_all] = scores(&|draw| real.drawn(rows, seed, draw));
    Baselines {
        draws,
        quality: Placed::new(quality.score, floor, ceiling),
        column_pair_trends: Placed::new(quality.column_pair_trends, floor_trends, ceiling_trends),
        quality_of_all_pairs: Placed::new(of_all_pairs(quality), floor_all, ceiling_all),
    }
}
