//! What the registry says of a view: its contract with readers, and what helps people.

use serde::{Deserialize, Serialize};
use swiftwater_config::feature_view::family_and_version;
use swiftwater_config::{FeatureViewConfig, Role};
use swiftwater_engine::{Plan, schema};

/// All views that are live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registry {
    /// Version of this format.
    pub(crate) format: u32,
    /// Views by name.
    pub(crate) views: Vec<ViewRecord>,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ColumnRecord {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
}

/// A node that the features come through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) role: String,
}

/// A version of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ViewRecord {
    /// The name with the version.
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) version: u32,
    pub(crate) topology: String,
    pub(crate) project: String,
    pub(crate) from: String,
    pub(crate) description: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) entity: Vec<ColumnRecord>,
    pub(crate) event_time: ColumnRecord,
    pub(crate) ttl: Option<String>,
    pub(crate) freshness: Option<String>,
    /// Nodes from the sources to the view, in the order of rows.
    pub(crate) upstream: Vec<NodeRecord>,
    pub(crate) features: Vec<FeatureRecord>,
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FeatureRecord {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    pub(crate) nullable: bool,
    pub(crate) aggregation: Option<String>,
    pub(crate) window: Option<String>,
    pub(crate) nulls: Option<String>,
    pub(crate) empty: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) tags: Vec<String>,
}

impl ViewRecord {
    /// The views of a planned topology; they were checked with it.
    pub(crate) fn of_plan(plan: &Plan) -> Vec<Self> {
        let views = plan.config.feature_views.iter();
        views.filter_map(|(name, view)| Self::of_view(plan, name, view)).collect()
    }

    fn of_view(plan: &Plan, name: &str, view: &FeatureViewConfig) -> Option<Self> {
        let (schema, stream) = plan.feature_view_output(view)?;
        let (family, version) = family_and_version(name)?;
        let column = |name: &String| {
            let field = schema.field_with_name(name).ok()?;
            Some(ColumnRecord { name: name.clone(), data_type: schema::name(field.data_type()) })
        };
        let event_time = view.event_time.as_ref().or(stream.event_time.as_ref())?;
        let feature = |(name, said): (&String, &swiftwater_config::FeatureConfig)| {
            let field = schema.field_with_name(name).ok()?;
            let never_null = said.data_type.as_ref().is_some_and(|text| text.ends_with('!'));
            Some(FeatureRecord {
                name: name.clone(),
                data_type: schema::name(field.data_type()),
                nullable: !never_null,
                aggregation: said.aggregation.clone(),
                window: said.window.clone(),
                nulls: said.nulls.clone(),
                empty: said.empty.clone(),
                description: said.description.clone(),
                owner: said.owner.clone(),
                tags: said.tags.clone(),
            })
        };
        Some(Self {
            name: name.to_owned(),
            family: family.to_owned(),
            version,
            topology: plan.config.name.clone(),
            project: view.project.clone().unwrap_or_else(|| plan.config.name.clone()),
            from: view.from.clone(),
            description: view.description.clone(),
            owner: view.owner.clone(),
            tags: view.tags.clone(),
            entity: view.entity.iter().map(column).collect::<Option<_>>()?,
            event_time: column(event_time)?,
            ttl: view.ttl.map(|ttl| ttl.to_string()),
            freshness: view.freshness.map(|freshness| freshness.to_string()),
            upstream: upstream(plan, &view.port().node),
            features: view.features.iter().map(feature).collect::<Option<_>>()?,
        })
    }
}

/// The nodes that rows of `last` come through, it included. Nodes of a plan stand after those that
/// they read from.
fn upstream(plan: &Plan, last: &str) -> Vec<NodeRecord> {
    let mut names = vec![last.to_owned()];
    let mut found = Vec::new();
    for node in plan.nodes.iter().rev() {
        if !names.iter().any(|name| name == node.name()) {
            continue;
        }
        names.extend(node.config.inputs.iter().map(|input| input.node.clone()));
        let role = match node.config.role {
            Role::Source => "source",
            Role::Operator => "operator",
            Role::Sink => "sink",
        };
        found.push(NodeRecord {
            name: node.name().to_owned(),
            kind: node.config.kind.clone(),
            role: role.to_owned(),
        });
    }
    found.reverse();
    found
}
