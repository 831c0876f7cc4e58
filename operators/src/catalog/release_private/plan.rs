//! The plan of a `release_private` node: options checked, noise and cost worked out.

use std::sync::Arc;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use swiftwater_engine::{Error, NodeContext, Result, schema};

use super::SharedLedger;
use super::options::{Domain, Outside, ReleasePrivateOptions, Unit};
use super::series::PrivacyMetrics;
use crate::expression::fault;
use crate::keyed::{EventTime, micros};
use crate::privacy::accounting::{self, Nano};

/// Most cells of all tables.
const MOST_CELLS: usize = 1_000_000;
/// What stands for values outside of a domain.
const OTHER: &str = "__other__";

/// A column of the domain.
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) column: usize,
    /// Texts of the cells, the other ones last.
    pub(super) labels: Vec<String>,
    /// Of numbers.
    pub(super) edges: Option<Vec<f64>>,
}

/// What all instances share.
pub(super) struct Plan {
    pub(super) dataset: String,
    pub(super) ledger_path: String,
    pub(super) ledger: SharedLedger,
    pub(super) series_name: String,
    pub(super) entity: Option<(String, usize)>,
    pub(super) most: usize,
    pub(super) outside: Outside,
    pub(super) clamp: bool,
    pub(super) size: i64,
    pub(super) from: Option<i64>,
    pub(super) budget: Nano,
    pub(super) delta: f64,
    pub(super) cost: Nano,
    /// Of the noise, in 1024ths.
    pub(super) variance: u64,
    pub(super) question: String,
    pub(super) dimensions: Vec<Dimension>,
    /// Names of tables with numbers of their dimensions.
    pub(super) tables: Vec<(String, Vec<usize>)>,
    pub(super) time: EventTime,
    /// Rows as they wait: the entity, and the cell in each dimension.
    pub(super) held: SchemaRef,
    pub(super) output: SchemaRef,
    pub(super) metrics: PrivacyMetrics,
}

fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0396", message).with_hint(hint)
}

fn dimension(
    (name, domain): (&String, &Domain),
    input: &Schema,
    outside: Outside,
) -> Result<Dimension> {
    let column = input.index_of(name).map_err(|_| fault::unknown_column(name, "domain", input))?;
    let of = input.field(column).data_type();
    let refuse = |why: &str, hint: &str| mistake(format!("give `{name}` a domain: {why}"), hint);
    let mut labels = match (&domain.values, &domain.edges) {
        (Some(values), None) => {
            if of.is_nested() || of.is_floating() || of.is_temporal() {
                let why = format!("values of {} are not listed", schema::name(of));
                return Err(refuse(&why, "give edges, or make a text of it in a `select` before"));
            }
            let mut sorted = values.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if values.is_empty() || sorted.len() < values.len() || values.iter().any(|v| v == OTHER)
            {
                return Err(refuse("values are listed once each", "write values: [a, b]"));
            }
            values.clone()
        }
        (None, Some(edges)) => {
            if !of.is_numeric() {
                return Err(refuse("edges belong to numbers", "write values: [a, b]"));
            }
            let good = edges.len() > 1 && edges.is_sorted_by(|a, b| a < b);
            if !good || edges.iter().any(|e| !e.is_finite()) {
                return Err(refuse("edges ascend, two at least", "write edges: [0, 10, 100]"));
            }
            edges.array_windows::<2>().map(|[a, b]| format!("[{a}, {b})")).collect()
        }
        _ => return Err(refuse("either values or edges", "write values: [a, b]")),
    };
    if outside == Outside::Other {
        labels.push(OTHER.to_owned());
    }
    Ok(Dimension { name: name.clone(), column, labels, edges: domain.edges.clone() })
}

fn tables(
    options: &ReleasePrivateOptions,
    dimensions: &[Dimension],
) -> Result<Vec<(String, Vec<usize>)>> {
    let mut tables = Vec::new();
    let mut cells = 0_usize;
    for (name, columns) in &options.tables {
        let mut numbers = Vec::new();
        for column in columns {
            let number = dimensions.iter().position(|d| d.name == *column);
            let number = number.ok_or_else(|| {
                let message = format!("count `{name}` by `{column}`, which has no public domain");
                mistake(
                    message,
                    "list its values or edges in `domain`, without looking at the data",
                )
            })?;
            if numbers.contains(&number) {
                return Err(mistake(format!("count `{name}` by `{column}` twice"), "name it once"));
            }
            numbers.push(number);
        }
        let sizes = numbers.iter().filter_map(|n| dimensions.get(*n)).map(|d| d.labels.len());
        cells = sizes.fold(1_usize, usize::saturating_mul).saturating_add(cells);
        tables.push((name.clone(), numbers));
    }
    if tables.is_empty() || cells > MOST_CELLS {
        let message = format!("publish {} tables of {cells} cells", tables.len());
        return Err(mistake(message, "one table at least, and a million cells at most"));
    }
    Ok(tables)
}

/// Column of the entity and its most contributions.
fn unit(options: &ReleasePrivateOptions, input: &Schema) -> Result<(Option<(String, usize)>, u32)> {
    match (options.unit, &options.entity, options.max_contributions) {
        (Unit::Event, None, None) => Ok((None, 1)),
        (Unit::Event, ..) => Err(mistake(
            "protect events with `entity` or `max_contributions`",
            "write unit: entity to protect all rows of a person",
        )),
        (Unit::Entity, Some(name), Some(most)) if most > 0 => {
            let column =
                input.index_of(name).map_err(|_| fault::unknown_column(name, "entity", input))?;
            let of = input.field(column).data_type();
            if of.is_nested() || of.is_floating() {
                let message = format!("tell entities apart by `{name}` ({})", schema::name(of));
                return Err(mistake(message, "take a text or a whole number"));
            }
            Ok((Some((name.clone(), column)), most))
        }
        (Unit::Entity, ..) => Err(mistake(
            "protect entities without a bound of what they contribute",
            "write entity: customer and max_contributions: 3",
        )),
    }
}

