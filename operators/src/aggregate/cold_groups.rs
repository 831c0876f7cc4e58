//! Groups that nothing is added to, on the local disk: their keys and partial states, in the order
//! of their numbers.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use swiftwater_engine::{Result, SpillRoom};

use super::groups::Groups;
use super::key_index::Group;
use super::keys::{KeyColumns, Keys};
use super::plan::Aggregates;
use crate::keyed::{ColdRows, ColdStore, RawRows};

/// Groups that are written or read at once.
const PIECE: Group = 8192;

/// Groups on disk.
pub(crate) struct ColdGroups {
    store: Arc<ColdStore>,
    pieces: Vec<ColdRows>,
}

impl ColdGroups {
    /// A file for groups; `None` where they cannot be written.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the file cannot be made.
    pub(crate) fn store(
        plan: &Aggregates,
        key: &KeyColumns,
        room: &SpillRoom,
    ) -> Result<Option<Arc<ColdStore>>> {
        let states = plan.state_fields();
        let types: Vec<DataType> =
            key.fields().iter().chain(&states).map(|f| f.data_type().clone()).collect();
        Ok(ColdStore::open(&types, room)?.map(Arc::new))
    }

    /// Writes groups; `None` where they do not go there.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is full or broken.
    pub(crate) fn write(
        groups: &mut Groups,
        plan: &Aggregates,
        key: &KeyColumns,
        store: &Arc<ColdStore>,
    ) -> Result<Option<Self>> {
        let count = Group::try_from(groups.index().len()).unwrap_or(Group::MAX);
        let mut pieces = Vec::new();
        for from in (0..count).step_by(PIECE as usize) {
            let some: Vec<Group> = (from..count.min(from.saturating_add(PIECE))).collect();
            let Some(columns) = groups.at_rest(plan, key, &some)? else {
                return Ok(None);
            };
            match store.write(&store.encode(&columns)?)? {
                Some(rows) => pieces.push(rows),
                None => return Ok(None),
            }
        }
        Ok(Some(Self { store: Arc::clone(store), pieces }))
    }

    /// Hands over the keys and states of all groups, piece by piece.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is broken, and what `take` says.
    pub(super) fn each(
        &self,
        key: &KeyColumns,
        mut take: impl FnMut(&Keys, usize, &[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        for piece in &self.pieces {
            let mut raw = RawRows::default();
            let rows: Vec<usize> = (0..piece.len()).collect();
            piece.read(&rows, &mut raw)?;
            let columns = self.store.decode(&raw)?;
            let (keys, states) = columns.split_at_checked(key.fields().len()).unwrap_or_default();
            take(&key.keys(keys)?, rows.len(), states)?;
        }
        Ok(())
    }

    /// The groups in memory, with the same numbers; a snapshot has all of them.
    ///
    /// # Errors
    /// `State` (`SW4327`) where the disk is broken.
    pub(crate) fn read(&self, plan: &Aggregates, key: &KeyColumns) -> Result<Option<Groups>> {
        let mut groups = None;
        self.each(key, |keys, rows, states| {
            let groups = match &mut groups {
                Some(groups) => groups,
                empty => empty.insert(Groups::new(plan, keys, false)?),
            };
            groups.restore(keys, 0..rows, states)
        })?;
        Ok(groups)
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pieces.iter().map(ColdRows::memory_bytes).sum()
    }

    /// Bytes of the disk.
    pub(crate) fn disk_bytes(&self) -> usize {
        self.pieces.iter().map(ColdRows::disk_bytes).sum()
    }
}
