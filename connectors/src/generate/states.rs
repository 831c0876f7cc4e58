//! Entities that pass through states, row by row.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, StringArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::Result;

use super::choice::{AliasTable, is_weighting};
use super::column::{Column, Rows, Timeline, array, bad_option};
use super::random::{Stream, below};
use super::words::Words;

/// The state of an entity: a semi-Markov chain, whose steps are the rows of the entity.
///
/// Rows belong to the entities in turn: that of row n is n modulo `entities`, as
/// `sequence: {restart: N}` counts them. An entity begins in `first`, stays for as many rows as `stay`
/// says, and goes on as `next` says. From a state without `next` it begins anew, and so it does after
/// `life` rows, so that the state of any row can be told without those long before it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatesOptions {
    /// How many entities there are.
    pub entities: u64,
    /// The state in which an entity begins.
    pub first: String,
    /// By state: the states that follow, each with its weight.
    pub next: BTreeMap<String, BTreeMap<String, f64>>,
    /// By state: the least and the most rows for which it lasts, equally likely; 1 without it.
    #[serde(default)]
    pub stay: BTreeMap<String, (u64, u64)>,
    /// Rows after which an entity begins anew in any case, at most 1000.
    #[serde(default = "life")]
    pub life: u64,
}

const fn life() -> u64 {
    64
}

impl StatesOptions {
    pub(super) fn build(self, name: &str, stream: Stream) -> Result<States> {
        if self.entities == 0 || !(1..=1000).contains(&self.life) {
            let what = format!("{} entities with a `life` of {}", self.entities, self.life);
            return Err(bad_option(name, what, "give entities above 0 and a life from 1 to 1000"));
        }
        let named = self.next.iter().flat_map(|(from, to)| std::iter::once(from).chain(to.keys()));
        let mut names: Vec<&String> = named.chain([&self.first]).collect();
        names.sort_unstable();
        names.dedup();
        if let Some(unknown) = self.stay.keys().find(|state| !names.contains(state)) {
            let hint = "`stay` names states of `next`";
            return Err(bad_option(name, format!("no row comes into the state `{unknown}`"), hint));
        }
        let place = |state: &String| {
            u32::try_from(names.binary_search(&state).unwrap_or_default()).unwrap_or_default()
        };
        let mut states = Vec::with_capacity(names.len());
        for state in &names {
            let stay = self.stay.get(*state).copied().unwrap_or((1, 1));
            if stay.0 == 0 || stay.0 > stay.1 {
                let hint = "give the least and the most rows, at least 1";
                return Err(bad_option(name, format!("`{state}` lasts {stay:?} rows"), hint));
            }
            let next = match self.next.get(*state) {
                None => None,
                Some(to) => {
                    let weights: Vec<f64> = to.values().copied().collect();
                    if !is_weighting(&weights) {
                        let hint = "give weights that are not negative and not all 0";
                        let what = format!("`{state}` goes on with weights {weights:?}");
                        return Err(bad_option(name, what, hint));
                    }
                    Some((AliasTable::new(&weights), to.keys().map(place).collect()))
                }
            };
            states.push(State { stay, next });
        }
        Ok(States {
            names: array(StringArray::from_iter_values(names.iter().map(|name| name.as_str()))),
            first: place(&self.first),
            states,
            entities: self.entities,
            life: self.life,
            stream,
        })
    }
}

struct State {
    stay: (u64, u64),
    next: Option<(AliasTable, Vec<u32>)>,
}

/// The column.
pub(super) struct States {
    names: ArrayRef,
    first: u32,
    states: Vec<State>,
    entities: u64,
    life: u64,
    stream: Stream,
}