fn output(dimensions: &[Dimension]) -> Result<SchemaRef> {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, None);
    let mut fields = vec![
        Field::new("window_start", time(), false),
        Field::new("window_end", time(), false),
        Field::new("window_time", time(), false),
        Field::new("table", DataType::Utf8, false),
    ];
    let last = [
        Field::new("count", DataType::Int64, false),
        Field::new("sigma", DataType::Float64, false),
        Field::new("rho", DataType::Float64, false),
    ];
    for dimension in dimensions {
        if fields.iter().chain(&last).any(|f| *f.name() == dimension.name) {
            let message = format!("publish a column of the domain named `{}`", dimension.name);
            return Err(mistake(message, "give it another name in a `select` before"));
        }
        fields.push(Field::new(&dimension.name, DataType::Utf8, true));
    }
    fields.extend(last);
    Ok(Arc::new(Schema::new(fields)))
}

fn held(entity: bool, dimensions: &[Dimension]) -> SchemaRef {
    let entity = entity.then(|| Field::new("entity", DataType::Utf8, false));
    let cells =
        (0..dimensions.len()).map(|n| Field::new(format!("cell_{n}"), DataType::Int32, false));
    Arc::new(Schema::new(entity.into_iter().chain(cells).collect::<Vec<_>>()))
}

impl ReleasePrivateOptions {
    /// Size of the windows, and the time of the first one.
    fn windows(&self) -> Result<(i64, Option<i64>)> {
        let size = micros(self.window);
        if size < 1000 || size % 1000 != 0 {
            return Err(mistake("publish windows of parts of a millisecond", "write window: 1h"));
        }
        let from = self.from.as_deref().map(|text| {
            let hint = "write from: 2026-01-01T00:00:00Z";
            let nanos = string_to_timestamp_nanos(text);
            nanos
                .map(|n| n.div_euclid(1000))
                .map_err(|_| mistake(format!("begin at `{text}`"), hint))
        });
        Ok((size, from.transpose()?))
    }

    /// The budget's delta, once the budget and the names of the ledger are sound.
    fn delta(&self) -> Result<f64> {
        let bad_name = |name: &str| name.trim().is_empty();
        if bad_name(&self.dataset) || bad_name(&self.ledger) {
            return Err(mistake("keep a ledger without a name", "write dataset and ledger"));
        }
        let (epsilon, delta) = (self.budget.epsilon, self.budget.delta);
        if !(epsilon > 0.0 && epsilon <= 100.0 && delta > 0.0 && delta <= 0.01) {
            let message = format!("keep a budget of epsilon {epsilon} and delta {delta}");
            let hint = "epsilon is above 0, 100 at most; delta above 0, 0.01 at most";
            return Err(mistake(message, hint));
        }
        Ok(delta)
    }
}

impl Plan {
    pub(super) fn new(
        options: ReleasePrivateOptions,
        cx: &NodeContext<'_>,
        input: &SchemaRef,
    ) -> Result<Self> {
        let time = EventTime::of_input(cx, 0)?;
        let (size, from) = options.windows()?;
        let delta = options.delta()?;
        let (entity, most) = unit(&options, input)?;
        let dimensions = options.domain.iter().map(|d| dimension(d, input, options.outside));
        let dimensions = dimensions.collect::<Result<Vec<_>>>()?;
        let tables = tables(&options, &dimensions)?;
        let budget = accounting::budget(accounting::rho(options.budget.epsilon, delta));
        // One unit changes each table by its contributions, at worst all in one cell.
        let sensitivity = u64::from(most).saturating_mul(u64::from(most));
        let sensitivity = sensitivity.saturating_mul(tables.len() as u64);
        let share = budget / u64::from(options.releases.max(1));
        let variance = accounting::variance(sensitivity, share).filter(|_| options.releases > 0);
        let variance = variance.ok_or_else(|| {
            let message = format!("divide the budget into {} releases", options.releases);
            mistake(
                message,
                "fewer releases or contributions, or a larger budget: there would be noise only",
            )
        })?;
        let cells: Vec<_> = dimensions.iter().map(|d| (&d.name, &d.labels)).collect();
        let question = format!(
            "{tables:?} of {cells:?}, window {size} us, variance {variance}/1024, {entity:?} {most}"
        );
        Ok(Self {
            ledger: SharedLedger::default(),
            series_name: options.series.unwrap_or_else(|| cx.node.name.clone()),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            cost: accounting::cost(sensitivity, variance),
            question: crate::privacy::digest(&question),
            held: held(entity.is_some(), &dimensions),
            output: output(&dimensions)?,
            dataset: options.dataset,
            ledger_path: options.ledger,
            outside: options.outside,
            clamp: options.clamp,
            from,
            metrics: PrivacyMetrics::default(),
            entity,
            size,
            budget,
            delta,
            variance,
            dimensions,
            tables,
            time,
        })
    }

    /// The unit of privacy as the ledger has it.
    pub(super) fn unit(&self) -> String {
        match &self.entity {
            None => "event".to_owned(),
            Some((name, _)) => format!("entity({name})"),
        }
    }

    /// Start of the window of a time.
    pub(super) const fn start_of(&self, time: i64) -> i64 {
        time.saturating_sub(time.rem_euclid(self.size))
    }
}
