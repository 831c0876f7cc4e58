//! What an answer means for the rows of its request.
//!
//! | answer | the rows |
//! |---|---|
//! | 2xx | are delivered |
//! | 408, 425, 429, 5xx, no answer | are sent again: the endpoint is away or busy |
//! | 3xx, 401, 403, 404, 405, 407, 410 | are sent again: the address or the credentials are wrong, and no row is at fault |
//! | any other 4xx | are at fault, or one of them is |

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::StatusCode;
use swiftwater_engine::{Error, Timestamp};

use super::retry_after;

/// What came back of one attempt.
pub(super) enum Reply {
    /// The endpoint answered.
    Answered {
        status: StatusCode,
        /// Value of its `Retry-After` header.
        retry_after: Option<String>,
        /// The beginning of what it said.
        text: String,
    },
    /// It did not; why.
    Silent { timeout: bool, reason: String },
}

/// What becomes of the rows.
#[derive(Debug)]
pub(super) enum Verdict {
    Delivered,
    /// They are kept and sent again, not before the pause is over.
    Again {
        error: Error,
        pause: Option<Duration>,
    },
    /// The endpoint takes none of them in this company; why.
    Refused(String),
}

impl Reply {
    /// A request that failed before an answer came. The URL stays out of the reason: it may hold
    /// what is secret.
    pub(super) fn silent(error: &reqwest::Error) -> Self {
        let mut cause: &dyn StdError = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        // Only an error without a cause prints the URL.
        let reason = if error.source().is_some() { cause.to_string() } else { String::new() };
        Self::Silent { timeout: error.is_timeout(), reason }
    }

    /// Value of the label `status`: the number, `timeout` or `unreachable`.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Answered { status, .. } => status.as_str().to_owned(),
            Self::Silent { timeout: true, .. } => "timeout".to_owned(),
            Self::Silent { timeout: false, .. } => "unreachable".to_owned(),
        }
    }

    /// Judges the answer of `host`.
    pub(super) fn judge(self, host: &str, timeout: Duration, now: Timestamp) -> Verdict {
        match self {
            Self::Answered { status, .. } if status.is_success() => Verdict::Delivered,
            Self::Answered { status, retry_after, text } => {
                answered(host, status, retry_after, &text, now)
            }
            Self::Silent { timeout: late, reason } => {
                let why = match (late, reason) {
                    (true, _) => {
                        format!("no answer within {}", swiftwater_config::Duration(timeout))
                    }
                    (false, reason) if reason.is_empty() => "the connection failed".to_owned(),
                    (false, reason) => reason,
                };
                Verdict::Again { error: unanswered(host, &why), pause: None }
            }
        }
    }
}

fn unanswered(host: &str, why: &str) -> Error {
    let message = format!("deliver rows to `{host}`: {why}");
    if why.contains("certificate") {
        return Error::unavailable("SW2053", message)
            .with_hint("`ca_file` names further authorities to trust");
    }
    Error::unavailable("SW2052", message)
}

fn answered(
    host: &str,
    status: StatusCode,
    retry_after: Option<String>,
    text: &str,
    now: Timestamp,
) -> Verdict {
    let message = format!("deliver rows to `{host}`: it answered {status}");
    let pause = retry_after.and_then(|header| retry_after::pause(&header, now));
    let misplaced = match status.as_u16() {
        408 | 425 | 429 | 500..=999 => None,
        300..=399 => Some("redirects are not followed: set `url` to where it leads"),
        401 | 407 => Some("check `auth` and `headers`"),
        403 => Some("check what the credentials in `auth` or `headers` are allowed"),
        404 | 410 => Some("check the path in `url`"),
        405 => Some("check `method`"),
        _ => return Verdict::Refused(refusal(host, status, text)),
    };
    let error = match misplaced {
        None => Error::unavailable("SW2052", message),
        Some(cure) => Error::unavailable("SW2053", message).with_hint(cure),
    };
    Verdict::Again { error, pause }
}

fn refusal(host: &str, status: StatusCode, text: &str) -> String {
    match text {
        "" => format!("deliver a row to `{host}`: it answered {status}"),
        text => format!("deliver a row to `{host}`: it answered {status}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, retry_after: Option<&str>, text: &str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        let reply =
            Reply::Answered { status, retry_after: retry_after.map(Into::into), text: text.into() };
        reply.judge("example.com", Duration::from_secs(30), Timestamp(0))
    }

    #[test]
    fn every_status_has_its_verdict() {
        for status in [200, 201, 202, 204] {
            assert!(matches!(judge(status, None, ""), Verdict::Delivered), "{status}");
        }
        for (status, code) in [
            (408, "SW2052"),
            (425, "SW2052"),
            (429, "SW2052"),
            (500, "SW2052"),
            (503, "SW2052"),
            (301, "SW2053"),
            (307, "SW2053"),
            (401, "SW2053"),
            (403, "SW2053"),
            (404, "SW2053"),
            (405, "SW2053"),
            (407, "SW2053"),
            (410, "SW2053"),
        ] {
            let Verdict::Again { error, pause: None } = judge(status, None, "x") else {
                panic!("{status}");
            };
            assert_eq!(error.code, code, "{status}");
            assert!(
                error.message.contains(&status.to_string())
                    && error.message.contains("`example.com`")
            );
        }
        for status in [400, 406, 409, 411, 413, 414, 415, 418, 422, 431] {
            assert!(matches!(judge(status, None, ""), Verdict::Refused(_)), "{status}");
        }
    }

    #[test]
    fn a_refusal_quotes_the_answer_and_a_pause_is_honoured() {
        let Verdict::Refused(why) = judge(422, None, "price must be positive") else { panic!() };
        assert_eq!(
            why,
            "deliver a row to `example.com`: it answered 422 Unprocessable Entity: price must be positive"
        );
        let Verdict::Again { pause, .. } = judge(429, Some("7"), "") else { panic!() };
        assert_eq!(pause, Some(Duration::from_secs(7)));
    }

    #[test]
    fn silence_is_tried_again() {
        let late = Reply::Silent { timeout: true, reason: String::new() };
        assert_eq!(late.label(), "timeout");
        let Verdict::Again { error, .. } =
            late.judge("h:1", Duration::from_millis(1500), Timestamp(0))
        else {
            panic!()
        };
        assert_eq!(error.message, "deliver rows to `h:1`: no answer within 1500ms");
        let away =
            Reply::Silent { timeout: false, reason: "Connection refused (os error 111)".into() };
        assert_eq!(away.label(), "unreachable");
        let Verdict::Again { error, .. } = away.judge("h:1", Duration::ZERO, Timestamp(0)) else {
            panic!()
        };
        assert_eq!(error.message, "deliver rows to `h:1`: Connection refused (os error 111)");
        let reason = "invalid peer certificate: UnknownIssuer".into();
        let stranger = Reply::Silent { timeout: false, reason };
        let Verdict::Again { error, .. } = stranger.judge("h:1", Duration::ZERO, Timestamp(0))
        else {
            panic!()
        };
        assert_eq!(error.code, "SW2053");
        assert!(error.to_string().contains("`ca_file`"), "{error}");
    }
}
