//! The grammar of a Swiftwater topology file: pure data, checked against the options of the known
//! kinds, with every problem reported at its line and column.

mod assemble;
mod check;
pub mod codes;
pub mod column_type;
pub mod diagnostic;
pub mod document;
pub mod environment;
mod fields;
mod interpolate;
pub mod kinds;
pub mod load;
mod redact;
mod scalar;
pub mod secrecy;
pub mod secret;
pub mod source_map;
mod suggest;
mod syntax;
pub mod topology;
pub mod topology_schema;
mod unavailable;
pub mod units;
mod validate;
pub mod yaml;

pub use codes::{CODES, explain};
pub use column_type::{Column, ColumnType, TimestampUnit};
pub use diagnostic::{Diagnostic, Diagnostics, Location, Severity};
pub use document::Document;
pub use environment::{Environment, ProcessEnvironment};
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
