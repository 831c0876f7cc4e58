//! A ready topology file with every option: those that are required or shown in the kind's example
//! are set, the others stand commented out with their default.

mod node;

use swiftwater_config::{NodeConfig, Role, TopologyConfig};
use swiftwater_engine::registry::Manual;

use node::Chain;

/// One node of the file to be written.
pub(crate) struct Draft<'a> {
    /// The kind's manual.
    pub(crate) manual: &'a Manual,
    /// The node of that kind in the manual's example.
    pub(crate) example: NodeConfig,
    /// Columns of the node's input in the example, as name and type; empty for a source.
    pub(crate) needs: Vec<(String, String)>,
    /// Columns that a source gives in its example, as name and type.
    pub(crate) gives: Vec<(String, String)>,
    /// Whether options that only the example sets are left commented out.
    pub(crate) sparse: bool,
}

/// The file's text. `settings` gives the topology's own settings with their defaults.
pub(crate) fn create(drafts: &[Draft<'_>], settings: &TopologyConfig, formats: &[&str]) -> String {
    let kinds: Vec<_> = drafts.iter().map(|d| d.manual.kind).collect();
    let mut text = format!(
        "# Written by `swiftwater create {}`.\n\
         # What is commented out shows its default. `swiftwater describe KIND` tells more.\n\
         name: my_topology\n\n{}",
        kinds.join(" "),
        head(settings)
    );
    let chain = Chain::new(drafts);
    for role in [Role::Source, Role::Operator, Role::Sink] {
        if drafts.iter().any(|d| d.manual.role == role) {
            text.push_str(&format!("\n{}:\n", role.section()));
        }
        for (number, draft) in drafts.iter().enumerate() {
            if draft.manual.role == role {
                text.push_str(&chain.node(number, draft, formats));
            }
        }
    }
    text
}

fn head(settings: &TopologyConfig) -> String {
    let (checkpoint, retry) = (&settings.checkpoint, &settings.retry);
    format!(
        "# Results may repeat after a crash; nothing is lost.\n\
         #guarantee: at_least_once\n\
         # Time between two commits.\n\
         #checkpoint: {{interval: {}}}\n\
         # One budget for reading ahead, edges and sinks.\n\
         #memory: {}\n\
         # How long finishing what is in flight may take after SIGTERM.\n\
         #drain_timeout: {}\n\
         # How an unavailable system is tried again before the topology stops.\n\
         #retry: {{initial: {}, max: {}, budget: {}}}\n",
        checkpoint.interval,
        settings.memory,
        settings.drain_timeout,
        retry.initial,
        retry.max,
        retry.budget
    )
}
