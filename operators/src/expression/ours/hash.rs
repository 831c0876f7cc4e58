//! Hashed features: MurmurHash3 (A. Appleby, public domain) of 32 bits with seed 0, as in
//! scikit-learn's `FeatureHasher` and `HashingVectorizer`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, ArrayRef, AsArray, Float64Builder, Int64Array, ListBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion_common::{Result, exec_err};
use regex::Regex;

use super::row_wise::RowWise;

/// Most columns that text is spread over in one list.
const WIDEST: i64 = 1 << 20;

pub(super) fn functions() -> Vec<RowWise> {
    let (text, int) = (DataType::Utf8, DataType::Int64);
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
    vec![
        RowWise::new(("murmur3", "murmur3(text)"), vec![text.clone()], int.clone(), |columns| {
            each(columns, |hash, _| Some(hash.into()))
        }),
        RowWise::new(
            ("hash_bucket", "hash_bucket(text, buckets)"),
            vec![text.clone(), int.clone()],
            int.clone(),
            |columns| each(columns, |hash, n| bucket(hash, n?)),
        ),
        RowWise::new(
            ("hash_sign", "hash_sign(text)"),
            vec![text.clone()],
            int.clone(),
            |columns| each(columns, |hash, _| Some(if hash >= 0 { 1 } else { -1 })),
        ),
        RowWise::new(
            ("hash_ngrams", "hash_ngrams(text, buckets, shortest, longest)"),
            vec![text, int.clone(), int.clone(), int],
            list,
            ngrams,
        ),
    ]
}

pub(super) fn bucket(hash: i32, buckets: i64) -> Option<i64> {
    (buckets > 0).then(|| i64::from(hash).abs() % buckets)
}

/// A whole number of each text; `compute` is handed the second column.
fn each(columns: &[ArrayRef], compute: fn(i32, Option<i64>) -> Option<i64>) -> Result<ArrayRef> {
    let Some(texts) = columns.first().map(|c| c.as_string::<i32>()) else {
        return exec_err!("a hash of nothing");
    };
    let numbers = columns.get(1).map(|c| c.as_primitive::<Int64Type>());
    let one = |(row, text): (usize, Option<&str>)| {
        let number = numbers.filter(|n| n.is_valid(row)).map(|n| n.value(row));
        compute(murmur3(text?.as_bytes()), number)
    };
    Ok(Arc::new(texts.iter().enumerate().map(one).collect::<Int64Array>()))
}

/// Words of two letters and more.
#[expect(clippy::expect_used, reason = "a fixed pattern")]
static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b\w\w+\b").expect("invariant: a fixed pattern"));

/// Sequences of words, each counted with its sign in the bucket of its hash.
fn ngrams(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [texts, buckets, shortest, longest] = columns else {
        return exec_err!("four arguments");
    };
    let number = |column: &ArrayRef, row: usize| {
        let column = column.as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let mut lists = ListBuilder::new(Float64Builder::new());
    for (row, text) in texts.as_string::<i32>().iter().enumerate() {
        let buckets = number(buckets, row).filter(|n| (1..=WIDEST).contains(n));
        let range = number(shortest, row).zip(number(longest, row));
        let range = range.filter(|(a, b)| *a >= 1 && a <= b && *b <= 16);
        let (Some(text), Some(buckets), Some((shortest, longest))) = (text, buckets, range) else {
            lists.append_null();
            continue;
        };
        let text = text.to_lowercase();
        let words: Vec<&str> = WORD.find_iter(&text).map(|word| word.as_str()).collect();
        let mut counts = vec![0.0; usize::try_from(buckets).unwrap_or(1)];
        for length in shortest..=longest {
            for gram in words.windows(usize::try_from(length).unwrap_or(1)) {
                let hash = murmur3(gram.join(" ").as_bytes());
                let at = bucket(hash, buckets).and_then(|at| usize::try_from(at).ok());
                if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
                    *count += if hash >= 0 { 1.0 } else { -1.0 };
                }
            }
        }
        lists.values().append_slice(&counts);
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// `MurmurHash3_x86_32` with seed 0.
fn murmur3(bytes: &[u8]) -> i32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mix = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash: u32 = 0;
    for block in blocks {
        hash = (hash ^ mix(u32::from_le_bytes(*block))).rotate_left(13);
        hash = hash.wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let rest = tail.iter().rev().fold(0_u32, |rest, byte| rest << 8 | u32::from(*byte));
    hash ^= mix(rest);
    #[expect(clippy::cast_possible_truncation, reason = "the hash is defined modulo 2^32")]
    let length = bytes.len() as u32;
    hash ^= length;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16).cast_signed()
}
