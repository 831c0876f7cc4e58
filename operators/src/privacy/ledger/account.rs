//! The sums of a ledger.

use std::collections::BTreeMap;

use swiftwater_engine::{Error, Result};

use super::super::accounting::{Nano, as_rho};
use super::{Record, ReleaseId};

/// Unit of privacy of which each one is in one window only.
pub(super) const EVENT: &str = "event";

/// What was spent and published.
#[derive(Default)]
pub(super) struct Account {
    subject: Option<Record>,
    /// Debits by series and window.
    debits: BTreeMap<ReleaseId, Nano>,
    releases: BTreeMap<ReleaseId, (String, Vec<i64>)>,
}

impl Account {
    pub(super) const fn subject(&self) -> Option<&Record> {
        self.subject.as_ref()
    }

    pub(super) fn release(&self, id: &ReleaseId) -> Option<(&str, &[i64])> {
        self.releases.get(id).map(|(question, numbers)| (question.as_str(), numbers.as_slice()))
    }

    /// Takes a record in.
    pub(super) fn take(&mut self, record: Record) -> Result<(), &'static str> {
        match record {
            Record::Account { .. } if self.subject.is_some() => Err("it begins twice"),
            Record::Account { .. } => {
                self.subject = Some(record);
                Ok(())
            }
            _ if self.subject.is_none() => Err("it does not say what it is about"),
            Record::Debit { id, cost } => {
                let sum = self.debits.entry(id).or_default();
                *sum = sum.saturating_add(cost);
                Ok(())
            }
            Record::Release { id, .. } if !self.debits.contains_key(&id) => {
                Err("a release was not paid for")
            }
            Record::Release { id, .. } if self.releases.contains_key(&id) => {
                Err("a release was made twice")
            }
            Record::Release { id, question, numbers } => {
                self.releases.insert(id, (question, numbers));
                Ok(())
            }
        }
    }

    pub(super) fn budget(&self) -> Nano {
        match &self.subject {
            Some(Record::Account { budget, .. }) => *budget,
            _ => 0,
        }
    }

    /// An event is in one window of a series: windows compose in parallel and the dearest counts.
    /// An entity may be in all of them: their costs add up. Series always add up.
    fn spent_with(&self, more: Option<(&ReleaseId, Nano)>) -> Nano {
        let parallel =
            matches!(&self.subject, Some(Record::Account { unit, .. }) if unit.as_str() == EVENT);
        let mut series: BTreeMap<&str, Nano> = BTreeMap::new();
        let extra = |id: &ReleaseId| more.filter(|(of, _)| *of == id).map_or(0, |(_, cost)| cost);
        let known = self.debits.iter().map(|(id, sum)| (id, sum.saturating_add(extra(id))));
        let new = more.filter(|(id, _)| !self.debits.contains_key(id));
        for (id, cost) in known.chain(new) {
            let sum = series.entry(&id.series).or_default();
            *sum = if parallel { (*sum).max(cost) } else { sum.saturating_add(cost) };
        }
        series.values().fold(0, |all, cost| all.saturating_add(*cost))
    }

    pub(super) fn spent(&self) -> Nano {
        self.spent_with(None)
    }

    /// Whether the budget allows a debit.
    pub(super) fn check(&self, id: &ReleaseId, cost: Nano) -> Result<()> {
        let (after, budget) = (self.spent_with(Some((id, cost))), self.budget());
        if after <= budget {
            return Ok(());
        }
        let (cost, spent) = (as_rho(cost), as_rho(self.spent()));
        let message = format!(
            "publish a release of the series `{}`: it costs rho {cost}, and {spent} of the budget of {} is spent",
            id.series,
            as_rho(budget)
        );
        Err(Error::state("SW3262", message).with_hint(
            "nothing more can be published of this data with the guarantee that was given",
        ))
    }
}
