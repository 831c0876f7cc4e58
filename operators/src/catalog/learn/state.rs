//! What snapshots hold of a fit: a row for the coders, one for the whole and one for each open pane.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use swiftwater_engine::{Error, Merge, Result, TableDelta, TableSpec};

use super::learner::{Learned, Progress};
use crate::synthetic::fit::{Design, Fit};
use crate::synthetic::tally::Tally;
use crate::synthetic::wire::{Reader, Writer};

const TABLE: &str = "fit";
const CODERS: &str = "coders";
const TOTAL: &str = "total";

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("part", DataType::Utf8, false),
        Field::new("content", DataType::Binary, false),
    ]))
}

/// The table.
pub(super) fn spec() -> TableSpec {
    TableSpec {
        name: TABLE,
        version: 1,
        schema: schema(),
        partition: 0,
        key: 1,
        expiry: None,
        merge: Merge::Latest,
    }
}

/// What changed since the last barrier.
#[derive(Debug, Default)]
pub(super) struct FitTable {
    coders: bool,
    total: bool,
    panes: BTreeSet<i64>,
    gone: BTreeSet<i64>,
}

fn pane(start: i64) -> String {
    format!("pane/{start}")
}

impl FitTable {
    pub(super) const fn touch_coders(&mut self) {
        self.coders = true;
    }

    pub(super) const fn touch_total(&mut self) {
        self.total = true;
    }

    pub(super) fn touch(&mut self, start: i64) {
        self.panes.insert(start);
    }

    pub(super) fn drop_pane(&mut self, start: i64) {
        self.panes.remove(&start);
        self.gone.insert(start);
    }

    /// What changed.
    pub(super) fn seal(
        &mut self,
        learned: Option<&Learned>,
        panes: &BTreeMap<i64, Tally>,
    ) -> Result<Option<TableDelta>> {
        let changed = std::mem::take(self);
        let Some(Learned { fit, total, progress }) = learned else {
            return Ok(None);
        };
        let mut rows: Vec<(String, Vec<u8>)> = Vec::new();
        let mut push = |part: String, write: &dyn Fn(&mut Writer)| {
            let mut writer = Writer::default();
            write(&mut writer);
            rows.push((part, writer.0));
        };
        if changed.coders {
            push(CODERS.to_owned(), &|to| fit.write(to));
        }
        if changed.total {
            push(TOTAL.to_owned(), &|to| {
                to.word(progress.from as u64);
                to.word(u64::from(progress.last.is_some()));
                to.word(progress.last.unwrap_or(0) as u64);
                to.word(progress.version as u64);
                total.write(to);
            });
        }
        for start in changed.panes {
            if let Some(tally) = panes.get(&start) {
                push(pane(start), &|to| tally.write(to));
            }
        }
        let parts: StringArray = rows.iter().map(|(part, _)| Some(part)).collect();
        let contents: BinaryArray = rows.iter().map(|(_, content)| Some(content)).collect();
        let rows = RecordBatch::try_new(schema(), vec![Arc::new(parts), Arc::new(contents)])?;
        let gone: StringArray = changed.gone.into_iter().map(|start| Some(pane(start))).collect();
        let deleted = if gone.is_empty() {
            None
        } else {
            let key = Arc::new(schema().project(&[0])?);
            Some(RecordBatch::try_new(key, vec![Arc::new(gone)])?)
        };
        let delta = TableDelta { deleted, ..TableDelta::of(TABLE, rows) };
        Ok((!delta.is_empty()).then_some(delta))
    }
}

fn damaged() -> Error {
    Error::state("SW3311", "restore a fit: what is stored does not fit the node's options")
}

/// Takes back what was sealed.
pub(super) fn restore(
    delta: &TableDelta,
    design: &Arc<Design>,
    learned: &mut Option<Learned>,
    panes: &mut BTreeMap<i64, Tally>,
) -> Result<()> {
    let start = |part: &str| part.strip_prefix("pane/")?.parse::<i64>().ok();
    if let Some(gone) = &delta.deleted {
        let gone = gone.column(0).as_string_opt::<i32>().ok_or_else(damaged)?;
        for start in gone.iter().flatten().filter_map(start) {
            panes.remove(&start);
        }
    }
    let columns = delta.rows.columns();
    let (Some(parts), Some(contents)) = (columns.first(), columns.get(1)) else {
        return Err(damaged());
    };
    let parts = parts.as_string_opt::<i32>().ok_or_else(damaged)?;
    let contents = contents.as_binary_opt::<i32>().ok_or_else(damaged)?;
    let mut rows: Vec<(&str, &[u8])> =
        parts.iter().flatten().zip(contents.iter().flatten()).collect();
    // The whole is counted with coders.
    rows.sort_by_key(|(part, _)| *part != CODERS);
    for (part, content) in rows {
        let mut reader = Reader(content);
        if part == CODERS {
            let fit = Fit::read(design, &mut reader).ok_or_else(damaged)?;
            let (total, progress) = match learned.take() {
                Some(held) => (held.total, held.progress),
                None => (fit.tally(), Progress::default()),
            };
            *learned = Some(Learned { fit, total, progress });
        } else if part == TOTAL {
            let held = learned.as_mut().ok_or_else(damaged)?;
            (held.progress, held.total) = total(&mut reader).ok_or_else(damaged)?;
        } else {
            let tally = Tally::read(&mut reader).ok_or_else(damaged)?;
            panes.insert(start(part).ok_or_else(damaged)?, tally);
        }
    }
    Ok(())
}

fn total(reader: &mut Reader<'_>) -> Option<(Progress, Tally)> {
    let from = reader.word()? as i64;
    let some = reader.word()? > 0;
    let last = Some(reader.word()? as i64).filter(|_| some);
    let version = reader.word()? as i64;
    Some((Progress { from, last, version }, Tally::read(reader)?))
}
