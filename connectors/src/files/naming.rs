//! Names of written files: sortable by time, and used once.

use chrono::{DateTime, Utc};
use swiftwater_engine::Timestamp;

/// Names of the files of one run of a sink.
///
/// `20261123T101530123Z-9f86d081-000042.parquet`: when the run began, a random number of the run,
/// and the number of the file in it.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    run: String,
    extension: String,
    owner: String,
    files: u64,
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

impl Naming {
    /// Names of a run that began at `now`; `number` tells runs of the same millisecond apart.
    pub(crate) fn new(
        topology: &str,
        node: &str,
        now: Timestamp,
        number: u64,
        extension: &str,
    ) -> Self {
        let time = DateTime::<Utc>::from_timestamp_micros(now.0).unwrap_or_default();
        Self {
            run: format!("{}-{:08x}", time.format("%Y%m%dT%H%M%S%3fZ"), number & 0xFFFF_FFFF),
            extension: extension.into(),
            owner: format!("{}-{}", plain(topology), plain(node)),
            files: 0,
        }
    }

    /// The next name.
    pub(crate) fn next(&mut self) -> String {
        self.files += 1;
        format!("{}-{:06}.{}", self.run, self.files, self.extension)
    }

    /// The part of the names that is this run's own.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Where the sink notes which epoch was finalised last: a name that readers pass over.
    pub(crate) fn note(&self) -> String {
        format!("_swiftwater/{}.finalised", self.owner)
    }

    /// What a file is called until it is complete: hidden, and marked as this sink's.
    pub(crate) fn temporary(&self, name: &str) -> String {
        format!(".{name}{}", self.mark())
    }

    /// Whether a name is one that this sink, of this or an earlier run, gave to a file in the making.
    pub(crate) fn is_temporary(&self, name: &str) -> bool {
        name.starts_with('.') && name.ends_with(&self.mark())
    }

    fn mark(&self) -> String {
        format!(".{}.swiftwater", self.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_are_known_again() {
        let mut naming = Naming::new("my topology", "out", Timestamp(0), 7, "json.zst");
        let first = naming.next();
        assert_eq!(first, "19700101T000000000Z-00000007-000001.json.zst");
        let second = naming.next();
        let mut later = Naming::new("my topology", "out", Timestamp(1_000_000), 1, "json.zst");
        assert!(first < second && second < later.next());
        assert!(later.is_temporary(&naming.temporary(&first)));
        assert!(!later.is_temporary(&first));
        let other = Naming::new("my topology", "other", Timestamp(0), 7, "json");
        assert!(!other.is_temporary(&naming.temporary(&first)));
    }
}
