//! The `stdout` sink: rows on standard output, as lines or as a table.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swiftwater_engine::{
    Barrier, Batch, Clock, Error, ErrorKind, NodeContext, Result, Sequence, Sink, SinkContext,
    SinkOptions, SinkPlan,
};

use crate::codec::{self, CodecContext, Encoder, MakeEncoder, Payloads};
use crate::stdout::live::Live;
use crate::stdout::table::{self, Cells, Row};
use crate::unused_fields;

/// Prints rows: one line each in the node's `format` (JSON without it), or as a table.
///
/// `view: live` keeps one table on the terminal and draws it again as rows come: the newest `rows`
/// rows, or with `key` the newest row of each key. Where standard output is no terminal, it prints
/// lines.
///
/// Rows that replace earlier ones are printed as they come, with their column `_op`.
///
/// A row counts as written once standard output has taken it, and in the live table once the table
/// was drawn with it or with a newer row in its place, at most ten times a second. A reader that goes away
/// (`swiftwater run … | head`) stops the topology.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StdoutOptions {
    /// How rows appear: `lines`, `table` (one for each batch) or `live`.
    pub view: View,
    /// Columns that identify a row of the live table.
    pub key: Vec<String>,
    /// Most rows in the live table.
    pub rows: usize,
}

impl Default for StdoutOptions {
    fn default() -> Self {
        Self { view: View::Lines, key: Vec::new(), rows: 20 }
    }
}

/// How rows appear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// One line for each row.
    #[default]
    Lines,
    /// One table for each batch.
    Table,
    /// One table that is drawn again as rows come.
    Live,
}

impl SinkOptions for StdoutOptions {
    const KIND: &'static str = "stdout";
    const EXAMPLE: &'static str = "\
name: watch
sources:
  bids: {generate: {preset: bids, rate: 20, count: 200}}
sinks:
  screen: {input: bids, stdout: {view: live, key: [channel], rows: 15}}
";

    fn plan(self, cx: &NodeContext<'_>) -> Result<SinkPlan> {
        let schema = cx.input()?;
        let live = self.view == View::Live;
        if !live && !self.key.is_empty() {
            return Err(Error::config("SW2041", "use `key` without `view: live`")
                .with_hint("remove `key`, or set `view: live`"));
        }
        if live && !(1..=1000).contains(&self.rows) {
            return Err(Error::config("SW2041", format!("show a table of `rows: {}`", self.rows))
                .with_hint("give from 1 to 1000 rows"));
        }
        let key = columns(&schema, &self.key)?;
        if self.view == View::Table {
            unused_fields::refuse_format(cx.node)?;
        }
        let node = CodecContext { topic: None, node: &cx.node.name };
        let encoder = codec::encoder(cx.node.format.as_ref(), Arc::clone(&schema), &node)?;
        let (view, rows) = (self.view, self.rows);
        let make = move || -> Result<Box<dyn Sink>> {
            let face = match view {
                View::Live if std::io::stdout().is_terminal() => {
                    Face::Live(Live::new(Arc::clone(&schema), key.clone(), rows))
                }
                View::Table => Face::Table(Arc::clone(&schema)),
                View::Lines | View::Live => lines(&encoder)?,
            };
            Ok(Box::new(Stdout::new(Box::new(std::io::stdout()), face)))
        };
        Ok(SinkPlan { takes_upserts: true, ..SinkPlan::new(Arc::new(make)) })
    }
}

fn columns(schema: &Schema, names: &[String]) -> Result<Vec<usize>> {
    let index = |name: &String| {
        schema.index_of(name).map_err(|_| {
            let all: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::config("SW2041", format!("tell rows apart by the missing column `{name}`"))
                .with_hint(format!("name one of {}", all.join(", ")))
        })
    };
    names.iter().map(index).collect()
}

fn lines(encoder: &MakeEncoder) -> Result<Face> {
    Ok(Face::Lines(encoder()?, Payloads::default()))
}

/// What rows are turned into.
enum Face {
    Lines(Box<dyn Encoder>, Payloads),
    Table(SchemaRef),
    Live(Live),
}

/// The sink.
struct Stdout {
    out: Box<dyn Write + Send>,
    face: Face,
    clock: Clock,
    taken: Sequence,
    /// Number of the last batch that is out.
    printed: Sequence,
}

impl Stdout {
    fn new(out: Box<dyn Write + Send>, face: Face) -> Self {
        Self { out, face, clock: Clock::system(), taken: 0, printed: 0 }
    }

    /// The text of a batch; `None` where it is drawn later.
    fn text(&mut self, batch: &Batch) -> Result<Option<Vec<u8>>> {
        match &mut self.face {
            Face::Lines(encoder, payloads) => {
                payloads.clear();
                encoder.encode(&batch.records, payloads)?;
                Ok(Some(payloads.lines()))
            }
            Face::Table(schema) => {
                let options = table::format_options();
                let cells = Cells::of(&batch.records, &options)?;
                let rows: Vec<Row> = (0..batch.rows()).map(|row| cells.row(row)).collect();
                let mut text = String::new();
                table::draw(schema, &rows, &mut text);
                Ok(Some(text.into_bytes()))
            }
            Face::Live(live) => {
                live.take(&batch.records)?;
                Ok(None)
            }
        }
    }

    fn redraw(&mut self, at_once: bool) -> Result<()> {
        let now = self.clock.now();
        if let Face::Live(live) = &mut self.face
            && let Some(text) = live.redraw(now, at_once)
        {
            self.print(text.as_bytes())?;
            self.printed = self.taken;
        }
        Ok(())
    }

    fn print(&mut self, text: &[u8]) -> Result<()> {
        let written = self.out.write_all(text).and_then(|()| self.out.flush());
        // Part of the text may be out already, so it must not be tried again.
        written.map_err(|e| {
            Error::new(ErrorKind::State, "SW2042", "write to standard output")
                .with_hint("the program that reads the output has ended, or the disk is full")
                .with_source(e)
        })
    }
}

impl Sink for Stdout {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        self.clock = cx.clock;
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        if let Some(text) = self.text(batch)? {
            self.print(&text)?;
            self.printed = sequence;
        }
        self.taken = sequence;
        self.redraw(false)
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        self.redraw(false)?;
        Ok(self.printed)
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        self.redraw(barrier.flush)
    }
}

#[cfg(test)]
#[path = "stdout/tests.rs"]
mod tests;
