//! Correlations of normal scores, made whole: a Gaussian copula (A. Sklar, 1959).
#![expect(clippy::indexing_slicing, reason = "square matrices whose size is made here")]

use super::tally::{SUMS, UNIT};

/// A square matrix by rows.
pub(crate) type Matrix = Vec<Vec<f64>>;

/// The correlations of columns; `drawn` are those with a width, `moments` the sums of their pairs
/// in order. Columns that do not vary are correlated with none.
pub(crate) fn correlations(drawn: usize, moments: &[f64]) -> Matrix {
    let mut all = unit(drawn);
    let pairs = (0..drawn).flat_map(|i| (i + 1..drawn).map(move |j| (i, j)));
    for ((i, j), sums) in pairs.zip(moments.chunks_exact(SUMS)) {
        if let [n, x, y, xx, yy, xy] = sums {
            let (xx, yy) = (xx - x * x / n, yy - y * y / n);
            let floor = UNIT * UNIT * 1e-9 * n;
            if *n > 1.0 && xx > floor && yy > floor {
                let r = ((xy - x * y / n) / (xx * yy).sqrt()).clamp(-1.0, 1.0);
                all[i][j] = r;
                all[j][i] = r;
            }
        }
    }
    whole(&all)
}

fn unit(size: usize) -> Matrix {
    (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect()
}

/// The least eigenvalue that is kept.
const LEAST: f64 = 1e-6;

/// The nearest matrix without eigenvalues below [`LEAST`], its diagonal scaled back to 1.
fn whole(matrix: &Matrix) -> Matrix {
    let (values, vectors) = eigen(matrix);
    if values.iter().all(|v| *v >= LEAST) {
        return matrix.clone();
    }
    let size = matrix.len();
    let entry = |i: usize, j: usize| -> f64 {
        (0..size).map(|k| values[k].max(LEAST) * vectors[i][k] * vectors[j][k]).sum()
    };
    let scale: Vec<f64> = (0..size).map(|i| entry(i, i).sqrt()).collect();
    let scaled = |i: usize, j: usize| {
        if i == j { 1.0 } else { (entry(i, j) / (scale[i] * scale[j])).clamp(-1.0, 1.0) }
    };
    (0..size).map(|i| (0..size).map(|j| scaled(i, j)).collect()).collect()
}

/// Eigenvalues and, in columns, eigenvectors (Jacobi's rotations).
fn eigen(matrix: &Matrix) -> (Vec<f64>, Matrix) {
    let size = matrix.len();
    let (mut a, mut v) = (matrix.clone(), unit(size));
    for _ in 0..60 {
        let off = (0..size).flat_map(|i| (0..i).map(move |j| (i, j)));
        if off.map(|(i, j)| a[i][j] * a[i][j]).sum::<f64>() < 1e-22 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut a, &mut v, p, q);
            }
        }
    }
    ((0..size).map(|i| a[i][i]).collect(), v)
}

fn rotate(a: &mut Matrix, v: &mut Matrix, p: usize, q: usize) {
    if a[p][q].abs() < 1e-300 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
    let (upper, lower) = a.split_at_mut(q);
    for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
    for row in v.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
}

/// The lower triangle L with L L' = `matrix`, rows and columns taken in `order`.
pub(crate) fn cholesky(matrix: &Matrix, order: &[usize]) -> Matrix {
    let size = order.len();
    let mut lower = vec![vec![0.0; size]; size];
    for i in 0..size {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let left = matrix[order[i]][order[j]] - known;
            lower[i][j] = if i == j { left.max(1e-12).sqrt() } else { left / lower[j][j] };
        }
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_gives_its_matrix_in_any_order() {
        let r = vec![vec![1.0, 0.5, -0.3], vec![0.5, 1.0, 0.2], vec![-0.3, 0.2, 1.0]];
        let order = [2, 0, 1];
        let l = cholesky(&r, &order);
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| l[i][k] * l[j][k]).sum();
                assert!((product - r[order[i]][order[j]]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn what_no_numbers_can_have_is_made_whole() {
        let r = vec![vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
        let (values, vectors) = eigen(&r);
        // numpy.linalg.eigvalsh: -0.8, 1.9, 1.9.
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for (found, wanted) in sorted.iter().zip([-0.8, 1.9, 1.9]) {
            assert!((found - wanted).abs() < 1e-9, "{sorted:?}");
        }
        let back: f64 = (0..3).map(|k| values[k] * vectors[0][k] * vectors[1][k]).sum();
        assert!((back - 0.9).abs() < 1e-9);
        let whole = whole(&r);
        assert!(eigen(&whole).0.iter().all(|v| *v > 0.0));
        assert!((0..3).all(|i| whole[i][i] == 1.0));
        assert!((whole[0][1] - 0.5).abs() < 0.01, "{whole:?}");
    }
}
