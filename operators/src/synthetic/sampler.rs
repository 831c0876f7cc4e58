//! Rows of a model. Row `n` is a function of the model, what is wished for, the seed and `n`: the
//! same however rows are cut and spread.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use hashbrown::HashMap;
use serde_json::Value;
use swiftwater_engine::random::{Stream, below};
use swiftwater_engine::{Error, Result, schema};

use super::descent::Descent;
use super::drawer::Drawer;
use super::latent::Latent;
use super::model::{Column, Dependence, Model, Part};
use super::wishes::{Condition, Unique, Wishes};

/// Times a row is drawn anew before its values are exchanged to keep an order.
const TRIES: u64 = 16;

#[derive(Debug, Clone)]
enum Plan {
    Tree(Descent),
    Copula(Latent),
}

/// One side of an order: a drawn column, or the event time.
#[derive(Debug, Clone, Copy)]
enum Side {
    Column(usize),
    Time,
}

/// What a made-up row is drawn from.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    pub(crate) version: i64,
    seed: u64,
    schema: SchemaRef,
    time: Option<DataType>,
    names: Vec<String>,
    drawers: Vec<Option<Drawer>>,
    plan: Plan,
    orders: Vec<(Side, Side, bool)>,
    keys: Vec<Unique>,
    foreign: Vec<(Stream, ArrayRef)>,
}

impl Sampler {
    /// Prepares the tables. Says why there can be no such row.
    pub(crate) fn new(model: &Model, wishes: &Wishes, seed: u64) -> Result<Self, String> {
        check_names(model, wishes)?;
        let columns: Vec<&Column> =
            model.columns.iter().filter(|c| !is_replaced(c, wishes)).collect();
        let whole = drawers(model, None)?;
        let drawn = drawers(model, Some(wishes))?;
        for (column, drawer) in model.columns.iter().zip(&drawn) {
            if let Some(drawer) = drawer
                && drawer.weights().iter().sum::<f64>() <= 0.0
            {
                return Err(format!("the model has no row in which `{}` is so", column.name()));
            }
        }
        let names: HashMap<String, usize> =
            model.columns.iter().enumerate().map(|(i, c)| (c.name(), i)).collect();
        let plan = match &model.dependence {
            Dependence::Tree(edges) => {
                let bins: Vec<Vec<f64>> = whole
                    .iter()
                    .map(|d| d.as_ref().map_or_else(Vec::new, Drawer::weights))
                    .collect();
                Plan::Tree(Descent::new(&names, &drawn, &bins, edges)?)
            }
            Dependence::Copula(matrix) => Plan::Copula(Latent::new(&whole, &drawn, matrix)?),
        };
        let mut sampler = Self {
            version: model.version,
            seed,
            schema: Arc::new(Schema::empty()),
            time: None,
            names: model.columns.iter().map(Column::name).collect(),
            drawers: drawn,
            plan,
            orders: Vec::new(),
            keys: Vec::new(),
            foreign: Vec::new(),
        };
        sampler.orders(model, wishes)?;
        sampler.made_up(model, wishes, &columns)?;
        Ok(sampler)
    }

    /// The columns of its rows.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What `check` should warn about: conditions that rest on few rows of those that were learned.
    pub(crate) fn warning(&self, model: &Model) -> Option<String> {
        const FEW: f64 = 20.0;
        let rows = self.share() * model.fitted.weight;
        let few = self.share() < 1.0 && model.fitted.weight > 0.0 && rows < FEW;
        few.then(|| format!("the conditions rest on about {rows:.1} rows that were learned"))
    }

    /// The part of the model's rows that meets the conditions.
    pub(crate) const fn share(&self) -> f64 {
        match &self.plan {
            Plan::Tree(descent) => descent.share,
            Plan::Copula(latent) => latent.share,
        }
    }

    fn orders(&mut self, model: &Model, wishes: &Wishes) -> Result<(), String> {
        let side = |name: &String| {
            if model.time.as_ref().is_some_and(|time| time.name == *name) {
                return Ok((Side::Time, true));
            }
            let at = self.names.iter().position(|n| n == name);
            let relative = at.and_then(|at| self.drawers.get(at)?.as_ref()?.numbers());
            at.zip(relative)
                .map(|(at, relative)| (Side::Column(at), relative))
                .ok_or_else(|| format!("`{name}`, which is in an order, is no column of numbers"))
        };
        let mut orders = Vec::new();
        for order in &wishes.orders {
            let ((low, a), (high, b)) = (side(&order.low)?, side(&order.high)?);
            if a != b {
                return Err(format!("`{}` and `{}` cannot be compared", order.low, order.high));
            }
            orders.push((low, high, order.strict));
        }
        self.orders = orders;
        Ok(())
    }

