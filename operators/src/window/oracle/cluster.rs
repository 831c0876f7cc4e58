//! The windows under test: instances that share the keys, their snapshots, and what they gave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, SchemaRef, TimestampMillisecondType};
use serde_json::json;
use swiftwater_engine::testing::{Harness, node, rows};
use swiftwater_engine::{
    NodeContext, OperatorOptions, OperatorPlan, Stream, TableDelta, Timestamp, key_group,
};

use super::model::{Place, Values, name};
use super::scenario::{Row, Scenario, Step};
use crate::catalog::WindowOptions;

pub(super) struct Cluster {
    plan: OperatorPlan,
    schema: SchemaRef,
    key: Vec<&'static str>,
    instances: Vec<Harness>,
    deltas: Vec<TableDelta>,
    watermark: Option<Timestamp>,
    /// What is certain, and what a crash takes back.
    certain: Given,
    since: Given,
    steps: Vec<Step>,
    sealed_watermark: Option<Timestamp>,
    /// Whether state goes to disk before every step.
    spills: bool,
}

#[derive(Default)]
struct Given {
    batches: Vec<RecordBatch>,
    late: usize,
}

impl Cluster {
    pub(super) fn new(scenario: &Scenario, spills: bool) -> Self {
        let schema = rows::columns(
            &json!({"k": "int64", "name": "utf8", "price": "int64", "at": "timestamp_ms"}),
        );
        let inputs = [Arc::clone(&schema)];
        let config = node::<WindowOptions>(scenario.options(), 1);
        let streams = [Stream::at("at")];
        let cx =
            NodeContext { topology: "test", node: &config, inputs: &inputs, streams: &streams };
        let options: WindowOptions = serde_json::from_value(config.options.clone()).unwrap();
        let plan = options.plan(&cx).map_err(|e| e.to_string()).unwrap();
        let mut cluster = Self {
            plan,
            schema,
            key: scenario.key.clone(),
            instances: Vec::new(),
            deltas: Vec::new(),
            watermark: None,
            certain: Given::default(),
            since: Given::default(),
            steps: Vec::new(),
            sealed_watermark: None,
            spills,
        };
        cluster.start(scenario.instances);
        cluster
    }

    /// New instances with the state of the last sealed epoch.
    fn start(&mut self, instances: usize) {
        let instances = if self.key.is_empty() { 1 } else { instances };
        let started = (0..instances).map(|number| {
            let inputs = [Arc::clone(&self.schema)];
            let mut harness = Harness::of(self.plan.clone(), &inputs).unwrap();
            let own: Vec<TableDelta> =
                self.deltas.iter().map(|delta| self.own(delta, number, instances)).collect();
            harness.crash_and_restore(&own, self.sealed_watermark).unwrap();
            assert_eq!(harness.take_batches(0), [], "a restored window was given again");
            harness
        });
        self.instances = started.collect();
        self.watermark = self.sealed_watermark;
    }

    /// The rows of a delta that belong to one instance.
    fn own(&self, delta: &TableDelta, number: usize, instances: usize) -> TableDelta {
        TableDelta {
            rows: self.part(&delta.rows, 0..self.key.len(), number, instances),
            ..delta.clone()
        }
    }

    fn part(
        &self,
        records: &RecordBatch,
        key: impl Iterator<Item = usize>,
        number: usize,
        instances: usize,
    ) -> RecordBatch {
        if self.key.is_empty() {
            return records.clone();
        }
        let keys: Vec<ArrayRef> = key.map(|k| Arc::clone(records.column(k))).collect();
        let groups = key_group::of_rows(&keys).unwrap();
        let own = groups.iter().map(|group| Some(key_group::task(*group, instances) == number));
        filter_record_batch(records, &own.collect()).unwrap()
    }

