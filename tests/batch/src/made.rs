//! Random rows: skewed keys, nulls, floats whose sums are exact, and event times out of order.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::SchemaRef;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;
use swiftwater_engine::testing::rows;

use crate::world::Feed;

/// How far back in event time a row may be behind the newest before it, in milliseconds.
pub(crate) const DISORDER: i64 = 2_000;
/// Where the times of a case begin, in milliseconds: around 1970, so that some are before it, and
/// a while later.
pub(crate) const BEGINNINGS: [i64; 2] = [0, 1_767_225_599_500];

/// The settings of a property: the same cases in every run, unless the environment says otherwise.
pub(crate) fn settings(cases: u32) -> ProptestConfig {
    let told = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { told.cases } else { cases };
    let rng_seed = match told.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_261_123),
        fixed => fixed,
    };
    ProptestConfig { cases, rng_seed, failure_persistence: None, max_shrink_iters: 300, ..told }
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The place of the row in the order in which it comes; no two rows have the same.
    pub(crate) id: i64,
    pub(crate) k: Option<i64>,
    pub(crate) name: Option<&'static str>,
    pub(crate) x: Option<i64>,
    pub(crate) y: Option<f64>,
    /// Event time in milliseconds.
    pub(crate) at: i64,
}

/// What a source reads: batches of rows, in order.
#[derive(Debug, Clone)]
pub(crate) struct Made(pub(crate) Vec<Vec<Row>>);

/// The columns that a source has.
pub(crate) fn schema() -> SchemaRef {
    rows::columns(&json!({
        "id": "int64!", "k": "int64", "name": "utf8", "x": "int64", "y": "float64",
        "at": "timestamp_ms",
    }))
}

fn columns(rows: &[&Row]) -> Vec<ArrayRef> {
    vec![
        Arc::new(rows.iter().map(|r| Some(r.id)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.k).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.name).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.x).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.y).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|r| Some(r.at)).collect::<TimestampMillisecondArray>()),
    ]
}

fn batch(rows: &[&Row]) -> RecordBatch {
    RecordBatch::try_new(schema(), columns(rows)).unwrap()
}

impl Made {
    /// All rows in the order in which they come.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter().flatten()
    }

    /// What a source with so many partitions reads.
    pub(crate) fn feed(&self, partitions: usize) -> Feed {
        let batch = |rows: &Vec<Row>| batch(&rows.iter().collect::<Vec<_>>());
        Feed { schema: schema(), batches: self.0.iter().map(batch).collect(), partitions }
    }

    /// The rows as one table, with the event time in milliseconds as a number, `t`.
    pub(crate) fn table(&self) -> RecordBatch {
        self.table_of(|_| true)
    }

    /// The same of some of the rows.
    pub(crate) fn table_of(&self, keep: impl Fn(&Row) -> bool) -> RecordBatch {
        let rows: Vec<&Row> = self.rows().filter(|r| keep(r)).collect();
        let t: ArrayRef = Arc::new(rows.iter().map(|r| Some(r.at)).collect::<Int64Array>());
        let batch = batch(&rows);
        let named = batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        let all = named.iter().map(String::as_str).zip(batch.columns().iter().cloned());
        let nullable = all.chain([("t", t)]).map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(nullable).unwrap()
    }

    /// The first and the last event time.
    pub(crate) fn times(&self) -> (i64, i64) {
        let times = || self.rows().map(|r| r.at);
        (times().min().unwrap_or(0), times().max().unwrap_or(0))
    }
}

fn key() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        5 => Just(Some(1)),
        3 => (0..5_i64).prop_map(Some),
        1 => (5..60_i64).prop_map(Some),
        1 => Just(None),
    ]
}

fn name() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("apple")), Just(Some("")), Just(Some("ünï, ß"))]
}

/// Rows that come at most so many milliseconds behind the newest before them, the first of them
/// at `from`.
pub(crate) fn made(most: usize, from: i64, disorder: i64) -> impl Strategy<Value = Made> {
    let value = proptest::option::weighted(0.85, -20..20_i64);
    let float = proptest::option::weighted(0.85, (-40..40_i32).prop_map(|n| f64::from(n) / 4.0));
    let step = prop_oneof![12 => 0..300_i64, 4 => Just(0_i64), 1 => 3_000..12_000_i64];
    let behind = prop_oneof![1 => Just(0_i64), 2 => 0..=disorder];
    let row = (key(), name(), value, float, step, behind);
    (vec(row, 0..=most), vec(1..40_usize, 1..6)).prop_map(move |(drafts, sizes)| {
        let mut now = from;
        let mut rows = Vec::with_capacity(drafts.len());
        for (id, (k, name, x, y, step, behind)) in (0_i64..).zip(drafts) {
            now += step;
            rows.push(Row { id, k, name, x, y, at: now - behind });
        }
        let mut batches = Vec::new();
        let mut sizes = sizes.into_iter().cycle();
        while !rows.is_empty() {
            let size = sizes.next().unwrap_or(1).min(rows.len());
            batches.push(rows.drain(..size).collect());
        }
        Made(batches)
    })
}
