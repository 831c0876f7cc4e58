//! Partial states at rest: immutable Arrow columns, the newest row of a group wins.
//!
//! Rows of changed groups are appended as chunks and chunks of like size are joined, as in a
//! log-structured merge tree (O'Neil et al. 1996), so that a row is copied a logarithmic number of
//! times. Chunks since the last snapshot are kept apart: joined, they are the next one.

use arrow::array::ArrayRef;
use arrow::compute::interleave;
use swiftwater_engine::Result;

use super::key_index::Group;

/// Rows beyond twice the live ones that are borne before dead ones are taken out.
const SPARE_ROWS: usize = 8192;

#[derive(Debug)]
struct Chunk {
    groups: Vec<Group>,
    columns: Vec<ArrayRef>,
    /// Rows that are the newest of their group.
    live: usize,
}

/// Where a group's newest row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    chunk: u32,
    row: u32,
}

const NOWHERE: Place = Place { chunk: u32::MAX, row: 0 };

/// Rows with their groups.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) groups: Vec<Group>,
    pub(crate) columns: Vec<ArrayRef>,
}

/// The partial states of groups.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    chunks: Vec<Chunk>,
    places: Vec<Place>,
    /// Chunks that a snapshot has.
    sealed: usize,
}

#[expect(clippy::cast_possible_truncation, reason = "a chunk has fewer than four billion rows")]
const fn small(number: usize) -> u32 {
    number as u32
}

impl Chunks {
    /// Whether no group is here.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether a group is here.
    pub(super) fn has(&self, group: Group) -> bool {
        self.places.get(group as usize).is_some_and(|place| *place != NOWHERE)
    }

    /// Adds rows; they take the place of earlier ones of their groups.
    ///
    /// # Errors
    /// None in practice: the columns have the same types.
    pub(super) fn push(&mut self, groups: Vec<Group>, columns: Vec<ArrayRef>) -> Result<()> {
        self.append(groups, columns);
        self.tidy(self.sealed)
    }

    /// Adds rows that a snapshot has already.
    ///
    /// # Errors
    /// As for [`Chunks::push`].
    pub(super) fn push_sealed(&mut self, groups: Vec<Group>, columns: Vec<ArrayRef>) -> Result<()> {
        self.append(groups, columns);
        self.sealed = self.chunks.len();
        self.tidy(0)?;
        self.sealed = self.chunks.len();
        Ok(())
    }

    fn append(&mut self, groups: Vec<Group>, columns: Vec<ArrayRef>) {
        let chunk = small(self.chunks.len());
        self.chunks.push(Chunk { groups: Vec::new(), columns, live: 0 });
        let top = groups.iter().max().map_or(0, |group| *group as usize + 1);
        if top > self.places.len() {
            self.places.resize(top, NOWHERE);
        }
        for (row, group) in groups.iter().enumerate() {
            let Some(place) = self.places.get_mut(*group as usize) else {
                continue;
            };
            let before = std::mem::replace(place, Place { chunk, row: small(row) });
            if let Some(chunk) = self.chunks.get_mut(before.chunk as usize) {
                chunk.live -= 1;
            }
            if let Some(chunk) = self.chunks.last_mut() {
                chunk.live += 1;
            }
        }
        if let Some(last) = self.chunks.last_mut() {
            last.groups = groups;
        }
    }

    /// Whether the newest row of a group is in a snapshot.
    pub(super) fn is_sealed(&self, group: Group) -> bool {
        let place = self.places.get(group as usize);
        place.is_some_and(|place| (place.chunk as usize) < self.sealed)
    }

    /// Takes a group away, where it is here.
    pub(super) fn forget(&mut self, group: Group) {
        let Some(place) = self.places.get_mut(group as usize) else {
            return;
        };
        let before = std::mem::replace(place, NOWHERE);
        if let Some(chunk) = self.chunks.get_mut(before.chunk as usize) {
            chunk.live -= 1;
        }
    }

