//! The manifest of an epoch: everything that recovery needs to know, by name.

use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::error::{Error, Result};
use crate::message::Epoch;
use crate::sink::Staged;
use crate::source::Position;
use crate::state::TableSpec;

/// Version of the layout of manifests and parts that this build writes and reads.
const FORMAT: u32 = 1;
/// The directory of manifests.
const DIRECTORY: &str = "epochs";

/// Where a source instance stood at the barrier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Next record of each split.
    pub position: Position,
    /// Watermark of each split, in microseconds.
    pub watermarks: BTreeMap<String, i64>,
}

/// One file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name of the file in the store.
    pub file: String,
    /// Rows in it, those of deleted keys included.
    pub rows: usize,
    /// Size in bytes.
    pub bytes: usize,
    /// CRC-32 of the file.
    pub checksum: u32,
    /// The instance that sealed it.
    pub instance: usize,
    /// The epoch in which its newest rows were sealed.
    pub epoch: Epoch,
    /// Highest value of the expiry column, where the table has one.
    pub newest: Option<i64>,
    /// Bytes of memory that its rows take.
    #[serde(default)]
    pub memory: usize,
    /// Which keys it holds, where a merge made several parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
}

/// The keys of one of the parts that a merge made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Tells the parts of one merge from those of another.
    pub merge: String,
    /// Keys whose hash has this remainder.
    pub index: u64,
    /// Number of slices, a power of two.
    pub of: u64,
}

/// One table of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Layout version of the table.
    pub version: u32,
    /// Columns: name and type.
    pub columns: Vec<(String, String)>,
    /// Rows whose expiry column is below this are gone.
    pub expired_below: Option<i64>,
    /// Files, oldest first.
    pub parts: Vec<Part>,
}

/// The state of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Kind of the node.
    pub kind: String,
    /// What its rows mean, as the kind tells (see [`crate::Operator::layout`]).
    pub layout: String,
    /// Watermark of its inputs, in microseconds: the lowest of its instances.
    pub watermark: Option<i64>,
    /// Tables by name.
    pub tables: BTreeMap<String, TableState>,
}

/// Everything that recovery needs to know of one epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// Name of the topology.
    pub topology: String,
    /// The epoch.
    pub epoch: Epoch,
    /// When it was written: milliseconds since 1970.
    pub created: i64,
    /// Name of the manifest of the epoch before.
    pub previous: Option<String>,
    /// Sources by node, then by instance.
    pub sources: BTreeMap<String, BTreeMap<usize, SourceState>>,
    /// Operators by node.
    pub nodes: BTreeMap<String, NodeState>,
    /// What each sink had staged.
    pub sinks: BTreeMap<String, Staged>,
}

impl TableState {
    /// A table without rows.
    #[must_use]
    pub fn new(spec: &TableSpec) -> Self {
        Self {
            version: spec.version,
            columns: columns(&spec.schema),
            expired_below: None,
            parts: Vec::new(),
        }
    }

    /// Why rows of this table are of no use to `spec`.
    #[must_use]
    pub fn misfit(&self, spec: &TableSpec) -> Option<String> {
        if self.version != spec.version {
            let (stored, ours) = (self.version, spec.version);
            return Some(format!("its layout is of version {stored}, this build has {ours}"));
        }
        let show = |columns: &[(String, String)]| {
            let columns: Vec<_> = columns.iter().map(|(n, t)| format!("{n} {t}")).collect();
            columns.join(", ")
        };
        let now = columns(&spec.schema);
        (self.columns != now)
            .then(|| format!("it holds {}, and now needs {}", show(&self.columns), show(&now)))
    }

    /// Puts a merged part in the place of the parts it was made of. Some of them may have expired
    /// since the merge began: what is left of them stands in the merged part.
    pub fn replace(&mut self, files: &[String], merged: Vec<Part>) {
        let is_merged = |part: &Part| files.contains(&part.file);
        let Some(at) = self.parts.iter().position(is_merged) else {
            return;
        };
        self.parts.retain(|part| !is_merged(part));
        self.parts.splice(at..at, merged);
    }

    /// Forgets the parts that hold expired rows only.
    pub fn drop_expired(&mut self) {
        if let Some(bound) = self.expired_below {
            self.parts.retain(|part| part.newest.is_none_or(|newest| newest >= bound));
        }
    }
}

