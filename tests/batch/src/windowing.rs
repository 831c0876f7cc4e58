//! Windows of time, for both sides: the options of a `window` node, and a table of all windows there
//! are, which batch SQL joins the rows with.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Windows of fixed bounds; milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Tumbling { size: i64, offset: i64 },
    Hopping { size: i64, slide: i64, offset: i64 },
    Cumulative { steps: i64, step: i64 },
}

pub(crate) fn ms(millis: i64) -> String {
    format!("{millis}ms")
}

impl Shape {
    /// The option of a `window` node.
    pub(crate) fn option(self) -> (&'static str, Value) {
        match self {
            Self::Tumbling { size, offset } => {
                ("tumbling", json!({"size": ms(size), "offset": ms(offset)}))
            }
            Self::Hopping { size, slide, offset } => {
                ("hopping", json!({"size": ms(size), "slide": ms(slide), "offset": ms(offset)}))
            }
            Self::Cumulative { steps, step } => {
                ("cumulative", json!({"size": ms(steps * step), "step": ms(step)}))
            }
        }
    }

    /// The table function of streaming SQL over a table.
    pub(crate) fn function(self, table: &str) -> String {
        let span = |millis: i64| format!("INTERVAL '{millis} milliseconds'");
        let call = |name: &str, spans: &[i64]| {
            let spans: Vec<String> = spans.iter().map(|s| span(*s)).collect();
            format!("TABLE({name}(TABLE {table}, DESCRIPTOR(at), {}))", spans.join(", "))
        };
        match self {
            Self::Tumbling { size, offset: 0 } => call("TUMBLE", &[size]),
            Self::Tumbling { size, offset } => call("TUMBLE", &[size, offset]),
            Self::Hopping { size, slide, .. } => call("HOP", &[slide, size]),
            Self::Cumulative { steps, step } => call("CUMULATE", &[step, steps * step]),
        }
    }

    /// Start and end of all windows that may hold a time from `first` to `last`.
    fn windows(self, first: i64, last: i64) -> Vec<(i64, i64)> {
        let starts = |every: i64, size: i64, offset: i64| {
            let from = (first - size).div_euclid(every) - 1;
            (from..).map(move |n| n * every + offset).take_while(move |start| *start <= last)
        };
        match self {
            Self::Tumbling { size, offset } => {
                starts(size, size, offset).map(|s| (s, s + size)).collect()
            }
            Self::Hopping { size, slide, offset } => {
                starts(slide, size, offset).map(|s| (s, s + size)).collect()
            }
            Self::Cumulative { steps, step } => starts(steps * step, steps * step, 0)
                .flat_map(|s| (1..=steps).map(move |n| (s, s + n * step)))
                .collect(),
        }
    }

    /// All windows for times from `first` to `last` as a table of their start `s` and end `e`.
    pub(crate) fn table(self, (first, last): (i64, i64)) -> RecordBatch {
        let (starts, ends): (Vec<i64>, Vec<i64>) = self.windows(first, last).into_iter().unzip();
        let column = |numbers: Vec<i64>| Arc::new(Int64Array::from(numbers)) as ArrayRef;
        RecordBatch::try_from_iter([("s", column(starts)), ("e", column(ends))]).unwrap()
    }
}

pub(crate) fn tumbling() -> impl Strategy<Value = Shape> {
    let offset = prop_oneof![Just(0_i64), 1..3_000_i64];
    (500..8_000_i64, offset)
        .prop_map(|(size, offset)| Shape::Tumbling { size, offset: offset % size })
}

pub(crate) fn hopping() -> impl Strategy<Value = Shape> {
    let round = (1..8_i64, 1..6_i64, Just(500_i64));
    let odd = (1..8_i64, 1..6_i64, 301..700_i64);
    prop_oneof![round, odd].prop_map(|(slide, more, unit)| {
        let slide = slide * unit;
        Shape::Hopping { size: slide + (more - 1) * unit, slide, offset: 0 }
    })
}

pub(crate) fn cumulative() -> impl Strategy<Value = Shape> {
    (1..6_i64, 400..2_500_i64).prop_map(|(steps, step)| Shape::Cumulative { steps, step })
}

/// Sessions of `rows` by key as a subquery: the rows with the number of their session, `session`.
/// Gaps and islands: a row begins a session where none of its key is less than the gap before.
pub(crate) fn sessions(rows: &str, keys: &[&str], gap: i64) -> String {
    let by =
        if keys.is_empty() { String::new() } else { format!("PARTITION BY {}", keys.join(", ")) };
    let over = format!("OVER ({by} ORDER BY t, id)");
    format!(
        "(SELECT *, sum(begins) {over} AS session FROM (SELECT *, CASE WHEN t - lag(t) {over} < {gap} \
         THEN 0 ELSE 1 END AS begins FROM {rows}) AS marked) AS in_sessions"
    )
}