    /// The columns that are not drawn, and the schema.
    fn made_up(&mut self, model: &Model, wishes: &Wishes, kept: &[&Column]) -> Result<(), String> {
        let mut fields = Vec::new();
        if let Some(time) = &model.time {
            let data_type = schema::parse(&time.data_type).ok_or("the event time has no type")?;
            fields.push(Field::new(&time.name, data_type.clone(), false));
            self.time = Some(data_type);
        }
        for (column, drawer) in model.columns.iter().zip(&self.drawers) {
            if kept.iter().any(|k| k.name() == column.name())
                && let Some(drawer) = drawer
            {
                fields.extend(drawer.fields());
            }
        }
        for (name, unique) in &wishes.unique {
            let data_type = if unique.prefix.is_some() { DataType::Utf8 } else { DataType::Int64 };
            let of = type_of(model, name).unwrap_or(data_type);
            if unique.prefix.is_some() && of != DataType::Utf8 {
                return Err(format!("`{name}` is {}, and its prefix a text", schema::name(&of)));
            }
            fields.push(Field::new(name, of, false));
            self.keys.push(unique.clone());
        }
        for (name, values) in &wishes.foreign {
            let of = type_of(model, name).unwrap_or_else(|| natural(values));
            let values = foreign(values, &of).map_err(|why| format!("`{name}`: {why}"))?;
            fields.push(Field::new(name, of, true));
            self.foreign.push((Stream::new(self.seed, name, u64::MAX), values));
        }
        self.schema = Arc::new(Schema::new(fields));
        for (drawer, column) in self.drawers.iter_mut().zip(&model.columns) {
            if !kept.iter().any(|k| k.name() == column.name())
                && let Some(drawer) = drawer
            {
                drawer.hide();
            }
        }
        Ok(())
    }

    fn streams(&self, attempt: u64) -> Vec<(Stream, Stream)> {
        let of = |name: &String| {
            let stream = |draw| Stream::new(self.seed, name, 2 * attempt + draw);
            (stream(0), stream(1))
        };
        self.names.iter().map(of).collect()
    }

    fn draw(&self, attempt: u64, rows: &[u64]) -> Vec<Vec<f64>> {
        let streams = self.streams(attempt);
        match &self.plan {
            Plan::Tree(descent) => descent.draw(&self.drawers, &streams, rows),
            Plan::Copula(latent) => latent.draw(&self.drawers, &streams, rows),
        }
    }

