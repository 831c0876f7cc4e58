//! How a client is configured: brokers, security, and librdkafka's own settings passed through,
//! except those that the engine answers for.

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use swiftwater_engine::{Error, Result};

use super::context::Context;
use super::embedded;
use super::security::Security;

/// The options that every client of a node shares.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) brokers: String,
    pub(crate) security: Security,
    pub(crate) properties: BTreeMap<String, String>,
}

/// Settings that are refused in `properties`, with what to use instead. A name that ends in a dot
/// stands for all that begin so.
const OWNED: &[(&str, &str)] = &[
    ("acks", "the sink always waits for all replicas in sync"),
    ("auto.commit.interval.ms", "offsets are committed when their epoch is finished"),
    ("auto.offset.reset", "use `start`"),
    ("background_event_cb", ""),
    ("bootstrap.servers", "use `brokers`"),
    ("closesocket_cb", ""),
    ("compression.codec", "use `compression`"),
    ("compression.level", "use `compression_level`"),
    ("compression.type", "use `compression`"),
    ("connect_cb", ""),
    ("consume_cb", ""),
    ("consume.callback.max.messages", ""),
    ("delivery.report.only.error", "acknowledgements decide what is committed"),
    ("delivery.timeout.ms", "use `retry: {budget: …}` of the topology"),
    ("enable.auto.commit", "offsets are committed when their epoch is finished"),
    ("enable.auto.offset.store", "offsets are committed when their epoch is finished"),
    ("enable.idempotence", "the sink is always idempotent"),
    ("enable.partition.eof", ""),
    ("enable.ssl.certificate.verification", "use `security: {tls: {verify: …}}`"),
    ("group.id", "use `group`"),
    ("group.instance.id", "use `instance_id`"),
    ("group.protocol", "use `group_protocol`"),
    ("group.remote.assignor", "use `assignment`"),
    ("interceptors", ""),
    ("isolation.level", "use `isolation`"),
    ("linger.ms", "use `linger`"),
    ("log.queue", ""),
    ("max.in.flight", "the idempotent producer allows five"),
    ("max.in.flight.requests.per.connection", "the idempotent producer allows five"),
    ("message.timeout.ms", "use `retry: {budget: …}` of the topology"),
    ("metadata.broker.list", "use `brokers`"),
    ("offset.store.method", ""),
    ("opaque", ""),
    ("open_cb", ""),
    ("partition.assignment.strategy", "use `assignment`"),
    ("partitioner", "use `partitioner`"),
    ("plugin.library.paths", "a topology loads no code"),
    ("queue.buffering.max.kbytes", "the sink's share of `memory` decides"),
    ("queue.buffering.max.messages", "the sink's share of `memory` decides"),
    ("queue.buffering.max.ms", "use `linger`"),
    ("queued.max.messages.kbytes", "the source's share of `memory` decides"),
    ("queued.min.messages", "the source's share of `memory` decides"),
    ("request.required.acks", "the sink always waits for all replicas in sync"),
    ("sasl.", "use `security: {sasl: …}`"),
    ("security.protocol", "use `security`"),
    ("session.timeout.ms", "use `session_timeout`"),
    ("socket_cb", ""),
    ("ssl.ca.", "use `security: {tls: …}`"),
    ("ssl.certificate.", "use `security: {tls: …}`"),
    ("ssl.endpoint.identification.algorithm", "use `security: {tls: {verify: …}}`"),
    ("ssl.engine.", "a topology loads no code"),
    ("ssl.key.", "use `security: {tls: …}`"),
    ("ssl.keystore.", "use `security: {tls: …}`"),
    ("ssl.providers", "a topology loads no code"),
    ("statistics.interval.ms", "the engine reads them for its metrics"),
    ("test.mock.", "use `brokers: embedded`"),
    ("transactional.id", "use `guarantee: exactly_once`"),
];

