//! What a function needs tiles, or a sketch of a window's rows, to hold.

use std::sync::Arc;

use super::call::Function;
use super::heavy::{HeavySpec, Source};
use super::shape::Cells;
use super::tile_plan::Wanted;
use super::tile_track::TileTrack;

/// What a call is given.
pub(super) struct Given<'a> {
    pub(super) first: Option<Source>,
    pub(super) second: Option<Source>,
    pub(super) edges: &'a [f64],
    pub(super) most: usize,
}

impl Given<'_> {
    /// What has to be gathered anew from the rows of a window.
    pub(super) fn sketch(&self, function: Function) -> Option<HeavySpec> {
        use Function as F;
        let first = self.first?;
        Some(match function {
            F::ApproxDistinct | F::HllSketch => HeavySpec::Distinct(first),
            F::ApproxQuantile(_) => HeavySpec::Quantiles(first),
            F::Histogram => HeavySpec::Histogram(first, Arc::from(self.edges)),
            F::CountBy => HeavySpec::Categories { of: None, by: first, most: self.most },
            F::SumBy | F::MeanBy => {
                HeavySpec::Categories { of: Some(first), by: self.second?, most: self.most }
            }
            _ => return None,
        })
    }

    /// What tiles hold.
    pub(super) fn in_tiles(&self, function: Function) -> Wanted {
        let heavy = self.sketch(function).or_else(|| self.values(function));
        heavy.map_or_else(|| Wanted::Track(self.track(function)), Wanted::Heavy)
    }

    /// Values that are held one by one, or texts.
    fn values(&self, function: Function) -> Option<HeavySpec> {
        use Function as F;
        let first = self.first?;
        let is_text = first.cells == Cells::Text;
        Some(match function {
            F::First if is_text => HeavySpec::First(first, 1),
            F::Last if is_text => HeavySpec::Last(first, 1),
            F::FirstK(k) => HeavySpec::First(first, k),
            F::LastK(k) => HeavySpec::Last(first, k),
            F::TopK(k) => HeavySpec::Top(first, k),
            F::BottomK(k) => HeavySpec::Bottom(first, k),
            F::ArgMin | F::ArgMax if is_text => {
                HeavySpec::At { of: first, by: self.second?, greatest: function == F::ArgMax }
            }
            F::Distinct | F::DistinctRatio | F::Mode | F::Entropy | F::Quantile(_) | F::RobustZ => {
                HeavySpec::Counts(first)
            }
            _ => return None,
        })
    }

    fn track(&self, function: Function) -> TileTrack {
        use Function as F;
        let Some(first) = self.first else {
            return if function == F::SinceLast { TileTrack::Newest } else { TileTrack::Rows };
        };
        let second = self.second.unwrap_or(first);
        let at = |by, greatest| TileTrack::At { of: first.argument, by, greatest };
        match function {
            F::Variance(_) | F::Deviation(_) | F::ZScore => TileTrack::Spread(first),
            F::Skew | F::Kurtosis => TileTrack::Moments(first),
            F::Min => at(first, false),
            F::Max => at(first, true),
            F::ArgMin => at(second, false),
            F::ArgMax => at(second, true),
            F::Correlation | F::Covariance => TileTrack::Pairs(first, second),
            F::Slope => TileTrack::Trend(first),
            F::DecayedSum(h) | F::DecayedMean(h) | F::DecayedCount(h) => {
                TileTrack::Decayed(first, h)
            }
            F::Ewma(alpha) | F::EwVar(alpha) => TileTrack::Smoothed(first, alpha),
            F::Drawdown => TileTrack::Fall(first),
            F::First | F::Last => TileTrack::End { of: first.argument, last: function == F::Last },
            _ if first.cells == Cells::Float => TileTrack::Floats(first.argument),
            _ => TileTrack::Integers(first.argument),
        }
    }
}
