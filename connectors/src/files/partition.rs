//! Spreading rows over directories by the values of columns, `day=2026-11-23/kind=bid/`, as Hive,
//! Spark and DuckDB read them.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use swiftwater_engine::{Error, Result, schema as columns};

/// Directory of rows without a value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Rows spread by some columns, which are left out of the files.
pub(crate) struct Partitioning {
    columns: Vec<(usize, String)>,
    rest: Vec<usize>,
    converter: RowConverter,
    /// Directories by the values that lead to them.
    directories: HashMap<OwnedRow, Arc<str>>,
}

/// Directories that are remembered.
const REMEMBERED: usize = 100_000;

/// The columns of the files once `names` are left out.
///
/// # Errors
/// `Config` (`SW2026`) for a column that is missing or cannot name a directory, and where no column
/// is left.
pub(crate) fn remaining(schema: &SchemaRef, names: &[String]) -> Result<SchemaRef> {
    let (_, rest) = split(schema, names)?;
    Ok(Arc::new(schema.project(&rest)?))
}

fn split(schema: &Schema, names: &[String]) -> Result<(Vec<usize>, Vec<usize>)> {
    let refused = |what: String, hint: &str| {
        Error::config("SW2026", format!("partition by {what}")).with_hint(hint)
    };
    let mut by = Vec::with_capacity(names.len());
    for name in names {
        let all: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let place = schema.index_of(name).map_err(|_| {
            refused(
                format!("the missing column `{name}`"),
                &format!("name one of {}", all.join(", ")),
            )
        })?;
        let data_type = schema.field(place).data_type();
        let names_directories = data_type.is_integer()
            || matches!(
                data_type,
                DataType::Utf8
                    | DataType::Utf8View
                    | DataType::LargeUtf8
                    | DataType::Boolean
                    | DataType::Date32
                    | DataType::Timestamp(..)
            );
        if !names_directories {
            let what = format!("`{name}`, which is {}", columns::name(data_type));
            return Err(refused(what, "use text, whole numbers, booleans, dates or timestamps"));
        }
        if by.contains(&place) {
            return Err(refused(format!("`{name}` twice"), "name each column once"));
        }
        by.push(place);
    }
    let rest: Vec<usize> = (0..schema.fields().len()).filter(|i| !by.contains(i)).collect();
    if rest.is_empty() {
        return Err(refused("all columns".into(), "leave at least one column for the files"));
    }
    Ok((by, rest))
}

