//! A hash of some columns of a row that never changes: not with the version, the machine, the
//! width of an integer or the way rows are cut into batches.
//!
//! FNV-1a over the bytes of the values, finished with the mixer of `MurmurHash3` so that all bits
//! depend on all bytes. It is not meant to withstand somebody who chooses the values.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use swiftwater_engine::{Error, Result};

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Scatters the bits of a number (the finalizer of `MurmurHash3`).
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// A number in [0, 1) from the upper bits of a hash.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// One hash for each row over the columns with these numbers.
///
/// # Errors
/// `Data` where a value has no text form; none in practice.
pub(crate) fn rows(records: &RecordBatch, columns: &[usize], seed: u64) -> Result<Vec<u64>> {
    let mut hashes = vec![OFFSET ^ mix(seed); records.num_rows()];
    for column in columns {
        add(records.column(*column), &mut hashes)?;
    }
    hashes.iter_mut().for_each(|hash| *hash = mix(*hash));
    Ok(hashes)
}

fn bytes(hash: u64, bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(hash, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(PRIME));
    // The end of a value, so that ("ab", "c") and ("a", "bc") differ.
    (hash ^ 0xff).wrapping_mul(PRIME)
}

fn fill<T>(
    column: &dyn Array,
    hashes: &mut [u64],
    value: impl Fn(usize) -> T,
    add: impl Fn(u64, T) -> u64,
) {
    for (row, hash) in hashes.iter_mut().enumerate() {
        *hash = match column.is_null(row) {
            true => (*hash ^ 0xfe).wrapping_mul(PRIME),
            false => add(*hash, value(row)),
        };
    }
}

fn add(column: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    let number = |hash: u64, value: u64| bytes(hash, &value.to_le_bytes());
    match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            fill(texts, hashes, |row| texts.value(row), |h, v| bytes(h, v.as_bytes()));
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            fill(values, hashes, |row| values.value(row), bytes);
        }
        DataType::UInt64 => {
            let values = column.as_primitive::<UInt64Type>();
            fill(values, hashes, |row| values.value(row), number);
        }
        integer if integer.is_integer() || integer.is_temporal() => {
            let values = as_int64(column)?;
            let values = values.as_primitive::<Int64Type>();
            fill(values, hashes, |row| values.value(row), |h, v| number(h, v.cast_unsigned()));
        }
        float if float.is_floating() => {
            let values = cast(column, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            // Zero and minus zero are the same value.
            fill(values, hashes, |row| values.value(row) + 0.0, |h, v| number(h, v.to_bits()));
        }
        _ => {
            let texts = ArrayFormatter::try_new(column, &FormatOptions::default())?;
            let text = |row: usize| texts.value(row).try_to_string();
            let all: Vec<String> = (0..column.len()).map(text).collect::<Result<_, _>>()?;
            let value = |row: usize| all.get(row).map_or("", String::as_str);
            fill(column, hashes, value, |h, v| bytes(h, v.as_bytes()));
        }
    }
    Ok(())
}

fn as_int64(column: &ArrayRef) -> Result<ArrayRef> {
    // Days and times of day are 32 bits wide in some units, and cast by way of their own width.
    let narrow = match column.data_type() {
        DataType::Date32 | DataType::Time32(_) => cast(column, &DataType::Int32)?,
        _ => std::sync::Arc::clone(column),
    };
    cast(&narrow, &DataType::Int64).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use swiftwater_engine::testing::rows as made;

    use super::*;

    #[test]
    fn the_hash_never_changes() {
        let schema = made::columns(&json!({"a": "utf8", "b": "int64"}));
        let records = made::batch(&schema, &json!([{"a": "x", "b": 1}, {"a": null, "b": -1}]));
        let hashes = rows(&records, &[0, 1], 7).unwrap();
        // Computed by another program from the definition above.
        assert_eq!(hashes, [12_217_424_223_266_817_494, 11_188_333_500_350_453_740]);
    }

    #[test]
    fn width_and_sign_of_zero_do_not_matter_but_place_does() {
        let hash = |types: serde_json::Value, row: serde_json::Value| {
            let records = made::batch(&made::columns(&types), &json!([row]));
            let columns: Vec<usize> = (0..records.num_columns()).collect();
            rows(&records, &columns, 1).unwrap()[0]
        };
        let wide = hash(json!({"a": "int64"}), json!({"a": -5}));
        assert_eq!(wide, hash(json!({"a": "int16"}), json!({"a": -5})));
        let zero = hash(json!({"a": "float64"}), json!({"a": 0.0}));
        assert_eq!(zero, hash(json!({"a": "float32"}), json!({"a": -0.0})));
        let texts = json!({"a": "utf8", "b": "utf8"});
        let one = hash(texts.clone(), json!({"a": "ab", "b": "c"}));
        assert_ne!(one, hash(texts.clone(), json!({"a": "a", "b": "bc"})));
        assert_ne!(
            hash(texts.clone(), json!({"a": null, "b": ""})),
            hash(texts, json!({"a": "", "b": null}))
        );
    }

    #[test]
    fn every_type_has_a_hash() {
        let schema = made::columns(&json!({
            "a": "bool", "b": "date", "c": "timestamp_us", "d": "decimal(10,2)", "e": "list<int32>",
            "f": {"x": "utf8"}, "g": "uint64", "h": "binary", "i": "float32",
        }));
        let records = made::made_up(&schema, 200, 3, true);
        for column in 0..records.num_columns() {
            let hashes = rows(&records, &[column], 0).unwrap();
            let sliced = rows(&records.slice(50, 10), &[column], 0).unwrap();
            assert_eq!(hashes[50..60], sliced, "{}", schema.field(column));
            let distinct: std::collections::HashSet<_> = hashes.iter().collect();
            assert!(distinct.len() > 1, "{}", schema.field(column));
        }
    }
}
