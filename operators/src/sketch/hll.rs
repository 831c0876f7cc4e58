//! How many different values there are, about: HyperLogLog with 2048 registers, hashed and written
//! as Apache DataSketches does it, so that its libraries read and join what leaves in
//! `hll_sketch(x)`. Few values are kept as a list of their hashes.
//!
//! P. Flajolet et al. (2007); the estimate is that of O. Ertl, "New cardinality estimation
//! algorithms for HyperLogLog sketches" (2017), algorithm 6.

/// log2 of the number of registers: a standard error of 2.3 %.
const LG_K: u32 = 11;
const K: usize = 1 << LG_K;
/// Seed of the hash, that of DataSketches.
const SEED: u64 = 9001;
/// Most hashes that are kept as a list: DataSketches goes over to registers about here too.
const MOST_COUPONS: usize = K / 8;
const ADDRESS: u32 = (1 << 26) - 1;

/// Different values, about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Hll {
    /// Hashes in ascending order: 26 bits that tell the register, above them its value.
    Few(Vec<u32>),
    Registers(Box<[u8; K]>),
}

impl Default for Hll {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Hll {
    /// A whole number.
    pub(crate) fn add_integer(&mut self, value: i64) {
        self.add(coupon(&value.to_le_bytes()));
    }

    /// A double; both zeros are one value.
    pub(crate) fn add_float(&mut self, value: f64) {
        self.add(coupon(&(value + 0.0).to_bits().to_le_bytes()));
    }

    /// A text. DataSketches passes over empty ones, and so do we.
    pub(crate) fn add_text(&mut self, value: &str) {
        if !value.is_empty() {
            self.add(coupon(value.as_bytes()));
        }
    }

    fn add(&mut self, coupon: u32) {
        match self {
            Self::Few(coupons) => {
                if let Err(at) = coupons.binary_search(&coupon) {
                    coupons.insert(at, coupon);
                    if coupons.len() > MOST_COUPONS {
                        let mut registers = Box::new([0; K]);
                        coupons.iter().for_each(|coupon| raise(&mut registers, *coupon));
                        *self = Self::Registers(registers);
                    }
                }
            }
            Self::Registers(registers) => raise(registers, coupon),
        }
    }

    /// Joins with another.
    pub(crate) fn merge(&mut self, later: &Self) {
        match later {
            Self::Few(coupons) => coupons.iter().for_each(|coupon| self.add(*coupon)),
            Self::Registers(others) => {
                let mut registers = others.clone();
                match self {
                    Self::Few(coupons) => coupons.iter().for_each(|c| raise(&mut registers, *c)),
                    Self::Registers(own) => {
                        registers.iter_mut().zip(own.iter()).for_each(|(a, b)| *a = (*a).max(*b));
                    }
                }
                *self = Self::Registers(registers);
            }
        }
    }

    /// The number of different values.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub(crate) fn estimate(&self) -> u64 {
        match self {
            // Two of so few values seldom have the same 32 bits.
            Self::Few(coupons) => coupons.len() as u64,
            Self::Registers(registers) => estimate(registers).round() as u64,
        }
    }

    /// In the compact form of DataSketches, type `HLL_8`.
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        const COMPACT: u8 = 8;
        const OUT_OF_ORDER: u8 = 16;
        const EMPTY: u8 = 4;
        const HLL_8: u8 = 2 << 2;
        let head = |ints, table, flags, count, mode| {
            vec![ints, 1, 7, LG_K as u8, table, flags, count, mode | HLL_8]
        };
        match self {
            Self::Few(coupons) if coupons.len() < 8 => {
                let empty = if coupons.is_empty() { EMPTY } else { 0 };
                let mut bytes = head(2, 3, COMPACT | empty, coupons.len() as u8, 0);
                bytes.extend(coupons.iter().flat_map(|coupon| coupon.to_le_bytes()));
                bytes
            }
            Self::Few(coupons) => {
                // The table they came from is at most three quarters full.
                let table = (coupons.len() * 4).div_ceil(3).next_power_of_two().ilog2().max(5);
                let mut bytes = head(3, table as u8, COMPACT, 0, 1);
                bytes.extend(u32::try_from(coupons.len()).unwrap_or(0).to_le_bytes());
                bytes.extend(coupons.iter().flat_map(|coupon| coupon.to_le_bytes()));
                bytes
            }
            Self::Registers(registers) => {
                let mut bytes = head(10, 0, COMPACT | OUT_OF_ORDER, 0, 2);
                let (low, high): (Vec<u8>, Vec<u8>) = registers.iter().partition(|r| **r < 32);
                let sum = |of: &[u8]| of.iter().map(|r| power(*r)).sum::<f64>() + 0.0;
                for part in [estimate(registers), sum(&low), sum(&high)] {
                    bytes.extend(part.to_le_bytes());
                }
                let zeros = registers.iter().filter(|r| **r == 0).count();
                bytes.extend(u32::try_from(zeros).unwrap_or(0).to_le_bytes());
                bytes.extend(0_u32.to_le_bytes());
                bytes.extend(registers.iter());
                bytes
            }
        }
    }

    /// Hashes, or registers.
    pub(crate) fn parts(&self) -> Result<&[u32], &[u8]> {
        match self {
            Self::Few(coupons) => Ok(coupons),
            Self::Registers(registers) => Err(registers.as_slice()),
        }
    }

    /// From what [`Hll::parts`] gave.
    pub(crate) fn from_registers(registers: &[u8]) -> Option<Self> {
        Some(Self::Registers(Box::new(registers.try_into().ok()?)))
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Few(coupons) => coupons.capacity() * 4,
            Self::Registers(_) => K,
        }
    }
}

