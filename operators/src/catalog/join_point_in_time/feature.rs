//! One input of features: which of its columns are kept, and its versions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use swiftwater_engine::stream::{Changes, OP_COLUMN};
use swiftwater_engine::{Batch, Error, NodeContext, Output, Result, schema};

use super::Plan;
use super::options::{FeatureInput, JoinPointInTimeOptions, Ttl, mistake};
use crate::expression::fault;
use crate::keyed::{
    Asked, EventTime, KeyColumns, Times, VersionRows, VersionTable, micros, set_aside,
};

/// Names of the tables, by input: state is found again by them.
const TABLES: [&str; 16] = [
    "features_1",
    "features_2",
    "features_3",
    "features_4",
    "features_5",
    "features_6",
    "features_7",
    "features_8",
    "features_9",
    "features_10",
    "features_11",
    "features_12",
    "features_13",
    "features_14",
    "features_15",
    "features_16",
];

/// What is known of an input of features before there are rows.
#[derive(Debug, Clone)]
pub(super) struct FeaturePlan {
    pub(super) input: usize,
    name: String,
    table: &'static str,
    pub(super) key_names: Vec<String>,
    /// The columns of the result that come from here.
    pub(super) added: Vec<Arc<Field>>,
    time: EventTime,
    /// Columns of the input that are kept; the rest of the plan counts in these.
    kept: Vec<usize>,
    rows: SchemaRef,
    keys: KeyColumns,
    taken: Vec<usize>,
    known: Option<usize>,
    available_at: Option<String>,
    op: Option<usize>,
    max_age: Option<i64>,
    include_current: bool,
}

impl FeaturePlan {
    /// The plans of all inputs but the first, in the order of the inputs.
    pub(super) fn all(
        options: &JoinPointInTimeOptions,
        cx: &NodeContext<'_>,
        keys: &KeyColumns,
    ) -> Result<Vec<Self>> {
        let names: Vec<String> = cx.node.inputs.iter().map(ToString::to_string).collect();
        let wanted = names.len().saturating_sub(1);
        if wanted == 0 || wanted > TABLES.len() {
            let message = format!("join {} inputs", names.len());
            let hint = "write inputs: [requests, features], with 1 to 16 inputs of features";
            return Err(Error::config("SW0204", message).with_hint(hint));
        }
        for feature in &options.features {
            if !names.iter().skip(1).any(|name| *name == feature.input) {
                let message = format!("take features of `{}`", feature.input);
                let hint = format!(
                    "`inputs` has behind its first: {}",
                    names.get(1..).unwrap_or_default().join(", ")
                );
                return Err(mistake(message, &hint));
            }
        }
        let plan = |(input, name): (usize, &String)| {
            let mut own = options.features.iter().filter(|f| f.input == *name);
            match (own.next(), own.next()) {
                (Some(feature), None) => Self::new(feature, cx, (input, keys)),
                (None, _) => {
                    let hint = "name it in `features`, or take it out of `inputs`";
                    Err(mistake(format!("know which columns of `{name}` to add"), hint))
                }
                (Some(_), Some(_)) => {
                    let hint = "name all its columns in one entry of `features`";
                    Err(mistake(format!("take features of `{name}` twice"), hint))
                }
            }
        };
        names.iter().enumerate().skip(1).map(plan).collect()
    }

