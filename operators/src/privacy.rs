//! What protects people in the rows: keyed pseudonyms, and for differential privacy exact noise, the
//! accounting of what it costs and a ledger that is only ever appended to.

pub(crate) mod accounting;
mod ledger;
mod noise;
mod pseudonym;

pub(crate) use ledger::{Ledger, Next, ReleaseId, digest};
pub(crate) use noise::{SystemBits, gaussian};
pub(crate) use pseudonym::{Alphabet, Pseudonyms, Tokens};
