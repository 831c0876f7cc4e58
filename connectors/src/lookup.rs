//! Looking rows up elsewhere: tables held in memory, and PostgreSQL, Redis and HTTP behind a cache.

mod backend;
mod cache;
mod file_table;
mod http_table;
mod metrics;
mod operator;
mod postgres_table;
mod redis_table;
mod table;

pub(crate) use backend::{Backend, Columns, MakeBackend, Objects};
pub(crate) use cache::CacheLimits;
pub(crate) use file_table::FileTable;
pub(crate) use http_table::{Asking, HttpTable, client as http_client};
pub(crate) use metrics::LookupMetrics;
pub use operator::OnMiss;
pub(crate) use operator::{Lookup, Settings};
pub(crate) use postgres_table::PostgresTable;
pub(crate) use redis_table::RedisTable;
pub(crate) use table::Table;
