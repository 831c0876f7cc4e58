//! Generated rows: the same at any parallelism and batch size, due when they should be, and
//! distributed as asked.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMillisecondType};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use swiftwater_config::Role;
use swiftwater_engine::{Clock, Polled, Position};

use super::*;
use crate::test_node::{node, open_source, open_source_at, plan_source};

fn plan(options: Value) -> Result<SourcePlan> {
    plan_source::<GenerateOptions>(&node(Role::Source, "generate", options, ""))
}

/// Everything that one instance hands over.
fn read(plan: &SourcePlan, instance: (usize, usize), batch_rows: usize) -> Vec<RecordBatch> {
    let clock = Clock::manual(Timestamp(1_000_000));
    let mut source = open_source(plan, instance, batch_rows, &clock).unwrap();
    let mut all = Vec::new();
    loop {
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Rows { batch, rejected, .. } => {
                assert!(rejected.is_empty() && batch.rows() <= batch_rows && batch.rows() > 0);
                all.push(batch.records);
            }
            Polled::End => break,
            other => panic!("{other:?}"),
        }
    }
    if instance == (0, 1) {
        let rows: usize = all.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(source.position().0.get("rows"), Some(&i64::try_from(rows).unwrap()));
    }
    all
}

fn every_kind_of_column(seed: u64, count: u64) -> Value {
    json!({
        "preset": "bids", "seed": seed, "count": count, "start": "2026-01-01T00:00:00Z",
        "columns": {
            "n": {"sequence": {}},
            "u": {"uniform": {"min": -5, "max": 5}, "nulls": 0.2},
            "f": {"uniform": {"min": 0.0, "max": 1.0}, "type": "float32"},
            "c": {"choice": {"values": ["a", "b"], "weights": [1, 9]}},
            "z": {"zipf": {"values": 100}},
            "k": {"constant": true},
            "t": {"timestamp": {"unit": "us"}},
            "x": {"text": {"min_length": 0, "max_length": 20}},
            "id": {"uuid": {}},
            "r": {"normal": {"min": -1.0, "decimals": 3}},
            "h": {"histogram": {"edges": [0, 1, 9], "weights": [1, 2]}},
            "m": {"mixture": [{"weight": 1, "exponential": {"mean": 2}},
                              {"weight": 2, "lognormal": {"median": 3, "sigma": 1}}]},
            "e": {"empirical": {"quantiles": [0, 1, 5]}},
            "pa": {"pareto": {"least": 1, "shape": 2}},
            "who": {"fake": "name"},
            "code": {"pattern": "[A-Z]{2}-[0-9]+"},
            "of": {"parent": {"children": 3, "recency": 10}},
            "is": {"states": {"entities": 9, "first": "a", "next": {"a": {"b": 1, "c": 2}},
                              "stay": {"b": [1, 3]}}},
        },
    })
}

#[test]
fn rows_end_at_a_time() {
    let options = |until: &str, start: Option<&str>| {
        json!({
            "columns": {"n": {"sequence": {}}}, "event_rate": 10, "start": start, "until": until,
        })
    };
    let start = Some("2026-01-01T00:00:00Z");
    let rows = read_all(&plan(options("2026-01-01T00:01:00Z", start)).unwrap(), 2, 100);
    assert_eq!(rows.num_rows(), 600);
    assert!(plan(options("2025-01-01T00:00:00Z", start)).is_err());
    assert!(plan(options("2026-01-01T00:01:00Z", None)).is_err());
    assert!(plan(options("soon", start)).is_err());
}

#[test]
fn every_preset_makes_rows() {
    let presets = [
        "bids",
        "payments",
        "clicks",
        "sensors",
        "orders",
        "rides",
        "logins",
        "logs",
        "nexmark_auctions",
    ];
    for preset in presets {
        let options = json!({
            "preset": preset, "count": 50_000, "start": "2026-01-01T00:00:00Z",
            "columns": {"n": {"sequence": {}}},
        });
        let rows = read_all(&plan(options).unwrap(), 2, 8192);
        assert!(rows.num_rows() > 2000, "{preset}: {}", rows.num_rows());
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            assert!(field.is_nullable() || column.null_count() == 0, "{preset} {field}");
            assert!(column.null_count() < rows.num_rows(), "{preset} {field} is always null");
        }
    }
}

