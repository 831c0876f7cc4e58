//! The kafka source and sink against a real Apache Kafka, driven as the engine drives them.
//!
//! `SWIFTWATER_TEST_BROKERS` names a broker to use; without it one is started.

#[cfg(test)]
mod compaction;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod epochs;
#[cfg(test)]
mod everything;
#[cfg(test)]
mod group;
#[cfg(test)]
mod security;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod source;
#[cfg(test)]
mod support;
#[cfg(test)]
mod trouble;
