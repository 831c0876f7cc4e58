//! Every error code with its meaning and its cure, for `swiftwater explain` and the reference.
//!
//! A code never changes its meaning; one that is no longer reported is not given out again.

mod command;
mod connectors;
mod engine;
mod epochs;
mod formats;
mod kafka;
mod operators;
mod stores;
mod streaming;
mod synthetic;

/// Code, what it means, and what to do about it.
pub(crate) type Code = (&'static str, &'static str, &'static str);

/// What the first digits of a code stand for.
pub(crate) const RANGES: &[(&str, &str)] = &[
    ("SW01", "The topology file"),
    ("SW02", "The graph"),
    ("SW03", "Expressions and operators"),
    ("SW20", "Files, HTTP, generated rows and standard output"),
    ("SW21", "Kafka"),
    ("SW22", "PostgreSQL, Redis and lookups"),
    ("SW30", "Batches"),
    ("SW31", "Message formats"),
    ("SW32", "Operators at run time"),
    ("SW33", "Event time"),
    ("SW40", "The engine"),
    ("SW41", "The command line"),
    ("SW42", "Tests inside a topology file"),
    ("SW43", "Epochs and snapshots"),
    ("SW90", "Bugs"),
];

/// All codes in order.
pub(crate) fn all() -> impl Iterator<Item = &'static Code> {
    let mut all: Vec<&'static Code> = [
        swiftwater_config::CODES,
        engine::CODES,
        epochs::CODES,
        operators::CODES,
        streaming::CODES,
        synthetic::CODES,
        connectors::CODES,
        kafka::CODES,
        stores::CODES,
        formats::CODES,
        command::CODES,
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_unstable_by_key(|(code, _, _)| *code);
    all.into_iter()
}
