//! What can be wrong with a JSON payload, with its place and the value at fault.

use crate::codec::codes;

/// Result of reading a part of a payload. The problem is boxed: the hot path carries one pointer.
pub(super) type Outcome<T = ()> = Result<T, Box<Problem>>;

/// What is wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The payload is not JSON; nothing after `at` was read.
    Malformed {
        /// Offset in the payload.
        at: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// Objects and arrays are nested deeper than allowed.
    TooDeep {
        /// Offset of the bracket that is one too many.
        at: usize,
        /// Levels that are allowed.
        limit: u32,
    },
    /// A value is not of its column's type.
    Wrong {
        /// Column, such as `user.tags[2]`.
        path: String,
        /// Type of the column.
        expected: String,
        /// The value as written.
        found: String,
    },
    /// A required field is absent or null.
    Missing {
        /// Column, such as `user.name`.
        path: String,
        /// Type of the column.
        expected: String,
    },
    /// A field that is no column, where those are refused.
    Unknown {
        /// Field, such as `user.nmae`.
        path: String,
    },
}

/// Longest piece of a payload that a message quotes, in bytes.
const QUOTE: usize = 120;

impl Problem {
    #[cold]
    pub(super) fn malformed(at: usize, expected: &'static str) -> Box<Self> {
        Box::new(Self::Malformed { at, expected })
    }

    #[cold]
    pub(super) fn wrong(expected: &str, value: &[u8]) -> Box<Self> {
        Box::new(Self::Wrong {
            path: String::new(),
            expected: expected.to_owned(),
            found: describe(value),
        })
    }

    #[cold]
    pub(super) fn missing(expected: &str) -> Box<Self> {
        Box::new(Self::Missing { path: String::new(), expected: expected.to_owned() })
    }

    #[cold]
    pub(super) fn unknown(name: &[u8]) -> Box<Self> {
        Box::new(Self::Unknown { path: quote(name) })
    }

    /// Whether the reader stopped in the middle of the payload. Otherwise it stands behind the
    /// value at fault and the rest can still be checked.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::TooDeep { .. })
    }

    /// Puts the name of an enclosing field before the path.
    #[cold]
    pub(super) fn within(mut self: Box<Self>, outer: &str) -> Box<Self> {
        if let Self::Wrong { path, .. } | Self::Missing { path, .. } | Self::Unknown { path } =
            &mut *self
        {
            let joint = if path.is_empty() || path.starts_with('[') { "" } else { "." };
            *path = format!("{outer}{joint}{path}");
        }
        self
    }

    /// Stable code of the reason.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => codes::MALFORMED,
            Self::TooDeep { .. } => codes::TOO_DEEP,
            Self::Wrong { .. } => codes::WRONG_TYPE,
            Self::Missing { .. } => codes::MISSING_FIELD,
            Self::Unknown { .. } => codes::UNKNOWN_FIELD,
        }
    }

    /// The reason in words, quoting the value.
    pub(super) fn message(&self, payload: &[u8]) -> String {
        match self {
            Self::Malformed { at, expected } => {
                let found = match payload.get(*at..) {
                    None | Some([]) => "the end".to_owned(),
                    Some(rest) => format!("`{}`", quote(rest.get(..24).unwrap_or(rest))),
                };
                format!("malformed JSON at byte {at}: expected {expected}, found {found}")
            }
            Self::TooDeep { at, limit } => {
                format!("JSON nested deeper than {limit} levels at byte {at}")
            }
            Self::Wrong { path, expected, found } => {
                format!("column `{path}`: expected {expected}, found {found}")
            }
            Self::Missing { path, expected } => {
                format!("column `{path}`: required {expected} is missing or null")
            }
            Self::Unknown { path } => format!("field `{path}` is not in the schema"),
        }
    }
}

/// A value with the name of its JSON type, such as `string "abc"`.
fn describe(value: &[u8]) -> String {
    let kind = match value.first() {
        Some(b'"') => "string ",
        Some(b'{') => "object ",
        Some(b'[') => "array ",
        Some(b'-' | b'0'..=b'9') => "number ",
        _ => "",
    };
    format!("{kind}{}", quote(value))
}

/// A piece of a payload as text, cut to a length that a log line can bear.
pub(super) fn quote(bytes: &[u8]) -> String {
    match bytes.get(..QUOTE) {
        Some(head) if bytes.len() > QUOTE => {
            let text = String::from_utf8_lossy(head);
            format!("{}…", text.trim_end_matches(char::REPLACEMENT_CHARACTER))
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}
