//! What has been taken and not been delivered: rows in requests, and batches that wait for them.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use swiftwater_engine::Sequence;

use super::body::{self, Body, Draft};
use super::settings::Limits;
use crate::codec::Payloads;

/// Rows that go out together.
pub(super) struct Packet {
    /// Number of its first row, counted from the start of the run.
    pub(super) first: u64,
    body: Body,
    /// Its rows by the batch that they came in, in order.
    origins: Vec<(Sequence, usize)>,
    /// How often it was sent, as itself or as part of a larger one.
    pub(super) attempts: u32,
}

/// Rows that still wait for company.
struct Filling {
    first: u64,
    draft: Draft,
    origins: Vec<(Sequence, usize)>,
    since: Instant,
}

/// Batches, or runs of them, that were taken.
struct Waiting {
    /// Number of the last.
    to: Sequence,
    /// Rows that are neither delivered nor set aside.
    rows: usize,
}

/// The rows in hand.
pub(super) struct Outbox {
    limits: Limits,
    filling: Option<Filling>,
    /// In the order of their rows.
    ready: VecDeque<Packet>,
    waiting: VecDeque<Waiting>,
    durable: Sequence,
    /// Bytes of all rows in hand, those of requests under way included.
    held: usize,
    rows: u64,
}

impl Packet {
    pub(super) fn text(&self) -> Bytes {
        self.body.text()
    }

    pub(super) fn rows(&self) -> usize {
        self.body.rows()
    }

    /// The first row, on its own.
    pub(super) fn first_row(&self) -> Bytes {
        self.body.first_row()
    }

    /// Tells requests of a run apart: the same rows always have the same key.
    pub(super) fn key(&self) -> String {
        format!("{}+{}", self.first, self.rows())
    }

    fn halves(self) -> (Self, Self) {
        let middle = self.rows() / 2;
        let (left, right) = self.body.split(middle);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut room = middle;
        for (sequence, rows) in self.origins {
            let (head, tail) = (rows.min(room), rows - rows.min(room));
            room -= head;
            before.extend((head > 0).then_some((sequence, head)));
            after.extend((tail > 0).then_some((sequence, tail)));
        }
        let attempts = self.attempts;
        let second = self.first + middle as u64;
        (
            Self { first: self.first, body: left, origins: before, attempts },
            Self { first: second, body: right, origins: after, attempts },
        )
    }
}

impl Filling {
    fn seal(self) -> Packet {
        let Self { first, draft, origins, .. } = self;
        Packet { first, body: draft.seal(), origins, attempts: 0 }
    }
}

impl Outbox {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            filling: None,
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            durable: 0,
            held: 0,
            rows: 0,
        }
    }

    /// What encoded rows will be counted with.
    pub(super) fn cost(&self, payloads: &Payloads) -> usize {
        payloads.iter().map(|row| body::cost(self.limits.form, row.len())).sum()
    }

    /// Whether rows of `cost` fit into `limit`. An empty outbox takes rows of any size.
    pub(super) const fn has_room(&self, cost: usize, limit: usize) -> bool {
        self.held == 0 || self.held.saturating_add(cost) <= limit
    }

    /// Takes batch number `sequence`.
    pub(super) fn take(&mut self, sequence: Sequence, payloads: &Payloads, now: Instant) {
        let rows = payloads.ends.len();
        match self.waiting.back_mut() {
            // An empty batch is done when what came before it is.
            Some(last) if rows == 0 => last.to = sequence,
            None if rows == 0 => self.durable = sequence,
            _ => self.waiting.push_back(Waiting { to: sequence, rows }),
        }
        self.held += self.cost(payloads);
        for row in payloads.iter() {
            self.push(sequence, row, now);
        }
    }

    fn push(&mut self, sequence: Sequence, row: &[u8], now: Instant) {
        let full = |draft: &Draft| draft.bytes() + row.len() + 2 > self.limits.bytes;
        if self.filling.as_ref().is_some_and(|filling| full(&filling.draft)) {
            self.cut();
        }
        let (first, form) = (self.rows, self.limits.form);
        let filling = self.filling.get_or_insert_with(|| Filling {
            first,
            draft: Draft::new(form),
            origins: Vec::new(),
            since: now,
        });
        filling.draft.push(row);
        match filling.origins.last_mut() {
            Some((last, rows)) if *last == sequence => *rows += 1,
            _ => filling.origins.push((sequence, 1)),
        }
        self.rows += 1;
        if filling.draft.rows() >= self.limits.rows {
            self.cut();
        }
    }

    /// Ends the waiting for company.
    pub(super) fn cut(&mut self) {
        self.ready.extend(self.filling.take().map(Filling::seal));
    }

    /// When rows that wait for company have waited long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        self.filling.as_ref()?.since.checked_add(self.limits.linger)
    }

    /// The next rows to send.
    pub(super) fn next(&mut self, now: Instant) -> Option<Packet> {
        if self.ready.is_empty() && self.due().is_some_and(|due| due <= now) {
            self.cut();
        }
        self.ready.pop_front()
    }

    /// Takes rows back that have to be sent again.
    pub(super) fn again(&mut self, packet: Packet) {
        let at = self.ready.partition_point(|other| other.first < packet.first);
        self.ready.insert(at, packet);
    }

    /// Takes rows back that have to be sent again in halves.
    pub(super) fn again_in_halves(&mut self, packet: Packet) {
        let (left, right) = packet.halves();
        self.again(right);
        self.again(left);
    }

    /// These rows are delivered, or set aside.
    pub(super) fn done(&mut self, packet: &Packet) {
        self.held = self.held.saturating_sub(packet.body.cost());
        for (sequence, rows) in &packet.origins {
            let at = self.waiting.partition_point(|waiting| waiting.to < *sequence);
            if let Some(waiting) = self.waiting.get_mut(at) {
                waiting.rows = waiting.rows.saturating_sub(*rows);
            }
        }
        while let Some(done) = self.waiting.pop_front_if(|waiting| waiting.rows == 0) {
            self.durable = done.to;
        }
    }

    /// The last batch up to which every row is done.
    pub(super) const fn durable(&self) -> Sequence {
        self.durable
    }

    /// Bytes of all rows in hand.
    pub(super) const fn held(&self) -> usize {
        self.held
    }
}
