//! The index of keys: numbers them from 0 in the order in which they came.
//!
//! The table holds an integer key (or the hash of a longer one) beside its number, so that a lookup
//! and the growth of the table touch nothing else. Measured against row bytes for every key, the
//! integer form takes a third of the time.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::row::Rows;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use swiftwater_engine::Result;

use super::keys::{KeyColumns, Keys};

/// Number of a key within an index.
pub(crate) type Group = u32;

/// Odd constants of the fractional parts of sqrt(2) and sqrt(3), to mix integer keys with.
const MIX: [u64; 2] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b];

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Folded multiplication: each bit of the key moves high and low bits of the hash.
const fn hash_integer(key: i64) -> u64 {
    let wide = (key.cast_unsigned() ^ MIX[0]) as u128 * MIX[1] as u128;
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let (low, high) = (wide as u64, (wide >> 64) as u64);
    low ^ high
}

/// Keys by number.
#[derive(Debug, Clone)]
pub(crate) enum KeyIndex {
    /// No key columns: one group once a row came.
    One(bool),
    /// One integer column.
    Integers(Integers),
    /// Anything else.
    Bytes(Bytes),
}

/// Integer keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Integers {
    table: HashTable<(i64, Group)>,
    keys: Vec<i64>,
    null: Option<Group>,
}

/// Keys in the row format.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes {
    table: HashTable<(u64, Group)>,
    /// The keys one after the other.
    bytes: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
}

impl KeyIndex {
    /// An index without keys, for keys like these.
    pub(crate) fn like(keys: &Keys) -> Self {
        match keys {
            Keys::One => Self::One(false),
            Keys::Integers(_) => Self::Integers(Integers::default()),
            Keys::Bytes(_) => Self::Bytes(Bytes::default()),
        }
    }

    /// An index without keys, for keys like those of another one.
    pub(crate) fn empty_like(other: &Self) -> Self {
        match other {
            Self::One(_) => Self::One(false),
            Self::Integers(_) => Self::Integers(Integers::default()),
            Self::Bytes(_) => Self::Bytes(Bytes::default()),
        }
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(seen) => usize::from(*seen),
            Self::Integers(integers) => integers.keys.len(),
            Self::Bytes(bytes) => bytes.ends.len(),
        }
    }

    /// Appends the number of each key of `rows` to `groups`; new keys get the next numbers.
    pub(crate) fn number(&mut self, keys: &Keys, rows: Range<usize>, groups: &mut Vec<Group>) {
        match (self, keys) {
            (Self::One(seen), Keys::One) => {
                *seen |= !rows.is_empty();
                groups.extend(rows.map(|_| 0));
            }
            (Self::Integers(index), Keys::Integers(values)) => {
                index.number(values, rows, groups);
            }
            (Self::Bytes(index), Keys::Bytes(values)) => index.number(values, rows, groups),
            _ => unreachable_kind(),
        }
    }

    /// The numbers here of some keys of another index; new keys get the next numbers.
    pub(crate) fn absorb(
        &mut self,
        other: &Self,
        groups: impl Iterator<Item = Group>,
    ) -> Vec<Group> {
        match (self, other) {
            (Self::One(seen), Self::One(_)) => {
                let groups: Vec<_> = groups.map(|_| 0).collect();
                *seen |= !groups.is_empty();
                groups
            }
            (Self::Integers(index), Self::Integers(from)) => groups
                .map(|group| match from.key(group) {
                    Some(key) => index.insert(key),
                    None => index.insert_null(),
                })
                .collect(),
            (Self::Bytes(index), Self::Bytes(from)) => {
                groups.map(|group| index.insert(from.key(group))).collect()
            }
            _ => {
                unreachable_kind();
                Vec::new()
            }
        }
    }

    /// The number here of a key of another index, where it is known.
    pub(crate) fn find(&self, other: &Self, group: Group) -> Option<Group> {
        match (self, other) {
            (Self::One(seen), Self::One(_)) => seen.then_some(0),
            (Self::Integers(index), Self::Integers(from)) => match from.key(group) {
                Some(key) => {
                    let found = index.table.find(hash_integer(key), |(k, _)| *k == key);
                    found.map(|(_, group)| *group)
                }
                None => index.null,
            },
            (Self::Bytes(index), Self::Bytes(from)) => index.find(from.key(group)),
            _ => None,
        }
    }

    /// The order of two keys: that of their values, null first.
    pub(crate) fn compare(&self, a: Group, b: Group) -> Ordering {
        match self {
            Self::One(_) => Ordering::Equal,
            Self::Integers(index) => index.key(a).cmp(&index.key(b)),
            Self::Bytes(index) => index.key(a).cmp(index.key(b)),
        }
    }

    /// All numbers in the order of their keys.
    pub(crate) fn sorted(&self) -> Vec<Group> {
        let count = Group::try_from(self.len()).unwrap_or(Group::MAX);
        let mut groups: Vec<Group> = (0..count).collect();
        if let Self::Integers(index) = self {
            groups.sort_unstable_by_key(|group| index.key(*group));
        } else {
            groups.sort_unstable_by(|a, b| self.compare(*a, *b));
        }
        groups
    }

    /// The keys of these numbers, as columns.
    ///
    /// # Errors
    /// `Bug` where the columns are of another kind.
    pub(crate) fn columns(&self, columns: &KeyColumns, groups: &[Group]) -> Result<Vec<ArrayRef>> {
        match self {
            Self::One(_) => Ok(Vec::new()),
            Self::Integers(index) => {
                let keys = groups.iter().map(|group| index.key(*group).unwrap_or(0)).collect();
                let nulls = index
                    .null
                    .filter(|null| groups.contains(null))
                    .map(|null| groups.iter().map(|group| *group != null).collect::<NullBuffer>());
                columns.of_integers(keys, nulls)
            }
            Self::Bytes(index) => columns.of_bytes(groups.iter().map(|group| index.key(*group))),
        }
    }

    /// Bytes of memory.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Integers(index) => index.table.allocation_size() + index.keys.capacity() * 8,
            Self::Bytes(index) => {
                index.table.allocation_size() + index.bytes.capacity() + index.ends.capacity() * 8
            }
        }
    }
}

