//! `sample`: keeps a part of the rows.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result,
};

use crate::expression::{Taken, fault};
use crate::row_hash;

/// Keeps a part of the rows: a fraction of them, or every so many.
///
/// - `sample: {fraction: 0.01, by: [user]}` keeps the rows of one user in a hundred: all of them or
///   none. The choice is a hash of the columns and `seed`, the same at any parallelism, in every
///   run and in every topology that samples by these columns with this seed.
/// - `sample: {fraction: 0.01}` keeps one row in a hundred, drawn by `seed` and the row's number.
/// - `sample: {every: 100}` keeps the first of every hundred rows.
///
/// Without `by` rows are counted from the start of the process, and by each task for itself where
/// `parallelism` is above 1: after a restart other rows are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleOptions {
    /// Share of the rows to keep, above 0 and at most 1.
    #[serde(default)]
    pub fraction: Option<f64>,
    /// Keep the first of every so many rows.
    #[serde(default)]
    pub every: Option<u64>,
    /// Columns whose values decide together; goes with `fraction`.
    #[serde(default)]
    pub by: Vec<String>,
    /// Another seed keeps other rows.
    #[serde(default)]
    pub seed: u64,
}

impl OperatorOptions for SampleOptions {
    const KIND: &'static str = "sample";
    const EXAMPLE: &'static str = r#"name: sample_example
sources:
  bids:
    generate: {preset: bids, rate: 10000, count: 50000}
operators:
  some_bidders: {input: bids, sample: {fraction: 0.01, by: [bidder]}}
sinks:
  out: {input: some_bidders, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let schema = cx.input()?;
        let find = |name: &String| {
            schema.index_of(name).map_err(|_| fault::unknown_column(name, "by", &schema))
        };
        let by: Vec<usize> = self.by.iter().map(find).collect::<Result<_>>()?;
        let choice = match (self.fraction, self.every, by.is_empty()) {
            (Some(fraction), None, true) => Choice::Drawn(checked(fraction)?),
            (Some(fraction), None, false) => Choice::ByKey(checked(fraction)?, by),
            (None, Some(every), true) if every > 0 => Choice::Every(every),
            (None, Some(0), _) => return Err(mistake("keep every 0th row", "write every: 100")),
            (None, Some(_), false) => {
                return Err(mistake("use `by` with `every`", "`by` goes with `fraction`"));
            }
            _ => {
                let hint = "write fraction: 0.01, or every: 100";
                return Err(mistake("know how much to keep", hint));
            }
        };
        let seed = self.seed;
        let make = Arc::new(move |instance| {
            let seed = match choice {
                // Tasks that count for themselves must not draw the same numbers.
                Choice::Drawn(_) => seed ^ row_hash::mix(instance as u64),
                _ => seed,
            };
            Ok(Box::new(Sample { choice: choice.clone(), seed, seen: 0 }) as Box<dyn Operator>)
        });
        Ok(OperatorPlan::stateless(schema, make))
    }
}

fn mistake(message: &str, hint: &str) -> Error {
    Error::config("SW0311", message).with_hint(hint)
}

fn checked(fraction: f64) -> Result<f64> {
    if fraction > 0.0 && fraction <= 1.0 {
        return Ok(fraction);
    }
    let message = format!("keep the fraction {fraction}");
    Err(mistake(&message, "a fraction is above 0 and at most 1"))
}

#[derive(Debug, Clone)]
enum Choice {
    Drawn(f64),
    ByKey(f64, Vec<usize>),
    Every(u64),
}

struct Sample {
    choice: Choice,
    seed: u64,
    /// Rows seen so far.
    seen: u64,
}

