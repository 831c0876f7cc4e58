//! For tests: a keyed node on several instances, driven by a script of rows, watermarks, barriers
//! and crashes. Rows go to the instance that owns their key; a crash loses what came after the last
//! barrier, which is then read again, at another parallelism if the script says so.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use proptest::prelude::*;
use serde_json::Value;
use swiftwater_engine::testing::{Harness, rows};
use swiftwater_engine::{
    Batch, Operator, OperatorOptions, OperatorPlan, Output, Readings, SpillRoom, TableDelta,
    Timestamp, key_group,
};

/// One step of a script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Rows of an input.
    Rows(usize, Vec<Value>),
    /// The watermark, in milliseconds.
    Watermark(i64),
    /// A barrier.
    Seal,
    /// A crash, and a restart on this many instances.
    Crash(usize),
}

/// What came out.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Given {
    pub(crate) rows: Vec<Value>,
    pub(crate) late: Vec<Value>,
    /// Rows of other ports than the main one.
    pub(crate) beside: Vec<Value>,
    pub(crate) rejected: usize,
    /// Rows that came out at or below the watermark that their instance had told before.
    pub(crate) behind: usize,
}

struct Fleet {
    plan: OperatorPlan,
    inputs: Vec<SchemaRef>,
    operators: Vec<Box<dyn Operator>>,
    /// The watermark that each has told.
    told: Vec<Option<i64>>,
    sealed: Vec<TableDelta>,
    watermark: Option<i64>,
    given: Given,
}

/// Plans a kind and runs a script; at the end the inputs end.
pub(crate) fn run<O: OperatorOptions>(
    options: Value,
    inputs: &[SchemaRef],
    instances: usize,
    script: &[Step],
) -> Given {
    let planned = Harness::plan::<O>(options, inputs).map_err(|e| e.to_string()).unwrap();
    run_plan(planned.planned(), inputs, instances, script)
}

/// Runs a script, and again with state that goes to disk after every step: both give the same.
pub(crate) fn run_plan(
    plan: &OperatorPlan,
    inputs: &[SchemaRef],
    instances: usize,
    script: &[Step],
) -> Given {
    let given = run_spilling(plan, inputs, (instances, script), |_| None);
    let tiny = run_spilling(plan, inputs, (instances, script), |_| Some(0));
    assert_eq!(given, tiny, "with all rows on disk");
    let changing = |step: usize| [Some(0), None, Some(300), None][step * 7 % 11 % 4];
    let some = run_spilling(plan, inputs, (instances, script), changing);
    assert_eq!(given, some, "with some rows on disk");
    given
}

fn run_spilling(
    plan: &OperatorPlan,
    inputs: &[SchemaRef],
    (instances, script): (usize, &[Step]),
    target: impl Fn(usize) -> Option<usize>,
) -> Given {
    let room = SpillRoom::new([std::env::temp_dir()]);
    let mut fleet = Fleet {
        plan: plan.clone(),
        inputs: inputs.to_vec(),
        operators: Vec::new(),
        told: Vec::new(),
        sealed: Vec::new(),
        watermark: None,
        given: Given::default(),
    };
    fleet.start(instances);
    // What came out, the watermark, and the step at the last barrier.
    let mut barrier = (Given::default(), None, 0);
    let (mut at, mut crashed) = (0, vec![false; script.len()]);
    while let Some(step) = script.get(at) {
        if let Some(target) = target(at) {
            for operator in &mut fleet.operators {
                operator.spill(target, &room).unwrap();
            }
        }
        at += 1;
        match step {
            Step::Rows(input, json) => {
                let records = rows::batch(&fleet.inputs[*input], &Value::Array(json.clone()));
                fleet.push(*input, &records);
            }
            Step::Watermark(ms) => fleet.advance(*ms * 1000),
            Step::Seal => {
                fleet.seal();
                barrier = (fleet.given.clone(), fleet.watermark, at);
            }
            Step::Crash(instances) => {
                if !std::mem::replace(&mut crashed[at - 1], true) {
                    (fleet.given, fleet.watermark, at) = barrier.clone();
                    fleet.start(*instances);
                }
            }
        }
    }
    fleet.advance(i64::MAX);
    fleet.each(|operator, out| operator.on_end(out).unwrap());
    for operator in &fleet.operators {
        assert!(operator.state_bytes() < 1 << 24);
    }
    fleet.given
}

