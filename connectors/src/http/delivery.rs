//! Requests under way: sends what is ready, judges what comes back, and tells the engine when the
//! endpoint is away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use swiftwater_engine::{Clock, Error, Rejected, Result, Sequence, SinkContext};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};
use tokio::time;

use super::answer::{Reply, Verdict};
use super::endpoint::Endpoint;
use super::metrics::HttpMetrics;
use super::outage::Outage;
use super::outbox::{Outbox, Packet};
use crate::codec::Payloads;
use crate::io_runtime;

/// Longest time in one call that waits for room without an answer coming in: so often the engine
/// looks whether it should stop.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request under way.
struct Flight {
    packet: Packet,
    departed: Instant,
}

/// What a request brought back.
struct Landed {
    first: u64,
    reply: Reply,
    took: Duration,
}

/// The deliveries of one sink.
pub(super) struct Delivery {
    endpoint: Endpoint,
    runtime: Handle,
    outbox: Outbox,
    flights: BTreeMap<u64, Flight>,
    landing: JoinSet<Landed>,
    concurrency: usize,
    buffer_bytes: usize,
    outage: Outage,
    rejected: Vec<Rejected>,
    /// Requests that the endpoint has taken or refused.
    settled: u64,
    clock: Clock,
    metrics: HttpMetrics,
}

impl Delivery {
    pub(super) fn new(
        endpoint: Endpoint,
        outbox: Outbox,
        concurrency: usize,
        cx: &SinkContext,
    ) -> Result<Self> {
        Ok(Self {
            endpoint,
            runtime: io_runtime::handle()?,
            outbox,
            flights: BTreeMap::new(),
            landing: JoinSet::new(),
            concurrency,
            buffer_bytes: cx.buffer_bytes,
            outage: Outage::none(cx.retry_budget),
            rejected: Vec::new(),
            settled: 0,
            clock: cx.clock.clone(),
            metrics: HttpMetrics::open(cx)?,
        })
    }

    /// Takes a batch, waiting for room.
    ///
    /// # Errors
    /// `Unavailable` where the endpoint is away or takes too long; then nothing was taken.
    pub(super) fn take(&mut self, sequence: Sequence, payloads: &Payloads) -> Result<()> {
        let (cost, limit) = (self.outbox.cost(payloads), self.buffer_bytes);
        self.wait_until(|outbox| outbox.has_room(cost, limit))?;
        self.outbox.take(sequence, payloads, Instant::now());
        self.launch();
        Ok(())
    }

    /// Waits until the endpoint is there and there is room.
    fn wait_until(&mut self, has_room: impl Fn(&Outbox) -> bool) -> Result<()> {
        let (mut until, mut settled) = (Instant::now() + PATIENCE, self.settled);
        loop {
            self.serve()?;
            self.outage.tell()?;
            let room = has_room(&self.outbox);
            if room && self.outage.error().is_none() {
                return Ok(());
            }
            if !room {
                self.outbox.cut();
                self.launch();
            }
            if Instant::now() >= until {
                if settled == self.settled {
                    return Err(self.stuck());
                }
                (until, settled) = (Instant::now() + PATIENCE, self.settled);
            }
            self.wait(until)?;
        }
    }

    fn stuck(&self) -> Error {
        if let Some(error) = self.outage.error() {
            return error;
        }
        let (host, held) = (self.endpoint.host(), self.outbox.held());
        let message = format!("deliver rows to `{host}`: {held} bytes wait for its answer");
        Error::unavailable("SW2056", message)
            .with_hint("the endpoint is slower than the rows come in: larger requests (`batch`) or a higher `concurrency` may help")
    }

    /// The last batch that is done, waiting at most `wait` for a later one than `than`.
    ///
    /// # Errors
    /// `Unavailable` once for each failed attempt.
    pub(super) fn durable(&mut self, than: Sequence, wait: Duration) -> Result<Sequence> {
        let until = Instant::now() + wait;
        loop {
            self.serve()?;
            if self.outbox.durable() > than {
                return Ok(self.outbox.durable());
            }
            self.outage.tell()?;
            if Instant::now() >= until {
                return Ok(self.outbox.durable());
            }
            self.wait(until)?;
        }
    }

    /// Sends what waits for company if `flush` says so.
    ///
    /// # Errors
    /// `Unavailable` while the endpoint is away: the engine would take success for its return.
    pub(super) fn barrier(&mut self, flush: bool) -> Result<()> {
        if flush {
            self.outbox.cut();
        }
        self.wait_until(|_| true)
    }

    pub(super) fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// Receives what has come back and sends what may go.
    fn serve(&mut self) -> Result<()> {
        while let Some(landed) = self.landing.try_join_next() {
            self.land(landed)?;
        }
        self.launch();
        Ok(())
    }

    /// Waits for an answer, for rows that have waited long enough, or until a moment.
    fn wait(&mut self, until: Instant) -> Result<()> {
        let now = Instant::now();
        let moments = [self.outbox.due(), self.outage.paused_until()].into_iter().flatten();
        // What is past already waits for an answer.
        let until = moments.filter(|moment| *moment > now).fold(until, Instant::min);
        let landing = &mut self.landing;
        let landed = self.runtime.block_on(async {
            let until = time::Instant::from_std(until);
            if landing.is_empty() {
                time::sleep_until(until).await;
                return None;
            }
            time::timeout_at(until, landing.join_next()).await.ok().flatten()
        });
        landed.map_or(Ok(()), |landed| self.land(landed))
    }

    fn launch(&mut self) {
        let now = Instant::now();
        while self.flights.len() < self.outage.at_most(self.concurrency, now) {
            let Some(packet) = self.outbox.next(now) else { return };
            self.send(packet, now);
        }
    }

    fn send(&mut self, mut packet: Packet, now: Instant) {
        packet.attempts += 1;
        let first = packet.first;
        let reply = self.endpoint.send(&packet.key(), packet.text());
        let attempt = async move {
            let started = Instant::now();
            let reply = reply.await;
            Landed { first, reply, took: started.elapsed() }
        };
        self.landing.spawn_on(attempt, &self.runtime);
        self.flights.insert(first, Flight { packet, departed: now });
    }

    fn land(&mut self, landed: Result<Landed, JoinError>) -> Result<()> {
        let lost = || Error::bug("deliver rows: a request ended without an answer");
        let Landed { first, reply, took } = landed.map_err(|e| lost().with_source(e))?;
        let Flight { packet, departed } = self.flights.remove(&first).ok_or_else(lost)?;
        self.metrics.sent(&reply.label(), took);
        match reply.judge(self.endpoint.host(), self.endpoint.timeout(), self.clock.now()) {
            Verdict::Delivered => {
                self.outbox.done(&packet);
                self.outage.is_over();
                self.settled += 1;
            }
            Verdict::Refused(why) => {
                self.refused(packet, why);
                self.outage.is_over();
                self.settled += 1;
            }
            Verdict::Again { error, pause } => {
                self.outbox.again(packet);
                self.outage.failed(error, pause, departed, Instant::now());
            }
        }
        Ok(())
    }

    fn refused(&mut self, packet: Packet, why: String) {
        if packet.rows() > 1 {
            return self.outbox.again_in_halves(packet);
        }
        self.outbox.done(&packet);
        self.rejected.push(Rejected {
            code: "SW2051",
            message: why,
            key: None,
            payload: Some(packet.first_row()),
            origin: None,
            attempts: packet.attempts,
        });
    }

    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.flights.len()
    }

    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.outbox.held()
    }

    #[cfg(test)]
    pub(super) fn outage(&mut self) -> &mut Outage {
        &mut self.outage
    }
}
