//! What `anonymize` does to the values of a column.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, new_null_array,
};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, Schema};
use swiftwater_engine::{Result, Timestamp, schema};

use super::mistake;
use super::options::{AnonymizedColumn, Method, TimePart, TokenAlphabet};
use crate::expression::Expression;
use crate::privacy::{Alphabet, Pseudonyms, Tokens};

/// A planned change of a column.
pub(super) enum Change {
    Keep,
    Null,
    Hash(Pseudonyms),
    Token(Box<Tokens>),
    Mask {
        keep_first: usize,
        keep_last: usize,
        with: String,
    },
    Prefix(usize),
    /// Whole numbers by a whole width.
    WholeBins(i64),
    Bins(f64),
    Edges(Vec<f64>),
    Truncate(Expression),
}

impl TimePart {
    const fn word(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
        }
    }
}

impl Change {
    /// The change of a column; `None` where it is left out.
    pub(super) fn plan(
        options: &AnonymizedColumn,
        (name, of): (&str, &DataType),
        key: Option<&str>,
        input: &Schema,
    ) -> Result<Option<Self>> {
        let refuse = |why: &str, hint: &str| mistake(format!("anonymize `{name}`: {why}"), hint);
        let key = || {
            let hint = r#"write key: "${file:/run/secrets/anonymize}""#;
            key.ok_or_else(|| refuse("there is no key", hint))
        };
        let wrong = |wanted: &str| {
            let why = format!("{:?} takes {wanted}, not {}", options.method, schema::name(of));
            refuse(&why.to_lowercase(), "cast it in a `select` before")
        };
        let domain = options.domain.as_deref().unwrap_or_default();
        Ok(Some(match options.method {
            Method::Keep => Self::Keep,
            Method::Null => Self::Null,
            Method::Drop => return Ok(None),
            Method::Hash => {
                if of.is_nested() || !can_cast_types(of, &DataType::Utf8) {
                    return Err(wrong("plain values"));
                }
                let length = options.length.unwrap_or(32);
                if !(16..=64).contains(&length) {
                    return Err(refuse("a hash has 16 to 64 digits", "write length: 32"));
                }
                Self::Hash(Pseudonyms::new(key()?, domain, length)?)
            }
            Method::Token | Method::Mask | Method::Prefix if *of != DataType::Utf8 => {
                return Err(wrong("text"));
            }
            Method::Token => {
                let alphabet = match options.alphabet {
                    None | Some(TokenAlphabet::Digits) => Alphabet::Digits,
                    Some(TokenAlphabet::Alphanumeric) => Alphabet::Alphanumeric,
                };
                Self::Token(Box::new(Tokens::new(key()?, domain, alphabet)?))
            }
            Method::Mask => Self::Mask {
                keep_first: options.keep_first.unwrap_or(0),
                keep_last: options.keep_last.unwrap_or(0),
                with: options.with.clone().unwrap_or_else(|| "*".to_owned()),
            },
            Method::Prefix => Self::Prefix(
                options.length.ok_or_else(|| refuse("how long is a prefix?", "write length: 3"))?,
            ),
            Method::Bin if !of.is_numeric() => return Err(wrong("numbers")),
            Method::Bin => Self::bins(options, of)
                .map_err(|why| refuse(why, "write width: 10, or edges: [0, 18, 65]"))?,
            Method::Truncate => {
                let part =
                    options.to.ok_or_else(|| refuse("what is it cut to?", "write to: day"))?.word();
                if !matches!(of, DataType::Timestamp(..) | DataType::Date32) {
                    return Err(wrong("times"));
                }
                let column = name.replace('"', "\"\"");
                let text = format!("date_trunc('{part}', \"{column}\")");
                Self::Truncate(Expression::plan(&text, &Arc::new(input.clone()))?)
            }
        }))
    }

