//! Problems found in a topology file: a stable code, a place, what was expected and a cure.

use std::fmt;

use crate::source_map::{Excerpt, SourceMap};

/// Where in a topology file something stands. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Whether a problem keeps the topology from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The topology cannot start.
    Error,
    /// The topology can start; the reader should know.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One problem of a topology file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it keeps the topology from starting.
    pub severity: Severity,
    /// Stable code such as `SW0107`; `docs/reference/errors.md` lists them.
    pub code: &'static str,
    /// JSON pointer to the field, such as `/operators/serious/filter`.
    pub pointer: String,
    /// Line and column, once the pointer was looked up in the file.
    pub location: Option<Location>,
    /// Lowercase sentence fragment: what is wrong, quoting the value.
    pub message: String,
    /// How to mend it ("did you mean …").
    pub hint: Option<String>,
    /// The line of the file with its secrets blanked out, once the pointer was looked up.
    pub excerpt: Option<Excerpt>,
}

impl Diagnostic {
    /// An error at `pointer`.
    #[must_use]
    pub fn error(
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            pointer: pointer.into(),
            location: None,
            message: message.into(),
            hint: None,
            excerpt: None,
        }
    }

    /// A warning at `pointer`.
    #[must_use]
    pub fn warning(
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, pointer, message) }
    }

    /// Adds the cure.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Places it exactly, where the place of its pointer is not good enough.
    #[must_use]
    pub(crate) fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.excerpt.as_ref().and_then(|e| e.file.as_deref()) {
            write!(f, "{file}:")?;
        }
        if let Some(Location { line, column }) = self.location {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{} {}: {}", self.severity, self.code, self.message)?;
        match (&self.excerpt, self.location) {
            (Some(excerpt), Some(location)) => excerpt.write(f, location)?,
            (_, None) if !self.pointer.is_empty() => write!(f, " (at {})", self.pointer)?,
            _ => {}
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// All problems of one file, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether any of them keeps the topology from starting.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Looks up the places of all pointers, adds the lines they point to, blanks out every secret
    /// value that a message may quote, and sorts by place.
    pub fn locate(&mut self, source: &SourceMap) {
        for diagnostic in &mut self.0 {
            source.place(diagnostic);
        }
        self.0.sort_by_key(|d| d.location);
        self.0.dedup();
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
