//! Patterns of file names: `*` and `?` within a name, `**` across directories, `{a,b}`, `[a-z]`.

use regex::Regex;
use swiftwater_engine::{Error, Result};

/// A pattern, split where its fixed part ends.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    /// Directory that all matches lie in, with its trailing slash; empty for none.
    pub base: String,
    whole: Regex,
}

const SPECIAL: [char; 4] = ['*', '?', '[', '{'];

/// Whether a path is a pattern.
pub(crate) fn is_pattern(path: &str) -> bool {
    path.contains(SPECIAL)
}

impl Glob {
    /// # Errors
    /// `Config` (`SW2011`) for a bracket that is never closed.
    pub(crate) fn parse(pattern: &str) -> Result<Self> {
        let fixed = pattern.find(SPECIAL).unwrap_or(pattern.len());
        let base = pattern.get(..fixed).unwrap_or_default();
        let base = base.rfind('/').and_then(|at| base.get(..=at)).unwrap_or_default();
        let whole = Regex::new(&to_regex(pattern)).map_err(|e| {
            Error::config("SW2011", format!("read the pattern `{pattern}`"))
                .with_hint("close every `[` and `{`, or write `[[]` for the character itself")
                .with_source(e)
        })?;
        Ok(Self { base: base.into(), whole })
    }

    /// Whether the whole path matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.whole.is_match(path)
    }
}

fn to_regex(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut rest = pattern.chars().peekable();
    let mut braces = 0;
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                let directories = rest.next_if_eq(&'/').is_some();
                regex.push_str(if directories { "(?:.*/)?" } else { ".*" });
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                regex.push('[');
                if rest.next_if_eq(&'!').is_some() {
                    regex.push('^');
                }
                let mut first = true;
                while let Some(inner) = rest.next_if(|c| first || *c != ']') {
                    first = false;
                    if matches!(inner, '[' | '\\' | '&' | '~' | '^') {
                        regex.push('\\');
                    }
                    regex.push(inner);
                }
                regex.extend(rest.next_if_eq(&']'));
            }
            '{' => {
                braces += 1;
                regex.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                regex.push(')');
            }
            ',' if braces > 0 => regex.push('|'),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_a_shell_would() {
        for (pattern, yes, no) in [
            ("a/*.json", "a/b.json", "a/b/c.json"),
            ("a/**/x.csv", "a/b/c/x.csv", "a/b/c/y.csv"),
            ("a/**/x.csv", "a/x.csv", "ax.csv"),
            ("a/**", "a/b/c", "b/a"),
            ("day-?.{csv,tsv}", "day-1.tsv", "day-12.tsv"),
            ("[a-c]x.(1)", "bx.(1)", "dx.(1)"),
            ("[!a]x", "bx", "ax"),
            ("a[[]1].json", "a[1].json", "a1.json"),
            ("é*", "éa", "ea"),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            assert!(glob.matches(yes), "{pattern} {yes}");
            assert!(!glob.matches(no), "{pattern} {no}");
        }
    }

    #[test]
    fn the_fixed_part_ends_at_a_directory() {
        let base = |pattern: &str| Glob::parse(pattern).unwrap().base;
        assert_eq!(base("a/b/c-*.json"), "a/b/");
        assert_eq!(base("*.json"), "");
        assert_eq!(base("/x/{a,b}/c"), "/x/");
        assert_eq!(Glob::parse("a/[b").unwrap_err().code, "SW2011");
        assert_eq!(Glob::parse("a/{b").unwrap_err().code, "SW2011");
    }
}
