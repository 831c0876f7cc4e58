//! The order of rows, as bytes that compare like the rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use swiftwater_engine::{Error, Result, Timestamp};

use super::mistake;
use crate::expression::{self, Expression};

/// Expressions to order by.
#[derive(Clone)]
pub(super) struct Order {
    text: Arc<str>,
    expressions: Vec<Expression>,
    converter: Arc<RowConverter>,
}

impl Order {
    /// Plans an ORDER BY list.
    ///
    /// # Errors
    /// `Config`: as for expressions; `SW0323` for one that draws anew each time.
    pub(super) fn plan(text: &str, input: &SchemaRef) -> Result<Self> {
        let (mut expressions, mut fields) = (Vec::new(), Vec::new());
        for item in expression::order(text)? {
            let planned = Expression::plan(&item.expr.to_string(), input)?;
            if let Some(warning) = planned.warnings().first() {
                let message = format!("order by `{}`: {warning}", item.expr);
                return Err(mistake(message, "order by columns and what is computed from them"));
            }
            let options = SortOptions {
                descending: item.options.asc == Some(false),
                nulls_first: item.options.nulls_first.unwrap_or(false),
            };
            fields.push(SortField::new_with_options(planned.field().data_type().clone(), options));
            expressions.push(planned);
        }
        let converter = RowConverter::new(fields).map_err(|error| {
            let message = format!("order by `{text}`: {error}");
            Error::config("SW0303", message).with_hint("order by numbers, texts or times")
        })?;
        Ok(Self { text: text.into(), expressions, converter: Arc::new(converter) })
    }

    /// The text it was planned from.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The place of each row in the order.
    pub(super) fn of(&self, records: &RecordBatch, now: Timestamp) -> Result<Rows> {
        let columns = self.expressions.iter().map(|e| e.evaluate(records, now));
        Ok(self.converter.convert_columns(&columns.collect::<Result<Vec<_>>>()?)?)
    }
}
