//! Draws by weight in constant time (M. Vose, IEEE Transactions on Software Engineering, 1991).

/// Numbers by weight. One random word decides: its product with their number has the slot above the
/// point and the coin below.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alias(Vec<(u64, u32)>);

impl Alias {
    /// Of these weights; `None` where all are 0.
    pub(crate) fn new(weights: &[f64]) -> Option<Self> {
        let total: f64 = weights.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return None;
        }
        let scale = weights.len() as f64 / total;
        let mut scaled: Vec<f64> = weights.iter().map(|w| w * scale).collect();
        let heaviest = weights.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?.0;
        // What rounding leaves over goes to the heaviest, never to one of weight 0.
        let mut slots: Vec<(u64, u32)> = (0..)
            .zip(weights)
            .map(|(i, w)| if *w > 0.0 { (u64::MAX, i) } else { (0, heaviest as u32) })
            .collect();
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (i, w) in scaled.iter().enumerate() {
            if *w < 1.0 { small.push(i) } else { large.push(i) }
        }
        while let (Some(below), Some(above)) = (small.pop(), large.last().copied()) {
            let part = scaled.get(below).copied().unwrap_or(0.0);
            if let Some(slot) = slots.get_mut(below) {
                *slot = ((part * 18_446_744_073_709_551_616.0) as u64, above as u32);
            }
            if let Some(left) = scaled.get_mut(above) {
                *left -= 1.0 - part;
                if *left < 1.0 {
                    large.pop();
                    small.push(above);
                }
            }
        }
        Some(Self(slots))
    }

    /// The number that a word draws.
    #[inline]
    pub(crate) fn pick(&self, word: u64) -> usize {
        let product = u128::from(word) * self.0.len() as u128;
        let slot = (product >> 64) as usize;
        match self.0.get(slot) {
            Some((most, _)) if (product as u64) < *most => slot,
            Some((_, other)) => *other as usize,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use swiftwater_engine::random::Stream;

    use super::*;

    #[test]
    fn numbers_come_by_weight_and_those_without_never() {
        let weights = [0.0, 5.0, 1e-3, 2.5, 0.0, 7.0];
        let alias = Alias::new(&weights).unwrap();
        let (mut counts, words) = ([0.0; 6], Stream::new(1, "a", 0));
        let rows = 1_000_000;
        (0..rows).for_each(|row| counts[alias.pick(words.at(row))] += 1.0);
        let total: f64 = weights.iter().sum();
        let mut chi = 0.0;
        for (count, weight) in counts.iter().zip(weights) {
            let expected = weight / total * rows as f64;
            if weight == 0.0 {
                assert_eq!(*count, 0.0);
            } else {
                chi += (count - expected).powi(2) / expected;
            }
        }
        // Chi-square with 3 degrees of freedom: 16.3 is passed once in a thousand.
        assert!(chi < 16.3, "{chi} {counts:?}");
        assert_eq!(Alias::new(&[0.0, 0.0]), None);
        assert_eq!(Alias::new(&[]), None);
    }
}
