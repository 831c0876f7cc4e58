//! Several inputs as one: barriers aligned where state depends on it, watermarks merged, the end
//! told once all have ended, small waiting batches made one.

use std::collections::VecDeque;
use std::time::Duration;

use arrow::compute::concat_batches;
use crossbeam_channel::Select;

use super::alignment::Alignment;
use super::control::Stopped;
use super::edge::Receiver;
use crate::batch::Batch;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::failpoint::skips;
use crate::message::{Barrier, Epoch, Message};

/// Batches below this many rows are worth copying into one.
const SMALL: usize = 1024;
/// Most rows of a batch made from small ones.
const COALESCED: usize = 8192;

/// What a task is told next.
#[derive(Debug)]
pub(super) enum Event {
    /// Rows of one of the node's inputs.
    Batch(usize, Batch),
    /// The merged watermark rose.
    Watermark(Timestamp),
    /// Every input that has not ended is idle.
    Idle,
    /// Every input has come to this barrier.
    Barrier(Barrier),
    /// Every input has ended.
    End,
    /// Nothing came within the wait.
    Nothing,
}

struct InputState {
    receiver: Receiver,
    /// Which of the node's inputs this edge belongs to.
    input: usize,
    ahead: VecDeque<Message>,
    watermark: Option<Timestamp>,
    idle: bool,
    barrier: Option<Barrier>,
    passed: Epoch,
    ended: bool,
}

/// The inputs of one task.
pub(super) struct FanIn {
    inputs: Vec<InputState>,
    /// Whether an input whose barrier came is not read until the others' came.
    aligned: bool,
    watermark: Option<Timestamp>,
    reported: Epoch,
    told_end: bool,
    told_idle: bool,
    turn: usize,
    alignment: Option<Alignment>,
}

impl FanIn {
    pub(super) fn new(receivers: Vec<(usize, Receiver)>, aligned: bool) -> Self {
        let state = |(input, receiver)| InputState {
            receiver,
            input,
            ahead: VecDeque::new(),
            watermark: None,
            idle: false,
            barrier: None,
            passed: 0,
            ended: false,
        };
        Self {
            inputs: receivers.into_iter().map(state).collect(),
            aligned: aligned && !skips("alignment", ""),
            watermark: None,
            reported: 0,
            told_end: false,
            told_idle: false,
            turn: 0,
            alignment: None,
        }
    }

    /// Holds back inputs that are far ahead of others in event time, as a join wants it.
    pub(super) fn in_event_time(self, alignment: Alignment) -> Self {
        Self { alignment: Some(alignment), ..self }
    }

