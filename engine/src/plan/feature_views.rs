//! Feature views against the columns that their nodes really put out.

use arrow::datatypes::{DataType, Field, Schema};
use serde_json::Map;
use swiftwater_config::{Diagnostic, FeatureConfig, FeatureViewConfig, TopologyConfig};

use super::PlannedNode;
use crate::schema;
use crate::stream::{OP_COLUMN, Stream};

/// What is wrong with the feature views of a topology whose nodes are planned.
pub(super) fn check(config: &TopologyConfig, nodes: &[PlannedNode]) -> Vec<Diagnostic> {
    let views = config.feature_views.iter();
    views
        .flat_map(|(name, view)| {
            let pointer = format!("/feature_views/{name}");
            match output(view, nodes) {
                Ok((schema, stream)) => of_view(view, &pointer, schema, stream),
                // What is wrong with the node itself was told before.
                Err(_) if unplanned(view, config, nodes) => Vec::new(),
                Err(hint) => {
                    let message =
                        format!("`{}` is no output of a source or an operator", view.from);
                    let found = Diagnostic::error("SW0216", format!("{pointer}/from"), message);
                    vec![found.with_hint(hint)]
                }
            }
        })
        .collect()
}

fn unplanned(view: &FeatureViewConfig, config: &TopologyConfig, nodes: &[PlannedNode]) -> bool {
    let name = view.port().node;
    config.nodes.iter().any(|node| node.name == name) && nodes.iter().all(|n| n.name() != name)
}

/// The output that a view names; otherwise what there is.
pub(super) fn output<'n>(
    view: &FeatureViewConfig,
    nodes: &'n [PlannedNode],
) -> Result<(&'n Schema, &'n Stream), String> {
    let port = view.port();
    let Some(node) = nodes.iter().find(|node| node.name() == port.node) else {
        let names = nodes.iter().filter(|node| !node.outputs.is_empty()).map(PlannedNode::name);
        return Err(format!("there are {}", names.collect::<Vec<_>>().join(", ")));
    };
    let found = node.output(port.port.as_deref());
    let found = found.and_then(|at| Some((node.outputs.get(at)?, node.streams.get(at)?)));
    let Some(((_, schema), stream)) = found else {
        let ports: Vec<&str> = node.outputs.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("`{}` has the ports {}", port.node, ports.join(", ")));
    };
    Ok((schema.as_ref(), stream))
}

fn of_view(
    view: &FeatureViewConfig,
    pointer: &str,
    schema: &Schema,
    stream: &Stream,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (i, name) in view.entity.iter().enumerate() {
        let missing = column(schema, name, &format!("{pointer}/entity/{i}"), view).err();
        found.extend(missing.map(|missing| *missing));
    }
    match (&view.event_time, &stream.event_time) {
        (Some(name), _) => {
            let pointer = format!("{pointer}/event_time");
            match column(schema, name, &pointer, view) {
                Ok(field) if !matches!(field.data_type(), DataType::Timestamp(..)) => {
                    let is = schema::name(field.data_type());
                    let message = format!("`{name}` is {is}, and an event time is a timestamp");
                    found.push(Diagnostic::error("SW0218", pointer, message));
                }
                other => found.extend(other.err().map(|missing| *missing)),
            }
        }
        (None, Some(_)) => {}
        (None, None) => {
            let message = format!("the rows of `{}` have no event time", view.from);
            let hint = "name the column here as `event_time`, or at the source";
            found.push(Diagnostic::error("SW0218", pointer, message).with_hint(hint));
        }
    }
    for (name, feature) in &view.features {
        let pointer = format!("{pointer}/features/{name}");
        match column(schema, name, &pointer, view) {
            Ok(field) => found.extend(of_feature(field, feature, &pointer)),
            Err(missing) => found.push(*missing),
        }
    }
    found
}

fn column<'s>(
    schema: &'s Schema,
    name: &str,
    pointer: &str,
    view: &FeatureViewConfig,
) -> Result<&'s Field, Box<Diagnostic>> {
    schema.field_with_name(name).map_err(|_| {
        let there: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let there: Vec<&str> = there.into_iter().filter(|name| *name != OP_COLUMN).collect();
        let message = format!("`{}` has no column `{name}`", view.from);
        let found = Diagnostic::error("SW0217", pointer, message);
        Box::new(found.with_hint(format!("it has {}", there.join(", "))))
    })
}

fn of_feature(field: &Field, feature: &FeatureConfig, pointer: &str) -> Option<Diagnostic> {
    let declared = feature.data_type.as_ref()?;
    let pointer = format!("{pointer}/type");
    let columns = Map::from_iter([(field.name().clone(), declared.clone().into())]);
    let read = match schema::from_config(&columns) {
        Ok(read) => read,
        Err(error) => {
            let found = Diagnostic::error(error.code, pointer, error.message);
            return Some(match error.hint {
                Some(hint) => found.with_hint(hint),
                None => found,
            });
        }
    };
    let wanted = read.field_with_name(field.name()).ok()?;
    let told = |message: String, hint: String| {
        Some(Diagnostic::error("SW0218", pointer.clone(), message).with_hint(hint))
    };
    if schema::name(wanted.data_type()) != schema::name(field.data_type()) {
        let is = schema::name(field.data_type());
        let message = format!("`{}` is {is}, not {declared}", field.name());
        return told(message, format!("write `type: {is}`, or cast it in a `select`"));
    }
    if field.is_nullable() && !wanted.is_nullable() {
        let message = format!("`{}` may be null, and its type says it never is", field.name());
        return told(message, "leave out the `!`, or fill it with `coalesce` in a `select`".into());
    }
    None
}
