//! From options to a planned node.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use swiftwater_config::Duration;
use swiftwater_engine::{Error, NodeContext, Operator, OperatorPlan, Result};

use super::fit::{Fit, Statistic};
use super::node::{Layout, Learner, Time};
use super::parameters;
use super::serving::Serving;
use super::transform::Column;
use crate::expression::fault;
use crate::keyed::{EventTime, KeyColumns, micros};

/// The options that all kinds that learn have in common.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Learning {
    /// Columns whose values tell apart what is learned. Without a key all rows teach one task.
    #[serde(default)]
    pub key: Vec<String>,
    /// Rows, or labels, (of a key) after which nothing more is learned from them.
    #[serde(default)]
    pub freeze_after: Option<u64>,
    /// Event time after which a row weighs half as much as a new one. Weights are relative to the
    /// newest row that was learned. Not for what has no weights: `ordinal`, `last`, `min_max` and
    /// `max_abs`.
    #[serde(default)]
    pub half_life: Option<Duration>,
    /// How often parameters leave, by event time: with the first row (of the key) after it.
    #[serde(default)]
    pub export_every: Option<Duration>,
    /// Whether rows and labels are learned from.
    #[serde(default = "yes")]
    pub learn: bool,
    /// A file of parameters, as JSON lines or (`.csv`) CSV, for `learn: false`.
    #[serde(default)]
    pub parameters: Option<String>,
}

const fn yes() -> bool {
    true
}

/// A column that is asked for.
pub(crate) struct Wanted<C> {
    pub(crate) name: String,
    /// Number and type of the column it is made from.
    pub(crate) source: usize,
    pub(crate) of: DataType,
    pub(crate) options: C,
}

/// A mistake in the options of a node that learns.
pub(crate) fn mistake(message: &str, hint: &str) -> Error {
    Error::config("SW0361", message).with_hint(hint)
}

/// A half-life in microseconds.
pub(crate) fn half_life(given: Option<Duration>) -> Result<Option<i64>> {
    let micros = given.map(micros);
    if micros == Some(0) {
        return Err(mistake("forget at once", "write `half_life: 7d`"));
    }
    Ok(micros)
}

/// Columns by name: the name of a column, or a map with `of` (otherwise its own name) and more.
pub(crate) fn columns<C: DeserializeOwned>(
    columns: &Map<String, Value>,
    input: &SchemaRef,
) -> Result<Vec<Wanted<C>>> {
    let hint = "write columns: {amount_scaled: amount}";
    if columns.is_empty() {
        return Err(mistake("make no column", hint));
    }
    let one = |(name, value): (&String, &Value)| {
        let mut full = if value.is_string() { json!({"of": value}) } else { value.clone() };
        if let Value::Object(full) = &mut full {
            full.entry("of").or_insert_with(|| name.as_str().into());
        }
        let source = full.get("of").and_then(Value::as_str).map(ToOwned::to_owned);
        let source = source.ok_or_else(|| mistake(&format!("make `{name}` from {value}"), hint))?;
        let options = serde_json::from_value(full)
            .map_err(|e| mistake(&format!("make `{name}`: {e}"), hint))?;
        let found = input.index_of(&source);
        let number = found.map_err(|_| fault::unknown_column(&source, "columns", input))?;
        if *name != source && input.column_with_name(name).is_some() {
            let hint = "give it a name that the input does not have, or that of its source";
            let message = format!("add a second column `{name}`");
            return Err(Error::config("SW0307", message).with_hint(hint));
        }
        let of = input.field(number).data_type().clone();
        Ok(Wanted { name: name.clone(), source: number, of, options })
    };
    columns.iter().map(one).collect()
}

fn check(learning: &Learning, columns: &[Column], cx: &NodeContext<'_>) -> Result<()> {
    let mut names: Vec<&String> = columns.iter().map(|c| c.field.name()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair.first() == pair.last()) {
        let message =
            format!("make the column `{}` twice", pair.first().map_or("", |n| n.as_str()));
        return Err(mistake(&message, "an indicator takes the name `COLUMN_missing`"));
    }
    if learning.key.is_empty() && learning.learn && cx.node.parallelism.is_some_and(|p| p > 1) {
        let message = "learn from all rows on several tasks";
        return Err(mistake(message, "leave out `parallelism`, or learn by `key`"));
    }
    if learning.learn == learning.parameters.is_some() {
        return Err(if learning.learn {
            mistake("learn and take `parameters` from a file", "write `learn: false`")
        } else {
            mistake("serve without `parameters`", "name the file that holds them")
        });
    }
    if learning.freeze_after == Some(0) {
        let hint = "write `learn: false` to serve parameters of a file";
        return Err(mistake("freeze after no row", hint));
    }
    if learning.export_every.is_some_and(|every| micros(every) == 0) {
        return Err(mistake("export parameters without end", "write `export_every: 1h`"));
    }
    for key in &learning.key {
        if let Some(column) = columns.iter().find(|c| c.field.name() == key) {
            let message = format!("replace `{}`, which is in the key", column.field.name());
            return Err(mistake(&message, "give the new column another name"));
        }
    }
    Ok(())
}

