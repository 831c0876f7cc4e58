//! `assert`: holds rows to data-quality rules.

mod options;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Rejected, Result,
};

pub use options::AssertOptions;

use crate::quality::{BatchRule, Breach, Broken, RowRule, Terms, payloads};

impl OperatorOptions for AssertOptions {
    const KIND: &'static str = "assert";
    const EXAMPLE: &'static str = r#"name: assert_example
sources:
  bids:
    generate: {preset: bids, rate: 1000, count: 5000}
operators:
  good:
    input: bids
    assert:
      rules:
        - {column: price, range: {min: 1, max: 100000000}}
        - {column: channel, one_of: [Apple, Google, Facebook, Baidu], on_breach: count}
        - {column: url, matches: "^https://"}
        - {column: bidder, not_null: true, on_breach: stop}
        - {column: url, max_null_rate: 0.05, min_rows: 100, on_breach: count}
        - {unique: [auction, bidder, date_time, price], on_breach: count}
        - {name: sane, predicate: "price < 1000 OR bidder > 0"}
    on_error: {dead_letter: rejected}
sinks:
  out: {input: good, stdout: {}}
  rejected: {blackhole: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let schema = cx.input()?;
        let planned = Arc::new(self.rules(&schema)?);
        let mut warnings: Vec<String> =
            planned.rows.iter().flat_map(|rule| rule.warnings().iter().cloned()).collect();
        warnings.extend(planned.without_dead_letters(&cx.node.on_error));
        let splittable = planned.batches.is_empty();
        let make = Arc::new(move |_| {
            Ok(Box::new(Assert { rules: Arc::clone(&planned) }) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::stateless(schema, make);
        Ok(OperatorPlan { splittable, warnings, ..plan })
    }
}

/// All rules of a node: those on rows are looked at first, those on batches see what they left.
#[derive(Debug)]
struct Rules {
    rows: Vec<RowRule>,
    batches: Vec<BatchRule>,
}

struct Assert {
    rules: Arc<Rules>,
}

/// The first broken rule of each row that is to be set aside.
type Aside = BTreeMap<usize, Broken>;

impl Operator for Assert {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let mut aside = Aside::new();
        for rule in &self.rules.rows {
            let broken = rule.broken(&batch.records, out.now());
            let count = broken.len();
            apply(&rule.terms, count, broken, &batch.records, &mut aside, out)?;
        }
        let mut kept = set_aside(batch.records.clone(), &aside, out)?;
        for rule in &self.rules.batches {
            let (count, broken) = rule.broken(&kept)?;
            let mut aside = Aside::new();
            apply(&rule.terms, count, broken, &kept, &mut aside, out)?;
            kept = set_aside(kept, &aside, out)?;
        }
        out.emit(batch.with_records(kept));
        Ok(())
    }
}

fn apply(
    terms: &Terms,
    count: usize,
    broken: Vec<Broken>,
    records: &RecordBatch,
    aside: &mut Aside,
    out: &mut Output,
) -> Result<()> {
    let Some(first) = broken.first() else {
        return Ok(());
    };
    match terms.breach {
        Breach::Stop => return Err(terms.stop(first, records)),
        Breach::Count => {}
        Breach::DeadLetter => broken.into_iter().for_each(|broken| {
            aside.entry(broken.row).or_insert(broken);
        }),
    }
    out.count_breaches(&terms.label, count);
    Ok(())
}

/// Rejects the rows that are to be set aside; returns the others.
fn set_aside(records: RecordBatch, aside: &Aside, out: &mut Output) -> Result<RecordBatch> {
    if aside.is_empty() {
        return Ok(records);
    }
    let bad = BooleanBuffer::collect_bool(records.num_rows(), |row| aside.contains_key(&row));
    let bad_rows = filter_record_batch(&records, &BooleanArray::from(bad.clone()))?;
    for (broken, payload) in aside.values().zip(payloads(&bad_rows)) {
        out.reject(Rejected {
            code: broken.code,
            message: broken.message.clone(),
            key: None,
            payload: Some(payload),
            origin: None,
            attempts: 1,
        });
    }
    Ok(filter_record_batch(&records, &BooleanArray::from(!&bad))?)
}

#[cfg(test)]
#[path = "assert/tests.rs"]
mod tests;
