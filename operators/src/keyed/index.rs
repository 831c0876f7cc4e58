//! An index of keys: each key that is present has a slot, a small number under which operators keep
//! what belongs to it. Keys are not allocated one by one: a single integer stands in a column, other
//! keys in the row encoding of Arrow, one behind the other.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, new_empty_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;
use swiftwater_engine::{Error, Result, key_group};

/// Number of a key while it is present; numbers of removed keys are given out again.
pub(crate) type Slot = u32;

/// Stands for a key that is not there.
pub(crate) const NO_SLOT: Slot = Slot::MAX;

/// Garbage below this many bytes is left lying.
const LITTLE: usize = 64 * 1024;

/// Keys and their slots. Null is a value of its own: all nulls are one key.
pub(crate) struct KeyIndex {
    keys: Keys,
    table: HashTable<Slot>,
    hashes: Vec<u64>,
    free: Vec<Slot>,
}

/// The keys by slot.
enum Keys {
    /// No column: one key.
    Single,
    /// One column of integers.
    Integers { of: DataType, values: Vec<Option<i64>> },
    /// Anything else, row-encoded in one arena.
    Rows {
        types: Vec<DataType>,
        converter: RowConverter,
        arena: Vec<u8>,
        spans: Vec<Span>,
        dead: usize,
    },
}

#[derive(Clone, Copy, Default)]
struct Span {
    from: usize,
    length: usize,
}

/// The keys of a batch in the form of the index.
enum Encoded {
    Single,
    Integers(Int64Array),
    Rows(Rows),
}

fn fits_integer(of: &DataType) -> bool {
    use DataType::{Date64, Int8, Int16, Int32, Int64, Timestamp, UInt8, UInt16, UInt32};
    matches!(of, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Timestamp(..) | Date64)
}

impl Keys {
    fn new(types: &[DataType]) -> Result<Self> {
        match types {
            [] => Ok(Self::Single),
            [one] if fits_integer(one) => {
                Ok(Self::Integers { of: one.clone(), values: Vec::new() })
            }
            many => {
                let fields = many.iter().map(|t| SortField::new(t.clone())).collect();
                let converter = RowConverter::new(fields)
                    .map_err(|e| Error::bug("encode a key").with_source(e))?;
                Ok(Self::Rows {
                    types: many.to_vec(),
                    converter,
                    arena: Vec::new(),
                    spans: Vec::new(),
                    dead: 0,
                })
            }
        }
    }

