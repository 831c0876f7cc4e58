//! What every operator does alike, whatever it computes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use crate::error::ErrorKind;
use crate::kind::OperatorPlan;
use crate::testing::{Harness, rows};

const ROWS: usize = 1000;

type Check = fn(&OperatorPlan, &[SchemaRef]) -> Option<String>;

/// Checks one planned operator on made-up rows.
pub(super) fn check(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Vec<String> {
    let mut problems = declares(plan, inputs);
    let checks: [Check; 6] = [
        takes_empty_batches,
        takes_nulls,
        repeats_itself,
        does_not_care_about_cuts,
        survives_a_crash,
        gives_the_same_from_disk,
    ];
    for check in checks {
        match catch_unwind(AssertUnwindSafe(|| check(plan, inputs))) {
            Ok(problem) => problems.extend(problem),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                problems.push(format!("it panics: {}", text.unwrap_or("without a word")));
            }
        }
    }
    problems
}

fn declares(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Vec<String> {
    let mut problems = Vec::new();
    if plan.ports.is_empty() {
        problems.push("it has no output".to_owned());
    }
    let names: std::collections::BTreeSet<_> = plan.ports.iter().map(|(name, _)| name).collect();
    if names.len() != plan.ports.len() {
        problems.push("two of its outputs have one name".to_owned());
    }
    for column in plan.key.iter().flatten() {
        if inputs.iter().any(|schema| schema.column_with_name(column).is_none()) {
            problems.push(format!("its key `{column}` is not a column of every input"));
        }
    }
    problems
}

fn takes_empty_batches(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Option<String> {
    let mut harness = made(plan, inputs);
    for (input, schema) in inputs.iter().enumerate() {
        if let Err(error) = harness.push_batch(input, RecordBatch::new_empty(Arc::clone(schema))) {
            return Some(format!("it fails on an empty batch: {error}"));
        }
    }
    let rows: usize = everything(&mut harness, plan).values().map(RecordBatch::num_rows).sum();
    (rows > 0).then(|| format!("it gives {rows} rows for none"))
}

fn takes_nulls(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Option<String> {
    let mut harness = made(plan, inputs);
    for (input, schema) in inputs.iter().enumerate() {
        match harness.push_batch(input, rows::all_null(schema, 10)) {
            Err(error) if error.kind == ErrorKind::Bug => {
                return Some(format!("it fails on rows of nulls: {error}"));
            }
            Ok(()) | Err(_) => {}
        }
    }
    None
}

fn repeats_itself(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Option<String> {
    (run(plan, inputs, ROWS) != run(plan, inputs, ROWS))
        .then(|| "it gives other rows when it runs again".to_owned())
}

fn does_not_care_about_cuts(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Option<String> {
    if !plan.splittable && !plan.stateful {
        return None;
    }
    let whole = run(plan, inputs, ROWS);
    let cut = [1, 7, 100, 333].into_iter().find(|cut| run(plan, inputs, *cut) != whole)?;
    Some(format!("it gives other rows for batches of {cut} than for one of {ROWS}"))
}

/// Its state, sealed every few batches and given to a fresh instance, leads to the same rows.
fn survives_a_crash(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Option<String> {
    if !plan.stateful {
        return None;
    }
    let whole = run(plan, inputs, 50);
    let crashed = run_with_crashes(plan, inputs, 50);
    (whole != crashed).then(|| "it gives other rows after a crash".to_owned())
}

/// State that goes to disk at any moment, before and after barriers and crashes, leads to the same
/// rows.
fn gives_the_same_from_disk(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Option<String> {
    if !plan.stateful {
        return None;
    }
    let whole = run(plan, inputs, 50);
    let spill = |harness: &mut Harness, batches: usize| {
        // Now all of it, now about half, now nothing.
        let targets = [Some(0), None, Some(harness.state_bytes() / 2)];
        targets.get(batches * 5 % 7 % 3).copied().flatten().map_or(Ok(()), |t| harness.spill(t))
    };
    if run_and(plan, inputs, 50, spill) != whole {
        return Some("it gives other rows when state goes to disk".to_owned());
    }
    let mut deltas = Vec::new();
    let crashed = run_and(plan, inputs, 50, |harness, batches| {
        spill(harness, batches)?;
        if batches % 2 == 0 {
            deltas.extend(harness.seal()?);
            spill(harness, batches + 1)?;
        }
        if batches % 10 == 0 {
            harness.crash_and_restore(&deltas, None)?;
            harness.spill(0)?;
        }
        Ok(())
    });
    (crashed != whole).then(|| "it gives other rows after a crash with state on disk".to_owned())
}

/// Everything an operator gave back: rows by port, records set aside, counts.
#[derive(Debug, PartialEq)]
struct Given {
    ports: BTreeMap<usize, RecordBatch>,
    rejected: Vec<(&'static str, String)>,
    dropped: BTreeMap<&'static str, usize>,
    breaches: BTreeMap<String, usize>,
    failed: Option<&'static str>,
}

/// Runs made-up rows through a new instance, `cut` rows at a time.
fn run(plan: &OperatorPlan, inputs: &[SchemaRef], cut: usize) -> Given {
    run_and(plan, inputs, cut, |_, _| Ok(()))
}

/// The same with a barrier after every second batch and a crash after every fifth barrier.
fn run_with_crashes(plan: &OperatorPlan, inputs: &[SchemaRef], cut: usize) -> Given {
    let mut deltas = Vec::new();
    run_and(plan, inputs, cut, |harness, batches| {
        if batches % 2 == 0 {
            deltas.extend(harness.seal()?);
        }
        if batches % 10 == 0 {
            harness.crash_and_restore(&deltas, None)?;
        }
        Ok(())
    })
}

fn run_and(
    plan: &OperatorPlan,
    inputs: &[SchemaRef],
    cut: usize,
    mut after: impl FnMut(&mut Harness, usize) -> crate::Result<()>,
) -> Given {
    let mut harness = made(plan, inputs);
    let (mut failed, mut batches) = (None, 0);
    for (input, schema) in inputs.iter().enumerate() {
        let records = rows::made_up(schema, ROWS, 42 + input as u64, true);
        for from in (0..ROWS).step_by(cut) {
            let part = records.slice(from, cut.min(ROWS - from));
            batches += 1;
            let pushed = harness.push_batch(input, part);
            if let Err(error) = pushed.and_then(|()| after(&mut harness, batches)) {
                failed.get_or_insert(error.code);
            }
        }
    }
    if let Err(error) = harness.end() {
        failed.get_or_insert(error.code);
    }
    let ports = everything(&mut harness, plan);
    let payload = |r: &crate::Rejected| {
        String::from_utf8_lossy(r.payload.as_deref().unwrap_or_default()).into_owned()
    };
    Given {
        ports,
        rejected: harness.take_rejected().iter().map(|r| (r.code, payload(r))).collect(),
        dropped: harness.take_dropped(),
        breaches: harness.take_breaches(),
        failed,
    }
}

fn made(plan: &OperatorPlan, inputs: &[SchemaRef]) -> Harness {
    let made = Harness::of(plan.clone(), inputs);
    made.map_err(|e| e.to_string()).expect("a plan that makes instances")
}

fn everything(harness: &mut Harness, plan: &OperatorPlan) -> BTreeMap<usize, RecordBatch> {
    let ports = plan.ports.iter().enumerate();
    ports
        .map(|(port, (_, schema))| {
            let batches = harness.take_batches(port);
            let whole = concat_batches(schema, &batches).expect("batches of one schema");
            (port, whole)
        })
        .collect()
}
