//! Rows as text, and text as a table with a frame.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use swiftwater_engine::Result;

/// One row as text, a cell for each column.
pub(crate) type Row = Vec<String>;

/// The longest cell that is shown whole.
const CELL: usize = 60;

/// Makes the cells of single rows of a batch.
pub(crate) struct Cells<'a>(Vec<ArrayFormatter<'a>>);

impl<'a> Cells<'a> {
    /// # Errors
    /// `Data` for a column type that has no text form.
    pub(crate) fn of(records: &'a RecordBatch, options: &'a FormatOptions<'a>) -> Result<Self> {
        let columns = records.columns().iter();
        let cells = columns.map(|c| ArrayFormatter::try_new(c.as_ref(), options));
        Ok(Self(cells.collect::<std::result::Result<_, _>>()?))
    }

    /// The cells of one row; what cannot be shown as text is shown as an error in place.
    pub(crate) fn row(&self, row: usize) -> Row {
        self.0.iter().map(|cell| shorten(&cell.value(row).to_string())).collect()
    }

    /// One cell.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Option<String> {
        self.0.get(column).map(|cell| cell.value(row).to_string())
    }
}

/// One line without control characters, which would take over the terminal.
fn shorten(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '·' } else { c };
    let mut short: String = text.chars().take(CELL).map(printable).collect();
    if text.chars().nth(CELL).is_some() {
        short.pop();
        short.push('…');
    }
    short
}

/// How null and times appear.
pub(crate) fn format_options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_display_error(true)
        .with_null("null")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.3f"))
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Null)
}

/// Appends a table of `rows` under the columns' names; numbers stand to the right. Returns the
/// number of lines.
pub(crate) fn draw(schema: &Schema, rows: &[Row], out: &mut String) -> usize {
    let names: Row = schema.fields().iter().map(|f| shorten(f.name())).collect();
    let right: Vec<bool> = schema.fields().iter().map(|f| is_number(f.data_type())).collect();
    let mut widths = vec![0; names.len()];
    for row in std::iter::once(&names).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = |left: &str, middle: &str, end: &str| {
        let dashes: Vec<String> = widths.iter().map(|w| "─".repeat(w + 2)).collect();
        format!("{left}{}{end}\n", dashes.join(middle))
    };
    let line = |row: &Row| {
        let mut text = String::from("│");
        for ((cell, &width), &right) in row.iter().zip(&widths).zip(&right) {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) =
                if right { (padding.as_str(), "") } else { ("", padding.as_str()) };
            text.extend([" ", before, cell, after, " │"]);
        }
        text + "\n"
    };
    out.push_str(&rule("┌", "┬", "┐"));
    out.push_str(&line(&names));
    out.push_str(&rule("├", "┼", "┤"));
    let mut lines = 4;
    for row in rows {
        out.push_str(&line(row));
        lines += 1;
    }
    out.push_str(&rule("└", "┴", "┘"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn a_table_lines_up_and_stays_on_its_lines() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\nb\x1b[2J"), None]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7, -1000]));
        let records = RecordBatch::try_from_iter([("text", texts), ("n", numbers)]).unwrap();
        let options = format_options();
        let cells = Cells::of(&records, &options).unwrap();
        let rows: Vec<Row> = (0..2).map(|i| cells.row(i)).collect();
        let mut out = String::new();
        let lines = draw(&records.schema(), &rows, &mut out);
        let expected = "\
┌─────────┬───────┐
│ text    │     n │
├─────────┼───────┤
│ a·b·[2J │     7 │
│ null    │ -1000 │
└─────────┴───────┘
";
        assert_eq!((out.as_str(), lines), (expected, 6));
    }

    #[test]
    fn a_long_cell_is_cut() {
        let cut = shorten(&"x".repeat(61));
        assert_eq!(cut.chars().count(), 60);
        assert!(cut.ends_with('…'));
        assert_eq!(shorten(&"x".repeat(60)), "x".repeat(60));
    }
}
