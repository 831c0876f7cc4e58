//! An edge: a channel bounded by rows and by bytes. A full edge parks the sender; that is the
//! back-pressure. Control messages need no credit, so a barrier never waits for a slow row.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver as Channel, RecvTimeoutError, SendTimeoutError, Sender as Into};

use super::control::{Control, Stopped, lock};
use crate::message::Message;
use crate::metrics::EdgeMetrics;

/// Slots of the channel beneath. Rows and bytes are what bounds an edge; this bounds tiny batches.
const SLOTS: usize = 1024;
/// How often a parked sender looks whether the topology was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// Most rows and bytes that may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    rows: usize,
    bytes: usize,
}

struct Credit {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
    returned: Condvar,
    metrics: EdgeMetrics,
}

/// A message with what it takes of the bounds.
struct Parcel {
    message: Message,
    rows: usize,
    bytes: usize,
    sent: Instant,
}

/// The sending end.
pub(super) struct Sender {
    channel: Into<Parcel>,
    credit: Arc<Credit>,
}

/// The receiving end.
pub(super) struct Receiver {
    channel: Channel<Parcel>,
    credit: Arc<Credit>,
}

/// Makes an edge.
pub(super) fn edge(bounds: Bounds, metrics: EdgeMetrics) -> (Sender, Receiver) {
    let (sender, receiver) = crossbeam_channel::bounded(SLOTS);
    metrics.capacity.add(to_i64(bounds.rows));
    let credit = Credit { bounds, waiting: Mutex::default(), returned: Condvar::new(), metrics };
    let credit = Arc::new(credit);
    let sender = Sender { channel: sender, credit: Arc::clone(&credit) };
    (sender, Receiver { channel: receiver, credit })
}

impl Sender {
    /// Sends, waiting while the edge is full; returns the time that took.
    ///
    /// A batch larger than the bounds passes when the edge is empty.
    pub(super) fn send(&self, message: Message, control: &Control) -> Result<Duration, Stopped> {
        let (rows, bytes) = match &message {
            Message::Batch(batch) => (batch.rows(), batch.bytes()),
            _ => (0, 0),
        };
        let mut parked = Duration::ZERO;
        if rows > 0 {
            parked = self.take_credit(rows, bytes, control)?;
        }
        let mut parcel = Parcel { message, rows, bytes, sent: Instant::now() };
        loop {
            parcel = match self.channel.send_timeout(parcel, LOOK) {
                Ok(()) => return Ok(parked),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Stopped::Cancelled),
                Err(SendTimeoutError::Timeout(_)) if control.is_cancelled() => {
                    return Err(Stopped::Cancelled);
                }
                Err(SendTimeoutError::Timeout(parcel)) => {
                    parked += LOOK;
                    self.credit.metrics.parked(LOOK);
                    parcel
                }
            };
        }
    }

    fn take_credit(
        &self,
        rows: usize,
        bytes: usize,
        control: &Control,
    ) -> Result<Duration, Stopped> {
        let credit = &*self.credit;
        let full = |w: &Waiting| {
            w.rows > 0
                && (w.rows + rows > credit.bounds.rows || w.bytes + bytes > credit.bounds.bytes)
        };
        let mut waiting = lock(&credit.waiting);
        let mut parked = Duration::ZERO;
        while full(&waiting) {
            if control.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            let from = Instant::now();
            waiting = match credit.returned.wait_timeout(waiting, LOOK) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
            let slice = from.elapsed();
            credit.metrics.parked(slice);
            parked += slice;
        }
        waiting.rows += rows;
        waiting.bytes += bytes;
        credit.metrics.rows.add(to_i64(rows));
        credit.metrics.bytes.add(to_i64(bytes));
        Ok(parked)
    }
}

