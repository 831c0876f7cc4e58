//! What the checker knows of the kinds: their names and the JSON Schemas of their options.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::topology::Role;

/// The kinds and formats a topology may use: name → JSON Schema (draft 2020-12, as schemars writes
/// it) of the options. A field whose schema says `"x-secret": true` holds a secret.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    /// Kinds of `sources:`.
    pub sources: BTreeMap<String, Value>,
    /// Kinds of `operators:`.
    pub operators: BTreeMap<String, Value>,
    /// Kinds of `sinks:`.
    pub sinks: BTreeMap<String, Value>,
    /// Message formats of the `format:` field.
    pub formats: BTreeMap<String, Value>,
}

impl Kinds {
    /// The kinds of one section.
    #[must_use]
    pub fn of(&self, role: Role) -> &BTreeMap<String, Value> {
        match role {
            Role::Source => &self.sources,
            Role::Operator => &self.operators,
            Role::Sink => &self.sinks,
        }
    }

    /// The roles in which `kind` exists.
    #[must_use]
    pub fn roles_of(&self, kind: &str) -> Vec<Role> {
        [Role::Source, Role::Operator, Role::Sink]
            .into_iter()
            .filter(|role| self.of(*role).contains_key(kind))
            .collect()
    }
}