impl Partitioning {
    /// # Errors
    /// As [`remaining`].
    pub(crate) fn new(schema: &SchemaRef, names: &[String]) -> Result<Self> {
        let (by, rest) = split(schema, names)?;
        let fields = by.iter().map(|&i| SortField::new(schema.field(i).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let columns = by.into_iter().zip(names.iter().cloned()).collect();
        Ok(Self { columns, rest, converter, directories: HashMap::new() })
    }

    /// The rows of each directory, without the columns that name it.
    ///
    /// # Errors
    /// `Data` where a value cannot be taken as text.
    pub(crate) fn spread(&mut self, records: &RecordBatch) -> Result<Vec<(Arc<str>, RecordBatch)>> {
        let by: Vec<usize> = self.columns.iter().map(|(place, _)| *place).collect();
        let values = records.project(&by)?;
        let rows = self.converter.convert_columns(values.columns())?;
        let mut order: Vec<Vec<u32>> = Vec::new();
        let mut groups: HashMap<arrow::row::Row<'_>, usize> = HashMap::new();
        for (number, row) in (0..).zip(rows.iter()) {
            let group = *groups.entry(row).or_insert(order.len());
            match order.get_mut(group) {
                Some(members) => members.push(number),
                None => order.push(vec![number]),
            }
        }
        if self.directories.len() + order.len() > REMEMBERED {
            self.directories.clear();
        }
        let kept = records.project(&self.rest)?;
        let whole = order.len() == 1;
        let mut spread = Vec::with_capacity(order.len());
        for members in order {
            let first = members.first().map_or(0, |m| *m as usize);
            let key = rows.row(first).owned();
            let directory = match self.directories.get(&key) {
                Some(known) => Arc::clone(known),
                None => {
                    let made: Arc<str> = self.directory(&values, first)?.into();
                    self.directories.insert(key, Arc::clone(&made));
                    made
                }
            };
            let part = if whole {
                kept.clone()
            } else {
                take_record_batch(&kept, &UInt32Array::from(members))?
            };
            spread.push((directory, part));
        }
        Ok(spread)
    }

    fn directory(&self, values: &RecordBatch, row: usize) -> Result<String> {
        let options = FormatOptions::new();
        let mut path = String::new();
        for ((_, name), column) in self.columns.iter().zip(values.columns()) {
            escape(name, &mut path);
            path.push('=');
            if column.is_null(row) {
                path.push_str(NULL);
            } else {
                let text = ArrayFormatter::try_new(column, &options)?.value(row).try_to_string()?;
                // Hive has no form for empty text but that of null.
                if text.is_empty() { path.push_str(NULL) } else { escape(&text, &mut path) }
            }
            path.push('/');
        }
        Ok(path)
    }
}

/// Writes text so that it is one name of a directory everywhere: what is special to file systems,
/// URLs or Hive becomes `%XX`.
fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        let plain = letter.is_ascii_alphanumeric()
            || matches!(letter, '-' | '_' | '.' | ' ' | '+')
            || !letter.is_ascii();
        if plain && text != "." && text != ".." {
            out.push(letter);
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{:02X}", u32::from(letter)).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    fn records() -> RecordBatch {
        let kind: ArrayRef =
            Arc::new(StringArray::from(vec![Some("a/b"), None, Some("a/b"), Some(".."), Some("")]));
        let year: ArrayRef = Arc::new(Int64Array::from(vec![2026, 2026, 2026, -1, 2026]));
        let n: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4]));
        RecordBatch::try_from_iter([("kind", kind), ("n", n), ("year", year)]).unwrap()
    }

    #[test]
    fn rows_go_to_the_directories_of_their_values() {
        let by = ["year".to_owned(), "kind".to_owned()];
        let mut partitioning = Partitioning::new(&records().schema(), &by).unwrap();
        let spread = partitioning.spread(&records()).unwrap();
        let found: Vec<(&str, Vec<i64>)> = spread
            .iter()
            .map(|(d, r)| {
                assert_eq!(r.num_columns(), 1);
                (d.as_ref(), r.column(0).as_primitive::<Int64Type>().values().to_vec())
            })
            .collect();
        let expected = [
            ("year=2026/kind=a%2Fb/", vec![0, 2]),
            ("year=2026/kind=__HIVE_DEFAULT_PARTITION__/", vec![1]),
            ("year=-1/kind=%2E%2E/", vec![3]),
            ("year=2026/kind=__HIVE_DEFAULT_PARTITION__/", vec![4]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn values_become_names_of_directories() {
        for (value, name) in [("Zürich", "Zürich"), ("a/b=c%", "a%2Fb%3Dc%25"), ("..", "%2E%2E")]
        {
            let mut escaped = String::new();
            escape(value, &mut escaped);
            assert_eq!(escaped, name);
        }
    }

    #[test]
    fn columns_that_cannot_name_a_directory_are_told() {
        let schema = records().schema();
        let told = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            remaining(&schema, &names).unwrap_err().to_string()
        };
        assert!(told(&["day"]).contains("kind, n, year"));
        assert!(told(&["kind", "kind"]).contains("twice"));
        assert!(told(&["kind", "n", "year"]).contains("all columns"));
        let float = Arc::new(Schema::new(vec![
            arrow::datatypes::Field::new("f", DataType::Float64, true),
            arrow::datatypes::Field::new("g", DataType::Float64, true),
        ]));
        assert!(remaining(&float, &["f".into()]).unwrap_err().message.contains("float64"));
    }
}
