//! How many rows a second the operators take on one core, for orientation.
//!
//! ```text
//! cargo test --release -p swiftwater-operators rate -- --ignored --nocapture
//! ```

use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Value, json};
use swiftwater_engine::testing::{Harness, rows};
use swiftwater_engine::{Batch, Operator, OperatorOptions, Output, Readings, Timestamp};

use crate::catalog::{
    AssertOptions, FilterOptions, RouteOptions, SampleOptions, SelectOptions, SqlOptions,
};

const ROWS: usize = 8192;
const ROUNDS: usize = 2000;

fn bids() -> RecordBatch {
    let schema = rows::columns(&json!({
        "auction": "int64!", "bidder": "int64!", "price": "int64!", "channel": "utf8",
        "date_time": "timestamp_ms!",
    }));
    rows::made_up(&schema, ROWS, 1, true)
}

fn operator<O: OperatorOptions>(options: Value, input: &SchemaRef) -> Box<dyn Operator> {
    let harness = Harness::plan::<O>(options, std::slice::from_ref(input)).unwrap();
    (harness.planned().make)(0).unwrap()
}

fn measure(name: &str, mut chain: Vec<Box<dyn Operator>>) {
    let batch = Batch::new(bids(), Readings::polled_at(Timestamp(0)));
    let mut passed = 0;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let mut waiting = vec![batch.clone()];
        for operator in &mut chain {
            let mut out = Output::at(Timestamp(0));
            for batch in waiting.drain(..) {
                operator.process(0, batch, &mut out).unwrap();
            }
            waiting.extend(out.take_batches().into_iter().map(|(_, batch)| batch));
        }
        passed += waiting.iter().map(Batch::rows).sum::<usize>();
    }
    let rate = (ROWS * ROUNDS) as f64 / started.elapsed().as_secs_f64() / 1e6;
    let share = 100.0 * passed as f64 / (ROWS * ROUNDS) as f64;
    println!("{name:<40} {rate:>8.1} M rows/s, {share:.0} % pass");
}

#[test]
#[ignore = "a measurement, not a test"]
fn rows_a_second() {
    let input = bids().schema();
    let filter = |text: &str| operator::<FilterOptions>(json!(text), &input);
    let sql = |text: &str| operator::<SqlOptions>(json!(text), &input);
    let columns = json!(["auction", "bidder", "price * 0.92 AS euros", "channel", "date_time"]);
    let select = || operator::<SelectOptions>(columns.clone(), &input);

    measure("filter, half the rows", vec![filter("price >= 50")]);
    measure("filter, all rows", vec![filter("price >= 0")]);
    measure("filter, no rows", vec![filter("price > 1000")]);
    measure("filter on text", vec![filter("channel LIKE '%o%'")]);
    measure("select, one of five columns computed", vec![select()]);
    measure("filter, then select", vec![filter("price >= 50"), select()]);
    let query = "SELECT auction, bidder, price * 0.92 AS euros, channel, date_time \
                 FROM input WHERE price >= 50";
    measure("the same as one sql", vec![sql(query)]);
    let query = "SELECT auction, price + 1 AS more FROM input WHERE channel = 'google'";
    measure("sql, two columns, filter on text", vec![sql(query)]);
    let routes = json!({"routes": {"a": "price < 25", "b": "price < 50", "c": "price < 75"}});
    measure("route to four ports", vec![operator::<RouteOptions>(routes, &input)]);
    let by = json!({"fraction": 0.1, "by": ["bidder"]});
    measure("sample by key", vec![operator::<SampleOptions>(by, &input)]);
    let rules = json!({"rules": [
        {"column": "price", "range": {"min": 0, "max": 1000}},
        {"column": "channel", "matches": "^[^0-9]*"},
        {"column": "bidder", "not_null": true},
    ]});
    measure("assert, three rules that hold", vec![operator::<AssertOptions>(rules, &input)]);
}
