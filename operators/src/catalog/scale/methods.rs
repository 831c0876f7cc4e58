//! The formulas of `scale`: those of scikit-learn, but 0 where the scale is 0.

use super::{Distribution, Method};
use crate::learned::{Answer, Known, Transform, Value};

/// A method with all it needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scaling {
    Standard,
    MinMax,
    Robust,
    MaxAbs,
    Quantile(Distribution),
    Log1p,
    YeoJohnson(f64),
}

impl Scaling {
    pub(super) fn plan(
        method: Method,
        output: Option<Distribution>,
        lambda: Option<f64>,
    ) -> Result<Self, &'static str> {
        let is_quantile = method == Method::Quantile;
        if output.is_some() && !is_quantile {
            return Err("`output` belongs to `quantile`");
        }
        if lambda.is_some() != (method == Method::YeoJohnson) {
            return Err("`lambda` belongs to `yeo_johnson`");
        }
        Ok(match (method, lambda) {
            (Method::Standard, _) => Self::Standard,
            (Method::MinMax, _) => Self::MinMax,
            (Method::Robust, _) => Self::Robust,
            (Method::MaxAbs, _) => Self::MaxAbs,
            (Method::Quantile, _) => Self::Quantile(output.unwrap_or_default()),
            (Method::Log1p, _) => Self::Log1p,
            (Method::YeoJohnson, lambda) => Self::YeoJohnson(lambda.unwrap_or(1.0)),
        })
    }

    fn scaled(&self, known: Known<'_>, x: f64) -> Option<f64> {
        let by = |difference: f64, scale: f64| if scale == 0.0 { 0.0 } else { difference / scale };
        Some(match self {
            Self::Standard => {
                let (mean, variance) = known.fit.moments()?;
                by(x - mean, variance.sqrt())
            }
            Self::MinMax => {
                let (least, greatest) = known.fit.range()?;
                by(x - least, greatest - least)
            }
            Self::MaxAbs => {
                let (least, greatest) = known.fit.range()?;
                by(x, least.abs().max(greatest.abs()))
            }
            Self::Robust => {
                let [low, middle, high] = known.fit.table(known.spec)? else { return None };
                by(x - middle, high - low)
            }
            Self::Quantile(output) => {
                let share = share_below(known.fit.table(known.spec)?, x);
                match output {
                    Distribution::Uniform => share,
                    Distribution::Normal => normal_quantile(share.clamp(1e-7, 1.0 - 1e-7)),
                }
            }
            Self::Log1p => x.ln_1p(),
            Self::YeoJohnson(lambda) => yeo_johnson(x, *lambda),
        })
    }
}

impl Transform for Scaling {
    fn one<'a>(&'a self, known: Known<'a>, value: Value<'a>) -> Answer<'a> {
        let Value::Number(x) = value else { return Answer::Null };
        self.scaled(known, x).map_or(Answer::Null, Answer::Number)
    }
}

/// The share of rows below x by quantiles at equal shares; where several are x, the middle of them.
fn share_below(table: &[f64], x: f64) -> f64 {
    let steps = table.len().saturating_sub(1);
    let (below, up_to) = (table.partition_point(|q| *q < x), table.partition_point(|q| *q <= x));
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let share = |place: f64| (place / steps.max(1) as f64).clamp(0.0, 1.0);
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let place = |place: usize| place as f64;
    if below < up_to {
        return share((place(below) + place(up_to - 1)) / 2.0);
    }
    match (below.checked_sub(1).and_then(|b| table.get(b)), table.get(below)) {
        (Some(low), Some(high)) => share(place(below - 1) + (x - low) / (high - low)),
        (None, _) => 0.0,
        (_, None) => 1.0,
    }
}

/// The power transform of I. Yeo and R. Johnson (2000).
fn yeo_johnson(x: f64, lambda: f64) -> f64 {
    let near = |a: f64, b: f64| (a - b).abs() < f64::EPSILON;
    if x >= 0.0 {
        if near(lambda, 0.0) { x.ln_1p() } else { (lambda * x.ln_1p()).exp_m1() / lambda }
    } else if near(lambda, 2.0) {
        -(-x).ln_1p()
    } else {
        -((2.0 - lambda) * (-x).ln_1p()).exp_m1() / (2.0 - lambda)
    }
}

/// The quantile of the standard normal distribution: algorithm AS 241 of M. Wichura (1988), good to
/// 16 digits.
fn normal_quantile(share: f64) -> f64 {
    let q = share - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(r, &MIDDLE);
    }
    let r = (-(if q < 0.0 { share } else { 1.0 - share }).ln()).sqrt();
    let value = if r <= 5.0 { ratio(r - 1.6, &NEAR) } else { ratio(r - 5.0, &FAR) };
    value.copysign(q)
}

/// Numerator and denominator, from the lowest power on.
type Rational = ([f64; 8], [f64; 8]);

fn ratio(x: f64, (above, below): &Rational) -> f64 {
    let polynomial = |terms: &[f64; 8]| terms.iter().rev().fold(0.0, |sum, term| sum * x + term);
    polynomial(above) / polynomial(below)
}

#[rustfmt::skip]
const MIDDLE: Rational = (
    [3.387_132_872_796_366_5, 1.331_416_678_917_843_8e2, 1.971_590_950_306_551_3e3, 1.373_169_376_550_946e4,
     4.592_195_393_154_987e4, 6.726_577_092_700_87e4, 3.343_057_558_358_813e4, 2.509_080_928_730_122_7e3],
    [1.0, 4.231_333_070_160_091e1, 6.871_870_074_920_579e2, 5.394_196_021_424_751e3,
     2.121_379_430_158_659_7e4, 3.930_789_580_009_271e4, 2.872_908_573_572_194_3e4, 5.226_495_278_852_854e3],
);
#[rustfmt::skip]
const NEAR: Rational = (
    [1.423_437_110_749_683_5, 4.630_337_846_156_546, 5.769_497_221_460_691, 3.647_848_324_763_204_5,
     1.270_458_252_452_368_4, 2.417_807_251_774_506e-1, 2.272_384_498_926_918_4e-2, 7.745_450_142_783_414e-4],
    [1.0, 2.053_191_626_637_759, 1.676_384_830_183_803_8, 6.897_673_349_851e-1,
     1.481_039_764_274_800_8e-1, 1.519_866_656_361_645_7e-2, 5.475_938_084_995_345e-4, 1.050_750_071_644_416_9e-9],
);
#[rustfmt::skip]
const FAR: Rational = (
    [6.657_904_643_501_103, 5.463_784_911_164_114, 1.784_826_539_917_291_3, 2.965_605_718_285_048_7e-1,
     2.653_218_952_657_612_4e-2, 1.242_660_947_388_078_4e-3, 2.711_555_568_743_487_6e-5, 2.010_334_399_292_288_1e-7],
    [1.0, 5.998_322_065_558_88e-1, 1.369_298_809_227_358e-1, 1.487_536_129_085_061_5e-2,
     7.868_691_311_456_133e-4, 1.846_318_317_510_054_8e-5, 1.421_511_758_316_446e-7, 2.044_263_103_389_939_8e-15],
);
