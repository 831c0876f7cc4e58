//! Parameters as rows: what was learned leaves in the form in which it is read back.

use std::io::BufReader;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit};
use hashbrown::HashMap;
use serde_json::Value;
use swiftwater_engine::{Error, Result};

use super::fit::{Fit, Parameter};
use super::transform::Column;

const TEXTS: [&str; 4] = ["column", "key", "category", "statistic"];

/// Columns of the rows.
pub(super) fn schema(time: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("column", DataType::Utf8, false),
        Field::new("key", DataType::Utf8, true),
        Field::new("category", DataType::Utf8, true),
        Field::new("statistic", DataType::Utf8, false),
        Field::new("value", DataType::Float64, false),
        Field::new("version", DataType::Int64, false),
        Field::new(time, DataType::Timestamp(TimeUnit::Microsecond, None), false),
    ]))
}

/// The key of each row as one text: null without a key, the value of a single column, a JSON list
/// of several ones.
pub(super) fn key_texts(keys: &[ArrayRef], rows: usize) -> Result<Vec<Option<String>>> {
    let texts: Vec<ArrayRef> =
        keys.iter().map(|key| cast(key, &DataType::Utf8)).collect::<std::result::Result<_, _>>()?;
    let of = |column: &ArrayRef, row: usize| {
        let column = column.as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let one = |row| match texts.as_slice() {
        [] => None,
        [one] => of(one, row),
        many => {
            let values = many.iter().map(|c| of(c, row).map_or(Value::Null, Value::String));
            Some(Value::Array(values.collect()).to_string())
        }
    };
    Ok((0..rows).map(one).collect())
}

/// Rows that grow.
#[derive(Debug, Default)]
pub(super) struct Exported {
    column: StringBuilder,
    key: StringBuilder,
    category: StringBuilder,
    statistic: StringBuilder,
    value: Float64Builder,
    version: Int64Builder,
    time: TimestampMicrosecondBuilder,
}

impl Exported {
    /// Adds what is known of a column.
    pub(super) fn add(
        &mut self,
        (column, fit): (&Column, &Fit),
        key: Option<&str>,
        (version, time): (i64, i64),
    ) {
        fit.parameters(&column.spec, |category, statistic, value| {
            self.column.append_value(column.field.name());
            self.key.append_option(key);
            self.category.append_option(category);
            self.statistic.append_value(statistic);
            self.value.append_value(value);
            self.version.append_value(version);
            self.time.append_value(time);
        });
    }

    pub(super) fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.column.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.category.finish()),
            Arc::new(self.statistic.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.time.finish()),
        ];
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

fn unreadable(path: &str, why: &str) -> Error {
    Error::config("SW0362", format!("read the parameters `{path}`: {why}")).with_hint(
        "a file of JSON lines or of CSV with a header, as the port `parameters` gives them: column, key, category, statistic, value, version",
    )
}

/// A file of parameters: what each column knows, by key.
pub(super) type Served = HashMap<Option<String>, Vec<Fit>>;

/// Parameters of a column and key, with their version.
type Found = HashMap<(String, Option<String>), (i64, Vec<Parameter>)>;

/// Reads a file; of each column and key the newest version counts.
pub(super) fn read(path: &str, columns: &[Column]) -> Result<Served> {
    let mut found = Found::new();
    for batch in batches(path)? {
        collect(&batch.map_err(|e| unreadable(path, &e.to_string()))?, path, &mut found)?;
    }
    let mut keys: Vec<Option<String>> = found.keys().map(|(_, key)| key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    for column in columns {
        let name = column.field.name();
        let known =
            matches!(column.spec.statistic, super::Statistic::None | super::Statistic::Last);
        if !known && !found.keys().any(|(column, _)| column == name) {
            return Err(unreadable(path, &format!("it says nothing of the column `{name}`")));
        }
    }
    let mut served = Served::new();
    for key in keys {
        let fits = columns.iter().map(|column| {
            let rows = found.get(&(column.field.name().clone(), key.clone()));
            rows.map_or_else(
                || Ok(Fit::new(&column.spec)),
                |(_, rows)| Fit::of_parameters(&column.spec, rows),
            )
        });
        let fits = fits.collect::<Result<Vec<Fit>>>()?;
        served.insert(key, fits);
    }
    Ok(served)
}

type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, arrow::error::ArrowError>>>;

fn batches(path: &str) -> Result<Batches> {
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, &e.to_string()))?;
    let of = |name: &str| match name {
        "value" => DataType::Float64,
        "version" => DataType::Int64,
        _ => DataType::Utf8,
    };
    let failed = |e: arrow::error::ArrowError| unreadable(path, &e.to_string());
    if path.ends_with(".csv") {
        let header = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let header = String::from_utf8_lossy(header);
        let names = header.split(',').map(|name| name.trim().trim_matches('"').to_owned());
        let fields: Vec<Field> = names.map(|name| Field::new(&name, of(&name), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let reader = arrow::csv::ReaderBuilder::new(schema).with_header(true);
        return Ok(Box::new(reader.build(std::io::Cursor::new(bytes)).map_err(failed)?));
    }
    let names = TEXTS.into_iter().chain(["value", "version"]);
    let fields: Vec<Field> = names.map(|name| Field::new(name, of(name), true)).collect();
    let reader = arrow::json::ReaderBuilder::new(Arc::new(Schema::new(fields)));
    let bytes = BufReader::new(std::io::Cursor::new(bytes));
    Ok(Box::new(reader.build(bytes).map_err(failed)?))
}

fn collect(batch: &RecordBatch, path: &str, found: &mut Found) -> Result<()> {
    let column = |name: &str| {
        let column = batch.column_by_name(name);
        column.ok_or_else(|| unreadable(path, &format!("it has no column `{name}`")))
    };
    let texts = |name: &str| Ok::<_, Error>(column(name)?.as_string::<i32>());
    let (columns, keys) = (texts("column")?, texts("key")?);
    let (categories, statistics) = (texts("category")?, texts("statistic")?);
    let values = column("value")?.as_primitive::<Float64Type>();
    let versions = column("version")?.as_primitive::<Int64Type>();
    for row in 0..batch.num_rows() {
        if columns.is_null(row) || statistics.is_null(row) || values.is_null(row) {
            let why = format!("its row {} lacks a column, a statistic or a value", row + 1);
            return Err(unreadable(path, &why));
        }
        let text =
            |of: &arrow::array::StringArray| of.is_valid(row).then(|| of.value(row).to_owned());
        let version = if versions.is_valid(row) { versions.value(row) } else { 0 };
        let held = found.entry((columns.value(row).to_owned(), text(keys))).or_default();
        if version > held.0 {
            *held = (version, Vec::new());
        }
        if version == held.0 {
            held.1.push(Parameter {
                category: text(categories),
                statistic: statistics.value(row).to_owned(),
                value: values.value(row),
            });
        }
    }
    Ok(())
}
