//! Counter-based randomness: word `n` of a stream is a function of the stream's key and `n` alone.
//!
//! A stream is `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014) addressed by position instead of
//! walked: the generator adds a constant to its state and hashes it, so its n-th output can be
//! computed directly. Streams of different columns start at unrelated places of its 2^64 period.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of `SplitMix64`: every bit of the input moves half of the output's bits.
#[must_use]
pub const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// A stream of random words, one for each row.
#[derive(Debug, Clone, Copy)]
pub struct Stream(u64);

impl Stream {
    /// The stream of draw number `draw` of a column. Streams go by the column's name, so that a new
    /// column leaves the values of the others as they were.
    #[must_use]
    pub fn new(seed: u64, column: &str, draw: u64) -> Self {
        let name = column.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self(mix(mix(seed.wrapping_add(GAMMA)) ^ mix(name) ^ mix(draw.wrapping_mul(GAMMA))))
    }

    /// The word of one row.
    #[inline]
    #[must_use]
    pub const fn at(self, row: u64) -> u64 {
        mix(self.0.wrapping_add(row.wrapping_add(1).wrapping_mul(GAMMA)))
    }

    /// A stream of its own for one row, where a row needs an unknown number of words.
    #[inline]
    #[must_use]
    pub const fn of_row(self, row: u64) -> Self {
        Self(mix(self.at(row)))
    }
}

/// A number below `bound` (0 for a bound of 0). The bias is below `bound` / 2^64.
#[inline]
#[must_use]
pub const fn below(word: u64, bound: u64) -> u64 {
    ((word as u128 * bound as u128) >> 64) as u64
}

/// A number in [0, 1) in steps of 2^-53.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
#[must_use]
pub const fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// A whole number from 100 to 100 000 000, whose logarithm is evenly spread.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 1e8")]
#[must_use]
pub fn log_uniform(word: u64) -> i64 {
    (100.0 * (unit(word) * 6.0 * std::f64::consts::LN_10).exp()).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_splitmix64_by_position() {
        // Published outputs of SplitMix64 for the seed 1234567.
        let golden =
            [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        let stream = Stream(1_234_567);
        for (row, word) in (0..).zip(golden) {
            assert_eq!(stream.at(row), word);
        }
    }

    #[test]
    fn streams_differ_by_seed_column_and_draw() {
        let all = [
            Stream::new(1, "a", 0),
            Stream::new(2, "a", 0),
            Stream::new(1, "b", 0),
            Stream::new(1, "a", 1),
        ];
        let mut words: Vec<u64> = all.iter().flat_map(|s| (0..100).map(|i| s.at(i))).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 400);
    }

    #[test]
    fn numbers_below_a_bound_are_evenly_spread() {
        let stream = Stream::new(7, "x", 0);
        let mut counts = [0_u32; 10];
        for row in 0..100_000 {
            let cell = usize::try_from(below(stream.at(row), 10)).unwrap();
            counts[cell] += 1;
        }
        // Chi-square with 9 degrees of freedom: 27.9 is passed once in a thousand.
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 27.9, "{chi}");
        assert_eq!(below(u64::MAX, 10), 9);
        assert!(unit(u64::MAX) < 1.0);
    }
}
