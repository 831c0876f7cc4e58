//! What PostgreSQL's errors mean to the engine: fix the file, set the row aside, or try again.

use swiftwater_engine::{Error, ErrorKind, Result};
use tokio_postgres::error::DbError;

/// Most characters of a server's words in a message.
const SHOWN: usize = 300;

/// The server's own words on one line.
fn words(error: &DbError) -> String {
    let mut text = error.message().to_owned();
    for more in [error.detail(), error.hint()].into_iter().flatten() {
        text = format!("{text}; {more}");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}

/// What to do about an SQLSTATE that came while rows were written.
fn kind(state: &str) -> ErrorKind {
    match state.get(..2).unwrap_or_default() {
        // The value, or a constraint of the table, is what is wrong.
        "22" | "23" => ErrorKind::Data,
        // Serialisation failures and deadlocks, connections, resources, an operator at work, a
        // server that starts, stops or is a standby.
        "08" | "25" | "40" | "53" | "55" | "57" | "58" | "XX" => ErrorKind::Unavailable,
        _ => ErrorKind::Config,
    }
}

fn cure(kind: ErrorKind, state: &str) -> &'static str {
    match (kind, state) {
        (ErrorKind::Data, _) => {
            "correct the rows before the sink, or set refused ones aside with `on_error`"
        }
        (ErrorKind::Unavailable, "53100") => "free some space on the server's disk: rows wait",
        (ErrorKind::Unavailable, _) => "rows wait and are written when the server takes them",
        (_, "28P01" | "28000") => {
            "correct `user` and `password`, or what the server's pg_hba.conf allows"
        }
        (_, "3D000") => "correct `database`, or create it",
        (_, "42501") => "grant the user what it lacks",
        _ => "correct the options of the node or the table",
    }
}

/// The error of a call: `what` completes "failed to …".
pub(crate) fn told(what: &str, error: tokio_postgres::Error) -> Error {
    let Some(of_server) = error.as_db_error() else {
        return Error::unavailable("SW2205", format!("{what}: the connection failed"))
            .with_hint("look whether the server runs and can be reached from here")
            .with_source(error);
    };
    let state = of_server.code().code();
    let kind = kind(state);
    let code = match kind {
        ErrorKind::Data => "SW2206",
        ErrorKind::Unavailable => "SW2205",
        _ => "SW2203",
    };
    let message = format!("{what}: {} ({state})", words(of_server));
    Error::new(kind, code, message).with_hint(cure(kind, state))
}

/// The same where no row is at hand that could be set aside.
pub(super) fn told_without_row(what: &str, error: tokio_postgres::Error) -> Error {
    let mut error = told(what, error);
    if error.kind == ErrorKind::Data {
        error.kind = ErrorKind::State;
        error.hint = Some(
            "rows that are staged cannot be written: correct the table, then start again"
                .to_owned(),
        );
    }
    error
}

/// What a call within its time brought.
pub(crate) async fn within<T>(
    time: std::time::Duration,
    what: &str,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(time, call).await.unwrap_or_else(|_| {
        let seconds = time.as_secs_f64();
        Err(Error::unavailable("SW2205", format!("{what}: no answer within {seconds} s"))
            .with_hint("look after the server and its locks, or raise `timeout`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_say_what_to_do() {
        for (state, expected) in [
            ("22003", ErrorKind::Data),
            ("23502", ErrorKind::Data),
            ("23505", ErrorKind::Data),
            ("40001", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("53100", ErrorKind::Unavailable),
            ("57P01", ErrorKind::Unavailable),
            ("25006", ErrorKind::Unavailable),
            ("28P01", ErrorKind::Config),
            ("42P01", ErrorKind::Config),
            ("42501", ErrorKind::Config),
        ] {
            assert_eq!(kind(state), expected, "{state}");
        }
    }
}
