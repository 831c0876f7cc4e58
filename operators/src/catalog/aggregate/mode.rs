//! What windows of time are made of: rows, or tiles of some lengths.

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::Result;

use super::options::{AggregateOptions, mistake};
use super::shape::Reach;
use super::tile_plan::TileWindow;
use crate::keyed::micros;

/// What windows of time are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Of rows: exact at both ends.
    #[default]
    Exact,
    /// Of tiles, from one that holds the older end up to the row.
    Sawtooth,
    /// Of whole tiles: features change at the hops only.
    Hop,
}

/// How often a tile goes into a window that takes it.
const TIMES: i64 = 12;

/// Tiles of five minutes, of an hour and of a day.
pub(super) fn usual_hops() -> Vec<Duration> {
    [5 * 60, 60 * 60, 24 * 60 * 60].map(|s| Duration(std::time::Duration::from_secs(s))).to_vec()
}

/// # Errors
/// `Config` (`SW0360`) for hops that do not divide one another.
pub(super) fn check(options: &AggregateOptions) -> Result<()> {
    let hops: Vec<i64> = options.hops.iter().map(|hop| micros(*hop)).collect();
    let pairs = hops.iter().zip(hops.iter().skip(1));
    let divide = pairs.into_iter().all(|(a, b)| a < b && b.checked_rem(*a) == Some(0));
    if !divide || hops.first().is_none_or(|hop| *hop <= 0) {
        let hint = "write hops: [5m, 1h, 1d], each a multiple of the one before";
        return Err(mistake("divide time into tiles that do not fit one another", hint));
    }
    if options.mode == Mode::Hop && options.include_current {
        let hint = "leave `include_current` out, or use `mode: sawtooth`";
        return Err(mistake("take a row into features that change at hops only", hint));
    }
    Ok(())
}

/// A window of `window` microseconds.
pub(super) fn reach(options: &AggregateOptions, window: i64) -> Reach {
    if options.mode == Mode::Exact {
        return Reach::Time(window);
    }
    let hops = options.hops.iter().map(|hop| micros(*hop));
    let fits = hops.clone().filter(|hop| hop.saturating_mul(TIMES) <= window).max();
    let hop = fits.or(hops.min()).unwrap_or(window);
    Reach::Tiles(TileWindow { window, hop, at_hops: options.mode == Mode::Hop })
}

/// All rows of a key since ever, or since it had no row for `ttl`.
pub(super) fn since_ever(ttl: Option<Duration>) -> TileWindow {
    TileWindow { window: ttl.map_or(i64::MAX, micros), hop: 0, at_hops: false }
}