    fn new(
        feature: &FeatureInput,
        cx: &NodeContext<'_>,
        (input, requests): (usize, &KeyColumns),
    ) -> Result<Self> {
        let rows = cx.inputs.get(input).ok_or_else(|| Error::bug("find an input of features"))?;
        let key_names = if feature.key.is_empty() {
            requests.fields.iter().map(|f| f.name().clone()).collect()
        } else {
            feature.key.clone()
        };
        let keys = KeyColumns::find(&key_names, "key", rows)?;
        same_types(requests, &keys, &feature.input)?;
        let time = EventTime::of_input(cx, input)?;
        let number = |name: &String, option: &str| {
            rows.index_of(name).map_err(|_| fault::unknown_column(name, option, rows))
        };
        let known = known(feature, rows)?;
        let op = upserts(cx, input, (&keys, &feature.input), rows)?;
        let special = |number: usize| {
            keys.numbers.contains(&number)
                || [known, op, Some(time.column())].contains(&Some(number))
        };
        let rest = || {
            let fields = rows.fields().iter().enumerate().filter(|(number, _)| !special(*number));
            fields.map(|(_, field)| field.name().clone()).collect()
        };
        let taken = feature.taken(rest)?;
        let mut added = Vec::with_capacity(taken.len());
        let mut sources = Vec::with_capacity(taken.len());
        for (name, column) in &taken {
            let source = number(column, "columns")?;
            added.push(Arc::new(Field::new(name, rows.field(source).data_type().clone(), true)));
            sources.push(source);
        }
        let mut kept = keys.numbers.clone();
        kept.extend(sources.iter().chain(&known).chain(&op));
        kept.sort_unstable();
        kept.dedup();
        let place = |number: &usize| kept.iter().position(|k| k == number).unwrap_or(0);
        Ok(Self {
            input,
            name: feature.input.clone(),
            table: TABLES.get(input - 1).copied().unwrap_or("features"),
            key_names,
            added,
            time,
            rows: Arc::new(rows.project(&kept)?),
            keys: KeyColumns {
                numbers: keys.numbers.iter().map(place).collect(),
                fields: keys.fields.clone(),
            },
            taken: sources.iter().map(place).collect(),
            known: known.as_ref().map(place),
            available_at: feature.available_at.clone(),
            op: op.as_ref().map(place),
            kept,
            max_age: max_age(feature)?,
            include_current: feature.include_current,
        })
    }

    /// The rows that say when they were available; others are set aside, in their order with those
    /// that have no event time.
    fn known_rows(&self, batch: Batch, out: &mut Output) -> Result<Batch> {
        let known = self.known.and_then(|known| self.kept.get(known));
        let Some(known) = known.map(|known| batch.records.column(*known)) else { return Ok(batch) };
        if known.null_count() == 0 {
            return Ok(batch);
        }
        let time = batch.records.column(self.time.column());
        let name = self.available_at.as_deref().unwrap_or_default();
        let message = format!("tell when a row was available: its `{name}` is null");
        let (late, missing) = (Error::data("SW3303", message), self.time.missing());
        let mut there = vec![true; batch.rows()];
        for (row, there) in there.iter_mut().enumerate() {
            let error = if time.is_null(row) { &missing } else { &late };
            *there = time.is_valid(row) && known.is_valid(row);
            if !*there {
                set_aside(&batch, row, error, out);
            }
        }
        let rows = filter_record_batch(&batch.records, &BooleanArray::from(there))?;
        Ok(batch.with_records(rows))
    }

    /// What `check` should say.
    pub(super) fn warning(&self) -> Option<String> {
        self.max_age.is_none().then(|| {
            format!(
                "`ttl: unlimited` keeps the newest row of each key of `{}` for ever, and memory grows with the keys",
                self.name
            )
        })
    }
}

/// The column of the second clock.
fn known(feature: &FeatureInput, rows: &SchemaRef) -> Result<Option<usize>> {
    let Some(name) = &feature.available_at else { return Ok(None) };
    let known =
        rows.index_of(name).map_err(|_| fault::unknown_column(name, "available_at", rows))?;
    let of = rows.field(known).data_type();
    if matches!(of, DataType::Timestamp(..)) {
        return Ok(Some(known));
    }
    let message = format!("read a time from `{name}` ({})", schema::name(of));
    Err(mistake(message, "`available_at` is a timestamp column: cast it before"))
}

fn max_age(feature: &FeatureInput) -> Result<Option<i64>> {
    match feature.ttl {
        Ttl::Word(_) => Ok(None),
        Ttl::Age(age) if age.0.is_zero() => {
            let hint = "write how old a row may be, ttl: 2h, or ttl: unlimited";
            Err(mistake(format!("let rows of `{}` be no time old", feature.input), hint))
        }
        Ttl::Age(age) => Ok(Some(micros(age))),
    }
}

