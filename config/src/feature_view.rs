//! Feature views: what features of which entity a topology delivers, and what readers may rely on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::document::join;
use crate::topology::{NodeConfig, PortRef, Role};
use crate::units::Duration;

/// Feature views by their names.
pub type FeatureViews = BTreeMap<String, FeatureViewConfig>;

/// Features of an entity that are made and served together. Its name ends with its version, such as
/// `card_features_v1`; two versions may stand side by side. `swiftwater features` keeps a registry of
/// them. A `redis`, `postgres` or `files` sink whose `features` name the view takes entity, event time
/// and features from here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureViewConfig {
    /// The node that puts the features out, `node` or `node.port`.
    pub from: String,
    /// Columns that name the entity.
    #[schemars(length(min = 1))]
    pub entity: Vec<String>,
    /// Timestamp column as of which the features hold; without it that of the node's stream.
    #[serde(default)]
    pub event_time: Option<String>,
    /// Project in the stores; the topology's name without it.
    #[serde(default)]
    pub project: Option<String>,
    /// What the view is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How long a value may be used after its event time.
    #[serde(default)]
    pub ttl: Option<Duration>,
    /// How old the newest event time in the store should be at most.
    #[serde(default)]
    pub freshness: Option<Duration>,
    /// The features: name of the column → what it is.
    #[schemars(extend("minProperties" = 1))]
    pub features: BTreeMap<String, FeatureConfig>,
}

/// One feature, a column of its view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// Type as in `schema`, such as `float64`; a trailing `!` says that it is never null. It is
    /// held against what the node really puts out.
    #[serde(rename = "type")]
    pub data_type: Option<String>,
    /// How it is computed, in words or as an expression: `sum(amount)`.
    pub aggregation: Option<String>,
    /// What it looks back over: `1h`, `100 rows`, `unbounded`.
    pub window: Option<String>,
    /// What becomes of nulls in the input: `skipped`.
    pub nulls: Option<String>,
    /// Its value where there is nothing to compute it from: `null`, `0`.
    pub empty: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// Who answers for it, where that is not the owner of the view.
    pub owner: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl FeatureViewConfig {
    /// The output that the features come from.
    #[must_use]
    pub fn port(&self) -> PortRef {
        PortRef::parse(&self.from)
    }
}

/// The part of a view's name before its version, and the version.
#[must_use]
pub fn family_and_version(name: &str) -> Option<(&str, u32)> {
    let (family, digits) = name.rsplit_once("_v")?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_name =
        family.starts_with(|c: char| c.is_ascii_lowercase()) && family.chars().all(letters);
    let is_number = !digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit());
    let version = digits.parse().ok().filter(|_| is_name && is_number)?;
    Some((family, version))
}

/// What is wrong with the names of views.
pub(crate) fn check(views: &FeatureViews) -> Vec<Diagnostic> {
    let wrong = views.keys().filter(|name| family_and_version(name).is_none());
    wrong
        .map(|name| {
            let message = format!("`{name}` cannot be the name of a feature view");
            Diagnostic::error("SW0215", join("/feature_views", name), message).with_hint(
                "it is lowercase letters, digits and `_`, and ends with its version: `card_features_v1`",
            )
        })
        .collect()
}

/// Gives sinks that name a view in their `features` what the view says and they do not.
pub(crate) fn fill(topology: &str, views: &FeatureViews, nodes: &mut [NodeConfig]) {
    for node in nodes.iter_mut().filter(|node| node.role == Role::Sink) {
        let taken: &[&str] = match node.kind.as_str() {
            "redis" => &["project", "entity", "event_time", "freshness"],
            "postgres" => &["entity", "event_time", "freshness"],
            "files" => &["entity", "event_time"],
            _ => continue,
        };
        let Some(options) = node.options.as_object_mut() else { continue };
        let Some(features) = options.get_mut("features").and_then(Value::as_object_mut) else {
            continue;
        };
        let named = features.get("view").and_then(Value::as_str);
        let Some(view) = named.and_then(|name| views.get(name)) else { continue };
        let project = view.project.as_deref().unwrap_or(topology);
        let given = [
            ("project", Some(Value::from(project))),
            ("entity", Some(Value::from(view.entity.clone()))),
            ("event_time", view.event_time.clone().map(Value::from)),
            ("freshness", view.freshness.as_ref().and_then(|f| serde_json::to_value(f).ok())),
        ];
        for (name, value) in given.into_iter().filter(|(name, _)| taken.contains(name)) {
            if let Some(value) = value.filter(|_| !features.contains_key(name)) {
                features.insert(name.to_owned(), value);
            }
        }
        let names: Vec<Value> = view.features.keys().cloned().map(Value::from).collect();
        options.entry("values").or_insert_with(|| names.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_a_version() {
        assert_eq!(family_and_version("card_v2_x_v10"), Some(("card_v2_x", 10)));
        for name in ["card", "card_v", "card_v0", "card_v01", "_v1", "Card_v1", "card_v1x", "v1"] {
            assert_eq!(family_and_version(name), None, "{name}");
        }
    }
}