    fn bins(options: &AnonymizedColumn, of: &DataType) -> Result<Self, &'static str> {
        match (options.width, &options.edges) {
            (Some(width), None) if width.is_finite() && width > 0.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "looked at just now")]
                let whole = (width.fract() == 0.0 && width < 1e15).then_some(width as i64);
                match whole {
                    Some(width) if of.is_integer() => Ok(Self::WholeBins(width)),
                    _ if of.is_integer() => Err("whole numbers need a whole width"),
                    _ => Ok(Self::Bins(width)),
                }
            }
            (Some(_), None) => Err("a width is above 0"),
            (None, Some(edges)) if edges.is_empty() => Err("there are no edges"),
            (None, Some(edges)) => {
                let ascending = edges.is_sorted_by(|a, b| a < b);
                let fits = edges.iter().all(|e| e.is_finite());
                match ascending && fits {
                    true => Ok(Self::Edges(edges.clone())),
                    false => Err("edges ascend"),
                }
            }
            _ => Err("bins need either a width or edges"),
        }
    }

    /// The column that comes out.
    pub(super) fn field(&self, of: &FieldRef) -> FieldRef {
        let (data_type, nullable) = match self {
            Self::Keep => return Arc::clone(of),
            Self::Null => (of.data_type().clone(), true),
            Self::Hash(_) | Self::Token(_) | Self::Mask { .. } | Self::Prefix(_) => {
                (DataType::Utf8, of.is_nullable())
            }
            Self::WholeBins(_) => (DataType::Int64, true),
            Self::Bins(_) | Self::Edges(_) => (DataType::Float64, true),
            Self::Truncate(expression) => (expression.field().data_type().clone(), true),
        };
        Arc::new(Field::new(of.name(), data_type, nullable))
    }

    /// The values that come out.
    pub(super) fn apply(
        &self,
        values: &ArrayRef,
        records: &RecordBatch,
        now: Timestamp,
    ) -> Result<ArrayRef> {
        Ok(match self {
            Self::Keep => Arc::clone(values),
            Self::Null => new_null_array(values.data_type(), values.len()),
            Self::Hash(hash) => texts(values, |text| hash.of(text))?,
            Self::Token(tokens) => texts(values, |text| tokens.of(text))?,
            Self::Mask { keep_first, keep_last, with } => {
                texts(values, |text| Ok(mask(text, (*keep_first, *keep_last), with)))?
            }
            Self::Prefix(length) => texts(values, |text| Ok(text.chars().take(*length).collect()))?,
            Self::WholeBins(width) => {
                let numbers = cast(values, &DataType::Int64)?;
                let numbers = numbers.as_primitive::<Int64Type>().iter();
                let bin = |n: i64| n.div_euclid(*width).checked_mul(*width);
                Arc::new(numbers.map(|n| n.and_then(bin)).collect::<Int64Array>())
            }
            Self::Bins(width) => floats(values, |n| Some((n / width).floor() * width))?,
            Self::Edges(edges) => floats(values, |n| {
                let above = edges.partition_point(|edge| *edge <= n);
                edges.get(above.checked_sub(1)?).copied()
            })?,
            Self::Truncate(expression) => expression.evaluate(records, now)?,
        })
    }
}

fn texts(values: &ArrayRef, change: impl Fn(&str) -> Result<String>) -> Result<ArrayRef> {
    let texts = cast(values, &DataType::Utf8)?;
    let changed = texts.as_string::<i32>().iter().map(|text| text.map(&change).transpose());
    Ok(Arc::new(changed.collect::<Result<StringArray>>()?))
}

fn floats(values: &ArrayRef, change: impl Fn(f64) -> Option<f64>) -> Result<ArrayRef> {
    let numbers = cast(values, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    let changed = numbers.map(|n| n.filter(|n| n.is_finite()).and_then(&change));
    Ok(Arc::new(changed.collect::<Float64Array>()))
}

fn mask(text: &str, (first, last): (usize, usize), with: &str) -> String {
    let count = text.chars().count();
    let short = count <= first.saturating_add(last);
    let stays = |n: usize| !short && (n < first || n >= count - last);
    let mut masked = String::with_capacity(text.len());
    for (n, character) in text.chars().enumerate() {
        if stays(n) {
            masked.push(character);
        } else {
            masked.push_str(with);
        }
    }
    masked
}
