//! Where a sink that shares a producer with others finds what became of its records.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;
use swiftwater_engine::Sequence;

/// A delivery report carries one number: the sink's above these bits, the batch's in them.
const BATCH_BITS: u32 = 48;

/// What came back for one sink: no more entries than it has batches under way.
#[derive(Default)]
struct Letters {
    done: Vec<(Sequence, usize)>,
    /// The first error, and how many records met with one.
    failed: Option<(Code, usize)>,
}

/// Records that are durable, by batch; and the first error with how many records met with one.
pub(super) type Post = (Vec<(Sequence, usize)>, Option<(Code, usize)>);

/// The mailbox of one sink.
#[derive(Default)]
pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    arrived: Condvar,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came since the last call; waits at most `wait` for the first of it.
    pub(super) fn take(&self, wait: Duration) -> Post {
        let is_empty = |l: &mut Letters| l.done.is_empty() && l.failed.is_none();
        let waited = self.arrived.wait_timeout_while(self.lock(), wait, is_empty);
        let mut letters = waited.unwrap_or_else(PoisonError::into_inner).0;
        (std::mem::take(&mut letters.done), letters.failed.take())
    }

    fn add(&self, done: Option<(Sequence, usize)>, failed: Option<Code>) {
        let mut letters = self.lock();
        if let Some((sequence, count)) = done {
            match letters.done.last_mut() {
                Some(last) if last.0 == sequence => last.1 += count,
                _ => letters.done.push((sequence, count)),
            }
        }
        if let Some(code) = failed {
            letters.failed.get_or_insert((code, 0)).1 += 1;
        }
        self.arrived.notify_all();
    }

    /// Ends the wait of the sink: its producer has failed.
    pub(super) fn fail(&self, code: Code) {
        self.add(None, Some(code));
    }
}

/// The number that comes back with a record of batch `sequence`.
pub(super) fn opaque(sink: usize, sequence: Sequence) -> usize {
    usize::try_from(sequence).unwrap_or(0) & ((1 << BATCH_BITS) - 1) | sink << BATCH_BITS
}

fn read(opaque: usize) -> (usize, Sequence) {
    (opaque >> BATCH_BITS, (opaque & ((1 << BATCH_BITS) - 1)) as Sequence)
}

/// Mailboxes by the number of their sink. A sink joins before it writes.
pub(super) type Boxes = Mutex<Vec<Arc<Mailbox>>>;

/// Collects delivery reports and puts them into mailboxes, by runs of one batch.
pub(super) struct Sorter<'a> {
    boxes: &'a Boxes,
    run: Option<(usize, usize)>,
}

impl<'a> Sorter<'a> {
    pub(super) const fn new(boxes: &'a Boxes) -> Self {
        Self { boxes, run: None }
    }

    /// Looked up only now: the sink may have joined, and written, since the wait for reports began.
    fn mailbox(&self, sink: usize) -> Option<Arc<Mailbox>> {
        let boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        boxes.get(sink).map(Arc::clone)
    }

    /// A record with this number is durable, or met with an error.
    pub(super) fn sort(&mut self, opaque: usize, error: Option<Code>) {
        if let Some(code) = error {
            let (sink, _) = read(opaque);
            if let Some(mailbox) = self.mailbox(sink) {
                mailbox.fail(code);
            }
            return;
        }
        match &mut self.run {
            Some((run, count)) if *run == opaque => *count += 1,
            _ => {
                self.finish();
                self.run = Some((opaque, 1));
            }
        }
    }

    /// Hands over the last run.
    pub(super) fn finish(&mut self) {
        if let Some((opaque, count)) = self.run.take() {
            let (sink, sequence) = read(opaque);
            if let Some(mailbox) = self.mailbox(sink) {
                mailbox.add(Some((sequence, count)), None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_that_joins_while_reports_are_awaited_gets_its_own() {
        let boxes = Boxes::default();
        let mut sorter = Sorter::new(&boxes);
        let mailbox = Arc::new(Mailbox::default());
        boxes.lock().unwrap().push(Arc::clone(&mailbox));
        for sequence in [1, 1, 2] {
            sorter.sort(opaque(0, sequence), None);
        }
        sorter.finish();
        assert_eq!(mailbox.take(Duration::ZERO), (vec![(1, 2), (2, 1)], None));
    }

    #[test]
    fn numbers_of_sink_and_batch_come_back() {
        for (sink, sequence) in [(0, 1), (3, 1 << 40), (65_535, (1 << 48) - 1)] {
            assert_eq!(read(opaque(sink, sequence)), (sink, sequence));
        }
    }
}
