//! The options of `learn`.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};
use hashbrown::HashSet;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result, schema};

use crate::expression::fault;
use crate::keyed::micros;
use crate::synthetic::coder::{Limits, Role, Spec};
use crate::synthetic::fit::Shape;
use crate::synthetic::model::Part;
use crate::synthetic::numbers::is_number;

/// Learns a statistical twin of the stream: a model from which `synthesize` makes rows.
///
/// Rows are counted in panes of event time. Once the panes that closed hold `reference_rows`, columns
/// are cut into bins (numbers so that each bin holds a like share, categories with one for each of the
/// most frequent), and the cuts are kept from then on, so that counts of panes add up. From then on
/// each pane that closes is added to what was counted before, which weighs half after each
/// `half_life`, and makes a new version of the model.
///
/// A version is released as a row: `name`, `version`, `rows`, `weight`, `quality`, `floor`, `model`
/// (the artifact: readable JSON with a checksum) and `window_time`. Write it to a compacted topic
/// with `key: [name]`, or to files. Before that, rows of the model are compared with those of the
/// pane (with all, where the pane has less than a tenth of `reference_rows`), over bins, as the mean
/// of the columns' and of the pairs' agreement (1 - total variation); `quality` is that as a part of what another sample of the same truth would reach, `floor` what
/// columns without any dependence would. A version below `least_quality` is not released: it goes to
/// the port `refused` with the `reason`, and counts in `swiftwater_rule_breaches_total`.
/// So does a stream that ends before there were rows enough, as version 0.
/// `swiftwater_model_version` and `swiftwater_model_quality` tell of the last one released.
///
/// `tree` (Chow and Liu) joins each column to the one it depends on most, and suits tables with
/// categories. `copula` (Gaussian) keeps the correlations of numbers and orders categories by
/// frequency: it suits tables of numbers. Null is kept with its share. The event time itself is not
/// learned; other times are learned as the time from it. Text that never repeats is a `key`: it is
/// not in the model, and `synthesize` makes new ones. Lists, structs and binary are left out.
///
/// A model holds values of the stream: it is no anonymisation and gives no guarantee of privacy. All
/// rows meet on one task. Rows whose pane has closed are late.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnOptions {
    /// Name of the model; that of the node without it.
    #[serde(default)]
    pub name: Option<String>,
    /// Event time that is counted together, and after which a version comes.
    pub pane: Duration,
    /// Columns that are taken in another way than their type says (numbers and times as `number`,
    /// text and booleans as `category`).
    #[serde(default)]
    pub columns: BTreeMap<String, Take>,
    /// Columns whose values are kept together as they were seen, such as `[[city, country]]`.
    #[serde(default)]
    pub together: Vec<Vec<String>>,
    /// How columns are taken to depend on each other.
    #[serde(default)]
    pub dependence: Dependence,
    /// Most bins of a column, from 2 to 256.
    #[serde(default = "bins")]
    pub bins: usize,
    /// Most categories of a column that are kept; rows of others count together.
    #[serde(default = "categories")]
    pub categories: usize,
    /// Rows from which bins are cut, and without which nothing is released.
    #[serde(default = "reference_rows")]
    pub reference_rows: usize,
    /// Event time after which a row weighs half; rows weigh the same for ever without it.
    #[serde(default)]
    pub half_life: Option<Duration>,
    /// The quality, from 0 to 1, below which a version is not released.
    #[serde(default = "least_quality")]
    pub least_quality: f64,
}

/// How a column is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// Values are the same or not.
    Category,
    /// Values lie near each other or not.
    Number,
    /// Values never repeat, and are not learned.
    Key,
    /// Not in the model.
    Leave,
}

/// How columns depend on each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// Each on one other, by tables of their bins.
    #[default]
    Tree,
    /// All by correlations of their normal scores.
    Copula,
}

impl Dependence {
    pub(super) const fn shape(self) -> Shape {
        match self {
            Self::Tree => Shape::Tree,
            Self::Copula => Shape::Copula,
        }
    }
}

const fn bins() -> usize {
    32
}

const fn categories() -> usize {
    1000
}

const fn reference_rows() -> usize {
    10_000
}

const fn least_quality() -> f64 {
    0.8
}

/// Most numbers that the tables of pairs have.
const MOST_PAIRS: usize = 1 << 25;

pub(super) fn mistake(message: impl Into<String>, hint: &str) -> Error {
    Error::config("SW0386", message).with_hint(hint)
}