/// All rows of all instances, by row number.
fn read_all(plan: &SourcePlan, instances: usize, batch_rows: usize) -> RecordBatch {
    let all: Vec<RecordBatch> =
        (0..instances).flat_map(|i| read(plan, (i, instances), batch_rows)).collect();
    let all = concat_batches(&plan.schema, &all).unwrap();
    let order = arrow::compute::sort_to_indices(all.column_by_name("n").unwrap(), None, None);
    take_record_batch(&all, &order.unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn rows_are_the_same_however_they_are_read(
        seed in any::<u64>(),
        count in 1_u64..30_000,
        instances in 1_usize..5,
        batch_rows in prop_oneof![1_usize..100, 1000_usize..10_000],
    ) {
        let options = every_kind_of_column(seed, count);
        let alone = read_all(&plan(options.clone()).unwrap(), 1, 8192);
        let spread = read_all(&plan(options).unwrap(), instances, batch_rows.max(count as usize / 500 + 1));
        prop_assert_eq!(alone.num_rows() as u64, count);
        prop_assert_eq!(alone, spread);
    }
}

/// Reads some batches of one instance from where `resume` says; the rows, and where it stands then.
fn read_on(
    plan: &SourcePlan,
    instance: (usize, usize),
    resume: Option<Position>,
    batches: usize,
) -> (Vec<RecordBatch>, Position) {
    let clock = Clock::manual(Timestamp(9_000_000));
    let mut source = open_source_at(plan, instance, resume, 1000, &clock).unwrap();
    let mut all = Vec::new();
    for _ in 0..batches {
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Rows { batch, .. } => all.push(batch.records),
            Polled::End => break,
            other => panic!("{other:?}"),
        }
    }
    let position = source.position();
    (all, position)
}

#[test]
fn a_resumed_source_goes_on_at_the_next_row_with_the_times_of_the_first_run() {
    let options = json!({"preset": "bids", "seed": 3, "count": 200_000, "columns": {
        "n": {"sequence": {}},
    }});
    let whole = read_all(&plan(options.clone()).unwrap(), 1, 8192);
    let fresh = || plan(options.clone()).unwrap();
    // Two instances stop in mid-stream, three go on, and one ends it; each time a new process.
    let mut rows = read(&fresh(), (0, 1), 8192).first().unwrap().slice(0, 0);
    let mut resume: Option<Position> = None;
    for (instances, batches) in [(2, 11), (3, 17), (1, usize::MAX)] {
        let plan = fresh();
        let mut merged = Position::default();
        for instance in 0..instances {
            let part = read_on(&plan, (instance, instances), resume.clone(), batches + instance);
            rows = concat_batches(&plan.schema, std::iter::once(&rows).chain(&part.0)).unwrap();
            merged.0.extend(part.1.0);
        }
        resume = Some(merged);
    }
    let order = arrow::compute::sort_to_indices(rows.column_by_name("n").unwrap(), None, None);
    let rows = take_record_batch(&rows, &order.unwrap()).unwrap();
    // `read_all` opened at another time than `read_on`: times differ by that and nothing else.
    let shifted: Vec<&ArrayRef> =
        [&whole, &rows].map(|r| r.column_by_name("date_time").unwrap()).into();
    let times =
        |column: &ArrayRef| column.as_primitive::<TimestampMillisecondType>().values().to_vec();
    let expected: Vec<i64> = times(shifted[0]).iter().map(|t| t + 8000).collect();
    assert_eq!(times(shifted[1]), expected);
    let (at, _) = whole.schema().column_with_name("date_time").unwrap();
    let (mut whole, mut rows) = (whole, rows);
    whole.remove_column(at);
    rows.remove_column(at);
    assert_eq!(rows, whole);
}

#[test]
fn a_run_that_goes_on_later_keeps_the_times_of_the_first() {
    let options = json!({"count": 20, "rate": 10, "columns": {"at": {"timestamp": {}}}});
    let first = plan(options.clone()).unwrap();
    let clock = Clock::manual(Timestamp(1_000_000));
    let mut source = open_source(&first, (0, 1), 8, &clock).unwrap();
    clock.advance_to(Timestamp(1_400_000));
    assert!(
        matches!(source.poll(Duration::ZERO), Ok(Polled::Rows { batch, .. }) if batch.rows() == 5)
    );
    let position = source.position();
    let second = plan(options).unwrap();
    let clock = Clock::manual(Timestamp(50_000_000));
    let mut source = open_source_at(&second, (0, 1), Some(position), 100, &clock).unwrap();
    let Ok(Polled::Rows { batch, .. }) = source.poll(Duration::ZERO) else {
        panic!("late rows are due")
    };
    let times = batch.records.column(0).as_primitive::<TimestampMillisecondType>();
    assert_eq!((batch.rows(), times.value(0)), (15, 1500));
}

