//! The sink that writes files: open ones by directory, rolled by size and time, acknowledged when
//! they are there.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use swiftwater_engine::{
    Barrier, Batch, Clock, Epoch, Error, Result, Sequence, Sink, SinkContext, Staged, Timestamp,
};

use super::derived::Derived;
use super::encoder::{Making, Prepared, Preparer};
use super::location::Location;
use super::naming::Naming;
use super::open_file::{ClosingFile, OpenFile};
use super::partition::Partitioning;
use super::staged::{StagedEpoch, StagedFile};
use super::upload::Target;

/// Files that may be open at once; beyond it the one that is open longest is rolled.
const OPEN: usize = 128;
/// Longest wait within one call.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest time in which an epoch is staged; after it the engine is told that the store is slow.
const STAGED_WITHIN: Duration = Duration::from_secs(30);

/// What the options say.
#[derive(Clone)]
pub(crate) struct Design {
    /// Where the files go.
    pub location: Location,
    /// What they are made of.
    pub making: Making,
    /// What follows the dot in their names.
    pub extension: String,
    /// Columns that are added, and those that name directories.
    pub derived: Derived,
    /// A file is rolled at about this size.
    pub roll_bytes: u64,
    /// A file is rolled at this age.
    pub roll_every: Duration,
}

/// The sink.
pub(crate) struct FilesSink {
    design: Design,
    ready: Option<Ready>,
    open: HashMap<Arc<str>, OpenFile>,
    closing: VecDeque<ClosingFile>,
    taken: Sequence,
    /// Set where files appear only with their epoch.
    exactly_once: Option<EpochFiles>,
}

/// Files of the epoch under way, where they appear only with it.
#[derive(Default)]
struct EpochFiles {
    files: Vec<StagedFile>,
    /// Their uploads: they hold the locks that keep other processes from sweeping the files away.
    kept: Vec<ClosingFile>,
    /// What was staged and is not finalised yet.
    last: Option<(Epoch, StagedEpoch)>,
}

/// What there is once the sink was opened.
struct Ready {
    target: Target,
    preparer: Preparer,
    partitioning: Option<Partitioning>,
    clock: Clock,
    buffer_bytes: usize,
}

impl FilesSink {
    pub(crate) fn new(design: Design) -> Self {
        Self {
            design,
            ready: None,
            open: HashMap::new(),
            closing: VecDeque::new(),
            taken: 0,
            exactly_once: None,
        }
    }

    fn ready(&mut self) -> Result<&mut Ready> {
        self.ready.as_mut().ok_or_else(|| Error::bug("write to a sink before open"))
    }

    fn now(&mut self) -> Result<Timestamp> {
        Ok(self.ready()?.clock.now())
    }

    /// Rows by directory, with everything done that can fail because of them.
    fn prepare(&mut self, records: &RecordBatch) -> Result<Vec<(Arc<str>, Prepared)>> {
        let now = self.now()?;
        let records = self.design.derived.records(records, now)?;
        let ready = self.ready()?;
        let parts = match &mut ready.partitioning {
            Some(partitioning) => partitioning.spread(&records)?,
            None => vec![(Arc::from(""), records)],
        };
        let prepared = parts
            .into_iter()
            .map(|(directory, rows)| Ok((directory, ready.preparer.prepare(&rows)?)));
        prepared.collect()
    }

    /// Opens the files that `directories` lack.
    fn open_missing<'a>(
        &mut self,
        directories: impl Iterator<Item = &'a Arc<str>>,
        first: Sequence,
    ) -> Result<()> {
        let now = self.now()?;
        for directory in directories {
            if self.open.contains_key(directory) {
                continue;
            }
            let ready = self.ready.as_mut().ok_or_else(|| Error::bug("write before open"))?;
            let upload = ready.target.begin(directory)?;
            let file = OpenFile::begin(&self.design.making, upload, first, now)?;
            self.open.insert(Arc::clone(directory), file);
        }
        Ok(())
    }

    /// Ends a file; it is committed from now on.
    fn roll(&mut self, directory: &Arc<str>) -> Result<()> {
        if let Some(file) = self.open.remove(directory) {
            self.closing.push_back(file.close()?);
        }
        Ok(())
    }

    fn roll_where(&mut self, due: impl Fn(&mut OpenFile) -> bool) -> Result<()> {
        let due: Vec<Arc<str>> = self
            .open
            .iter_mut()
            .filter_map(|(directory, file)| due(file).then(|| Arc::clone(directory)))
            .collect();
        due.iter().try_for_each(|directory| self.roll(directory))
    }

    /// Rolls what is old or large enough, and the oldest of too many.
    fn roll_due(&mut self) -> Result<()> {
        let (now, bytes) = (self.now()?, self.design.roll_bytes);
        let age = i64::try_from(self.design.roll_every.as_micros()).unwrap_or(i64::MAX);
        self.roll_where(|f| f.size() >= bytes || now.0.saturating_sub(f.opened.0) >= age)?;
        while self.open.len() > OPEN {
            let oldest = self.open.iter().min_by_key(|(_, f)| (f.opened, f.first()));
            let Some(directory) = oldest.map(|(d, _)| Arc::clone(d)) else { break };
            self.roll(&directory)?;
        }
        Ok(())
    }

    /// Bytes of memory that rows take which are not stored yet.
    pub(crate) fn held(&mut self) -> usize {
        let open: usize = self.open.values_mut().map(OpenFile::held).sum();
        open + self.closing.iter().map(ClosingFile::held).sum::<usize>()
    }

    /// Brings commits forward in the order of the files, waiting at most `wait` for the first.
    fn commit(&mut self, mut wait: Duration) -> Result<()> {
        let mut failed = None;
        let mut left = VecDeque::with_capacity(self.closing.len());
        for mut file in std::mem::take(&mut self.closing) {
            let wait = std::mem::take(&mut wait);
            let done = match &mut self.exactly_once {
                None => file.commit(wait),
                Some(epoch) => file.stage(wait).map(|staged| {
                    let done = staged.is_some();
                    epoch.files.extend(staged);
                    done
                }),
            };
            match (done, &mut self.exactly_once) {
                (Ok(true), None) => {}
                (Ok(true), Some(epoch)) => epoch.kept.push(file),
                (Ok(false), _) => left.push_back(file),
                (Err(error), _) => {
                    left.push_back(file);
                    failed.get_or_insert(error);
                }
            }
        }
        self.closing = left;
        failed.map_or(Ok(()), Err)
    }

    /// Makes room for `bytes`: by storing, then by ending row groups, then by rolling the largest.
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        let most = self.ready()?.buffer_bytes;
        let full = |held: usize| held > 0 && held + bytes > most;
        if !full(self.held()) {
            return Ok(());
        }
        while full(self.held()) && !self.open.is_empty() {
            let largest = self.open.iter_mut().map(|(d, f)| (f.held(), Arc::clone(d))).max();
            let Some((before, directory)) = largest else { break };
            let Some(file) = self.open.get_mut(&directory) else { break };
            file.flush()?;
            if file.held() * 2 > before {
                self.roll(&directory)?;
                self.commit(Duration::ZERO)?;
            }
        }
        self.commit(PATIENCE)?;
        let held = self.held();
        if !full(held) {
            return Ok(());
        }
        Err(Error::unavailable(
            "SW2027",
            format!("take more rows while {held} bytes are not stored"),
        )
        .with_hint("the disk or the store is slower than the rows come"))
    }

    fn acknowledged_so_far(&self) -> Sequence {
        if self.exactly_once.is_some() {
            // They become durable when their epoch is staged.
            return self.taken;
        }
        let open = self.open.values().map(OpenFile::first);
        let closing = self.closing.iter().map(ClosingFile::first);
        open.chain(closing).min().map_or(self.taken, |first| first - 1)
    }
}

