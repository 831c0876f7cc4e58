//! Memory of keys that is asked for before it is used. Where there are more keys than the processor's
//! caches hold, a row mostly waits for the memory of its key; the memory of several keys at once takes
//! hardly longer than that of one.

use super::Slot;

/// Rows whose keys are asked for at once: about as many as the processor fetches at a time.
pub(crate) const AHEAD: usize = 16;

/// Asks for what the next rows need of their keys. `touch` reads it; what it gives is of no use.
pub(crate) fn warm_up<T>(keys: &[Option<T>], next: &[Slot], touch: impl Fn(&T) -> u64) {
    let held = |slot: &Slot| keys.get(*slot as usize).and_then(Option::as_ref);
    let read = next.iter().take(AHEAD).filter_map(held).map(touch);
    std::hint::black_box(read.fold(0, |all, read| all ^ read));
}
