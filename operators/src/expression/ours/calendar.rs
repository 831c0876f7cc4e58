//! The calendar where people live: weekends and working hours of a time zone.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{DatePart, date_part};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion_common::{Result, exec_err};

use super::row_wise::RowWise;

pub(super) fn functions() -> Vec<RowWise> {
    let at = || DataType::Timestamp(TimeUnit::Microsecond, None);
    vec![
        RowWise::new(
            ("is_weekend", "is_weekend(at, 'Europe/Berlin')"),
            vec![at(), DataType::Utf8],
            DataType::Boolean,
            is_weekend,
        ),
        RowWise::new(
            ("is_business_hour", "is_business_hour(at, 'Europe/Berlin', 9, 17)"),
            vec![at(), DataType::Utf8, DataType::Int64, DataType::Int64],
            DataType::Boolean,
            is_business_hour,
        ),
    ]
}

/// Weekday from Monday = 0, and hour, in the time zone of each row; rows of one zone together.
fn local(at: &ArrayRef, zones: &ArrayRef) -> Result<Vec<Option<(i32, i32)>>> {
    let (times, zones) = (at.as_primitive::<TimestampMicrosecondType>(), zones.as_string::<i32>());
    let mut found = vec![None; times.len()];
    let mut names: Vec<&str> = zones.iter().flatten().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let times = times.clone().with_timezone(name);
        let days = date_part(&times, DatePart::DayOfWeekMonday0)?;
        let hours = date_part(&times, DatePart::Hour)?;
        let (days, hours) = (days.as_primitive::<Int32Type>(), hours.as_primitive::<Int32Type>());
        for (row, found) in found.iter_mut().enumerate() {
            if zones.is_valid(row) && zones.value(row) == name && days.is_valid(row) {
                *found = Some((days.value(row), hours.value(row)));
            }
        }
    }
    Ok(found)
}

/// Saturdays and Sundays.
fn is_weekend(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [at, zones] = columns else { return exec_err!("two arguments") };
    let weekend = |local: Option<(i32, i32)>| local.map(|(day, _)| day >= 5);
    Ok(Arc::new(local(at, zones)?.into_iter().map(weekend).collect::<BooleanArray>()))
}

/// Mondays to Fridays, from one hour up to another.
fn is_business_hour(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [at, zones, from, to] = columns else { return exec_err!("four arguments") };
    let (from, to) = (from.as_primitive::<Int64Type>(), to.as_primitive::<Int64Type>());
    let local = local(at, zones)?;
    let one = |(row, local): (usize, Option<(i32, i32)>)| {
        let (day, hour) = local?;
        let hours =
            (from.is_valid(row) && to.is_valid(row)).then(|| from.value(row)..to.value(row));
        Some(day < 5 && hours?.contains(&i64::from(hour)))
    };
    Ok(Arc::new(local.into_iter().enumerate().map(one).collect::<BooleanArray>()))
}