impl Fleet {
    fn start(&mut self, instances: usize) {
        self.operators = (0..instances).map(|i| (self.plan.make)(i).unwrap()).collect();
        for (instance, operator) in self.operators.iter_mut().enumerate() {
            for delta in &self.sealed {
                let partition = partition(operator.as_ref(), delta.table);
                let own = |records: &RecordBatch| own(records, partition, instance, instances);
                let delta = TableDelta {
                    table: delta.table,
                    rows: own(&delta.rows),
                    deleted: delta.deleted.as_ref().map(own),
                    expired_below: delta.expired_below,
                };
                operator.restore(&delta).unwrap();
            }
        }
        self.told = vec![None; instances];
        if let Some(watermark) = self.watermark {
            self.tell(watermark);
        }
    }

    fn tell(&mut self, watermark: i64) {
        self.each(|operator, out| operator.on_watermark(Timestamp(watermark), out).unwrap());
        let watermark = Timestamp(watermark);
        self.told = self.operators.iter().map(|o| Some(o.output_watermark(watermark).0)).collect();
    }

    fn push(&mut self, input: usize, records: &RecordBatch) {
        let names = self.plan.input_keys.get(input).or(self.plan.key.as_ref()).unwrap();
        let keys: Vec<ArrayRef> =
            names.iter().map(|n| Arc::clone(records.column_by_name(n).unwrap())).collect();
        let groups = if keys.is_empty() {
            vec![0; records.num_rows()]
        } else {
            key_group::of_rows(&keys).unwrap()
        };
        let tasks = self.operators.len();
        for task in 0..tasks {
            let rows = (0_u32..).zip(&groups).filter(|(_, g)| key_group::task(**g, tasks) == task);
            let rows: UInt32Array = rows.map(|(row, _)| row).collect();
            let part = take_record_batch(records, &rows).unwrap();
            let batch = Batch::new(part, Readings::polled_at(Timestamp(0)));
            let mut out = Output::at(Timestamp(0));
            self.operators[task].process(input, batch, &mut out).unwrap();
            self.collect(task, out);
        }
    }

    fn advance(&mut self, watermark: i64) {
        if self.watermark < Some(watermark) {
            self.watermark = Some(watermark);
            self.tell(watermark);
        }
    }

    fn seal(&mut self) {
        for operator in &mut self.operators {
            for delta in operator.seal().unwrap() {
                let tables = operator.tables();
                let spec = tables.iter().find(|t| t.name == delta.table).unwrap();
                assert_eq!(delta.rows.schema(), spec.schema, "rows in the columns of the table");
                self.sealed.push(delta);
            }
        }
    }

    fn each(&mut self, call: impl Fn(&mut dyn Operator, &mut Output)) {
        for index in 0..self.operators.len() {
            let mut out = Output::at(Timestamp(0));
            call(self.operators[index].as_mut(), &mut out);
            self.collect(index, out);
        }
    }

    fn collect(&mut self, instance: usize, mut out: Output) {
        for (port, batch) in out.take_batches() {
            assert_eq!(batch.records.schema(), self.plan.ports[port].1);
            if port > 0 {
                self.given.beside.extend(rows::json(&batch.records));
                continue;
            }
            let told = self.told.get(instance).copied().flatten();
            self.given.behind += self.behind(&batch.records, told);
            self.given.rows.extend(rows::json(&batch.records));
        }
        self.given.late.extend(out.take_late().iter().flat_map(|b| rows::json(&b.records)));
        self.given.rejected += out.take_rejected().len();
    }
}

