//! What was looked up before: rows and misses by key, for a time and up to a number.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use swiftwater_engine::Timestamp;

/// A row of a batch; `None` for a key that has none.
pub(super) type Row = Option<(Arc<RecordBatch>, usize)>;

/// How much is kept, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLimits {
    /// Most keys.
    pub(crate) rows: usize,
    /// How long a row holds.
    pub(crate) ttl: Duration,
    /// How long a miss holds.
    pub(crate) missing: Duration,
}

struct Entry {
    row: Row,
    expires: Timestamp,
}

/// The cache of one instance. The oldest entries go first.
pub(super) struct Cache {
    limits: CacheLimits,
    entries: HashMap<Arc<[u8]>, Entry>,
    order: VecDeque<Arc<[u8]>>,
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self { limits, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// What is known of a key.
    pub(super) fn get(&self, key: &[u8], now: Timestamp) -> Option<&Row> {
        self.entries.get(key).filter(|entry| now < entry.expires).map(|entry| &entry.row)
    }

    /// Remembers what was found for a key.
    pub(super) fn put(&mut self, key: &[u8], row: Row, now: Timestamp) {
        let holds = if row.is_some() { self.limits.ttl } else { self.limits.missing };
        if self.limits.rows == 0 || holds.is_zero() {
            return;
        }
        let micros = i64::try_from(holds.as_micros()).unwrap_or(i64::MAX);
        let entry = Entry { row, expires: Timestamp(now.0.saturating_add(micros)) };
        if let Some(known) = self.entries.get_mut(key) {
            *known = entry;
            return;
        }
        while self.entries.len() >= self.limits.rows
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        let key: Arc<[u8]> = key.into();
        self.order.push_back(Arc::clone(&key));
        self.entries.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire_and_the_oldest_go_first() {
        let limits = CacheLimits {
            rows: 2,
            ttl: Duration::from_micros(10),
            missing: Duration::from_micros(2),
        };
        let mut cache = Cache::new(limits);
        let rows = Arc::new(RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())));
        let known =
            |cache: &Cache, key: &str, at: i64| cache.get(key.as_bytes(), Timestamp(at)).is_some();
        cache.put(b"a", Some((Arc::clone(&rows), 0)), Timestamp(0));
        cache.put(b"b", None, Timestamp(0));
        assert!(known(&cache, "a", 9) && !known(&cache, "a", 10));
        assert!(known(&cache, "b", 1) && !known(&cache, "b", 2));
        cache.put(b"c", None, Timestamp(1));
        assert!(!known(&cache, "a", 1) && known(&cache, "b", 1) && known(&cache, "c", 1));
        cache.put(b"b", Some((rows, 0)), Timestamp(5));
        assert!(known(&cache, "b", 14), "found again, it holds anew");
        assert_eq!(cache.entries.len(), cache.order.len());
    }
}