    /// The rows of some groups, all of which are here.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn gather(&self, groups: impl Iterator<Item = Group>) -> Result<Vec<ArrayRef>> {
        let places = groups.filter_map(|group| self.places.get(group as usize));
        let indices: Vec<(usize, usize)> =
            places.map(|p| (p.chunk as usize, p.row as usize)).collect();
        pick(&self.chunks, &indices)
    }

    /// What changed since this was last called.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn seal(&mut self) -> Result<Option<Rows>> {
        self.join(self.sealed)?;
        let changed = self.chunks.get(self.sealed);
        let rows = changed
            .map(|chunk| Rows { groups: chunk.groups.clone(), columns: chunk.columns.clone() });
        self.sealed = self.chunks.len();
        self.tidy(0)?;
        self.sealed = self.chunks.len();
        Ok(rows)
    }

    /// All rows, chunk by chunk.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn all(&self) -> Result<Vec<Rows>> {
        let numbered = self.chunks.iter().enumerate().filter(|(_, chunk)| chunk.live > 0);
        let rows = numbered.map(|(number, chunk)| {
            if chunk.live == chunk.groups.len() {
                return Ok(Rows { groups: chunk.groups.clone(), columns: chunk.columns.clone() });
            }
            let (groups, indices) = self.live(number, number + 1);
            Ok(Rows { groups, columns: pick(&self.chunks, &indices)? })
        });
        rows.collect()
    }

    /// The groups and places of the live rows of some chunks.
    fn live(&self, from: usize, to: usize) -> (Vec<Group>, Vec<(usize, usize)>) {
        let chunks = self.chunks.get(from..to).unwrap_or_default();
        let count = chunks.iter().map(|chunk| chunk.live).sum();
        let (mut groups, mut indices) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (chunk, held) in (from..to).zip(chunks) {
            for (row, group) in held.groups.iter().enumerate() {
                let place = Place { chunk: small(chunk), row: small(row) };
                if self.places.get(*group as usize) == Some(&place) {
                    groups.push(*group);
                    indices.push((chunk, row));
                }
            }
        }
        (groups, indices)
    }

    /// Joins neighbours of like size from chunk `first` on, and takes dead rows out.
    fn tidy(&mut self, first: usize) -> Result<()> {
        let chunks = self.chunks.get(first..).unwrap_or_default();
        let (live, rows) =
            chunks.iter().fold((0, 0), |sum, c| (sum.0 + c.live, sum.1 + c.groups.len()));
        if rows > 2 * live + SPARE_ROWS {
            return self.join(first);
        }
        let mut from = self.chunks.len();
        let mut joined = 0;
        while let Some(before) = from.checked_sub(1).filter(|before| *before >= first) {
            let live = self.chunks.get(before).map_or(0, |chunk| chunk.live);
            if from < self.chunks.len() && live > 2 * joined {
                break;
            }
            joined += live;
            from = before;
        }
        if self.chunks.len() - from > 1 { self.join(from) } else { Ok(()) }
    }

    /// Joins the chunks from `from` on into one of live rows, or none.
    fn join(&mut self, from: usize) -> Result<()> {
        match self.chunks.get(from..).unwrap_or_default() {
            [] => return Ok(()),
            [one] if one.live == one.groups.len() && one.live > 0 => return Ok(()),
            _ => {}
        }
        let (groups, indices) = self.live(from, self.chunks.len());
        let columns = pick(&self.chunks, &indices)?;
        self.chunks.truncate(from);
        if groups.is_empty() {
            return Ok(());
        }
        let chunk = small(from);
        for (row, group) in groups.iter().enumerate() {
            if let Some(place) = self.places.get_mut(*group as usize) {
                *place = Place { chunk, row: small(row) };
            }
        }
        let live = groups.len();
        self.chunks.push(Chunk { groups, columns, live });
        Ok(())
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        let columns = self.chunks.iter().flat_map(|chunk| &chunk.columns);
        let rows: usize = self.chunks.iter().map(|chunk| chunk.groups.capacity() * 4).sum();
        columns.map(|column| column.get_array_memory_size()).sum::<usize>()
            + rows
            + self.places.capacity() * 8
    }
}

/// Rows of chunks, by chunk and row.
fn pick(chunks: &[Chunk], indices: &[(usize, usize)]) -> Result<Vec<ArrayRef>> {
    let width = chunks.first().map_or(0, |chunk| chunk.columns.len());
    let column = |number: usize| {
        let arrays = chunks.iter().filter_map(|chunk| chunk.columns.get(number));
        let arrays: Vec<_> = arrays.map(AsRef::as_ref).collect();
        Ok(interleave(&arrays, indices)?)
    };
    (0..width).map(column).collect()
}
