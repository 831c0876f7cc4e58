//! Columns as doubles and back: a time counts in its own unit, from the row's event time where there
//! is one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use swiftwater_engine::Result;

/// Whether values of the type are numbers to a model.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Timestamp(..) | DataType::Date32)
}

/// An event time of microseconds in a unit.
const fn in_unit(micros: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => micros.div_euclid(1_000_000),
        TimeUnit::Millisecond => micros.div_euclid(1000),
        TimeUnit::Microsecond => micros,
        TimeUnit::Nanosecond => micros.saturating_mul(1000),
    }
}

/// The numbers of a column; NaN where there is none. `times` are the rows' event times in
/// microseconds, to which times are relative.
pub(crate) fn of_column(column: &ArrayRef, times: Option<&[i64]>) -> Result<Vec<f64>> {
    if let DataType::Timestamp(unit, _) = column.data_type() {
        let column = cast(column, &DataType::Int64)?;
        let column = column.as_primitive::<Int64Type>();
        let from =
            |row: usize| times.and_then(|t| t.get(row)).map_or(0, |time| in_unit(*time, *unit));
        let value = |(row, value): (usize, Option<i64>)| {
            value.map_or(f64::NAN, |v| v.saturating_sub(from(row)) as f64)
        };
        return Ok(column.iter().enumerate().map(value).collect());
    }
    let column = match column.data_type() {
        DataType::Date32 => cast(&cast(column, &DataType::Int32)?, &DataType::Float64)?,
        _ => cast(column, &DataType::Float64)?,
    };
    let column = column.as_primitive::<Float64Type>();
    let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
    if column.null_count() == 0 {
        return Ok(column.values().iter().map(|v| finite(*v)).collect());
    }
    Ok(column.iter().map(|v| v.map_or(f64::NAN, finite)).collect())
}

/// A column of these numbers, NaN being null.
pub(crate) fn to_column(
    values: &[f64],
    data_type: &DataType,
    times: Option<&[i64]>,
) -> Result<ArrayRef> {
    let some = |value: f64| (!value.is_nan()).then_some(value);
    if let DataType::Timestamp(unit, _) = data_type {
        let from =
            |row: usize| times.and_then(|t| t.get(row)).map_or(0, |time| in_unit(*time, *unit));
        let of = |(row, value): (usize, &f64)| {
            some(*value).map(|v| (v as i64).saturating_add(from(row)))
        };
        let column: ArrayRef = Arc::new(values.iter().enumerate().map(of).collect::<Int64Array>());
        return Ok(cast(&column, data_type)?);
    }
    if data_type.is_integer() || *data_type == DataType::Date32 {
        let of = |value: &f64| some(*value).map(|v| v.round() as i64);
        let column: ArrayRef = Arc::new(values.iter().map(of).collect::<Int64Array>());
        if *data_type == DataType::Date32 {
            return Ok(cast(&cast(&column, &DataType::Int32)?, data_type)?);
        }
        return Ok(cast(&column, data_type)?);
    }
    let column: ArrayRef = if values.iter().any(|v| v.is_nan()) {
        Arc::new(values.iter().map(|v| some(*v)).collect::<Float64Array>())
    } else {
        Arc::new(Float64Array::from(values.to_vec()))
    };
    Ok(cast(&column, data_type)?)
}

/// Digits that are tried behind the point.
const MOST_DECIMALS: u8 = 6;
/// Says that values have more digits than are tried.
pub(crate) const MANY: u8 = u8::MAX;

/// The digits behind the point that `value` needs where `known` ones are known to be needed.
pub(crate) fn decimals(value: f64, known: u8) -> u8 {
    let mut digits = known;
    while digits <= MOST_DECIMALS {
        let scaled = value * 10_f64.powi(i32::from(digits));
        if (scaled - scaled.round()).abs() <= 1e-9 * scaled.abs().max(1e-3) {
            return digits;
        }
        digits += 1;
    }
    MANY
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use swiftwater_engine::testing::rows;

    use super::*;

    #[test]
    fn columns_come_back_from_numbers() {
        let schema = rows::columns(&json!({
            "i": "int64", "u": "uint8", "f": "float32", "d": "decimal(10,2)", "day": "date",
            "at": "timestamp_ms", "ns": "timestamp_ns",
        }));
        let batch = rows::made_up(&schema, 100, 5, true);
        let times: Vec<i64> = (0..100).map(|i| 1_767_225_600_000_000 + i * 7_000).collect();
        for column in batch.columns() {
            for times in [None, Some(times.as_slice())] {
                if times.is_none()
                    && *column.data_type() == DataType::Timestamp(TimeUnit::Nanosecond, None)
                {
                    // Nanoseconds since 1970 need more than the 53 bits of a double.
                    continue;
                }
                let numbers = of_column(column, times).unwrap();
                assert_eq!(&to_column(&numbers, column.data_type(), times).unwrap(), column);
            }
        }
    }

    #[test]
    fn digits_behind_the_point_are_counted() {
        let of = |values: &[f64]| values.iter().fold(0, |known, v| decimals(*v, known));
        assert_eq!(of(&[1.0, 20.0, -3.0]), 0);
        assert_eq!(of(&[1.0, 20.5, -3.25, 123_456.78]), 2);
        assert_eq!(of(&[0.1 + 0.2]), 1);
        assert_eq!(of(&[1.0 / 3.0, 1.5]), MANY);
    }
}
