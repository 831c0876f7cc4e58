//! DataFusion's errors in our words: what is wrong, where in the text, and the cure.

use arrow::datatypes::Schema;
use datafusion_common::{DataFusionError, SchemaError};
use datafusion_sql::sqlparser::parser::ParserError;
use swiftwater_engine::Error;

use super::dialect::{self, Word};
use super::functions::{Functions, Unknown};

/// The text could not be read.
pub(super) fn syntax(error: &ParserError, text: &str) -> Error {
    let (message, hint) = match error {
        ParserError::RecursionLimitExceeded => (
            "it is nested too deeply".to_owned(),
            "split it over several nodes, or use IN (…) for a long list",
        ),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => (
            readable_position(message, text),
            "text stands in single quotes, a column whose name is a keyword in double quotes",
        ),
    };
    Error::config("SW0304", format!("read {}: {message}", quote(text))).with_hint(hint)
}

/// "Expected: a, found: b at Line: 1, Column: 9" as "expected a, found b at column 9".
fn readable_position(message: &str, text: &str) -> String {
    let (what, place) = match message.rsplit_once(" at Line: ") {
        Some((what, place)) => (what, Some(place)),
        None => (message, None),
    };
    let what = lowercase_first(what)
        .replace("expected: ", "expected ")
        .replace("found: EOF", "found the end")
        .replace("found: ", "found ");
    let place = place.and_then(|p| p.split_once(", Column: "));
    match place {
        Some((line, column)) => format!("{what} at {}", position(line, column, text)),
        None => what,
    }
}

fn position(line: &str, column: &str, text: &str) -> String {
    if text.trim_end().contains('\n') {
        format!("line {line}, column {column}")
    } else {
        format!("column {column}")
    }
}

/// The text was read, but does not fit the columns.
pub(crate) fn planning(
    error: &DataFusionError,
    text: &str,
    schema: &Schema,
    unknown: Option<Unknown>,
) -> Error {
    let root = root(error);
    if let DataFusionError::SchemaError(schema_error, _) = root {
        return match schema_error.as_ref() {
            SchemaError::FieldNotFound { field, .. } => unknown_column(field.name(), text, schema),
            SchemaError::AmbiguousReference { field } => duplicate(field.name(), text),
            SchemaError::DuplicateQualifiedField { name, .. }
            | SchemaError::DuplicateUnqualifiedField { name } => duplicate(name, text),
        };
    }
    if let Some(unknown) = unknown {
        return unknown_function(&unknown, text);
    }
    let message = lowercase_first(&clean(root));
    if let Some(name) = repeated_name(&message) {
        return duplicate(name, text);
    }
    Error::config("SW0303", format!("plan {}: {message}", quote(text)))
        .with_hint(format!("columns: {}", columns(schema)))
}

/// A column that the input does not have.
pub(crate) fn unknown_column(name: &str, text: &str, schema: &Schema) -> Error {
    let words = dialect::words(text);
    let word = words.iter().find(|w| w.text == name);
    let at = word.map_or_else(String::new, |w| place(w, text));
    let names = schema.fields().iter().map(|f| f.name().as_str());
    let hint = match closest(name, names) {
        Some(near) => format!("did you mean `{near}`? "),
        None if word.is_some_and(|w| w.quoted) => {
            format!("text stands in single quotes: '{name}'. ")
        }
        None => String::new(),
    };
    let message = format!("unknown column `{name}` in {}{at}", quote(text));
    Error::config("SW0301", message).with_hint(format!("{hint}columns: {}", columns(schema)))
}

/// The name in `projections require unique expression names but the expression "t.name" …`.
fn repeated_name(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("unique expression names but the expression \"")?;
    let (name, _) = rest.split_once('"')?;
    Some(name.rsplit('.').next().unwrap_or(name))
}

/// Two columns of the result have one name.
pub(crate) fn duplicate(name: &str, text: &str) -> Error {
    let message = format!("name two columns `{name}` in {}", quote(text));
    Error::config("SW0307", message)
        .with_hint(format!("write `* EXCEPT ({name})`, or another name after AS"))
}

fn unknown_function(unknown: &Unknown, text: &str) -> Error {
    let Unknown { name, is_aggregate } = unknown;
    let words = dialect::words(text);
    let word = words.iter().find(|w| w.text.eq_ignore_ascii_case(name));
    let at = word.map_or_else(String::new, |w| place(w, text));
    if *is_aggregate {
        let message = format!("use the aggregate `{name}` in {}{at}", quote(text));
        return Error::config("SW0305", message)
            .with_hint("a stream has no end to aggregate over; a `window` node does");
    }
    let functions = Functions::get();
    let near = closest(name, functions.names().chain(functions.aggregates()));
    let hint = near.map_or_else(
        || "every scalar function of DataFusion is available".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Error::config("SW0302", format!("unknown function `{name}` in {}{at}", quote(text)))
        .with_hint(hint)
}

/// A row could not be evaluated; `what` is the expression in backquotes, or what it fills.
pub(crate) fn running(error: &DataFusionError, what: &str) -> Error {
    let message = lowercase_first(&clean(root(error)));
    Error::data("SW3201", format!("evaluate {what}: {message}"))
}

/// An expression in backquotes, cut where it is long.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", line.get(..end).unwrap_or(&line)),
        None => format!("`{line}`"),
    }
}

/// The columns with their types, for hints.
pub(crate) fn columns(schema: &Schema) -> String {
    let fields = schema.fields().iter();
    let columns: Vec<_> = fields
        .map(|f| format!("{} {}", f.name(), swiftwater_engine::schema::name(f.data_type())))
        .collect();
    columns.join(", ")
}

/// The candidate that `name` was probably meant to be.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let distance = |c: &str| strsim::damerau_levenshtein(&wanted, &c.to_lowercase());
    let near = candidates.map(|c| (distance(c), c)).min_by_key(|(d, _)| *d)?;
    let bearable = (name.chars().count() / 3).clamp(1, 3);
    (near.0 <= bearable).then_some(near.1)
}

fn place(word: &Word, text: &str) -> String {
    let (line, column) = (word.line.to_string(), word.column.to_string());
    format!(" at {}", position(&line, &column, text))
}

/// The innermost error that says something of its own.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(all) => all.first().map_or(error, root),
        other => other,
    }
}

fn clean(error: &DataFusionError) -> String {
    let message = error.message();
    let message = message.split("\n\nbacktrace: ").next().unwrap_or(&message);
    // DataFusion asks its users to report what it calls internal; ours have nobody to ask there.
    let message = message.split(".\nThis issue was likely caused by a bug").next();
    message.unwrap_or_default().trim().replace('\n', " ")
}

fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = || ["price", "bidder", "date_time"].into_iter();
        assert_eq!(closest("prise", names()), Some("price"));
        assert_eq!(closest("Price", names()), Some("price"));
        assert_eq!(closest("datetime", names()), Some("date_time"));
        assert_eq!(closest("x", names()), None);
    }

    #[test]
    fn positions_are_readable() {
        let message = "Expected: an expression, found: EOF";
        assert_eq!(readable_position(message, "a >"), "expected an expression, found the end");
        let message = "Expected: the end, found: b at Line: 2, Column: 3";
        assert_eq!(
            readable_position(message, "a\n b c"),
            "expected the end, found b at line 2, column 3"
        );
    }
}
