//! The source that reads files in the order of their names.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use swiftwater_engine::{
    Batch, Error, ErrorKind, Polled, Position, Readings, Rejected, Result, Source, SourceContext,
    Timestamp,
};

use super::listing::Entry;
use super::location::Location;
use super::progress::{FINISHED, Progress};
use super::reader::{Chunk, FileReader, Reading, rejected};
use crate::event_time::EventTime;

/// What all instances of a node share.
pub(crate) struct Design {
    /// Where the files are.
    pub location: Location,
    /// The same as written.
    pub path: String,
    /// How they are read.
    pub reading: Reading,
    /// How often to look for new files; `None` where the files of the start are all.
    pub watch: Option<Duration>,
    /// The event-time column.
    pub event_time: Option<EventTime>,
}

/// One instance of the source.
pub(crate) struct FilesSource {
    design: Arc<Design>,
    cx: Option<SourceContext>,
    progress: Progress,
    waiting: VecDeque<Entry>,
    /// Names of the files that wait and of the one that is being read.
    queued: HashSet<Arc<str>>,
    current: Option<Current>,
    /// When to list again; `None` before the first time.
    list_at: Option<Timestamp>,
}

struct Current {
    entry: Entry,
    /// Records used up.
    used: u64,
    /// `None` where the file must be opened (again).
    reader: Option<Box<dyn FileReader>>,
}

impl FilesSource {
    /// An instance that begins with the first file.
    pub(crate) fn new(design: Arc<Design>) -> Self {
        Self {
            design,
            cx: None,
            progress: Progress::new((0, 1), true, None),
            waiting: VecDeque::new(),
            queued: HashSet::new(),
            current: None,
            list_at: None,
        }
    }

    fn cx(&self) -> Result<&SourceContext> {
        self.cx.as_ref().ok_or_else(|| Error::bug("poll a source before open"))
    }

    /// Looks for files that are not known yet and belong to this instance.
    fn list(&mut self) -> Result<()> {
        let listed = self.design.location.list()?;
        let cx = self.cx()?;
        let first = self.list_at.is_none();
        let anew = first && self.progress.is_empty();
        if listed.is_empty() && anew && self.design.watch.is_none() {
            let path = &self.design.path;
            return Err(Error::config("SW2011", format!("find files at `{path}`"))
                .with_hint("correct the path, or set `watch: true` to wait for files"));
        }
        if first {
            self.check_unfinished(&listed)?;
        }
        let now = cx.clock.now();
        let pause = self.design.watch.unwrap_or_default().as_micros();
        let pause = i64::try_from(pause).unwrap_or(i64::MAX);
        for entry in listed {
            let name = &entry.name;
            let wanted = self.progress.is_mine(name) && self.progress.used(name) != FINISHED;
            if wanted && self.queued.insert(Arc::clone(name)) {
                self.waiting.push_back(entry);
            }
        }
        self.list_at = Some(Timestamp(now.0.saturating_add(pause)));
        Ok(())
    }

    /// Files that a snapshot left half read must be there still.
    fn check_unfinished(&self, listed: &[Entry]) -> Result<()> {
        let there: HashSet<&str> = listed.iter().map(|entry| entry.name.as_ref()).collect();
        match self.progress.unfinished().find(|name| !there.contains(name)) {
            None => Ok(()),
            Some(gone) => {
                let used = self.progress.used(gone);
                let message = format!("go on after record {used} of `{gone}`, which is gone");
                Err(Error::state("SW2029", message)
                    .with_hint("put the file back, or remove the snapshots to start anew"))
            }
        }
    }

    /// Takes up the next file; `false` where there is none (yet).
    fn next_file(&mut self, wait: Duration) -> Result<bool> {
        if self.waiting.is_empty() && (self.list_at.is_none() || self.design.watch.is_some()) {
            if let Some(at) = self.list_at {
                let cx = self.cx()?;
                let early = u64::try_from(at.0.saturating_sub(cx.clock.now().0)).unwrap_or(0);
                if early > 0 {
                    std::thread::sleep(Duration::from_micros(early).min(wait));
                    return Ok(false);
                }
            }
            self.list()?;
        }
        let Some(entry) = self.waiting.pop_front() else { return Ok(false) };
        self.progress.begin(&entry.name);
        let used = u64::try_from(self.progress.used(&entry.name)).unwrap_or(0);
        self.current = Some(Current { entry, used, reader: None });
        Ok(true)
    }

    /// The next rows of the current file; `None` at its end.
    fn read(&mut self) -> Result<Option<Chunk>> {
        let rows = self.cx()?.batch_rows.max(1);
        let Some(current) = &mut self.current else { return Ok(None) };
        let reader = match &mut current.reader {
            Some(reader) => reader,
            closed => closed.insert(self.design.reading.open(&current.entry, current.used)?),
        };
        let chunk = match reader.next(rows) {
            Ok(chunk) => chunk,
            Err(error) => {
                // It is opened again where reading left off.
                current.reader = None;
                return Err(error);
            }
        };
        if let Some(chunk) = &chunk {
            current.used += chunk.used;
            let used = i64::try_from(current.used).unwrap_or(FINISHED);
            self.progress.advance(&current.entry.name, used);
        }
        Ok(chunk)
    }

    fn finish_file(&mut self) -> Option<Current> {
        let current = self.current.take()?;
        self.progress.advance(&current.entry.name, FINISHED);
        self.queued.remove(&current.entry.name);
        Some(current)
    }

    fn rows(&self, records: RecordBatch, rejected: Vec<Rejected>, bytes: usize) -> Result<Polled> {
        let now = self.cx()?.clock.now();
        let event = self.design.event_time.and_then(|e| e.span(&records));
        let readings = Readings { event, ..Readings::polled_at(now) };
        Ok(Polled::Rows {
            batch: Batch::new(records, readings),
            rejected,
            bytes,
            splits: Vec::new(),
        })
    }

    /// The rest of a file that makes no sense is set aside as one record.
    fn give_up_file(&mut self, error: &Error) -> Result<Polled> {
        let schema = Arc::clone(&self.design.reading.schema);
        let Some(current) = self.finish_file() else {
            return Err(Error::bug("give up a file that was never taken up"));
        };
        let cause = error.source.as_ref().map(|e| format!(": {e}")).unwrap_or_default();
        let message = format!("{}{cause}", error.message);
        let letter = rejected(&current.entry.name, current.used + 1, error.code, message, None);
        self.rows(RecordBatch::new_empty(schema), vec![letter], 0)
    }
}

impl Source for FilesSource {
    fn open(&mut self, cx: SourceContext) -> Result<()> {
        let in_order = self.design.watch.is_none();
        let share = (cx.instance, cx.instances);
        self.progress = Progress::new(share, in_order, cx.resume.as_ref());
        self.cx = Some(cx);
        self.list()
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        loop {
            if self.current.is_none() && !self.next_file(wait)? {
                let more = self.design.watch.is_some();
                return Ok(if more { Polled::Empty } else { Polled::End });
            }
            match self.read() {
                Ok(Some(chunk)) => {
                    return self.rows(chunk.records, chunk.rejected, chunk.bytes);
                }
                Ok(None) => {
                    self.finish_file();
                }
                Err(error) if error.kind == ErrorKind::Data => return self.give_up_file(&error),
                Err(error) => return Err(error),
            }
        }
    }

    fn position(&self) -> Position {
        self.progress.position()
    }
}
