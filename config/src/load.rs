//! Reads a topology file: text → tree → checked and interpolated topology.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::Document;
use crate::environment::Environment;
use crate::kinds::Kinds;
use crate::source_map::SourceMap;
use crate::syntax;
use crate::topology::TopologyConfig;

/// A topology file that was read and found right.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The topology, interpolated.
    pub topology: TopologyConfig,
    /// What the reader should know.
    pub warnings: Diagnostics,
    /// Where each field stands: `diagnostics.locate(&loaded.source)` places later findings.
    pub source: SourceMap,
    /// The file as a tree, before interpolation.
    pub document: Document,
}

impl Loaded {
    /// The file before interpolation, for `/config` and `check --print`: `${VAR}` stays, literals
    /// in secret fields and the user information of URLs are shown as `***`.
    #[must_use]
    pub fn redacted(&self) -> Value {
        Value::Null
    }

    /// [`Loaded::redacted`] as YAML.
    #[must_use]
    pub fn redacted_yaml(&self) -> String {
        String::new()
    }
}

/// Reads and checks a topology file, YAML or JSON.
///
/// # Errors
/// All problems of the file at once, each with its place.
pub fn load(path: &Path, kinds: &Kinds, env: &dyn Environment) -> Result<Loaded, Diagnostics> {
    let name: Arc<str> = path.display().to_string().into();
    let text = fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read `{name}`: {error}");
        Diagnostics(vec![Diagnostic::error("SW0100", "", message)])
    })?;
    parse_named(Some(name), &text, kinds, env)
}

/// Checks a topology that is at hand as text, YAML or JSON.
///
/// # Errors
/// All problems of the text at once, each with its place.
pub fn parse(text: &str, kinds: &Kinds, env: &dyn Environment) -> Result<Loaded, Diagnostics> {
    parse_named(None, text, kinds, env)
}

fn parse_named(
    file: Option<Arc<str>>,
    text: &str,
    _kinds: &Kinds,
    _env: &dyn Environment,
) -> Result<Loaded, Diagnostics> {
    let mut found = match syntax::parse(text) {
        Ok(_) => Diagnostics(vec![Diagnostic::error(
            "SW0190",
            "",
            "topologies are not read yet",
        )]),
        Err(diagnostic) => Diagnostics(vec![*diagnostic]),
    };
    found.locate(&SourceMap::of_text(file, text));
    Err(found)
}
