//! What librdkafka tells a client: logs and errors, and for a consumer its group's decisions.
//!
//! The callbacks only take notes: rebalances are carried out by the thread that polls the group, at
//! a time of its own choosing, because a partition is given up only once its rows are finished.

use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::faults::Faults;
use super::oauth::{Token, TokenServer};

/// A consumer with our context.
pub(super) type Consumer = BaseConsumer<Context>;

/// Topic and partition.
pub(super) type Split = (String, i32);

/// What the group, or the client on its behalf, has to say.
#[derive(Debug)]
pub(super) enum Note {
    /// These partitions are ours from now on.
    Assigned(Vec<Split>),
    /// These partitions shall go; `lost` when they belong to somebody else already.
    Revoked { splits: Vec<Split>, lost: bool },
    /// Offsets that could not be committed.
    CommitFailed { splits: Vec<Split>, reason: String },
    /// librdkafka's statistics, as JSON.
    Statistics(Vec<u8>),
}

/// The context of all our clients.
pub(super) struct Context {
    node: String,
    faults: Faults,
    notes: Mutex<Vec<Note>>,
    tokens: Option<TokenServer>,
}

impl Context {
    pub(super) fn new(node: &str, tokens: Option<TokenServer>) -> Self {
        Self { node: node.to_owned(), faults: Faults::default(), notes: Mutex::default(), tokens }
    }

    /// Errors the client has reported.
    pub(super) const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What was noted since the last call, in order.
    pub(super) fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the login needs tokens.
    pub(super) const fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// A token for an OAUTHBEARER login.
    pub(super) fn token(&self) -> Result<Token, String> {
        match &self.tokens {
            Some(server) => server.fetch(),
            None => Err("no token server is configured".into()),
        }
    }

    fn note(&self, note: Note) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        // Of statistics only the newest counts: they do not pile up if nobody looks.
        if let (Note::Statistics(_), Some(Note::Statistics(last))) = (&note, notes.last_mut()) {
            last.clear();
            notes.pop();
        }
        notes.push(note);
    }
}

fn splits(list: &TopicPartitionList) -> Vec<Split> {
    list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect()
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let node = self.node.as_str();
        // `FAIL` and `ERROR` come as errors too, which are told in our words.
        if (level as i32) <= (RDKafkaLogLevel::Warning as i32)
            && !matches!(facility, "FAIL" | "ERROR")
        {
            tracing::warn!(node, facility, line, "librdkafka");
        } else {
            tracing::debug!(node, facility, line, "librdkafka");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.note(Note::Statistics(statistics.to_vec()));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(node = self.node.as_str(), %error, reason, "kafka client");
        if let Some(code) = error.rdkafka_error_code() {
            self.faults.record(code, reason);
        }
    }

    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
        let token = self.token()?;
        Ok(rdkafka::client::OAuthToken {
            token: token.value,
            principal_name: token.principal,
            lifetime_ms: token.expires_ms,
        })
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let splits = splits(list);
        self.note(match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Note::Assigned(splits),
            _ => Note::Revoked { splits, lost: consumer.assignment_lost() },
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if let Err(error) = result {
            self.note(Note::CommitFailed { splits: splits(offsets), reason: error.to_string() });
        }
    }
}
