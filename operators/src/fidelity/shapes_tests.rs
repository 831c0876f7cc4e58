//! Golden values of `SDMetrics` 0.32.0.

use super::*;

fn near(found: Option<f64>, golden: f64) {
    let found = found.unwrap();
    assert!((found - golden).abs() < 1e-12, "{found} for {golden}");
}

#[test]
fn ks_complement_is_that_of_sdmetrics() {
    let real = [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 8.0];
    let synthetic = [1.0, 1.0, 2.0, 4.0, 4.0, 6.0, 7.0];
    near(ks_complement(&real, &synthetic), 0.857_142_857_142_857);
    near(ks_complement(&real, &real), 1.0);
    near(ks_complement(&[1.0, 2.0], &[3.0]), 0.0);
    assert_eq!(ks_complement(&real, &[]), None);
    near(range_coverage(&real, &synthetic), 0.857_142_857_143_f64.min(6.0 / 7.0));
    near(inside(&real, &synthetic), 1.0);
}

#[test]
fn tv_complement_is_that_of_sdmetrics() {
    // aabbc and null against abbbd: a 1, b 2, c 3, d 4.
    let (real, synthetic) = (counts(&[1, 1, 2, 2, 3, 0]), counts(&[1, 2, 2, 2, 4]));
    near(tv_complement(&real, &synthetic), 0.600_000_119_999_976);
    near(category_cover(&real, &synthetic).0, 2.0 / 3.0);
    near(category_cover(&real, &synthetic).1, 0.8);
    assert_eq!(tv_complement(&real, &counts(&[0, 0])), None);
}

#[test]
fn missing_values_are_compared_by_their_shares() {
    let design = crate::fidelity::Design::new(&number_schema(), &number_schema(), &<_>::default());
    let field = &design.unwrap().fields[0];
    let nan = f64::NAN;
    let real = Values::Numbers(vec![1.0, 2.0, 2.0, 3.0, 4.0, 5.0, nan, 8.0]);
    let synthetic = Values::Numbers(vec![1.0, 1.0, 2.0, 4.0, 4.0, 6.0, 7.0, nan, nan]);
    let score = Shape::new(&real, field).score(&real, &synthetic, field);
    near(score.missing_value_similarity, 1.0 - (2.0 / 9.0 - 0.125));
    near(score.score, 0.857_142_857_142_857);
}

fn number_schema() -> arrow::datatypes::Schema {
    use arrow::datatypes::{DataType, Field, Schema};
    Schema::new(vec![Field::new("x", DataType::Float64, true)])
}
