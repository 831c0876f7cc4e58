//! How rows leave over HTTP.
//!
//! Rows are encoded once, straight into the body of the request that will carry them ([`body`]),
//! and stay there until the endpoint has answered: the [`outbox`] knows which batches wait for
//! which requests, and gives a request back for another try, in halves to find a row that the
//! endpoint refuses, or not at all once it is done. The [`delivery`] keeps up to `concurrency`
//! requests under way, and [`answer`] says what an answer means for the rows.
//!
//! The engine paces retries: a failed attempt is reported to it once, it pauses, and its next call
//! sends again. Nothing is sent in between, so a server that is down meets one request a pause.

mod answer;
mod body;
mod delivery;
mod endpoint;
mod metrics;
mod outage;
mod outbox;
mod retry_after;
pub(crate) mod settings;
pub(crate) mod sink;

#[cfg(test)]
mod tests;
