//! Versions of each key in event time, as joins as of a time hold them: those that the watermark has
//! not passed, and the newest one that it has. A version may be known later than it holds: then it
//! counts from that time on, and older ones are held until then.

use std::collections::{HashMap, HashSet};

use super::{Agenda, Entry, KeyIndex, RowId, Slot, Timeline};

/// Versions by key.
pub(crate) struct Versions {
    max_age: Option<i64>,
    timelines: Vec<Timeline>,
    /// Versions that will make older ones needless once the watermark has passed them.
    coming: Agenda<Slot>,
    /// Keys by the time at which their oldest version may be too old.
    expiring: Agenda<Slot>,
    /// Which keys stand in `expiring`.
    scheduled: Vec<bool>,
    held: usize,
    /// When versions were known, where that is later than their time.
    known: HashMap<RowId, i64>,
    /// Versions that say that there is none.
    gaps: HashSet<RowId>,
}

/// A version that comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    /// Event time in microseconds.
    pub(crate) time: i64,
    /// When it was known.
    pub(crate) known: i64,
    /// Whether it says that there is none from its time on.
    pub(crate) is_gap: bool,
}

impl Version {
    /// A version that is known at its time.
    pub(crate) const fn at(time: i64) -> Self {
        Self { time, known: time, is_gap: false }
    }
}

/// What asks for a version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Versions up to this time hold.
    pub(crate) until: i64,
    /// The time as of which is asked: versions were known by then, and are no older than allowed.
    pub(crate) now: i64,
}

impl Asked {
    /// Asks for the newest version up to `time`, this time included.
    pub(crate) const fn at(time: i64) -> Self {
        Self { until: time, now: time }
    }

    /// Asks for the newest version before `time`.
    pub(crate) const fn before(time: i64) -> Self {
        Self { until: time.saturating_sub(1), now: time }
    }
}

impl Versions {
    pub(crate) fn new(max_age: Option<i64>) -> Self {
        Self {
            max_age,
            timelines: Vec::new(),
            coming: Agenda::default(),
            expiring: Agenda::default(),
            scheduled: Vec::new(),
            held: 0,
            known: HashMap::new(),
            gaps: HashSet::new(),
        }
    }

    fn timeline(&self, slot: Slot) -> Option<&Timeline> {
        self.timelines.get(slot as usize)
    }

    pub(crate) fn is_empty(&self, slot: Slot) -> bool {
        self.timeline(slot).is_none_or(Timeline::is_empty)
    }

    /// When a version counts: no earlier than its time, nor than it was known.
    fn effective(&self, entry: &Entry) -> i64 {
        self.known.get(&entry.id).copied().unwrap_or(entry.time)
    }

    /// The newest version up to `until` that was known at `now`; of the same time, the one that was
    /// known last, then the one that came last.
    fn newest(&self, slot: Slot, Asked { until, now }: Asked) -> Option<&Entry> {
        let timeline = self.timeline(slot)?;
        if self.known.is_empty() {
            return timeline.newest_until(until);
        }
        let mut found: Option<(i64, &Entry)> = None;
        for entry in timeline.newest_first(until) {
            if found.is_some_and(|(_, best)| best.time > entry.time) {
                break;
            }
            let effective = self.effective(entry);
            if effective <= now && found.is_none_or(|(best, _)| effective > best) {
                found = Some((effective, entry));
            }
        }
        found.map(|(_, entry)| entry)
    }

    /// The version that holds for what is asked.
    pub(crate) fn at(&self, slot: Slot, asked: Asked) -> Option<RowId> {
        let newest = self.newest(slot, asked)?;
        let fresh = self.max_age.is_none_or(|age| asked.now.saturating_sub(newest.time) <= age);
        (fresh && !self.gaps.contains(&newest.id)).then_some(newest.id)
    }

    /// Whether no row above the watermark can ask for a version of this time.
    pub(crate) fn is_useless(&self, slot: Slot, version: Version, watermark: i64) -> bool {
        let too_old = self.is_too_old(version.time, watermark);
        let newest = self.newest(slot, Asked::at(watermark));
        let hidden = newest.is_some_and(|newest| {
            let known = (self.effective(newest), version.known.max(version.time));
            newest.time > version.time || (newest.time == version.time && known.0 > known.1)
        });
        version.time <= watermark && (too_old || hidden)
    }

