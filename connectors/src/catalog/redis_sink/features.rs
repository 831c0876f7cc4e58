//! Features in Redis: where their project, view, keys and event time come from.

use arrow::datatypes::{DataType, Schema};
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_config::Duration;
use swiftwater_engine::{Changes, NodeContext, Result};

use super::{RedisOptions, wrong};
use crate::redis::{FeatureLayout, FeatureRows, holds_key, holds_value};

/// Most features of a row: a script of Redis takes so many words of a command, and some more.
const MOST: usize = 3_000;

/// Rows as features of entities.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureOptions {
    /// `plain`, or `feast` for the SDK of Feast to read.
    pub layout: FeatureLayout,
    /// Name of the project; the topology's without it.
    #[serde(default)]
    pub project: Option<String>,
    /// Name of the feature view. Where `feature_views` of this file has it, its keys, event time and
    /// features are taken from there, as far as they are not given here.
    pub view: String,
    /// Columns that name the entity; without it those by which rows of the input replace each other.
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

impl FeatureOptions {
    /// Checks the options against the columns of the input.
    pub(super) fn rows(&self, sink: &RedisOptions, cx: &NodeContext<'_>) -> Result<FeatureRows> {
        let (schema, stream) = (cx.input()?, cx.stream(0));
        let entity = self.entity_columns(&stream.changes)?;
        let at = self.event_time_place(&schema, stream.event_time)?;
        let mut keys: Vec<(String, usize)> = entity
            .into_iter()
            .map(|name| place(&schema, &name).map(|place| (name, place)))
            .collect::<Result<_>>()?;
        let feast = self.layout == FeatureLayout::Feast;
        if feast {
            keys.sort();
        }
        let op = super::op_place(&schema, cx);
        let features = features(&sink.values, &schema, &keys, (at, op))?;
        if feast {
            self.check_types(&schema, &keys, &features)?;
        } else if features.iter().any(|(name, _)| name == "_ts") {
            return Err(wrong(
                "write the feature `_ts`",
                "the event time has this field: rename it",
            ));
        }
        let project = self.project.clone().unwrap_or_else(|| cx.topology.to_owned());
        let ttl = sink.ttl.map(|ttl| ttl.0);
        let freshness = self.freshness.map(|freshness| freshness.0);
        let (layout, view) = (self.layout, self.view.clone());
        Ok(FeatureRows {
            layout,
            project,
            view,
            keys,
            event_time: at,
            features,
            op,
            ttl,
            freshness,
        })
    }

    /// Columns of the entity, which are those of an upsert stream's key.
    fn entity_columns(&self, changes: &Changes) -> Result<Vec<String>> {
        let mut entity = self.entity.clone();
        if let Changes::Upsert { key } = changes {
            let same = entity.len() == key.len() && key.iter().all(|name| entity.contains(name));
            if entity.is_empty() {
                entity.clone_from(key);
            } else if !same {
                return Err(wrong(
                    format!(
                        "write rows that replace each other by [{}] as features of [{}]",
                        key.join(", "),
                        entity.join(", ")
                    ),
                    "name the same columns in `entity`",
                ));
            }
        }
        if entity.is_empty() {
            return Err(wrong(
                "tell whose features these are",
                "name the columns of the entity, such as `entity: [card]`",
            ));
        }
        Ok(entity)
    }

    fn event_time_place(&self, schema: &Schema, of_stream: Option<String>) -> Result<usize> {
        let Some(name) = self.event_time.clone().or(of_stream) else {
            return Err(wrong(
                "write features without an event time",
                "name the column, `event_time: happened_at`, or set it at the source",
            ));
        };
        let at = place(schema, &name)?;
        if !matches!(schema.field(at).data_type(), DataType::Timestamp(..)) {
            let message = format!("take `{name}` for the event time: it is no timestamp");
            return Err(wrong(message, "name a column of a timestamp type"));
        }
        Ok(at)
    }

    fn check_types(
        &self,
        schema: &Schema,
        keys: &[(String, usize)],
        features: &[(String, usize)],
    ) -> Result<()> {
        for (name, place) in keys {
            let kind = schema.field(*place).data_type();
            if !holds_key(kind) {
                return Err(wrong(
                    format!("make a key of Feast's of `{name}`, which is {kind}"),
                    "Feast's keys are text, bytes, int32, int64 and timestamps: cast it in a `select`",
                ));
            }
        }
        for (name, place) in features {
            let kind = schema.field(*place).data_type();
            if !holds_value(kind) {
                return Err(wrong(
                    format!("write `{name}`, which is {kind}, for `{}` of Feast", self.view),
                    "Feast has text, bytes, int32, int64, floats, booleans, timestamps and lists of them: cast it in a `select`",
                ));
            }
        }
        Ok(())
    }
}

fn place(schema: &Schema, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let there: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        wrong(format!("use the column `{name}`"), format!("the input has {}", there.join(", ")))
    })
}

/// The named columns, or all but keys, event time and `_op`.
fn features(
    named: &[String],
    schema: &Schema,
    keys: &[(String, usize)],
    (event_time, op): (usize, Option<usize>),
) -> Result<Vec<(String, usize)>> {
    let other = |place: usize| {
        Some(place) != op && place != event_time && keys.iter().all(|(_, key)| *key != place)
    };
    let features: Vec<(String, usize)> = if named.is_empty() {
        let all = schema.fields().iter().enumerate();
        all.filter(|(at, _)| other(*at)).map(|(at, field)| (field.name().clone(), at)).collect()
    } else {
        let one = |name: &String| place(schema, name).map(|place| (name.clone(), place));
        named.iter().map(one).collect::<Result<_>>()?
    };
    match features.len() {
        0 => Err(wrong("write entities without features", "name columns in `values`")),
        1..=MOST => Ok(features),
        many => Err(wrong(
            format!("write {many} features of a row"),
            format!("make views of at most {MOST} features"),
        )),
    }
}
