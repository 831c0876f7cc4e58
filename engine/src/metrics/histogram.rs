//! A latency histogram that takes many rows in one call.
//!
//! A batch knows its oldest and newest row, so a whole batch is spread evenly between the two: the
//! quantiles are those of rows, not of batches. Buckets grow by 2^(1/4), which keeps the error of an
//! interpolated quantile within a few per cent from 100 µs to an hour: rows that wait out an outage
//! are counted with what they waited.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto;

const FIRST: f64 = 1e-4;
const PER_OCTAVE: f64 = 4.0;
const BUCKETS: usize = 101;

/// Histogram of seconds, weighted by rows.
pub struct WeightedHistogram {
    counts: [AtomicU64; BUCKETS + 1],
    sum_micros: AtomicU64,
}

impl Default for WeightedHistogram {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum_micros: AtomicU64::new(0) }
    }
}

fn upper_bound(bucket: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a bucket number is small")]
    let octaves = bucket as f64 / PER_OCTAVE;
    FIRST * octaves.exp2()
}

fn bucket_of(seconds: f64) -> usize {
    if seconds <= FIRST {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and capped"
    )]
    let bucket = ((seconds / FIRST).log2() * PER_OCTAVE).ceil() as usize;
    bucket.min(BUCKETS)
}

impl WeightedHistogram {
    /// Adds `rows` observations of the same value.
    pub fn observe(&self, seconds: f64, rows: u64) {
        self.observe_between(seconds, seconds, rows);
    }

    /// Adds `rows` observations spread evenly from `low` to `high` seconds. Negative values, which
    /// clocks that disagree can cause, count as 0.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "row counts and latencies are far below 2^52"
    )]
    pub fn observe_between(&self, low: f64, high: f64, rows: u64) {
        let (low, high) = (low.max(0.0), high.max(low.max(0.0)));
        let (first, last) = (bucket_of(low), bucket_of(high));
        let mut placed = 0;
        for bucket in first..last {
            let share = (upper_bound(bucket) - low) / (high - low) * rows as f64;
            let until_here = (share.round() as u64).min(rows);
            self.add(bucket, until_here.saturating_sub(placed));
            placed = until_here.max(placed);
        }
        self.add(last, rows - placed);
        let sum = (low + high) / 2.0 * rows as f64 * 1e6;
        self.sum_micros.fetch_add(sum as u64, Ordering::Relaxed);
    }

    fn add(&self, bucket: usize, rows: u64) {
        if let (Some(count), true) = (self.counts.get(bucket), rows > 0) {
            count.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|c| c.load(Ordering::Relaxed)).sum()
    }

    /// The counts of all buckets now, to take a difference with later.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u64> {
        self.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect()
    }

    /// Quantile `q` (0 to 1) in seconds of what was observed since `earlier`, by linear
    /// interpolation in its bucket; `None` where nothing was.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
    pub fn quantile_since(&self, q: f64, earlier: &[u64]) -> Option<f64> {
        let now = self.snapshot();
        let counts: Vec<u64> = now
            .iter()
            .enumerate()
            .map(|(i, c)| c.saturating_sub(earlier.get(i).copied().unwrap_or(0)))
            .collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = q * total as f64;
        let mut below = 0.0;
        for (bucket, count) in counts.iter().enumerate() {
            let count = *count as f64;
            if below + count >= rank && count > 0.0 {
                let lower = if bucket == 0 { 0.0 } else { upper_bound(bucket - 1) };
                let upper = upper_bound(bucket.min(BUCKETS - 1));
                return Some(lower + (upper - lower).max(0.0) * (rank - below) / count);
            }
            below += count;
        }
        Some(upper_bound(BUCKETS - 1))
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds in a sum")]
    fn fill(&self, metric: &mut proto::Metric) {
        let mut histogram = proto::Histogram::default();
        let mut cumulative = 0;
        let mut buckets = Vec::with_capacity(BUCKETS);
        for (i, count) in self.snapshot().into_iter().enumerate() {
            cumulative += count;
            if i < BUCKETS {
                let mut bucket = proto::Bucket::default();
                bucket.set_cumulative_count(cumulative);
                bucket.set_upper_bound(upper_bound(i));
                buckets.push(bucket);
            }
        }
        histogram.set_bucket(buckets);
        histogram.set_sample_count(cumulative);
        histogram.set_sample_sum(self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6);
        metric.set_histogram(histogram);
    }
}

impl fmt::Debug for WeightedHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeightedHistogram({} rows)", self.count())
    }
}

/// A family of histograms by one label.
#[derive(Clone)]
pub(crate) struct HistogramVec {
    desc: Desc,
    label: &'static str,
    children: Arc<RwLock<HashMap<String, Arc<WeightedHistogram>>>>,
}

impl HistogramVec {
    pub(crate) fn new(name: &str, help: &str, label: &'static str) -> prometheus::Result<Self> {
        let desc = Desc::new(name.into(), help.into(), vec![label.into()], HashMap::new())?;
        Ok(Self { desc, label, children: Arc::default() })
    }

    /// The histogram of one label value, made at the first call.
    pub(crate) fn with(&self, value: &str) -> Arc<WeightedHistogram> {
        let mut children = self.children.write().unwrap_or_else(|e| e.into_inner());
        Arc::clone(children.entry(value.to_owned()).or_default())
    }
}

fn family(desc: &Desc, metrics: Vec<proto::Metric>) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(proto::MetricType::HISTOGRAM);
    family.set_metric(metrics);
    family
}

impl Collector for HistogramVec {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let children = self.children.read().unwrap_or_else(|e| e.into_inner());
        let mut children: Vec<_> = children.iter().collect();
        children.sort_by_key(|(value, _)| value.as_str());
        let metric = |(value, histogram): (&String, &Arc<WeightedHistogram>)| {
            let mut label = proto::LabelPair::default();
            label.set_name(self.label.into());
            label.set_value(value.clone());
            let mut metric = proto::Metric::from_label(vec![label]);
            histogram.fill(&mut metric);
            metric
        };
        let metrics: Vec<_> = children.into_iter().map(metric).collect();
        if metrics.is_empty() { Vec::new() } else { vec![family(&self.desc, metrics)] }
    }
}

/// A histogram without labels.
#[derive(Clone)]
pub(crate) struct Single(pub(crate) Arc<WeightedHistogram>, Arc<Desc>);

impl Single {
    pub(crate) fn new(name: &str, help: &str) -> Self {
        let desc = Desc::new(name.into(), help.into(), Vec::new(), HashMap::new());
        Self(Arc::default(), Arc::new(desc.unwrap_or_else(|_| unreachable!("fixed name"))))
    }
}

impl Collector for Single {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.1]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let mut metric = proto::Metric::from_label(Vec::new());
        self.0.fill(&mut metric);
        vec![family(&self.1, vec![metric])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_spread_between_its_oldest_and_newest_row() {
        let histogram = WeightedHistogram::default();
        histogram.observe_between(0.010, 0.110, 1000);
        assert_eq!(histogram.count(), 1000);
        for (q, expected) in [(0.1, 0.020), (0.5, 0.060), (0.9, 0.100)] {
            let got = histogram.quantile_since(q, &[]).unwrap();
            assert!((got / expected - 1.0).abs() < 0.05, "q{q}: {got} instead of {expected}");
        }
    }

    #[test]
    fn values_outside_the_buckets_are_counted() {
        let histogram = WeightedHistogram::default();
        histogram.observe(-1.0, 2);
        histogram.observe(1e9, 3);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.snapshot().last(), Some(&3));
    }
}
