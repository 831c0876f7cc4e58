//! Redis: rows as hashes, JSON or strings by key, at once or by way of staged epochs.

mod command;
mod faults;
mod feast;
mod features;
mod layout;
mod script;
mod server;
mod sink;
mod staging;
mod template;

pub(crate) use faults::told;
pub(crate) use feast::{holds_key, holds_value};
pub(crate) use features::FeatureLayout;
pub(crate) use features::FeatureRows;
pub use layout::Layout;
pub(crate) use layout::Rows;
pub(crate) use server::{Server, ServerOptions};
pub(crate) use sink::{RedisSink, Settings, Written};
pub(crate) use template::Template;