fn to_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Receiver {
    /// The channel beneath, for waiting on several at once.
    pub(super) fn wait_on<'a>(&'a self, select: &mut crossbeam_channel::Select<'a>) -> usize {
        select.recv(&self.channel)
    }

    /// The next message, if one is there.
    pub(super) fn try_receive(&self) -> Option<Message> {
        self.channel.try_recv().ok().map(|parcel| self.open(parcel))
    }

    /// The next message, waiting at most `wait`. A sender that is gone without saying so failed;
    /// its failure is told elsewhere.
    pub(super) fn receive(&self, wait: Duration) -> Result<Option<Message>, Stopped> {
        match self.channel.recv_timeout(wait) {
            Ok(parcel) => Ok(Some(self.open(parcel))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Stopped::Cancelled),
        }
    }

    fn open(&self, parcel: Parcel) -> Message {
        if parcel.rows > 0 {
            let mut waiting = lock(&self.credit.waiting);
            waiting.rows = waiting.rows.saturating_sub(parcel.rows);
            waiting.bytes = waiting.bytes.saturating_sub(parcel.bytes);
            drop(waiting);
            self.credit.metrics.rows.sub(to_i64(parcel.rows));
            self.credit.metrics.bytes.sub(to_i64(parcel.bytes));
            self.credit.returned.notify_one();
            self.credit
                .metrics
                .wait
                .observe(parcel.sent.elapsed().as_secs_f64(), parcel.rows as u64);
        }
        parcel.message
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::batch::{Batch, Readings};
    use crate::clock::Timestamp;
    use crate::message::Barrier;
    use crate::metrics::Metrics;

    fn rows(from: i64, count: i64) -> Message {
        let numbers = Int64Array::from_iter_values(from..from + count);
        let text = StringArray::from_iter_values((from..from + count).map(|n| format!("{n:0100}")));
        let columns = [("n", Arc::new(numbers) as _), ("t", Arc::new(text) as _)];
        let records = RecordBatch::try_from_iter(columns).unwrap();
        Message::Batch(Batch::new(records, Readings::polled_at(Timestamp(0))))
    }

    fn small_edge(rows: usize, bytes: usize) -> (Sender, Receiver, Arc<Metrics>) {
        let metrics = Metrics::new("test").unwrap();
        let (tx, rx) = edge(Bounds { rows, bytes }, EdgeMetrics::new(&metrics, "a", "a->b"));
        (tx, rx, metrics)
    }

    fn parks(sender: Sender, message: Message) -> bool {
        let control = Arc::new(Control::new("test", Duration::ZERO));
        let inner = Arc::clone(&control);
        let sends = move || sender.send(message, &inner).is_err();
        let thread = std::thread::Builder::new().spawn(sends).unwrap();
        // A parked sender notices the cancellation; one that had room has sent before it.
        control.cancel();
        thread.join().unwrap()
    }

    #[test]
    fn a_full_edge_parks_rows_and_lets_control_pass() {
        let control = Control::new("test", Duration::ZERO);
        for bounds in [(10, usize::MAX), (usize::MAX, 1500)] {
            let (tx, rx, _metrics) = small_edge(bounds.0, bounds.1);
            tx.send(rows(0, 10), &control).unwrap();
            tx.send(Message::Barrier(Barrier { epoch: 1, flush: false }), &control).unwrap();
            assert!(parks(tx, rows(10, 10)), "{bounds:?}");
            assert!(matches!(rx.try_receive(), Some(Message::Batch(_))));
            assert!(matches!(rx.try_receive(), Some(Message::Barrier(_))));
        }
    }

    #[test]
    fn a_parked_sender_is_seen_while_it_is_parked() {
        let control = Arc::new(Control::new("test", Duration::ZERO));
        let (tx, _rx, metrics) = small_edge(10, usize::MAX);
        tx.send(rows(0, 10), &control).unwrap();
        let inner = Arc::clone(&control);
        let sends = move || tx.send(rows(10, 10), &inner).is_err();
        let thread = std::thread::Builder::new().spawn(sends).unwrap();
        let node = crate::metrics::NodeMetrics::new(&metrics, "a");
        for _ in 0..2000 {
            if node.seconds()[1] > 0.0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let [_, backpressured, _] = node.seconds();
        assert!(backpressured > 0.0 && !thread.is_finished());
        control.cancel();
        assert!(thread.join().unwrap());
    }

    #[test]
    fn a_batch_larger_than_the_bounds_passes_an_empty_edge() {
        let control = Control::new("test", Duration::ZERO);
        let (tx, rx, metrics) = small_edge(10, 100);
        tx.send(rows(0, 1000), &control).unwrap();
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("swiftwater_edge_rows{edge=\"a->b\",topology=\"test\"} 1000")
        );
        assert!(rx.try_receive().is_some());
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("swiftwater_edge_bytes{edge=\"a->b\",topology=\"test\"} 0")
        );
        tx.send(rows(0, 1000), &control).unwrap();
    }

    #[test]
    fn a_slice_counts_its_own_bytes() {
        let Message::Batch(whole) = rows(0, 1000) else { unreachable!() };
        let slice = whole.with_records(whole.records.slice(500, 10));
        assert!(slice.bytes() < whole.bytes() / 50, "{} of {}", slice.bytes(), whole.bytes());
    }
}