    fn encode(&self, columns: &[ArrayRef]) -> Result<Encoded> {
        Ok(match (self, columns) {
            (Self::Integers { .. }, [one]) => {
                Encoded::Integers(cast(one, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            (Self::Rows { converter, .. }, many) => Encoded::Rows(converter.convert_columns(many)?),
            _ => Encoded::Single,
        })
    }

    fn is(&self, slot: Slot, keys: &Encoded, row: usize) -> bool {
        match (self, keys) {
            (Self::Integers { values, .. }, Encoded::Integers(keys)) => {
                values.get(slot as usize).is_some_and(|held| *held == integer(keys, row))
            }
            (Self::Rows { arena, spans, .. }, Encoded::Rows(keys)) => {
                bytes(arena, spans, slot) == keys.row(row).data()
            }
            _ => true,
        }
    }

    fn put(&mut self, slot: Slot, keys: &Encoded, row: usize) {
        match (self, keys) {
            (Self::Integers { values, .. }, Encoded::Integers(keys)) => {
                place(values, slot, integer(keys, row));
            }
            (Self::Rows { arena, spans, .. }, Encoded::Rows(keys)) => {
                let key = keys.row(row);
                let span = Span { from: arena.len(), length: key.data().len() };
                arena.extend_from_slice(key.data());
                place(spans, slot, span);
            }
            _ => {}
        }
    }

    fn remove(&mut self, slot: Slot) {
        if let Self::Rows { spans, arena, dead, .. } = self
            && let Some(span) = spans.get_mut(slot as usize)
        {
            *dead += span.length;
            *span = Span::default();
            if *dead > LITTLE && *dead * 2 > arena.len() {
                compact(arena, spans);
                *dead = 0;
            }
        }
    }

    fn columns(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Single => Ok(Vec::new()),
            Self::Integers { of, values } => {
                let value = |slot: &Slot| values.get(*slot as usize).copied().flatten();
                let column: Int64Array = slots.iter().map(value).collect();
                Ok(vec![narrow(column, of)?])
            }
            Self::Rows { types, converter, arena, spans, .. } => {
                if slots.is_empty() {
                    return Ok(types.iter().map(new_empty_array).collect());
                }
                let parser = converter.parser();
                let rows = slots.iter().map(|slot| parser.parse(bytes(arena, spans, *slot)));
                Ok(converter.convert_rows(rows)?)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Single => 0,
            Self::Integers { values, .. } => values.capacity() * size_of::<Option<i64>>(),
            Self::Rows { arena, spans, .. } => {
                arena.capacity() + spans.capacity() * size_of::<Span>()
            }
        }
    }
}

fn narrow(column: Int64Array, of: &DataType) -> Result<ArrayRef> {
    let column: ArrayRef = std::sync::Arc::new(column);
    Ok(cast(&column, of)?)
}

fn integer(keys: &Int64Array, row: usize) -> Option<<Int64Type as ArrowPrimitiveType>::Native> {
    (!keys.is_null(row)).then(|| keys.value(row))
}

fn bytes<'a>(arena: &'a [u8], spans: &[Span], slot: Slot) -> &'a [u8] {
    let span = spans.get(slot as usize).copied().unwrap_or_default();
    arena.get(span.from..span.from + span.length).unwrap_or_default()
}

fn place<T: Clone + Default>(values: &mut Vec<T>, slot: Slot, value: T) {
    let at = slot as usize;
    if at >= values.len() {
        values.resize(at + 1, T::default());
    }
    if let Some(held) = values.get_mut(at) {
        *held = value;
    }
}

fn compact(arena: &mut Vec<u8>, spans: &mut [Span]) {
    let mut kept = Vec::with_capacity(arena.len() / 2);
    for span in spans.iter_mut().filter(|s| s.length > 0) {
        let from = kept.len();
        kept.extend_from_slice(arena.get(span.from..span.from + span.length).unwrap_or_default());
        span.from = from;
    }
    *arena = kept;
}

impl KeyIndex {
    /// An empty index of keys of these types.
    pub(crate) fn new(types: &[DataType]) -> Result<Self> {
        let keys = Keys::new(types)?;
        Ok(Self { keys, table: HashTable::new(), hashes: Vec::new(), free: Vec::new() })
    }

    /// The slot of each row's key into `slots`; a new key gets one. Slots of new keys are either
    /// above all earlier ones or were removed before.
    pub(crate) fn insert(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        slots: &mut Vec<Slot>,
    ) -> Result<()> {
        let encoded = self.keys.encode(columns)?;
        let hashes = hashes(columns, rows)?;
        slots.clear();
        for (row, hash) in hashes.into_iter().enumerate() {
            let found = self.table.find(hash, |slot| self.keys.is(*slot, &encoded, row)).copied();
            slots.push(match found {
                Some(slot) => slot,
                None => self.add(hash, &encoded, row)?,
            });
        }
        Ok(())
    }

    fn add(&mut self, hash: u64, encoded: &Encoded, row: usize) -> Result<Slot> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => Slot::try_from(self.hashes.len()).ok().filter(|s| *s != NO_SLOT).ok_or_else(
                || Error::state("SW3310", "hold more than four billion keys on one task"),
            )?,
        };
        self.keys.put(slot, encoded, row);
        place(&mut self.hashes, slot, hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, slot, |s| hashes.get(*s as usize).copied().unwrap_or(0));
        Ok(slot)
    }

    /// The slot of each row's key into `slots`, [`NO_SLOT`] for a key that is not there.
    pub(crate) fn find(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        slots: &mut Vec<Slot>,
    ) -> Result<()> {
        let encoded = self.keys.encode(columns)?;
        slots.clear();
        for (row, hash) in hashes(columns, rows)?.into_iter().enumerate() {
            let found = self.table.find(hash, |slot| self.keys.is(*slot, &encoded, row));
            slots.push(found.copied().unwrap_or(NO_SLOT));
        }
        Ok(())
    }

    /// Forgets a key that is present.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let hash = self.hashes.get(slot as usize).copied().unwrap_or(0);
        if let Ok(entry) = self.table.find_entry(hash, |s| *s == slot) {
            entry.remove();
            self.keys.remove(slot);
            self.free.push(slot);
        }
    }

    /// Forgets the keys for which `keep` says no.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(Slot) -> bool) {
        let gone: Vec<Slot> = self.table.iter().copied().filter(|slot| !keep(*slot)).collect();
        gone.into_iter().for_each(|slot| self.remove(slot));
    }

    /// The key columns of some slots.
    pub(crate) fn columns(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.keys.columns(slots)
    }

    /// Number of keys.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let own =
            self.hashes.capacity() * size_of::<u64>() + self.free.capacity() * size_of::<Slot>();
        own + self.table.allocation_size() + self.keys.bytes()
    }
}

