//! Rows of a file as the rows that were declared: columns by name, converted where they differ.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{Schema, SchemaRef};
use swiftwater_engine::dead_letter::row_as_json;
use swiftwater_engine::{Error, Rejected, Result, schema};

use super::reader::rejected;

/// How columns of one file become the declared ones.
pub(super) struct Adapter {
    file: Arc<str>,
    schema: SchemaRef,
    /// For each declared column its place in the file; `None` where the file lacks it.
    places: Vec<Option<usize>>,
}

impl Adapter {
    /// # Errors
    /// `Data` (`SW2017`) where the file lacks a required column or has one that cannot be converted.
    pub(super) fn new(file: &Arc<str>, from: &Schema, to: &SchemaRef) -> Result<Self> {
        let refused = |what: String, hint: &str| {
            Err(Error::data("SW2017", format!("read the file `{file}`: {what}")).with_hint(hint))
        };
        let mut places = Vec::with_capacity(to.fields().len());
        for field in to.fields() {
            let name = field.name();
            let Ok(place) = from.index_of(name) else {
                if field.is_nullable() {
                    places.push(None);
                    continue;
                }
                return refused(
                    format!("it has no column `{name}`"),
                    "drop the `!` of the column's type to read null instead",
                );
            };
            let (found, wanted) = (from.field(place).data_type(), field.data_type());
            if found != wanted && !can_cast_types(found, wanted) {
                let (found, wanted) = (schema::name(found), schema::name(wanted));
                return refused(
                    format!("its column `{name}` is {found}, not {wanted}"),
                    "declare the column as it is in the file",
                );
            }
            places.push(Some(place));
        }
        Ok(Self { file: Arc::clone(file), schema: Arc::clone(to), places })
    }

    fn convert(&self, records: &RecordBatch) -> Result<RecordBatch> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let rows = records.num_rows();
        let column = |(place, field): (&Option<usize>, &Arc<arrow::datatypes::Field>)| match place
            .and_then(|p| records.columns().get(p))
        {
            None => Ok(new_null_array(field.data_type(), rows)),
            Some(same) if same.data_type() == field.data_type() => Ok(ArrayRef::clone(same)),
            Some(other) => cast_with_options(other, field.data_type(), &strict),
        };
        let columns = self.places.iter().zip(self.schema.fields()).map(column);
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// The declared rows, and those that could not be converted; `first` is the number of the first
    /// row in the file, from 0.
    pub(super) fn adapt(
        &self,
        records: &RecordBatch,
        first: u64,
    ) -> Result<(RecordBatch, Vec<Rejected>)> {
        let mut bad = Vec::new();
        let mut parts = Vec::new();
        self.split(records, first, &mut parts, &mut bad);
        let whole = match parts.as_slice() {
            [one] => one.clone(),
            parts => arrow::compute::concat_batches(&self.schema, parts)?,
        };
        Ok((whole, bad))
    }

    /// Converts all rows, or halves them until the ones at fault stand alone.
    fn split(
        &self,
        records: &RecordBatch,
        first: u64,
        good: &mut Vec<RecordBatch>,
        bad: &mut Vec<Rejected>,
    ) {
        let rows = records.num_rows();
        match self.convert(records) {
            Ok(converted) => good.push(converted),
            Err(error) if rows <= 1 => {
                let cause = error.source.map_or(error.message, |e| e.to_string());
                let row = row_as_json(records);
                bad.push(rejected(&self.file, first + 1, "SW2018", cause, Some(&row)));
            }
            Err(_) => {
                let (left, right) =
                    (records.slice(0, rows / 2), records.slice(rows / 2, rows - rows / 2));
                self.split(&left, first, good, bad);
                self.split(&right, first + (rows / 2) as u64, good, bad);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int8Type};

    #[test]
    fn columns_are_found_converted_and_filled_and_a_bad_row_stands_alone() {
        let a: ArrayRef = Arc::new(Int64Array::from(vec![1, 500, 3, -500]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["w", "x", "y", "z"]));
        let rows = RecordBatch::try_from_iter([("b", b), ("a", a)]).unwrap();
        let to = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int8, false),
            Field::new("c", DataType::Utf8, true),
        ]));
        let adapter = Adapter::new(&"f".into(), &rows.schema(), &to).unwrap();
        let (good, bad) = adapter.adapt(&rows, 10).unwrap();
        assert_eq!(good.column(0).as_primitive::<Int8Type>().values(), &[1, 3]);
        assert_eq!(good.column(1).null_count(), 2);
        let offsets: Vec<i64> = bad.iter().map(|r| r.origin.as_ref().unwrap().offset).collect();
        assert_eq!(offsets, [12, 14]);
        assert!(
            bad[0].message.contains("500")
                && bad[0].payload.as_ref().unwrap().starts_with(b"{\"b\":\"x\"")
        );
    }

    #[test]
    fn a_file_without_a_required_column_is_refused_by_name() {
        let from = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
        let required = Arc::new(Schema::new(vec![Field::new("b", DataType::Int64, false)]));
        let error = Adapter::new(&"x.parquet".into(), &from, &required).err().unwrap();
        assert!(error.message.contains("`b`") && error.message.contains("`x.parquet`"), "{error}");
        let list = schema::parse("list<int64>").unwrap();
        let from = Schema::new(vec![Field::new("a", list, true)]);
        let number = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        assert_eq!(Adapter::new(&"x".into(), &from, &number).err().unwrap().code, "SW2017");
    }
}