    fn is_too_old(&self, time: i64, watermark: i64) -> bool {
        self.max_age.is_some_and(|age| time.saturating_add(age) <= watermark)
    }

    pub(crate) fn insert(&mut self, slot: Slot, version: Version, id: RowId) {
        let at = slot as usize;
        if at >= self.timelines.len() {
            self.timelines.resize(at + 1, Timeline::Empty);
            self.scheduled.resize(at + 1, false);
        }
        if version.known > version.time {
            self.known.insert(id, version.known);
        }
        if version.is_gap {
            self.gaps.insert(id);
        }
        if let Some(timeline) = self.timelines.get_mut(at) {
            timeline.insert(Entry { time: version.time, id, matched: false });
            self.held += 1;
        }
        self.coming.push(version.known.max(version.time), id, slot);
    }

    /// The versions that no row above the watermark can ask for; keys without one are forgotten.
    pub(crate) fn advance(&mut self, watermark: i64, index: &mut KeyIndex) -> Vec<RowId> {
        let mut gone = Vec::new();
        while let Some((_, _, slot)) = self.coming.pop_until(watermark) {
            let Some(newest) = self.newest(slot, Asked::at(watermark)).copied() else { continue };
            self.drop_hidden(slot, newest, watermark, &mut gone);
            self.schedule(slot, newest.time);
        }
        while let Some((_, _, slot)) = self.expiring.pop_until(watermark) {
            if let Some(scheduled) = self.scheduled.get_mut(slot as usize) {
                *scheduled = false;
            }
            self.expire(slot, watermark, index, &mut gone);
        }
        self.held -= gone.len();
        for id in &gone {
            self.known.remove(id);
            self.gaps.remove(id);
        }
        gone
    }

    /// Takes out what the newest version that counts hides for good: all that is older, and what is
    /// of its time and was known before it.
    fn drop_hidden(&mut self, slot: Slot, newest: Entry, watermark: i64, gone: &mut Vec<RowId>) {
        let Some(timeline) = self.timeline(slot) else { return };
        let hidden = timeline.newest_first(newest.time).filter(|entry| {
            entry.time < newest.time
                || (entry.id != newest.id && self.effective(entry) <= watermark)
        });
        let mut hidden: Vec<Entry> = hidden.copied().collect();
        hidden.reverse();
        if let Some(timeline) = self.timelines.get_mut(slot as usize) {
            for entry in hidden {
                timeline.remove(entry.time, entry.id);
                gone.push(entry.id);
            }
        }
    }

    fn schedule(&mut self, slot: Slot, time: i64) {
        if let Some(age) = self.max_age
            && let Some(scheduled) = self.scheduled.get_mut(slot as usize)
            && !std::mem::replace(scheduled, true)
        {
            self.expiring.push(time.saturating_add(age), 0, slot);
        }
    }

    fn expire(&mut self, slot: Slot, watermark: i64, index: &mut KeyIndex, gone: &mut Vec<RowId>) {
        while let Some(oldest) = self.timeline(slot).and_then(Timeline::first).copied() {
            if !self.is_too_old(oldest.time, watermark) {
                // A version that the watermark has not passed schedules itself later.
                if oldest.time <= watermark {
                    self.schedule(slot, oldest.time);
                }
                return;
            }
            if let Some(timeline) = self.timelines.get_mut(slot as usize) {
                timeline.remove(oldest.time, oldest.id);
            }
            gone.push(oldest.id);
        }
        index.remove(slot);
    }

    pub(crate) fn bytes(&self) -> usize {
        let by_slot = self.timelines.capacity() * (size_of::<Timeline>() + 1);
        let known = self.known.capacity() * 24 + self.gaps.capacity() * 16;
        let queues = self.coming.bytes() + self.expiring.bytes();
        queues + by_slot + known + self.held * size_of::<Entry>()
    }
}
