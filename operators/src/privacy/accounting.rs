//! Zero-concentrated differential privacy (zCDP; Bun and Steinke, 2016) and its conversion to
//! (epsilon, delta): the tight form of Canonne, Kamath and Steinke (The Discrete Gaussian for
//! Differential Privacy, 2020, corollary 13),
//! `delta = min over a > 1 of exp((a - 1)(a rho - epsilon)) / (a - 1) * (1 - 1/a)^a`.
//!
//! The ledger counts rho in whole billionths, a debit rounded up and a budget rounded down, so that
//! no sum of floats decides what may be published.

/// Billionths of rho.
pub(crate) type Nano = u64;

const BILLION: f64 = 1e9;
/// Steps of a bisection: a double has no more bits to settle.
const STEPS: usize = 200;

/// The delta for which rho-zCDP is (epsilon, delta)-differentially private.
pub(crate) fn delta(rho: f64, epsilon: f64) -> f64 {
    if rho <= 0.0 {
        return 0.0;
    }
    // The logarithm is convex in a; its derivative is (2a - 1) rho - epsilon + ln(1 - 1/a).
    let slope = |a: f64| (2.0 * a - 1.0) * rho - epsilon + (-1.0 / a).ln_1p();
    let (mut low, mut high) = (1.0, (epsilon + 1.0) / (2.0 * rho) + 2.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let a = high;
    let logarithm = (a - 1.0) * (a * rho - epsilon) + a * (-1.0 / a).ln_1p() - (a - 1.0).ln();
    logarithm.exp().min(1.0)
}

/// The least epsilon for which rho-zCDP is (epsilon, delta)-differentially private, rounded up.
pub(crate) fn epsilon(rho: f64, of: f64) -> f64 {
    if rho <= 0.0 {
        return 0.0;
    }
    // The simple conversion is an upper bound.
    let (mut low, mut high) = (0.0, rho + 2.0 * (rho * (1.0 / of).ln()).sqrt());
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if delta(rho, middle) <= of {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The most rho that is (epsilon, delta)-differentially private, rounded down.
pub(crate) fn rho(epsilon: f64, of: f64) -> f64 {
    let (mut low, mut high) = (0.0, epsilon + 1.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if delta(middle, epsilon) <= of {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates at 0 and the top"
)]
const fn whole(nano: f64) -> Nano {
    nano as Nano
}

/// A budget in billionths, rounded down.
pub(crate) fn budget(rho: f64) -> Nano {
    whole((rho * BILLION).floor())
}

/// What a release costs, in billionths, rounded up: `sensitivity / (2 variance)`, the square of the
/// L2 sensitivity over twice the variance, which is `variance / 1024`.
pub(crate) fn cost(sensitivity: u64, variance: u64) -> Nano {
    let numerator = u128::from(sensitivity) * 1_000_000_000 * 512;
    let cost = numerator.div_ceil(u128::from(variance.max(1)));
    Nano::try_from(cost).unwrap_or(Nano::MAX)
}

/// The least variance in 1024ths, of which a release costs no more than `budget`; none where the
/// numbers leave the range that is sampled exactly.
pub(crate) fn variance(sensitivity: u64, budget: Nano) -> Option<u64> {
    let numerator = u128::from(sensitivity) * 1_000_000_000 * 512;
    let variance = numerator.div_ceil(u128::from(budget).max(1));
    u64::try_from(variance).ok().filter(|v| (1..=1 << 40).contains(v))
}

/// Billionths as rho.
#[expect(clippy::cast_precision_loss, reason = "for people to read")]
pub(crate) fn as_rho(nano: Nano) -> f64 {
    nano as f64 / BILLION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() < within, "{found}, not {expected}");
    }

    /// Values of OpenDP's own test of the conversion.
    #[test]
    fn conversion_is_that_of_opendp() {
        close(epsilon(1.0 / 32.0, 1e-3), 0.688_002_455_487_8, 1e-9);
        close(delta(1.0 / 32.0, 0.0), 0.150_845_784_56, 1e-9);
    }

    #[test]
    fn rho_of_the_usual_budgets() {
        for (epsilon, expected) in [(0.5, 0.00664), (1.0, 0.02436), (2.0, 0.08815), (4.0, 0.31106)]
        {
            let found = rho(epsilon, 1e-6);
            close(found, expected, 6e-6);
            assert!(delta(found, epsilon) <= 1e-6);
            close(super::epsilon(found, 1e-6), epsilon, 1e-6);
        }
    }

    /// A scan over a says the same as the bisection of the derivative.
    #[test]
    fn the_least_is_found() {
        for (rho, epsilon) in [(0.01, 0.3), (0.1, 1.0), (1.0, 2.0), (0.5, 6.0)] {
            let scanned = (1..200_000).map(|i| {
                let a = 1.0 + f64::from(i) * 1e-3;
                let x: f64 = (a - 1.0) * (a * rho - epsilon);
                x.exp() / (a - 1.0) * (1.0 - 1.0 / a).powf(a)
            });
            let scanned = scanned.fold(f64::INFINITY, f64::min).min(1.0);
            let found = delta(rho, epsilon);
            assert!(
                found <= scanned * (1.0 + 1e-9) && found >= scanned * 0.999,
                "{found} {scanned}"
            );
        }
    }

    #[test]
    fn costs_are_rounded_against_the_spender() {
        // sigma^2 = m C^2 / (2 rho): 3 tables, 2 rows each, rho 0.02 gives 300.
        assert_eq!(variance(12, 20_000_000), Some(300 * 1024));
        assert_eq!(cost(12, 300 * 1024), 20_000_000);
        for budget in [1_u64, 7, 999, 123_457, 24_360_000, 5_000_000_000] {
            if let Some(variance) = variance(1, budget) {
                assert!(cost(1, variance) <= budget);
            }
        }
        assert_eq!(budget(0.024_363_999_999_9), 24_363_999);
        assert_eq!(variance(1 << 30, 1), None);
    }
}
