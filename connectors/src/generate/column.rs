//! A generated column: its options as a topology file writes them, and the [`Column`] behind them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options, nullif};
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{Error, Result, schema};

use super::choice::ChoiceOptions;
use super::constant::Constant;
use super::fake::{Fakes, Invented};
use super::parent::ParentOptions;
use super::pattern::Pattern;
use super::random::{Stream, unit};
use super::real::LawOptions;
use super::sequence::SequenceOptions;
use super::states::StatesOptions;
use super::text::TextOptions;
pub(crate) use super::timeline::Timeline;
use super::timestamp::TimestampOptions;
use super::uniform::UniformOptions;
use super::uuid::UuidOptions;
use super::zipf::ZipfOptions;

pub(crate) use swiftwater_engine::lanes::Rows;

/// Values of one column: row i is a function of the seed, i and the column, and of nothing else.
pub(crate) trait Column: Send + Sync {
    /// Type of the values.
    fn data_type(&self) -> DataType;

    /// The values of `rows`.
    fn values(&self, rows: Rows, time: Timeline) -> ArrayRef;

    /// Values between which all others lie, so that a cast can be checked before it runs.
    fn extremes(&self) -> Option<ArrayRef> {
        None
    }
}

/// One column: exactly one distribution, and how it is typed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ColumnOptions {
    /// Counts up from row to row.
    pub sequence: Option<SequenceOptions>,
    /// Numbers that are equally likely between two bounds.
    pub uniform: Option<UniformOptions>,
    /// One of several values, equally likely or weighted.
    pub choice: Option<ChoiceOptions>,
    /// Whole numbers from 1, where the k-th is k^-exponent times as likely as the first: popular
    /// keys and long tails.
    pub zipf: Option<ZipfOptions>,
    /// Laws of real numbers.
    #[serde(flatten)]
    pub law: LawOptions,
    /// The key of a row of another generated stream.
    pub parent: Option<ParentOptions>,
    /// The state of an entity that goes from one to the next.
    pub states: Option<StatesOptions>,
    /// Text that a regular expression describes: `"[A-Z]{2}-[0-9]{4}"`.
    pub pattern: Option<String>,
    /// Names, addresses and the like: `fake: name`.
    pub fake: Option<Invented>,
    /// The same value in every row: text, a number or a boolean.
    pub constant: Option<Constant>,
    /// The row's event time: `start` + row / `rate`.
    pub timestamp: Option<TimestampOptions>,
    /// Random letters and digits.
    pub text: Option<TextOptions>,
    /// A random identifier in the form of a UUID (version 4).
    pub uuid: Option<UuidOptions>,
    /// Type of the column, such as `int32` or `decimal(10,2)`; the distribution's own without it.
    #[serde(rename = "type")]
    pub data_type: Option<String>,
    /// Share of rows, from 0 to 1, that are null.
    pub nulls: Option<f64>,
}

impl ColumnOptions {
    /// The column behind the options.
    ///
    /// # Errors
    /// `Config` for none or several distributions (`SW2002`) and for values that make no sense
    /// (`SW2003`, `SW2004`).
    pub(crate) fn build(self, name: &str, seed: u64) -> Result<Generated> {
        let stream = Stream::new(seed, name, 0);
        let mut all: Vec<Box<dyn Column>> = Vec::new();
        if let Some(o) = self.sequence {
            all.push(Box::new(o.build(name)?));
        }
        if let Some(o) = self.uniform {
            all.push(o.build(name, stream)?);
        }
        if let Some(o) = self.choice {
            all.push(Box::new(o.build(name, stream)?));
        }
        if let Some(o) = self.zipf {
            all.push(Box::new(o.build(name, stream)?));
        }
        for real in self.law.build(name, stream)? {
            all.push(Box::new(real));
        }
        if let Some(o) = self.parent {
            all.push(Box::new(o.build(name, stream)?));
        }
        if let Some(o) = self.states {
            all.push(Box::new(o.build(name, stream)?));
        }
        if let Some(pattern) = self.pattern {
            all.push(Box::new(Pattern::new(name, &pattern, stream)?));
        }
        if let Some(what) = self.fake {
            all.push(Box::new(Fakes { what, stream }));
        }
        if let Some(constant) = self.constant {
            all.push(Box::new(constant.build(name)?));
        }
        if let Some(o) = self.timestamp {
            all.push(Box::new(o.build()));
        }
        if let Some(o) = self.text {
            all.push(Box::new(o.build(name, seed)?));
        }
        if let Some(o) = self.uuid {
            all.push(Box::new(o.build(name, seed)));
        }
        let count = all.len();
        let (Some(column), 1) = (all.pop(), count) else {
            return Err(Error::config(
                "SW2002",
                format!("generate column `{name}` from {count} distributions"),
            )
            .with_hint(
                "name exactly one of sequence, uniform, choice, zipf, normal, lognormal, exponential, \
                 pareto, histogram, empirical, mixture, parent, states, pattern, fake, constant, \
                 timestamp, text, uuid",
            ));
        };
        Generated::new(name, column, seed).typed(self.data_type.as_deref())?.with_nulls(self.nulls)
    }
}

