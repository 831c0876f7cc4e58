//! `throttle`: lets at most so many rows a second pass.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, Timestamp,
};

/// Lets at most so many rows a second pass.
///
/// Rows that come faster wait, which holds back the sources: nothing is dropped and nothing piles
/// up (`swiftwater_operator_seconds_total{state="backpressured"}` shows the wait). After a quiet
/// time up to `burst` rows pass at once. The rate is that of the node, at any `parallelism`.
///
/// Barriers wait behind the rows before them: an epoch takes as long as the rows in the edges take
/// to pass. Give a slow `throttle` small batches from its source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThrottleOptions {
    /// Rows that may pass in one second, on average.
    pub rows_per_second: f64,
    /// Rows that may pass at once; a tenth of a second's without it, at least one.
    #[serde(default)]
    pub burst: Option<u64>,
}

impl OperatorOptions for ThrottleOptions {
    const KIND: &'static str = "throttle";
    const EXAMPLE: &'static str = r#"name: throttle_example
sources:
  bids:
    generate: {preset: bids, count: 5000}
operators:
  slow: {input: bids, throttle: {rows_per_second: 1000, burst: 100}}
sinks:
  out: {input: slow, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let schema = cx.input()?;
        let rate = self.rows_per_second;
        if !(rate.is_finite() && rate > 0.0) {
            let message = format!("let {rate} rows a second pass");
            return Err(Error::config("SW0312", message).with_hint("give a number above 0"));
        }
        if self.burst == Some(0) {
            return Err(Error::config("SW0312", "let 0 rows pass at once")
                .with_hint("`burst` is at least 1"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is positive, and the cast stops at the largest number"
        )]
        let burst = self.burst.unwrap_or((rate / 10.0) as u64).max(1);
        let bucket = Arc::new(Mutex::new(Bucket::full(rate, burst)));
        let make = Arc::new(move |_| {
            let throttle = Throttle {
                bucket: Arc::clone(&bucket),
                burst: usize::try_from(burst).unwrap_or(usize::MAX),
            };
            Ok(Box::new(throttle) as Box<dyn Operator>)
        });
        Ok(OperatorPlan::stateless(schema, make))
    }
}

/// A token bucket: it fills at the rate up to the burst, and each row takes one token. It may go
/// below zero; the debt is the time to wait.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Option<Timestamp>,
}

impl Bucket {
    #[expect(clippy::cast_precision_loss, reason = "bursts are far below 2^53 rows")]
    const fn full(rate: f64, burst: u64) -> Self {
        let burst = burst as f64;
        Self { rate, burst, tokens: burst, filled: None }
    }

    /// Takes tokens for `rows` at time `now`; returns how long to wait before more may come.
    #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53 rows")]
    fn take(&mut self, rows: usize, now: Timestamp) -> Duration {
        let filled = self.filled.map_or(now, |at| at.max(now));
        let passed = self.filled.map_or(0.0, |at| filled.seconds_since(at));
        self.filled = Some(filled);
        self.tokens = passed.mul_add(self.rate, self.tokens).min(self.burst) - rows as f64;
        let debt = (-self.tokens / self.rate).max(0.0);
        Duration::try_from_secs_f64(debt).unwrap_or(Duration::MAX)
    }
}

struct Throttle {
    /// Shared by the tasks of the node.
    bucket: Arc<Mutex<Bucket>>,
    burst: usize,
}

impl Operator for Throttle {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        out.delay(bucket.take(batch.rows(), out.now()));
        out.emit(batch);
        Ok(())
    }

    // More rows at once than the burst would be a larger burst.
    fn max_rows(&self) -> usize {
        self.burst
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use swiftwater_engine::testing::{Harness, rows};

    use super::*;

    fn throttle(options: Value) -> Harness {
        Harness::new::<ThrottleOptions>(options, &json!({"n": "int64"}))
    }

    fn numbered(rows: usize) -> Value {
        json!((0..rows).map(|n| json!({"n": n})).collect::<Vec<_>>())
    }

    #[test]
    fn the_rate_holds_and_nothing_is_lost() {
        let mut throttle = throttle(json!({"rows_per_second": 100, "burst": 10}));
        throttle.push(&numbered(1000));
        assert_eq!(throttle.take_rows(0).len(), 1000);
        // The first ten pass at once, the others one each 10 ms.
        assert_eq!(throttle.take_waited(), Duration::from_millis(9900));
    }

    #[test]
    fn a_large_batch_passes_in_bursts() {
        let mut throttle = throttle(json!({"rows_per_second": 100, "burst": 10}));
        throttle.push(&numbered(25));
        let sizes: Vec<_> = throttle.take_batches(0).iter().map(|b| b.num_rows()).collect();
        assert_eq!(sizes, [10, 10, 5]);
    }

    #[test]
    fn a_quiet_time_saves_up_one_burst_and_no_more() {
        let mut throttle = throttle(json!({"rows_per_second": 100, "burst": 10}));
        throttle.push(&numbered(10));
        assert_eq!(throttle.take_waited(), Duration::ZERO);
        throttle.advance(Duration::from_millis(50)).push(&numbered(5));
        assert_eq!(throttle.take_waited(), Duration::ZERO, "50 ms give 5 rows");
        throttle.advance(Duration::from_secs(60)).push(&numbered(10));
        assert_eq!(throttle.take_waited(), Duration::ZERO);
        throttle.push(&numbered(1));
        assert_eq!(throttle.take_waited(), Duration::from_millis(10), "a minute saves one burst");
    }

    #[test]
    fn tasks_share_the_rate() {
        let columns = rows::columns(&json!({"n": "int64"}));
        let options = json!({"rows_per_second": 10, "burst": 1});
        let plan = Harness::plan::<ThrottleOptions>(options, std::slice::from_ref(&columns));
        let plan = plan.unwrap().planned().clone();
        let mut delays = Vec::new();
        for task in 0..3 {
            let mut operator = (plan.make)(task).unwrap();
            let mut out = Output::default();
            let readings = swiftwater_engine::Readings::polled_at(out.now());
            let batch = Batch::new(rows::made_up(&columns, 1, 1, false), readings);
            operator.process(0, batch, &mut out).unwrap();
            delays.push(out.take_delay().as_millis());
        }
        assert_eq!(delays, [0, 100, 200]);
    }

    #[test]
    fn a_clock_that_steps_back_gives_no_rows() {
        let mut bucket = Bucket::full(10.0, 1);
        assert_eq!(bucket.take(1, Timestamp(1_000_000)), Duration::ZERO);
        assert_eq!(bucket.take(1, Timestamp(0)), Duration::from_millis(100));
        assert_eq!(bucket.take(1, Timestamp(1_000_000)), Duration::from_millis(200));
    }

    #[test]
    fn mistakes_are_named() {
        for (options, code) in [
            (json!({"rows_per_second": 0}), "SW0312"),
            (json!({"rows_per_second": -1}), "SW0312"),
            (json!({"rows_per_second": 1, "burst": 0}), "SW0312"),
            (json!({"rows_per_secnd": 1}), "SW0110"),
        ] {
            let schema = rows::columns(&json!({"n": "int64"}));
            let error = Harness::plan::<ThrottleOptions>(options, &[schema]).err().unwrap();
            assert_eq!(error.code, code, "{error}");
        }
    }
}
