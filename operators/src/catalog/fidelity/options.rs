//! The options of `fidelity`.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, Result};

use super::super::synthesize::MARK;
use crate::fidelity::{Choices, Design, Kind, Mistake, Thresholds};
use crate::keyed::micros;

/// Tells how well the synthetic rows of each window stand in for the real ones.
///
/// With two inputs the first has the real rows and the second the synthetic ones. With one, the column
/// `mark` tells them apart: null, false and an empty text mean a real row, as in what `synthesize`
/// gives.
///
/// When a window closes, rows come with `window_start`, `window_end`, `window_time`, `measure`,
/// `column`, `other` and `value`. Scores are those of `SDMetrics` 0.32.0:
///
/// - `real_rows`, `synthetic_rows`: how many rows the window has. Where a side has fewer than
///   `least_rows`, nothing else follows.
/// - `quality`: the mean of `column_shapes` and `column_pair_trends`.
/// - `floor` and `ceiling`: the quality of rows with independent columns, and of real rows drawn
///   again; `normalised`: where `quality` lies between them. It says how much of the dependence of
///   columns was learned, which `quality` alone does not.
/// - `shape`: the score of a `column`; `pair`: that of a `column` and an `other` whose real values
///   depend enough on each other to count.
///
/// The same values stand in `swiftwater_fidelity{node,measure,column,other}`. A row whose window has
/// closed is late. All rows meet on one task, which holds those of the windows that are open. Texts
/// most of which come once name rows, and are left out; so are the event times.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FidelityOptions {
    /// Size of the tumbling windows.
    pub window: Duration,
    /// The column that marks synthetic rows where there is one input.
    #[serde(default = "mark")]
    pub mark: String,
    /// Columns that are compared; all that both sides have without it.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Columns of numbers that stand for categories.
    #[serde(default)]
    pub categorical: Vec<String>,
    /// Columns to leave out.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// A pair of numbers counts where the real ones correlate more than this.
    #[serde(default = "correlation")]
    pub correlation_threshold: f64,
    /// Other pairs count where Cramer's V of the real ones is above this.
    #[serde(default = "association")]
    pub association_threshold: f64,
    /// How often floor and ceiling are drawn.
    #[serde(default = "draws")]
    pub draws: u64,
    /// Seed of what is drawn.
    #[serde(default)]
    pub seed: u64,
    /// Fewest rows of a side that are compared.
    #[serde(default = "least_rows")]
    pub least_rows: usize,
    /// Most rows of a side that are compared: of more, so many are chosen by the seed.
    #[serde(default = "most_rows")]
    pub most_rows: usize,
}

fn mark() -> String {
    MARK.to_owned()
}

fn correlation() -> f64 {
    Thresholds::default().correlation
}

fn association() -> f64 {
    Thresholds::default().association
}

const fn draws() -> u64 {
    3
}

const fn least_rows() -> usize {
    100
}

const fn most_rows() -> usize {
    50_000
}

fn mistake(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("SW0390", message).with_hint(hint)
}

impl FidelityOptions {
    pub(super) fn check(&self) -> Result<i64> {
        let size = micros(self.window);
        if size < 1000 || size % 1000 != 0 {
            let message = "measure fidelity in windows of less than a millisecond, or parts of one";
            return Err(mistake(message, "write window: 1h"));
        }
        for threshold in [self.correlation_threshold, self.association_threshold] {
            if !(0.0..=1.0).contains(&threshold) {
                let message = format!("count pairs above a dependence of {threshold}");
                return Err(mistake(message, "thresholds lie from 0 to 1"));
            }
        }
        if self.draws == 0 || self.least_rows == 0 || self.most_rows < self.least_rows {
            let message = "measure fidelity without rows or draws";
            let hint = "draws and least_rows are above 0, and most_rows is not below least_rows";
            return Err(mistake(message, hint));
        }
        Ok(size)
    }

    pub(super) const fn thresholds(&self) -> Thresholds {
        Thresholds {
            correlation: self.correlation_threshold,
            association: self.association_threshold,
        }
    }

    /// What the user says of columns, without the times and the mark.
    pub(super) fn choices(&self, others: &[&str]) -> Choices {
        let mut ignore = self.ignore.clone();
        ignore.extend(others.iter().map(|name| (*name).to_owned()));
        Choices { columns: self.columns.clone(), categorical: self.categorical.clone(), ignore }
    }

    pub(super) fn design(real: &Schema, synthetic: &Schema, choices: &Choices) -> Result<Design> {
        Design::new(real, synthetic, choices).map_err(|mistaken| {
            let message = match mistaken {
                Mistake::Unknown(name) => format!("compare the column `{name}`"),
                Mistake::Nothing => "find a column that both sides have".to_owned(),
            };
            let names: Vec<&str> = real.fields().iter().map(|f| f.name().as_str()).collect();
            mistake(message, format!("the real columns are {}", names.join(", ")))
        })
    }

    /// The columns that are held: whether the row is synthetic, and what is compared.
    pub(super) fn held(design: &Design) -> Schema {
        let field = |field: &crate::fidelity::Field| {
            let data_type = match field.kind {
                Kind::Category => DataType::Utf8,
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
                Kind::Number if field.single => DataType::Float32,
                Kind::Number => DataType::Float64,
            };
            Field::new(&field.name, data_type, true)
        };
        let mut fields = vec![Field::new(super::SIDE, DataType::Boolean, false)];
        fields.extend(design.fields.iter().map(field));
        Schema::new(fields)
    }

    /// Where the mark stands in the one input.
    pub(super) fn mark_of(&self, input: &Schema) -> Result<usize> {
        let names: Vec<&str> = input.fields().iter().map(|f| f.name().as_str()).collect();
        input.index_of(&self.mark).map_err(|_| {
            let message = format!("tell synthetic rows by the column `{}`", self.mark);
            let names = names.join(", ");
            mistake(message, format!("give `mark`, or inputs: [real, synthetic]; columns: {names}"))
        })
    }
}
