//! A sink with a store behind it, driven as the engine drives one: rows, tries, epochs and deaths.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use swiftwater_engine::metrics::{Metrics, SinkMetrics};
use swiftwater_engine::{
    Batch, Clock, Error, ErrorKind, ExactlyOnce, Readings, Result, Sink, SinkContext, SinkPlan,
    Timestamp,
};

/// Rows from JSON, with the columns of a topology file's `schema`.
pub(crate) fn rows(columns: Value, rows: Value) -> RecordBatch {
    let schema = swiftwater_engine::schema::from_config(columns.as_object().unwrap()).unwrap();
    swiftwater_engine::testing::rows::batch(&schema, &rows)
}

pub(crate) fn batch(records: RecordBatch) -> Batch {
    Batch::new(records, Readings::polled_at(Timestamp(0)))
}

/// Opens a planned sink. Tests run at the same time in one store: each has a topology of its own.
pub(crate) fn open_planned(
    plan: &SinkPlan,
    topology: &str,
    exactly_once: Option<ExactlyOnce>,
) -> Result<Box<dyn Sink>> {
    let mut sink = (plan.make)()?;
    sink.open(SinkContext {
        shared: Arc::default(),
        exactly_once,
        topology: topology.to_owned(),
        node: "node".into(),
        buffer_bytes: 64 << 20,
        retry_budget: Duration::from_secs(60),
        clock: Clock::system(),
        metrics: SinkMetrics::new(&Metrics::new("t").unwrap(), "node"),
    })?;
    Ok(sink)
}

/// Writes as the engine does: what is unavailable is tried again, a bad row is found by halving.
/// Returns the errors of rows that were set aside.
pub(crate) fn write(sink: &mut dyn Sink, sequence: &mut u64, records: &RecordBatch) -> Vec<Error> {
    let mut tries = 0;
    loop {
        match sink.write(*sequence + 1, &batch(records.clone())) {
            Ok(()) => {
                *sequence += 1;
                assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), *sequence);
                return Vec::new();
            }
            Err(error) if error.kind == ErrorKind::Data => {
                let rows = records.num_rows();
                if rows == 1 {
                    return vec![error];
                }
                let mut errors = write(sink, sequence, &records.slice(0, rows / 2));
                errors.extend(write(sink, sequence, &records.slice(rows / 2, rows - rows / 2)));
                return errors;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
                tries += 1;
                assert!(tries < 200, "{error}");
            }
        }
    }
}

/// Calls as the engine does until it works.
pub(crate) fn until_done<T>(mut call: impl FnMut() -> Result<T>) -> T {
    for _ in 0..200 {
        match call() {
            Ok(done) => return done,
            Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("it never worked");
}

/// When a process dies in an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Death {
    BeforeStage,
    BeforeCommit,
    BeforeFinalise,
    Not,
}

/// The changes of an epoch, as keys and whether they are deleted, and its end.
pub(crate) type Changes = (Vec<(i64, bool)>, Death);

/// Random epochs over the keys 0 to 7.
pub(crate) fn epochs() -> impl Strategy<Value = Vec<Changes>> {
    use Death::{BeforeCommit, BeforeFinalise, BeforeStage, Not};
    let death = prop::sample::select(vec![BeforeStage, BeforeCommit, BeforeFinalise, Not, Not]);
    let change = (0_i64..8, prop::bool::weighted(0.3));
    prop::collection::vec((prop::collection::vec(change, 0..12), death), 1..8)
}

/// Runs epochs of changes of the `columns` `_op`, `k` and `v` and has `check` compare the store
/// with what was committed after each. `before` is the number before an epoch's first write.
pub(crate) fn run_epochs(
    epochs: Vec<Changes>,
    columns: &Value,
    before: fn(u64) -> u64,
    open: impl Fn(Option<(u64, Option<Value>)>) -> Box<dyn Sink>,
    check: impl Fn(&BTreeMap<i64, i64>) -> std::result::Result<(), TestCaseError>,
) -> std::result::Result<(), TestCaseError> {
    let mut sink = open(None);
    let (mut model, mut version) = (BTreeMap::new(), 0_i64);
    let (mut epoch, mut committed) = (0, None);
    for (changes, death) in epochs {
        epoch += 1;
        let mut next = model.clone();
        let mut sequence = before(epoch);
        for part in changes.chunks(3) {
            let mut all = Vec::new();
            for (k, delete) in part {
                version += 1;
                let op = if *delete { "delete" } else { "update" };
                all.push(json!({"_op": op, "k": k, "v": version}));
                if *delete {
                    next.remove(k)
                } else {
                    next.insert(*k, version)
                };
            }
            write(sink.as_mut(), &mut sequence, &rows(columns.clone(), all.into()));
        }
        if death != Death::BeforeStage {
            let staged = sink.stage(epoch).unwrap();
            if death != Death::BeforeCommit {
                model = next;
                committed = Some((epoch, Some(staged.clone())));
            }
            if death == Death::Not {
                sink.finalise(epoch, &staged).unwrap();
            }
        }
        if death != Death::Not {
            drop(sink);
            epoch = committed.as_ref().map_or(0, |(epoch, _)| *epoch);
            sink = open(committed.clone());
        }
        check(&model)?;
    }
    Ok(())
}
