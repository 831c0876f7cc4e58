//! `${VAR}`, `${VAR:-default}` and `${file:/run/secrets/x}` inside strings; `$${` is a plain `${`.

use crate::environment::{Environment, is_name};
use crate::secrecy::HIDDEN;

/// A piece of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'t> {
    Literal(&'t str),
    Variable { name: &'t str, default: Option<&'t str> },
    File { path: &'t str },
}

/// What an interpolated string became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The text.
    pub(crate) text: String,
    /// Contents of secret files that went into it.
    pub(crate) from_files: Vec<String>,
    /// What should be said about those files.
    pub(crate) warnings: Vec<String>,
}

/// Why a string cannot be interpolated. No value of a variable is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// Whether the text holds anything to interpolate or to unescape.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("${")
}

/// Fills in all variables and files.
///
/// # Errors
/// Every variable and file that is missing, or where the text is malformed.
pub(crate) fn resolve(text: &str, environment: &dyn Environment) -> Result<Resolved, Vec<Failure>> {
    let mut resolved =
        Resolved { text: String::new(), from_files: Vec::new(), warnings: Vec::new() };
    let mut failures = Vec::new();
    fill(text, environment, &mut resolved, &mut failures);
    if failures.is_empty() { Ok(resolved) } else { Err(failures) }
}

fn fill(
    text: &str,
    environment: &dyn Environment,
    out: &mut Resolved,
    failures: &mut Vec<Failure>,
) {
    let parts = match split(text) {
        Ok(parts) => parts,
        Err(failure) => return failures.push(failure),
    };
    for part in parts {
        match part {
            Part::Literal(literal) => out.text.push_str(literal),
            Part::Variable { name, default } => {
                // As in a shell, `:-` stands in for an empty variable too.
                let value = environment.var(name);
                let value = value.filter(|value| default.is_none() || !value.is_empty());
                match (value, default) {
                    (Some(value), _) => out.text.push_str(&value),
                    (None, Some(default)) => fill(default, environment, out, failures),
                    (None, None) => failures.push(missing(name)),
                }
            }
            Part::File { path } => match environment.secret_file(path) {
                Ok(content) => {
                    out.text.push_str(&content);
                    out.warnings.extend(environment.secret_file_warning(path));
                    out.from_files.push(content);
                }
                Err(reason) => failures.push(Failure {
                    code: "SW0119",
                    message: format!("cannot read the secret file `{path}`: {reason}"),
                    hint: "mount the secret there, or correct the path".into(),
                }),
            },
        }
    }
}

fn missing(name: &str) -> Failure {
    Failure {
        code: "SW0105",
        message: format!("the variable `{name}` is not set"),
        hint: format!("set it (`export {name}=…`), or give a default: `${{{name}:-…}}`"),
    }
}

fn split(text: &str) -> Result<Vec<Part<'_>>, Failure> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let before = rest.get(..at).unwrap_or_default();
        let after = rest.get(at + 2..).unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            parts.push(Part::Literal(before));
            parts.push(Part::Literal("${"));
            rest = after;
            continue;
        }
        parts.push(Part::Literal(before));
        let end =
            closing_brace(after).ok_or_else(|| malformed(rest.get(at..).unwrap_or_default()))?;
        let inner = after.get(..end).unwrap_or_default();
        parts.push(part(inner).ok_or_else(|| malformed(inner))?);
        rest = after.get(end + 1..).unwrap_or_default();
    }
    parts.push(Part::Literal(rest));
    parts.retain(|part| *part != Part::Literal(""));
    Ok(parts)
}

/// Where the brace that was opened before `text` closes; defaults may hold `${…}` themselves.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        previous = c;
    }
    None
}

fn part(inner: &str) -> Option<Part<'_>> {
    if let Some(path) = inner.strip_prefix("file:") {
        return (!path.is_empty()).then_some(Part::File { path });
    }
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    is_name(name).then_some(Part::Variable { name, default })
}

fn malformed(text: &str) -> Failure {
    // What follows the name may be a secret, so only the name is quoted.
    let name = text.strip_prefix("${").unwrap_or(text);
    let name: String =
        name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    Failure {
        code: "SW0106",
        message: format!("what begins with `${{{name}` is not an interpolation"),
        hint: "write `${NAME}`, `${NAME:-default}` or `${file:/path}`; `$${` is a plain `${`"
            .into(),
    }
}

/// The text with everything but its interpolations replaced by `***`, defaults included.
pub(crate) fn hide_literals(text: &str) -> String {
    let Ok(parts) = split(text) else {
        return HIDDEN.into();
    };
    let mut out = String::new();
    let mut was_literal = false;
    for part in parts {
        let is_literal = matches!(part, Part::Literal(_));
        match part {
            Part::Literal(_) if was_literal => {}
            Part::Literal(_) => out.push_str(HIDDEN),
            Part::Variable { name, default: None } => out.push_str(&format!("${{{name}}}")),
            Part::Variable { name, default: Some(default) } => {
                out.push_str(&format!("${{{name}:-{}}}", hide_literals(default)));
            }
            Part::File { path } => out.push_str(&format!("${{file:{path}}}")),
        }
        was_literal = is_literal;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Environment for Fixed {
        fn var(&self, name: &str) -> Option<String> {
            match name {
                "A" => Some("1".into()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }

        fn secret_file(&self, path: &str) -> Result<String, String> {
            if path == "/s" { Ok("hunter2".into()) } else { Err("there is no such file".into()) }
        }
    }

    #[test]
    fn variables_defaults_files_and_escapes() {
        for (text, becomes) in [
            ("plain", "plain"),
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${B:-two}", "two"),
            ("${B:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-full}", "full"),
            ("${B:-${C:-${A}}}/x", "1/x"),
            ("${file:/s}", "hunter2"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("costs $5 and $A", "costs $5 and $A"),
            ("a{2}$", "a{2}$"),
        ] {
            assert_eq!(resolve(text, &Fixed).unwrap().text, becomes, "{text}");
        }
        assert_eq!(resolve("${file:/s}", &Fixed).unwrap().from_files, ["hunter2"]);
    }

    #[test]
    fn all_failures_are_told_at_once_with_their_cure() {
        let failures = resolve("${X} ${Y} ${file:/t}", &Fixed).unwrap_err();
        let codes: Vec<_> = failures.iter().map(|f| f.code).collect();
        assert_eq!(codes, ["SW0105", "SW0105", "SW0119"]);
        assert!(failures[0].message.contains("`X`") && failures[0].hint.contains("${X:-…}"));
        for text in ["${", "${A", "${}", "${1A}", "${A:default}", "${file:}", "${A B}"] {
            assert_eq!(resolve(text, &Fixed).unwrap_err()[0].code, "SW0106", "{text}");
        }
    }

    #[test]
    fn literals_are_hidden_and_references_stay() {
        for (text, hidden) in [
            ("hunter2", "***"),
            ("${PW}", "${PW}"),
            ("${PW:-hunter2}", "${PW:-***}"),
            ("${PW:-}", "${PW:-}"),
            ("pre${PW}post", "***${PW}***"),
            ("${file:/s}", "${file:/s}"),
            ("$${hunter2}", "***"),
            ("${bad hunter2}", "***"),
        ] {
            assert_eq!(hide_literals(text), hidden);
        }
    }
}
