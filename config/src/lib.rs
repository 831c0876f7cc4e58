//! The grammar of a Swiftwater topology file: pure data, checked against the options of the known
//! kinds, with every problem reported at its line and column.

pub mod diagnostic;
pub mod document;
pub mod environment;
mod interpolate;
pub mod kinds;
pub mod load;
mod scalar;
pub mod secrecy;
pub mod secret;
pub mod source_map;
mod syntax;
pub mod topology;
pub mod units;

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
pub use units::{ByteSize, Duration};
