//! The ends of a bounded source, and how far its instances have come together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::topic_partition_list::Offset;
use swiftwater_engine::{Error, Result};

use super::bounds::{Until, at, named, since};
use super::context::{Consumer, Split};

/// The ends of a bounded source, shared by its instances: fixed once a run, so that all agree.
pub(crate) struct Ends {
    until: Until,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    ends: Option<BTreeMap<Split, i64>>,
    reached: BTreeSet<Split>,
}

impl Ends {
    pub(crate) fn new(until: Until) -> Self {
        Self { until, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the ends of all partitions, unless another instance did.
    ///
    /// # Errors
    /// `Config` (`SW2105`) for a partition without a named end; `Unavailable` where the brokers do
    /// not answer.
    pub(super) fn resolve(&self, consumer: &Consumer, splits: &[Split]) -> Result<()> {
        let mut known = self.lock();
        if known.ends.is_some() {
            return Ok(());
        }
        known.ends = Some(match &self.until {
            Until::Latest => at(consumer, splits, Offset::End)?,
            Until::Timestamp(moment) => since(consumer, splits, *moment)?,
            Until::Offsets(offsets) => splits
                .iter()
                .map(|split| match named(offsets, split) {
                    Some(offset) => Ok((split.clone(), offset)),
                    None => Err(Error::config(
                        "SW2105",
                        format!(
                            "find the end of `{}/{}` in `until: {{offsets: …}}`",
                            split.0, split.1
                        ),
                    )
                    .with_hint("name an offset for every partition")),
                })
                .collect::<Result<_>>()?,
        });
        Ok(())
    }

    /// The offset before which a partition ends. A partition that came later is not read.
    pub(super) fn end(&self, split: &Split) -> i64 {
        self.lock().ends.as_ref().and_then(|ends| ends.get(split).copied()).unwrap_or(0)
    }

    /// A partition was read up to its end.
    pub(super) fn reached(&self, split: Split) {
        self.lock().reached.insert(split);
    }

    /// Partitions are read again from before their ends, as after a return to a snapshot.
    pub(super) fn reopen(&self, splits: &[Split]) {
        let mut known = self.lock();
        known.reached.retain(|split| !splits.contains(split));
    }

    /// Partitions that are not known to be read up to their end.
    pub(super) fn open(&self) -> Vec<Split> {
        let known = self.lock();
        let all = known.ends.iter().flat_map(BTreeMap::keys);
        all.filter(|split| !known.reached.contains(split)).cloned().collect()
    }

    /// Whether all partitions were read up to their ends, by whomever.
    pub(super) fn all_reached(&self) -> bool {
        let known = self.lock();
        known.ends.as_ref().is_some_and(|ends| known.reached.len() >= ends.len())
    }
}
