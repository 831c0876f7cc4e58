//! What is drawn once the bin is known: a category, or a number of a cell.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field};
use serde_json::Value;
use swiftwater_engine::random::{below, mix, unit};
use swiftwater_engine::{Result, schema};

use super::alias::Alias;
use super::model::{Column, Part, Values};
use super::numbers;
use super::wishes::Condition;

/// A category, by its number, or numbers of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Draw {
    Exactly(f64),
    /// `(first + i) / scale` for i below `count`.
    Grid {
        first: i64,
        count: u64,
        scale: f64,
    },
    Between(f64, f64),
}

impl Draw {
    #[inline]
    fn value(self, word: u64) -> f64 {
        match self {
            Self::Exactly(value) => value,
            Self::Grid { first, count, scale } => {
                (first + below(word, count) as i64) as f64 / scale
            }
            Self::Between(low, high) => (high - low).mul_add(unit(word), low),
        }
    }
}

/// What can be drawn in one bin, and what all of it weighs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bin {
    pub(crate) weight: f64,
    pub(crate) draws: Vec<Draw>,
    pub(crate) weights: Vec<f64>,
    /// The number of each draw's cell or category among all of the column.
    pub(crate) cells: Vec<u32>,
    alias: Option<Alias>,
}

impl Bin {
    fn push(&mut self, cell: usize, weight: f64, draw: Draw) {
        if weight > 0.0 {
            self.cells.push(cell as u32);
            self.weight += weight;
            self.weights.push(weight);
            self.draws.push(draw);
        }
    }

    fn close(mut self) -> Self {
        self.alias = (self.draws.len() > 1).then(|| Alias::new(&self.weights)).flatten();
        self
    }

    /// A value of the bin.
    #[inline]
    pub(crate) fn value(&self, word: u64) -> f64 {
        let at = self.alias.as_ref().map_or(0, |alias| alias.pick(word));
        self.item(at, word)
    }

    /// A value of one of its draws.
    #[inline]
    pub(crate) fn item(&self, at: usize, word: u64) -> f64 {
        self.draws.get(at).map_or(f64::NAN, |draw| draw.value(mix(word)))
    }
}

/// Draws the values of a column, as numbers: of a category its place, NaN for null.
#[derive(Debug, Clone)]
pub(crate) struct Drawer {
    pub(crate) bins: Vec<Bin>,
    /// What null weighs, where it is allowed.
    pub(crate) nulls: f64,
    /// Weight without conditions.
    pub(crate) total: f64,
    parts: Vec<(String, DataType)>,
    form: Form,
    hidden: bool,
}

/// How numbers become columns.
#[derive(Debug, Clone)]
enum Form {
    /// Values by place, for each part.
    Categories(Vec<ArrayRef>),
    Numbers {
        relative: bool,
    },
}

/// Texts for categories that were not kept.
const OTHERS: usize = 256;

impl Drawer {
    /// The drawer of a column; `None` for a key.
    pub(crate) fn new(
        column: &Column,
        conditions: &[Option<&Condition>],
    ) -> Result<Option<Self>, String> {
        let typed = |part: &Part| {
            let data_type = schema::parse(&part.data_type);
            data_type.map(|t| (part.name.clone(), t)).ok_or_else(|| part.data_type.clone())
        };
        let parts = column.parts.iter().map(typed).collect::<Result<Vec<_>, String>>()?;
        let (bins, form) = match &column.values {
            Values::Key => return Ok(None),
            Values::Categories { own, values, weights, rest } => {
                let others = *rest > 0.0 && matches!(parts.as_slice(), [(_, DataType::Utf8)]);
                let form = Form::Categories(arrays(&parts, values, others)?);
                let kept = weights.iter().sum::<f64>();
                let lost = !others && *rest > 0.0 && kept > 0.0;
                let scale = if lost { 1.0 + rest / kept } else { 1.0 };
                let mut bins = vec![Bin::default(); own + 1];
                for (at, (text, weight)) in values.iter().zip(weights).enumerate() {
                    if accepted(text, &parts, conditions)
                        && let Some(bin) = bins.get_mut(at.min(*own))
                    {
                        bin.push(at, weight * scale, Draw::Exactly(at as f64));
                    }
                }
                if others
                    && conditions.iter().all(Option::is_none)
                    && let Some(bin) = bins.last_mut()
                {
                    for other in 0..OTHERS {
                        let at = values.len() + other;
                        bin.push(at, rest / OTHERS as f64, Draw::Exactly(at as f64));
                    }
                }
                (bins, form)
            }
            Values::Numbers { edges, weights, bins, decimals, relative } => {
                let condition = conditions.first().copied().flatten();
                let mut made = vec![Bin::default(); bins.len()];
                for (at, (range, weight)) in edges.windows(2).zip(weights).enumerate() {
                    let bin = made.get_mut(bins.partition_point(|end| *end <= at));
                    if let (Some(bin), [low, high]) = (bin, range) {
                        let cell = Cell { low: *low, high: *high, decimals: *decimals };
                        cell.draws(condition, *weight, |weight, draw| bin.push(at, weight, draw));
                    }
                }
                (made, Form::Numbers { relative: *relative })
            }
        };
        // Of values that stay together, a null is one of the values.
        let null = conditions.iter().flatten().all(|c| c.null);
        let nulls = if null { column.nulls } else { 0.0 };
        let bins = bins.into_iter().map(Bin::close).collect();
        let total = column.bins().iter().sum();
        Ok(Some(Self { bins, nulls, total, parts, form, hidden: false }))
    }

