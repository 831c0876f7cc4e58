//! `filter`: keeps the rows for which a predicate is true.

use std::sync::Arc;

use arrow::compute::filter_record_batch;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result,
};

use crate::expression::{Predicate, Taken};

/// Keeps the rows for which a SQL predicate is true.
///
/// The option is the predicate itself: `filter: "price >= 1000 AND channel LIKE 'G%'"`. A row for
/// which the answer is unknown (null) is left out, as in a WHERE clause. All scalar functions of
/// DataFusion can be used; columns are named exactly as in the schema, text stands in single
/// quotes.
///
/// A row that cannot be evaluated, as in `1000 / price > 2` for a price of 0, is a bad record and
/// goes where `on_error` of the node says. The rows that are left out are not counted as dropped:
/// they are the difference of `swiftwater_rows_total` in and out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct FilterOptions(
    /// The predicate.
    pub String,
);

impl OperatorOptions for FilterOptions {
    const KIND: &'static str = "filter";
    const EXAMPLE: &'static str = r#"name: filter_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  serious: {input: bids, filter: "price >= 1000 AND channel IS NOT NULL"}
sinks:
  out: {input: serious, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let schema = cx.input()?;
        let predicate = Predicate::plan(&self.0, &schema)?;
        let warnings = predicate.expression().warnings().to_vec();
        let make = Arc::new(move |_| {
            Ok(Box::new(Filter { predicate: predicate.clone() }) as Box<dyn Operator>)
        });
        Ok(OperatorPlan { warnings, ..OperatorPlan::stateless(schema, make) })
    }
}

struct Filter {
    predicate: Predicate,
}

impl Operator for Filter {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        match self.predicate.take(&batch.records, out.now())? {
            Taken::All => out.emit(batch),
            Taken::None => {}
            Taken::Some(rows) => {
                out.emit(batch.with_records(filter_record_batch(&batch.records, &rows)?));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use proptest::prelude::*;
    use serde_json::json;
    use swiftwater_engine::testing::{Harness, rows};

    use super::*;

    fn bids(predicate: &str) -> Harness {
        let columns = json!({"price": "int64", "channel": "utf8"});
        Harness::new::<FilterOptions>(json!(predicate), &columns)
    }

    #[test]
    fn rows_for_which_the_predicate_is_true_are_kept() {
        let input = json!([
            {"price": 10, "channel": "a"},
            {"price": null, "channel": "b"},
            {"price": 2000, "channel": null},
        ]);
        for (predicate, kept) in [
            ("price > 100", json!([{"price": 2000, "channel": null}])),
            ("price IS NULL", json!([{"price": null, "channel": "b"}])),
            ("channel = 'a' OR price > 100", json!([{"price": 10}, {"price": 2000}])),
            ("NOT price > 100", json!([{"price": 10}])),
            ("true", input.clone()),
            ("false", json!([])),
            ("NULL", json!([])),
        ] {
            bids(predicate).push(&input).expect(&kept);
        }
    }

    #[test]
    fn a_batch_that_is_kept_whole_is_not_copied() {
        let mut filter = bids("price >= 0");
        let schema = rows::columns(&json!({"price": "int64", "channel": "utf8"}));
        let batch = rows::made_up(&schema, 100, 1, false);
        filter.push_batch(0, batch.clone()).unwrap();
        let kept = filter.take_batches(0);
        let [kept] = kept.as_slice() else { panic!("one batch in, one batch out") };
        for (a, b) in kept.columns().iter().zip(batch.columns()) {
            assert!(a.to_data().ptr_eq(&b.to_data()));
        }
    }

    #[test]
    fn a_row_that_cannot_be_evaluated_is_set_aside_alone() {
        let mut filter = bids("1000 / price > 2");
        filter.push(&json!([{"price": 10}, {"price": 0, "channel": "x"}, {"price": 20}]));
        filter.expect(&json!([{"price": 10}, {"price": 20}]));
        filter.expect_rejected(&[("SW3201", json!({"price": 0, "channel": "x"}))]);
    }

    #[test]
    fn now_is_the_time_of_the_call() {
        let columns = json!({"at": "timestamp_ms"});
        let options = json!("at > now() - INTERVAL '1 minute'");
        let mut filter = Harness::new::<FilterOptions>(options, &columns);
        let row = json!([{"at": "2025-12-31T23:59:30"}]);
        filter.push(&row).expect(&row);
        filter.advance(std::time::Duration::from_secs(60)).push(&row).expect(&json!([]));
    }

    #[test]
    fn a_mistake_names_the_column() {
        let schema = rows::columns(&json!({"price": "int64"}));
        let error = Harness::plan::<FilterOptions>(json!("prise > 3"), &[schema]).err().unwrap();
        assert_eq!(error.code, "SW0301");
    }

    proptest! {
        #[test]
        fn any_split_gives_what_the_oracle_gives(
            prices in prop::collection::vec(prop::option::of(-5i64..5), 0..60),
            cut in 1usize..20,
        ) {
            let row = |p: &Option<i64>| json!({"price": p, "channel": "x"});
            let kept: Vec<_> = prices.iter().filter(|p| p.is_some_and(|p| p > 0)).map(row).collect();
            let mut filter = bids("price > 0");
            for part in prices.chunks(cut) {
                filter.push(&json!(part.iter().map(row).collect::<Vec<_>>()));
            }
            filter.expect(&json!(kept));
        }
    }
}