fn owner(property: &str) -> Option<&'static str> {
    let is = |name: &&(&str, &str)| {
        property == name.0 || (name.0.ends_with('.') && property.starts_with(name.0))
    };
    OWNED.iter().find(is).map(|(_, instead)| *instead)
}

/// An error of librdkafka about a setting, without the value, which may be a secret.
fn refused(error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, told, name, _) if told.starts_with("No such") => {
            Error::config("SW2102", format!("set the unknown librdkafka property `{name}`"))
                .with_hint("librdkafka's CONFIGURATION.md lists them")
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            Error::config("SW2102", format!("set the librdkafka property `{name}` to this value"))
                .with_hint("librdkafka's CONFIGURATION.md lists types and ranges")
        }
        other => Error::config("SW2102", format!("configure a Kafka client: {other}")),
    }
}

impl Connection {
    /// Whether `brokers` asks for the broker inside this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.brokers == embedded::ADDRESS
    }

    /// A name for the cluster: its addresses, in an order of their own.
    pub(crate) fn system(&self) -> String {
        let mut all: Vec<&str> = self.brokers.split(',').map(str::trim).collect();
        all.sort_unstable();
        all.dedup();
        format!("kafka {}", all.join(","))
    }

    /// Checks everything that can be checked without the network.
    ///
    /// # Errors
    /// `Config`: `SW2102` for a property that is unknown, wrong or owned by the engine, `SW2103`
    /// for security that is not secure.
    pub(crate) fn check(&self, settings: &[(&str, String)]) -> Result<()> {
        if self.brokers.trim().is_empty() {
            return Err(Error::config("SW2101", "connect to no broker")
                .with_hint("name one or more as `brokers: host:9092,other:9092`"));
        }
        for property in self.properties.keys() {
            if let Some(instead) = owner(property) {
                let error =
                    format!("set the librdkafka property `{property}`, which the engine owns");
                let error = Error::config("SW2102", error);
                return Err(if instead.is_empty() { error } else { error.with_hint(instead) });
            }
        }
        self.configure(&self.brokers, settings)?.create_native_config().map_err(|e| refused(&e))?;
        Ok(())
    }

    /// Settings for a client of `brokers`; the user's properties go over `settings`.
    pub(super) fn configure(
        &self,
        brokers: &str,
        settings: &[(&str, String)],
    ) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("log.connection.close", "false")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in settings {
            config.set(*name, value);
        }
        self.security.apply(&mut config)?;
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        Ok(config)
    }

    /// Addresses to connect to; starts the embedded broker where it is asked for.
    pub(super) fn bootstrap(&self) -> Result<String> {
        if self.is_embedded() { embedded::start() } else { Ok(self.brokers.clone()) }
    }

    pub(super) fn context(&self, node: &str) -> Context {
        Context::new(node, self.security.token_server())
    }
}

/// An error at the creation of a client, which reads certificates and resolves settings.
pub(super) fn not_created(error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientCreation(reason) => {
            Error::config("SW2114", format!("create a Kafka client: {reason}"))
        }
        other => refused(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(properties: &[(&str, &str)]) -> Result<()> {
        let own = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        let connection = Connection {
            brokers: "localhost:9092".into(),
            security: Security::default(),
            properties: properties.iter().map(own).collect(),
        };
        connection.check(&[("group.id", "g".into())])
    }

    #[test]
    fn properties_are_checked_without_the_network() {
        check(&[("fetch.min.bytes", "1024")]).unwrap();
        let told = |p| check(&[p]).unwrap_err().to_string();
        assert!(told(("enable.auto.commit", "true")).contains("epoch is finished"));
        assert!(told(("sasl.password", "hush")).contains("security"));
        assert!(!told(("sasl.password", "hush")).contains("hush"));
        assert!(told(("fetch.min.bites", "1")).contains("`fetch.min.bites`"));
        assert!(told(("fetch.min.bytes", "many")).contains("`fetch.min.bytes`"));
    }
}
