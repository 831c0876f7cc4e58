//! Exact samples of the discrete Gaussian, by algorithms 1 to 3 of Canonne, Kamath and Steinke (The
//! Discrete Gaussian for Differential Privacy, 2020), in integers only: samplers in floats leak
//! through their low bits.
//!
//! How long a sample takes depends on the noise and not on the counts it is added to.

use swiftwater_engine::{Error, Result};

/// Where random bits come from.
pub(crate) trait Bits {
    /// 64 fair bits.
    ///
    /// # Errors
    /// `State` where there are none: nothing is published then.
    fn word(&mut self) -> Result<u64>;
}

/// The generator of the operating system.
#[derive(Debug, Default)]
pub(crate) struct SystemBits {
    words: Vec<u64>,
}

impl Bits for SystemBits {
    fn word(&mut self) -> Result<u64> {
        if self.words.is_empty() {
            let mut bytes = [0_u8; 512];
            getrandom::fill(&mut bytes).map_err(|e| {
                let message = format!("get random bits of the operating system for noise: {e}");
                Error::state("SW3263", message)
            })?;
            let (words, _) = bytes.as_chunks::<8>();
            self.words.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
        }
        self.words.pop().ok_or_else(|| Error::bug("take a random word that was just made"))
    }
}

fn overflow() -> Error {
    // It takes a draw that is less likely than a broken machine; nothing is published.
    Error::state("SW3263", "draw private noise within 128 bits")
}

fn times(a: u128, b: u128) -> Result<u128> {
    a.checked_mul(b).ok_or_else(overflow)
}

/// A number below `bound`, by rejection: without bias.
fn below(bound: u128, bits: &mut impl Bits) -> Result<u128> {
    let spare = bound.saturating_sub(1).leading_zeros();
    loop {
        let mut number = u128::from(bits.word()?);
        if spare < 64 {
            number |= u128::from(bits.word()?) << 64;
            number >>= spare.min(127);
        } else {
            number = number.checked_shr(spare - 64).unwrap_or(0);
        }
        if number < bound {
            return Ok(number);
        }
    }
}

/// True with probability `exp(-n/d)`, for n <= d.
fn exp_of_unit((n, d): (u128, u128), bits: &mut impl Bits) -> Result<bool> {
    let mut k = 1_u128;
    while below(times(d, k)?, bits)? < n {
        k += 1;
    }
    Ok(k % 2 == 1)
}

/// True with probability `exp(-n/d)`.
fn exp((mut n, d): (u128, u128), bits: &mut impl Bits) -> Result<bool> {
    while n > d {
        if !exp_of_unit((1, 1), bits)? {
            return Ok(false);
        }
        n -= d;
    }
    exp_of_unit((n, d), bits)
}

/// A discrete Laplace number of the scale `t`: its size, and whether it is negative.
fn laplace(t: u128, bits: &mut impl Bits) -> Result<(u128, bool)> {
    loop {
        let u = below(t, bits)?;
        if !exp_of_unit((u, t), bits)? {
            continue;
        }
        let mut v = 0_u128;
        while exp_of_unit((1, 1), bits)? {
            v += 1;
        }
        let size = times(t, v)? + u;
        let negative = below(2, bits)? == 1;
        // Zero has one sign, or it would be twice as likely.
        if !(negative && size == 0) {
            return Ok((size, negative));
        }
    }
}