    /// What is next, waiting at most `wait`.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Event, Stopped> {
        loop {
            if let Some(event) = self.due() {
                return Ok(event);
            }
            let Some((index, message)) = self.receive(wait)? else {
                return Ok(Event::Nothing);
            };
            if let Some(event) = self.take(index, message)? {
                return Ok(event);
            }
        }
    }

    /// A barrier or an end that all inputs have come to.
    fn due(&mut self) -> Option<Event> {
        let live = self.inputs.iter().filter(|i| !i.ended);
        let Some(passed) = live.clone().map(|i| i.passed).min() else {
            if self.told_end {
                return Some(Event::Nothing);
            }
            self.told_end = true;
            return Some(Event::End);
        };
        if passed > self.reported {
            let flush = self.inputs.iter().filter_map(|i| i.barrier).any(|b| b.flush);
            self.reported = passed;
            for input in &mut self.inputs {
                if input.passed <= passed {
                    input.barrier = None;
                }
            }
            return Some(Event::Barrier(Barrier { epoch: passed, flush }));
        }
        None
    }

    fn is_readable(&self, input: &InputState) -> bool {
        let waits = self.aligned && input.passed > self.reported;
        !input.ended && !waits
    }

    fn receive(&mut self, wait: Duration) -> Result<Option<(usize, Message)>, Stopped> {
        let count = self.inputs.len();
        let turn = self.turn;
        let in_turn = (0..count).map(|step| (turn + step) % count);
        let readable: Vec<usize> =
            in_turn.filter(|i| self.inputs.get(*i).is_some_and(|s| self.is_readable(s))).collect();
        if self.alignment.is_some() && readable.len() > 1 {
            return self.receive_aligned(readable, wait);
        }
        match self.try_receive(&readable) {
            Some(found) => Ok(Some(found)),
            None => self.wait_for(&readable, wait),
        }
    }

    /// The same with inputs that are far ahead in event time held back, the slowest read first.
    fn receive_aligned(
        &mut self,
        readable: Vec<usize>,
        wait: Duration,
    ) -> Result<Option<(usize, Message)>, Stopped> {
        let time = |i: &usize| self.inputs.get(*i).and_then(|s| s.watermark);
        let active = readable.iter().filter(|i| self.inputs.get(**i).is_some_and(|s| !s.idle));
        let slowest = active.map(time).min().flatten();
        let is_ahead = |i: &usize| {
            let alignment = self.alignment.as_ref();
            let idle = self.inputs.get(*i).is_none_or(|s| s.idle);
            !idle && alignment.is_some_and(|a| a.is_ahead(time(i), slowest))
        };
        let (ahead, mut near): (Vec<usize>, Vec<usize>) =
            readable.iter().partition(|i| is_ahead(i));
        near.sort_by_key(time);
        let found = self.try_receive(&near);
        let Some(alignment) = &mut self.alignment else {
            return Ok(found);
        };
        if found.is_some() {
            alignment.came();
            return Ok(found);
        }
        if ahead.is_empty() {
            return self.wait_for(&near, wait);
        }
        let patience = if alignment.lets_through() { Duration::ZERO } else { alignment.wait() };
        let found = if patience.is_zero() {
            match self.try_receive(&ahead) {
                Some(found) => Some(found),
                None => self.wait_for(&readable, wait)?,
            }
        } else {
            self.wait_for(&near, wait.min(patience))?
        };
        if let (Some((index, message)), Some(alignment)) = (&found, &mut self.alignment) {
            if near.contains(index) {
                alignment.came();
            } else if matches!(message, Message::Batch(_)) {
                alignment.gave();
            }
        }
        Ok(found)
    }

    /// What waits at the first of these inputs that has something.
    fn try_receive(&mut self, inputs: &[usize]) -> Option<(usize, Message)> {
        for index in inputs {
            let Some(input) = self.inputs.get_mut(*index) else {
                continue;
            };
            if let Some(message) = input.ahead.pop_front().or_else(|| input.receiver.try_receive())
            {
                self.turn = index + 1;
                return Some((*index, message));
            }
        }
        None
    }

    /// What comes next at one of these inputs, none of which has something waiting.
    fn wait_for(
        &mut self,
        inputs: &[usize],
        wait: Duration,
    ) -> Result<Option<(usize, Message)>, Stopped> {
        if let [only] = inputs {
            let Some(input) = self.inputs.get(*only) else {
                return Ok(None);
            };
            return Ok(input.receiver.receive(wait)?.map(|m| (*only, m)));
        }
        let mut select = Select::new();
        for index in inputs {
            if let Some(input) = self.inputs.get(*index) {
                input.receiver.wait_on(&mut select);
            }
        }
        let Ok(ready) = select.ready_timeout(wait) else {
            return Ok(None);
        };
        let Some(index) = inputs.get(ready).copied() else {
            return Ok(None);
        };
        let Some(input) = self.inputs.get(index) else {
            return Ok(None);
        };
        Ok(input.receiver.receive(Duration::ZERO)?.map(|m| (index, m)))
    }

    fn take(&mut self, index: usize, message: Message) -> Result<Option<Event>, Stopped> {
        let Some(input) = self.inputs.get_mut(index) else {
            return Ok(None);
        };
        match message {
            Message::Batch(batch) => {
                input.idle = false;
                let batch = coalesce(input, batch)?;
                return Ok(Some(Event::Batch(input.input, batch)));
            }
            Message::Watermark(watermark) => {
                input.idle = false;
                input.watermark = input.watermark.max(Some(watermark));
            }
            Message::Idle => input.idle = true,
            Message::Barrier(barrier) => {
                input.barrier = Some(barrier);
                input.passed = barrier.epoch;
            }
            Message::End => input.ended = true,
        }
        Ok(self.merged_watermark())
    }

    fn merged_watermark(&mut self) -> Option<Event> {
        // An input that ended says nothing further: its last watermark was the highest there is, or
        // the topology is stopping.
        let mut active = self.inputs.iter().filter(|i| !i.ended && !i.idle).peekable();
        if active.peek().is_none() {
            let newly = !std::mem::replace(&mut self.told_idle, true);
            let live = self.inputs.iter().any(|i| !i.ended);
            return (newly && live).then_some(Event::Idle);
        }
        self.told_idle = false;
        let lowest = active.map(|i| i.watermark).min()??;
        if Some(lowest) <= self.watermark {
            return None;
        }
        self.watermark = Some(lowest);
        Some(Event::Watermark(lowest))
    }
}

