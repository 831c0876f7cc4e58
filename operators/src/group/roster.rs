//! The keys that are remembered, the group of each, and when it is forgotten.

use std::collections::BTreeMap;

use crate::aggregate::{Group, KeyIndex, Keys};

const NONE: u32 = u32::MAX;
/// Keys beyond twice the remembered ones that are borne before they are numbered anew.
const BEARABLE: usize = 8192;

/// Group of a key's aggregates; given to another key once the first is forgotten.
pub(super) type Id = Group;

#[derive(Debug, Clone, Copy)]
struct Member {
    key: Group,
    /// Time of the newest row, in milliseconds.
    last: i64,
    /// When the calendar looks at it next.
    queued: i64,
}

/// The keys that are remembered.
#[derive(Debug, Default)]
pub(super) struct Roster {
    keys: Option<KeyIndex>,
    /// The group of each key.
    ids: Vec<Id>,
    members: Vec<Member>,
    free: Vec<Id>,
    /// Groups by the time at which they may be forgotten; newer rows do not move them.
    calendar: BTreeMap<i64, Vec<Id>>,
}

impl Roster {
    /// The number of each key.
    pub(super) fn number(&mut self, keys: &Keys, rows: usize) -> Vec<Group> {
        let index = self.keys.get_or_insert_with(|| KeyIndex::like(keys));
        let mut numbers = Vec::with_capacity(rows);
        index.number(keys, 0..rows, &mut numbers);
        self.ids.resize(index.len(), NONE);
        numbers
    }

    /// The keys by number.
    pub(super) const fn keys(&self) -> Option<&KeyIndex> {
        self.keys.as_ref()
    }

    /// The number of a group's key.
    pub(super) fn key(&self, id: Id) -> Group {
        self.members.get(id as usize).map_or(0, |member| member.key)
    }

    /// Time of the newest row of a group.
    pub(super) fn last(&self, id: Id) -> i64 {
        self.members.get(id as usize).map_or(0, |member| member.last)
    }

    /// The group of a row; `None` where the key has none and `may_open` does not allow a new one.
    pub(super) fn place(
        &mut self,
        key: Group,
        time: i64,
        may_open: bool,
        ttl: Option<i64>,
    ) -> Option<Id> {
        let id = self.ids.get(key as usize).copied().unwrap_or(NONE);
        if let Some(member) = self.members.get_mut(id as usize) {
            member.last = member.last.max(time);
            return Some(id);
        }
        may_open.then(|| self.open(key, time, ttl))
    }

    fn open(&mut self, key: Group, time: i64, ttl: Option<i64>) -> Id {
        let id = self.free.pop().unwrap_or_else(|| {
            u32::try_from(self.members.len()).expect("invariant: memory ends before that")
        });
        if let Some(place) = self.ids.get_mut(key as usize) {
            *place = id;
        }
        let queued = ttl.map_or(i64::MAX, |ttl| time + ttl);
        let member = Member { key, last: time, queued };
        match self.members.get_mut(id as usize) {
            Some(place) => *place = member,
            None => self.members.push(member),
        }
        if ttl.is_some() {
            self.calendar.entry(queued).or_default().push(id);
        }
        id
    }

    /// The time at which the next key may be forgotten.
    pub(super) fn next(&self) -> Option<i64> {
        self.calendar.first_key_value().map(|(at, _)| *at)
    }

    /// The groups that have had no rows for `ttl` at `to`, in the order in which they are found.
    pub(super) fn expired(&mut self, to: i64, ttl: i64) -> Vec<Id> {
        let mut expired = Vec::new();
        while let Some(entry) = self.calendar.first_entry().filter(|entry| *entry.key() <= to) {
            let (at, ids) = entry.remove_entry();
            for id in ids {
                let Some(member) = self.members.get_mut(id as usize).filter(|m| m.queued == at)
                else {
                    continue;
                };
                let until = member.last + ttl;
                if until <= to {
                    member.queued = i64::MAX;
                    expired.push(id);
                } else {
                    member.queued = until;
                    self.calendar.entry(until).or_default().push(id);
                }
            }
        }
        expired
    }

    /// Forgets a group's key.
    pub(super) fn close(&mut self, id: Id) {
        let key = self.key(id);
        if let Some(place) = self.ids.get_mut(key as usize) {
            *place = NONE;
        }
        self.free.push(id);
    }

    /// Numbers the keys anew where most are forgotten.
    pub(super) fn forget_keys(&mut self) {
        let Some(index) = &self.keys else {
            return;
        };
        let remembered = self.members.len() - self.free.len();
        if index.len() <= 2 * remembered + BEARABLE {
            return;
        }
        let mut fresh = KeyIndex::empty_like(index);
        let live = (0..).zip(&self.ids).filter(|(_, id)| **id != NONE);
        let (keys, ids): (Vec<Group>, Vec<Id>) = live.unzip();
        fresh.absorb(index, keys.into_iter());
        for (key, id) in (0..).zip(&ids) {
            if let Some(member) = self.members.get_mut(*id as usize) {
                member.key = key;
            }
        }
        self.ids = ids;
        self.keys = Some(fresh);
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, KeyIndex::size);
        let queued = self.calendar.len() * size_of::<(i64, Vec<Id>)>();
        keys + (self.ids.capacity() + self.free.capacity()) * 4
            + self.members.capacity() * size_of::<Member>()
            + queued
    }
}