/// The hash that also places keys on tasks: its high bits pick the task, its low ones the place in
/// the table.
fn hashes(columns: &[ArrayRef], rows: usize) -> Result<Vec<u64>> {
    if columns.is_empty() { Ok(vec![0; rows]) } else { key_group::hashes(columns) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::array::{StringArray, UInt8Array};
    use proptest::prelude::*;

    use super::*;

    type Key = (Option<u8>, Option<String>);

    fn columns(keys: &[Key], wide: bool) -> Vec<ArrayRef> {
        let numbers: UInt8Array = keys.iter().map(|k| k.0).collect();
        let texts: StringArray = keys.iter().map(|k| k.1.clone()).collect();
        if wide { vec![Arc::new(numbers), Arc::new(texts)] } else { vec![Arc::new(numbers)] }
    }

    proptest! {
        /// Against a map: inserts and removals at random, keys come back as they went in.
        #[test]
        fn an_index_is_a_map(
            batches in prop::collection::vec(
                (prop::collection::vec((prop::option::of(0u8..20), prop::option::of("[ab]{0,2}")), 1..20), 0usize..4),
                1..12,
            ),
            wide: bool,
        ) {
            let types = if wide { vec![DataType::UInt8, DataType::Utf8] } else { vec![DataType::UInt8] };
            let mut index = KeyIndex::new(&types).unwrap();
            let mut oracle: HashMap<Key, Slot> = HashMap::new();
            for (keys, removals) in batches {
                let keys: Vec<Key> = keys.into_iter().map(|k| if wide { k } else { (k.0, None) }).collect();
                let mut slots = Vec::new();
                index.find(&columns(&keys, wide), keys.len(), &mut slots).unwrap();
                for (key, slot) in keys.iter().zip(&slots) {
                    prop_assert_eq!(oracle.get(key).copied().unwrap_or(NO_SLOT), *slot);
                }
                index.insert(&columns(&keys, wide), keys.len(), &mut slots).unwrap();
                for (key, slot) in keys.iter().zip(&slots) {
                    prop_assert_eq!(*oracle.entry(key.clone()).or_insert(*slot), *slot);
                }
                let back = index.columns(&slots).unwrap();
                prop_assert_eq!(back, columns(&keys, wide));
                for slot in slots.into_iter().take(removals) {
                    if oracle.values().any(|s| *s == slot) {
                        oracle.retain(|_, s| *s != slot);
                        index.remove(slot);
                    }
                }
                prop_assert_eq!(index.len(), oracle.len());
            }
        }
    }

    #[test]
    fn removed_keys_give_their_memory_back() {
        let mut index = KeyIndex::new(&[DataType::Utf8]).unwrap();
        let mut slots = Vec::new();
        for round in 0..200 {
            let keys: StringArray =
                (0..100).map(|i| Some(format!("{round}-{i}-{}", "x".repeat(100)))).collect();
            index.insert(&[Arc::new(keys)], 100, &mut slots).unwrap();
            slots.iter().for_each(|slot| index.remove(*slot));
        }
        assert!(index.bytes() < 400_000, "{} bytes for no key", index.bytes());
    }

    #[test]
    fn without_columns_there_is_one_key() {
        let mut index = KeyIndex::new(&[]).unwrap();
        let mut slots = Vec::new();
        index.insert(&[], 3, &mut slots).unwrap();
        assert_eq!(slots, [0, 0, 0]);
        assert!(index.columns(&slots).unwrap().is_empty());
    }
}
