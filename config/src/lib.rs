//! The grammar of a Swiftwater topology file: pure data, checked against the options of the known
//! kinds, with every problem reported at its line and column.
//!
//! # A topology file, line by line
//!
//! ```
//! # use swiftwater_config::{Environment, Kinds, parse};
//! # struct Variables;
//! # impl Environment for Variables {
//! #     fn var(&self, _: &str) -> Option<String> { None }
//! #     fn secret_file(&self, _: &str) -> Result<String, String> { Err("no files".into()) }
//! # }
//! # let options = serde_json::json!({"type": "object"});
//! # let text = serde_json::json!({"type": "string"});
//! # let mut kinds = Kinds::default();
//! # kinds.sources.insert("kafka".into(), options.clone());
//! # kinds.operators.insert("filter".into(), text);
//! # kinds.sinks.insert("kafka".into(), options.clone());
//! # kinds.sinks.insert("files".into(), options.clone());
//! # kinds.formats.insert("json".into(), options);
//! let file = r#"
//! name: bids                         # label of every metric, default consumer group
//! memory: 2GiB                       # one budget for prefetch, edges, state and sinks
//! drain_timeout: 30s                 # how long SIGTERM may take
//!
//! x-kafka: &kafka                    # fields that begin with `x-` are a place for anchors
//!   brokers: "${BROKERS:-localhost:9092}"
//!
//! sources:
//!   bids:                            # a node: its name, and a map
//!     kafka: {<<: *kafka, topic: bids}         # the kind, and the kind's options
//!     format: json                   # common fields: how messages are read,
//!     schema: {auction: int64!, price: int64, lines: [{sku: utf8}]}   # their columns,
//!     on_error: {dead_letter: rejected}        # and what happens to a bad one
//!
//! operators:
//!   serious: {input: bids, filter: "price >= 1000"}
//!
//! sinks:
//!   out: {input: serious, kafka: {<<: *kafka, topic: serious_bids, key: [auction]}, format: json}
//!   rejected: {files: {path: rejected/}}       # takes what `on_error` sets aside
//! "#;
//! let loaded = parse(file, &kinds, &Variables).map_err(|found| found.to_string()).unwrap();
//! let names: Vec<_> = loaded.topology.nodes.iter().map(|node| node.name.as_str()).collect();
//! assert_eq!(names, ["bids", "serious", "out", "rejected"]);
//! assert_eq!(loaded.topology.nodes[0].options["brokers"], "localhost:9092");
//!
//! // All problems are told at once, each at its place and with a cure.
//! let found = parse(&file.replace("serious,", "serios,"), &kinds, &Variables).unwrap_err();
//! assert_eq!(found.0[0].code, "SW0201");
//! assert_eq!(found.0[0].hint.as_deref(), Some("did you mean `serious`?"));
//! ```
//!
//! JSON is YAML and reads the same. Duplicate keys are errors, and scalars are typed as YAML 1.2
//! says: `no` and `1_000` are strings.
//!
//! # How a file is read
//!
//! 1. The text becomes a tree in which each value knows its place ([`document`]).
//! 2. The tree is walked along the JSON Schemas of the [`Kinds`], which come from the option types of
//!    the kinds. `${VAR}`, `${VAR:-default}` and `${file:/path}` are filled in from an
//!    [`Environment`] and typed by the field: `"${PORT}"` is a number where the schema wants one.
//! 3. The graph is checked: names, circles, outputs that nobody reads.
//! 4. The engine plans the nodes. What it finds carries JSON pointers, and
//!    [`Diagnostics::locate`] with [`Loaded::source`] turns them into places.
//!
//! # Secrets
//!
//! A field whose schema says `x-secret` (the type [`Secret`]), a free entry whose name sounds like a
//! secret (`sasl.password`), the contents of `${file:…}` and the user information of URLs never
//! appear in a message, in the line shown below it, in [`Loaded::redacted`] or in `Debug`. Nor does
//! what a variable holds. [`SecretValues::scrub`] takes them out of other people's messages.

mod assemble;
mod check;
pub mod codes;
pub mod column_type;
pub mod diagnostic;
pub mod document;
pub mod environment;
pub mod feature_view;
mod fields;
mod interpolate;
pub mod kinds;
pub mod load;
mod redact;
mod scalar;
pub mod secrecy;
pub mod secret;
mod settings;
pub mod source_map;
mod suggest;
mod syntax;
pub mod topology;
pub mod topology_schema;
pub mod units;
mod validate;
pub mod yaml;

pub use codes::{CODES, explain};
pub use column_type::{Column, ColumnType, TimestampUnit};
pub use diagnostic::{Diagnostic, Diagnostics, Location, Severity};
pub use document::Document;
pub use environment::{Environment, ProcessEnvironment};
pub use feature_view::{FeatureConfig, FeatureViewConfig, FeatureViews};
pub use kinds::Kinds;
pub use load::{Loaded, load, parse};
pub use secrecy::SecretValues;
pub use secret::Secret;
pub use source_map::{Excerpt, SourceMap};
pub use topology::{
    CheckpointConfig, EventTimeConfig, FormatConfig, Guarantee, NodeConfig, OnError, PortRef,
    RetryConfig, Role, TopologyConfig,
};
pub use topology_schema::topology_schema;
pub use units::{ByteSize, Duration};
