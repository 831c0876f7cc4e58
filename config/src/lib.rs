//! The grammar of a Swiftwater topology file: pure data, checked against the options of the known
//! kinds, with every problem reported at its line and column.

pub mod diagnostic;
pub mod secret;
pub mod topology;
pub mod units;

pub use diagnostic::{Diagnostic, Diagnostics, Location, Severity};
pub use secret::Secret;
pub use topology::{
    CheckpointConfig, EventTimeConfig, FormatConfig, Guarantee, NodeConfig, OnError, PortRef,
    RetryConfig, Role, TopologyConfig,
};
pub use units::{ByteSize, Duration};