fn raise(registers: &mut [u8; K], coupon: u32) {
    if let Some(register) = registers.get_mut(coupon as usize & (K - 1)) {
        *register = (*register).max((coupon >> 26) as u8);
    }
}

fn power(register: u8) -> f64 {
    (-f64::from(register)).exp2()
}

/// Ertl's improved raw estimate.
#[expect(clippy::cast_precision_loss, reason = "2048 registers")]
fn estimate(registers: &[u8; K]) -> f64 {
    // A register counts the zeros of 64 bits, and one more.
    let mut counts = [0_u32; 65];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(*register).min(64)) {
            *count += 1;
        }
    }
    let m = K as f64;
    let [zeros, between @ .., full] = counts;
    let mut z = m * tau(1.0 - f64::from(full) / m);
    for count in between.iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(zeros) / m);
    0.5 / std::f64::consts::LN_2 * m * m / z
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// A value's register and what it raises it to.
fn coupon(bytes: &[u8]) -> u32 {
    let (low, high) = murmur3_128(bytes, SEED);
    let value = high.leading_zeros().min(62) + 1;
    value << 26 | (low as u32 & ADDRESS)
}

/// MurmurHash3 x64 128 of A. Appleby.
fn murmur3_128(bytes: &[u8], seed: u64) -> (u64, u64) {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let word =
        |part: &[u8]| part.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let first = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let second = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let (mut h1, mut h2) = (seed, seed);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        let (low, high) = block.split_at(8);
        h1 = (h1 ^ first(word(low))).rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ second(word(high))).rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let rest = blocks.remainder();
    let (low, high) = rest.split_at(rest.len().min(8));
    h2 ^= second(word(high));
    h1 ^= first(word(low));
    h1 ^= bytes.len() as u64;
    h2 ^= bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = mixed(h1);
    h2 = mixed(h2);
    h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

const fn mixed(mut h: u64) -> u64 {
    h = (h ^ h >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ h >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ h >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: std::ops::Range<i64>) -> Hll {
        let mut hll = Hll::default();
        values.for_each(|value| hll.add_integer(value));
        hll
    }

    #[test]
    fn estimates_are_within_three_standard_errors() {
        assert_eq!((of(0..0).estimate(), of(0..200).estimate()), (0, 200));
        for n in [300_i64, 1000, 5000, 20_000, 200_000] {
            let found = of(0..n).estimate() as f64;
            assert!((found / n as f64 - 1.0).abs() < 3.0 * 0.023, "{found} for {n}");
        }
    }

    #[test]
    fn joined_it_is_that_of_all_values() {
        for (a, b, c) in [(0, 10, 20), (0, 200, 400), (0, 5000, 5010), (0, 10, 5000)] {
            let mut joined = of(a..b);
            joined.merge(&of(b - 5..c));
            assert_eq!(joined, of(a..c));
        }
    }

    #[test]
    fn bytes_are_those_of_datasketches() {
        // hll_sketch(11, HLL_8) of the Python package datasketches 5.2.0 updated with 0, 1, 2.
        let few = of(0..3).to_bytes();
        assert_eq!(few[..8], [2, 1, 7, 11, 3, 8, 3, 8]);
        let golden = [0x04c2_d7cb, 0x06fb_f22b, 0x0df9_2f86];
        let mut found: Vec<u32> =
            few[8..].chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect();
        found.sort_unstable();
        assert_eq!(found, golden);
        assert_eq!(of(0..0).to_bytes(), [2, 1, 7, 11, 3, 12, 0, 8]);
        assert_eq!(of(0..20).to_bytes()[..12], [3, 1, 7, 11, 5, 8, 0, 9, 20, 0, 0, 0]);
        let many = of(0..5000).to_bytes();
        assert_eq!(many[..8], [10, 1, 7, 11, 0, 24, 0, 10]);
        assert_eq!(
            many[16..40],
            [0, 0, 0, 160, 144, 99, 130, 64, 0, 0, 0, 0, 0, 0, 0, 0, 183, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(many[40..48], [4, 4, 3, 1, 1, 3, 1, 4]);
        assert_eq!(many[40..].iter().map(|r| u32::from(*r)).sum::<u32>(), 5436);
        let mut mixed = Hll::default();
        mixed.add_text("apple");
        mixed.add_float(1.5);
        mixed.add_text("a text that is longer than sixteen bytes");
        assert_eq!(mixed.parts().unwrap(), &[0x08b6_1484, 0x12a4_4fb0, 0x142a_8222]);
    }
}
