//! Which sessions there are, by key.

use std::collections::HashMap;

use crate::aggregate::Group;

const NONE: u32 = u32::MAX;

/// Number of a session; the group of its aggregates.
pub(super) type Id = Group;

/// One session, `[start, end)` in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) key: Group,
    pub(super) start: i64,
    pub(super) end: i64,
    /// When the calendar looks at it next.
    pub(super) queued: i64,
    /// Whether it began with the batch at hand.
    fresh: bool,
    /// Whether a snapshot has it, by its key and start.
    pub(super) stored: bool,
    alive: bool,
    /// The next session of the key.
    next: Id,
}

/// A session as it was before the batch at hand changed its bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) id: Id,
    pub(super) key: Group,
    pub(super) start: i64,
    pub(super) end: i64,
}

/// What a batch did beyond adding rows.
#[derive(Debug)]
pub(super) struct Changes {
    /// Sessions that became part of another one.
    merged: Vec<(Id, Id)>,
    /// Sessions that end before this were given.
    given_before: i64,
    /// Sessions that were given and whose bounds changed, once each, as they were.
    pub(super) moved: Vec<Before>,
    /// Sessions that began.
    fresh: Vec<Id>,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Book {
    sessions: Vec<Session>,
    free: Vec<Id>,
    /// The first session of each key.
    heads: Vec<Id>,
    /// Number of keys that have sessions.
    keys: usize,
    /// Key and start of stored sessions that are gone or start elsewhere.
    pub(super) deleted: Vec<(Group, i64)>,
}

impl Changes {
    /// None yet; sessions that end before `given_before` were given and can be corrected.
    pub(super) const fn new(given_before: i64) -> Self {
        Self { merged: Vec::new(), given_before, moved: Vec::new(), fresh: Vec::new() }
    }

    /// Sessions that began.
    pub(super) fn fresh(&self) -> &[Id] {
        &self.fresh
    }

    /// Keeps the bounds that a session had before the batch.
    fn note(&mut self, id: Id, session: &Session) {
        let given = !session.fresh && session.end < self.given_before;
        if given && !self.moved.iter().any(|before| before.id == id) {
            let Session { key, start, end, .. } = *session;
            self.moved.push(Before { id, key, start, end });
        }
    }
}

impl Book {
    /// A session that is there.
    pub(super) fn get(&self, id: Id) -> Option<&Session> {
        self.sessions.get(id as usize).filter(|session| session.alive)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Session> {
        self.sessions.get_mut(id as usize).filter(|session| session.alive)
    }

    /// The sessions of a key.
    fn of_key(&self, key: Group) -> impl Iterator<Item = (Id, &Session)> {
        let mut next = self.heads.get(key as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let id = next;
            let session = self.sessions.get(id as usize)?;
            next = session.next;
            Some((id, session))
        })
    }

    /// Number of keys that have sessions.
    pub(super) const fn keys(&self) -> usize {
        self.keys
    }

    /// All sessions that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Session)> {
        (0..).zip(&self.sessions).filter(|(_, session)| session.alive)
    }

    /// The session of a row of `key` that keeps one open from `start` to `end`; `None` where there
    /// is none and `may_open` does not allow a new one.
    pub(super) fn place(
        &mut self,
        key: Group,
        (start, end): (i64, i64),
        may_open: bool,
        changes: &mut Changes,
    ) -> Option<Id> {
        let (one, several) = {
            let overlap = self.of_key(key).filter(|(_, s)| s.start < end && start < s.end);
            let mut overlap = overlap.map(|(id, s)| (id, s.start <= start && s.end >= end));
            (overlap.next(), overlap.next().is_some())
        };
        match one {
            None => may_open.then(|| {
                let id = self.open(key, start, end);
                changes.fresh.push(id);
                id
            }),
            Some((id, true)) if !several => Some(id),
            Some((id, false)) if !several => {
                self.widen(id, start, end, changes);
                Some(id)
            }
            Some(_) => Some(self.bridge(key, start, end, changes)),
        }
    }

    /// Makes one session of all that overlap `[start, end)`: one that was there before the batch,
    /// where there is one, because it may have a state at rest.
    fn bridge(&mut self, key: Group, start: i64, end: i64, changes: &mut Changes) -> Id {
        let mut overlap: Vec<(bool, i64, Id)> = self
            .of_key(key)
            .filter(|(_, s)| s.start < end && start < s.end)
            .map(|(id, s)| (s.fresh, s.start, id))
            .collect();
        overlap.sort_unstable();
        let (mut start, mut end) = (start, end);
        let mut ids = overlap.into_iter().map(|(_, _, id)| id);
        let into = ids.next().unwrap_or(NONE);
        for id in ids {
            if let Some(session) = self.get(id).copied() {
                (start, end) = (start.min(session.start), end.max(session.end));
                changes.note(id, &session);
                self.unlink(id);
                changes.merged.push((id, into));
            }
        }
        self.widen(into, start, end, changes);
        into
    }

