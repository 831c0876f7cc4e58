//! Generated rows: every value is a pure function of the seed, the row's number and the column, so
//! the rows are the same however they are cut into batches and spread over instances.
//!
//! One file a distribution; [`column`] joins them, [`generator`] is the source that hands them out.

pub(crate) mod bids;
pub(crate) mod choice;
pub(crate) mod column;
pub(crate) mod constant;
pub(crate) mod fake;
pub(crate) mod generator;
pub(crate) mod law;
pub(crate) mod nexmark;
pub(crate) mod pace;
pub(crate) mod parent;
pub(crate) mod pattern;
pub(crate) mod real;
pub(crate) mod sequence;
pub(crate) mod states;
pub(crate) mod text;
pub(crate) mod timeline;
pub(crate) mod timestamp;
pub(crate) mod uniform;
pub(crate) mod uuid;
pub(crate) mod words;
pub(crate) mod zipf;

// Numbered rows and random words are the engine's, so that operators that make up rows share them.
pub(crate) use swiftwater_engine::{lanes, random};
