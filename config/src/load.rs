//! Reads a topology file: text → tree → checked and interpolated topology.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::assemble::{Assembled, assemble};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::Document;
use crate::environment::Environment;
use crate::fields::TopologyFields;
use crate::kinds::Kinds;
use crate::secrecy::SecretValues;
use crate::source_map::SourceMap;
use crate::topology::{NodeConfig, TopologyConfig};
use crate::{feature_view, redact, settings, syntax, validate, yaml};

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
    secret: BTreeSet<String>,
}

impl Loaded {
    /// The file before interpolation, for `/config` and `check --print`: anchors are resolved,
    /// `${VAR}` stays, literals in secret fields and the user information of URLs are shown as
    /// `***`.
    #[must_use]
    pub fn redacted(&self) -> Value {
        redact::redact(&self.document.root, &self.secret)
    }

    /// [`Loaded::redacted`] as YAML.
    #[must_use]
    pub fn redacted_yaml(&self) -> String {
        yaml::write(&self.redacted())
    }

    /// The secret values that went into the topology: `scrub` takes them out of any text that
    /// leaves the process, such as an error of a client library.
    #[must_use]
    pub fn secrets(&self) -> &SecretValues {
        self.source.secrets()
    }
}

/// Reads and checks a topology file, YAML or JSON.
///
/// # Errors
/// All problems of the file at once, each with its place; warnings are among them.
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
/// All problems of the text at once, each with its place; warnings are among them.
pub fn parse(text: &str, kinds: &Kinds, env: &dyn Environment) -> Result<Loaded, Diagnostics> {
    parse_named(None, text, kinds, env)
}

fn parse_named(
    file: Option<Arc<str>>,
    text: &str,
    kinds: &Kinds,
    env: &dyn Environment,
) -> Result<Loaded, Diagnostics> {
    let document = match syntax::parse(text) {
        Ok(document) => document,
        Err(diagnostic) => {
            let mut found = Diagnostics(vec![*diagnostic]);
            found.locate(&SourceMap::of_text(file, text));
            return Err(found);
        }
    };
    let assembled = assemble(&document.root, kinds, env);
    let Assembled { checker, fields, nodes, doubt } = assembled;
    let mut found = Diagnostics(checker.found);
    found.0.extend(validate::graph(&nodes, &document.root, doubt));
    if let Some(fields) = &fields {
        found.0.extend(settings::check(fields, &nodes));
        found.0.extend(feature_view::check(&fields.feature_views));
    }
    let source = SourceMap::new(file, text, &document, &checker.secret, checker.secrets);
    found.locate(&source);
    match fields {
        Some(fields) if !found.has_errors() => {
            let topology = topology(fields, nodes);
            let secret = checker.secret;
            Ok(Loaded { topology, warnings: found, source, document, secret })
        }
        _ => Err(found),
    }
}

fn topology(fields: TopologyFields, mut nodes: Vec<NodeConfig>) -> TopologyConfig {
    feature_view::fill(&fields.name, &fields.feature_views, &mut nodes);
    TopologyConfig {
        name: fields.name,
        guarantee: fields.guarantee,
        checkpoint: fields.checkpoint,
        memory: fields.memory,
        drain_timeout: fields.drain_timeout,
        retry: fields.retry,
        feature_views: fields.feature_views,
        nodes,
        tests: fields.tests,
    }
}
