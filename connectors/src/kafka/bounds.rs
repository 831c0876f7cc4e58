//! Where reading starts and ends.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::{Error, Result};

use super::context::{Consumer, Split};
use super::faults;
use super::moment::Moment;

/// Longest wait for one lookup of offsets.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Offsets by partition: `{0: 1200, 1: 1180}`, or `{bids/0: 1200}` where there are several topics.
pub(crate) type Offsets = BTreeMap<String, i64>;

/// Where a group starts that has committed no offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = crate::variant_docs::describe_variants)]
pub enum Start {
    /// At the oldest record there is (the default).
    #[default]
    Earliest,
    /// At records that are appended from now on.
    Latest,
    /// At the first record that is as new as this time.
    Timestamp(Moment),
    /// At these offsets; partitions that are not named start at their oldest record.
    Offsets(Offsets),
}

/// Where a bounded source ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = crate::variant_docs::describe_variants)]
pub enum Until {
    /// At what each partition holds when the run starts.
    Latest,
    /// Before the first record that is as new as this time, or at what the partition holds when the
    /// run starts if no record is.
    Timestamp(Moment),
    /// Before these offsets; every partition must be named.
    Offsets(Offsets),
}

/// The offset that the user named for a partition.
pub(super) fn named(offsets: &Offsets, (topic, partition): &Split) -> Option<i64> {
    offsets
        .get(&format!("{topic}/{partition}"))
        .or_else(|| offsets.get(&partition.to_string()))
        .copied()
}

/// Checks the keys of named offsets.
///
/// # Errors
/// `Config` (`SW2105`) for a key that names no partition, or an offset below 0.
pub(crate) fn check(offsets: &Offsets, topics: &[String]) -> Result<()> {
    for (key, offset) in offsets {
        let (topic, number) = key.rsplit_once('/').unwrap_or(("", key));
        let known = topic.is_empty() && topics.len() == 1 || topics.iter().any(|t| t == topic);
        if !known || number.parse::<u16>().is_err() || *offset < 0 {
            return Err(Error::config("SW2105", format!("read the offset `{key}: {offset}`"))
                .with_hint(
                    "write `0: 1200` for partition 0, or `bids/0: 1200` for one of several topics",
                ));
        }
    }
    Ok(())
}

fn failed(error: &KafkaError) -> Error {
    faults::failed("look up offsets", error)
}

fn list(splits: &[Split], offset: impl Fn(&Split) -> Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(splits.len());
    for split in splits {
        list.add_partition_offset(&split.0, split.1, offset(split))?;
    }
    Ok(list)
}

fn found(list: &TopicPartitionList) -> KafkaResult<BTreeMap<Split, i64>> {
    let mut all = BTreeMap::new();
    for element in list.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            all.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(all)
}

/// Offsets that the group has committed; partitions without one are left out.
pub(super) fn committed(consumer: &Consumer, splits: &[Split]) -> Result<BTreeMap<Split, i64>> {
    let ask = || found(&consumer.committed_offsets(list(splits, |_| Offset::Invalid)?, TIMEOUT)?);
    if splits.is_empty() { Ok(BTreeMap::new()) } else { ask().map_err(|e| failed(&e)) }
}

/// Offsets of the first records as new as a time; partitions without one are left out. The oldest
/// and the next record have times of their own: [`Offset::Beginning`] and [`Offset::End`].
pub(super) fn at(
    consumer: &Consumer,
    splits: &[Split],
    time: Offset,
) -> Result<BTreeMap<Split, i64>> {
    let ask = || found(&consumer.offsets_for_times(list(splits, |_| time)?, TIMEOUT)?);
    if splits.is_empty() { Ok(BTreeMap::new()) } else { ask().map_err(|e| failed(&e)) }
}