/// A column with its field, cast and nulls.
pub(crate) struct Generated {
    /// Name, type and whether nulls occur.
    pub field: Field,
    column: Box<dyn Column>,
    nulls: Option<(Stream, f64)>,
    null_stream: Stream,
}

/// The error of an option whose value makes no sense.
pub(crate) fn bad_option(column: &str, what: impl std::fmt::Display, hint: &str) -> Error {
    Error::config("SW2003", format!("generate column `{column}`: {what}")).with_hint(hint)
}

fn strictly() -> CastOptions<'static> {
    CastOptions { safe: false, ..CastOptions::default() }
}

impl Generated {
    /// A column of the distribution's own type, without nulls.
    pub(crate) fn new(name: &str, column: Box<dyn Column>, seed: u64) -> Self {
        Self {
            field: Field::new(name, column.data_type(), false),
            column,
            nulls: None,
            null_stream: Stream::new(seed, name, u64::MAX),
        }
    }

    fn typed(mut self, text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(self) };
        let name = self.field.name();
        let to = schema::parse(text).ok_or_else(|| {
            bad_option(
                name,
                format!("unknown type `{text}`"),
                &format!("use {} or decimal(p,s)", schema::type_names().join(", ")),
            )
        })?;
        let from = self.column.data_type();
        let refused = |cause: String| {
            let own = schema::name(&from);
            Error::config(
                "SW2004",
                format!("generate column `{name}` as `{text}` from {own}{cause}"),
            )
            .with_hint("use a wider type, or a distribution whose values fit")
        };
        if to.is_nested() || !can_cast_types(&from, &to) {
            return Err(refused(String::new()));
        }
        if let Some(extremes) = self.column.extremes() {
            cast_with_options(&extremes, &to, &strictly())
                .map_err(|e| refused(format!(": {e}")))?;
        }
        self.field = self.field.with_data_type(to);
        Ok(self)
    }

    fn with_nulls(mut self, share: Option<f64>) -> Result<Self> {
        let Some(share) = share else { return Ok(self) };
        if !(0.0..=1.0).contains(&share) {
            return Err(bad_option(
                self.field.name(),
                format!("`nulls: {share}` is not a share"),
                "give a number from 0 to 1",
            ));
        }
        self.nulls = Some((self.null_stream, share));
        self.field = self.field.with_nullable(true);
        Ok(self)
    }

    /// The values of `rows`.
    ///
    /// # Errors
    /// `Data` (`SW2005`) where a value no longer fits the declared type.
    pub(crate) fn values(&self, rows: Rows, time: Timeline) -> Result<ArrayRef> {
        let mut values = self.column.values(rows, time);
        if values.data_type() != self.field.data_type() {
            values =
                cast_with_options(&values, self.field.data_type(), &strictly()).map_err(|e| {
                    let name = self.field.name();
                    Error::data("SW2005", format!("generate column `{name}` at row {}", rows.first))
                        .with_hint("use a wider `type`")
                        .with_source(e)
                })?;
        }
        if let Some((stream, share)) = self.nulls {
            let null: BooleanArray =
                rows.iter().map(|row| Some(unit(stream.at(row)) < share)).collect();
            values = nullif(&values, &null)?;
        }
        Ok(values)
    }
}

/// Makes an array of a builder's or an iterator's outcome.
pub(crate) fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}
