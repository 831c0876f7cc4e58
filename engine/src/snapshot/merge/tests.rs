//! Merges against a map of keys, with memory for all of them and for few.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use proptest::prelude::*;

use super::*;

fn spec() -> TableSpec {
    let column = |name: &str| Field::new(name, DataType::Int64, false);
    TableSpec {
        name: "t",
        version: 1,
        schema: Arc::new(Schema::new(vec![column("key"), column("value")])),
        partition: 1,
        key: 1,
        expiry: None,
        merge: Merge::Latest,
    }
}

fn batch(columns: &[Vec<i64>]) -> RecordBatch {
    let schema = spec().schema.project(&(0..columns.len()).collect::<Vec<_>>()).unwrap();
    let columns = columns.iter().map(|c| Arc::new(Int64Array::from(c.clone())) as ArrayRef);
    RecordBatch::try_new(Arc::new(schema), columns.collect()).unwrap()
}

/// What the parts of a table say, oldest first.
fn told(store: &Store, parts: &[Part]) -> BTreeMap<i64, i64> {
    let mut all = BTreeMap::new();
    let numbers =
        |rows: &RecordBatch, c: usize| rows.column(c).as_primitive::<Int64Type>().values().to_vec();
    for part in parts {
        let contents = Contents::read(store, part).unwrap();
        for key in contents.deleted.iter().flat_map(|d| numbers(d, 0)) {
            all.remove(&key);
        }
        all.extend(numbers(&contents.rows, 0).into_iter().zip(numbers(&contents.rows, 1)));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn merged_parts_say_what_their_parts_said(
        epochs in prop::collection::vec((prop::collection::btree_map(0i64..200, 0i64..1000, 0..60), prop::collection::btree_set(0i64..200, 0..30)), 10..60),
        most in prop::sample::select(vec![usize::MAX, 20_000, 5_000]),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", directory.path().display()), "t").unwrap();
        let mut table = TableState::new(&spec());
        let (mut oracle, mut merges, mut sliced) = (BTreeMap::new(), 0, 0);
        for (epoch, (rows, deleted)) in (0..).zip(epochs) {
            deleted.iter().for_each(|key| { oracle.remove(key); });
            oracle.extend(rows.clone());
            let contents = Contents {
                rows: batch(&[rows.keys().copied().collect(), rows.values().copied().collect()]),
                deleted: Some(batch(&[deleted.into_iter().collect()])),
            };
            for (number, piece) in contents.pieces(most / 32).into_iter().enumerate() {
                let name = format!("e{epoch}-{number}.arrow");
                let (mut part, bytes) = encode(&piece, &spec(), (name, 0, epoch)).unwrap();
                part.slice = Some(Slice { merge: format!("e{epoch}"), index: 0, of: 1 });
                store.put(&part.file, bytes).unwrap();
                table.parts.push(part);
            }
            if let Some(count) = due(&table) {
                let (older, newest) = table.parts.split_at(table.parts.len() - count);
                let job = Job {
                    node: "n".into(), spec: spec(), parts: newest.to_vec(), has_older: !older.is_empty(),
                    expired_below: None, most, file: format!("m{epoch}.arrow"),
                };
                let merged = merge(&store, job).unwrap();
                merges += 1;
                sliced += usize::from(merged.parts.len() > 1);
                prop_assert!(most == usize::MAX || merged.parts.iter().all(|p| p.memory <= 2 * most));
                table.replace(&merged.files, merged.parts);
            }
            prop_assert_eq!(&told(&store, &table.parts), &oracle);
        }
        prop_assert!(merges > 0);
        prop_assert!((sliced > 0) == (most < usize::MAX) || most == 20_000);
        let wholes: std::collections::BTreeSet<_> = table.parts.iter().map(|p| p.slice.as_ref().map_or(&p.file, |s| &s.merge)).collect();
        prop_assert!(wholes.len() < 20, "{} of them", wholes.len());
    }
}