    /// The weight of each bin, that of null last.
    pub(crate) fn weights(&self) -> Vec<f64> {
        self.bins.iter().map(|bin| bin.weight).chain([self.nulls]).collect()
    }

    /// The fields of the columns it makes.
    pub(crate) fn fields(&self) -> Vec<Field> {
        self.parts.iter().map(|(name, t)| Field::new(name, t.clone(), true)).collect()
    }

    /// Whether its values are compared as numbers, and whether they are relative to the event time.
    pub(crate) const fn numbers(&self) -> Option<bool> {
        match self.form {
            Form::Numbers { relative } => Some(relative),
            Form::Categories(_) => None,
        }
    }

    /// Makes no columns: others take their place.
    pub(crate) fn hide(&mut self) {
        self.hidden = true;
    }

    /// Whether a number can be drawn.
    pub(crate) fn may_hold(&self, value: f64) -> bool {
        let holds = |draw: &Draw| match *draw {
            Draw::Exactly(of) => of == value,
            Draw::Between(low, high) => low <= value && value <= high,
            Draw::Grid { first, count, scale } => {
                let k = (value * scale).round();
                k / scale == value && k >= first as f64 && k < first as f64 + count as f64
            }
        };
        self.bins.iter().flat_map(|bin| &bin.draws).any(holds)
    }

