//! The commit point: the one place where an epoch becomes true, outputs and positions at once.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::message::Epoch;
use crate::source::Position;

/// What an external system remembers of the last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The epoch that was committed.
    pub epoch: Epoch,
    /// Name of its manifest in the object store.
    pub manifest: String,
}

/// Commits epochs in an external system, such as by a Kafka transaction that carries the outputs of
/// every Kafka sink, the positions of the sources and the manifest's name.
pub trait CommitPoint: Send + Sync {
    /// Fences every earlier process of this topology, ends what they left open, and says which
    /// epoch was committed last. Called once, before sources and sinks open.
    ///
    /// # Errors
    /// `Unavailable` is tried again.
    fn recover(&self) -> Result<Option<Committed>>;

    /// Makes an epoch true: everything sinks have staged in this system, the positions of the
    /// sources (by node) and the manifest's name, all or nothing.
    ///
    /// # Errors
    /// `Unavailable` where the outcome is unknown or the epoch was aborted: the engine starts again
    /// from what [`CommitPoint::recover`] then says. `State` (`SW4310`) where a newer process of
    /// this topology has taken over.
    fn commit(&self, committed: &Committed, positions: &[(String, Position)]) -> Result<()>;
}

/// Things that nodes of one running topology share, such as the producer of a transaction: made by
/// whoever needs it first.
#[derive(Default)]
pub struct Shared(Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// The thing of this name, made by `make` where there is none yet.
    ///
    /// # Errors
    /// What `make` says.
    pub fn get_or_make<T: Any + Send + Sync>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = things.get(name)
            && let Ok(thing) = Arc::clone(there).downcast::<T>()
        {
            return Ok(thing);
        }
        let made = Arc::new(make()?);
        things.insert(name.to_owned(), Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        Ok(made)
    }
}
