//! The values in a window that come and go one by one: how often each is there, or all in order.

use hashbrown::HashMap;

/// How often each value is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    counts: HashMap<u64, u32>,
    rows: u64,
}

impl Counts {
    pub(super) fn add(&mut self, value: u64) {
        *self.counts.entry(value).or_insert(0) += 1;
        self.rows += 1;
    }

    pub(super) fn remove(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(&value) {
            self.rows -= 1;
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&value);
            }
        }
    }

    /// Number of different values.
    pub(super) fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// Values and how often they are there, in no order.
    pub(super) fn each(&self) -> impl Iterator<Item = (u64, u32)> {
        self.counts.iter().map(|(value, count)| (*value, *count))
    }

    /// Shannon's entropy of the values in nats; `None` without values.
    pub(super) fn entropy(&self) -> Option<f64> {
        entropy(self.counts.values().map(|count| u64::from(*count)).collect())
    }

    /// Number of values.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * 17
    }
}

/// Shannon's entropy in nats of values that are there so often; `None` without values.
#[expect(clippy::cast_precision_loss, reason = "rows in memory are fewer than 2^52")]
pub(super) fn entropy(mut counts: Vec<u64>) -> Option<f64> {
    // Doubles add up to the same only in the same order.
    counts.sort_unstable();
    let n = counts.iter().sum::<u64>() as f64;
    let parts = counts.iter().map(|count| {
        let share = *count as f64 / n;
        share * share.ln()
    });
    (!counts.is_empty()).then(|| -parts.sum::<f64>() + 0.0)
}

/// All values in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Sorted {
    ranks: Vec<i64>,
}

impl Sorted {
    pub(super) fn add(&mut self, rank: i64) {
        let at = self.ranks.partition_point(|held| *held <= rank);
        self.ranks.insert(at, rank);
    }

    pub(super) fn remove(&mut self, rank: i64) {
        if let Ok(at) = self.ranks.binary_search(&rank) {
            self.ranks.remove(at);
        }
    }

    /// The values in ascending order.
    pub(super) fn ranks(&self) -> &[i64] {
        &self.ranks
    }

    pub(super) const fn bytes(&self) -> usize {
        self.ranks.capacity() * 8
    }
}
