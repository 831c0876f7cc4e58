//! Features in files: which columns, and what goes without saying.

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{Error, NodeContext, Result};

use super::FilesSinkOptions;
use crate::view::View;

/// Name of the column of the second clock, where no other is given.
const CREATED: &str = "created_at";

/// Rows as features of entities.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesFeatures {
    /// Name of the feature view. Where `feature_views` of this file has it, its keys, event time and
    /// features are taken from there, as far as they are not given here.
    pub view: String,
    /// Columns that name the entity.
    #[serde(default)]
    pub entity: Vec<String>,
    /// Timestamp column as of which the features hold. Without it that of the stream.
    #[serde(default)]
    pub event_time: Option<String>,
}

fn wrong(message: String, hint: String) -> Error {
    Error::config("SW2013", message).with_hint(hint)
}

impl FilesSinkOptions {
    /// Places of the columns that are written. What features imply is put into the options.
    pub(super) fn written(&mut self, cx: &NodeContext<'_>) -> Result<Vec<usize>> {
        let input = cx.input()?;
        let Some(features) = &self.features else {
            if self.values.is_empty() {
                return Ok((0..input.fields().len()).collect());
            }
            let place = |name: &String| {
                input.index_of(name).map_err(|_| {
                    let hint = "name columns of the input in `values`";
                    wrong(format!("write the column `{name}`"), hint.to_owned())
                })
            };
            return self.values.iter().map(place).collect();
        };
        let view = View {
            entity: &features.entity,
            event_time: features.event_time.as_deref(),
            values: &self.values,
        };
        let columns = view.columns(cx, wrong)?;
        self.created_column.get_or_insert_with(|| CREATED.to_owned());
        if self.partition_by.is_empty() {
            self.partition_by.push(format!("day({})", columns.event_time));
        }
        Ok(columns.places)
    }
}
