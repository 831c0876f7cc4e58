//! How Swiftwater speaks Kafka.
//!
//! A source instance is one member of a consumer group with two threads: one polls the group
//! ([`member`]), one takes messages from a queue of its own ([`reader`]). A sink is one idempotent
//! producer on the sink's thread ([`writer`]);
//! exactly-once sinks share one that is transactional ([`transaction`], [`commit_point`]). What both share is in [`client`], [`security`] and [`context`].

pub(crate) mod admin;
mod assignment;
pub(crate) mod bounds;
pub(crate) mod client;
pub(crate) mod columns;
mod commit;
pub(crate) mod commit_point;
mod context;
mod delivery;
pub(crate) mod embedded;
pub(crate) mod ends;
pub(crate) mod envelope;
mod everything;
mod faults;
mod ffi;
pub(crate) mod keys;
mod lag;
pub mod limits;
mod mailbox;
mod member;
pub(crate) mod moment;
mod murmur2;
mod oauth;
mod outcome;
pub(crate) mod producing;
mod reader;
mod resend;
pub(crate) mod rows;
pub(crate) mod security;
pub(crate) mod settings;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod terms;
pub(crate) mod tombstones;
mod topics;
mod transaction;
mod writer;
