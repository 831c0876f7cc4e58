//! Rows as JSON, for tests: literals in, readable comparisons out.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, ListArray, RecordBatch,
    StringArray, StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::json::writer::LineDelimited;
use arrow::json::{ReaderBuilder, WriterBuilder};
use serde_json::Value;

use crate::schema;

/// The Arrow schema of `{"price": "int64", "channel": "utf8!"}`, written as in a topology file.
///
/// # Panics
/// Where a type is unknown.
#[must_use]
pub fn columns(columns: &Value) -> SchemaRef {
    let columns = columns.as_object().expect("columns are a map of name and type");
    schema::from_config(columns).expect("known column types")
}

/// A batch of the rows of a JSON array; a field that is left out is null.
///
/// # Panics
/// Where a row does not fit the schema.
#[must_use]
pub fn batch(schema: &SchemaRef, rows: &Value) -> RecordBatch {
    let rows = rows.as_array().expect("rows are an array");
    let mut decoder = ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(rows.len().max(1))
        .build_decoder()
        .expect("a schema that JSON can fill");
    decoder.serialize(rows).expect("rows that fit the schema");
    let decoded = decoder.flush().expect("rows that fit the schema");
    decoded.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema)))
}

/// The rows as JSON objects, nulls included, fields in the order of the columns.
///
/// # Panics
/// Where a type has no JSON form.
#[must_use]
pub fn json(records: &RecordBatch) -> Vec<Value> {
    let mut writer =
        WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write(records).expect("types that have a JSON form");
    writer.finish().expect("writing into memory");
    let text = writer.into_inner();
    serde_json::Deserializer::from_slice(&text)
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("the writer writes JSON")
}

/// One row a line, for messages.
#[must_use]
pub fn lines(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "  (no rows)".to_owned();
    }
    let lines: Vec<_> = rows.iter().map(|row| format!("  {row}")).collect();
    lines.join("\n")
}

/// Compares rows; columns that an expected row does not name are not compared.
///
/// # Panics
/// Where they differ, with both sides.
pub fn assert_rows(found: &[Value], expected: &Value) {
    let expected = expected.as_array().expect("rows are an array");
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(row, wanted)| contains(row, wanted));
    assert!(
        same,
        "expected {} rows:\n{}\nfound {} rows:\n{}",
        expected.len(),
        lines(expected),
        found.len(),
        lines(found)
    );
}

fn contains(row: &Value, wanted: &Value) -> bool {
    let Some(wanted) = wanted.as_object() else {
        return row == wanted;
    };
    wanted.iter().all(|(name, value)| row.get(name).is_some_and(|v| equal(v, value)))
}

/// JSON equality that takes 3 and 3.0 for the same number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, x)| y.get(k).is_some_and(|y| equal(x, y)))
        }
        (a, b) => a == b,
    }
}

/// Made-up rows for any schema: the same for the same seed. With `nulls`, about one value in five
/// of a nullable column is null.
#[must_use]
pub fn made_up(schema: &SchemaRef, rows: usize, seed: u64, nulls: bool) -> RecordBatch {
    let mut dice = Dice(seed);
    let columns: Vec<ArrayRef> =
        schema.fields().iter().map(|f| column(f, rows, nulls, &mut dice)).collect();
    with_columns(schema, columns, rows)
}

/// Rows in which every column that may be null is null.
#[must_use]
pub fn all_null(schema: &SchemaRef, rows: usize) -> RecordBatch {
    let mut dice = Dice(1);
    let columns = schema.fields().iter().map(|f| match f.is_nullable() {
        true => new_null_array(f.data_type(), rows),
        false => column(f, rows, false, &mut dice),
    });
    with_columns(schema, columns.collect(), rows)
}

fn with_columns(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .expect("columns made for the schema")
}

/// Seeded numbers (SplitMix64, Steele et al. 2014), so that tests need no further crate.
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    fn number(&mut self, limit: u64) -> i64 {
        i64::try_from(self.below(limit)).unwrap_or(0)
    }
}