/// As [`at`], and the end of the partition where no record is as new.
pub(super) fn since(
    consumer: &Consumer,
    splits: &[Split],
    moment: Moment,
) -> Result<BTreeMap<Split, i64>> {
    let mut all = at(consumer, splits, Offset::Offset(moment.0))?;
    let rest: Vec<Split> = splits.iter().filter(|s| !all.contains_key(s)).cloned().collect();
    all.extend(at(consumer, &rest, Offset::End)?);
    Ok(all)
}

/// Where a partition starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The first offset to read.
    pub(super) offset: i64,
    /// Whether the group has committed it.
    pub(super) committed: bool,
    /// Whether to ask the broker again where the partition begins: retention may have moved it.
    pub(super) beginning: bool,
}

impl Start {
    /// Where to read on: what the group has committed, or else what the options say.
    ///
    /// # Errors
    /// `Unavailable` where the brokers do not answer.
    pub(super) fn resolve(
        &self,
        consumer: &Consumer,
        splits: &[Split],
    ) -> Result<BTreeMap<Split, Origin>> {
        let known = committed(consumer, splits)?;
        let fresh: Vec<Split> = splits.iter().filter(|s| !known.contains_key(s)).cloned().collect();
        let mut chosen = match self {
            Self::Earliest => BTreeMap::new(),
            Self::Latest => at(consumer, &fresh, Offset::End)?,
            Self::Timestamp(moment) => since(consumer, &fresh, *moment)?,
            Self::Offsets(offsets) => {
                fresh.iter().filter_map(|s| Some((s.clone(), named(offsets, s)?))).collect()
            }
        };
        let rest: Vec<Split> = fresh.into_iter().filter(|s| !chosen.contains_key(s)).collect();
        let beginnings = at(consumer, &rest, Offset::Beginning)?;
        let is = |committed, beginning| {
            move |(split, offset)| (split, Origin { offset, committed, beginning })
        };
        let mut all: BTreeMap<Split, Origin> = known.into_iter().map(is(true, false)).collect();
        all.extend(std::mem::take(&mut chosen).into_iter().map(is(false, false)));
        all.extend(beginnings.into_iter().map(is(false, true)));
        match splits.iter().find(|s| !all.contains_key(s)) {
            None => Ok(all),
            Some((topic, partition)) => {
                let what = format!("find where `{topic}/{partition}` begins: no answer");
                Err(Error::unavailable("SW2115", what))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(options: serde_json::Value) -> Start {
        serde_json::from_value(options).unwrap()
    }

    #[test]
    fn starts_read_from_options() {
        assert_eq!(start(serde_json::json!("latest")), Start::Latest);
        let moment = Start::Timestamp(Moment(1_769_860_800_000));
        assert_eq!(start(serde_json::json!({"timestamp": "2026-01-31T12:00:00Z"})), moment);
        assert_eq!(start(serde_json::json!({"timestamp": 1_769_860_800_000_i64})), moment);
        serde_json::from_value::<Start>(serde_json::json!({"timestamp": "yesterday"})).unwrap_err();
        let Start::Offsets(offsets) = start(serde_json::json!({"offsets": {"0": 5, "b/1": 7}}))
        else {
            panic!("offsets");
        };
        assert_eq!(named(&offsets, &("a".into(), 0)), Some(5));
        assert_eq!(named(&offsets, &("b".into(), 1)), Some(7));
        assert_eq!(named(&offsets, &("a".into(), 1)), None);
    }

    #[test]
    fn offsets_name_partitions_of_the_topics() {
        let topics = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let offsets = |key: &str, offset| Offsets::from([(key.to_owned(), offset)]);
        check(&offsets("0", 5), &topics(&["a"])).unwrap();
        check(&offsets("a/0", 5), &topics(&["a", "b"])).unwrap();
        for (key, offset) in [("0", -1), ("x", 1), ("c/0", 1), ("a/x", 1)] {
            let error = check(&offsets(key, offset), &topics(&["a"])).unwrap_err();
            assert_eq!(error.code, "SW2105", "{key}");
        }
        check(&offsets("0", 5), &topics(&["a", "b"])).unwrap_err();
    }
}
