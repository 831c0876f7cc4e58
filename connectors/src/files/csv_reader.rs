//! Reading CSV files: columns go by the names in the header, and a bad line costs one record.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use swiftwater_engine::{Error, Rejected, Result};

use super::adapt::Adapter;
use super::line_reader::{FileRecords, RUN, broken, fault, open_records, skip};
use super::listing::Entry;
use super::reader::{Chunk, FileReader, rejected};
use super::records::Record;

/// How the values of a line are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CsvLayout {
    /// Between two values.
    pub delimiter: u8,
    /// Around values that hold delimiters or line breaks.
    pub quote: u8,
    /// Whether the first line names the columns; otherwise they are in the order of the schema.
    pub header: bool,
}

/// The reader.
pub(super) struct CsvReader {
    file: Arc<str>,
    records: FileRecords,
    layout: CsvLayout,
    declared: SchemaRef,
    /// Known once the header was read.
    columns: Option<Columns>,
}

/// The columns of one file.
struct Columns {
    /// Columns in the order of the file: declared ones with their types, others as text.
    schema: SchemaRef,
    /// Those of them that are read.
    projection: Vec<usize>,
    adapter: Adapter,
}

/// Parses CSV text whose columns are `schema`, of which those in `projection` are kept.
fn parse(
    text: &[u8],
    rows: usize,
    columns: &Columns,
    layout: CsvLayout,
) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let mut decoder = ReaderBuilder::new(Arc::clone(&columns.schema))
        .with_delimiter(layout.delimiter)
        .with_quote(layout.quote)
        .with_batch_size(rows + 1)
        .with_projection(columns.projection.clone())
        .build_decoder();
    let mut rest = text;
    while !rest.is_empty() {
        let used = decoder.decode(rest)?;
        if used == 0 {
            break;
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    // The end of the input ends the last record.
    decoder.decode(&[])?;
    let parsed = decoder.flush()?;
    let parsed = parsed.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(&columns.schema)));
    if parsed.num_rows() == rows {
        return Ok(parsed);
    }
    Err(arrow::error::ArrowError::CsvError(format!("found {} records in it", parsed.num_rows())))
}

impl CsvReader {
    pub(super) fn open(
        entry: &Entry,
        schema: SchemaRef,
        layout: CsvLayout,
        max: usize,
    ) -> Result<Self> {
        let records = open_records(entry, Some(layout.quote), max)?;
        let file = Arc::clone(&entry.name);
        Ok(Self { file, records, layout, declared: schema, columns: None })
    }

