//! Errors of clients in our words: what the user must mend, and what will pass.

use std::sync::{Mutex, PoisonError};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use swiftwater_engine::{Error, ErrorKind};

/// What a client has reported since it was made.
#[derive(Default)]
pub(super) struct Faults(Mutex<Reported>);

#[derive(Default)]
struct Reported {
    /// Refused logins and handshakes: will not pass by themselves.
    login: Option<String>,
    /// The newest reason of a broken connection.
    connection: Option<String>,
    /// Whether no broker at all could be reached.
    all_down: bool,
    /// What ended the client.
    fatal: Option<String>,
    /// Topics and groups that the user may not use.
    denied: Option<String>,
}

impl Faults {
    pub(super) fn record(&self, code: Code, reason: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = Some(reason.trim().to_owned());
        match code {
            Code::Authentication | Code::SSL | Code::SaslAuthenticationFailed => {
                told.login = reason
            }
            Code::AllBrokersDown => told.all_down = true,
            Code::Fatal => told.fatal = reason,
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed => told.denied = reason,
            Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut => {
                told.connection = reason;
            }
            _ => {}
        }
    }

    /// Forgets what belongs to an earlier attempt to connect.
    pub(super) fn connected(&self) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.login = None;
        told.connection = None;
        told.all_down = false;
    }

    /// Whether waiting longer for a connection makes no sense.
    pub(super) fn is_hopeless(&self) -> bool {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.login.is_some() || told.all_down
    }

    /// The reason why `brokers` cannot be used.
    pub(super) fn unreachable(&self, brokers: &str) -> Error {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &told.login {
            return Error::config(
                "SW2111",
                format!("log in to the Kafka brokers `{brokers}`: {reason}"),
            )
            .with_hint("check `security`: listener, mechanism, user, password and certificates");
        }
        let reason = told.connection.as_deref().unwrap_or("no answer");
        Error::unavailable("SW2110", format!("reach the Kafka brokers `{brokers}`: {reason}"))
            .with_hint("check `brokers`, and that the address the broker advertises can be reached from here")
    }

    /// What was reported and cannot pass: a client that is fenced, or rights that are missing.
    pub(super) fn take_fatal(&self) -> Option<Error> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = told.fatal.take() {
            return Some(
                Error::state(
                    "SW2117",
                    format!("go on with a Kafka client that was shut out: {reason}"),
                )
                .with_hint("another process with the same `instance_id` may have taken its place"),
            );
        }
        told.denied.take().map(|reason| denied(&reason))
    }
}

/// A right is missing.
pub(super) fn denied(what: &str) -> Error {
    Error::config("SW2113", format!("use Kafka without permission: {what}")).with_hint(
        "grant the user of `security` READ on topic and group, or WRITE on the topic it writes",
    )
}

/// A producer broke down for good.
pub(super) fn broken(topic: &str, code: Code, reason: &str) -> Error {
    match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            denied(&format!("write the topic `{topic}`"))
        }
        _ => Error::state("SW2132", format!("write the topic `{topic}`: {reason}"))
            .with_hint("what is not delivered is read again at the next start"),
    }
}

/// The topic does not exist.
pub(super) fn unknown_topic(topic: &str, brokers: &str, hint: &str) -> Error {
    Error::config("SW2112", format!("find the topic `{topic}` on `{brokers}`")).with_hint(hint)
}

/// A call that went wrong, by what its code means.
pub(super) fn failed(what: &str, error: &KafkaError) -> Error {
    let code = error.rdkafka_error_code();
    let (kind, number) = match code {
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => (ErrorKind::Config, "SW2113"),
        Some(Code::Fatal | Code::FencedInstanceId) => (ErrorKind::State, "SW2117"),
        _ => (ErrorKind::Unavailable, "SW2115"),
    };
    Error::new(
        kind,
        number,
        format!("{what}: {}", code.map_or_else(|| error.to_string(), |c| c.to_string())),
    )
}
