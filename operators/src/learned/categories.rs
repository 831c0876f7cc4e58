//! How often each category came, with what labels, and in which order.

use std::sync::Arc;

use hashbrown::HashMap;

/// What is known of a category, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    /// Weight of its rows.
    pub(crate) n: f64,
    /// Weighted sum of its labels.
    pub(crate) sum: f64,
    /// Its number among all, from 0, in the order in which they came.
    pub(crate) order: u32,
}

/// Categories by name; null is one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Categories {
    numbers: HashMap<Option<Arc<str>>, u32>,
    held: Vec<(Option<Arc<str>>, Counts)>,
    all: Counts,
    changed: Vec<bool>,
    changes: Vec<u32>,
    /// Numbers of the most frequent ones, at most `most`.
    top: Vec<u32>,
    in_top: Vec<bool>,
    most: usize,
    bytes: usize,
}

/// What a category costs beyond its letters.
const OVERHEAD: usize = 120;

impl Categories {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// A row came; `false` where its category is new and there is no room for it.
    pub(super) fn add(
        &mut self,
        name: Option<&str>,
        (weight, label): (f64, f64),
        room: usize,
    ) -> bool {
        let number = match self.numbers.get(&Name(name)) {
            Some(number) => *number,
            None if self.held.len() >= room => return false,
            None => self.insert(name),
        };
        self.all.n += weight;
        self.all.sum += weight * label;
        if let Some((_, counts)) = self.held.get_mut(number as usize) {
            counts.n += weight;
            counts.sum += weight * label;
        }
        self.change(number);
        self.rank(number);
        true
    }

    fn insert(&mut self, name: Option<&str>) -> u32 {
        let name: Option<Arc<str>> = name.map(Into::into);
        let number = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.bytes += name.as_ref().map_or(0, |n| n.len()) + OVERHEAD;
        self.numbers.insert(name.clone(), number);
        self.held.push((name, Counts { order: number, ..Counts::default() }));
        self.changed.push(false);
        self.in_top.push(false);
        number
    }

    fn change(&mut self, number: u32) {
        if let Some(changed) = self.changed.get_mut(number as usize)
            && !std::mem::replace(changed, true)
        {
            self.changes.push(number);
        }
    }

    /// Whether one category is before another by frequency; of equals the older one.
    fn is_before(&self, a: u32, b: u32) -> bool {
        let of = |n: u32| self.held.get(n as usize).map_or(0.0, |(_, counts)| counts.n);
        let (x, y) = (of(a), of(b));
        x > y || (x.total_cmp(&y).is_eq() && a < b)
    }

    /// Weights only grow (or shrink all together), so that the one that grew is the only one that
    /// can come in.
    fn rank(&mut self, number: u32) {
        if self.most == 0 || self.in_top.get(number as usize).copied().unwrap_or(false) {
            return;
        }
        if self.top.len() < self.most {
            self.top.push(number);
            self.mark(number, true);
            return;
        }
        let last = (0..self.top.len()).reduce(|a, b| {
            let (x, y) = (self.top.get(a), self.top.get(b));
            if x.zip(y).is_some_and(|(x, y)| self.is_before(*x, *y)) { b } else { a }
        });
        let Some(place) = last.and_then(|at| self.top.get(at).copied().map(|n| (at, n))) else {
            return;
        };
        if self.is_before(number, place.1) {
            if let Some(held) = self.top.get_mut(place.0) {
                *held = number;
            }
            self.mark(place.1, false);
            self.mark(number, true);
        }
    }

    fn mark(&mut self, number: u32, is_in: bool) {
        if let Some(held) = self.in_top.get_mut(number as usize) {
            *held = is_in;
        }
    }

    pub(super) fn rescale(&mut self, by: f64) {
        for counts in self.held.iter_mut().map(|(_, c)| c).chain([&mut self.all]) {
            counts.n *= by;
            counts.sum *= by;
        }
        (0..u32::try_from(self.held.len()).unwrap_or(u32::MAX)).for_each(|n| self.change(n));
    }

    /// What is known of a category.
    pub(crate) fn get(&self, name: Option<&str>) -> Option<Counts> {
        let number = self.numbers.get(&Name(name))?;
        self.held.get(*number as usize).map(|(_, counts)| *counts)
    }

    /// Whether a category is among the most frequent ones.
    pub(crate) fn is_top(&self, name: Option<&str>) -> bool {
        let number = self.numbers.get(&Name(name));
        number.is_some_and(|n| self.in_top.get(*n as usize).copied().unwrap_or(false))
    }

    /// The most frequent category where one is kept track of; of equals the one that came first.
    pub(crate) fn most_frequent(&self) -> Option<&str> {
        self.held.get(*self.top.first()? as usize)?.0.as_deref()
    }

    /// What is known of all together.
    pub(crate) const fn all(&self) -> Counts {
        self.all
    }

    /// Categories with their counts, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Option<&str>, Counts)> {
        self.held.iter().map(|(name, counts)| (name.as_deref(), *counts))
    }

    /// Categories that changed since the last time.
    pub(super) fn take_changed(&mut self) -> Vec<(Option<Arc<str>>, Counts)> {
        let changes = std::mem::take(&mut self.changes);
        let mut taken = Vec::with_capacity(changes.len());
        for number in changes {
            if let Some(changed) = self.changed.get_mut(number as usize) {
                *changed = false;
            }
            taken.extend(self.held.get(number as usize).cloned());
        }
        taken
    }

    pub(super) fn restore(&mut self, name: Option<&str>, counts: Counts) {
        let number = match self.numbers.get(&Name(name)) {
            Some(number) => *number,
            None => self.insert(name),
        };
        if let Some((_, held)) = self.held.get_mut(number as usize) {
            *held = counts;
        }
    }

    pub(super) const fn restore_all(&mut self, all: Counts) {
        self.all = all;
    }

    /// Puts categories that were restored in the order in which they came.
    pub(super) fn settle(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|(_, counts)| counts.order);
        let (most, all) = (self.most, self.all);
        *self = Self { most, all, ..Self::default() };
        for (name, counts) in held {
            let number = self.insert(name.as_deref());
            if let Some((_, held)) = self.held.get_mut(number as usize) {
                *held = Counts { order: number, ..counts };
            }
            self.rank(number);
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A name that is looked for.
#[derive(Hash)]
struct Name<'a>(Option<&'a str>);

impl hashbrown::Equivalent<Option<Arc<str>>> for Name<'_> {
    fn equivalent(&self, key: &Option<Arc<str>>) -> bool {
        self.0 == key.as_deref()
    }
}
