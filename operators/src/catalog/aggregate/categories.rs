//! Counts and sums by category, of so many categories at most: those that came first. The others
//! are taken together.

use std::sync::Arc;

use super::partial::{Floats, Integers, Partial};

/// Name of all categories beyond the bound.
pub(super) const OTHER: &str = "__other__";

/// Rows and sums of one category; integers and doubles are summed apart.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    /// Rows, for `count_by`; values and their sum.
    pub(super) integers: Integers,
    pub(super) floats: Floats,
}

impl Partial for Share {
    fn merge(self, later: Self) -> Self {
        Self {
            integers: self.integers.merge(later.integers),
            floats: self.floats.merge(later.floats),
        }
    }
}

/// Shares by category in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Categories {
    pub(super) named: Vec<(Arc<str>, Share)>,
    pub(super) other: Option<Share>,
}

impl Categories {
    /// Adds to a category.
    pub(super) fn add(&mut self, name: &Arc<str>, share: Share, most: usize) {
        if let Some((_, held)) = self.named.iter_mut().find(|(held, _)| held == name) {
            *held = held.merge(share);
        } else if self.named.len() < most {
            self.named.push((Arc::clone(name), share));
        } else {
            self.other = Some(self.other.unwrap_or_default().merge(share));
        }
    }

    /// Joins with later rows.
    pub(super) fn merge(&mut self, later: &Self, most: usize) {
        later.named.iter().for_each(|(name, share)| self.add(name, *share, most));
        if let Some(other) = later.other {
            self.other = Some(self.other.unwrap_or_default().merge(other));
        }
    }

    /// By name, the others last.
    pub(super) fn sorted(&self) -> Vec<(Arc<str>, Share)> {
        let mut all = self.named.clone();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.extend(self.other.map(|share| (Arc::from(OTHER), share)));
        all
    }

    pub(super) const fn bytes(&self) -> usize {
        self.named.capacity() * size_of::<(Arc<str>, Share)>()
    }
}