fn same_types(requests: &KeyColumns, features: &KeyColumns, input: &str) -> Result<()> {
    if requests.fields.len() != features.fields.len() {
        let message =
            format!("compare {} columns with {}", requests.fields.len(), features.fields.len());
        let hint = format!("`key` of `{input}` names one column for each of the node's `key`");
        return Err(mistake(message, &hint));
    }
    let differs = requests.fields.iter().zip(&features.fields);
    match differs.clone().find(|(l, r)| l.data_type() != r.data_type()) {
        None => Ok(()),
        Some((l, r)) => {
            let name = |f: &Field| format!("`{}` ({})", f.name(), schema::name(f.data_type()));
            let message = format!("compare {} with {} of `{input}`", name(l), name(r));
            Err(mistake(message, "cast one of them in a `select` before"))
        }
    }
}

/// The column `_op` of a stream whose rows replace each other by the join's key.
fn upserts(
    cx: &NodeContext<'_>,
    input: usize,
    (keys, name): (&KeyColumns, &str),
    rows: &SchemaRef,
) -> Result<Option<usize>> {
    let Changes::Upsert { key } = cx.stream(input).changes else { return Ok(None) };
    let own: Vec<&String> = keys.fields.iter().map(|f| f.name()).collect();
    if key.len() != own.len() || !key.iter().all(|k| own.contains(&k)) {
        let message = format!(
            "take versions of [{}] from `{name}`, whose rows replace each other by [{}]",
            own.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", "),
            key.join(", ")
        );
        return Err(Error::config("SW0210", message)
            .with_hint("join on the columns by which rows are replaced"));
    }
    let op = rows.index_of(OP_COLUMN);
    op.map(Some).map_err(|_| Error::bug(format!("find `{OP_COLUMN}` in rows that replace others")))
}

/// The versions of one input.
pub(super) struct Feature {
    pub(super) plan: FeaturePlan,
    pub(super) versions: VersionTable,
}

impl Feature {
    pub(super) fn new(plan: &FeaturePlan) -> Result<Self> {
        let versions = VersionTable::new(&VersionRows {
            name: plan.table,
            keys: &plan.keys,
            rows: &plan.rows,
            max_age: plan.max_age,
            known: plan.known,
            op: plan.op,
        })?;
        Ok(Self { plan: plan.clone(), versions })
    }

    /// Rows come; gives back those that no request can ask for any more.
    pub(super) fn push(
        &mut self,
        batch: Batch,
        watermark: Option<i64>,
        out: &mut Output,
    ) -> Result<Option<Times>> {
        let batch = self.plan.known_rows(batch, out)?;
        let Times { batch, times } = self.plan.time.of(batch, out)?;
        let kept = batch.records.project(&self.plan.kept)?;
        let rows = Times { batch: batch.with_records(kept), times };
        self.versions.push(rows, watermark)
    }

    /// The features of keys as of times.
    pub(super) fn columns(&mut self, keys: &[ArrayRef], times: &[i64]) -> Result<Vec<ArrayRef>> {
        let current = self.plan.include_current;
        let asked = |time: &i64| if current { Asked::at(*time) } else { Asked::before(*time) };
        let found = self.versions.find(keys, times.iter().map(asked))?;
        let places = self.versions.table.places(&found)?;
        self.plan.taken.iter().map(|c| self.versions.table.column(*c, &places)).collect()
    }

    /// Late rows in the columns of the result: their key and features.
    pub(super) fn late(&self, late: &Times, plan: &Plan) -> Result<Batch> {
        let records = &late.batch.records;
        let mut columns: Vec<ArrayRef> = plan
            .late
            .fields()
            .iter()
            .map(|field| new_null_array(field.data_type(), records.num_rows()))
            .collect();
        let mut set = |at: usize, column: usize| {
            if let Some(place) = columns.get_mut(at) {
                *place = Arc::clone(records.column(column));
            }
        };
        plan.keys.numbers.iter().zip(&self.plan.keys.numbers).for_each(|(at, c)| set(*at, *c));
        let before = plan.features.iter().take_while(|f| f.input != self.plan.input);
        let first = plan.requests.fields().len() + before.map(|f| f.added.len()).sum::<usize>();
        (first..).zip(&self.plan.taken).for_each(|(at, c)| set(at, *c));
        let rows = RecordBatch::try_new(Arc::clone(&plan.late), columns)?;
        Ok(late.batch.with_records(rows))
    }
}
