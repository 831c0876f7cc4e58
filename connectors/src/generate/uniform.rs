//! Numbers that are equally likely between two bounds.

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Number;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};
use super::random::{Stream, below, unit};

/// Whole numbers where both bounds are whole (both included), doubles otherwise (`max` excluded).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UniformOptions {
    /// Smallest value.
    pub min: Number,
    /// Largest value.
    pub max: Number,
    /// Rounds doubles to this many decimals.
    #[serde(default)]
    pub decimals: Option<u8>,
}

impl UniformOptions {
    pub(super) fn build(self, name: &str, stream: Stream) -> Result<Box<dyn Column>> {
        let refused = |what: &str, hint: &str| {
            let (min, max) = (&self.min, &self.max);
            bad_option(name, format!("{what} `uniform: {{min: {min}, max: {max}}}`"), hint)
        };
        if let (Some(min), Some(max), None) = (self.min.as_i64(), self.max.as_i64(), self.decimals)
        {
            let span = max.checked_sub(min).and_then(|s| u64::try_from(s).ok());
            let Some(span) = span else {
                return Err(refused("no value in", "`max` must not be below `min`"));
            };
            return Ok(Box::new(UniformInteger { min, max, span: span + 1, stream }));
        }
        let (min, max) = (self.min.as_f64(), self.max.as_f64());
        match (min, max) {
            (Some(min), Some(max)) if min <= max && (max - min).is_finite() => {
                let scale = self.decimals.map(|d| 10_f64.powi(i32::from(d)));
                Ok(Box::new(UniformDouble { min, max, scale, stream }))
            }
            _ => Err(refused("no value in", "`max` must not be below `min`")),
        }
    }
}

struct UniformInteger {
    min: i64,
    max: i64,
    span: u64,
    stream: Stream,
}

impl Column for UniformInteger {
    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let value = |row| self.min.wrapping_add_unsigned(below(self.stream.at(row), self.span));
        array(Int64Array::from_iter_values(rows.iter().map(value)))
    }

    fn extremes(&self) -> Option<ArrayRef> {
        Some(array(Int64Array::from(vec![self.min, self.max])))
    }
}

struct UniformDouble {
    min: f64,
    max: f64,
    scale: Option<f64>,
    stream: Stream,
}

impl Column for UniformDouble {
    fn data_type(&self) -> DataType {
        DataType::Float64
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let width = self.max - self.min;
        let value = |row| self.min + unit(self.stream.at(row)) * width;
        array(match self.scale {
            None => Float64Array::from_iter_values(rows.iter().map(value)),
            Some(scale) => {
                let rounded = |row| (value(row) * scale).round() / scale;
                Float64Array::from_iter_values(rows.iter().map(rounded))
            }
        })
    }

    fn extremes(&self) -> Option<ArrayRef> {
        Some(array(Float64Array::from(vec![self.min, self.max])))
    }
}
