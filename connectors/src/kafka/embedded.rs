//! A Kafka broker inside this process, for trials: librdkafka's mock cluster, shared by all nodes
//! that say `brokers: embedded`.
//!
//! It speaks the real protocol over a local port, with groups and idempotent producers. It keeps
//! about 5 MB a partition and silently drops what is older, forgets everything when the process
//! ends, and knows no transactions' isolation, no access control and no topic settings.

use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use swiftwater_engine::{Error, Result};

/// The value of `brokers` that asks for it.
pub(super) const ADDRESS: &str = "embedded";
/// Partitions of a topic that nobody gave a number.
pub(super) const PARTITIONS: i32 = 4;

/// What `check` says of it.
pub(crate) const WARNING: &str = "`brokers: embedded` is for trials only: it keeps about 5 MB of \
    each partition, silently drops what is older, and forgets everything when the process ends";

/// A topic to create, and where to say how it went.
type Request = (String, i32, SyncSender<KafkaResult<()>>);

struct Embedded {
    address: String,
    requests: SyncSender<Request>,
}

fn failed(reason: &str) -> Error {
    Error::unavailable("SW2140", format!("start the embedded Kafka broker: {reason}"))
}

/// The cluster belongs to no other thread than the one that made it.
fn serve(started: &SyncSender<KafkaResult<(String, SyncSender<Request>)>>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(error) => {
            started.send(Err(error)).ok();
            return;
        }
    };
    let (requests, incoming) = sync_channel::<Request>(1);
    if started.send(Ok((cluster.bootstrap_servers(), requests))).is_err() {
        return;
    }
    while let Ok((topic, partitions, reply)) = incoming.recv() {
        reply.send(cluster.create_topic(&topic, partitions, 1)).ok();
    }
}

fn launch() -> std::result::Result<Embedded, String> {
    let (started, waiting) = sync_channel(1);
    thread::Builder::new()
        .name("embedded-kafka".into())
        .spawn(move || serve(&started))
        .map_err(|e| e.to_string())?;
    let answer = waiting.recv().map_err(|_| "its thread ended".to_owned())?;
    let (address, requests) = answer.map_err(|e| e.to_string())?;
    tracing::info!(%address, "embedded kafka broker started");
    Ok(Embedded { address, requests })
}

fn broker() -> Result<&'static Embedded> {
    static BROKER: OnceLock<std::result::Result<Embedded, String>> = OnceLock::new();
    BROKER.get_or_init(launch).as_ref().map_err(|reason| failed(reason))
}

/// Starts the broker, unless it runs already, and returns its address.
///
/// # Errors
/// `Unavailable` (`SW2140`) where it cannot start.
pub(super) fn start() -> Result<String> {
    broker().map(|b| b.address.clone())
}

/// Creates a topic, unless it exists.
///
/// # Errors
/// `Unavailable` (`SW2140`) where the broker refuses.
pub(super) fn create_topic(topic: &str, partitions: i32) -> Result<()> {
    let (reply, answer) = sync_channel(1);
    let gone = || failed("its thread ended");
    broker()?.requests.send((topic.to_owned(), partitions, reply)).map_err(|_| gone())?;
    match answer.recv().map_err(|_| gone())? {
        Ok(()) | Err(KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
        Err(error) => Err(failed(&format!("topic `{topic}`: {error}"))),
    }
}
