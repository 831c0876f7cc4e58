//! What the sink prints, and what it does when nobody reads.

use std::io;
use std::sync::Mutex;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use swiftwater_engine::{Readings, Timestamp};

use super::*;

/// Standard output that can be read again, or that is closed.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>, bool);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn batch() -> Batch {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let records = RecordBatch::try_from_iter([("name", names), ("n", numbers)]).unwrap();
    Batch::new(records, Readings::polled_at(Timestamp(0)))
}

fn json_lines() -> Face {
    let cx = CodecContext { topic: None, node: "screen" };
    lines(&codec::encoder(None, batch().records.schema(), &cx).unwrap()).unwrap()
}

#[test]
fn a_line_for_each_row_is_out_before_it_is_acknowledged() {
    let paper = Paper::default();
    let mut sink = Stdout::new(Box::new(paper.clone()), json_lines());
    assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), 0);
    sink.write(1, &batch()).unwrap();
    assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), 1);
    assert_eq!(paper.text(), "{\"name\":\"a\",\"n\":1}\n{\"name\":\"b\",\"n\":2}\n");
}

#[test]
fn a_table_is_printed_for_each_batch() {
    let paper = Paper::default();
    let face = Face::Table(batch().records.schema());
    let mut sink = Stdout::new(Box::new(paper.clone()), face);
    sink.write(1, &batch()).unwrap();
    sink.write(2, &batch()).unwrap();
    assert_eq!(paper.text().matches("│ name │ n │").count(), 2, "{}", paper.text());
}

#[test]
fn a_closed_output_stops_the_topology_and_acknowledges_nothing() {
    let mut sink = Stdout::new(Box::new(Paper(Arc::default(), true)), json_lines());
    let error = sink.write(1, &batch()).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::State, "SW2042"));
    assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), 0);
}

#[test]
fn rows_of_the_live_table_are_acknowledged_when_it_was_drawn_with_them() {
    let paper = Paper::default();
    let live = Live::new(batch().records.schema(), vec![0], 5);
    let mut sink = Stdout::new(Box::new(paper.clone()), Face::Live(live));
    sink.clock = Clock::manual(Timestamp(0));
    sink.write(1, &batch()).unwrap();
    sink.write(2, &batch()).unwrap();
    let mut acknowledged_after = |micros| {
        sink.clock.advance_to(Timestamp(micros));
        sink.acknowledged(Duration::ZERO).unwrap()
    };
    assert_eq!(acknowledged_after(50_000), 1, "too early to draw again");
    assert_eq!(acknowledged_after(100_000), 2);
    assert!(paper.text().contains("4 rows"));
    sink.write(3, &batch()).unwrap();
    sink.barrier(Barrier { epoch: 1, flush: true }).unwrap();
    assert_eq!(sink.acknowledged(Duration::ZERO).unwrap(), 3);
    assert!(paper.text().contains("6 rows"));
}
