//! Features in PostgreSQL: a table of the newest ones of each entity.

use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Error, NodeContext, Result};

use super::{PostgresSinkOptions, wrong};
use crate::postgres::KeptView;
use crate::view::{View, ViewColumns};

/// Rows as features of entities.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresFeatures {
    /// Name of the feature view. Where `feature_views` of this file has it, its keys, event time and
    /// features are taken from there, as far as they are not given here.
    pub view: String,
    /// Columns that name the entity, and identify a row; without it those by which rows of the input
    /// replace each other.
    #[serde(default)]
    pub entity: Vec<String>,
    /// Timestamp column: a row with an older one never replaces what is there. Without it that of
    /// the stream.
    #[serde(default)]
    pub event_time: Option<String>,
    /// How old the newest event time should be at most: exported as
    /// `swiftwater_feature_freshness_target_seconds` beside `swiftwater_feature_newest_event_seconds`.
    #[serde(default)]
    pub freshness: Option<Duration>,
}

impl PostgresSinkOptions {
    /// The columns of the view that rows belong to, and what metrics tell of it.
    pub(super) fn view(&self, cx: &NodeContext<'_>) -> Result<Option<(ViewColumns, KeptView)>> {
        let Some(features) = &self.features else { return Ok(None) };
        if !self.key.is_empty() {
            let hint = "`entity` of the features, or of their view, is the key";
            return Err(wrong("use `features` beside `key`", hint));
        }
        let view = View {
            entity: &features.entity,
            event_time: features.event_time.as_deref(),
            values: &self.values,
        };
        let columns =
            view.columns(cx, |message, hint| Error::config("SW2202", message).with_hint(hint))?;
        let kept = KeptView {
            name: features.view.clone(),
            event_time: cx.input()?.index_of(&columns.event_time)?,
            freshness: features.freshness.map(|freshness| freshness.0),
        };
        Ok(Some((columns, kept)))
    }
}