/// A discrete Gaussian number of the variance `variance / 1024`.
///
/// # Errors
/// `State` where there are no random bits.
pub(crate) fn gaussian(variance: u64, bits: &mut impl Bits) -> Result<i64> {
    const PARTS: u128 = 1024;
    let n = u128::from(variance);
    let t = (n / PARTS).isqrt() + 1;
    // exp(-(|y| - n / (d t))^2 d / (2 n)) as one fraction of whole numbers.
    let whole = times(2 * n * PARTS, t * t)?;
    loop {
        let (size, negative) = laplace(t, bits)?;
        let apart = times(size, PARTS * t)?.abs_diff(n);
        if exp((times(apart, apart)?, whole), bits)? {
            let size = i64::try_from(size).map_err(|_| overflow())?;
            return Ok(if negative { -size } else { size });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use swiftwater_engine::random::Stream;

    use super::*;

    /// Reproducible bits, for tests only.
    pub(crate) struct TestBits(Stream, u64);

    impl TestBits {
        pub(crate) fn new(seed: u64) -> Self {
            Self(Stream::new(seed, "noise", 0), 0)
        }
    }

    impl Bits for TestBits {
        fn word(&mut self) -> Result<u64> {
            self.1 += 1;
            Ok(self.0.at(self.1))
        }
    }

    fn probability(x: i64, variance: f64) -> f64 {
        (-(x as f64).powi(2) / (2.0 * variance)).exp()
    }

    /// Chi-square against the exact probabilities; 5 sigma of its normal approximation.
    #[test]
    fn samples_follow_the_discrete_gaussian() {
        for (seed, parts) in [(1, 300), (2, 1024), (3, 4 * 1024 + 7), (4, 60 * 1024)] {
            let variance = parts as f64 / 1024.0;
            let mut bits = TestBits::new(seed);
            let runs = 40_000;
            let mut counts: BTreeMap<i64, f64> = BTreeMap::new();
            for _ in 0..runs {
                *counts.entry(gaussian(parts, &mut bits).unwrap()).or_default() += 1.0;
            }
            let reach = (12.0 * variance.sqrt()) as i64 + 2;
            let all: f64 = (-reach..=reach).map(|x| probability(x, variance)).sum();
            let (mut chi, mut cells) = (0.0, 0.0);
            for x in -reach..=reach {
                let expected = f64::from(runs) * probability(x, variance) / all;
                if expected >= 10.0 {
                    let found = counts.get(&x).copied().unwrap_or(0.0);
                    chi += (found - expected).powi(2) / expected;
                    cells += 1.0;
                }
            }
            assert!(cells >= 3.0);
            assert!(
                chi < cells + 5.0 * f64::sqrt(2.0 * cells) + 5.0,
                "{variance}: {chi} of {cells}"
            );
        }
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut bits = TestBits::new(9);
        for bound in [1_u128, 2, 3, 10, 1 << 64, (1 << 64) + 1, 3 << 100] {
            let all = (0..200).map(|_| below(bound, &mut bits).unwrap());
            assert!(all.max().unwrap() < bound);
        }
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|_| counts[below(7, &mut bits).unwrap() as usize] += 1);
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 500), "{counts:?}");
        let wide = 3_u128 << 70;
        let high = (0..9000).filter(|_| below(wide, &mut bits).unwrap() >= wide / 3).count();
        assert!(high.abs_diff(6000) < 250, "{high}");
    }

    #[test]
    fn the_system_gives_bits() {
        let mut bits = SystemBits::default();
        let words: std::collections::BTreeSet<u64> =
            (0..200).map(|_| bits.word().unwrap()).collect();
        assert_eq!(words.len(), 200);
    }

    /// Sum of the upper tail of a binomial distribution, by logarithms.
    fn tail(n: u32, from: u32, p: f64) -> f64 {
        let mut log = 0.0_f64;
        for i in 0..from {
            log += (f64::from(n - i) / f64::from(i + 1)).ln();
        }
        let mut term = log + f64::from(from) * p.ln() + f64::from(n - from) * (-p).ln_1p();
        let mut sum = 0.0;
        for k in from..=n {
            sum += term.exp();
            term += (f64::from(n - k) / f64::from(k + 1)).ln() + p.ln() - (-p).ln_1p();
        }
        sum
    }

    /// Clopper and Pearson's lower bound of a share at the given confidence.
    fn lower(n: u32, hits: u32, miss: f64) -> f64 {
        let (mut low, mut high) = (0.0, f64::from(hits) / f64::from(n));
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            if middle > 0.0 && tail(n, hits, middle) > miss { high = middle } else { low = middle }
        }
        low
    }

    /// The most epsilon that 100 000 runs on each of two neighbouring counts give evidence of, for
    /// noise of the variance given, over all events `count >= threshold`, at the given delta.
    fn evidence(variance: u64, delta: f64) -> f64 {
        const RUNS: u32 = 100_000;
        let mut bits = TestBits::new(17);
        let mut draw = |count: i64| -> Vec<i64> {
            (0..RUNS).map(|_| count + gaussian(variance, &mut bits).unwrap()).collect()
        };
        let (without, with) = (draw(10), draw(11));
        let hits =
            |of: &[i64], threshold: i64| of.iter().filter(|c| **c >= threshold).count() as u32;
        let mut most = 0.0_f64;
        for threshold in [11, 12, 13, 14] {
            let (p, q) = (hits(&with, threshold), hits(&without, threshold));
            // Two bounds of four events: miss 1e-4 in all.
            let p = lower(RUNS, p, 1e-4 / 8.0);
            let q = 1.0 - lower(RUNS, RUNS - q, 1e-4 / 8.0);
            most = most.max(((p - delta) / q).ln());
        }
        most
    }

    #[test]
    fn an_audit_finds_no_more_than_is_claimed_and_sees_too_little_noise() {
        use super::super::accounting;
        let (rho, delta) = (0.125, 1e-3);
        let variance = accounting::variance(1, accounting::budget(rho)).unwrap();
        let claimed = accounting::epsilon(rho, delta);
        let found = evidence(variance, delta);
        assert!(found <= claimed, "{found} of {claimed}");
        assert!(found > 0.2, "an audit without power: {found}");
        // A ninth of the variance, as a wrong scale would have it.
        let broken = evidence(variance / 9, delta);
        assert!(
            broken > claimed,
            "the audit does not see a third of the noise: {broken} of {claimed}"
        );
    }
}
