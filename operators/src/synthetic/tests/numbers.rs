//! Tables of numbers with known correlations.

use super::*;

/// Numbers with known correlations.
fn normals() -> RecordBatch {
    let word = |name: &str, row: usize| {
        normal::inverse(unit(Stream::new(2, name, 0).at(row as u64)).max(1e-12))
    };
    let of = |row: usize| {
        let (x, y, z) = (word("x", row), word("y", row), word("z", row));
        let a = x;
        let b = 0.8 * x + 0.6 * y;
        let c = -0.3 * x + 0.5 * y + (1.0_f64 - 0.34).sqrt() * z;
        (100.0 + 15.0 * a, 100.0 + 15.0 * b, 100.0 + 15.0 * c)
    };
    let column = |pick: fn((f64, f64, f64)) -> f64| -> ArrayRef {
        Arc::new((0..ROWS).map(|row| pick(of(row))).collect::<Float64Array>())
    };
    RecordBatch::try_from_iter([
        ("a", column(|v| v.0)),
        ("b", column(|v| v.1)),
        ("c", column(|v| v.2)),
    ])
    .unwrap()
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (mx, my) = (mean(x), mean(y));
    let product = |u: &[f64], mu: f64, v: &[f64], mv: f64| -> f64 {
        u.iter().zip(v).map(|(a, b)| (a - mu) * (b - mv)).sum()
    };
    product(x, mx, y, my) / (product(x, mx, x, mx) * product(y, my, y, my)).sqrt()
}

#[test]
fn a_copula_keeps_correlations_and_shapes() {
    let rows = normals();
    let (model, ..) = learn(&rows, &design(&rows, Shape::Copula));
    let made = sample(&model, json!({}), ROWS);
    let pairs = [("a", "b", 0.8), ("a", "c", -0.3), ("b", "c", 0.06)];
    for (x, y, truth) in pairs {
        let found = correlation(&floats(&made, x), &floats(&made, y));
        assert!((found - truth).abs() < 0.02, "{x} {y}: {found}");
    }
    for name in ["a", "b", "c"] {
        let ks = distance(floats(&rows, name), floats(&made, name));
        assert!(ks < 0.015, "{name} {ks}");
    }
}

#[test]
fn conditions_on_a_copula_have_the_moments_of_the_formula_in_any_order_of_names() {
    // mu = S12 S22^-1 z2 for b given a = +2 sd and c = -2 sd.
    let (ab, ac, bc) = (0.8, -0.3, 0.06);
    let det = 1.0 - ac * ac;
    let (wa, wc) = ((ab - ac * bc) / det, (bc - ac * ab) / det);
    let mean = 100.0 + 15.0 * (wa * 2.0 + wc * -2.0);
    let deviation = 15.0 * (1.0_f64 - wa * ab - wc * bc).sqrt();
    let rows = normals();
    let (model, ..) = learn(&rows, &design(&rows, Shape::Copula));
    let conditions =
        [json!({"where": {"a": 130.0, "c": 70.0}}), json!({"where": {"c": 70.0, "a": 130.0}})];
    let made = conditions.map(|asked| sample(&model, asked, ROWS));
    assert_eq!(made[0], made[1]);
    let b = floats(&made[0], "b");
    let n = b.len() as f64;
    let found = b.iter().sum::<f64>() / n;
    let spread = (b.iter().map(|v| (v - found).powi(2)).sum::<f64>() / n).sqrt();
    assert!((found - mean).abs() < 0.5, "{found} {mean}");
    assert!((spread / deviation - 1.0).abs() < 0.05, "{spread} {deviation}");
    assert!(floats(&made[0], "a").iter().all(|v| *v == 130.0));
    // An interval: the mean of b is 0.8 of the mean of the truncated a.
    let half = sample(&model, json!({"where": {"a": {"min": 100.0}}}), ROWS);
    let b = floats(&half, "b");
    let wanted = 100.0 + 15.0 * 0.8 * (2.0 / std::f64::consts::PI).sqrt();
    let found = b.iter().sum::<f64>() / b.len() as f64;
    assert!((found - wanted).abs() < 0.3, "{found} {wanted}");
    assert!(floats(&half, "a").iter().all(|v| *v >= 100.0));
}

#[test]
fn orders_keys_and_foreign_values_hold_in_every_row() {
    let rows = normals();
    for shape in [Shape::Tree, Shape::Copula] {
        let (model, ..) = learn(&rows, &design(&rows, shape));
        let asked = json!({
            "order": ["c < b", "b <= a"],
            "unique": {"id": {"prefix": "syn-", "start": 5}},
            "foreign": {"customer": {"values": [3, 5, 8]}},
        });
        let made = sample(&model, asked, 5000);
        let (a, b, c) = (floats(&made, "a"), floats(&made, "b"), floats(&made, "c"));
        assert!((0..5000).all(|row| c[row] < b[row] && b[row] <= a[row]));
        let ids = texts(&made, "id");
        assert_eq!((ids[0].as_str(), ids[4999].as_str()), ("syn-5", "syn-5004"));
        let customers = ints(&made, "customer");
        assert!(customers.iter().all(|c| [3, 5, 8].contains(c)));
        assert!((share(&customers, |c| *c == 5) - 1.0 / 3.0).abs() < 0.03);
    }
}
