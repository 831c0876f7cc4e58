//! The kinds this binary knows, registered one by one.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;
use swiftwater_config::{Kinds, Role};

use crate::error::{Error, Result};
use crate::kind::{
    NodeContext, OperatorOptions, OperatorPlan, SinkOptions, SinkPlan, SourceOptions, SourcePlan,
};

type Plan<P> = fn(&NodeContext<'_>) -> Result<P>;

/// A kind's manual: what `list`, `describe`, `create` and the JSON Schema show.
#[derive(Debug, Clone)]
pub struct Manual {
    /// Source, operator or sink.
    pub role: Role,
    /// Name of the kind.
    pub kind: &'static str,
    /// JSON Schema of its options; the description is the manual's text.
    pub schema: Value,
    /// A complete topology file that uses it.
    pub example: &'static str,
}

impl Manual {
    /// The first sentence of the manual.
    #[must_use]
    pub fn summary(&self) -> &str {
        let text = self.schema.get("description").and_then(Value::as_str).unwrap_or_default();
        text.split("\n\n").next().unwrap_or_default()
    }
}

/// A message format's manual.
#[derive(Debug, Clone)]
pub struct FormatManual {
    /// Name of the format, such as `json`.
    pub name: &'static str,
    /// JSON Schema of its options; the description is the manual's text.
    pub schema: Value,
}

/// All kinds.
#[derive(Default)]
pub struct Registry {
    manuals: Vec<Manual>,
    formats: Vec<FormatManual>,
    sources: BTreeMap<&'static str, Plan<SourcePlan>>,
    operators: BTreeMap<&'static str, Plan<OperatorPlan>>,
    sinks: BTreeMap<&'static str, Plan<SinkPlan>>,
}

fn schema_of<T: schemars::JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

fn options<T: serde::de::DeserializeOwned>(cx: &NodeContext<'_>) -> Result<T> {
    serde_json::from_value(cx.node.options.clone()).map_err(|e| {
        Error::config("SW0110", format!("read the options of `{}`: {e}", cx.node.kind))
    })
}

impl Registry {
    /// A registry without kinds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source kind.
    pub fn source<O: SourceOptions>(&mut self) -> &mut Self {
        let schema = schema_of::<O>();
        self.manuals.push(Manual {
            role: Role::Source,
            kind: O::KIND,
            schema,
            example: O::EXAMPLE,
        });
        self.sources.insert(O::KIND, |cx| options::<O>(cx)?.plan(cx));
        self
    }

    /// Adds an operator kind.
    pub fn operator<O: OperatorOptions>(&mut self) -> &mut Self {
        let schema = schema_of::<O>();
        self.manuals.push(Manual {
            role: Role::Operator,
            kind: O::KIND,
            schema,
            example: O::EXAMPLE,
        });
        self.operators.insert(O::KIND, |cx| options::<O>(cx)?.plan(cx));
        self
    }

    /// Adds a sink kind.
    pub fn sink<O: SinkOptions>(&mut self) -> &mut Self {
        let schema = schema_of::<O>();
        self.manuals.push(Manual { role: Role::Sink, kind: O::KIND, schema, example: O::EXAMPLE });
        self.sinks.insert(O::KIND, |cx| options::<O>(cx)?.plan(cx));
        self
    }

    /// Adds a message format with the options `O`.
    pub fn format<O: schemars::JsonSchema>(&mut self, name: &'static str) -> &mut Self {
        self.formats.push(FormatManual { name, schema: schema_of::<O>() });
        self
    }

    /// The manuals of all message formats.
    #[must_use]
    pub fn formats(&self) -> &[FormatManual] {
        &self.formats
    }

    /// The manuals of all kinds, in the order of registration.
    #[must_use]
    pub fn manuals(&self) -> &[Manual] {
        &self.manuals
    }

    /// The names of all kinds and formats with the schemas of their options, to check a file
    /// against.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::default();
        for manual in &self.manuals {
            let section = match manual.role {
                Role::Source => &mut kinds.sources,
                Role::Operator => &mut kinds.operators,
                Role::Sink => &mut kinds.sinks,
            };
            section.insert(manual.kind.to_owned(), manual.schema.clone());
        }
        for format in &self.formats {
            kinds.formats.insert(format.name.to_owned(), format.schema.clone());
        }
        kinds
    }

    /// The manual of one kind.
    #[must_use]
    pub fn manual(&self, role: Role, kind: &str) -> Option<&Manual> {
        self.manuals.iter().find(|m| m.role == role && m.kind == kind)
    }

    /// Plans a source node.
    ///
    /// # Errors
    /// `Config` from the kind, or for a kind that is not registered.
    pub fn plan_source(&self, cx: &NodeContext<'_>) -> Result<SourcePlan> {
        lookup(&self.sources, cx)?(cx).map_err(|e| e.at_node(&cx.node.name))
    }

    /// Plans an operator node.
    ///
    /// # Errors
    /// `Config` from the kind, or for a kind that is not registered.
    pub fn plan_operator(&self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        lookup(&self.operators, cx)?(cx).map_err(|e| e.at_node(&cx.node.name))
    }

    /// Plans a sink node.
    ///
    /// # Errors
    /// `Config` from the kind, or for a kind that is not registered.
    pub fn plan_sink(&self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        lookup(&self.sinks, cx)?(cx).map_err(|e| e.at_node(&cx.node.name))
    }
}

fn lookup<P>(kinds: &BTreeMap<&'static str, Plan<P>>, cx: &NodeContext<'_>) -> Result<Plan<P>> {
    kinds
        .get(cx.node.kind.as_str())
        .copied()
        .ok_or_else(|| Error::config("SW0102", format!("unknown kind `{}`", cx.node.kind)))
}