/// Plans a node.
pub(crate) fn plan(
    learning: Learning,
    columns: Vec<Column>,
    target: Option<usize>,
    cx: &NodeContext<'_>,
) -> Result<OperatorPlan> {
    check(&learning, &columns, cx)?;
    let input = cx.inputs.first().map(Arc::clone).ok_or_else(|| Error::bug("find an input"))?;
    let keys = KeyColumns::find(&learning.key, "key", &input)?;
    if let Ok(time) = cx.event_time(0)
        && columns.iter().any(|c| *c.field.name() == time)
    {
        return Err(mistake(&format!("replace the event time `{time}`"), "give it another name"));
    }
    let output = output(&input, &columns);
    let layout = Arc::new(Layout { keys, columns, input: Arc::clone(&input), output });
    let idle = layout.columns.iter().all(|c| matches!(c.spec.statistic, Statistic::None));
    if !learning.learn || (idle && cx.inputs.len() == 1) {
        return serve(&learning, layout, cx);
    }
    let time = EventTime::of_input(cx, 0)?;
    let name = cx.event_time(0)?;
    let exported = parameters::schema(&name);
    if exported.fields().iter().filter(|f| *f.name() == name).count() > 1 {
        let message = format!("export parameters beside an event time that is named `{name}`");
        return Err(mistake(&message, "rename the column in a `select` before"));
    }
    let labels = match target {
        None => None,
        Some(target) => {
            let schema =
                cx.inputs.get(1).map(Arc::clone).ok_or_else(|| Error::bug("find the labels"))?;
            Some(Labels::find(&learning, &layout, (target, schema), cx)?)
        }
    };
    let times = Time {
        freeze_after: learning.freeze_after.and_then(|n| i64::try_from(n).ok()),
        every: learning.export_every.map(micros),
    };
    let mut warnings = Vec::new();
    if !learning.key.is_empty() {
        warnings.push(
            "what is learned of each key is kept for ever, and memory grows with the keys"
                .to_owned(),
        );
    }
    let (made, ports) = (Arc::clone(&layout), Arc::clone(&exported));
    let make = Arc::new(move |_| {
        let learner = Learner::new(&made, time.clone(), labels.clone(), times, &ports)?;
        Ok(Box::new(learner) as Box<dyn Operator>)
    });
    let plan = OperatorPlan::keyed(Arc::clone(&layout.output), cx.stream(0), learning.key, make);
    let mut plan = OperatorPlan { warnings, splittable: true, ..plan }.with_late_port(input);
    plan.ports.push((PORT.to_owned(), exported));
    Ok(plan)
}

/// The port of what was learned.
const PORT: &str = "parameters";

/// The label stream: where its columns are.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    pub(super) schema: SchemaRef,
    pub(super) time: EventTime,
    pub(super) keys: KeyColumns,
    /// Where each column's source is.
    pub(super) sources: Vec<usize>,
    pub(super) target: usize,
}

impl Labels {
    fn find(
        learning: &Learning,
        layout: &Layout,
        (target, schema): (usize, SchemaRef),
        cx: &NodeContext<'_>,
    ) -> Result<Self> {
        let source = |column: &Column| {
            if !column.supervised {
                return Ok(0);
            }
            let field = layout.input.field(column.source);
            let found = schema.index_of(field.name());
            found.map_err(|_| fault::unknown_column(field.name(), "columns", &schema))
        };
        let sources = layout.columns.iter().map(source).collect::<Result<Vec<_>>>()?;
        let keys = KeyColumns::find(&learning.key, "key", &schema)?;
        if keys.types() != layout.keys.types() {
            let hint = "cast the key of one input in a `select` before";
            return Err(mistake("join labels whose key is of another type", hint));
        }
        let time = EventTime::of_input(cx, 1)?;
        Ok(Self { time, keys, sources, target, schema })
    }
}

fn serve(learning: &Learning, layout: Arc<Layout>, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
    let served = match &learning.parameters {
        Some(path) => parameters::read(path, &layout.columns)?,
        None => parameters::Served::new(),
    };
    let served = Arc::new(served);
    let unknown: Vec<Fit> = layout.columns.iter().map(|c| Fit::new(&c.spec)).collect();
    let time = match cx.event_time(0) {
        Ok(_) => Some(EventTime::of_input(cx, 0)?),
        Err(_) => None,
    };
    let schema = Arc::clone(&layout.output);
    let make = Arc::new(move |_| {
        Ok(Box::new(Serving {
            layout: Arc::clone(&layout),
            served: Arc::clone(&served),
            unknown: unknown.clone(),
            time: time.clone(),
        }) as Box<dyn Operator>)
    });
    Ok(OperatorPlan::stateless(schema, make))
}

/// The columns of the input with the new ones in the place of their namesakes, or behind.
fn output(input: &SchemaRef, columns: &[Column]) -> SchemaRef {
    let named = |name: &str| columns.iter().find(|c| c.field.name() == name);
    let mut fields: Vec<Arc<Field>> = input
        .fields()
        .iter()
        .map(|field| Arc::clone(named(field.name()).map_or(field, |column| &column.field)))
        .collect();
    let new = columns.iter().filter(|c| input.column_with_name(c.field.name()).is_none());
    fields.extend(new.map(|c| Arc::clone(&c.field)));
    Arc::new(arrow::datatypes::Schema::new(fields))
}
