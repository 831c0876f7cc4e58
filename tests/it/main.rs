//! Tests of the whole program, in one binary so that it is linked once.
//!
//! They run the built `swiftwater` against a real Apache Kafka; `support` starts what they need.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod backfill;
#[cfg(test)]
mod bad_records;
#[cfg(test)]
mod bad_topologies;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod command;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod docs_current;
#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod features;
#[cfg(test)]
mod fidelity;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod nexmark;
#[cfg(test)]
mod private_releases;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod spill;