impl Fleet {
    fn behind(&self, records: &RecordBatch, told: Option<i64>) -> usize {
        let stream = self.plan.stream.as_ref().and_then(|s| s.event_time.as_ref());
        let Some(column) = stream.and_then(|name| records.column_by_name(name)) else { return 0 };
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let times = cast(column, &micros).unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>().iter();
        times.filter(|time| time.is_none() || *time <= told).count()
    }
}

fn partition(operator: &dyn Operator, table: &str) -> usize {
    operator.tables().iter().find(|t| t.name == table).unwrap().partition
}

fn own(records: &RecordBatch, partition: usize, instance: usize, instances: usize) -> RecordBatch {
    if partition == 0 || records.num_rows() == 0 {
        return records.clone();
    }
    let groups = key_group::of_rows(&records.columns()[..partition]).unwrap();
    let mask: BooleanArray =
        groups.iter().map(|g| Some(key_group::task(*g, instances) == instance)).collect();
    filter_record_batch(records, &mask).unwrap()
}

/// One row of a random script: key, time in milliseconds, and a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) k: Option<i64>,
    pub(crate) t: i64,
    pub(crate) v: i64,
}

/// A random script over inputs with the columns `k`, `t` (event time) and `v`.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) instances: usize,
    pub(crate) steps: Vec<Step>,
    /// The same without barriers and crashes, row by row, for oracles.
    pub(crate) told: Vec<Told>,
}

/// What an oracle is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    Row(usize, Row),
    Watermark(i64),
}

/// The columns of scripts.
pub(crate) fn script_columns() -> SchemaRef {
    rows::columns(&serde_json::json!({"k": "int64", "t": "timestamp_ms", "v": "int64"}))
}

#[derive(Debug, Clone)]
enum Raw {
    Rows(usize, Vec<(Option<i64>, i64)>),
    Watermark(i64),
    Seal,
    Crash(usize),
}

/// Rows out of order by up to 15 ms around a time that moves on, watermarks that make some of them
/// late, barriers and crashes.
pub(crate) fn script(inputs: usize) -> impl Strategy<Value = Script> {
    let row = (prop::option::weighted(0.9, 0i64..4), -15i64..15);
    let raw = prop_oneof![
        6 => (0..inputs, prop::collection::vec(row, 1..8)).prop_map(|(i, rows)| Raw::Rows(i, rows)),
        3 => (0i64..25).prop_map(Raw::Watermark),
        2 => Just(Raw::Seal),
        1 => (1usize..5).prop_map(Raw::Crash),
    ];
    (1usize..5, prop::collection::vec(raw, 1..40)).prop_map(|(instances, raw)| told(instances, raw))
}

fn told(instances: usize, raw: Vec<Raw>) -> Script {
    let mut script = Script { instances, steps: Vec::new(), told: Vec::new() };
    let (mut base, mut next, mut watermark) = (100, 0, i64::MIN);
    for step in raw {
        script.steps.push(match step {
            Raw::Rows(input, raw) => {
                base += 4;
                let mut json = Vec::new();
                for (k, jitter) in raw {
                    let row = Row { k, t: base + jitter, v: next };
                    next += 1;
                    json.push(serde_json::json!({"k": row.k, "t": row.t, "v": row.v}));
                    script.told.push(Told::Row(input, row));
                }
                Step::Rows(input, json)
            }
            Raw::Watermark(lag) => {
                watermark = watermark.max(base - lag);
                script.told.push(Told::Watermark(watermark));
                Step::Watermark(watermark)
            }
            Raw::Seal => Step::Seal,
            Raw::Crash(instances) => Step::Crash(instances),
        });
    }
    script
}

/// A column of numbers of what came out.
pub(crate) fn numbers(rows: &[Value], column: &str) -> Vec<Option<i64>> {
    rows.iter().map(|row| row[column].as_i64()).collect()
}

/// In order for one instance without a change of parallelism, otherwise as a multiset.
pub(crate) fn comparable<T: Ord>(script: &Script, mut rows: Vec<T>) -> Vec<T> {
    let moved = script.steps.iter().any(|s| matches!(s, Step::Crash(n) if *n != 1));
    if script.instances > 1 || moved {
        rows.sort_unstable();
    }
    rows
}
