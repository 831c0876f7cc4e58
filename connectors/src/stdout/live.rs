//! A table that is drawn again in place as rows come: the newest rows, or the newest row of each key.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use swiftwater_engine::{Result, Timestamp};

use super::table::{self, Cells, Row};

/// The least time between two drawings.
const REDRAW_MICROS: i64 = 100_000;

/// The rows on the screen.
pub(crate) struct Live {
    schema: SchemaRef,
    /// Columns whose values make up a row's key; none where the newest rows are shown.
    key: Vec<usize>,
    /// Most rows that are shown.
    rows: usize,
    /// The shown rows with their keys, oldest change first.
    shown: VecDeque<(Vec<String>, Row)>,
    total: u64,
    /// Lines that the last drawing took.
    drawn: usize,
    changed: bool,
    drawn_at: Timestamp,
}

impl Live {
    /// An empty screen.
    pub(crate) const fn new(schema: SchemaRef, key: Vec<usize>, rows: usize) -> Self {
        Self {
            schema,
            key,
            rows,
            shown: VecDeque::new(),
            total: 0,
            drawn: 0,
            changed: false,
            drawn_at: Timestamp(i64::MIN),
        }
    }

    /// Takes rows; only those that can end up on the screen are turned into text.
    pub(crate) fn take(&mut self, records: &RecordBatch) -> Result<()> {
        let options = table::format_options();
        let cells = Cells::of(records, &options)?;
        let mut newest: Vec<(Vec<String>, Row)> = Vec::new();
        for row in (0..records.num_rows()).rev() {
            if newest.len() == self.rows {
                break;
            }
            let key: Vec<String> = self.key.iter().filter_map(|&c| cells.cell(row, c)).collect();
            if self.key.is_empty() || newest.iter().all(|(seen, _)| *seen != key) {
                newest.push((key, cells.row(row)));
            }
        }
        if !self.key.is_empty() {
            self.shown.retain(|(key, _)| newest.iter().all(|(seen, _)| seen != key));
        }
        self.shown.extend(newest.into_iter().rev());
        let surplus = self.shown.len().saturating_sub(self.rows);
        self.shown.drain(..surplus);
        self.total += records.num_rows() as u64;
        self.changed = true;
        Ok(())
    }

    /// What to send to the terminal at `now`: nothing where nothing has changed, or too little time
    /// has passed and `at_once` is false.
    pub(crate) fn redraw(&mut self, now: Timestamp, at_once: bool) -> Option<String> {
        let rested = now.0.saturating_sub(self.drawn_at.0) >= REDRAW_MICROS;
        if !self.changed || !(rested || at_once) {
            return None;
        }
        let mut rows: Vec<(Vec<String>, Row)> = self.shown.iter().cloned().collect();
        if !self.key.is_empty() {
            // Keys keep their places as long as they are shown.
            rows.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        }
        let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
        let mut text = String::new();
        if self.drawn > 0 {
            // Up to where the last drawing began. Each line clears its own rest: what stands below
            // the table is not ours.
            text.push_str(&format!("\x1b[{}F", self.drawn));
        }
        // Long lines are cut at the edge: a wrapped one would move the place to draw at.
        text.push_str("\x1b[?7l");
        let mut drawing = String::new();
        let lines = table::draw(&self.schema, &rows, &mut drawing);
        text.push_str(&drawing.replace('\n', "\x1b[K\n"));
        text.push_str(&format!("{} rows\x1b[K\n\x1b[?7h", self.total));
        self.drawn = lines + 1;
        self.changed = false;
        self.drawn_at = now;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    fn records(rows: &[(i64, i64)]) -> RecordBatch {
        let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let (keys, values) = rows.iter().copied().unzip();
        RecordBatch::try_from_iter([("k", column(keys)), ("v", column(values))]).unwrap()
    }

    fn body(text: &str) -> Vec<String> {
        let rows = text.lines().filter(|l| l.starts_with('│')).skip(1);
        let cells = |line: &str| {
            line.replace("\x1b[K", "")
                .split(['│', ' '])
                .filter(|c| !c.is_empty())
                .collect::<Vec<_>>()
                .join("/")
        };
        rows.map(cells).collect()
    }

    #[test]
    fn the_newest_row_of_each_key_is_shown_in_its_place() {
        let first = records(&[(1, 10), (2, 20), (1, 11)]);
        let mut live = Live::new(first.schema(), vec![0], 2);
        live.take(&first).unwrap();
        let text = live.redraw(Timestamp(0), false).unwrap();
        assert!(!text.contains("\x1b[7F") && text.contains("3 rows"));
        assert_eq!(body(&text).len(), 2);
        assert!(text.contains("11") && text.contains("20") && !text.contains("10"), "{text}");
        live.take(&records(&[(3, 30), (1, 12)])).unwrap();
        assert!(live.redraw(Timestamp(1), false).is_none(), "too early to draw again");
        let text = live.redraw(Timestamp(1), true).unwrap();
        assert!(text.starts_with("\x1b[7F") && !text.contains("\x1b[J"), "{text:?}");
        assert!(text.contains("12") && text.contains("30") && !text.contains("20"), "{text}");
        assert!(live.redraw(Timestamp(i64::MAX), true).is_none(), "nothing has changed");
    }

    #[test]
    fn without_a_key_the_newest_rows_are_shown() {
        let mut live = Live::new(records(&[]).schema(), vec![], 3);
        live.take(&records(&[(1, 1), (1, 2)])).unwrap();
        live.take(&records(&[(1, 3), (1, 4)])).unwrap();
        let text = live.redraw(Timestamp(0), false).unwrap();
        assert_eq!(body(&text), ["1/2", "1/3", "1/4"]);
    }
}
