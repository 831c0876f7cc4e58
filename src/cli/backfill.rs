//! `swiftwater backfill`: a topology over its history, into a training set.
//!
//! The nodes are those of the live topology, so that a feature has one definition. Only the ends
//! differ: sources end, sinks are Parquet files, and the name, with it the consumer group, the
//! transactional id and the state, is another one, so that nothing live is touched.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use swiftwater_config::{
    CheckpointConfig, Diagnostic, Diagnostics, Duration, Guarantee, NodeConfig, Role,
    TopologyConfig,
};
use swiftwater_engine::{Error, Result};

use super::load::{Loader, Variables};
use super::run::{failed, report};
use super::service::{Options, serve};
use crate::exit::Exit;

/// Epochs make files: fewer and larger ones are read faster.
const INTERVAL: Duration = Duration::from_secs(10);

/// Arguments of `backfill`.
#[derive(Args)]
#[command(after_help = "\
A Kafka source is read from its start to where it ends now, or to --until. Stopped or killed, the
same command goes on where it was; --into holds what it remembers, in _state/.

  swiftwater backfill card_history.yaml --into training
  swiftwater backfill card_history.yaml --into training --from 'payments=archive/**/*.parquet'")]
pub(super) struct Arguments {
    /// Topology file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Directory or URL (`s3://…`) that gets the rows of each sink as Parquet, in a directory of
    /// the sink's name
    #[arg(long, value_name = "DIRECTORY")]
    into: String,
    /// Files to read in the place of a source: `payments=archive/*.parquet`; a directory holds
    /// Parquet
    #[arg(long = "from", value_name = "SOURCE=PATH", value_parser = replaced)]
    from: Vec<(String, String)>,
    /// Sinks whose rows are wanted; all without it
    #[arg(long = "only", value_name = "SINK")]
    only: Vec<String>,
    /// Time at which Kafka sources end, by their records' timestamps, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    variables: Variables,
    #[command(flatten)]
    options: Options,
}

fn replaced(text: &str) -> Result<(String, String), String> {
    let (source, path) = text.split_once('=').ok_or("write SOURCE=PATH")?;
    Ok((source.to_owned(), path.to_owned()))
}

/// Runs the topology over its history.
pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let logging = arguments.options.logging()?;
    let history = History::new(arguments)?;
    let loader = Loader::new(&arguments.variables)?;
    let checked = match loader.changed(&arguments.file, |topology| history.replay(topology)) {
        Ok(checked) => checked,
        Err(found) => {
            report(&found, &logging);
            return Ok(Exit::BadConfiguration);
        }
    };
    report(&checked.warnings, &logging);
    let ended = serve(checked, &arguments.options, &logging, None);
    Ok(ended.unwrap_or_else(|error| failed(&error, &logging)))
}

/// Where rows come from and go to.
struct History {
    /// Ends in `/`.
    into: String,
    /// URL of the object store with the snapshots.
    state: String,
    from: Vec<(String, String)>,
    only: Vec<String>,
    until: Value,
}

impl History {
    fn new(arguments: &Arguments) -> Result<Self> {
        let into = format!("{}/", arguments.into.trim_end_matches('/'));
        let state = if into.contains("://") {
            format!("{into}_state")
        } else {
            let path = std::path::absolute(Path::new(&into)).map_err(|error| {
                Error::config("SW4112", format!("write to `{into}`")).with_source(error)
            })?;
            format!("file://{}/_state", path.display().to_string().trim_end_matches('/'))
        };
        let until = match &arguments.until {
            None => json!("latest"),
            Some(time) => json!({"timestamp": time}),
        };
        let (from, only) = (arguments.from.clone(), arguments.only.clone());
        Ok(Self { into, state, from, only, until })
    }

    /// Makes the topology one that ends, and leaves what is live alone.
    fn replay(&self, topology: &mut TopologyConfig) -> Result<(), Diagnostics> {
        let sources = self.from.iter().map(|(source, _)| (source, Role::Source));
        let named = sources.chain(self.only.iter().map(|sink| (sink, Role::Sink)));
        let unknown = named.filter(|(name, role)| {
            !topology.nodes.iter().any(|node| node.name == **name && node.role == *role)
        });
        let found: Vec<Diagnostic> =
            unknown.map(|(name, role)| no_such(&topology.nodes, name, role)).collect();
        if !found.is_empty() {
            return Err(Diagnostics(found));
        }
        topology.name.push_str("_backfill");
        topology.guarantee = Guarantee::ExactlyOnce;
        let spill = topology.checkpoint.spill.take();
        topology.checkpoint =
            CheckpointConfig { interval: INTERVAL, store: Some(self.state.clone()), spill };
        topology.tests.clear();
        for node in &mut topology.nodes {
            match node.role {
                Role::Source => self.end(node, &topology.name),
                Role::Operator => {}
                Role::Sink => self.keep(node),
            }
        }
        Ok(())
    }

    /// Has a source read its history, and end.
    fn end(&self, node: &mut NodeConfig, topology: &str) {
        if let Some((_, path)) = self.from.iter().find(|(source, _)| *source == node.name) {
            "files".clone_into(&mut node.kind);
            node.format = None;
            let last = path.rsplit('/').next().unwrap_or_default();
            node.options = if last.contains('.') {
                json!({"path": path})
            } else {
                json!({"path": path, "format": "parquet"})
            };
            return;
        }
        let Some(options) = node.options.as_object_mut() else { return };
        match node.kind.as_str() {
            "kafka" => {
                for of_the_group in ["group", "transactional_id", "instance_id"] {
                    options.shift_remove(of_the_group);
                }
                // Sources of other topics need a group of their own, as in the live topology.
                options.insert("group".into(), format!("{topology}.{}", node.name).into());
                options.insert("start".into(), "earliest".into());
                options.insert("until".into(), self.until.clone());
            }
            "files" => {
                options.insert("watch".into(), false.into());
            }
            _ => {}
        }
    }

    /// Has a sink write Parquet files, or nothing.
    fn keep(&self, node: &mut NodeConfig) {
        node.format = None;
        node.schema = None;
        node.parallelism = None;
        node.partition_by.clear();
        if self.only.is_empty() || self.only.contains(&node.name) {
            "files".clone_into(&mut node.kind);
            let path = format!("{}{}/", self.into, node.name);
            node.options = json!({"path": path, "format": "parquet"});
        } else {
            "blackhole".clone_into(&mut node.kind);
            node.options = json!({});
        }
    }
}

fn no_such(nodes: &[NodeConfig], name: &str, role: Role) -> Diagnostic {
    let of_role = nodes.iter().filter(|node| node.role == role);
    let names: Vec<&str> = of_role.map(|node| node.name.as_str()).collect();
    let section = role.section();
    Diagnostic::error("SW4113", "", format!("`{name}` is none of the {section} of the file"))
        .with_hint(format!("the {section} are {}", names.join(", ")))
}
