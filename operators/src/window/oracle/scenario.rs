//! What happens to the windows: rows, watermarks, snapshots and crashes.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A row: key, value and time in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) key: Option<i64>,
    pub(super) price: Option<i64>,
    pub(super) time: i64,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// One batch.
    Rows(Vec<Row>),
    /// The watermark rises by so many milliseconds.
    Watermark(i64),
    /// An epoch ends.
    Seal,
    /// All instances are gone; so many start from the last sealed epoch, and what came after it
    /// comes again.
    Crash(usize),
    /// A second passes by the clock: what changed is given early, where that is asked for.
    Tick,
    /// The input ends.
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Tumbling { size: i64, offset: i64 },
    Hopping { size: i64, slide: i64, offset: i64 },
    Cumulative { steps: i64, step: i64 },
    Session { gap: i64 },
}

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) key: Vec<&'static str>,
    pub(super) lateness: i64,
    pub(super) early: bool,
    pub(super) instances: usize,
    pub(super) steps: Vec<Step>,
}

fn ms(millis: i64) -> String {
    format!("{millis}ms")
}

impl Scenario {
    /// Whether rows replace each other.
    pub(super) const fn upserts(&self) -> bool {
        self.lateness > 0 || self.early
    }

    /// The options of the node.
    pub(super) fn options(&self) -> Value {
        let (name, shape) = match self.kind {
            Kind::Tumbling { size, offset } => {
                ("tumbling", json!({"size": ms(size), "offset": ms(offset)}))
            }
            Kind::Hopping { size, slide, offset } => {
                ("hopping", json!({"size": ms(size), "slide": ms(slide), "offset": ms(offset)}))
            }
            Kind::Cumulative { steps, step } => {
                ("cumulative", json!({"size": ms(steps * step), "step": ms(step)}))
            }
            Kind::Session { gap } => ("session", json!({"gap": ms(gap)})),
        };
        let early = self.early.then(|| json!({"every": "100ms"}));
        json!({
            name: shape,
            "early": early,
            "key": self.key,
            "allowed_lateness": ms(self.lateness),
            "aggregate": {
                "rows": "count(*)",
                "total": "sum(price)",
                "least": "min(price)",
                "most": "max(price)",
                "high": "count(*) FILTER (WHERE price > 2)",
                "prices": "count(DISTINCT price)",
                "spread": "max(price) - min(price)",
                "first": "first_value(price ORDER BY price)",
            },
        })
    }
}

fn row() -> impl Strategy<Value = Row> {
    let key = prop_oneof![8 => (0..6_i64).prop_map(Some), 1 => Just(None)];
    let price = prop_oneof![8 => (-3..6_i64).prop_map(Some), 1 => Just(None)];
    (key, price, 0..160_i64).prop_map(|(key, price, time)| Row { key, price, time })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(row(), 0..12).prop_map(Step::Rows),
        4 => (0..30_i64).prop_map(Step::Watermark),
        2 => Just(Step::Seal),
        1 => Just(Step::Tick),
        1 => (1..5_usize).prop_map(Step::Crash),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => (1..40_i64, 0..50_i64).prop_map(|(size, offset)| Kind::Tumbling { size, offset }),
        1 => (1..40_i64, 1..40_i64, 0..50_i64).prop_map(|(size, slide, offset)| {
            Kind::Hopping { size: size.max(slide), slide, offset }
        }),
        1 => (1..6_i64, 1..12_i64).prop_map(|(steps, step)| Kind::Cumulative { steps, step }),
        2 => (1..30_i64).prop_map(|gap| Kind::Session { gap }),
    ]
}

pub(super) fn any() -> impl Strategy<Value = Scenario> {
    let key = prop_oneof![
        1 => Just(vec![]),
        3 => Just(vec!["k"]),
        1 => Just(vec!["name"]),
        1 => Just(vec!["name", "k"]),
    ];
    let lateness = prop_oneof![2 => Just(0_i64), 1 => 1..40_i64];
    (kind(), key, lateness, proptest::bool::ANY, 1..5_usize, vec(step(), 1..40)).prop_map(
        |(kind, key, lateness, early, instances, steps)| {
            let early = early && !matches!(kind, Kind::Session { .. });
            Scenario { kind, key, lateness, early, instances, steps }
        },
    )
}
