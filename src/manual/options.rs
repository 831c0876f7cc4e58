//! The options of a kind, read from the JSON Schema of its options type.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// One option.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Opt {
    /// Its name in the topology file.
    pub(crate) name: String,
    /// What may be written there, in words: `text`, `list of text`, `duration`.
    pub(crate) form: String,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// What holds when it is left out.
    pub(crate) default: Option<Value>,
    /// What it does.
    pub(crate) text: String,
    /// Values it can take, each with its meaning.
    pub(crate) choices: Vec<(String, String)>,
    /// A value to start from.
    pub(crate) example: Option<Value>,
    /// The options inside it.
    pub(crate) inner: Vec<Opt>,
}

impl Opt {
    /// Whether it is a map with the options inside it as its fields.
    pub(super) fn is_map(&self) -> bool {
        !self.inner.is_empty() && self.form == "map"
    }
}

/// Schemas refer to definitions of their root.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'a> {
    root: &'a Value,
    here: &'a Value,
}

/// Types of one schema nest no deeper than this; a type that holds itself ends here.
const DEEPEST: usize = 5;

impl<'a> Schema<'a> {
    /// A schema as a whole.
    pub(crate) const fn new(root: &'a Value) -> Self {
        Self { root, here: root }
    }

    fn at(self, here: &'a Value) -> Self {
        Self { here, ..self }
    }

