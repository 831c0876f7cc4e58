//! Reading CSV files: columns go by the names in the header.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use swiftwater_engine::{Error, Result};

use super::adapt::Adapter;
use super::csv::CsvLayout;
use super::line_reader::{FileRecords, LineReader, broken, open_records};
use super::listing::Entry;
use super::reader::FileReader;

/// Opens a file and reads its header.
///
/// # Errors
/// `Data` (`SW2017`) where the file has no header or lacks a required column.
pub(super) fn open(
    entry: &Entry,
    declared: &SchemaRef,
    layout: &CsvLayout,
    max: usize,
) -> Result<Box<dyn FileReader>> {
    let mut records = open_records(entry, Some(layout.quote()), max)?;
    if !layout.header {
        let decoder = layout.decoder(declared, None, max)?;
        return Ok(Box::new(LineReader::new(entry, records, decoder, None)));
    }
    let names = header(entry, &mut records, layout)?;
    let found = declared.fields().iter().filter(|f| names.contains(f.name()));
    let found = Arc::new(Schema::new(found.cloned().collect::<Vec<_>>()));
    let adapter = Adapter::new(&entry.name, &found, declared)?;
    let decoder = layout.decoder(&found, Some(&names), max)?;
    // A blank line is a value in a file of one column only.
    records.keep_blank(names.len() == 1);
    Ok(Box::new(LineReader::new(entry, records, decoder, Some(adapter))))
}

fn header(entry: &Entry, records: &mut FileRecords, layout: &CsvLayout) -> Result<Vec<String>> {
    let refused = || {
        Error::data("SW2017", format!("read the header of `{}`", entry.name))
            .with_hint("the first line must name the columns; if it does not, set `header: false`")
    };
    let found = records.next(1, 1).map_err(|e| broken(&entry.name, e))?;
    let line = found.first().filter(|r| r.fault.is_none()).map(|r| r.range.clone());
    let line = line.and_then(|range| records.bytes().get(range)).ok_or_else(refused)?;
    layout.names(line).map_err(|e| refused().with_source(e))
}