    pub(super) fn take(&mut self, step: &Step) {
        for harness in self.instances.iter_mut().filter(|_| self.spills) {
            harness.spill(0).unwrap();
        }
        match step {
            Step::Seal => {
                for harness in &mut self.instances {
                    self.deltas.extend(harness.seal().unwrap());
                }
                self.sealed_watermark = self.watermark;
                self.certain.batches.append(&mut self.since.batches);
                self.certain.late += std::mem::take(&mut self.since.late);
                self.steps.clear();
            }
            Step::Crash(instances) => {
                self.since = Given::default();
                self.start(*instances);
                for step in std::mem::take(&mut self.steps) {
                    self.take(&step);
                }
            }
            other => {
                self.steps.push(other.clone());
                self.run(other);
            }
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Rows(rows) => {
                let records = self.records(rows);
                let key: Vec<usize> =
                    self.key.iter().map(|k| self.schema.index_of(k).unwrap()).collect();
                for number in 0..self.instances.len() {
                    let count = self.instances.len();
                    let part = self.part(&records, key.iter().copied(), number, count);
                    self.instances[number].push_batch(0, part).unwrap();
                }
            }
            Step::Watermark(rise) => {
                let risen = self.watermark.map_or(0, |w| w.0) + rise * 1000;
                self.watermark = Some(Timestamp(risen));
                for harness in &mut self.instances {
                    harness.watermark(Timestamp(risen)).unwrap();
                }
            }
            Step::Tick => self.instances.iter_mut().for_each(|harness| {
                harness.advance(Duration::from_secs(1)).fire_timers().unwrap();
            }),
            Step::End => self.instances.iter_mut().for_each(|harness| harness.end().unwrap()),
            Step::Seal | Step::Crash(_) => unreachable!("taken before"),
        }
        for harness in &mut self.instances {
            let batches = harness.take_batches(0);
            // Corrections of sessions are sorted apart from what they take back.
            if !matches!(step, Step::Rows(_)) {
                assert_sorted(&batches, self.key.len());
            }
            self.since.batches.extend(batches);
            self.since.late += harness.take_late().len();
        }
    }

    fn records(&self, rows: &[Row]) -> RecordBatch {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.key).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| name(r.key)).collect::<StringArray>()),
            Arc::new(rows.iter().map(|r| r.price).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| Some(r.time)).collect::<TimestampMillisecondArray>()),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns).unwrap()
    }

    pub(super) fn late(&self) -> usize {
        self.certain.late + self.since.late
    }

    /// What is seen by someone who follows `_op`.
    pub(super) fn shown(&self, scenario: &Scenario) -> BTreeMap<Place, Values> {
        let mut shown = BTreeMap::new();
        for batch in self.certain.batches.iter().chain(&self.since.batches) {
            for row in 0..batch.num_rows() {
                let (place, values) = (place(batch, row, self.key.len()), values(batch, row));
                let operation = match scenario.upserts() {
                    false => "insert",
                    true => batch.column_by_name("_op").unwrap().as_string::<i32>().value(row),
                };
                if operation == "delete" {
                    assert_eq!(shown.remove(&place), Some(values), "deleted: {place:?}");
                    continue;
                }
                let before = shown.insert(place.clone(), values);
                match operation {
                    "insert" => assert_eq!(before, None, "inserted twice: {place:?}"),
                    "update" => assert!(before.is_some(), "updated before inserted: {place:?}"),
                    other => panic!("{other} of {place:?}"),
                }
            }
        }
        shown
    }
}

fn millis(batch: &RecordBatch, column: &str, row: usize) -> i64 {
    let column = batch.column_by_name(column).unwrap();
    column.as_primitive::<TimestampMillisecondType>().value(row)
}

fn place(batch: &RecordBatch, row: usize, keys: usize) -> Place {
    let part = |column: &ArrayRef| match column.as_primitive_opt::<Int64Type>() {
        Some(k) => format!("{:?}", k.is_valid(row).then(|| k.value(row))),
        None => {
            let text = column.as_string::<i32>();
            format!("{:?}", text.is_valid(row).then(|| text.value(row).to_owned()))
        }
    };
    let key: Vec<_> = batch.columns()[..keys].iter().map(part).collect();
    let (start, end) = (millis(batch, "window_start", row), millis(batch, "window_end", row));
    assert_eq!(millis(batch, "window_time", row), end - 1);
    (key.join("|"), start, end)
}

fn values(batch: &RecordBatch, row: usize) -> Values {
    let names = ["rows", "total", "least", "most", "high", "prices", "spread", "first"];
    let value = |name: &str| {
        let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    names.into_iter().map(value).collect()
}

/// Rows leave in the order of window end and key.
fn assert_sorted(batches: &[RecordBatch], keys: usize) {
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(move |row| {
            let (_, start, end) = place(batch, row, keys);
            let key: Vec<String> = batch.columns()[..keys]
                .iter()
                .map(|column| match column.as_primitive_opt::<Int64Type>() {
                    // Null before 0, and one digit a number.
                    Some(k) => k
                        .is_valid(row)
                        .then(|| k.value(row))
                        .map_or_else(String::new, |k| k.to_string()),
                    None => {
                        let text = column.as_string::<i32>();
                        if text.is_valid(row) { text.value(row).to_owned() } else { String::new() }
                    }
                })
                .collect();
            (end, key, start)
        })
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.is_sorted(), "out of order: {rows:?}");
}
