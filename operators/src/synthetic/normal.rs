//! The standard normal distribution: its distribution function and the inverse.

/// The distribution function, to 1e-15, far out to a part in 1e-9 (G. West, "Better approximations to cumulative normal
/// functions", Wilmott 2005, after Hart's algorithm 5666).
pub(crate) fn distribution(x: f64) -> f64 {
    const TOP: [f64; 7] = [
        3.526_249_659_989_11e-2,
        0.700_383_064_443_688,
        6.373_962_203_531_65,
        33.912_866_078_383,
        112.079_291_497_871,
        221.213_596_169_931,
        220.206_867_912_376,
    ];
    const BOTTOM: [f64; 8] = [
        8.838_834_764_831_84e-2,
        1.755_667_163_182_64,
        16.064_177_579_207,
        86.780_732_202_946_1,
        296.564_248_779_674,
        637.333_633_378_831,
        793.826_512_519_948,
        440.413_735_824_752,
    ];
    let z = x.abs();
    let tail = if z > 37.0 {
        0.0
    } else if z < 7.071_067_811_865_47 {
        let polynomial = |all: &[f64]| all.iter().fold(0.0, |sum, c| sum * z + c);
        (-z * z / 2.0).exp() * polynomial(&TOP) / polynomial(&BOTTOM)
    } else {
        let fraction = z + 1.0 / (z + 2.0 / (z + 3.0 / (z + 4.0 / (z + 0.65))));
        (-z * z / 2.0).exp() / fraction / 2.506_628_274_631
    };
    if x > 0.0 { 1.0 - tail } else { tail }
}

fn ratio(x: f64, top: &[f64; 8], bottom: &[f64; 7]) -> f64 {
    let polynomial = |all: &[f64]| all.iter().rev().fold(0.0, |sum, c| sum * x + c);
    polynomial(top) / (polynomial(bottom) * x + 1.0)
}

/// Coefficients of the inverse, near the middle and towards the ends.
#[expect(clippy::excessive_precision, reason = "the coefficients as they are published")]
mod wichura {
    pub(super) const A: [f64; 8] = [
        3.387_132_872_796_366_608_0,
        133.141_667_891_784_377_45,
        1_971.590_950_306_551_442_7,
        13_731.693_765_509_461_125,
        45_921.953_931_549_871_457,
        67_265.770_927_008_700_853,
        33_430.575_583_588_128_105,
        2_509.080_928_730_122_672_7,
    ];
    pub(super) const B: [f64; 7] = [
        42.313_330_701_600_911_252,
        687.187_007_492_057_908_30,
        5_394.196_021_424_751_107_7,
        21_213.794_301_586_595_867,
        39_307.895_800_092_710_610,
        28_729.085_735_721_942_674,
        5_226.495_278_852_854_561_0,
    ];
    pub(super) const C: [f64; 8] = [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_90,
        5.769_497_221_460_691_405_50,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        0.241_780_725_177_450_611_770,
        0.022_723_844_989_269_184_566_7,
        7.745_450_142_783_414_076_40e-4,
    ];
    pub(super) const D: [f64; 7] = [
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_40,
        0.689_767_334_985_100_004_550,
        0.148_103_976_427_480_074_590,
        0.015_198_666_563_616_457_193_6,
        5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ];
    pub(super) const E: [f64; 8] = [
        6.657_904_643_501_103_777_20,
        5.463_784_911_164_114_369_90,
        1.784_826_539_917_291_335_80,
        0.296_560_571_828_504_891_230,
        0.026_532_189_526_576_123_093_0,
        1.242_660_947_388_078_438_60e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ];
    pub(super) const F: [f64; 7] = [
        0.599_832_206_555_887_937_690,
        0.136_929_880_922_735_805_310,
        0.014_875_361_290_850_615_025_0,
        7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5,
        1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ];
}

/// The inverse, to 1e-15 (M. Wichura, algorithm AS 241, Applied Statistics 37, 1988). Infinite at 0
/// and 1.
pub(crate) fn inverse(p: f64) -> f64 {
    use wichura::{A, B, C, D, E, F};
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(0.180_625 - q * q, &A, &B);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-tail.ln()).sqrt();
    let size = if r <= 5.0 { ratio(r - 1.6, &C, &D) } else { ratio(r - 5.0, &E, &F) };
    size.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_the_values_of_scipy() {
        // scipy.stats.norm.cdf and .ppf.
        for (x, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.959_963_984_540_054, 0.025),
            (-6.0, 9.865_876_450_376_98e-10),
            (-8.0, 6.220_960_574_271_785e-16),
        ] {
            let found = distribution(x);
            assert!((found - p).abs() < 1e-14 && (found / p - 1.0).abs() < 1e-8, "{x} {found}");
            assert!((inverse(p) - x).abs() < 1e-12 * (1.0 + x.abs()), "{p} {}", inverse(p));
        }
        assert_eq!(inverse(0.0), f64::NEG_INFINITY);
        assert_eq!(inverse(1.0), f64::INFINITY);
    }

    #[test]
    fn each_undoes_the_other() {
        for i in 1..1000 {
            let p = f64::from(i) / 1000.0;
            assert!((distribution(inverse(p)) - p).abs() < 1e-14);
        }
    }
}
