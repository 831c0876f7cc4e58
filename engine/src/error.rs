//! Errors by what the caller must do about them.

use std::error::Error as StdError;
use std::fmt;

use swiftwater_config::SecretValues;

/// What the caller must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The user fixes the topology file; nothing is started.
    Config,
    /// This record is at fault: it is set aside as `on_error` says.
    Data,
    /// An outside system is away: back off and try again within the retry budget.
    Unavailable,
    /// State and stream no longer agree: stop the topology, keep the last epoch.
    State,
    /// Our own mistake: stop and report.
    Bug,
}

/// Result with the engine's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a stable code; its text completes "failed to …" and names value and cure.
#[derive(Debug)]
pub struct Error {
    /// What the caller must do.
    pub kind: ErrorKind,
    /// Stable code such as `SW2001`; `docs/reference/errors.md` lists them.
    pub code: &'static str,
    /// Lowercase fragment that quotes the value.
    pub message: String,
    /// The cure.
    pub hint: Option<String>,
    /// The node it happened in, once known.
    pub node: Option<String>,
    /// What caused it.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`.
    #[must_use]
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), hint: None, node: None, source: None }
    }

    /// The topology file is wrong.
    #[must_use]
    pub fn config(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, code, message)
    }

    /// A record is bad.
    #[must_use]
    pub fn data(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, code, message)
    }

    /// An outside system is away.
    #[must_use]
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, code, message)
    }

    /// State and stream disagree.
    #[must_use]
    pub fn state(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::State, code, message)
    }

    /// Our own mistake.
    #[must_use]
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, "SW9001", message)
    }

    /// Adds the cure.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The error with its secrets blanked out, in the text of its causes too.
    #[must_use]
    pub fn scrubbed(mut self, secrets: &SecretValues) -> Self {
        self.message = secrets.scrub(&self.message);
        self.hint = self.hint.map(|hint| secrets.scrub(&hint));
        self.source = self.source.map(|source| {
            let mut text = source.to_string();
            let mut cause = source.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            secrets.scrub(&text).into()
        });
        self
    }

    /// Names the node, unless a nearer one was named already.
    #[must_use]
    pub fn at_node(mut self, node: &str) -> Self {
        self.node.get_or_insert_with(|| node.to_owned());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "node `{node}`: ")?;
        }
        write!(f, "{} [{}]", self.message, self.code)?;
        let mut cause = self.source.as_deref().map(|s| s as &dyn StdError);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl StdError for Error {}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::data("SW3000", "process a batch").with_source(error)
    }
}
