//! Runs a topology in this process with its sinks replaced by one that keeps the rows.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::util::display::array_value_to_string;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use swiftwater_config::{Environment, Role};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::{
    Batch, NodeContext, Outcome, Plan, Registry, Result, Running, Sequence, Sink, SinkContext,
    SinkOptions, SinkPlan,
};

static KEPT: Mutex<BTreeMap<u64, Vec<RecordBatch>>> = Mutex::new(BTreeMap::new());
static SLOTS: AtomicU64 = AtomicU64::new(0);

/// Keeps rows for the test.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeepOptions {
    /// Where the test finds them.
    slot: u64,
}

impl SinkOptions for KeepOptions {
    const KIND: &'static str = "keep";
    const EXAMPLE: &'static str = "";

    fn plan(self, _cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let slot = self.slot;
        let plan = SinkPlan::new(Arc::new(move || Ok(Box::new(Keep { slot, taken: 0 }))));
        Ok(SinkPlan { takes_upserts: true, ..plan })
    }
}

struct Keep {
    slot: u64,
    taken: Sequence,
}

impl Sink for Keep {
    fn open(&mut self, _cx: SinkContext) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        self.taken = sequence;
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(self.slot).or_default().push(batch.records.clone());
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        Ok(self.taken)
    }
}

/// What fills `${NAME}` in the files of the queries.
pub(super) struct Variables(HashMap<&'static str, String>);

impl Variables {
    /// So many events at so many a second of event time.
    pub(super) fn new(events: u64, rate: u64) -> Self {
        // No auction lasts longer than 2 x 1666 events.
        let length = format!("{}ms", 4_000_000 / rate);
        Self(HashMap::from([
            ("EVENTS", events.to_string()),
            ("EVENT_RATE", rate.to_string()),
            ("SEED", "7".to_owned()),
            ("AUCTION_LENGTH", length),
            ("AUCTION_SECONDS", (4000 / rate).to_string()),
        ]))
    }
}

impl Variables {
    /// The same with another variable.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.insert(name, value.to_owned());
        self
    }
}

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn secret_file(&self, path: &str) -> std::result::Result<String, String> {
        Err(format!("no `{path}` here"))
    }
}

/// Runs a topology to its end; what its only sink received.
pub(super) fn run(
    text: &str,
    variables: &Variables,
    parallelism: Option<usize>,
) -> Vec<RecordBatch> {
    let mut registry = Registry::new();
    swiftwater_connectors::register(&mut registry);
    swiftwater_operators::register(&mut registry);
    registry.sink::<KeepOptions>();
    let loaded = swiftwater_config::parse(text, &registry.kinds(), variables);
    let mut topology = loaded.unwrap_or_else(|e| panic!("{e}\n{text}")).topology;
    let directory = tempfile::tempdir().unwrap();
    let slot = SLOTS.fetch_add(1, Ordering::Relaxed);
    for node in &mut topology.nodes {
        match node.role {
            Role::Sink => {
                "keep".clone_into(&mut node.kind);
                node.options = json!({ "slot": slot });
                node.format = None;
            }
            Role::Operator => node.parallelism = node.parallelism.or(parallelism),
            Role::Source => {}
        }
    }
    topology.checkpoint.store = Some(format!("file://{}", directory.path().display()));
    let plan = Plan::new(topology, &registry).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let metrics = Metrics::new("nexmark").unwrap();
    let outcome = Running::start(&plan, &metrics).unwrap().wait();
    assert!(matches!(outcome, Ok(Outcome::Finished)), "{outcome:?}\n{text}");
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).remove(&slot).unwrap_or_default()
}

/// The file of a query.
pub(super) fn file(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/topologies/nexmark");
    let path = directory.join(format!("{name}.yaml"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One value as text: times as milliseconds since 1970, doubles with four decimals.
fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match column.data_type() {
        DataType::Float64 => format!("{:.4}", column.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(..) => {
            let millis = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None)).unwrap();
            let whole = cast(&millis, &DataType::Int64).unwrap();
            whole.as_primitive::<Int64Type>().value(row).to_string()
        }
        _ => array_value_to_string(column, row).unwrap(),
    }
}

/// The rows as texts of some columns, sorted.
pub(super) fn rows(batches: &[RecordBatch], columns: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = in_order(batches, columns);
    all.sort_unstable();
    all
}

/// The rows as texts of some columns, in their order.
fn in_order(batches: &[RecordBatch], columns: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for batch in batches {
        let taken: Vec<ArrayRef> = columns
            .iter()
            .map(|name| {
                let column = batch.column_by_name(name);
                let column = column.unwrap_or_else(|| panic!("no `{name}` in {}", batch.schema()));
                match column.data_type() {
                    DataType::Timestamp(..) => {
                        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
                        cast(&cast(column, &millis).unwrap(), &DataType::Int64).unwrap()
                    }
                    _ => Arc::clone(column),
                }
            })
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = taken.iter().map(|column| cell(column, row)).collect();
            all.push(cells.join("|"));
        }
    }
    all
}

/// What is left of a stream of upserts: the last row of each key, sorted.
pub(super) fn upserted(batches: &[RecordBatch], key: &[&str], columns: &[&str]) -> Vec<String> {
    let mut last = BTreeMap::new();
    let keys = in_order(batches, key);
    let ops = in_order(batches, &["_op"]);
    for ((key, op), row) in keys.into_iter().zip(ops).zip(in_order(batches, columns)) {
        match (op.as_str(), last.contains_key(&key)) {
            ("insert", false) | ("update", true) => last.insert(key, row),
            ("delete", true) => last.remove(&key),
            (op, known) => panic!("{op} of {key}, which is known: {known}"),
        };
    }
    let mut rows: Vec<String> = last.into_values().collect();
    rows.sort_unstable();
    rows
}

/// Compares rows as sets in which rows may occur more than once.
pub(super) fn assert_same(query: &str, found: &[String], mut expected: Vec<String>) {
    expected.sort_unstable();
    assert!(!expected.is_empty(), "{query}: the oracle has no rows");
    let missing = expected.iter().filter(|row| found.binary_search(row).is_err()).take(5);
    let missing: Vec<_> = missing.collect();
    let surplus = found.iter().filter(|row| expected.binary_search(row).is_err()).take(5);
    let surplus: Vec<_> = surplus.collect();
    let counts = (found.len(), expected.len());
    assert!(
        found == expected,
        "{query}: {counts:?} rows, missing {missing:?}, surplus {surplus:?}"
    );
}
