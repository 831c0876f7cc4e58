//! Versions of each key in event time, as an as-of join holds them: those that the watermark has not
//! passed, and the newest one that it has.

use crate::keyed::{Agenda, Entry, KeyIndex, RowId, Slot, Timeline};

/// Versions by key.
pub(super) struct Versions {
    max_age: Option<i64>,
    timelines: Vec<Timeline>,
    /// Versions that will make older ones needless once the watermark has passed them.
    coming: Agenda<Slot>,
    /// Keys by the time at which their oldest version may be too old.
    expiring: Agenda<Slot>,
    /// Which keys stand in `expiring`.
    scheduled: Vec<bool>,
    held: usize,
}

impl Versions {
    pub(super) fn new(max_age: Option<i64>) -> Self {
        Self {
            max_age,
            timelines: Vec::new(),
            coming: Agenda::default(),
            expiring: Agenda::default(),
            scheduled: Vec::new(),
            held: 0,
        }
    }

    fn timeline(&self, slot: Slot) -> Option<&Timeline> {
        self.timelines.get(slot as usize)
    }

    pub(super) fn is_empty(&self, slot: Slot) -> bool {
        self.timeline(slot).is_none_or(Timeline::is_empty)
    }

    /// The version that holds at `time`.
    pub(super) fn at(&self, slot: Slot, time: i64) -> Option<RowId> {
        let newest = self.timeline(slot)?.newest_until(time)?;
        let fresh = self.max_age.is_none_or(|age| time.saturating_sub(newest.time) <= age);
        fresh.then_some(newest.id)
    }

    /// Whether no row above the watermark can ask for a version of this time.
    pub(super) fn is_useless(&self, slot: Slot, time: i64, watermark: i64) -> bool {
        let too_old = self.is_too_old(time, watermark);
        let newest = self.timeline(slot).and_then(|t| t.newest_until(watermark));
        time <= watermark && (too_old || newest.is_some_and(|newest| newest.time > time))
    }

    fn is_too_old(&self, time: i64, watermark: i64) -> bool {
        self.max_age.is_some_and(|age| time.saturating_add(age) <= watermark)
    }

    pub(super) fn insert(&mut self, slot: Slot, time: i64, id: RowId) {
        let at = slot as usize;
        if at >= self.timelines.len() {
            self.timelines.resize(at + 1, Timeline::Empty);
            self.scheduled.resize(at + 1, false);
        }
        if let Some(timeline) = self.timelines.get_mut(at) {
            timeline.insert(Entry { time, id, matched: false });
            self.held += 1;
        }
        self.coming.push(time, id, slot);
    }

    /// The versions that no row above the watermark can ask for; keys without one are forgotten.
    pub(super) fn advance(&mut self, watermark: i64, index: &mut KeyIndex) -> Vec<RowId> {
        let mut gone = Vec::new();
        while let Some((time, id, slot)) = self.coming.pop_until(watermark) {
            let Some(timeline) = self.timelines.get_mut(slot as usize) else { continue };
            while let Some(older) = timeline.pop_before(time, id) {
                gone.push(older.id);
            }
            self.schedule(slot, time);
        }
        while let Some((_, _, slot)) = self.expiring.pop_until(watermark) {
            if let Some(scheduled) = self.scheduled.get_mut(slot as usize) {
                *scheduled = false;
            }
            self.expire(slot, watermark, index, &mut gone);
        }
        self.held -= gone.len();
        gone
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

    pub(super) fn bytes(&self) -> usize {
        let by_slot = self.timelines.capacity() * (size_of::<Timeline>() + 1);
        self.coming.bytes() + self.expiring.bytes() + by_slot + self.held * size_of::<Entry>()
    }
}