#[test]
fn a_seed_always_gave_these_rows() {
    let options = json!({
        "preset": "bids", "seed": 1, "count": 1_000_000, "start": "2026-01-01T00:00:00Z",
    });
    let rows = read(&plan(options).unwrap(), (0, 1), 500_000);
    let last = rows.last().unwrap();
    let at = last.num_rows() - 1;
    let row = swiftwater_engine::dead_letter::row_as_json(&last.slice(at, 1));
    assert_eq!(std::str::from_utf8(&row).unwrap(), GOLDEN_BID);
}

const GOLDEN_BID: &str = r#"{"auction":66153,"bidder":22075,"price":3656,"channel":"Baidu","url":"https://www.auctions.example/jupus/uecxj/lpwzm/item.htm?query=1","date_time":"2026-01-01T00:00:09.999","extra":"pjgjkjfluyixuswqyqjwrbcgnuggphuuqjwukm"}"#;

fn column(options: Value, name: &str) -> ArrayRef {
    let plan = plan(options).unwrap();
    let all = concat_batches(&plan.schema, &read(&plan, (0, 1), 8192)).unwrap();
    ArrayRef::clone(all.column_by_name(name).unwrap())
}

fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let mean = sum / count;
    (mean, squares / count - mean * mean)
}

#[test]
fn uniform_numbers_have_the_mean_and_variance_of_the_law() {
    let options = json!({"count": 200_000, "seed": 9, "columns": {
        "f": {"uniform": {"min": -1.0, "max": 3.0}},
        "d": {"uniform": {"min": 0.0, "max": 1.0, "decimals": 1}},
        "i": {"uniform": {"min": 1, "max": 6}},
    }});
    let f = column(options.clone(), "f");
    let (f_mean, f_variance) = mean(f.as_primitive::<Float64Type>().values().iter().copied());
    // The standard error of the mean is 0.0026.
    assert!((f_mean - 1.0).abs() < 0.012 && (f_variance - 16.0 / 12.0).abs() < 0.02, "{f_mean}");
    let i = column(options.clone(), "i");
    let (i_mean, i_variance) =
        mean(i.as_primitive::<Int64Type>().values().iter().map(|&v| f64::from(v as i32)));
    assert!((i_mean - 3.5).abs() < 0.016 && (i_variance - 35.0 / 12.0).abs() < 0.04, "{i_mean}");
    let d = column(options, "d");
    assert!(d.as_primitive::<Float64Type>().values().iter().all(|v| (v * 10.0).fract() == 0.0));
}

#[test]
fn the_share_of_nulls_is_as_asked() {
    let options = json!({"count": 100_000, "columns": {"a": {"sequence": {}, "nulls": 0.25}}});
    let nulls = column(options, "a").null_count();
    // Four standard deviations of a binomial of 100 000 at 1/4.
    assert!(nulls.abs_diff(25_000) < 550, "{nulls}");
}

