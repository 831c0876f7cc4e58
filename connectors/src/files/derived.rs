//! Columns that the sink adds: the time at which it took a row, and the parts of a time that name
//! directories.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Utc};
use swiftwater_engine::{Error, Result, Timestamp, schema as columns};

/// A part of a time that names a directory; its name is that of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
}

impl Part {
    const ALL: [(&'static str, Self); 4] =
        [("year", Self::Year), ("month", Self::Month), ("day", Self::Day), ("hour", Self::Hour)];

    /// `2026`, `2026-11`, `2026-11-23` or `2026-11-23-10`, in UTC.
    fn of(self, micros: i64) -> Option<String> {
        let time: DateTime<Utc> = DateTime::from_timestamp_micros(micros)?;
        let format = match self {
            Self::Year => return Some(time.year().to_string()),
            Self::Month => "%Y-%m",
            Self::Day => "%Y-%m-%d",
            Self::Hour => "%Y-%m-%d-%H",
        };
        Some(time.format(format).to_string())
    }
}

/// What is added to rows before they are spread and written.
#[derive(Debug, Clone)]
pub(crate) struct Derived {
    /// The columns with those that are added.
    pub(crate) schema: SchemaRef,
    /// Names of the columns that name directories.
    pub(crate) partition_by: Vec<String>,
    /// Places in the sink's input of the columns that are written.
    places: Vec<usize>,
    created: bool,
    parts: Vec<(Part, usize)>,
}

fn refused(what: String, hint: &str) -> Error {
    Error::config("SW2026", format!("partition by {what}")).with_hint(hint)
}

/// `day(paid_at)` as its function and column.
fn call(text: &str) -> Option<(&str, &str)> {
    let (function, column) = text.strip_suffix(')')?.split_once('(')?;
    Some((function.trim(), column.trim()))
}

impl Derived {
    /// `input` is the columns at `places` of the sink's input.
    ///
    /// # Errors
    /// `Config` (`SW2026`) for a function that does not exist or does not take its column, and for a
    /// name that the input has already.
    pub(crate) fn new(
        input: &SchemaRef,
        places: Vec<usize>,
        partition_by: &[String],
        created: Option<&str>,
    ) -> Result<Self> {
        let mut fields: Vec<Arc<Field>> = input.fields().iter().map(Arc::clone).collect();
        let taken = |fields: &[Arc<Field>], name: &str| fields.iter().any(|f| f.name() == name);
        if let Some(name) = created {
            if taken(&fields, name) {
                let message = format!("add `created_column: {name}`, which the input has");
                return Err(Error::config("SW2026", message).with_hint("give it another name"));
            }
            let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
            fields.push(Arc::new(Field::new(name, micros, false)));
        }
        let (mut names, mut parts) = (Vec::new(), Vec::new());
        for text in partition_by {
            let Some((function, column)) = call(text) else {
                names.push(text.clone());
                continue;
            };
            let (part, place) = part(input, (text, function, column))?;
            if taken(&fields, function) {
                return Err(refused(
                    format!("`{text}`: there is a column `{function}` already"),
                    "rename the column in a `select`, or partition by it",
                ));
            }
            fields.push(Arc::new(Field::new(function, DataType::Utf8, true)));
            names.push(function.to_owned());
            parts.push((part, place));
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        Ok(Self { schema, partition_by: names, places, created: created.is_some(), parts })
    }

    /// The rows with what is added to them, taken at `now`.
    ///
    /// # Errors
    /// `Bug` for rows of other columns.
    pub(crate) fn records(&self, records: &RecordBatch, now: Timestamp) -> Result<RecordBatch> {
        let records = records.project(&self.places)?;
        if !self.created && self.parts.is_empty() {
            return Ok(records);
        }
        let mut arrays = records.columns().to_vec();
        if self.created {
            let times = std::iter::repeat_n(now.0, records.num_rows());
            arrays.push(Arc::new(TimestampMicrosecondArray::from_iter_values(times)));
        }
        for (part, place) in &self.parts {
            let array = records.columns().get(*place);
            let array = array.ok_or_else(|| Error::bug("partition by a column that is missing"))?;
            arrays.push(texts(*part, array)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

fn part(input: &Schema, (text, function, column): (&str, &str, &str)) -> Result<(Part, usize)> {
    let Some((_, part)) = Part::ALL.into_iter().find(|(name, _)| *name == function) else {
        let hint = "there are year(), month(), day() and hour() of a time, in UTC";
        return Err(refused(format!("`{text}`, whose function is not known"), hint));
    };
    let place = input.index_of(column).map_err(|_| {
        let all: Vec<&str> = input.fields().iter().map(|f| f.name().as_str()).collect();
        let hint = format!("name one of {}", all.join(", "));
        refused(format!("`{text}`: the column `{column}` is missing"), &hint)
    })?;
    let data_type = input.field(place).data_type();
    let is_time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32);
    if !is_time || (part == Part::Hour && *data_type == DataType::Date32) {
        let what = format!("`{text}`: `{column}` is {}", columns::name(data_type));
        return Err(refused(what, "give a timestamp; year, month and day take a date as well"));
    }
    Ok((part, place))
}

/// The part of each time. Neighbours are often of one hour: a text is made once for as long as the
/// hour lasts.
fn texts(part: Part, array: &ArrayRef) -> Result<ArrayRef> {
    const HOUR: i64 = 3_600_000_000;
    let micros = match array.data_type() {
        DataType::Timestamp(..) => {
            cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone(array.data_type())))?
        }
        _ => cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?,
    };
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    let mut last: Option<(i64, Option<String>)> = None;
    let mut text = |micros: i64| {
        let hour = micros.div_euclid(HOUR);
        match &last {
            Some((of, text)) if *of == hour => text.clone(),
            _ => {
                let text = part.of(micros);
                last = Some((hour, text.clone()));
                text
            }
        }
    };
    let texts: StringArray = micros.iter().map(|value| value.and_then(&mut text)).collect();
    Ok(Arc::new(texts))
}

/// A time keeps its zone, so that casting changes the unit alone.
fn zone(data_type: &DataType) -> Option<Arc<str>> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(schema: &Schema) -> Vec<usize> {
        (0..schema.fields().len()).collect()
    }
    use arrow::array::TimestampMillisecondArray;

    #[test]
    fn parts_of_a_time_are_in_utc_and_also_before_1970() {
        let cases = [
            (Part::Year, 1_795_428_930_000_000, "2026"),
            (Part::Month, 1_795_428_930_000_000, "2026-11"),
            (Part::Day, 1_795_428_930_000_000, "2026-11-23"),
            (Part::Hour, 1_795_428_930_000_000, "2026-11-23-10"),
            (Part::Hour, -1, "1969-12-31-23"),
        ];
        for (part, micros, expected) in cases {
            assert_eq!(part.of(micros).as_deref(), Some(expected), "{part:?} of {micros}");
        }
    }

    fn input() -> RecordBatch {
        let at = vec![Some(0), Some(-1), None, Some(86_400_000)];
        let at: ArrayRef = Arc::new(TimestampMillisecondArray::from(at));
        RecordBatch::try_from_iter_with_nullable([("at", at, true)]).unwrap()
    }

    #[test]
    fn what_is_added_stands_behind_the_columns() {
        let by = ["day(at)".to_owned(), "at".to_owned()];
        let derived =
            Derived::new(&input().schema(), all(&input().schema()), &by, Some("created")).unwrap();
        assert_eq!(derived.partition_by, ["day", "at"]);
        let records = derived.records(&input(), Timestamp(7)).unwrap();
        let created = records.column(1).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(created.values(), &[7, 7, 7, 7]);
        let days: Vec<_> = records.column(2).as_string::<i32>().iter().collect();
        assert_eq!(days, [Some("1970-01-01"), Some("1969-12-31"), None, Some("1970-01-02")]);
    }

    #[test]
    fn what_cannot_be_added_is_told() {
        let schema = input().schema();
        let told = |by: &str, created: Option<&str>| {
            let error = Derived::new(&schema, all(&schema), &[by.to_owned()], created).unwrap_err();
            assert_eq!(error.code, "SW2026");
            error.to_string()
        };
        assert!(told("week(at)", None).contains("not known"));
        assert!(told("day(ta)", None).contains("missing"));
        assert!(told("day(at)", Some("at")).contains("created_column"));
        assert!(told("day(at)", Some("day")).contains("already"));
    }
}