impl States {
    /// Walks from the begin of the entity's life.
    fn state(&self, row: u64) -> u32 {
        let (entity, step) = (row % self.entities, row / self.entities);
        // A life by itself is a row of the stream: its words decide all of it.
        let life = step / self.life * self.entities + entity;
        let mut words = Words::of_row(self.stream, life);
        let (mut at, mut left) = (self.first, step % self.life);
        while let Some(State { stay: (least, most), next }) = self.states.get(at as usize) {
            let lasts = least + below(words.word(), most - least + 1);
            if left < lasts {
                break;
            }
            left -= lasts;
            let word = words.word();
            at = next.as_ref().map_or(self.first, |(table, to)| {
                to.get(table.pick(word) as usize).copied().unwrap_or(self.first)
            });
        }
        at
    }
}

impl Column for States {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let indices = UInt32Array::from_iter_values(rows.iter().map(|row| self.state(row)));
        take(&self.names, &indices, None)
            .unwrap_or_else(|_| new_null_array(&DataType::Utf8, rows.count))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::array::AsArray;
    use serde_json::json;

    use super::super::timeline::Slots;
    use super::*;

    #[test]
    fn entities_go_from_state_to_state_as_told() {
        let options: StatesOptions = serde_json::from_value(json!({
            "entities": 7, "first": "placed", "life": 200,
            "next": {"placed": {"paid": 3, "cancelled": 1}, "paid": {"sent": 1}},
            "stay": {"paid": [2, 4]},
        }))
        .unwrap();
        let column = options.build("s", Stream::new(2, "s", 0)).unwrap();
        let time = Timeline { start: 0, rate: 1.0, slots: Slots::ALL };
        let count = 7 * 20_000;
        let values = column.values(Rows { first: 0, count }, time);
        let values = values.as_string::<i32>();
        let (mut moves, mut stays): (HashMap<_, u32>, HashMap<_, u32>) = Default::default();
        for entity in 0..7 {
            let mut lasts = 1;
            for step in 1..200 {
                let (from, to) =
                    (values.value((step - 1) * 7 + entity), values.value(step * 7 + entity));
                if from == to && from == "paid" {
                    lasts += 1;
                    continue;
                }
                if from == "paid" {
                    *stays.entry(lasts).or_default() += 1;
                }
                lasts = 1;
                *moves.entry((from, to)).or_default() += 1;
            }
        }
        let possible = [
            ("placed", "paid"),
            ("placed", "cancelled"),
            ("paid", "sent"),
            ("sent", "placed"),
            ("cancelled", "placed"),
        ];
        assert!(moves.keys().all(|went| possible.contains(went)), "{moves:?}");
        assert!(stays.keys().all(|rows| (2..=4).contains(rows)), "{stays:?}");
        let mut first = [0_u32; 2];
        for row in 0..count - 7 {
            match (values.value(row), values.value(row + 7)) {
                ("placed", "paid") => first[0] += 1,
                ("placed", "cancelled") => first[1] += 1,
                _ => {}
            }
        }
        let share = f64::from(first[0]) / f64::from(first[0] + first[1]);
        assert!((share - 0.75).abs() < 0.01, "{share}");
    }

    #[test]
    fn chains_that_make_no_sense_are_told() {
        let refused = |options: serde_json::Value| {
            let options: StatesOptions = serde_json::from_value(options).unwrap();
            options.build("s", Stream::new(2, "s", 0)).is_err()
        };
        assert!(refused(json!({"entities": 0, "first": "a", "next": {}})));
        assert!(refused(json!({"entities": 1, "first": "a", "next": {"a": {"b": -1}}})));
        assert!(refused(json!({"entities": 1, "first": "a", "next": {"a": {}}})));
        assert!(refused(json!({"entities": 1, "first": "a", "next": {}, "stay": {"b": [1, 2]}})));
        assert!(refused(json!({"entities": 1, "first": "a", "next": {}, "stay": {"a": [2, 1]}})));
        assert!(refused(json!({"entities": 1, "first": "a", "next": {}, "life": 5000})));
        assert!(!refused(json!({"entities": 1, "first": "a", "next": {}})));
    }
}