    /// Rows of these numbers, at these event times in microseconds.
    ///
    /// # Errors
    /// `Data` (`SW3250`) where an order cannot be kept.
    pub(crate) fn rows(&self, numbers: &[u64], times: &[i64]) -> Result<RecordBatch> {
        let mut values = self.draw(0, numbers);
        if !self.orders.is_empty() {
            self.keep_orders(numbers, &mut values)?;
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        if let Some(data_type) = &self.time {
            columns.push(cast(&TimestampMicrosecondArray::from(times.to_vec()), data_type)?);
        }
        for (drawer, values) in self.drawers.iter().zip(&values) {
            if let Some(drawer) = drawer {
                columns.extend(drawer.columns(values, times)?);
            }
        }
        for (unique, field) in self.keys.iter().zip(self.schema.fields().iter().skip(columns.len()))
        {
            columns.push(keys(unique, numbers, field.data_type())?);
        }
        for (stream, values) in &self.foreign {
            let place = |row: &u64| below(stream.at(*row), values.len() as u64) as u32;
            let places: arrow::array::UInt32Array =
                numbers.iter().map(|r| Some(place(r))).collect();
            columns.push(take(values, &places, None)?);
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// Whether a row keeps its orders; null keeps any.
    fn broken(&self, values: &[Vec<f64>], row: usize) -> bool {
        let value = |side: &Side| match side {
            Side::Time => 0.0,
            Side::Column(at) => value_at(values, *at, row),
        };
        self.orders.iter().any(|(low, high, strict)| {
            let (low, high) = (value(low), value(high));
            low > high || (*strict && low == high)
        })
    }

    fn keep_orders(&self, numbers: &[u64], values: &mut [Vec<f64>]) -> Result<()> {
        let mut left: Vec<usize> =
            (0..numbers.len()).filter(|row| self.broken(values, *row)).collect();
        for attempt in 1..=TRIES {
            if left.is_empty() {
                return Ok(());
            }
            let again: Vec<u64> =
                left.iter().filter_map(|row| numbers.get(*row).copied()).collect();
            let drawn = self.draw(attempt, &again);
            for (at, row) in left.iter().enumerate() {
                for (held, new) in values.iter_mut().zip(&drawn) {
                    if let (Some(held), Some(new)) = (held.get_mut(*row), new.get(at)) {
                        *held = *new;
                    }
                }
            }
            left.retain(|row| self.broken(values, *row));
        }
        left.iter().try_for_each(|row| self.exchange(numbers, values, *row))
    }

    /// Exchanges the values of columns that are out of order, where both may hold either.
    fn exchange(&self, numbers: &[u64], values: &mut [Vec<f64>], row: usize) -> Result<()> {
        for _ in 0..=self.orders.len() {
            for (low, high, _) in &self.orders {
                let (Side::Column(low), Side::Column(high)) = (low, high) else { continue };
                let (a, b) = (value_at(values, *low, row), value_at(values, *high, row));
                if a > b && self.may_hold(*low, b) && self.may_hold(*high, a) {
                    for (column, value) in [(*low, b), (*high, a)] {
                        if let Some(held) = values.get_mut(column).and_then(|c| c.get_mut(row)) {
                            *held = value;
                        }
                    }
                }
            }
        }
        if !self.broken(values, row) {
            return Ok(());
        }
        let number = numbers.get(row).copied().unwrap_or(0);
        let message =
            format!("make row {number} in the order that is asked for: {TRIES} draws broke it");
        Err(Error::data("SW3250", message).with_hint(
            "the model has hardly a row in this order: fit it again, or leave the order out",
        ))
    }

    fn may_hold(&self, column: usize, value: f64) -> bool {
        let drawer = self.drawers.get(column).and_then(Option::as_ref);
        drawer.is_some_and(|drawer| drawer.may_hold(value))
    }
}

/// What draws each column, under the conditions or without.
fn drawers(model: &Model, wishes: Option<&Wishes>) -> Result<Vec<Option<Drawer>>, String> {
    let of = |column: &Column| {
        let condition = |part: &Part| wishes.and_then(|w| w.conditions.get(&part.name));
        let conditions: Vec<Option<&Condition>> = column.parts.iter().map(condition).collect();
        Drawer::new(column, &conditions)
    };
    model.columns.iter().map(of).collect()
}

fn value_at(values: &[Vec<f64>], column: usize, row: usize) -> f64 {
    values.get(column).and_then(|c| c.get(row)).copied().unwrap_or(f64::NAN)
}

/// Whether all that a column draws is made in another way.
fn is_replaced(column: &Column, wishes: &Wishes) -> bool {
    let replaced =
        |name: &String| wishes.unique.contains_key(name) || wishes.foreign.contains_key(name);
    column.parts.iter().any(|part| replaced(&part.name))
}

fn type_of(model: &Model, name: &str) -> Option<DataType> {
    let part = model.columns.iter().flat_map(|c| &c.parts).find(|part| part.name == name)?;
    schema::parse(&part.data_type)
}

/// What wishes name must be there; values that were observed together must have been fitted so.
fn check_names(model: &Model, wishes: &Wishes) -> Result<(), String> {
    let find =
        |name: &String| model.columns.iter().find(|c| c.parts.iter().any(|p| p.name == *name));
    for name in wishes.conditions.keys() {
        let column = find(name).ok_or_else(|| format!("the model has no column `{name}`"))?;
        if column.values == super::model::Values::Key {
            return Err(format!("`{name}` is a key, which has no values to choose from"));
        }
    }
    for columns in &wishes.observed {
        let first = columns.first().and_then(find);
        let together = first.is_some_and(|column| {
            columns.iter().all(|name| column.parts.iter().any(|part| part.name == *name))
        });
        if !together {
            return Err(format!(
                "the model did not learn {columns:?} together: name them in `together` of `learn`"
            ));
        }
    }
    for column in model.columns.iter().filter(|c| c.parts.len() > 1) {
        if is_replaced(column, wishes) {
            return Err(format!(
                "`{}` was learned together: its parts cannot be replaced",
                column.name()
            ));
        }
    }
    Ok(())
}

fn natural(values: &[Value]) -> DataType {
    if values.iter().all(Value::is_i64) { DataType::Int64 } else { DataType::Utf8 }
}

fn foreign(values: &[Value], of: &DataType) -> Result<ArrayRef, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let texts: ArrayRef = Arc::new(values.iter().map(|v| Some(text(v))).collect::<StringArray>());
    let made = cast(&texts, of).map_err(|e| e.to_string())?;
    if made.null_count() > 0 {
        return Err(format!("a value is no {}", schema::name(of)));
    }
    Ok(made)
}

fn keys(unique: &Unique, numbers: &[u64], data_type: &DataType) -> Result<ArrayRef> {
    let number = |row: &u64| unique.start.wrapping_add(*row as i64);
    let column: ArrayRef = match &unique.prefix {
        Some(prefix) => Arc::new(
            numbers
                .iter()
                .map(|row| Some(format!("{prefix}{}", number(row))))
                .collect::<StringArray>(),
        ),
        None => Arc::new(numbers.iter().map(|row| Some(number(row))).collect::<Int64Array>()),
    };
    Ok(cast(&column, data_type)?)
}
