//! The text of a model: JSON with a line for each column and each edge, and a checksum of the whole.

use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use swiftwater_engine::schema;

use super::model::{Column, Dependence, Edge, Model, Values};

/// What the text says it is.
const FORMAT: &str = "swiftwater-model/1";
/// Stands before the checksum.
const MARK: &str = "\"checksum\": \"sha256:";
/// Length of the checksum in hexadecimal digits.
const DIGITS: usize = 64;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: models have finite numbers and text keys")
}

fn lines<T: Serialize>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(|one| format!("\n    {}", json(one))).collect();
    all.join(",")
}

/// Edges one step below a number are written as the number: not every reader of JSON keeps the last
/// bit of a double.
fn written(column: &Column) -> Column {
    let mut column = column.clone();
    if let Values::Numbers { edges, .. } = &mut column.values {
        let next: Vec<f64> = edges.iter().skip(1).copied().collect();
        for (edge, next) in edges.iter_mut().zip(next) {
            if edge.next_up() == next {
                *edge = next;
            }
        }
        if let [first, second, ..] = edges.as_mut_slice()
            && first < second
        {
            *first = first.next_up();
        }
    }
    column
}

/// Undoes [`written`].
fn read(column: &mut Column) {
    if let Values::Numbers { edges, .. } = &mut column.values {
        let next: Vec<f64> = edges.iter().skip(1).copied().collect();
        for (at, (edge, next)) in edges.iter_mut().zip(next).enumerate() {
            if *edge == next || at == 0 {
                *edge = edge.next_down();
            }
        }
    }
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Model {
    /// The artifact.
    pub(crate) fn to_text(&self) -> String {
        let dependence = match &self.dependence {
            Dependence::Tree(edges) => format!("{{\"tree\": [{}\n  ]}}", lines(edges)),
            Dependence::Copula(rows) => format!("{{\"copula\": [{}\n  ]}}", lines(rows)),
        };
        let blank = "0".repeat(DIGITS);
        let text = format!(
            "{{\n  \"format\": \"{FORMAT}\",\n  {MARK}{blank}\",\n  \"name\": {},\n  \"version\": {},\n  \"fitted\": {},\n  \"time\": {},\n  \"columns\": [{}\n  ],\n  \"dependence\": {dependence}\n}}\n",
            json(&self.name),
            self.version,
            json(&self.fitted),
            json(&self.time),
            lines(&self.columns.iter().map(written).collect::<Vec<_>>()),
        );
        let sum = checksum(&text);
        text.replacen(&format!("{MARK}{blank}"), &format!("{MARK}{sum}"), 1)
    }

    /// Reads an artifact; says what is wrong with it.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let mut value: Value = serde_json::from_str(text).map_err(|e| format!("no JSON: {e}"))?;
        let object = value.as_object_mut().ok_or("it is no JSON object")?;
        let format = object.remove("format");
        if format.as_ref().and_then(Value::as_str) != Some(FORMAT) {
            return Err(format!("its format is {}, not {FORMAT}", format.unwrap_or_default()));
        }
        object.remove("checksum");
        let at = text.find(MARK).ok_or("it has no checksum")? + MARK.len();
        let stated = text.get(at..at + DIGITS).ok_or("its checksum is cut off")?;
        let blank = text.replacen(&format!("{MARK}{stated}"), &format!("{MARK}{:0>64}", ""), 1);
        if checksum(&blank) != stated {
            return Err("its checksum does not fit: it was changed, or cut off".to_owned());
        }
        let mut model: Self = serde_json::from_value(value).map_err(|e| e.to_string())?;
        model.check()?;
        model.columns.iter_mut().for_each(read);
        Ok(model)
    }

    /// Whether its parts fit each other.
    fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        for part in self.columns.iter().flat_map(|c| &c.parts).chain(&self.time) {
            if schema::parse(&part.data_type).is_none() {
                return Err(format!("`{}` has the type {}", part.name, part.data_type));
            }
            if !names.insert(&part.name) {
                return Err(format!("it has `{}` twice", part.name));
            }
        }
        self.columns.iter().try_for_each(Column::check)?;
        match &self.dependence {
            Dependence::Tree(edges) => self.check_tree(edges),
            Dependence::Copula(rows) => self.check_copula(rows),
        }
    }

    fn check_tree(&self, edges: &[Edge]) -> Result<(), String> {
        let bins: HashMap<String, usize> =
            self.columns.iter().map(|c| (c.name(), c.bins().len())).collect();
        let of = |name: &String| {
            let bins = bins.get(name).copied().filter(|bins| *bins > 0);
            bins.ok_or_else(|| format!("an edge names `{name}`, which is not there"))
        };
        let mut parents: HashMap<&String, &String> = HashMap::new();
        for Edge { parent, column, table } in edges {
            let (rows, width) = (of(parent)?, of(column)?);
            if table.len() != rows || table.iter().any(|row| row.len() != width) {
                return Err(format!(
                    "the table of `{parent}` and `{column}` is not {rows}x{width}"
                ));
            }
            table.iter().try_for_each(|row| weights(column, row))?;
            if parents.insert(column, parent).is_some() {
                return Err(format!("`{column}` has two parents"));
            }
        }
        for start in parents.keys() {
            let mut at = *start;
            for _ in 0..=edges.len() {
                match parents.get(at) {
                    Some(parent) => at = parent,
                    None => break,
                }
            }
            if parents.contains_key(at) {
                return Err(format!("its tree goes round in a circle at `{start}`"));
            }
        }
        Ok(())
    }

    fn check_copula(&self, rows: &[Vec<f64>]) -> Result<(), String> {
        let drawn = self.columns.iter().filter(|c| c.values != Values::Key).count();
        let square = rows.len() == drawn && rows.iter().all(|row| row.len() == drawn);
        let bounded = rows.iter().flatten().all(|r| r.abs() <= 1.0 + 1e-9);
        if square && bounded { Ok(()) } else { Err("its correlations are none".to_owned()) }
    }
}