fn columns(schema: &Schema) -> Vec<(String, String)> {
    schema.fields().iter().map(|f| (f.name().clone(), f.data_type().to_string())).collect()
}

impl Manifest {
    /// An empty manifest of the epoch before the first.
    #[must_use]
    pub fn new(topology: &str) -> Self {
        Self { format: FORMAT, topology: topology.to_owned(), ..Self::default() }
    }

    /// A name for the manifest of `epoch`, told apart by `run` from one that another process writes.
    #[must_use]
    pub fn name(epoch: Epoch, run: &str) -> String {
        format!("{DIRECTORY}/{epoch:012}-{run}.json")
    }

    /// Names of all manifests in a store, oldest first.
    ///
    /// # Errors
    /// `Unavailable` where the store does not answer.
    pub fn names(store: &Store) -> Result<Vec<String>> {
        let names = store.list(DIRECTORY)?;
        let is_manifest = |n: &String| {
            std::path::Path::new(n).extension().is_some_and(|e| e.eq_ignore_ascii_case("json"))
        };
        Ok(names.into_iter().filter(is_manifest).collect())
    }

    /// Writes it.
    ///
    /// # Errors
    /// `Unavailable` where the store does not take it.
    pub fn write(&self, store: &Store, name: &str) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::bug("write a manifest").with_source(e))?;
        store.put(name, bytes.into())
    }

    /// Reads one.
    ///
    /// # Errors
    /// `State` (`SW4322`) where it is missing or is of another version; `Unavailable` where the
    /// store does not answer.
    pub fn read(store: &Store, name: &str) -> Result<Self> {
        let lost = |why: &str| {
            Error::state("SW4322", format!("read the manifest `{name}` in {}: {why}", store.url()))
                .with_hint(
                    "the last commit refers to it: set `checkpoint.store` to where the snapshots are, \
                     or start anew with another topology name and consumer group",
                )
        };
        let bytes = store.get(name)?.ok_or_else(|| lost("it is not there"))?;
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|e| lost("it is damaged").with_source(e))?;
        if manifest.format != FORMAT {
            let why = format!("its format is {}, this build reads {FORMAT}", manifest.format);
            return Err(lost(&why));
        }
        Ok(manifest)
    }

    /// Names of all files that it refers to.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let tables = self.nodes.values().flat_map(|n| n.tables.values());
        tables.flat_map(|t| &t.parts).map(|p| p.file.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(file: &str, newest: i64) -> Part {
        Part {
            file: file.to_owned(),
            rows: 1,
            bytes: 1,
            checksum: 0,
            instance: 0,
            epoch: 1,
            newest: Some(newest),
            memory: 1,
            slice: None,
        }
    }

    fn table() -> TableState {
        let parts = ["a", "b", "c", "d"].iter().zip(1..).map(|(f, n)| part(f, n)).collect();
        TableState { version: 1, columns: Vec::new(), expired_below: None, parts }
    }

    fn files(table: &TableState) -> Vec<&str> {
        table.parts.iter().map(|p| p.file.as_str()).collect()
    }

    #[test]
    fn a_merged_part_takes_the_place_of_its_parts_also_where_some_expired_meanwhile() {
        let merged = ["b".to_owned(), "c".to_owned()];
        let mut whole = table();
        whole.replace(&merged, vec![part("b", 3), part("c", 3)]);
        assert_eq!(files(&whole), ["a", "b", "c", "d"]);
        whole.replace(&merged, vec![part("bc", 3)]);
        assert_eq!(files(&whole), ["a", "bc", "d"]);
        let mut expired = table();
        expired.expired_below = Some(3);
        expired.drop_expired();
        expired.replace(&merged, vec![part("bc", 3)]);
        assert_eq!(files(&expired), ["bc", "d"]);
        let mut gone = table();
        gone.expired_below = Some(4);
        gone.drop_expired();
        gone.replace(&merged, vec![part("bc", 3)]);
        assert_eq!(files(&gone), ["d"]);
        let mut empty = table();
        empty.replace(&merged, Vec::new());
        assert_eq!(files(&empty), ["a", "d"]);
    }
}