/// Joins small batches that already wait behind a small one.
fn coalesce(input: &mut InputState, first: Batch) -> Result<Batch, Stopped> {
    if first.rows() >= SMALL {
        return Ok(first);
    }
    let (mut rows, mut readings) = (first.rows(), first.readings);
    let mut parts = vec![first];
    // A watermark between two batches may come after the second just as well.
    let mut watermark = None;
    while rows < COALESCED {
        match input.ahead.pop_front().or_else(|| input.receiver.try_receive()) {
            Some(Message::Batch(next)) if next.rows() < SMALL => {
                rows += next.rows();
                readings = readings.union(next.readings);
                parts.push(next);
            }
            Some(Message::Watermark(next)) => watermark = watermark.max(Some(next)),
            Some(other) => {
                input.ahead.push_front(other);
                break;
            }
            None => break,
        }
    }
    if let Some(watermark) = watermark {
        input.ahead.push_front(Message::Watermark(watermark));
    }
    let joined = match parts.as_slice() {
        [only] => only.records.clone(),
        [one, ..] => concat_batches(&one.records.schema(), parts.iter().map(|b| &b.records))
            .map_err(|e| Error::bug("join batches of one edge").with_source(e))?,
        [] => return Err(Error::bug("join no batches").into()),
    };
    Ok(Batch::new(joined, readings))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::super::control::Control;
    use super::super::edge::{Bounds, Sender, edge};
    use super::*;
    use crate::batch::Readings;
    use crate::metrics::{EdgeMetrics, Metrics};

    fn inputs(count: usize, aligned: bool) -> (Vec<Sender>, FanIn) {
        let metrics = Metrics::new("test").unwrap();
        let bounds = Bounds { rows: usize::MAX, bytes: usize::MAX };
        let edges =
            (0..count).map(|i| edge(bounds, EdgeMetrics::new(&metrics, "a", &i.to_string())));
        let (senders, receivers): (Vec<_>, Vec<_>) = edges.unzip();
        (senders, FanIn::new(receivers.into_iter().enumerate().collect(), aligned))
    }

    fn rows(from: i64, count: i64) -> Message {
        let column = Arc::new(Int64Array::from_iter_values(from..from + count)) as _;
        let records = RecordBatch::try_from_iter([("n", column)]).unwrap();
        Message::Batch(Batch::new(records, Readings::polled_at(Timestamp(0))))
    }

    /// What one input sends: batches of 1 to 3 rows and barriers, in order.
    fn script() -> impl Strategy<Value = Vec<Option<i64>>> {
        prop::collection::vec(prop_oneof![3 => (1_i64..4).prop_map(Some), 1 => Just(None)], 0..20)
    }

    proptest! {
        /// Rows keep their input's order; an aligned barrier comes exactly between the rows that
        /// were sent before it and those after it; every epoch is told once, in order.
        #[test]
        fn barriers_cut_the_inputs_where_they_stood(scripts in prop::collection::vec(script(), 1..4)) {
            let (senders, mut fan_in) = inputs(scripts.len(), true);
            let control = Control::new("test", Duration::ZERO);
            let mut expected: Vec<Vec<(i64, Epoch)>> = Vec::new();
            let epochs = scripts.iter().map(|s| s.iter().filter(|m| m.is_none()).count() as Epoch).min();
            for (sender, script) in senders.iter().zip(&scripts) {
                let (mut next, mut epoch, mut sent) = (0, 0, Vec::new());
                for step in script {
                    if let Some(count) = step {
                        sender.send(rows(next, *count), &control).unwrap();
                        sent.extend((next..next + count).map(|n| (n, epoch)));
                        next += count;
                    } else if Some(epoch) < epochs {
                        epoch += 1;
                        sender.send(Message::Barrier(Barrier { epoch, flush: false }), &control).unwrap();
                    }
                }
                sender.send(Message::End, &control).unwrap();
                expected.push(sent);
            }
            let mut got: Vec<Vec<(i64, Epoch)>> = vec![Vec::new(); scripts.len()];
            let mut told = 0;
            loop {
                match fan_in.next(Duration::ZERO).unwrap() {
                    Event::Batch(input, batch) => {
                        let column = batch.records.column(0).as_primitive::<Int64Type>().clone();
                        got[input].extend(column.values().iter().map(|n| (*n, told)));
                    }
                    Event::Barrier(barrier) => {
                        prop_assert_eq!(barrier.epoch, told + 1);
                        told += 1;
                    }
                    Event::End => break,
                    other => prop_assert!(false, "unexpected {:?}", other),
                }
            }
            prop_assert_eq!(Some(told), epochs);
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn an_unaligned_barrier_waits_for_all_inputs_and_holds_back_no_rows() {
        let (senders, mut fan_in) = inputs(2, false);
        let control = Control::new("test", Duration::ZERO);
        senders[0].send(Message::Barrier(Barrier { epoch: 1, flush: true }), &control).unwrap();
        senders[0].send(rows(0, 2000), &control).unwrap();
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Batch(0, _)));
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Nothing));
        senders[1].send(Message::Barrier(Barrier { epoch: 1, flush: false }), &control).unwrap();
        let event = fan_in.next(Duration::ZERO).unwrap();
        assert!(matches!(event, Event::Barrier(Barrier { epoch: 1, flush: true })), "{event:?}");
    }

    #[test]
    fn a_watermark_is_the_lowest_of_the_inputs_that_have_something_to_say() {
        let (senders, mut fan_in) = inputs(2, false);
        let control = Control::new("test", Duration::ZERO);
        let mark = |t| Message::Watermark(Timestamp(t));
        senders[0].send(mark(10), &control).unwrap();
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Nothing));
        senders[1].send(mark(5), &control).unwrap();
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Watermark(Timestamp(5))));
        senders[1].send(Message::Idle, &control).unwrap();
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Watermark(Timestamp(10))));
        senders[1].send(mark(7), &control).unwrap();
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Nothing), "never backwards");
    }

    fn mark(t: i64) -> Message {
        Message::Watermark(Timestamp(t))
    }

    /// Batches of input 0 and 1 that are read until nothing comes any more.
    fn read(fan_in: &mut FanIn) -> Vec<usize> {
        let mut read = Vec::new();
        loop {
            match fan_in.next(Duration::ZERO).unwrap() {
                Event::Batch(input, _) => read.push(input),
                Event::Nothing => return read,
                _ => {}
            }
        }
    }

    #[test]
    fn an_input_that_is_ahead_waits_for_the_others() {
        let (senders, fan_in) = inputs(2, true);
        let hour = Duration::from_secs(3600);
        let mut fan_in = fan_in.in_event_time(Alignment::new(100, hour));
        let control = Control::new("test", Duration::ZERO);
        let send = |input: usize, message| senders[input].send(message, &control).unwrap();
        send(0, mark(1000));
        send(1, mark(900));
        assert!(read(&mut fan_in).is_empty());
        for _ in 0..3 {
            send(0, rows(0, 2000));
            send(1, rows(0, 2000));
        }
        assert_eq!(read(&mut fan_in), [1, 1, 1, 0, 0, 0], "the slower one first");
        send(0, mark(1001));
        assert!(read(&mut fan_in).is_empty());
        send(0, rows(0, 2000));
        assert!(read(&mut fan_in).is_empty(), "it is ahead");
        send(1, rows(0, 2000));
        send(1, mark(901));
        assert_eq!(read(&mut fan_in), [1, 0], "it is so no longer");
        send(0, mark(5000));
        send(0, rows(0, 2000));
        assert!(read(&mut fan_in).is_empty());
        send(1, Message::Idle);
        assert_eq!(read(&mut fan_in), [0], "who is idle is not waited for");
    }

    #[test]
    fn an_input_that_waits_in_vain_goes_on_and_so_does_a_barrier() {
        let (senders, fan_in) = inputs(2, true);
        let mut fan_in = fan_in.in_event_time(Alignment::new(100, Duration::from_millis(1)));
        let control = Control::new("test", Duration::ZERO);
        let send = |input: usize, message| senders[input].send(message, &control).unwrap();
        send(0, mark(1000));
        for _ in 0..100 {
            send(0, rows(0, 2000));
        }
        let (mut batches, mut waits) = (0, 0);
        while batches < 100 {
            match fan_in.next(Duration::from_secs(5)).unwrap() {
                Event::Batch(0, _) => batches += 1,
                Event::Nothing => waits += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!((1..=20).contains(&waits), "each wait in vain grants more, {waits} waits");
        // An input that has come to the barrier is not waited for.
        let barrier = Message::Barrier(Barrier { epoch: 1, flush: false });
        send(1, barrier.clone());
        send(0, rows(0, 2000));
        send(0, barrier);
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Batch(0, _)));
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::Barrier(_)));
    }

    #[test]
    fn small_batches_that_wait_become_one() {
        let (senders, mut fan_in) = inputs(1, false);
        let control = Control::new("test", Duration::ZERO);
        for from in 0..100 {
            senders[0].send(rows(from, 1), &control).unwrap();
        }
        senders[0].send(Message::End, &control).unwrap();
        let Event::Batch(_, batch) = fan_in.next(Duration::ZERO).unwrap() else { unreachable!() };
        assert_eq!(batch.rows(), 100);
        assert!(matches!(fan_in.next(Duration::ZERO).unwrap(), Event::End));
    }
}
