//! How well a score tells two groups apart.

/// The area under the ROC curve: the chance that a value of `positive` is above one of `negative`, a
/// tie counting half. `None` where a group is empty.
pub(super) fn auc(positive: &[f64], negative: &[f64]) -> Option<f64> {
    if positive.is_empty() || negative.is_empty() {
        return None;
    }
    let marked = |values: &[f64], mark: bool| values.iter().map(|v| (*v, mark)).collect::<Vec<_>>();
    let mut all = marked(positive, true);
    all.extend(marked(negative, false));
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut wins, mut below) = (0.0, 0.0);
    for ties in all.chunk_by(|a, b| a.0 == b.0) {
        let good = ties.iter().filter(|(_, mark)| *mark).count() as f64;
        let bad = ties.len() as f64 - good;
        wins += good * (below + bad / 2.0);
        below += bad;
    }
    Some(wins / (positive.len() as f64 * negative.len() as f64))
}

/// The standard error of an area under the ROC curve where nothing tells the groups apart (Mann and
/// Whitney).
pub(super) fn auc_error(positive: usize, negative: usize) -> f64 {
    let (n, m) = (positive as f64, negative as f64);
    ((n + m + 1.0) / (12.0 * n * m)).sqrt()
}

/// The quantile of sorted values by linear interpolation.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
    let below = place.floor() as usize;
    let (low, high) = (sorted.get(below)?, sorted.get((below + 1).min(last))?);
    Some(low + (high - low) * (place - place.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_ties_half() {
        assert_eq!(auc(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(auc(&[1.0, 1.0], &[1.0]), Some(0.5));
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[0.3, 0.35]), Some(5.5 / 8.0));
        assert_eq!(auc(&[], &[1.0]), None);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
    }
}