fn weights(of: &str, all: &[f64]) -> Result<(), String> {
    let bad = all.iter().find(|w| !(w.is_finite() && **w >= 0.0));
    bad.map_or(Ok(()), |w| Err(format!("`{of}` has the weight {w}")))
}

impl Column {
    fn check(&self) -> Result<(), String> {
        let name = self.name();
        let unfit = || Err(format!("the parts of `{name}` do not fit each other"));
        weights(&name, &[self.nulls])?;
        match &self.values {
            Values::Key => {}
            Values::Categories { own, values, weights: of, rest } => {
                weights(&name, of)?;
                weights(&name, &[*rest])?;
                if values.len() != of.len() || *own > values.len() {
                    return unfit();
                }
            }
            Values::Numbers { edges, weights: of, bins, .. } => {
                weights(&name, of)?;
                let rising = edges.is_sorted() && edges.iter().all(|e| e.is_finite());
                let whole = bins.is_sorted() && bins.last().copied().unwrap_or(0) == of.len();
                if edges.len() != of.len() + 1 || !rising || !whole {
                    return unfit();
                }
            }
        }
        let total: f64 = self.bins().iter().sum();
        if self.parts.is_empty() || (self.values != Values::Key && total <= 0.0) {
            return unfit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Fitted, Part};
    use super::*;

    fn model() -> Model {
        let part = |name: &str, data_type: &str| {
            vec![Part { name: name.into(), data_type: data_type.into() }]
        };
        let values = Values::Categories {
            own: 2,
            values: vec!["a".into(), "b\"\n".into()],
            weights: vec![3.0, 0.1],
            rest: 0.0,
        };
        let numbers = Values::Numbers {
            edges: vec![0.1_f64.next_down(), 0.25_f64.next_down(), 0.25],
            weights: vec![1.5, 1.6],
            bins: vec![1, 2],
            decimals: None,
            relative: false,
        };
        let table = vec![vec![1.5, 1.5, 0.0], vec![0.0, 0.1, 0.0], vec![0.0; 3], vec![0.0; 3]];
        Model {
            name: "m".into(),
            version: 3,
            fitted: Fitted::default(),
            time: None,
            columns: vec![
                Column { parts: part("k", "utf8"), nulls: 0.0, values },
                Column { parts: part("x", "float64"), nulls: 0.0, values: numbers },
                Column { parts: part("id", "int64"), nulls: 0.0, values: Values::Key },
            ],
            dependence: Dependence::Tree(vec![Edge {
                parent: "k".into(),
                column: "x".into(),
                table,
            }]),
        }
    }

    #[test]
    fn a_model_survives_its_text() {
        let text = model().to_text();
        assert_eq!(Model::from_text(&text), Ok(model()));
        assert!(text.contains("swiftwater-model/1"));
    }

    #[test]
    fn numbers_keep_their_last_bit() {
        let words = swiftwater_engine::random::Stream::new(5, "bits", 0);
        let mut edges: Vec<f64> =
            (0..2000).map(|n| (swiftwater_engine::random::unit(words.at(n)) - 0.5) * 0.2).collect();
        edges.sort_by(f64::total_cmp);
        let mut model = model();
        let cells = edges.len() - 1;
        model.columns[1].values = Values::Numbers {
            edges: edges.clone(),
            weights: vec![1.0; cells],
            bins: vec![1000, cells],
            decimals: None,
            relative: false,
        };
        let read = Model::from_text(&model.to_text()).unwrap();
        assert_eq!(read, model);
    }

    #[test]
    fn a_text_that_was_touched_is_refused() {
        let text = model().to_text();
        let told = |text: &str| Model::from_text(text).unwrap_err();
        assert!(told(&text.replace("\"version\": 3", "\"version\": 4")).contains("checksum"));
        assert!(told(&text.replace("model/1", "model/9")).contains("model/9"));
        assert!(told(&text[..text.len() / 2]).contains("JSON"));
        assert!(told("[]").contains("object"));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_though_the_checksum_does() {
        let told = |change: fn(&mut Model)| {
            let mut model = model();
            change(&mut model);
            Model::from_text(&model.to_text()).unwrap_err()
        };
        let edge = |model: &mut Model, change: fn(&mut Edge)| match &mut model.dependence {
            Dependence::Tree(edges) => change(&mut edges[0]),
            Dependence::Copula(_) => unreachable!(),
        };
        let _ = edge;
        assert!(told(|m| m.columns[0].nulls = -1.0).contains("`k` has the weight -1"));
        assert!(told(|m| m.columns[1].parts[0].name = "k".into()).contains("`k` twice"));
        assert!(told(|m| m.columns[1].parts[0].data_type = "text".into()).contains("type text"));
        assert!(
            told(|m| m.dependence = Dependence::Copula(vec![vec![1.0]])).contains("correlations")
        );
        let circle = |m: &mut Model| {
            if let Dependence::Tree(edges) = &mut m.dependence {
                let back =
                    Edge { parent: "x".into(), column: "k".into(), table: vec![vec![1.0; 4]; 3] };
                edges.push(back);
            }
        };
        assert!(told(circle).contains("circle"));
    }
}
