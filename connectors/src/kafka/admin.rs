//! What the sink asks of brokers before it writes: the topic, made if the options say so, and what
//! records it takes.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::{Error, Result};

use super::client::not_created;
use super::context::Context;
use super::{faults, ffi};

/// Longest wait for the brokers' answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How to make a topic that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTopic {
    /// Number of partitions.
    #[serde(default = "CreateTopic::default_partitions")]
    #[schemars(range(min = 1))]
    pub partitions: i32,
    /// Number of copies of each partition; the broker's default without it.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub replication: Option<i32>,
}

impl CreateTopic {
    const fn default_partitions() -> i32 {
        4
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// `Config` (`SW2130`) for a number below 1.
    pub(crate) fn check(&self) -> Result<()> {
        if self.partitions < 1 || self.replication.is_some_and(|r| r < 1) {
            return Err(Error::config("SW2130", "create a topic without partitions or copies")
                .with_hint("`create: {partitions: 4, replication: 3}` takes numbers from 1"));
        }
        Ok(())
    }
}

/// A client for these questions.
pub(super) struct Admin {
    client: AdminClient<Context>,
    runtime: tokio::runtime::Runtime,
}

impl Admin {
    pub(super) fn new(config: &ClientConfig, context: Context) -> Result<Self> {
        let needs_token = context.has_tokens();
        let client =
            AdminClient::from_config_and_context(config, context).map_err(|e| not_created(&e))?;
        if needs_token {
            // Nobody serves this client's requests for a token: it gets one beforehand.
            let token = client.inner().context().token();
            ffi::set_token(client.inner(), &token);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|e| Error::bug("start a runtime").with_source(e))?;
        Ok(Self { client, runtime })
    }

    fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
    }

    /// Makes a topic; one that somebody else has just made is as good.
    ///
    /// # Errors
    /// `Config` (`SW2113`, `SW2134`) where the brokers refuse, `Unavailable` where they do not answer.
    pub(super) fn create(&self, topic: &str, create: CreateTopic) -> Result<()> {
        let copies = create.replication.unwrap_or(-1);
        let new = NewTopic::new(topic, create.partitions, TopicReplication::Fixed(copies));
        let asked = self.runtime.block_on(self.client.create_topics([&new], &Self::options()));
        let answers = asked.map_err(|e| {
            Error::unavailable("SW2115", format!("create the topic `{topic}`: {e}"))
        })?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((_, Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed)) => {
                    return Err(faults::denied(&format!("create the topic `{topic}`")));
                }
                Err((_, code)) => {
                    return Err(Error::config(
                        "SW2134",
                        format!("create the topic `{topic}`: {code}"),
                    )
                    .with_hint("see `create: {partitions: …, replication: …}`"));
                }
            }
        }
        Ok(())
    }

    /// What the topic takes, as far as the brokers tell us.
    pub(super) fn limits(&self, topic: &str) -> Limits {
        let topic = [ResourceSpecifier::Topic(topic)];
        let asked = self.runtime.block_on(self.client.describe_configs(&topic, &Self::options()));
        let answers = asked.unwrap_or_default().into_iter().filter_map(std::result::Result::ok);
        let mut limits = Limits::default();
        for resource in answers {
            let value = |name| resource.get(name).and_then(|entry| entry.value.clone());
            limits.largest = value("max.message.bytes").and_then(|text| text.parse().ok());
            limits.needs_key = value("cleanup.policy").is_some_and(|text| text.contains("compact"));
        }
        limits
    }
}

/// What records a topic takes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// Its `max.message.bytes`, where it is known.
    pub(super) largest: Option<usize>,
    /// Whether a record without a key is refused, because the topic is compacted.
    pub(super) needs_key: bool,
}
