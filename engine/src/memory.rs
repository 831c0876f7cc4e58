//! One memory budget for everything that queues: librdkafka's prefetch, edges and sinks.

use swiftwater_config::{ByteSize, Diagnostic};

use crate::plan::{Link, Planned, PlannedNode};

/// Shares of the budget, in hundredths. What is left is for batches being worked on, the
/// allocator's slack and the process itself.
const PREFETCH: u64 = 25;
const EDGES: u64 = 20;
const SINKS: u64 = 20;
/// What state may take of the budget; where there is state, the queues have half their share.
const STATE: u64 = 50;

/// More than this in one edge only adds latency.
const EDGE_BYTES_AT_MOST: u64 = 32 << 20;
/// Most rows in one edge.
const EDGE_ROWS: usize = 65_536;
/// Below this the process itself takes most of the budget.
const BUDGET_AT_LEAST: u64 = 128 << 20;

/// How the budget is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The whole budget in bytes.
    pub budget: u64,
    /// Most bytes one source instance may read ahead.
    pub prefetch_bytes: usize,
    /// Most bytes that may wait in one edge.
    pub edge_bytes: usize,
    /// Most rows that may wait in one edge.
    pub edge_rows: usize,
    /// Most bytes one sink may hold unacknowledged.
    pub sink_bytes: usize,
    /// Most bytes that the state of all nodes may take; 0 without state.
    pub state_bytes: u64,
    sources: u64,
    edges: u64,
    sinks: u64,
}

fn share(budget: u64, percent: u64, among: u64) -> u64 {
    budget / 100 * percent / among.max(1)
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl MemoryPlan {
    pub(crate) fn new(budget: ByteSize, nodes: &[PlannedNode], links: &[Link]) -> Self {
        let of_role = |is: fn(&Planned) -> bool| -> u64 {
            nodes.iter().filter(|n| is(&n.planned)).map(|n| n.parallelism as u64).sum()
        };
        let sources = of_role(|p| matches!(p, Planned::Source(_)));
        let sinks = of_role(|p| matches!(p, Planned::Sink(_)));
        let edges = links.iter().map(|l| l.edges(nodes)).sum::<usize>() as u64;
        let budget = budget.0;
        let stateful =
            nodes.iter().any(|n| matches!(&n.planned, Planned::Operator(o) if o.stateful));
        let (queues, state) = if stateful { (budget / 2, STATE) } else { (budget, 0) };
        Self {
            budget,
            prefetch_bytes: to_usize(share(queues, PREFETCH, sources)),
            edge_bytes: to_usize(share(queues, EDGES, edges).min(EDGE_BYTES_AT_MOST)),
            edge_rows: EDGE_ROWS,
            sink_bytes: to_usize(share(queues, SINKS, sinks)),
            state_bytes: share(budget, state, 1),
            sources,
            edges,
            sinks,
        }
    }

    /// Limits by part, for metrics and `swiftwater plan`: prefetch, edges, sinks, state.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 4] {
        [
            ("prefetch", self.prefetch_bytes as u64 * self.sources),
            ("edges", self.edge_bytes as u64 * self.edges),
            ("sinks", self.sink_bytes as u64 * self.sinks),
            ("state", self.state_bytes),
        ]
    }

    pub(crate) fn warning(&self) -> Option<Diagnostic> {
        (self.budget < BUDGET_AT_LEAST).then(|| {
            let message =
                format!("`{}` leaves little beside the process itself", ByteSize(self.budget));
            Diagnostic::warning("SW0209", "/memory", message)
                .with_hint(format!("give it {} or more", ByteSize(BUDGET_AT_LEAST)))
        })
    }
}

/// Bytes of memory this process takes, where the system tells.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
