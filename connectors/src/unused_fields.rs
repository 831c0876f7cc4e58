//! Common node fields that a kind has no use for: refused, because an option that is silently
//! ignored is a mistake nobody finds.

use swiftwater_config::NodeConfig;
use swiftwater_engine::{Error, Result};

/// Refuses `format` on a kind that carries no messages.
///
/// # Errors
/// `Config` (`SW2001`).
pub(crate) fn refuse_format(node: &NodeConfig) -> Result<()> {
    match &node.format {
        None => Ok(()),
        Some(format) => Err(unused(node, "format", &format.name)),
    }
}

/// Refuses `schema` on a kind that knows its columns itself.
///
/// # Errors
/// `Config` (`SW2001`).
pub(crate) fn refuse_schema(node: &NodeConfig, why: &str) -> Result<()> {
    match &node.schema {
        None => Ok(()),
        Some(_) => Err(Error::config("SW2001", format!("use `schema` on a `{}` node", node.kind))
            .with_hint(format!("remove `schema`: {why}"))),
    }
}

fn unused(node: &NodeConfig, field: &str, value: &str) -> Error {
    Error::config("SW2001", format!("use `{field}: {value}` on a `{}` node", node.kind))
        .with_hint(format!("remove `{field}`: `{}` carries rows, not messages", node.kind))
}
