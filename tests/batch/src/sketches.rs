//! Sketches: `approx_distinct` and `approx_percentile_cont` are as close to the exact answers of batch
//! SQL as they promise, whatever windows and tasks they were put together from.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use proptest::prelude::*;
use serde_json::json;

use crate::answer::{assert_same, rows};
use crate::batch::Tables;
use crate::course::{Course, course};
use crate::made::{DISORDER, Made, made, settings};
use crate::topology::Topology;
use crate::windowing::{Shape, hopping};

/// Three standard errors of a HyperLogLog with 2^14 registers.
const DISTINCT: f64 = 3.0 * 1.04 / 128.0;
/// How far the rank of a percentile may be off: a t-digest of 100 centroids is finer than that, most
/// of all at the ends.
const RANK: f64 = 0.02;
const PERCENTILES: [f64; 4] = [0.1, 0.5, 0.9, 0.99];

fn case() -> impl Strategy<Value = (Made, Course, Shape)> {
    (made(400, 0, DISORDER), course(1..=2_usize), hopping())
}

fn check(made: &Made, course: &Course, shape: Shape) {
    let percentile = |p: f64| format!("approx_percentile_cont({p}) WITHIN GROUP (ORDER BY y)");
    let mut aggregate =
        json!({"distinct_ids": "approx_distinct(id)", "distinct": "approx_distinct(x)"});
    for (n, p) in PERCENTILES.iter().enumerate() {
        aggregate[format!("p{n}")] = json!(percentile(*p));
    }
    let (name, bounds) = shape.option();
    let node =
        json!({"input": "a", "window": {name: bounds, "key": ["k"], "aggregate": aggregate}});
    let mut topology = Topology::new([("a", made.feed(course.partitions))]);
    topology.many("w", node).show("out", "w");
    let found = topology.run(course).world.shown("out");

    let tables = Tables::new([("a", made.table()), ("w", shape.table(made.times()))]);
    let exact = tables.query(
        "SELECT k, s AS window_start, e AS window_end, count(DISTINCT id) AS distinct_ids, \
         count(DISTINCT x) AS distinct, array_agg(y ORDER BY y) FILTER (WHERE y IS NOT NULL) AS ys \
         FROM a JOIN w ON a.t >= s AND a.t < e GROUP BY k, s, e",
    );
    let place = ["k", "window_start", "window_end"];
    assert_same("windows", rows(&found, &place), rows(&exact, &place), 0);
    let at = |batches: &[RecordBatch]| -> Vec<(Vec<String>, (usize, usize))> {
        let places = batches.iter().enumerate().flat_map(|(b, batch)| {
            rows(std::slice::from_ref(batch), &place)
                .into_iter()
                .enumerate()
                .map(move |(r, p)| (p, (b, r)))
        });
        let mut places: Vec<_> = places.collect();
        places.sort();
        places
    };
    for ((place, (b, row)), (_, (xb, exact_row))) in at(&found).into_iter().zip(at(&exact)) {
        let (found, exact) = (&found[b], &exact[xb]);
        for column in ["distinct_ids", "distinct"] {
            let sketch = found.column_by_name(column).unwrap().as_primitive::<UInt64Type>();
            let count = exact.column_by_name(column).unwrap().as_primitive::<Int64Type>();
            let (sketch, count) = (sketch.value(row) as f64, count.value(exact_row) as f64);
            let bound = (DISTINCT * count).max(1.0);
            assert!((sketch - count).abs() <= bound, "{place:?}: {column} {sketch}, not {count}");
        }
        let ys = exact.column_by_name("ys").unwrap().as_list::<i32>();
        let ys = if ys.is_null(exact_row) { Vec::new() } else { floats(&ys.value(exact_row)) };
        for (n, p) in PERCENTILES.iter().enumerate() {
            let sketch = found.column_by_name(&format!("p{n}")).unwrap();
            let sketch = sketch.as_primitive::<Float64Type>();
            let sketch = sketch.is_valid(row).then(|| sketch.value(row));
            assert!(is_percentile(sketch, *p, &ys), "{place:?}: {p} is {sketch:?} of {ys:?}");
        }
    }
}

fn floats(values: &dyn Array) -> Vec<f64> {
    values.as_primitive::<Float64Type>().values().to_vec()
}

/// Whether a value has the rank `p` among sorted values, within the bound and the value next to it.
fn is_percentile(value: Option<f64>, p: f64, sorted: &[f64]) -> bool {
    let Some(value) = value else {
        return sorted.is_empty();
    };
    if sorted.is_empty() {
        return false;
    }
    let count = sorted.len() as f64;
    let slack = RANK * count + 1.0;
    let below = sorted.iter().filter(|y| **y < value).count() as f64;
    let up_to = sorted.iter().filter(|y| **y <= value).count() as f64;
    below <= p * count + slack && up_to >= p * count - slack
}

#[test]
fn a_percentile_is_near_its_rank() {
    let sorted: Vec<f64> = (0..200).map(f64::from).collect();
    assert!(is_percentile(Some(100.0), 0.5, &sorted) && is_percentile(Some(98.5), 0.5, &sorted));
    assert!(!is_percentile(Some(110.0), 0.5, &sorted) && !is_percentile(Some(90.0), 0.5, &sorted));
    assert!(is_percentile(None, 0.5, &[]) && !is_percentile(None, 0.5, &sorted));
}

proptest! {
    #![proptest_config(settings(30))]

    #[test]
    fn sketches_are_as_close_as_they_promise((made, course, shape) in case()) {
        check(&made, &course, shape);
    }
}
