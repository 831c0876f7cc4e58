//! From a topology file to a plan, with everything that is wrong with it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use swiftwater_config::{
    Diagnostic, Diagnostics, Environment, Kinds, Loaded, ProcessEnvironment, SecretValues,
    TopologyConfig,
};
use swiftwater_engine::{Error, Plan, Registry, Result};

use crate::kinds;

/// Where `${VAR}` takes its values from.
#[derive(Args)]
pub(super) struct Variables {
    /// File of NAME=value lines that fill `${NAME}`, before the environment
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
}

impl Variables {
    fn environment(&self) -> Result<ProcessEnvironment> {
        let environment = ProcessEnvironment::new();
        match &self.env_file {
            None => Ok(environment),
            Some(path) => {
                environment.with_file(path).map_err(|reason| Error::config("SW4107", reason))
            }
        }
    }
}

/// A topology file that can run.
pub(super) struct Checked {
    /// The plan.
    pub(super) plan: Plan,
    /// The file without its secrets.
    pub(super) redacted: Value,
    /// What no text that leaves the process may show.
    pub(super) secrets: SecretValues,
    /// What the reader should know.
    pub(super) warnings: Diagnostics,
}

/// Reads topology files against the kinds of this binary.
pub(super) struct Loader {
    registry: Registry,
    kinds: Kinds,
    environment: Box<dyn Environment>,
}

impl Loader {
    /// A loader that takes values from `variables`.
    ///
    /// # Errors
    /// `Config` where the file of variables cannot be read.
    pub(super) fn new(variables: &Variables) -> Result<Self> {
        Ok(Self::with(Box::new(variables.environment()?)))
    }

    /// A loader that takes values from `environment`.
    pub(super) fn with(environment: Box<dyn Environment>) -> Self {
        let registry = kinds::registry();
        let kinds = registry.kinds();
        Self { registry, kinds, environment }
    }

    /// The kinds of this binary.
    pub(super) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Reads and plans a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn file(&self, path: &Path) -> Result<Checked, Diagnostics> {
        let loaded = swiftwater_config::load(path, &self.kinds, self.environment.as_ref())?;
        self.plan(loaded)
    }

    /// Reads a file and plans what `change` makes of it, which has to end.
    ///
    /// # Errors
    /// Everything that is wrong with it, and sources that never end.
    pub(super) fn changed(
        &self,
        path: &Path,
        change: impl FnOnce(&mut TopologyConfig) -> Result<(), Diagnostics>,
    ) -> Result<Checked, Diagnostics> {
        let mut loaded = swiftwater_config::load(path, &self.kinds, self.environment.as_ref())?;
        change(&mut loaded.topology)?;
        let source = loaded.source.clone();
        let checked = self.plan(loaded)?;
        let endless = checked.plan.endless().map(|node| {
            let message = format!("source `{}` never ends", node.name());
            Diagnostic::error("SW4114", node.config.pointer.clone(), message)
        });
        let mut found = Diagnostics(endless.collect());
        if found.has_errors() {
            found.locate(&source);
            return Err(found);
        }
        Ok(checked)
    }

    /// Reads and plans a topology that is at hand as text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn text(&self, text: &str) -> Result<Checked, Diagnostics> {
        let loaded = swiftwater_config::parse(text, &self.kinds, self.environment.as_ref())?;
        self.plan(loaded)
    }

    fn plan(&self, loaded: Loaded) -> Result<Checked, Diagnostics> {
        let redacted = loaded.redacted();
        let source = &loaded.source;
        let mut plan = Plan::new(loaded.topology, &self.registry).map_err(|mut found| {
            found.0.extend(loaded.warnings.0.clone());
            found.locate(source);
            found
        })?;
        let mut warnings = std::mem::take(&mut plan.warnings);
        warnings.0.extend(loaded.warnings.0);
        warnings.locate(source);
        let secrets = source.secrets().clone();
        Ok(Checked { plan, redacted, secrets, warnings })
    }
}