#[test]
fn bids_follow_the_published_shape() {
    let plan =
        plan(json!({"preset": "bids", "count": 200_000, "seed": 5, "event_rate": 1e6})).unwrap();
    let all = read(&plan, (0, 1), 8192);
    let all = concat_batches(&plan.schema, &all).unwrap();
    let numbers = |name: &str| {
        all.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    let share = |hits: usize| hits as f64 / 200_000.0;
    // A hot auction is a multiple of 100 past 1000; of the cold ones one in a hundred is, too.
    let hot = share(numbers("auction").iter().filter(|a| *a % 100 == 0).count());
    assert!((hot - 0.505).abs() < 0.006, "{hot}");
    let hot = share(numbers("bidder").iter().filter(|b| *b % 100 == 1).count());
    assert!((hot - 0.7525).abs() < 0.006, "{hot}");
    let prices = numbers("price");
    assert!(prices.iter().all(|p| (100..=100_000_000).contains(p)));
    let cheap = share(prices.iter().filter(|p| **p < 100_000).count());
    assert!(
        (cheap - 0.5).abs() < 0.006,
        "half of a log-uniform price lies below its middle: {cheap}"
    );
    let channel = all.column_by_name("channel").unwrap().as_string::<i32>().clone();
    let hot = share(channel.iter().flatten().filter(|c| !c.starts_with("channel-")).count());
    assert!((hot - 0.5).abs() < 0.006, "{hot}");
    let url = all.column_by_name("url").unwrap().as_string::<i32>().clone();
    let with_id = url.iter().flatten().filter(|u| u.contains("channel_id=")).count();
    assert!((share(with_id) - 0.45).abs() < 0.01, "{}", share(with_id));
    let bytes = swiftwater_engine::dead_letter::row_as_json(&all).len() as f64 / 200_000.0;
    assert!((bytes - 230.0).abs() < 3.0, "{bytes} bytes a bid");
}

#[test]
fn paced_rows_come_when_they_are_due_and_late_ones_keep_their_times() {
    let options = json!({
        "rate": 1000, "count": 100, "start": "1970-01-01T00:00:10Z",
        "columns": {"at": {"timestamp": {}}},
    });
    let mut node = node(Role::Source, "generate", options, "");
    node.event_time = Some(swiftwater_config::EventTimeConfig {
        column: "at".into(),
        out_of_orderness: None,
        idle_after: None,
    });
    let plan = plan_source::<GenerateOptions>(&node).unwrap();
    let clock = Clock::manual(Timestamp(5_000_000));
    let mut source = open_source(&plan, (0, 1), 8192, &clock).unwrap();
    let mut poll = |micros| {
        clock.advance_to(Timestamp(micros));
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Rows { batch, .. } => Some(batch),
            Polled::Empty => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(poll(5_000_000).unwrap().rows(), 1);
    assert!(poll(5_000_999).is_none());
    let late = poll(5_050_500).unwrap();
    assert_eq!(late.rows(), 50);
    let appended = late.readings.appended.unwrap();
    assert_eq!((appended.oldest.0, appended.newest.0), (5_001_000, 5_050_000));
    let event = late.readings.event.unwrap();
    assert_eq!((event.oldest.0, event.newest.0), (10_001_000, 10_050_000));
    let times = late.records.column(0).as_primitive::<TimestampMillisecondType>();
    assert_eq!(times.value(49), 10_050);
    assert_eq!(late.readings.polled.newest.0, 5_050_500);
}

#[test]
fn an_option_that_makes_no_sense_is_told_with_its_column() {
    let one = |column: Value| json!({"columns": {"price": column}});
    let told = [
        (one(json!({})), "SW2002"),
        (one(json!({"sequence": {}, "uuid": {}})), "SW2002"),
        (one(json!({"uniform": {"min": 2, "max": 1}})), "SW2003"),
        (one(json!({"uniform": {"min": 0, "max": 300}, "type": "uint8!"})), "SW2003"),
        (one(json!({"uniform": {"min": 0, "max": 300}, "type": "uint8"})), "SW2004"),
        (one(json!({"uuid": {}, "type": "list<int64>"})), "SW2004"),
        (one(json!({"zipf": {"values": 0}})), "SW2003"),
        (one(json!({"choice": []})), "SW2003"),
        (one(json!({"constant": null})), "SW2002"),
        (one(json!({"text": {"min_length": 5, "max_length": 1}})), "SW2003"),
        (one(json!({"sequence": {}, "nulls": 2.0})), "SW2003"),
        (one(json!({"squence": {}})), "SW2003"),
        (json!({"preset": "bids", "columns": {"price": {"sequence": {}}}}), "SW2003"),
    ];
    for (options, code) in told {
        let error = plan(options.clone()).err().unwrap_or_else(|| panic!("{options} was taken"));
        assert_eq!(error.code, code, "{options}: {error}");
        assert!(error.to_string().contains("`price`"), "{error}");
    }
    assert_eq!(plan(json!({})).err().unwrap().code, "SW2003");
    assert_eq!(plan(json!({"preset": "bids", "rate": 0.0})).err().unwrap().code, "SW2007");
    assert_eq!(plan(json!({"preset": "bids", "start": "now"})).err().unwrap().code, "SW2007");
    assert_eq!(plan(json!({"preset": "bids", "only": ["auctoin"]})).err().unwrap().code, "SW2003");
}

#[test]
fn columns_are_kept_in_the_order_asked_for_and_unchanged() {
    let some = json!({"preset": "bids", "count": 100, "only": ["price", "auction"]});
    let all = json!({"preset": "bids", "count": 100});
    let names: Vec<String> =
        plan(some.clone()).unwrap().schema.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["price", "auction"]);
    assert_eq!(&column(some, "price"), &column(all, "price"));
}

#[test]
fn a_sequence_that_outgrows_its_type_is_an_error_and_not_a_wrong_number() {
    let options = json!({"columns": {"n": {"sequence": {"start": 120}, "type": "int8"}}});
    let plan = plan(options).unwrap();
    assert_eq!(plan.schema.field(0).data_type(), &DataType::Int8);
    let mut source = open_source(&plan, (0, 1), 100, &Clock::system()).unwrap();
    assert_eq!(source.poll(Duration::ZERO).unwrap_err().code, "SW2005");
}
