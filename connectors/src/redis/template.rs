//! Keys from columns: `features:{bidder}`.

use arrow::datatypes::Schema;
use swiftwater_engine::{Error, Result};

/// A part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Number of a column among those of the template.
    Column(usize),
}

/// How a key is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
    /// Names of the columns, each once, in their order.
    pub(crate) columns: Vec<String>,
}

fn wrong(text: &str, why: &str) -> Error {
    Error::config("SW2212", format!("make keys by `{text}`: {why}")).with_hint(
        "write columns in braces, such as `features:{bidder}`; `{{` and `}}` stand for braces themselves",
    )
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// `Config` (`SW2212`) for braces that do not match, or a template without a column.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (mut parts, mut columns) = (Vec::new(), Vec::<String>::new());
        let (mut plain, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some((name, after)) =
                from.strip_prefix('{').and_then(|f| f.split_once('}'))
            {
                if name.is_empty() || name.contains('{') {
                    return Err(wrong(text, "a brace is not closed"));
                }
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                let known = columns.iter().position(|column| column == name);
                parts.push(Part::Column(known.unwrap_or(columns.len())));
                if known.is_none() {
                    columns.push(name.to_owned());
                }
                rest = after;
            } else {
                return Err(wrong(text, "a brace is not closed"));
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if columns.is_empty() {
            return Err(wrong(text, "all rows would have the same key"));
        }
        Ok(Self { parts, columns })
    }

    /// Places of the columns.
    ///
    /// # Errors
    /// `Config` (`SW2212`) for a column that is not there.
    pub(crate) fn places(&self, schema: &Schema) -> Result<Vec<usize>> {
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| {
                let there: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                Error::config("SW2212", format!("make keys of the column `{name}`"))
                    .with_hint(format!("the input has {}", there.join(", ")))
            })
        };
        self.columns.iter().map(place).collect()
    }

    /// The key of values, in the order of `columns`; `None` where one of them is null.
    pub(crate) fn key<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => key.extend_from_slice(text.as_bytes()),
                Part::Column(column) => key.extend_from_slice(value(*column)?),
            }
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_of_text_and_columns() {
        let template = Template::parse("{{u}}:{a}/{b}-{a}").unwrap();
        assert_eq!(template.columns, ["a", "b"]);
        let values: [&[u8]; 2] = [b"x", b"1"];
        assert_eq!(template.key(|i| values.get(i).copied()).unwrap(), b"{u}:x/1-x");
        assert_eq!(template.key(|i| (i == 0).then_some(values[0])), None);
        for text in ["", "plain", "{a", "a}", "{}", "{a{b}", "{{a}}"] {
            assert_eq!(Template::parse(text).unwrap_err().code, "SW2212", "{text}");
        }
    }
}
