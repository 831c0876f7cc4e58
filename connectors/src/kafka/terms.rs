//! What the Kafka nodes of an exactly-once topology share: one transactional producer, on one set
//! of terms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use swiftwater_engine::{Error, Result, Shared};

use super::client::Connection;
use super::producing::{self, BATCH_BYTES};
use super::transaction::Transaction;

/// What the producer itself may hold; each sink keeps to its own share of `memory`.
const HELD_AT_MOST: (&str, &str) = ("10000000", "1048576");
/// A broker that does not answer a request for so long is asked again.
const ANSWER: Duration = Duration::from_secs(20);

/// How the producer is made; sinks that differ cannot share it.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The transactional id, which is also the group whose offset remembers the last epoch.
    pub(crate) id: String,
    /// `transaction.timeout.ms`: how long an epoch may take.
    pub(crate) timeout: Duration,
    pub(crate) linger: Duration,
    pub(crate) connection: Connection,
}

/// The transactional id of a topology.
pub(crate) fn transactional_id(asked: Option<&String>, topology: &str) -> String {
    asked.cloned().unwrap_or_else(|| format!("swiftwater.{topology}"))
}

impl Terms {
    /// What `other` differs in.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let security = |terms: &Self| format!("{:?}", terms.connection.security);
        [
            ("transactional_id", self.id != other.id),
            ("transaction_timeout", self.timeout != other.timeout),
            ("linger", self.linger != other.linger),
            ("properties", self.connection.properties != other.connection.properties),
            ("security", security(self) != security(other)),
        ]
        .into_iter()
        .find_map(|(name, differs)| differs.then_some(name))
    }

    /// The largest batch of records that the producer makes.
    pub(super) fn batch_bytes(&self) -> usize {
        let asked = self.connection.properties.get("batch.size").and_then(|b| b.parse().ok());
        asked.unwrap_or(BATCH_BYTES)
    }

    /// Settings of the producer.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let millis = |time: Duration| time.as_millis().to_string();
        let mut all = producing::shared(self.linger);
        let (records, kbytes) = HELD_AT_MOST;
        all.extend([
            ("client.id", self.id.clone()),
            ("transactional.id", self.id.clone()),
            ("transaction.timeout.ms", millis(self.timeout)),
            ("message.timeout.ms", millis(self.timeout)),
            ("socket.timeout.ms", millis(ANSWER.min(self.timeout))),
            ("queue.buffering.max.messages", records.to_owned()),
            ("queue.buffering.max.kbytes", kbytes.to_owned()),
            ("batch.size", BATCH_BYTES.to_string()),
            // What a topic takes the sink checks itself: a refusal would end the transaction.
            ("message.max.bytes", "1000000000".to_owned()),
        ]);
        all
    }

    pub(super) fn configure(&self, brokers: &str) -> Result<ClientConfig> {
        self.connection.configure(brokers, &self.settings())
    }
}

/// What the Kafka nodes of one run that use one cluster share.
#[derive(Default)]
pub(super) struct Seat {
    transaction: Mutex<Option<Arc<Transaction>>>,
    /// Groups of the sources, by node.
    groups: Mutex<BTreeMap<String, String>>,
}

impl Seat {
    /// The seat for a cluster.
    pub(super) fn of(shared: &Shared, connection: &Connection) -> Result<Arc<Self>> {
        shared.get_or_make(&connection.system(), || Ok(Self::default()))
    }

    /// Replaces the producer; what remains of the one before ends with the last sink that uses it.
    pub(super) fn install(&self, transaction: Option<Arc<Transaction>>) {
        *self.transaction.lock().unwrap_or_else(PoisonError::into_inner) = transaction;
    }

    pub(super) fn transaction(&self) -> Option<Arc<Transaction>> {
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Arc::clone)
    }

    /// The producer that a sink shares.
    ///
    /// # Errors
    /// `Config` (`SW2141`) where its options differ from those that the producer was made with.
    pub(super) fn joined(&self, terms: &Terms) -> Result<Arc<Transaction>> {
        let transaction = self
            .transaction()
            .ok_or_else(|| Error::bug("write exactly once before the commit point recovered"))?;
        match transaction.terms.difference(terms) {
            None => Ok(transaction),
            Some(option) => Err(Error::config(
                "SW2141",
                format!("share the producer of one transaction: `{option}` differs"),
            )
            .with_hint(
                "the kafka sinks of an `exactly_once` topology write through one producer: give \
                 all of them the same value",
            )),
        }
    }

    /// A source of `node` reads as `group`.
    pub(super) fn reads(&self, node: &str, group: &str) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(node.to_owned(), group.to_owned());
    }

    /// The group of a source, where it reads this cluster.
    pub(super) fn group(&self, node: &str) -> Option<String> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }
}
