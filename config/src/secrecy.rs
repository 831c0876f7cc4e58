//! What must not be shown, where no schema says so: names that sound secret, user names and
//! passwords in URLs, and values that are known to be secret.

use std::fmt;
use std::ops::Range;

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Shorter values are not blanked out of messages: they would garble them and protect nobody.
const SHORTEST: usize = 4;

const SECRET_WORDS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "private_key",
    "private-key",
    "private.key",
    "privatekey",
    "authorization",
    "api_key",
    "api-key",
    "api.key",
    "apikey",
    "access_key",
    "access-key",
    "access.key",
    "accesskey",
    "connection_string",
    ".pem",
    "cookie",
    "jaas",
];

/// Whether a field of this name most likely holds a secret, such as `sasl.password`.
pub(crate) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || ["token", "_pass", ".pass", "pwd"].iter().any(|end| name.ends_with(end))
}

/// The parts of `text` that are the user information of a URL or a secret parameter of its query,
/// as byte ranges in order.
pub(crate) fn url_secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + 3;
        let rest = text.get(start..).unwrap_or_default();
        let url_end = start + url_length(rest);
        let url = text.get(start..url_end).unwrap_or_default();
        let host_end = outside_braces(url, |c| matches!(c, '/' | '?' | '#')).unwrap_or(url.len());
        let authority = url.get(..host_end).unwrap_or_default();
        if let Some(at) = authority.rfind('@').filter(|at| *at > 0) {
            found.push(start..start + at);
        }
        found.extend(secret_parameters(url).into_iter().map(|r| start + r.start..start + r.end));
        from = url_end.max(start);
    }
    found
}

/// Where the URL ends: at white space, a quote or a bracket outside `${…}`.
fn url_length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
    outside_braces(text, ends).unwrap_or(text.len())
}

/// The first byte outside `${…}` whose character fits.
fn outside_braces(text: &str, fits: impl Fn(char) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if depth == 0 && fits(c) => return Some(at),
            _ => {}
        }
        previous = c;
    }
    None
}

fn secret_parameters(url: &str) -> Vec<Range<usize>> {
    let Some(query) = url.find('?') else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut start = query + 1;
    for parameter in url.get(start..).unwrap_or_default().split('&') {
        if let Some((name, value)) = parameter.split_once('=')
            && (looks_secret(name) || matches!(name, "sig" | "key" | "signature"))
            && !value.is_empty()
        {
            let value_start = start + name.len() + 1;
            found.push(value_start..value_start + value.len());
        }
        start += parameter.len() + 1;
    }
    found
}

/// `text` with each range replaced by `hide` of what stands there.
pub(crate) fn replace(
    text: &str,
    ranges: &[Range<usize>],
    hide: impl Fn(&str) -> String,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for range in ranges {
        out.push_str(text.get(copied..range.start).unwrap_or_default());
        out.push_str(&hide(text.get(range.clone()).unwrap_or_default()));
        copied = range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// `text` without the user information and secret parameters of its URLs.
pub(crate) fn scrub_urls(text: &str) -> String {
    replace(text, &url_secrets(text), |_| HIDDEN.into())
}

/// Secret values that were read, so that they can be blanked out of any text that goes outside.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValues(Vec<String>);

impl SecretValues {
    /// Remembers a value and, of a multi-line one, each of its lines; also as they look in quotes
    /// (`{:?}`), where some characters are escaped.
    pub(crate) fn add(&mut self, value: &str) {
        for part in std::iter::once(value).chain(value.lines()).map(str::trim) {
            for form in [part.to_owned(), part.escape_debug().to_string()] {
                if part.len() >= SHORTEST && !self.0.contains(&form) {
                    self.0.push(form);
                }
            }
        }
        self.0.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// `text` with every known secret and every URL's user information replaced by `***`.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut text = scrub_urls(text);
        for value in &self.0 {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), HIDDEN);
            }
        }
        text
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_user_information() {
        for (text, scrubbed) in [
            ("postgres://joe:pw@db:5432/x", "postgres://***@db:5432/x"),
            ("http://a/b@c", "http://a/b@c"),
            ("see https://u@h https://v:p@h2/ now", "see https://***@h https://***@h2/ now"),
            ("https://h/p?x=1&sig=abc%2F&y=2", "https://h/p?x=1&sig=***&y=2"),
            ("https://u:${PW:-a/b}@h/", "https://***@h/"),
            ("s3://bucket/key", "s3://bucket/key"),
            ("no url: a@b", "no url: a@b"),
        ] {
            assert_eq!(scrub_urls(text), scrubbed);
        }
    }

    #[test]
    fn known_values_are_blanked_out_longest_first() {
        let mut values = SecretValues::default();
        values.add("hunter");
        values.add("hunter2");
        values.add("abc");
        assert_eq!(values.scrub("was hunter2, then hunter, abc"), "was ***, then ***, abc");
        assert_eq!(format!("{values:?}"), "SecretValues(2)");
        let quoted = "pass \"word\"";
        values.add(quoted);
        assert_eq!(values.scrub(&format!("{quoted} {quoted:?}")), "*** \"***\"");
    }

    #[test]
    fn names_that_sound_secret() {
        for name in ["sasl.password", "Authorization", "auth_token", "aws_secret_access_key"] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["topic", "key", "max_tokens", "ssl.key.location", "partition_key"] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
