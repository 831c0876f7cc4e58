//! Kinds that break the rules, to see that it is noticed.

use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::error::Result;
use crate::kind::{
    OperatorOptions, OperatorPlan, SinkOptions, SinkPlan, SourceOptions, SourcePlan,
};
use crate::operator::{Operator, Output};
use crate::testing::rows;
use crate::{Batch, Error};

/// Rows from nowhere.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nowhere {}

impl SourceOptions for Nowhere {
    const KIND: &'static str = "nowhere";
    const EXAMPLE: &'static str = EXAMPLE;

    fn plan(self, _cx: &NodeContext<'_>) -> Result<SourcePlan> {
        Ok(SourcePlan {
            bounded: true,
            ..SourcePlan::new(
                rows::columns(&json!({"n": "int64"})),
                Arc::new(|_| Err(Error::bug("run a source of a test"))),
            )
        })
    }
}

/// Rows to nowhere.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Hole {}

impl SinkOptions for Hole {
    const KIND: &'static str = "hole";
    const EXAMPLE: &'static str = EXAMPLE;

    fn plan(self, _cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let make = Arc::new(|| Err(Error::bug("run a sink of a test")));
        Ok(SinkPlan::new(make))
    }
}

const EXAMPLE: &str = "name: t
sources: {a: {nowhere: {}}}
operators: {b: {input: a, step: {mode: pass}}}
sinks: {c: {input: b, hole: {}}}
";

/// What the operator of the test does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Nothing.
    Pass,
    /// Gives the first row of each batch.
    FirstOfBatch,
    /// Panics on nulls.
    PanicOnNull,
    /// Gives a column more than declared.
    OtherColumns,
}

struct Step(Mode);

impl Operator for Step {
    fn process(&mut self, _input: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let records = match self.0 {
            Mode::Pass => batch.records.clone(),
            Mode::FirstOfBatch => batch.records.slice(0, 1.min(batch.rows())),
            Mode::PanicOnNull => {
                assert_eq!(batch.records.column(0).null_count(), 0, "no nulls, please");
                batch.records.clone()
            }
            Mode::OtherColumns => {
                let schema = rows::columns(&json!({"m": "int64"}));
                rows::made_up(&schema, batch.rows(), 1, false)
            }
        };
        out.emit(batch.with_records(records));
        Ok(())
    }
}

fn plan(mode: Mode, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
    Ok(OperatorPlan::stateless(cx.input()?, Arc::new(move |_| Ok(Box::new(Step(mode))))))
}

macro_rules! kind {
    ($name:ident, $kind:literal, $example:expr, $mode:ident) => {
        impl OperatorOptions for $name {
            const KIND: &'static str = $kind;
            const EXAMPLE: &'static str = $example;

            fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
                plan(self.$mode, cx)
            }
        }
    };
}

/// Does one thing or another.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StepOptions {
    /// What it does.
    mode: Mode,
}
kind!(StepOptions, "step", EXAMPLE, mode);

fn with_step(example: &'static str) -> Vec<String> {
    /// Does what the test says.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Other {
        /// What it does.
        mode: Mode,
    }
    kind!(Other, "step", EXAMPLE, mode);
    let mut registry = Registry::new();
    registry.source::<Nowhere>().sink::<Hole>().operator::<Other>();
    let manual = registry.manual(Role::Operator, "step").unwrap().clone();
    check_kind(&registry, &Manual { example, ..manual })
}

#[test]
fn good_kinds_pass() {
    let mut registry = Registry::new();
    registry.source::<Nowhere>().sink::<Hole>().operator::<StepOptions>();
    assert_eq!(check(&registry), Vec::<String>::new());
}

#[test]
fn an_operator_that_breaks_a_rule_is_named_with_the_rule() {
    let broken = |mode: &str| {
        let example: String = EXAMPLE.replace("mode: pass", &format!("mode: {mode}"));
        with_step(Box::leak(example.into_boxed_str()))
    };
    for (mode, told) in [
        ("first_of_batch", "it gives other rows for batches of 1 than"),
        ("panic_on_null", "it panics: assertion"),
        ("other_columns", "carries other columns than declared"),
    ] {
        let problems = broken(mode);
        assert!(problems.iter().any(|p| p.contains(told)), "{mode}: {problems:?}");
        assert!(problems.iter().all(|p| p.starts_with("operators step: ")), "{problems:?}");
    }
}

#[test]
fn an_example_that_does_not_work_is_told() {
    for (example, told) in [
        (
            "name: t\nsources: {a: {nowhere: {}}}\nsinks: {c: {input: a, hole: {}}}",
            "does not use it",
        ),
        ("name: t\nsources: {a: {nowere: {}}}\nsinks: {c: {input: a, hole: {}}}", "cannot be read"),
        ("", "cannot be read"),
    ] {
        let problems = with_step(example);
        assert!(problems.iter().any(|p| p.contains(told)), "{example}: {problems:?}");
    }
}

#[test]
fn an_undocumented_badly_named_kind_that_takes_anything_is_told() {
    #[derive(Deserialize, JsonSchema)]
    struct Sloppy {
        mode: Mode,
    }
    kind!(
        Sloppy,
        "Sloppy-Kind",
        "name: t
sources: {a: {nowhere: {}}}
operators: {b: {input: a, Sloppy-Kind: {mode: pass}}}
sinks: {c: {input: b, hole: {}}}
",
        mode
    );
    let mut registry = Registry::new();
    registry.source::<Nowhere>().sink::<Hole>().operator::<Sloppy>();
    let problems = check(&registry).join("\n");
    for told in ["is not snake_case", "it has no documentation"] {
        assert!(problems.contains(told), "{problems}");
    }
    let description = documented(
        &json!({"description": "x", "properties": {"a": {}, "b": {"description": "y"}}}),
    );
    assert_eq!(description, ["its option /a has no documentation"]);
}
