//! Which columns are compared, and how record batches become a [`Table`] of them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit};
use hashbrown::HashMap;
use serde::Serialize;
use swiftwater_engine::Result;

use super::table::{Table, Values};

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers.
    Number,
    /// Points in time.
    Time,
    /// Texts, booleans, and numbers that the user calls categories.
    Category,
}

/// A column that is compared.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// The real side holds single-precision numbers, which `SDMetrics` calculates with as such.
    pub single: bool,
    /// Texts of the categories; the first one has the number 1.
    pub categories: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// A column that is not compared, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub column: String,
    /// The reason, as a sentence without its end.
    pub reason: String,
}

/// What a user says of the columns.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The only columns to compare; all where there is none.
    pub columns: Vec<String>,
    /// Numbers that stand for categories.
    pub categorical: Vec<String>,
    /// Columns to leave out.
    pub ignore: Vec<String>,
}

/// The columns do not allow a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// A column that the user names is on neither side, or not on both.
    Unknown(String),
    /// No column is left.
    Nothing,
}

/// The columns of a comparison.
#[derive(Debug, Clone)]
pub struct Design {
    /// Columns that are compared.
    pub fields: Vec<Field>,
    /// Columns that are not.
    pub left_out: Vec<LeftOut>,
}

fn kind_of(data_type: &DataType) -> Option<Kind> {
    match data_type {
        DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Some(Kind::Category)
        }
        DataType::Dictionary(_, values) => kind_of(values),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Some(Kind::Time),
        other if other.is_numeric() => Some(Kind::Number),
        _ => None,
    }
}

impl Design {
    /// The columns that both sides have and that can be compared.
    ///
    /// # Errors
    /// A column that is named and missing, or no column at all.
    pub fn new(real: &Schema, synthetic: &Schema, choices: &Choices) -> Result<Self, Mistake> {
        let both = |name: &str| {
            real.field_with_name(name).is_ok() && synthetic.field_with_name(name).is_ok()
        };
        let named = choices.columns.iter().chain(&choices.categorical);
        if let Some(missing) = named.into_iter().find(|name| !both(name)) {
            return Err(Mistake::Unknown(missing.clone()));
        }
        let mut design = Self { fields: Vec::new(), left_out: Vec::new() };
        for field in real.fields() {
            let name = field.name();
            let wanted = choices.columns.is_empty() || choices.columns.contains(name);
            if !wanted || choices.ignore.contains(name) {
                continue;
            }
            let Ok(other) = synthetic.field_with_name(name) else {
                design.leave_out(name, "the synthetic rows lack it");
                continue;
            };
            let category = choices.categorical.contains(name);
            let kinds = (kind_of(field.data_type()), kind_of(other.data_type()));
            match kinds {
                (Some(_), Some(_)) if category => design.add(name, Kind::Category, false),
                (Some(one), Some(two)) if one == two => {
                    design.add(name, one, *field.data_type() == DataType::Float32);
                }
                (Some(_), Some(_)) => design.leave_out(name, "its types differ too much"),
                _ => design.leave_out(name, "values of its type cannot be compared"),
            }
        }
        let only = synthetic.fields().iter().map(|f| f.name());
        let only = only.filter(|n| choices.columns.is_empty() && !choices.ignore.contains(*n));
        for name in only.filter(|name| real.field_with_name(name).is_err()) {
            design.leave_out(name, "the real rows lack it");
        }
        if design.fields.is_empty() { Err(Mistake::Nothing) } else { Ok(design) }
    }

    fn add(&mut self, name: &str, kind: Kind, single: bool) {
        self.fields.push(Field {
            name: name.to_owned(),
            kind,
            single,
            categories: Vec::new(),
            numbers: HashMap::new(),
        });
    }

    fn leave_out(&mut self, name: &str, reason: &str) {
        self.left_out.push(LeftOut { column: name.to_owned(), reason: reason.to_owned() });
    }

    /// A table without rows.
    #[must_use]
    pub fn empty(&self) -> Table {
        let column = |field: &Field| match field.kind {
            Kind::Category => Values::Categories(Vec::new()),
            Kind::Number | Kind::Time => Values::Numbers(Vec::new()),
        };
        Table { columns: self.fields.iter().map(column).collect(), rows: 0 }
    }

    /// Reads the rows of a batch that has the columns of the design, and learns their categories.
    ///
    /// # Errors
    /// Where a value cannot be converted.
    pub fn read(&mut self, records: &RecordBatch, into: &mut Table) -> Result<()> {
        for (field, column) in self.fields.iter_mut().zip(&mut into.columns) {
            let Some(values) = records.column_by_name(&field.name) else {
                continue;
            };
            match column {
                Values::Numbers(numbers) => numbers.extend(read_numbers(values, field.kind)?),
                Values::Categories(codes) => field.read_categories(values, codes)?,
            }
        }
        into.rows += records.num_rows();
        Ok(())
    }

    /// Leaves out texts that tell rows apart rather than describe them: most of the real values come
    /// once. What the user named stays.
    pub fn drop_identifiers(
        &mut self,
        real: &mut Table,
        others: &mut [&mut Table],
        keep: &Choices,
    ) {
        let mut at = 0;
        while at < self.fields.len() {
            let (Some(field), Some(column)) = (self.fields.get(at), real.columns.get(at)) else {
                break;
            };
            let named =
                keep.categorical.contains(&field.name) || keep.columns.contains(&field.name);
            if self.fields.len() > 1 && !named && is_identifier(column) {
                let name = self.fields.remove(at).name;
                self.leave_out(&name, "most of its values come once: it names rows");
                real.columns.remove(at);
                others.iter_mut().for_each(|t| drop(t.columns.remove(at)));
            } else {
                at += 1;
            }
        }
    }
}

/// Fewer distinct texts than this are categories whatever the rows are.
const FEW: usize = 50;

fn is_identifier(column: &Values) -> bool {
    let Values::Categories(codes) = column else {
        return false;
    };
    let present = codes.iter().filter(|c| **c > 0).count();
    let distinct: hashbrown::HashSet<u32> = codes.iter().copied().filter(|c| *c > 0).collect();
    distinct.len() >= FEW && distinct.len() * 2 > present
}

fn read_numbers(values: &dyn Array, kind: Kind) -> Result<Vec<f64>> {
    if kind == Kind::Time {
        let micros = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let micros = cast(&micros, &DataType::Int64)?;
        let number = |v: Option<i64>| v.map_or(f64::NAN, |v| v as f64);
        return Ok(micros.as_primitive::<Int64Type>().iter().map(number).collect());
    }
    let numbers = cast(values, &DataType::Float64)?;
    Ok(numbers.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

impl Field {
    fn read_categories(&mut self, values: &dyn Array, into: &mut Vec<u32>) -> Result<()> {
        let texts = cast(values, &DataType::Utf8)?;
        for text in texts.as_string::<i32>() {
            let Some(text) = text else {
                into.push(0);
                continue;
            };
            let known = self.numbers.get(text).copied();
            into.push(known.unwrap_or_else(|| {
                self.categories.push(text.to_owned());
                let number = u32::try_from(self.categories.len()).unwrap_or(u32::MAX);
                self.numbers.insert(text.to_owned(), number);
                number
            }));
        }
        Ok(())
    }

    /// The text of a category.
    #[must_use]
    pub fn category(&self, number: u32) -> Option<&str> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.categories.get(at).map(String::as_str)
    }
}
