//! The columns of a feature view, for sinks that keep rows as tables: keys, event time and features.

use arrow::datatypes::{DataType, Schema};
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Changes, Error, NodeContext, Result};

/// What the options of a sink say of a view.
pub(crate) struct View<'a> {
    /// Columns that name the entity; those of an upsert stream's key without any.
    pub(crate) entity: &'a [String],
    /// Timestamp column; that of the stream without it.
    pub(crate) event_time: Option<&'a str>,
    /// Features; all other columns without any.
    pub(crate) values: &'a [String],
}

/// The same, held against the columns of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ViewColumns {
    /// Columns that name the entity.
    pub(crate) entity: Vec<String>,
    /// The timestamp column.
    pub(crate) event_time: String,
    /// Places in the input of all columns of the view: entity, event time, features.
    pub(crate) places: Vec<usize>,
}

/// Makes the error of a sink from what went wrong and its cure.
type Wrong = fn(String, String) -> Error;

impl View<'_> {
    /// # Errors
    /// What `wrong` makes, where a column is missing or of an impossible type.
    pub(crate) fn columns(&self, cx: &NodeContext<'_>, wrong: Wrong) -> Result<ViewColumns> {
        let (schema, stream) = (cx.input()?, cx.stream(0));
        let entity = self.entity(&stream.changes, wrong)?;
        let event_time = self.event_time.map(str::to_owned).or(stream.event_time);
        let event_time = event_time.ok_or_else(|| {
            wrong(
                "write features without an event time".into(),
                "name the column, `event_time: happened_at`, or set it at the source".into(),
            )
        })?;
        let at = place(&schema, &event_time, wrong)?;
        if !matches!(schema.field(at).data_type(), DataType::Timestamp(..)) {
            return Err(wrong(
                format!("take `{event_time}` for the event time: it is no timestamp"),
                "name a column of a timestamp type".into(),
            ));
        }
        let keys = entity.iter().map(|name| place(&schema, name, wrong));
        let mut places = keys.collect::<Result<Vec<_>>>()?;
        places.push(at);
        let op = schema.index_of(OP_COLUMN).ok().filter(|_| cx.stream(0).is_upsert());
        let features: Vec<usize> = if self.values.is_empty() {
            (0..schema.fields().len()).filter(|place| Some(*place) != op).collect()
        } else {
            let features = self.values.iter().map(|name| place(&schema, name, wrong));
            features.collect::<Result<_>>()?
        };
        for feature in features {
            if !places.contains(&feature) {
                places.push(feature);
            }
        }
        Ok(ViewColumns { entity, event_time, places })
    }

    fn entity(&self, changes: &Changes, wrong: Wrong) -> Result<Vec<String>> {
        let own = self.entity;
        if let Changes::Upsert { key } = changes {
            let same = own.len() == key.len() && key.iter().all(|name| own.contains(name));
            if !same && !own.is_empty() {
                return Err(wrong(
                    format!(
                        "write rows that replace each other by [{}] as features of [{}]",
                        key.join(", "),
                        own.join(", ")
                    ),
                    "name the same columns in `entity`".into(),
                ));
            }
            return Ok(key.clone());
        }
        if own.is_empty() {
            return Err(wrong(
                "tell whose features these are".into(),
                "name the columns of the entity, such as `entity: [card]`".into(),
            ));
        }
        Ok(own.to_vec())
    }
}

fn place(schema: &Schema, name: &str, wrong: Wrong) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let there: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        wrong(format!("use the column `{name}`"), format!("the input has {}", there.join(", ")))
    })
}
