//! The model of a table, as its artifact holds it.

use serde::{Deserialize, Serialize};

/// A model of one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// What is modelled.
    pub(crate) name: String,
    /// Grows with each release.
    pub(crate) version: i64,
    /// What it was fitted from.
    pub(crate) fitted: Fitted,
    /// The event time, which is not modelled: times of other columns are relative to it.
    pub(crate) time: Option<Part>,
    /// The columns, in the order of the table.
    pub(crate) columns: Vec<Column>,
    /// How they depend on each other.
    pub(crate) dependence: Dependence,
}

/// What a model was fitted from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fitted {
    /// Event time of the first pane's start, in microseconds since 1970.
    pub(crate) from: i64,
    /// Event time of the last pane's end.
    pub(crate) until: i64,
    /// Rows that were counted.
    pub(crate) rows: u64,
    /// What they weigh after decay.
    pub(crate) weight: f64,
    /// How well rows of the model fitted those of the last pane.
    pub(crate) quality: Quality,
}

/// Agreement of shapes and pairs, from 0 to 1, over the bins of the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quality {
    /// Rows of the model with those of the pane.
    pub(crate) score: f64,
    /// What columns without any dependence would have.
    pub(crate) floor: f64,
    /// What another sample of the same truth would have.
    pub(crate) ceiling: f64,
}

impl Quality {
    /// The score as a part of what can be reached.
    pub(crate) fn reached(self) -> f64 {
        if self.ceiling > 0.0 { (self.score / self.ceiling).min(1.0) } else { 0.0 }
    }
}

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// Its type, as topology files write it.
    #[serde(rename = "type")]
    pub(crate) data_type: String,
}

/// What is drawn at once: a column, or several whose values were observed together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    /// The columns of the table; more than one for values that stay together.
    pub(crate) parts: Vec<Part>,
    /// Weight of rows in which it is null.
    pub(crate) nulls: f64,
    /// What it holds.
    pub(crate) values: Values,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Values {
    /// Categories, as texts; the heaviest have a bin of their own, the others share one.
    Categories {
        /// How many have a bin of their own.
        own: usize,
        /// The categories, those with a bin of their own first; of values that stay together, JSON
        /// lists.
        values: Vec<String>,
        /// The weight of each.
        weights: Vec<f64>,
        /// Weight of categories that were not kept.
        rest: f64,
    },
    /// Numbers, in cells `(edges[i], edges[i + 1]]`. In the artifact the first edge is the least
    /// number, and two edges that are the same hold that number alone.
    Numbers {
        /// The bounds of the cells.
        #[serde(with = "exact")]
        edges: Vec<f64>,
        /// The weight of each cell.
        weights: Vec<f64>,
        /// For each bin, the number of the cell behind its last.
        bins: Vec<usize>,
        /// Digits behind the point, where there are not many.
        decimals: Option<u8>,
        /// Whether it is relative to the event time, in the column's unit.
        relative: bool,
    },
    /// A key, which is never repeated and therefore made up.
    Key,
}

/// Numbers that keep their last bit: those that the reader of JSON would round are texts.
mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(all: &[f64], to: S) -> Result<S::Ok, S::Error> {
        let number = |value: &f64| {
            let text = serde_json::to_string(value).unwrap_or_default();
            let same = serde_json::from_str::<f64>(&text).is_ok_and(|read| read == *value);
            if same { Number::Plain(*value) } else { Number::Text(text) }
        };
        to.collect_seq(all.iter().map(number))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let number = |value: Number| match value {
            Number::Plain(value) => Ok(value),
            Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        };
        Vec::<Number>::deserialize(from)?.into_iter().map(number).collect()
    }
}

impl Column {
    /// Its name among the columns that are drawn.
    pub(crate) fn name(&self) -> String {
        self.parts.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join("+")
    }

    /// The weight of each bin; the last is that of null. Empty for a key.
    pub(crate) fn bins(&self) -> Vec<f64> {
        let mut bins: Vec<f64> = match &self.values {
            Values::Key => return Vec::new(),
            Values::Categories { own, weights, rest, .. } => {
                let own = (*own).min(weights.len());
                let (first, tail) = weights.split_at(own);
                let tail = tail.iter().sum::<f64>() + rest;
                first.iter().copied().chain([tail]).collect()
            }
            Values::Numbers { weights, bins, .. } => {
                let starts = [0].into_iter().chain(bins.iter().copied());
                let cells = |(from, to): (usize, &usize)| weights.get(from..*to).unwrap_or(&[]);
                starts.zip(bins).map(|range| cells(range).iter().sum()).collect()
            }
        };
        bins.push(self.nulls);
        bins
    }
}

/// How columns depend on each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Dependence {
    /// A tree over tables of pairs; columns that no edge names stand alone.
    Tree(Vec<Edge>),
    /// Correlations of normal scores, for the columns that are no keys, in their order.
    Copula(Vec<Vec<f64>>),
}

/// A column and the one it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edge {
    /// One column.
    pub(crate) parent: String,
    /// The other.
    pub(crate) column: String,
    /// Weights of pairs of bins, one list for each bin of the parent.
    pub(crate) table: Vec<Vec<f64>>,
}
