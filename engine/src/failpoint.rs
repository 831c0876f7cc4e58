//! Named places at which a test can kill the process: `SWIFTWATER_FAILPOINT=manifest_written:3` ends
//! it, without a word and without cleaning up, when it comes to that place for the third time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Variable that names a place and how many times it is passed before.
pub const VARIABLE: &str = "SWIFTWATER_FAILPOINT";

struct Armed {
    place: String,
    left: AtomicU64,
}

/// Ends the process where a test asked for it; costs one look otherwise.
pub fn failpoint(place: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let (place, times) = text.split_once(':').unwrap_or((&text, "1"));
        let left = AtomicU64::new(times.parse().unwrap_or(1));
        Some(Armed { place: place.to_owned(), left })
    });
    if let Some(armed) = armed
        && armed.place == place
        && armed.left.fetch_sub(1, Ordering::AcqRel) == 1
    {
        std::process::abort();
    }
}
