//! Columns as numbers of cells and of bins.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use serde_json::Value;
use swiftwater_engine::Result;

use super::cells::Cells;
use super::model::Part;
use super::numbers;

/// Fine code of null.
pub(crate) const NULL: u32 = u32::MAX;
/// Fine code of a category that is not kept.
pub(crate) const REST: u32 = u32::MAX - 1;

/// How a column is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// As texts that are the same or not.
    Category,
    /// As numbers that lie near each other or not.
    Number,
    /// Never repeated: made up.
    Key,
}

/// What is drawn at once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    /// The columns of the table.
    pub(crate) parts: Vec<Part>,
    pub(crate) role: Role,
}

/// Sizes of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most bins of a column, without that of null.
    pub(crate) bins: usize,
    /// Most categories of a column that are kept.
    pub(crate) categories: usize,
}

/// What codes a column, frozen from a reference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Coder {
    Categories(Categories),
    Numbers(Cells),
    Key,
}

/// Categories in the order of their first weight; new ones behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Categories {
    pub(crate) texts: Vec<String>,
    index: HashMap<String, u32>,
    /// The first so many have a bin of their own.
    pub(crate) own: usize,
}

impl Categories {
    pub(crate) fn new(texts: Vec<String>, own: usize) -> Self {
        let index = (0..).zip(&texts).map(|(i, text)| (text.clone(), i)).collect();
        Self { texts, index, own }
    }

    /// The code of a text, which is kept while there is room.
    #[inline]
    fn code(&mut self, text: &str, most: usize) -> u32 {
        if let Some(code) = self.index.get(text) {
            return *code;
        }
        if self.texts.len() >= most {
            return REST;
        }
        let code = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.index.insert(text.to_owned(), code);
        code
    }
}

/// A column of a batch, coded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coded {
    /// Number of the cell or the category; [`NULL`], [`REST`].
    pub(crate) fine: Vec<u32>,
    /// Number of the bin; the last is that of null.
    pub(crate) bins: Vec<u16>,
    /// The numbers, for a column of numbers.
    pub(crate) numbers: Vec<f64>,
}

/// The texts of a column, or of several as JSON lists.
pub(crate) fn texts(rows: &RecordBatch, parts: &[Part]) -> Result<StringArray> {
    let one = |part: &Part| -> Result<ArrayRef> {
        let column = rows.column_by_name(&part.name).ok_or_else(|| {
            swiftwater_engine::Error::bug(format!("find the column `{}`", part.name))
        })?;
        Ok(cast(column, &DataType::Utf8)?)
    };
    if let [part] = parts {
        return Ok(one(part)?.as_string::<i32>().clone());
    }
    let columns: Vec<ArrayRef> = parts.iter().map(one).collect::<Result<_>>()?;
    let row = |row: usize| {
        let value = |column: &ArrayRef| {
            let column = column.as_string::<i32>();
            if column.is_valid(row) { column.value(row).into() } else { Value::Null }
        };
        Some(Value::Array(columns.iter().map(value).collect()).to_string())
    };
    Ok((0..rows.num_rows()).map(row).collect())
}

/// The numbers of a column.
pub(crate) fn values(rows: &RecordBatch, part: &Part, times: Option<&[i64]>) -> Result<Vec<f64>> {
    let column = rows.column_by_name(&part.name);
    let missing = || swiftwater_engine::Error::bug(format!("find the column `{}`", part.name));
    numbers::of_column(column.ok_or_else(missing)?, times)
}

/// How many bins of a number so many rows fill well enough for tables of pairs.
fn worth(rows: usize) -> usize {
    (rows as f64).powf(0.4).round().max(6.0) as usize
}

impl Coder {
    /// Freezes a coder from the rows of a reference.
    pub(crate) fn freeze(
        spec: &Spec,
        reference: &[(RecordBatch, Vec<i64>)],
        limits: Limits,
    ) -> Result<Self> {
        let part = spec.parts.first();
        match (spec.role, part) {
            (Role::Number, Some(part)) => {
                let mut all = Vec::new();
                for (rows, times) in reference {
                    all.extend(values(rows, part, Some(times))?);
                }
                let bins = limits.bins.min(worth(all.len()));
                Ok(Self::Numbers(Cells::freeze(all, bins)))
            }
            (Role::Category, _) => {
                let mut counts: HashMap<String, u64> = HashMap::new();
                for (rows, _) in reference {
                    for text in texts(rows, &spec.parts)?.iter().flatten() {
                        *counts.entry_ref(text).or_default() += 1;
                    }
                }
                let mut order: Vec<(String, u64)> = counts.into_iter().collect();
                order.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                order.truncate(limits.categories);
                let own = order.len().min(limits.bins.saturating_sub(1));
                let texts = order.into_iter().map(|(text, _)| text).collect();
                Ok(Self::Categories(Categories::new(texts, own)))
            }
            _ => Ok(Self::Key),
        }
    }

    /// Number of bins with that of null; 0 for a key.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Key => 0,
            Self::Categories(categories) => categories.own + 2,
            Self::Numbers(cells) => cells.bin_count() + 1,
        }
    }

    /// Number of categories or cells.
    pub(crate) const fn fine(&self) -> usize {
        match self {
            Self::Key => 0,
            Self::Categories(categories) => categories.texts.len(),
            Self::Numbers(cells) => cells.edges.len() + 1,
        }
    }

    /// Codes rows.
    pub(crate) fn code(
        &mut self,
        spec: &Spec,
        (rows, times): (&RecordBatch, &[i64]),
        limits: Limits,
    ) -> Result<Coded> {
        let null = self.width().saturating_sub(1) as u16;
        let mut coded = Coded::default();
        match self {
            Self::Key => {}
            Self::Categories(categories) => {
                let texts = texts(rows, &spec.parts)?;
                let own = categories.own as u32;
                for text in &texts {
                    let fine = text.map_or(NULL, |t| categories.code(t, limits.categories));
                    coded.fine.push(fine);
                    coded.bins.push(if fine == NULL { null } else { fine.min(own) as u16 });
                }
            }
            Self::Numbers(cells) => {
                let Some(part) = spec.parts.first() else { return Ok(coded) };
                coded.numbers = values(rows, part, Some(times))?;
                for number in &coded.numbers {
                    let cell = cells.cell(*number);
                    let bin = cells.bins.get(cell).copied().unwrap_or(0);
                    let missing = number.is_nan();
                    coded.fine.push(if missing { NULL } else { cell as u32 });
                    coded.bins.push(if missing { null } else { bin });
                }
            }
        }
        Ok(coded)
    }
}