impl LearnOptions {
    pub(super) const fn limits(&self) -> Limits {
        Limits { bins: self.bins, categories: self.categories }
    }

    /// Size of a pane and half-life, in microseconds.
    pub(super) fn times(&self) -> Result<(i64, Option<i64>)> {
        let pane = micros(self.pane);
        if pane < 1000 || pane % 1000 != 0 {
            return Err(mistake("count in panes of parts of a millisecond", "write `pane: 1h`"));
        }
        let half_life = self.half_life.map(micros);
        if half_life == Some(0) {
            return Err(mistake("forget at once", "write `half_life: 7d`"));
        }
        Ok((pane, half_life))
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(2..=256).contains(&self.bins) {
            let message = format!("cut columns into {} bins", self.bins);
            return Err(mistake(message, "write a number from 2 to 256"));
        }
        if self.categories == 0 || self.reference_rows == 0 {
            return Err(mistake("learn from nothing", "write `reference_rows: 10000`"));
        }
        if !(0.0..=1.0).contains(&self.least_quality) {
            let message = format!("ask for a quality of {}", self.least_quality);
            return Err(mistake(message, "write a number from 0 to 1"));
        }
        Ok(())
    }

    /// What is drawn at once, and what is left out because of its type.
    pub(super) fn specs(&self, input: &Schema, time: &str) -> Result<(Vec<Spec>, Vec<String>)> {
        let mut named: Vec<(&String, &str)> =
            self.columns.keys().map(|name| (name, "columns")).collect();
        named.extend(self.together.iter().flatten().map(|name| (name, "together")));
        for (name, option) in named {
            if input.column_with_name(name).is_none() {
                return Err(fault::unknown_column(name, option, input));
            }
        }
        let mut twice = HashSet::new();
        for name in self.together.iter().flatten() {
            if name == time || self.columns.contains_key(name) || !twice.insert(name) {
                let message = format!("keep `{name}` together with others");
                return Err(mistake(message, "name it once, and not in `columns` too"));
            }
        }
        if let Some(one) = self.together.iter().find(|columns| columns.len() < 2) {
            return Err(mistake(format!("keep {one:?} together"), "name two columns or more"));
        }
        let (mut specs, mut left) = (Vec::new(), Vec::new());
        for field in input.fields().iter().filter(|f| f.name() != time) {
            let part = |field: &arrow::datatypes::Field| Part {
                name: field.name().clone(),
                data_type: schema::name(field.data_type()),
            };
            let group = self.together.iter().find(|columns| columns.contains(field.name()));
            if let Some(group) = group {
                if group.first() == Some(field.name()) {
                    let fields = group.iter().filter_map(|name| input.field_with_name(name).ok());
                    let parts = fields.map(part).collect();
                    specs.push(Spec { parts, role: Role::Category });
                }
                continue;
            }
            match self.role(field)? {
                Some(role) => specs.push(Spec { parts: vec![part(field)], role }),
                None if self.columns.contains_key(field.name()) => {}
                None => left.push(field.name().clone()),
            }
        }
        let drawn = specs.iter().filter(|spec| spec.role != Role::Key).count();
        if drawn == 0 {
            return Err(mistake("learn no column", "leave a column that is no key"));
        }
        let cells = drawn * drawn / 2 * (self.bins + 2) * (self.bins + 2);
        if cells > MOST_PAIRS {
            let message = format!("count pairs of {drawn} columns in {} bins each", self.bins);
            return Err(mistake(message, "leave columns out, or lower `bins`"));
        }
        Ok((specs, left))
    }

    fn role(&self, field: &arrow::datatypes::Field) -> Result<Option<Role>> {
        let data_type = field.data_type();
        let is_text = matches!(data_type, DataType::Utf8 | DataType::Boolean);
        let take = self.columns.get(field.name()).copied();
        let unfit = |what: &str| {
            let of = schema::name(data_type);
            let message = format!("take `{}` ({of}) as a {what}", field.name());
            mistake(
                message,
                "numbers and times can be numbers; these, text and booleans categories",
            )
        };
        Ok(match take {
            Some(Take::Leave) => None,
            Some(Take::Key) => Some(Role::Key),
            Some(Take::Number) if !is_number(data_type) => return Err(unfit("number")),
            Some(Take::Category) if !is_text && !is_number(data_type) => {
                return Err(unfit("category"));
            }
            Some(Take::Number) => Some(Role::Number),
            Some(Take::Category) => Some(Role::Category),
            None if is_number(data_type) => Some(Role::Number),
            None if is_text => Some(Role::Category),
            None => None,
        })
    }
}
