//! The `kafka` source: what its instances share, and how one connects.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use regex::Regex;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::{Commit, Error, Polled, Position, Reading, Result, Source, SourceContext};

use super::bounds::Start;
use super::client::{Connection, not_created};
use super::columns::Columns;
use super::commit::Offsets;
use super::context::Consumer;
use super::ends::Ends;
use super::everything::Everything;
use super::ffi::{DataQueue, Messages};
use super::lag::{Backlog, Lag};
use super::member::Member;
use super::reader::Reader;
use super::rows::{Rows, Tombstones};
use super::settings;
use super::terms::Seat;
use super::topics::Directory;
use crate::codec::MakeDecoder;
use crate::event_time::EventTime;

/// Which topics to read.
#[derive(Debug, Clone)]
pub(crate) enum Subscription {
    /// These.
    Topics(Vec<String>),
    /// All whose whole name matches, also those that come later.
    Pattern(Regex),
}

/// A planned source, shared by its instances.
pub(crate) struct Design {
    pub(crate) connection: Connection,
    pub(crate) subscription: Subscription,
    pub(crate) group: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) settings: settings::Group,
    pub(crate) start: Arc<Start>,
    pub(crate) ends: Option<Arc<Ends>>,
    pub(crate) make_decoder: MakeDecoder,
    pub(crate) columns: Columns,
    pub(crate) schema: SchemaRef,
    pub(crate) event_time: Option<EventTime>,
    pub(crate) tombstones: Tombstones,
    pub(crate) backlog: Arc<Backlog>,
}

/// One instance of the source.
pub(crate) struct KafkaSource {
    design: Arc<Design>,
    open: Option<Reader>,
}

impl KafkaSource {
    pub(crate) fn new(design: Arc<Design>) -> Self {
        Self { design, open: None }
    }

    fn connect(&self, cx: SourceContext) -> Result<Reader> {
        let design = &self.design;
        let brokers = design.connection.bootstrap()?;
        let settings = design.settings.of_instance(design, &cx);
        let config = design.connection.configure(&brokers, &settings)?;
        let context = design.connection.context(&cx.node);
        let consumer: Consumer =
            config.create_with_context(context).map_err(|e| not_created(&e))?;
        let consumer = Arc::new(consumer);
        let queue = Arc::new(DataQueue::new(Arc::clone(&consumer)));
        let (assignment, desk) = (Arc::default(), Arc::default());
        let rows = self.rows()?;
        let mut member = Member {
            node: cx.node.clone(),
            consumer: Arc::clone(&consumer),
            queue: Arc::clone(&queue),
            assignment: Arc::clone(&assignment),
            desk: Arc::clone(&desk),
            start: Arc::clone(&design.start),
            ends: design.ends.as_ref().map(Arc::clone),
            metrics: Arc::clone(&cx.metrics),
            lag: Lag::new(
                &cx.node,
                cx.instance,
                design.settings.is_read_committed(),
                Arc::clone(&cx.metrics),
                Arc::clone(&design.backlog),
            ),
            grace: design.settings.grace(),
            arriving: None,
            everything: None,
        };
        if cx.takes_all {
            self.take_all(&mut member, &brokers, &cx)?;
        }
        let thread = thread::Builder::new()
            .name(format!("{}-group", cx.node))
            .spawn(move || member.run())
            .map_err(|e| Error::bug(format!("start the thread of the group: {e}")))?;
        let dropped = NodeMetrics::new(cx.metrics.all(), &cx.node);
        Ok(Reader {
            cx,
            brokers,
            consumer,
            queue,
            assignment,
            desk,
            thread: Some(thread),
            rows,
            dropped,
            messages: Messages::default(),
            taken: Vec::new(),
            last: None,
            changes: 0,
            compared: Instant::now(),
        })
    }

    fn rows(&self) -> Result<Rows> {
        let design = &self.design;
        Ok(Rows {
            decoder: (design.make_decoder)()?,
            columns: design.columns.clone(),
            schema: Arc::clone(&design.schema),
            event_time: design.event_time,
            tombstones: design.tombstones,
        })
    }

    /// Starts this instance's share of all partitions, before anything is read: its position is
    /// whole from the first epoch on.
    fn take_all(&self, member: &mut Member, brokers: &str, cx: &SourceContext) -> Result<()> {
        let design = &self.design;
        let consumer = Arc::clone(&member.consumer);
        let directory = Directory { consumer: &consumer, brokers, serves: true };
        let mut everything = Everything::new(design, cx);
        let all = everything.find(&directory, design.connection.is_embedded())?;
        if let Some(ends) = &design.ends {
            ends.resolve(&consumer, &all)?;
        }
        Seat::of(&cx.shared, &design.connection)?.reads(&cx.node, &design.group);
        let share = everything.share(&all);
        design.ends.iter().for_each(|ends| ends.reopen(&share));
        member.everything = Some(everything);
        member.assign(&share).inspect_err(|_| member.leave())
    }
}

impl Source for KafkaSource {
    fn open(&mut self, cx: SourceContext) -> Result<()> {
        let takes_all = cx.takes_all;
        let open = self.connect(cx)?;
        if !takes_all {
            open.subscribe(&self.design)?;
        }
        self.open = Some(open);
        Ok(())
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        let Some(open) = &mut self.open else {
            return Ok(Polled::Empty);
        };
        if let Some(error) = open.desk.take_failure() {
            return Err(error);
        }
        if let Some(within) = open.desk.announce() {
            return Ok(Polled::Revoking { within });
        }
        if let Some(ends) = &self.design.ends
            && open.is_ended(ends)
        {
            return Ok(Polled::End);
        }
        open.poll(wait)
    }

    fn position(&self) -> Position {
        self.open.as_ref().map(|open| open.assignment.position()).unwrap_or_default()
    }

    fn committer(&self) -> Option<Arc<dyn Commit>> {
        let open = self.open.as_ref()?;
        let (consumer, assignment) = (Arc::clone(&open.consumer), Arc::clone(&open.assignment));
        Some(Arc::new(Offsets { consumer, assignment, is_member: !open.cx.takes_all }))
    }

    fn reading(&self) -> Vec<Reading> {
        self.open.as_ref().map(|open| open.assignment.reading()).unwrap_or_default()
    }

    fn release(&mut self) -> Result<()> {
        if let Some(open) = &self.open {
            open.desk.release();
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.open = None;
        Ok(())
    }
}
