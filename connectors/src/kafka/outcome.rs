//! What errors of a transaction mean: a newer process, an epoch that is to be read again, or rights
//! that are missing.

use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::{Error, ErrorKind};

use super::terms::Terms;

/// A newer process has taken over.
const FENCED: &str = "SW4310";
/// The engine goes on from the last commit.
const GOES_ON: &str = "SW4311";

/// An error of a transaction that was begun at `since`, where that is known.
pub(super) fn told(
    terms: &Terms,
    what: &str,
    code: Code,
    reason: &str,
    since: Option<Instant>,
) -> Error {
    let (id, timeout) = (&terms.id, terms.timeout);
    match code {
        // The brokers end a transaction that is open for too long in the same way.
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch
            if since.is_none_or(|since| since.elapsed() < timeout) =>
        {
            let message = format!("{what}: the transactional id `{id}` has a newer producer");
            Error::state(FENCED, message).with_hint(
                "a newer process of this topology has taken over; two topologies of one \
                 `name` on one cluster shut each other out too, unless they set `transactional_id`",
            )
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => {
            let message = format!("use Kafka without permission: {what}: {reason}");
            Error::config("SW2113", message).with_hint(format!(
                "grant the user of `security` WRITE and DESCRIBE on the transactional id \
                 `{id}`, READ on the group of the same name and the sources' groups, and WRITE \
                 on the topics"
            ))
        }
        _ => Error::unavailable(GOES_ON, format!("{what}: {reason}")).with_hint(
            "the epoch is read again from the last one that was committed; \
             `transaction_timeout` says how long one may take",
        ),
    }
}

/// Whether a record that met with this error may be written at the next try.
pub(super) const fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::MessageTimedOut
            | Code::PurgeQueue
            | Code::PurgeInflight
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
            | Code::Fatal
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::InvalidTransactionalState
    )
}

/// What ends a run that then goes on from its last commit: trying to write the same rows again would
/// put them into a transaction that is lost.
pub(super) fn restarting(error: Error) -> Error {
    let stands = match error.kind {
        ErrorKind::Unavailable => false,
        ErrorKind::State => matches!(error.code, FENCED | GOES_ON),
        ErrorKind::Config | ErrorKind::Data | ErrorKind::Bug => true,
    };
    if !stands {
        return Error::state(GOES_ON, format!("write in a transaction: {}", error.message));
    }
    error
}