    fn text(self, keyword: &str) -> Option<&'a str> {
        self.here.get(keyword).and_then(Value::as_str)
    }

    fn list(self, keyword: &str) -> Vec<Self> {
        let list = self.here.get(keyword).and_then(Value::as_array);
        list.into_iter().flatten().map(|v| self.at(v)).collect()
    }

    fn map(self, keyword: &str) -> Option<&'a Map<String, Value>> {
        self.here.get(keyword).and_then(Value::as_object)
    }

    /// What it says about itself.
    pub(crate) fn description(self) -> &'a str {
        self.text("description").unwrap_or_default()
    }

    /// The schema it refers to, or itself. A type that may be null counts as the type.
    fn resolved(self) -> Self {
        let definition =
            self.text("$ref").and_then(|r| self.root.pointer(r.trim_start_matches('#')));
        if let Some(definition) = definition {
            return self.at(definition).resolved();
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let forms = self.list(keyword);
            let mut real = forms.iter().filter(|s| s.text("type") != Some("null"));
            if let (Some(only), None) = (real.next(), real.next())
                && only.here.get("const").is_none()
            {
                return only.resolved();
            }
        }
        self
    }

    /// Name of the definition it refers to.
    fn reference(self) -> Option<&'a str> {
        let forms = self.list("anyOf");
        let mut reference = self.text("$ref");
        if let [one, null] = forms.as_slice()
            && null.text("type") == Some("null")
        {
            reference = one.text("$ref");
        }
        reference.and_then(|r| r.rsplit('/').next())
    }

    /// The fixed values it allows, each with its meaning.
    fn choices(self) -> Vec<(String, String)> {
        let plain = |v: &Value| match v {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Some(values) = self.here.get("enum").and_then(Value::as_array) {
            let values = values.iter().filter(|v| !v.is_null());
            return values.map(|v| (plain(v), String::new())).collect();
        }
        let forms = self.list("oneOf");
        let one = |s: &Self| {
            let value = s.here.get("const").map(plain);
            let value = value.map(|v| (v, s.description().to_owned()));
            value.map_or_else(|| s.choices(), |v| vec![v])
        };
        forms.iter().flat_map(one).collect()
    }

    /// Whether it is a map with named fields, even none.
    pub(crate) fn is_map(self) -> bool {
        let here = self.resolved();
        let of_names = here.here.get("additionalProperties").is_some_and(Value::is_object);
        here.text("type") == Some("object") && !of_names
    }

    /// The options inside the items or the forms of what is not a map with named fields.
    pub(crate) fn inner_options(self) -> Vec<Opt> {
        self.inner(0)
    }

    /// The options of a map with named fields.
    pub(crate) fn options(self) -> Vec<Opt> {
        self.options_within(0)
    }

    fn options_within(self, depth: usize) -> Vec<Opt> {
        let here = self.resolved();
        let Some(properties) = here.map("properties") else {
            return Vec::new();
        };
        if depth > DEEPEST {
            return Vec::new();
        }
        let required = here.list("required");
        let required = |name: &str| required.iter().any(|r| r.here == name);
        let option = |(name, schema): (&'a String, &'a Value)| {
            let mut option = here.at(schema).option(name, depth);
            option.required = required(name);
            option
        };
        let mut options: Vec<_> = properties.iter().map(option).collect();
        options.sort_by_key(|o| !o.required);
        options
    }

    fn option(self, name: &str, depth: usize) -> Opt {
        let here = self.resolved();
        let text =
            if self.description().is_empty() { here.description() } else { self.description() };
        let default = self.here.get("default").filter(|d| !d.is_null()).cloned();
        let examples = self.list("examples").into_iter().chain(here.list("examples"));
        Opt {
            name: name.to_owned(),
            form: self.form(),
            required: false,
            default,
            text: text.to_owned(),
            choices: here.choices(),
            example: examples.map(|e| e.here.clone()).next(),
            inner: self.inner(depth),
        }
    }

    /// Options inside this one: its own fields, those of its items, or those of its forms.
    fn inner(self, depth: usize) -> Vec<Opt> {
        let here = self.resolved();
        let own = here.options_within(depth + 1);
        if !own.is_empty() || depth > DEEPEST {
            return own;
        }
        for keyword in ["items", "additionalProperties"] {
            if let Some(item) = here.here.get(keyword).filter(|i| i.is_object()) {
                return here.at(item).inner(depth + 1);
            }
        }
        let forms = [here.list("anyOf"), here.list("oneOf")].concat();
        let mut options: Vec<Opt> = Vec::new();
        for option in forms.into_iter().flat_map(|f| f.inner(depth)) {
            if !options.iter().any(|o| o.name == option.name) {
                options.push(Opt { required: false, ..option });
            }
        }
        options
    }

    /// What may be written there, in words.
    pub(crate) fn form(self) -> String {
        match self.reference() {
            Some("Duration") => return "duration".into(),
            Some("ByteSize") => return "size".into(),
            _ => {}
        }
        let here = self.resolved();
        if here.here.get("x-secret").is_some() {
            return "secret text".into();
        }
        let choices = here.choices();
        let mut forms: Vec<String> = choices.iter().map(|(c, _)| format!("`{c}`")).collect();
        for keyword in ["anyOf", "oneOf"] {
            let others = here
                .list(keyword)
                .into_iter()
                .filter(|s| s.resolved().choices().is_empty() && s.here.get("const").is_none());
            forms.extend(others.map(Self::form).filter(|f| f != "null"));
        }
        if forms.is_empty() {
            return here.plain_form();
        }
        forms.dedup();
        forms.join(" or ")
    }

    fn plain_form(self) -> String {
        let types: Vec<&str> = match self.here.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let forms: Vec<_> = types
            .iter()
            .filter(|t| **t != "null" || types.len() == 1)
            .map(|t| self.typed_form(t))
            .collect();
        if forms.is_empty() { "any value".into() } else { forms.join(" or ") }
    }

    fn typed_form(self, name: &str) -> String {
        let of = |keyword: &str| self.here.get(keyword).filter(|i| i.is_object());
        match name {
            "string" => "text".into(),
            "boolean" => "true or false".into(),
            "array" => match of("items") {
                Some(items) => format!("list of {}", self.at(items).form()),
                None => "list".into(),
            },
            "object" => match of("additionalProperties") {
                Some(values) => format!("map of names to {}", self.at(values).form()),
                None => "map".into(),
            },
            other => other.into(),
        }
    }
}

/// One line for each option with its inner ones, as a Markdown list.
pub(super) fn list(options: &[Opt], indent: usize) -> String {
    let mut out = String::new();
    let margin = "  ".repeat(indent);
    for option in options {
        let mut facts = option.form.clone();
        if option.required {
            facts.push_str(", required");
        }
        if let Some(default) = &option.default {
            let shown = serde_json::to_string(default).unwrap_or_default();
            let shown = shown.trim_matches('"');
            write!(facts, ", default `{shown}`").ok();
        }
        let line = format!("- **{}** ({facts}): {}", option.name, option.text);
        writeln!(out, "{margin}{}", super::fill(&line, 100, &margin)).ok();
        for (choice, meaning) in &option.choices {
            if !meaning.is_empty() {
                let line = format!("- `{choice}`: {meaning}");
                let filled = super::fill(&line, 100, &format!("{margin}  "));
                writeln!(out, "{margin}  {filled}").ok();
            }
        }
        out.push_str(&list(&option.inner, indent + 1));
    }
    out
}
