//! The dataflow engine: sources hand batches over bounded edges to operators and sinks; barriers
//! end epochs; offsets are committed when every sink has finished what came before them.

pub mod batch;
pub mod clock;
pub mod commit;
pub mod dead_letter;
pub mod error;
pub mod failpoint;
pub mod key_group;
pub mod kind;
pub mod lanes;
pub mod memory;
pub mod message;
pub mod metrics;
pub mod operator;
pub mod plan;
pub mod random;
pub mod registry;
pub mod runtime;
pub mod schema;
pub mod simulate;
pub mod sink;
pub mod snapshot;
pub mod source;
pub mod spill;
pub mod state;
pub mod stream;
pub mod testing;

pub use batch::{Batch, Readings, Span};
pub use clock::{Clock, Timestamp};
pub use commit::{CommitPoint, Committed, Shared};
pub use dead_letter::{Origin, Rejected};
pub use error::{Error, ErrorKind, Result};
pub use kind::{
    CommitContext, CommitPointPlan, NodeContext, OperatorOptions, OperatorPlan, SinkOptions,
    SinkPlan, SourceOptions, SourcePlan,
};
pub use message::{Barrier, Epoch, Message};
pub use operator::{Operator, Output};
pub use plan::Plan;
pub use registry::Registry;
pub use runtime::{Health, NodeHealth, Outcome, Running, is_recoverable, isolate};
pub use sink::{ExactlyOnce, Sequence, Sink, SinkContext, Staged};
pub use source::{Commit, Polled, Position, Reading, Source, SourceContext, Split};
pub use spill::{SpillExtent, SpillFile, SpillRoom};
pub use state::{Merge, TableDelta, TableSpec};
pub use stream::{Changes, Stream};
