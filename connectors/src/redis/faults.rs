//! What Redis's errors mean to the engine.

use redis::{ErrorKind as Kind, RedisError, ServerErrorKind};
use swiftwater_engine::{Error, ErrorKind};

/// Most characters of a server's words in a message.
const SHOWN: usize = 300;

/// What to do, by the kind of an error and the word that the server's answer begins with.
fn kind(kind: Kind, code: Option<&str>) -> ErrorKind {
    match (kind, code) {
        (_, Some("WRONGTYPE")) => ErrorKind::Data,
        (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "MOVED" | "ASK" | "CROSSSLOT")) => {
            ErrorKind::Config
        }
        (Kind::AuthenticationFailed | Kind::InvalidClientConfig | Kind::RESP3NotSupported, _) => {
            ErrorKind::Config
        }
        (Kind::Server(ServerErrorKind::ResponseError), _) => ErrorKind::Config,
        _ => ErrorKind::Unavailable,
    }
}

fn cure(kind: ErrorKind, code: Option<&str>) -> &'static str {
    match (kind, code) {
        (ErrorKind::Data, _) => {
            "the key holds something else: use a prefix of its own, or set such rows aside with `on_error`"
        }
        (ErrorKind::Config, Some("MOVED" | "ASK" | "CROSSSLOT")) => {
            "the server is part of a cluster, which this version does not write to: name a server by itself"
        }
        (ErrorKind::Config, _) => {
            "correct `url`, `username` and `password`, or what the server allows"
        }
        (_, Some("OOM")) => "the server's memory is full: rows wait",
        _ => "rows wait and are written when the server takes them",
    }
}

/// The error of a call: `what` completes "failed to …".
pub(crate) fn told(what: &str, error: RedisError) -> Error {
    let code = error.code().map(str::to_owned);
    let kind = kind(error.kind(), code.as_deref());
    let number = match kind {
        ErrorKind::Data => "SW2216",
        ErrorKind::Unavailable => "SW2215",
        _ => "SW2213",
    };
    let words: String = error.to_string().chars().take(SHOWN).collect();
    Error::new(kind, number, format!("{what}: {words}")).with_hint(cure(kind, code.as_deref()))
}

/// The error of a command inside a script, by the words of the server.
pub(crate) fn told_by_script(what: &str, words: &str) -> Error {
    let code = words.split(' ').next();
    let kind = match code {
        Some("WRONGTYPE") => ErrorKind::Data,
        Some("NOPERM" | "ERR") => ErrorKind::Config,
        _ => ErrorKind::Unavailable,
    };
    let number = match kind {
        ErrorKind::Data => "SW2216",
        ErrorKind::Unavailable => "SW2215",
        _ => "SW2213",
    };
    let words: String = words.chars().take(SHOWN).collect();
    Error::new(kind, number, format!("{what}: {words}")).with_hint(cure(kind, code))
}
