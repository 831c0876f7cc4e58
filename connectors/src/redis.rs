//! Redis: rows as hashes, JSON or strings by key, at once or by way of staged epochs.

mod command;
mod faults;
mod layout;
mod server;
mod sink;
mod staging;
mod template;

pub(crate) use faults::told;
pub use layout::Layout;
pub(crate) use layout::Rows;
pub(crate) use server::{Server, ServerOptions};
pub(crate) use sink::{RedisSink, Settings};
pub(crate) use template::Template;
