//! Sources, sinks and message formats. The only crate that talks to the outside world.

pub mod catalog;
pub mod codec;
pub mod event_time;
mod files;
mod freshness;
mod generate;
mod http;
mod io_call;
mod io_runtime;
mod kafka;
mod lookup;
#[cfg(test)]
#[path = "../../tests/support/oracle.rs"]
mod oracle;
mod postgres;
mod redis;
mod score;
mod stdout;
mod store_metrics;
#[cfg(test)]
mod test_node;
mod unused_fields;
mod value_text;
mod variant_docs;
mod view;

pub use catalog::register;
pub use kafka::limits;
