//! The sink: batches as pipelines at once, or epochs by way of staged commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value};
use swiftwater_engine::{
    Batch, Epoch, Error, ErrorKind, Result, Sequence, Sink, SinkContext, Staged,
};

use super::command::{Command, packed, pipeline};
use super::faults::{told, told_by_script};
use super::features::FeatureRows;
use super::layout::Rows;
use super::script::WRITE;
use super::server::Server;
use super::staging::Staging;
use crate::codec::{Encoder, MakeEncoder};
use crate::freshness::Freshness;
use crate::io_call;
use crate::store_metrics::StoreMetrics;

/// What rows become.
pub(crate) enum Written {
    /// Keys by a template.
    Rows(Rows),
    /// Features of entities.
    Features(FeatureRows),
}

/// Checked options.
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) written: Written,
    /// Makes the JSON of a row, where that is the layout.
    pub(crate) encoder: Option<MakeEncoder>,
}

/// A `redis` sink.
pub(crate) struct RedisSink {
    settings: Arc<Settings>,
    encoder: Option<Box<dyn Encoder>>,
    opened: Option<Opened>,
    acknowledged: Sequence,
}

struct Opened {
    metrics: StoreMetrics,
    /// Of features.
    freshness: Option<Freshness>,
    /// `None` where the connection is to be made (again).
    connection: Option<MultiplexedConnection>,
    /// Set where the topology is exactly-once.
    staging: Option<Staging>,
}

impl RedisSink {
    /// # Errors
    /// Those of the message format.
    pub(crate) fn new(settings: Arc<Settings>) -> Result<Self> {
        let encoder = settings.encoder.as_ref().map(|make| make()).transpose()?;
        Ok(Self { settings, encoder, opened: None, acknowledged: 0 })
    }

    /// A call on a connection, which is given up where its state is unknown.
    fn call<T>(
        &mut self,
        step: &'static str,
        call: impl AsyncFnOnce(&mut MultiplexedConnection, Option<&mut Staging>) -> Result<T>,
    ) -> Result<T> {
        let server = &self.settings.server;
        let opened = self.opened.as_mut();
        let opened = opened.ok_or_else(|| Error::bug("use a `redis` sink before it is open"))?;
        let started = Instant::now();
        let outcome = io_call::block_on(Box::pin(async {
            let mut connection = match opened.connection.take() {
                Some(connection) => connection,
                None => server.connect().await?,
            };
            let outcome = call(&mut connection, opened.staging.as_mut()).await;
            if !matches!(&outcome, Err(e) if e.kind != ErrorKind::Data) {
                opened.connection = Some(connection);
            }
            outcome
        }))?;
        if outcome.is_ok() {
            opened.metrics.took(step, started.elapsed());
        }
        outcome
    }
}

async fn write_direct(
    connection: &mut MultiplexedConnection,
    commands: &[Command],
    what: &str,
) -> Result<()> {
    if commands.is_empty() {
        return Ok(());
    }
    let replies: Vec<RedisResult<Value>> =
        pipeline(commands).query_async(connection).await.map_err(|e| told(what, e))?;
    // Written again in smaller parts, what was taken comes out the same.
    replies.into_iter().try_for_each(|reply| reply.map(|_| ()).map_err(|e| told(what, e)))
}

/// Rows that one run of the script writes: Redis does nothing else meanwhile.
const AT_ONCE: usize = 1_000;

async fn write_by_script(
    connection: &mut MultiplexedConnection,
    commands: &[Command],
    what: &str,
) -> Result<()> {
    for commands in commands.chunks(AT_ONCE) {
        let mut script = Cmd::new();
        script.arg("EVAL").arg(WRITE).arg(0).arg(packed(commands));
        // Written again in smaller parts, what was taken comes out the same.
        let refused: String = script.query_async(connection).await.map_err(|e| told(what, e))?;
        if !refused.is_empty() {
            return Err(told_by_script(what, &refused));
        }
    }
    Ok(())
}

impl Sink for RedisSink {
    fn open(&mut self, cx: SinkContext) -> Result<()> {
        let metrics = StoreMetrics::open(cx.metrics.all(), &cx.node)?;
        let staging = cx.exactly_once.as_ref().map(|_| Staging::new(&cx.topology, &cx.node));
        let server = &self.settings.server;
        let connection = io_call::block_on(Box::pin(async {
            let mut connection = server.connect().await?;
            if let (Some(staging), Some(exactly_once)) = (&staging, &cx.exactly_once) {
                staging.recover(&mut connection, exactly_once).await?;
            }
            Ok::<MultiplexedConnection, Error>(connection)
        }))??;
        let freshness = match &self.settings.written {
            Written::Features(rows) => {
                let of = (cx.node.as_str(), rows.view.as_str());
                Some(Freshness::open(cx.metrics.all(), of, rows.freshness)?)
            }
            Written::Rows(_) => None,
        };
        self.opened = Some(Opened { metrics, freshness, connection: Some(connection), staging });
        Ok(())
    }

    fn write(&mut self, sequence: Sequence, batch: &Batch) -> Result<()> {
        let settings = Arc::clone(&self.settings);
        let commands = match &settings.written {
            Written::Rows(rows) => rows.commands(&batch.records, self.encoder.as_mut())?,
            Written::Features(rows) => rows.commands(&batch.records)?,
        };
        let what = format!("write to Redis at `{}`", settings.server.place);
        let of = (sequence, batch.rows());
        let scripted = matches!(settings.written, Written::Features(_));
        self.call("write", async |connection, staging| match staging {
            Some(staging) => staging.write(connection, of, &commands, &what).await,
            None if scripted => write_by_script(connection, &commands, &what).await,
            None => write_direct(connection, &commands, &what).await,
        })?;
        self.acknowledged = sequence;
        if let Written::Features(rows) = &settings.written {
            let newest = rows.newest(&batch.records)?;
            if let Some(Opened { freshness: Some(freshness), staging, .. }) = &mut self.opened {
                freshness.written(newest);
                if staging.is_none() {
                    freshness.seen();
                }
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, _wait: Duration) -> Result<Sequence> {
        Ok(self.acknowledged)
    }

    fn stage(&mut self, epoch: Epoch) -> Result<Staged> {
        self.call("stage", async |connection, staging| match staging {
            Some(staging) => staging.stage(connection, epoch).await,
            None => Err(Error::bug("stage an epoch of a sink that is not exactly-once")),
        })
    }

    fn finalise(&mut self, epoch: Epoch, staged: &Staged) -> Result<()> {
        self.call("finalise", async |connection, staging_area| match staging_area {
            Some(staging_area) => staging_area.finalise(connection, epoch, staged).await,
            None => Err(Error::bug("finish an epoch of a sink that is not exactly-once")),
        })?;
        if let Some(Opened { freshness: Some(freshness), .. }) = &mut self.opened {
            freshness.seen();
        }
        Ok(())
    }
}