fn column(field: &Field, rows: usize, nulls: bool, dice: &mut Dice) -> ArrayRef {
    const WORDS: [&str; 6] = ["apple", "google", "a,b", "", "https://x.org/a?b=1", "ünï"];
    let some: Vec<bool> =
        (0..rows).map(|_| !(nulls && field.is_nullable()) || dice.below(5) > 0).collect();
    let word = |dice: &mut Dice| {
        WORDS.get(usize::try_from(dice.below(6)).unwrap_or(0)).copied().unwrap_or_default()
    };
    match field.data_type() {
        DataType::Boolean => {
            let values = some.iter().map(|s| s.then(|| dice.below(2) == 0));
            Arc::new(values.collect::<BooleanArray>())
        }
        DataType::Utf8 => {
            let values = some.iter().map(|s| s.then(|| word(dice)));
            Arc::new(values.collect::<StringArray>())
        }
        DataType::Binary => {
            let values = some.iter().map(|s| s.then(|| word(dice).as_bytes()));
            Arc::new(values.collect::<BinaryArray>())
        }
        DataType::Date32 => {
            let days = some
                .iter()
                .map(|s| s.then(|| 20_000 + i32::try_from(dice.below(900)).unwrap_or(0)));
            Arc::new(days.collect::<Date32Array>())
        }
        DataType::Decimal128(precision, scale) => {
            let values = some.iter().map(|s| s.then(|| i128::from(dice.below(90))));
            let values = values.collect::<Decimal128Array>();
            let typed = values.with_precision_and_scale(*precision, *scale);
            Arc::new(typed.expect("two digits fit any decimal"))
        }
        DataType::List(item) => list(item, &some, nulls, dice),
        DataType::Struct(fields) => {
            let inner = Schema::new(fields.clone());
            let columns = inner.fields().iter().map(|f| column(f, rows, nulls, dice)).collect();
            Arc::new(StructArray::new(fields.clone(), columns, Some(NullBuffer::from(some))))
        }
        timestamp @ DataType::Timestamp(..) => {
            let at = |row: usize| 1_767_225_600_000 + i64::try_from(row).unwrap_or(0) * 100;
            let values = some.iter().enumerate().map(|(row, s)| s.then(|| at(row)));
            let values: arrow::array::TimestampMillisecondArray = values.collect();
            cast(&values, timestamp).expect("milliseconds cast to any timestamp")
        }
        number => {
            let values = some.iter().map(|s| s.then(|| dice.number(100)));
            let values: arrow::array::PrimitiveArray<Int64Type> = values.collect();
            cast(&values, number).expect("a small number casts to any number")
        }
    }
}

fn list(item: &Arc<Field>, some: &[bool], nulls: bool, dice: &mut Dice) -> ArrayRef {
    let mut ends = vec![0_i32];
    let mut length = 0;
    for s in some {
        length += if *s { i32::try_from(dice.below(4)).unwrap_or(0) } else { 0 };
        ends.push(length);
    }
    let values = column(item, usize::try_from(length).unwrap_or(0), nulls, dice);
    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
    let present = NullBuffer::from(some.to_vec());
    Arc::new(ListArray::new(Arc::clone(item), ends, values, Some(present)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_survive_the_way_through_a_batch() {
        let schema = columns(&json!({"a": "int64", "tags": "list<utf8>", "s": {"x": "float64"}}));
        let rows = json!([
            {"a": 1, "tags": ["x", null], "s": {"x": 1.5}},
            {"a": null, "tags": null, "s": null},
        ]);
        assert_rows(&json(&batch(&schema, &rows)), &rows);
    }

    #[test]
    fn made_up_rows_are_the_same_for_the_same_seed() {
        let types = json!({
            "a": "int64", "b": "utf8!", "c": "bool", "d": "decimal(10,2)", "e": "timestamp_us",
            "f": "list<int32>", "g": {"x": "date", "y": "binary"}, "h": "float32", "i": "uint8",
        });
        let schema = columns(&types);
        let one = made_up(&schema, 100, 7, true);
        assert_eq!(one, made_up(&schema, 100, 7, true));
        assert_ne!(one, made_up(&schema, 100, 8, true));
        assert!(one.column(0).null_count() > 0);
        assert_eq!(one.column(1).null_count(), 0);
        assert_eq!(all_null(&schema, 3).column(5).null_count(), 3);
    }

    #[test]
    #[should_panic(expected = "found 1 rows")]
    fn a_difference_is_told() {
        assert_rows(&[json!({"a": 1})], &json!([{"a": 2}]));
    }
}
