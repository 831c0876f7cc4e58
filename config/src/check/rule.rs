//! A JSON Schema as schemars writes it, seen as a rule for one value.

use serde_json::Value;

/// References that only lead to references end here, so that a circle of them cannot hang.
const LONGEST_CHAIN: usize = 32;

/// What a value is, as far as JSON tells values apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
}

/// A quantity with its unit in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Duration,
    Bytes,
}

/// A schema within its root, with references followed.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'s> {
    root: &'s Value,
    node: &'s Value,
    secret: bool,
    deprecated: bool,
    description: Option<&'s str>,
}

impl<'s> Rule<'s> {
    /// The rule of a whole schema.
    pub(crate) fn root(schema: &'s Value) -> Self {
        Self { root: schema, node: schema, secret: false, deprecated: false, description: None }
            .open()
    }

    fn inner(self, node: &'s Value) -> Self {
        Self { node, deprecated: false, description: None, ..self }.open()
    }

    fn open(mut self) -> Self {
        for _ in 0..LONGEST_CHAIN {
            // What stands beside a reference is about the field, and goes before what it leads to.
            let here = self;
            let is_set = |keyword: &str| here.get(keyword) == Some(&Value::Bool(true));
            self.secret |= is_set(crate::secret::SECRET_KEYWORD);
            self.deprecated |= is_set("deprecated");
            let description = self.get("description").and_then(Value::as_str);
            self.description = self.description.or(description);
            let reference = self.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|r| r.strip_prefix('#'));
            let target = target.and_then(|pointer| self.root.pointer(pointer));
            let only = || match self.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
                Some([one]) if self.get("properties").is_none() => Some(one),
                _ => None,
            };
            match target.or_else(only) {
                Some(next) => self.node = next,
                None => break,
            }
        }
        self
    }

    /// A keyword of the schema.
    pub(crate) fn get(self, keyword: &str) -> Option<&'s Value> {
        self.node.get(keyword)
    }

    /// Whether the value is a secret.
    pub(crate) fn is_secret(self) -> bool {
        self.secret
    }

    /// Whether the field should no longer be used.
    pub(crate) fn is_deprecated(self) -> bool {
        self.deprecated
    }

    /// Whether some value within the value is a secret.
    pub(crate) fn holds_secret(self) -> bool {
        self.holds_secret_within(16)
    }

    fn holds_secret_within(self, depth: usize) -> bool {
        if self.secret {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        let inside = |rule: Self| rule.holds_secret_within(depth);
        self.properties().any(|(_, rule)| inside(rule))
            || self.branches().into_iter().flatten().any(inside)
            || [self.additional(), self.items()].into_iter().flatten().any(inside)
    }

    /// The declared fields of a map, in their order.
    pub(crate) fn properties(self) -> impl Iterator<Item = (&'s str, Self)> {
        let properties = self.get("properties").and_then(Value::as_object);
        properties
            .into_iter()
            .flatten()
            .map(move |(name, schema)| (name.as_str(), self.inner(schema)))
    }

    /// The rule of a declared field.
    pub(crate) fn property(self, name: &str) -> Option<Self> {
        Some(self.inner(self.get("properties")?.get(name)?))
    }

    /// The schemas of fields by the form of their names.
    pub(crate) fn patterns(self) -> impl Iterator<Item = (&'s str, Self)> {
        let patterns = self.get("patternProperties").and_then(Value::as_object);
        patterns
            .into_iter()
            .flatten()
            .map(move |(pattern, schema)| (pattern.as_str(), self.inner(schema)))
    }

    /// Names of the fields that must be there.
    pub(crate) fn required(self) -> impl Iterator<Item = &'s str> {
        let required = self.get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether a map may hold only declared fields.
    pub(crate) fn is_closed(self) -> bool {
        self.get("additionalProperties") == Some(&Value::Bool(false))
    }

    /// The rule of the values of a map with free names.
    pub(crate) fn additional(self) -> Option<Self> {
        let schema = self.get("additionalProperties").filter(|schema| schema.is_object())?;
        Some(self.inner(schema))
    }

    /// The rule of the items of a list.
    pub(crate) fn items(self) -> Option<Self> {
        let schema = self.get("items").filter(|schema| schema.is_object())?;
        Some(self.inner(schema))
    }

    /// The rule of the item number `i` of a list.
    pub(crate) fn item(self, i: usize) -> Option<Self> {
        let first = self.get("prefixItems").and_then(|items| items.get(i));
        first.map(|schema| self.inner(schema)).or_else(|| self.items())
    }

    /// The alternatives of a union, those of unions within it included.
    pub(crate) fn branches(self) -> Option<Vec<Self>> {
        self.branches_within(8)
    }

    fn branches_within(self, depth: usize) -> Option<Vec<Self>> {
        if self.get("properties").is_some() {
            return None;
        }
        let schemas = self.get("anyOf").or_else(|| self.get("oneOf"))?.as_array()?;
        let mut branches = Vec::new();
        for schema in schemas {
            let branch = self.inner(schema);
            match depth.checked_sub(1).and_then(|depth| branch.branches_within(depth)) {
                Some(nested) => branches.extend(nested),
                None => branches.push(branch),
            }
        }
        Some(branches)
    }

    /// The values that are allowed, where they are listed.
    pub(crate) fn constants(self) -> Option<Vec<&'s Value>> {
        match (self.get("const"), self.get("enum")) {
            (Some(value), _) => Some(vec![value]),
            (None, Some(values)) => values.as_array().map(|values| values.iter().collect()),
            (None, None) => None,
        }
    }

    /// The unit that is written in the text.
    pub(crate) fn unit(self) -> Option<Unit> {
        match self.get(crate::units::UNIT_KEYWORD)?.as_str()? {
            "duration" => Some(Unit::Duration),
            "bytes" => Some(Unit::Bytes),
            _ => None,
        }
    }

    /// Whether a value of this shape can be right.
    pub(crate) fn accepts(self, shape: Shape) -> bool {
        let named = |name: &str| match name {
            "null" => shape == Shape::Null,
            "boolean" => shape == Shape::Bool,
            "integer" | "number" => shape == Shape::Number,
            "string" => shape == Shape::Text,
            "array" => shape == Shape::List,
            "object" => shape == Shape::Map,
            _ => true,
        };
        match self.get("type") {
            Some(Value::String(name)) => return named(name),
            Some(Value::Array(names)) => {
                return names.iter().filter_map(Value::as_str).any(named);
            }
            _ => {}
        }
        if let Some(values) = self.constants() {
            return values.iter().any(|value| shape_of(value) == shape);
        }
        if let Some(branches) = self.branches() {
            return branches.iter().any(|branch| branch.accepts(shape));
        }
        let has = |keyword: &str| self.get(keyword).is_some();
        match self.node {
            Value::Bool(anything) => *anything,
            _ if has("properties") || has("required") => shape == Shape::Map,
            _ if has("items") || has("prefixItems") => shape == Shape::List,
            _ => true,
        }
    }

    /// Whether the only numbers that are right are whole ones.
    pub(crate) fn is_integer(self) -> bool {
        let is = |name: &str| match self.get("type") {
            Some(Value::String(only)) => only == name,
            Some(Value::Array(names)) => names.iter().any(|n| n == name),
            _ => false,
        };
        is("integer") && !is("number")
    }

    /// The first sentence of the manual.
    pub(crate) fn summary(self) -> Option<&'s str> {
        let text = self.description?;
        let first = text.split("\n\n").next().unwrap_or(text);
        let first = first.split_once(". ").map_or(first, |(first, _)| first);
        Some(first.trim_end_matches('.')).filter(|first| !first.contains('\n'))
    }
}

/// The shape of a JSON value.
pub(crate) fn shape_of(value: &Value) -> Shape {
    match value {
        Value::Null => Shape::Null,
        Value::Bool(_) => Shape::Bool,
        Value::Number(_) => Shape::Number,
        Value::String(_) => Shape::Text,
        Value::Array(_) => Shape::List,
        Value::Object(_) => Shape::Map,
    }
}