impl Operator for Sample {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let rows = batch.rows();
        let number = |row: usize| self.seen.wrapping_add(row as u64);
        let kept = match &self.choice {
            Choice::Every(every) => {
                BooleanBuffer::collect_bool(rows, |row| number(row) % every == 0)
            }
            Choice::Drawn(fraction) => BooleanBuffer::collect_bool(rows, |row| {
                row_hash::unit(row_hash::mix(number(row) ^ row_hash::mix(self.seed))) < *fraction
            }),
            Choice::ByKey(fraction, columns) => {
                let hashes = row_hash::rows(&batch.records, columns, self.seed)?;
                let hashes = hashes.iter().map(|hash| row_hash::unit(*hash) < *fraction);
                hashes.collect()
            }
        };
        self.seen = number(rows);
        match Taken::of(&BooleanArray::from(kept)) {
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use swiftwater_engine::testing::{Harness, rows};

    use super::*;

    fn sample(options: Value) -> Harness {
        Harness::new::<SampleOptions>(options, &json!({"n": "int64", "user": "utf8"}))
    }

    fn numbered(from: u64, to: u64) -> Value {
        json!(
            (from..to)
                .map(|n| json!({"n": n, "user": format!("u{}", n % 500)}))
                .collect::<Vec<_>>()
        )
    }

    #[test]
    fn every_so_many_keeps_the_first_of_them() {
        let mut every = sample(json!({"every": 3}));
        every.push(&numbered(0, 4)).push(&numbered(4, 8));
        every.expect(&json!([{"n": 0}, {"n": 3}, {"n": 6}]));
    }

    #[test]
    fn about_the_fraction_is_kept_and_the_same_for_the_same_seed() {
        let kept = |options: Value| {
            let mut sample = sample(options);
            sample.push(&numbered(0, 20_000));
            sample.take_rows(0)
        };
        let one = kept(json!({"fraction": 0.1}));
        // 2000 expected, standard deviation 42: five of them to either side.
        assert!((1790..2210).contains(&one.len()), "{}", one.len());
        assert_eq!(one, kept(json!({"fraction": 0.1})));
        assert_ne!(one, kept(json!({"fraction": 0.1, "seed": 1})));
        assert_eq!(kept(json!({"fraction": 1.0})).len(), 20_000);
    }

    #[test]
    fn tasks_draw_different_rows() {
        let columns = rows::columns(&json!({"n": "int64"}));
        let plan = Harness::plan::<SampleOptions>(
            json!({"fraction": 0.5}),
            std::slice::from_ref(&columns),
        );
        let plan = plan.unwrap().planned().clone();
        let kept = |instance| {
            let mut operator = (plan.make)(instance).unwrap();
            let mut out = Output::default();
            let now = swiftwater_engine::Readings::polled_at(out.now());
            let batch = Batch::new(rows::made_up(&columns, 100, 1, false), now);
            operator.process(0, batch, &mut out).unwrap();
            out.take_batches().remove(0).1.records
        };
        assert_ne!(kept(0), kept(1));
    }

    #[test]
    fn all_rows_of_a_key_are_kept_or_none() {
        let mut by_user = sample(json!({"fraction": 0.2, "by": ["user"]}));
        by_user.push(&numbered(0, 5_000));
        let kept = by_user.take_rows(0);
        let users: BTreeSet<String> = kept.iter().map(|r| r["user"].to_string()).collect();
        assert_eq!(kept.len(), users.len() * 10, "each of 500 users has 10 rows");
        // 100 users expected, standard deviation 9.
        assert!((55..145).contains(&users.len()), "{}", users.len());
    }

    #[test]
    fn mistakes_are_named() {
        for (options, code, part) in [
            (json!({}), "SW0311", "fraction: 0.01"),
            (json!({"fraction": 0.1, "every": 2}), "SW0311", "how much"),
            (json!({"fraction": 1.5}), "SW0311", "1.5"),
            (json!({"fraction": 0}), "SW0311", "above 0"),
            (json!({"every": 0}), "SW0311", "every 0th"),
            (json!({"every": 2, "by": ["n"]}), "SW0311", "`by`"),
            (json!({"fraction": 0.1, "by": ["usr"]}), "SW0301", "did you mean `user`?"),
            (json!({"fracton": 0.1}), "SW0110", "`fracton`"),
        ] {
            let schema = rows::columns(&json!({"n": "int64", "user": "utf8"}));
            let error = Harness::plan::<SampleOptions>(options.clone(), &[schema]).err().unwrap();
            assert_eq!(error.code, code, "{options}: {error}");
            assert!(error.to_string().contains(part), "{options}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_split_keeps_the_same_rows(cuts in prop::collection::vec(1u64..40, 1..20), kind in 0..3) {
            let options = match kind {
                0 => json!({"every": 7}),
                1 => json!({"fraction": 0.3, "seed": 5}),
                _ => json!({"fraction": 0.3, "by": ["n"]}),
            };
            let total: u64 = cuts.iter().sum();
            let mut whole = sample(options.clone());
            whole.push(&numbered(0, total));
            let mut parts = sample(options);
            let mut from = 0;
            for cut in cuts {
                parts.push(&numbered(from, from + cut));
                from += cut;
            }
            prop_assert_eq!(parts.take_rows(0), whole.take_rows(0));
        }
    }
}