    /// Reads the header, if that was not done yet.
    fn columns(&mut self) -> Result<()> {
        if self.columns.is_some() {
            return Ok(());
        }
        let names: Vec<String> = if self.layout.header {
            let found = self.records.next(1, 1).map_err(|e| broken(&self.file, e))?;
            let header = found.first().map(|r| r.range.clone()).unwrap_or_default();
            let header = self.records.bytes().get(header).unwrap_or_default();
            header_names(header, self.layout).map_err(|e| {
                Error::data("SW2017", format!("read the header of `{}`", self.file)).with_source(e)
            })?
        } else {
            self.declared.fields().iter().map(|f| f.name().clone()).collect()
        };
        if names.is_empty() {
            return Err(Error::data("SW2017", format!("read the header of `{}`", self.file))
                .with_hint("the first line must name the columns"));
        }
        let field = |name: &String| match self.declared.field_with_name(name) {
            // Whether nulls are allowed is decided after parsing, where a bad row stands alone.
            Ok(field) => field.clone().with_nullable(true),
            Err(_) => Field::new(name, DataType::Utf8, true),
        };
        let schema = Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()));
        let declared = |(_, name): &(usize, &String)| self.declared.field_with_name(name).is_ok();
        let projection: Vec<usize> =
            names.iter().enumerate().filter(declared).map(|(place, _)| place).collect();
        let adapter = Adapter::new(&self.file, &schema.project(&projection)?, &self.declared)?;
        self.columns = Some(Columns { schema, projection, adapter });
        Ok(())
    }

    /// Parses records that lie side by side, or halves them until the ones at fault stand alone.
    fn parse(&self, columns: &Columns, records: &[&Record], out: &mut Parsed) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let text = self.records.bytes().get(first.range.start..last.range.end).unwrap_or_default();
        match parse(text, records.len(), columns, self.layout) {
            Ok(rows) => out.good.push((rows, records.iter().map(|r| r.line).collect())),
            Err(error) if records.len() == 1 => {
                let what = error.to_string();
                out.bad.push(rejected(&self.file, first.line, "SW2018", what, Some(text)));
            }
            Err(_) => {
                let (left, right) = records.split_at(records.len() / 2);
                self.parse(columns, left, out);
                self.parse(columns, right, out);
            }
        }
    }

    fn rows(&self, columns: &Columns, found: &[Record]) -> Result<(RecordBatch, Vec<Rejected>)> {
        let mut out = Parsed::default();
        // Runs of records between faulty ones are parsed in one go.
        for run in found.chunk_by(|a, b| a.fault.is_none() == b.fault.is_none()) {
            let bytes = |r: &Record| self.records.bytes().get(r.range.clone()).unwrap_or_default();
            let faulty = run.iter().filter_map(|r| r.fault.map(|f| (r, f)));
            out.bad.extend(faulty.map(|(r, f)| fault(&self.file, r, f, bytes(r))));
            let whole: Vec<&Record> = run.iter().filter(|r| r.fault.is_none()).collect();
            self.parse(columns, &whole, &mut out);
        }
        let Parsed { good, mut bad } = out;
        let mut adapted = Vec::with_capacity(good.len());
        for (rows, lines) in &good {
            let (rows, refused) = columns.adapter.adapt(rows, 0)?;
            adapted.push(rows);
            bad.extend(refused.into_iter().map(|r| at_line(r, lines)));
        }
        bad.sort_by_key(|r| r.origin.as_ref().map(|o| o.offset));
        Ok((arrow::compute::concat_batches(&self.declared, &adapted)?, bad))
    }
}

/// What came of some records.
#[derive(Default)]
struct Parsed {
    /// Rows, with the line that each began on.
    good: Vec<(RecordBatch, Vec<u64>)>,
    bad: Vec<Rejected>,
}

/// Names the line of a record that so far names its row, from 1.
fn at_line(mut record: Rejected, lines: &[u64]) -> Rejected {
    if let Some(origin) = &mut record.origin {
        let row = usize::try_from(origin.offset).unwrap_or_default().saturating_sub(1);
        let line = lines.get(row).copied().unwrap_or_default();
        origin.offset = i64::try_from(line).unwrap_or(i64::MAX);
    }
    record
}

/// The names that a header line holds.
pub(super) fn header_names(
    line: &[u8],
    layout: CsvLayout,
) -> std::result::Result<Vec<String>, arrow::error::ArrowError> {
    let format = Format::default()
        .with_header(true)
        .with_delimiter(layout.delimiter)
        .with_quote(layout.quote);
    let (schema, _) = format.infer_schema(line, Some(0))?;
    Ok(schema.fields().iter().map(|f| f.name().clone()).collect())
}

impl FileReader for CsvReader {
    fn next(&mut self, rows: usize) -> Result<Option<Chunk>> {
        self.columns()?;
        let found = self.records.next(rows, RUN).map_err(|e| broken(&self.file, e))?;
        let Some(columns) = self.columns.as_ref().filter(|_| !found.is_empty()) else {
            return Ok(None);
        };
        let (records, rejected) = self.rows(columns, &found)?;
        Ok(Some(Chunk {
            records,
            rejected,
            bytes: found.iter().map(|r| r.range.len() + 1).sum(),
            used: found.len() as u64,
        }))
    }

    fn skip(&mut self, records: u64) -> Result<()> {
        self.columns()?;
        skip(&mut self.records, &self.file, records)
    }
}
