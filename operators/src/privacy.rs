//! What protects people in the rows: keyed pseudonyms.

mod pseudonym;

pub(crate) use pseudonym::{Alphabet, Pseudonyms, Tokens};
