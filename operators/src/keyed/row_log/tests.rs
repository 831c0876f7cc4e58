//! Rows by number against a set of numbers, with some of them on disk.

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;

use super::*;

fn batch(from: u64, rows: usize) -> RecordBatch {
    let values: Int64Array =
        (from..from + rows as u64).map(|i| Some(i.cast_signed() * 10)).collect();
    RecordBatch::try_from_iter([("v", Arc::new(values) as _)]).unwrap()
}

fn values(rows: &RecordBatch) -> Vec<u64> {
    let values = rows.column(0).as_primitive::<Int64Type>().values();
    values.iter().map(|v| v.cast_unsigned() / 10).collect()
}

proptest! {
    /// Rows come back by their numbers, whatever was joined, rewritten and moved to disk in between.
    #[test]
    fn rows_are_found_by_number(
        steps in prop::collection::vec((1usize..3000, 0u64..100, prop::option::of(0usize..100_000)), 1..25),
        seed: u64,
    ) {
        let room = SpillRoom::new([std::env::temp_dir()]);
        let mut log = RowLog::new(batch(0, 1).schema());
        let mut oracle = std::collections::BTreeSet::new();
        for (rows, dying, spilled) in steps {
            let first = log.next_id();
            let times = vec![i64::try_from(first).unwrap(); rows];
            prop_assert_eq!(log.push(batch(first, rows), &times, Vec::new()).unwrap(), first);
            oracle.extend(first..log.next_id());
            let dead: Vec<u64> =
                oracle.iter().copied().filter(|i| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < dying << 25).collect();
            for id in dead {
                log.kill(id);
                oracle.remove(&id);
            }
            if let Some(target) = spilled {
                log.spill(target, &room).unwrap();
                prop_assert!(log.live() == 0 || log.bytes() <= target || log.segments.iter().all(Segment::is_cold));
            }
            log.sweep().unwrap();
            prop_assert_eq!(log.live(), oracle.len());
            prop_assert!(log.rows <= 2 * log.live + 2 * SEGMENT);
            let some: Vec<u64> = oracle.iter().copied().filter(|i| i % 7 == 0).collect();
            prop_assert_eq!(values(&log.rows(&some).unwrap()), some);
        }
        let ids: Vec<u64> = oracle.iter().copied().collect();
        prop_assert_eq!(log.alive_from(0), ids.clone());
        let mut wanted: Vec<u64> = ids.iter().rev().chain(&ids).copied().collect();
        prop_assert_eq!(&values(&log.rows(&wanted).unwrap()), &wanted);
        wanted.push(NO_ROW);
        let column = log.column(0, &log.places(&wanted).unwrap()).unwrap();
        prop_assert_eq!(column.null_count(), 1);
    }
}

#[test]
fn rows_on_disk_take_little_memory_and_go_with_the_disk() {
    let room = SpillRoom::new([std::env::temp_dir()]);
    let text: arrow::array::StringArray = (0..4096).map(|i| Some(format!("{i:0200}"))).collect();
    let rows = RecordBatch::try_from_iter([("t", Arc::new(text) as ArrayRef)]).unwrap();
    let mut log = RowLog::new(rows.schema());
    for _ in 0..10 {
        log.push(rows.clone(), &[0; 4096], Vec::new()).unwrap();
    }
    assert!(log.bytes() > 8_000_000 && log.disk_bytes() == 0);
    log.spill(0, &room).unwrap();
    assert!(log.bytes() < 600_000, "{}", log.bytes());
    assert!(log.disk_bytes() > 8_000_000 && log.disk_bytes() < 10_000_000, "{}", log.disk_bytes());
    assert_eq!(log.rows(&[4097]).unwrap(), rows.slice(1, 1));
    for id in 0..8192 {
        log.kill(id);
    }
    log.sweep().unwrap();
    assert!(log.disk_bytes() < 8_000_000, "{}", log.disk_bytes());
}