    fn widen(&mut self, id: Id, start: i64, end: i64, changes: &mut Changes) {
        let Self { sessions, deleted, .. } = self;
        if let Some(session) = sessions.get_mut(id as usize) {
            changes.note(id, session);
            if start < session.start && session.stored {
                deleted.push((session.key, session.start));
                session.stored = false;
            }
            session.start = session.start.min(start);
            session.end = session.end.max(end);
        }
    }

    /// Begins a session.
    pub(super) fn open(&mut self, key: Group, start: i64, end: i64) -> Id {
        if self.heads.len() <= key as usize {
            self.heads.resize(key as usize + 1, NONE);
        }
        let id = self.free.pop().unwrap_or_else(|| {
            u32::try_from(self.sessions.len()).expect("invariant: memory ends before that")
        });
        let Some(head) = self.heads.get_mut(key as usize) else {
            return id;
        };
        let next = std::mem::replace(head, id);
        self.keys += usize::from(next == NONE);
        let session = Session {
            key,
            start,
            end,
            queued: i64::MIN,
            fresh: true,
            stored: false,
            alive: true,
            next,
        };
        match self.sessions.get_mut(id as usize) {
            Some(place) => *place = session,
            None => self.sessions.push(session),
        }
        id
    }

    /// Takes a session out of the list of its key.
    fn unlink(&mut self, id: Id) {
        let Some(session) = self.sessions.get_mut(id as usize) else {
            return;
        };
        session.alive = false;
        let (key, next) = (session.key, session.next);
        if session.stored {
            self.deleted.push((key, session.start));
        }
        let before = self.of_key(key).find(|(_, s)| s.next == id).map(|(before, _)| before);
        match before.and_then(|before| self.sessions.get_mut(before as usize)) {
            Some(before) => before.next = next,
            None => {
                if let Some(head) = self.heads.get_mut(key as usize) {
                    *head = next;
                    self.keys -= usize::from(next == NONE);
                }
            }
        }
    }

    /// Ends a session that is over; snapshots know of it by its expiry.
    pub(super) fn close(&mut self, id: Id) {
        if let Some(session) = self.get_mut(id) {
            session.stored = false;
            self.unlink(id);
            self.free.push(id);
        }
    }

    /// The session of a key that starts at `start`.
    pub(super) fn find(&self, key: Group, start: i64) -> Option<Id> {
        self.of_key(key).find(|(_, s)| s.start == start).map(|(id, _)| id)
    }

    /// After a batch: the group of each row, once sessions were merged, and which groups to merge.
    pub(super) fn settle(&mut self, changes: &Changes, rows: &mut [Id]) -> Vec<(Id, Id)> {
        let mut pairs = Vec::new();
        if !changes.merged.is_empty() {
            let into: HashMap<Id, Id> = changes.merged.iter().copied().collect();
            let resolve = |mut id: Id| {
                while let Some(next) = into.get(&id) {
                    id = *next;
                }
                id
            };
            rows.iter_mut().for_each(|id| *id = resolve(*id));
            for (from, _) in &changes.merged {
                if self.sessions.get(*from as usize).is_some_and(|s| !s.fresh) {
                    pairs.push((*from, resolve(*from)));
                }
                self.free.push(*from);
            }
        }
        for id in &changes.fresh {
            if let Some(session) = self.sessions.get_mut(*id as usize) {
                session.fresh = false;
            }
        }
        pairs
    }

    /// Numbers keys anew: `number` tells the new number of each key that has sessions.
    pub(super) fn renumber(&mut self, mut number: impl FnMut(Group) -> Group) {
        let heads = std::mem::take(&mut self.heads);
        for (key, head) in (0..).zip(heads).filter(|(_, head)| *head != NONE) {
            let new = number(key);
            let ids: Vec<Id> = {
                self.heads.resize(self.heads.len().max(new as usize + 1), NONE);
                if let Some(place) = self.heads.get_mut(new as usize) {
                    *place = head;
                }
                self.of_key(new).map(|(id, _)| id).collect()
            };
            for id in ids {
                if let Some(session) = self.sessions.get_mut(id as usize) {
                    session.key = new;
                }
            }
        }
    }

    /// Takes note that restored sessions were there before the next batch.
    pub(super) fn restored(&mut self, id: Id) {
        if let Some(session) = self.sessions.get_mut(id as usize) {
            session.fresh = false;
            session.stored = true;
        }
    }

    /// Bytes of memory.
    pub(super) const fn size(&self) -> usize {
        self.sessions.capacity() * size_of::<Session>()
            + (self.heads.capacity() + self.free.capacity()) * 4
    }
}
