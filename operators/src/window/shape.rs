//! The arithmetic of windows that overlap: slices, and the windows made of them. All times are
//! milliseconds since 1970, windows are `[start, end)`.
//!
//! A row belongs to exactly one slice and is aggregated once, however many windows it is in; a
//! window's result is joined from its slices (paired windows of Krishnamurthy et al. 2006, with
//! slices of the greatest common divisor).

/// Start and end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    /// The end comes first, because windows are given in its order.
    pub(crate) end: i64,
    pub(crate) start: i64,
}

/// Windows of fixed bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A window of `size` begins every `slide`; tumbling where both are the same.
    Hopping { size: i64, slide: i64, offset: i64 },
    /// Windows of `step`, 2 `step` and so on up to `size`, which all begin with the last of them.
    Cumulative { size: i64, step: i64 },
}

const fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

const fn floor(time: i64, unit: i64, offset: i64) -> i64 {
    time - (time - offset).rem_euclid(unit)
}

impl Shape {
    /// Length of a slice.
    pub(crate) const fn slice(self) -> i64 {
        match self {
            Self::Hopping { size, slide, .. } => gcd(size, slide),
            Self::Cumulative { step, .. } => step,
        }
    }

    const fn offset(self) -> i64 {
        match self {
            Self::Hopping { offset, .. } => offset,
            Self::Cumulative { .. } => 0,
        }
    }

    /// Start of the slice that holds a time.
    pub(crate) const fn slice_of(self, time: i64) -> i64 {
        floor(time, self.slice(), self.offset())
    }

    /// When the last window of a slice ends.
    pub(crate) const fn last_end(self, slice: i64) -> i64 {
        match self {
            Self::Hopping { size, slide, offset } => floor(slice, slide, offset) + size,
            Self::Cumulative { size, .. } => floor(slice, size, 0) + size,
        }
    }

    /// The windows that a slice is part of.
    pub(crate) fn windows(self, slice: i64) -> Vec<Window> {
        match self {
            Self::Hopping { size, slide, offset } => {
                let last = floor(slice, slide, offset);
                let starts = (0..).map(|n| last - n * slide);
                starts
                    .take_while(|start| start + size > slice)
                    .map(|start| Window { end: start + size, start })
                    .collect()
            }
            Self::Cumulative { size, step } => {
                let start = floor(slice, size, 0);
                let first = (slice - start) / step + 1;
                (first..=size / step).map(|n| Window { end: start + n * step, start }).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(shape: Shape, time: i64) -> Vec<(i64, i64)> {
        let mut windows: Vec<_> =
            shape.windows(shape.slice_of(time)).iter().map(|w| (w.start, w.end)).collect();
        windows.sort_unstable();
        windows
    }

    #[test]
    fn a_row_is_in_the_windows_that_hold_its_time() {
        let tumbling = Shape::Hopping { size: 10, slide: 10, offset: 0 };
        assert_eq!(windows(tumbling, 9), [(0, 10)]);
        assert_eq!(windows(tumbling, -1), [(-10, 0)]);
        let offset = Shape::Hopping { size: 10, slide: 10, offset: 3 };
        assert_eq!(windows(offset, 2), [(-7, 3)]);
        let hopping = Shape::Hopping { size: 10, slide: 4, offset: 1 };
        assert_eq!(windows(hopping, 11), [(5, 15), (9, 19)]);
        assert_eq!(windows(hopping, 10), [(1, 11), (5, 15), (9, 19)]);
        let cumulative = Shape::Cumulative { size: 9, step: 3 };
        assert_eq!(windows(cumulative, 4), [(0, 6), (0, 9)]);
    }

    #[test]
    fn every_window_is_made_of_whole_slices() {
        for shape in [
            Shape::Hopping { size: 10, slide: 4, offset: 3 },
            Shape::Hopping { size: 6, slide: 6, offset: -1 },
            Shape::Cumulative { size: 12, step: 4 },
        ] {
            for time in -30..30 {
                let slice = shape.slice_of(time);
                let last = windows(shape, time).into_iter().map(|w| w.1).max();
                assert_eq!(last, Some(shape.last_end(slice)));
                for (start, end) in windows(shape, time) {
                    assert!(start <= slice && slice + shape.slice() <= end, "{shape:?} at {time}");
                    assert!((start..end).contains(&time));
                }
            }
        }
    }
}