    /// The columns of drawn values.
    pub(crate) fn columns(&self, values: &[f64], times: &[i64]) -> Result<Vec<ArrayRef>> {
        if self.hidden {
            return Ok(Vec::new());
        }
        match (&self.form, self.parts.first()) {
            (Form::Numbers { relative }, Some((_, data_type))) => {
                let times = relative.then_some(times);
                Ok(vec![numbers::to_column(values, data_type, times)?])
            }
            (Form::Categories(arrays), _) => {
                let place = |value: &f64| (!value.is_nan()).then_some(*value as u32);
                let places: UInt32Array = values.iter().map(place).collect();
                arrays.iter().map(|array| Ok(take(array, &places, None)?)).collect()
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Whether conditions accept a category.
fn accepted(text: &str, parts: &[(String, DataType)], conditions: &[Option<&Condition>]) -> bool {
    if parts.len() == 1 {
        return conditions.iter().flatten().all(|c| c.accepts(Some(text)));
    }
    let values: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    let accepts =
        |(value, c): (&Value, &Option<&Condition>)| c.is_none_or(|c| c.accepts(value.as_str()));
    values.iter().zip(conditions).all(accepts)
}

/// The categories in the types of their columns.
fn arrays(
    parts: &[(String, DataType)],
    values: &[String],
    others: bool,
) -> Result<Vec<ArrayRef>, String> {
    let typed = |texts: Vec<Option<String>>, data_type: &DataType| {
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        let made = cast(&texts, data_type).map_err(|e| e.to_string())?;
        let lost = (0..texts.len()).find(|at| texts.is_valid(*at) && made.is_null(*at));
        lost.map_or(Ok(made), |at| {
            Err(format!("{:?} is no {}", values.get(at), schema::name(data_type)))
        })
    };
    if let [(_, data_type)] = parts {
        let extra = if others { OTHERS } else { 0 };
        let extra = (0..extra).map(|other| format!("other-{other:02x}"));
        let texts = values.iter().cloned().chain(extra).map(Some).collect();
        return Ok(vec![typed(texts, data_type)?]);
    }
    let lists = values.iter().map(|text| serde_json::from_str::<Vec<Option<String>>>(text));
    let lists = lists.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let column = |(number, (_, data_type)): (usize, &(String, DataType))| {
        let part = |list: &Vec<Option<String>>| list.get(number).cloned().flatten();
        typed(lists.iter().map(part).collect(), data_type)
    };
    parts.iter().enumerate().map(column).collect()
}

/// Numbers above `low` up to `high`, with so many digits.
struct Cell {
    low: f64,
    high: f64,
    decimals: Option<u8>,
}

/// The greatest k with k / scale <= x.
fn grid_floor(x: f64, scale: f64) -> i64 {
    let mut k = (x * scale).round();
    if k / scale > x {
        k -= 1.0;
    }
    k as i64
}

impl Cell {
    fn draws(&self, condition: Option<&Condition>, weight: f64, mut push: impl FnMut(f64, Draw)) {
        let Some(condition) = condition else {
            return push(weight, self.within(self.low, self.high).1);
        };
        if condition.only_null {
            return;
        }
        if condition.one_of.is_some() {
            for number in condition.numbers() {
                let text = number.to_string();
                let inside = number > self.low && number <= self.high;
                if inside && condition.accepts(Some(&text)) && self.holds(number) {
                    push(weight, Draw::Exactly(number));
                }
            }
            return;
        }
        let low = condition.least.map_or(self.low, |least| self.low.max(least.next_down()));
        let high = condition.most.map_or(self.high, |most| self.high.min(most));
        if low < high {
            let (part, draw) = self.within(low, high);
            push(weight * part, draw);
        }
    }

    fn scale(&self) -> Option<f64> {
        self.decimals.map(|digits| 10_f64.powi(i32::from(digits)))
    }

    /// Whether a number has the digits of the column.
    fn holds(&self, number: f64) -> bool {
        self.scale().is_none_or(|scale| ((number * scale).round() / scale - number).abs() < 1e-12)
    }

    /// The numbers of the cell that are above `low` and up to `high`, and their share of it.
    fn within(&self, low: f64, high: f64) -> (f64, Draw) {
        let whole = self.low < low || high < self.high;
        if let Some(scale) = self.scale().filter(|s| (self.high * s).abs() < 9e15) {
            let all = grid_floor(self.high, scale) - grid_floor(self.low, scale);
            let first = grid_floor(low, scale) + 1;
            let count = grid_floor(high, scale) + 1 - first;
            return match u64::try_from(count) {
                Ok(count) if count > 0 => {
                    (count as f64 / all as f64, Draw::Grid { first, count, scale })
                }
                _ if whole => (0.0, Draw::Exactly(high)),
                _ => (1.0, Draw::Exactly(high)),
            };
        }
        let width = self.high - self.low;
        if width <= 4.0 * (self.high.next_up() - self.high) {
            return (1.0, Draw::Exactly(self.high));
        }
        (((high - low) / width).clamp(0.0, 1.0), Draw::Between(low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(cell: &Cell, condition: &Condition) -> Vec<(f64, Draw)> {
        let mut all = Vec::new();
        cell.draws(Some(condition), 8.0, |weight, draw| all.push((weight, draw)));
        all.retain(|(weight, _)| *weight > 0.0);
        all
    }

    #[test]
    fn a_condition_takes_its_share_of_a_cell() {
        let whole = Cell { low: 0.0, high: 8.0, decimals: Some(0) };
        let up_to_two = Condition { most: Some(2.5), ..Condition::default() };
        let grid = Draw::Grid { first: 1, count: 2, scale: 1.0 };
        assert_eq!(draws(&whole, &up_to_two), [(2.0, grid)]);
        let fine = Cell { decimals: None, ..whole };
        assert_eq!(draws(&fine, &up_to_two), [(2.5, Draw::Between(0.0, 2.5))]);
        let from = Condition { least: Some(8.0), ..Condition::default() };
        let last = Draw::Grid { first: 8, count: 1, scale: 1.0 };
        assert_eq!(draws(&Cell { decimals: Some(0), ..fine }, &from), [(1.0, last)]);
        let one = |text: &str| Condition {
            one_of: Some([text.to_owned()].into()),
            ..Condition::default()
        };
        let whole = Cell { low: 0.0, high: 8.0, decimals: Some(0) };
        assert_eq!(draws(&whole, &one("3")), [(8.0, Draw::Exactly(3.0))]);
        assert_eq!(draws(&whole, &one("3.5")), []);
        assert_eq!(draws(&whole, &one("9")), []);
    }

    #[test]
    fn a_cell_of_one_value_gives_it() {
        for decimals in [None, Some(0), Some(2)] {
            let cell = Cell { low: 5.0_f64.next_down(), high: 5.0, decimals };
            let (_, draw) = cell.within(cell.low, cell.high);
            assert_eq!(draw.value(123), 5.0);
        }
        // The cell below does not give it.
        let cell = Cell { low: 3.0, high: 5.0_f64.next_down(), decimals: Some(0) };
        assert_eq!(
            cell.within(cell.low, cell.high).1,
            Draw::Grid { first: 4, count: 1, scale: 1.0 }
        );
        let cell = Cell { low: 1.15, high: 1.17, decimals: Some(2) };
        assert_eq!(cell.within(1.15, 1.17).1, Draw::Grid { first: 116, count: 2, scale: 100.0 });
    }
}
