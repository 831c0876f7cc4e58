//! What of a node's tasks and of the columns that spread rows over them cannot be.

use swiftwater_config::{Diagnostic, NodeConfig, Role};

use super::{InputEdge, Planner};

impl Planner<'_> {
    pub(super) fn check_partitioning(
        &mut self,
        node: &NodeConfig,
        inputs: &[InputEdge],
        parallelism: usize,
    ) {
        if node.role == Role::Sink && node.parallelism.is_some_and(|p| p > 1) {
            let message = "a sink runs on one task";
            self.found.push(Diagnostic::error(
                "SW0206",
                format!("{}/parallelism", node.pointer),
                message,
            ));
        }
        for input in inputs {
            let Some(schema) = self.schema_of(*input) else {
                continue;
            };
            for column in &node.partition_by {
                if schema.column_with_name(column).is_none() {
                    let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                    self.found.push(
                        Diagnostic::error(
                            "SW0301",
                            format!("{}/partition_by", node.pointer),
                            format!("unknown column `{column}`"),
                        )
                        .with_hint(format!("columns: {}", names.join(", "))),
                    );
                }
            }
        }
        if !node.partition_by.is_empty() && parallelism == 1 {
            let message = "`partition_by` has no effect with one task";
            self.found.push(
                Diagnostic::warning("SW0207", format!("{}/partition_by", node.pointer), message)
                    .with_hint("set `parallelism` above 1"),
            );
        }
    }
}
