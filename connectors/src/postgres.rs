//! PostgreSQL: rows into tables by binary COPY, at once or by way of a table of staged epochs.

mod conversion;
mod copy;
mod faults;
mod server;
mod session;
mod sink;
mod staging;
mod statements;
mod table;
mod tls;

pub(crate) use copy::Column;
pub(crate) use faults::{told, within};
pub use server::SslMode;
pub(crate) use server::{Server, ServerOptions};
pub(crate) use sink::{KeptView, PostgresSink, Settings};
pub(crate) use table::{TableName, Wanted, ddl};