impl Sink for FilesSink {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        let now = cx.clock.now();
        // Every hasher of the standard library is seeded at random.
        let run = RandomState::new().hash_one(now.0);
        let naming = Naming::new(&cx.topology, &cx.node, now, run, &self.design.extension);
        let target = Target::new(self.design.location.clone(), naming);
        if let Some(exactly_once) = &cx.exactly_once {
            if let Some((_, Some(staged))) = &exactly_once.committed {
                target.finalise(&StagedEpoch::read(staged)?)?;
            }
            self.exactly_once = Some(EpochFiles::default());
        }
        // What is still in the making was never committed.
        target.prepare()?;
        let Derived { schema, partition_by, .. } = &self.design.derived;
        let partitioning = match partition_by.as_slice() {
            [] => None,
            names => Some(Partitioning::new(schema, names)?),
        };
        self.ready = Some(Ready {
            target,
            preparer: Preparer::new(&self.design.making)?,
            partitioning,
            clock: cx.clock,
            buffer_bytes: cx.buffer_bytes,
        });
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        // Everything that can fail comes before the first row is taken.
        self.roll_due()?;
        self.make_room(batch.bytes())?;
        self.open.values_mut().try_for_each(OpenFile::store)?;
        let parts = self.prepare(&batch.records)?;
        self.open_missing(parts.iter().map(|(directory, _)| directory), sequence)?;
        for (directory, rows) in &parts {
            if let Some(file) = self.open.get_mut(directory) {
                file.write(rows)?;
            }
        }
        self.taken = sequence;
        // What cannot be stored now is kept, and tried again before the next batch is taken.
        for file in self.open.values_mut() {
            if let Err(error) = file.store() {
                tracing::debug!(%error, "keep rows in memory");
            }
        }
        self.roll_due()
    }

    fn acknowledged(&mut self, wait: Duration) -> Result<Sequence> {
        self.roll_due()?;
        self.commit(wait.min(PATIENCE))?;
        Ok(self.acknowledged_so_far())
    }

    fn barrier(&mut self, barrier: Barrier) -> Result<()> {
        if barrier.flush && self.exactly_once.is_none() {
            self.roll_where(|_| true)?;
            self.commit(Duration::ZERO)?;
        }
        Ok(())
    }

    fn stage(&mut self, epoch: Epoch) -> Result<Staged> {
        let run = self.ready()?.target.run().to_owned();
        let known = self.exactly_once.as_ref().and_then(|e| e.last.as_ref());
        if let Some((_, staged)) = known.filter(|(last, _)| *last == epoch) {
            return staged.write();
        }
        self.roll_where(|_| true)?;
        let started = Instant::now();
        while !self.closing.is_empty() {
            self.commit(PATIENCE)?;
            if started.elapsed() > STAGED_WITHIN && !self.closing.is_empty() {
                return Err(Error::unavailable("SW2022", "store the files of an epoch")
                    .with_hint("the store takes longer than half a minute for them"));
            }
        }
        let files = self.exactly_once.as_mut();
        let files =
            files.ok_or_else(|| Error::bug("stage an epoch of a sink that is not exactly-once"))?;
        let staged =
            StagedEpoch { id: format!("{run}/{epoch}"), files: std::mem::take(&mut files.files) };
        files.last = Some((epoch, staged.clone()));
        staged.write()
    }

    fn finalise(&mut self, _epoch: Epoch, staged: &Staged) -> Result<()> {
        let staged = StagedEpoch::read(staged)?;
        self.ready()?.target.finalise(&staged)?;
        if let Some(files) = &mut self.exactly_once {
            files.kept.clear();
            files.last = None;
        }
        Ok(())
    }
}