/// A node's keys are all of one kind.
fn unreachable_kind() {
    debug_assert!(false, "keys of another kind than their index");
}

/// The number of the next key.
fn next(count: usize) -> Group {
    Group::try_from(count).expect("invariant: memory ends before four billion keys")
}

impl Integers {
    fn key(&self, group: Group) -> Option<i64> {
        if self.null == Some(group) {
            return None;
        }
        self.keys.get(group as usize).copied()
    }

    fn insert(&mut self, key: i64) -> Group {
        let hash = hash_integer(key);
        match self.table.entry(hash, |(k, _)| *k == key, |(k, _)| hash_integer(*k)) {
            Entry::Occupied(found) => found.get().1,
            Entry::Vacant(vacant) => {
                let group = next(self.keys.len());
                vacant.insert((key, group));
                self.keys.push(key);
                group
            }
        }
    }

    fn insert_null(&mut self) -> Group {
        if let Some(group) = self.null {
            return group;
        }
        let group = next(self.keys.len());
        self.keys.push(0);
        self.null = Some(group);
        group
    }

    fn number(&mut self, values: &Int64Array, rows: Range<usize>, groups: &mut Vec<Group>) {
        if values.null_count() == 0 {
            let keys = values.values().get(rows).unwrap_or_default();
            groups.extend(keys.iter().map(|key| self.insert(*key)));
            return;
        }
        for row in rows {
            let null = Keys::is_null(values, row);
            groups.push(if null { self.insert_null() } else { self.insert(values.value(row)) });
        }
    }
}

impl Bytes {
    fn key(&self, group: Group) -> &[u8] {
        key_at(&self.bytes, &self.ends, group)
    }

    fn find(&self, key: &[u8]) -> Option<Group> {
        let hash = HASHER.hash_one(key);
        let found = self.table.find(hash, |(h, group)| *h == hash && self.key(*group) == key);
        found.map(|(_, group)| *group)
    }

    fn insert(&mut self, key: &[u8]) -> Group {
        let hash = HASHER.hash_one(key);
        let Self { table, bytes, ends } = self;
        let same = |(h, group): &(u64, Group)| *h == hash && key_at(bytes, ends, *group) == key;
        match table.entry(hash, same, |(h, _)| *h) {
            Entry::Occupied(found) => found.get().1,
            Entry::Vacant(vacant) => {
                let group = next(ends.len());
                vacant.insert((hash, group));
                bytes.extend_from_slice(key);
                ends.push(bytes.len());
                group
            }
        }
    }

    fn number(&mut self, values: &Rows, rows: Range<usize>, groups: &mut Vec<Group>) {
        groups.extend(rows.map(|row| self.insert(values.row(row).data())));
    }
}

fn key_at<'a>(bytes: &'a [u8], ends: &[usize], group: Group) -> &'a [u8] {
    let group = group as usize;
    let from = group.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    let to = ends.get(group).copied().unwrap_or(from);
    bytes.get(from..to).unwrap_or_default()
}
