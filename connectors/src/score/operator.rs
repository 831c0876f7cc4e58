//! The operator: rows go to models in requests of many rows, and come out in their order with the
//! scores.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{concat, filter_record_batch, take};
use arrow::datatypes::{DataType, SchemaRef};
use futures::{StreamExt, stream};
use swiftwater_engine::dead_letter::row_as_json;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{Batch, Error, Operator, Output, Rejected, Result, key_group};

use super::metrics::{ScoreMetrics, Series};
use super::model::{Failure, Model};
use super::shadow::{Shadow, ShadowSettings};
use super::tensors::{self, InputTensor, OutputColumn, Scores};
use crate::io_call;

/// A model that some keys are given to.
pub(crate) struct Canary {
    pub(crate) model: Arc<Model>,
    /// From 0 to 1.
    pub(crate) share: f64,
    /// Places of the columns that decide.
    pub(crate) key: Vec<usize>,
}

/// What all instances of a node share.
pub(crate) struct Settings {
    pub(crate) model: Arc<Model>,
    pub(crate) canary: Option<Canary>,
    pub(crate) shadow: Option<ShadowSettings>,
    pub(crate) inputs: Vec<InputTensor>,
    pub(crate) outputs: Arc<[OutputColumn]>,
    /// The values of rows without scores, one row for each output; without it they are set aside.
    pub(crate) fallback: Option<Vec<ArrayRef>>,
    pub(crate) output: SchemaRef,
    /// Most rows of a request, and most requests at once.
    pub(crate) limits: (usize, usize),
    pub(crate) metrics: ScoreMetrics,
}

/// One instance.
pub(crate) struct Score {
    settings: Arc<Settings>,
    shadow: Shadow,
    series: Option<Series>,
}

/// A request: which rows, and who is asked.
struct Request {
    rows: Vec<u32>,
    canary: bool,
    body: Arc<str>,
}

type Answered = std::result::Result<Scores, Failure>;

impl Score {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, shadow: Shadow::default(), series: None }
    }

    /// Which rows go to the canary: the same key always to the same model.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a hash")]
    fn to_canary(&self, records: &RecordBatch) -> Result<Vec<bool>> {
        let Some(canary) = &self.settings.canary else {
            return Ok(vec![false; records.num_rows()]);
        };
        let keys: Vec<ArrayRef> = records.project(&canary.key)?.columns().to_vec();
        let hashes = key_group::hashes(&keys)?;
        let part = |hash: u64| (hash >> 11) as f64 / (1_u64 << 53) as f64;
        Ok(hashes.into_iter().map(|hash| part(hash) < canary.share).collect())
    }

    /// The requests for the rows of a batch, and the rows that cannot be sent.
    fn requests(&self, records: &RecordBatch) -> Result<(Vec<Request>, Vec<u32>)> {
        let inputs = &self.settings.inputs;
        let columns: Vec<Vec<ArrayRef>> =
            inputs.iter().map(|t| tensors::columns(t, records)).collect::<Result<_>>()?;
        let canary = self.to_canary(records)?;
        let (mut of, mut unsendable): ([Vec<u32>; 2], Vec<u32>) =
            (<[Vec<u32>; 2]>::default(), Vec::new());
        for (row, (number, is_canary)) in (0_u32..).zip(canary).enumerate() {
            let [model, canary] = &mut of;
            let sendable = columns.iter().flatten().all(|c| tensors::is_sendable(c, row));
            let list = if !sendable {
                &mut unsendable
            } else if is_canary {
                canary
            } else {
                model
            };
            list.push(number);
        }
        let mut requests = Vec::new();
        for (rows, canary) in of.iter().zip([false, true]) {
            for rows in rows.chunks(self.settings.limits.0) {
                let picked = UInt32Array::from(rows.to_vec());
                let mut parts = Vec::with_capacity(inputs.len());
                for (tensor, columns) in inputs.iter().zip(&columns) {
                    let columns = columns.iter().map(|c| Ok(take(c, &picked, None)?));
                    parts.push((tensor, columns.collect::<Result<Vec<_>>>()?));
                }
                let body = tensors::body(&parts, &self.settings.outputs)?.into();
                requests.push(Request { rows: rows.to_vec(), canary, body });
            }
        }
        Ok((requests, unsendable))
    }

    fn ask(&self, requests: &[Request]) -> Result<Vec<Answered>> {
        let settings = &self.settings;
        let asked = requests.iter().map(|request| {
            let canary = settings.canary.as_ref().filter(|_| request.canary);
            let model = canary.map_or(&settings.model, |canary| &canary.model);
            let outputs = Arc::clone(&settings.outputs);
            Arc::clone(model).ask(Arc::clone(&request.body), request.rows.len(), outputs)
        });
        let asked: Vec<_> = asked.collect();
        let at_once = settings.limits.1;
        io_call::block_on(Box::pin(stream::iter(asked).buffered(at_once).collect()))
    }

    fn count(&self, outcome: &str, rows: usize) {
        if let Some(series) = self.series.as_ref().filter(|_| rows > 0) {
            series.count(outcome, rows);
        }
    }

    /// What scored rows get: the outputs and the version.
    fn scored(&mut self, request: &Request, scores: Scores) -> Result<Vec<ArrayRef>> {
        let rows = request.rows.len();
        self.count("scored", rows);
        self.count("canary", if request.canary { rows } else { 0 });
        let Scores { mut columns, version } = scores;
        if let (Some(shadow), false) = (&self.settings.shadow, request.canary) {
            let own = (columns.as_slice(), self.series.as_ref());
            self.shadow.ask(shadow, Arc::clone(&request.body), &self.settings.outputs, own)?;
        }
        columns.push(Arc::new(StringArray::from(vec![version.as_deref(); rows])));
        Ok(columns)
    }

    /// What rows without scores get.
    fn unscored(&self, rows: usize) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        let zeros = UInt32Array::from(vec![0; rows]);
        for (place, output) in self.settings.outputs.iter().enumerate() {
            let value = self.settings.fallback.as_ref().and_then(|f| f.get(place));
            columns.push(match value {
                Some(value) => take(value, &zeros, None)?,
                None => new_null_array(&output.of, rows),
            });
        }
        columns.push(new_null_array(&DataType::Utf8, rows));
        Ok(columns)
    }
}

/// Sets rows aside, or keeps them with the fallback.
fn set_aside(records: &RecordBatch, rows: &[u32], failure: &Failure, out: &mut Output) {
    for row in rows {
        out.reject(Rejected {
            code: "SW2238",
            message: format!("score a row: {}", failure.why),
            key: None,
            payload: Some(row_as_json(&records.slice(*row as usize, 1))),
            origin: None,
            attempts: failure.attempts,
        });
    }
}

impl Operator for Score {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.settings.metrics.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let records = &batch.records;
        if records.num_rows() == 0 {
            return Ok(());
        }
        let (requests, unsendable) = self.requests(records)?;
        let asked = Instant::now();
        let answers = self.ask(&requests)?;
        self.series.iter().for_each(|series| series.took(asked.elapsed()));
        let (mut parts, mut order): (Vec<Vec<ArrayRef>>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut kept = vec![true; records.num_rows()];
        let keeps = self.settings.fallback.is_some();
        let mut without = |rows: &[u32], failure: &Failure, out: &mut Output| {
            if keeps {
                tracing::debug!(why = failure.why, "rows get their fallback");
                return;
            }
            set_aside(records, rows, failure, out);
            for row in rows {
                kept.get_mut(*row as usize).into_iter().for_each(|kept| *kept = false);
            }
        };
        for (request, answer) in requests.iter().zip(answers) {
            parts.push(match answer {
                Ok(scores) => self.scored(request, scores)?,
                Err(failure) => {
                    self.count("failed", request.rows.len());
                    without(&request.rows, &failure, out);
                    self.unscored(request.rows.len())?
                }
            });
            order.extend(&request.rows);
        }
        if !unsendable.is_empty() {
            self.count("unsendable", unsendable.len());
            without(&unsendable, &Failure::unsendable(), out);
            parts.push(self.unscored(unsendable.len())?);
            order.extend(&unsendable);
        }
        let added = in_order(&parts, &order)?;
        let columns = records.columns().iter().cloned().chain(added).collect();
        let mut scored = RecordBatch::try_new(Arc::clone(&self.settings.output), columns)?;
        if kept.contains(&false) {
            scored = filter_record_batch(&scored, &BooleanArray::from(kept))?;
        }
        out.emit(batch.with_records(scored));
        Ok(())
    }

    fn on_end(&mut self, _out: &mut Output) -> Result<()> {
        match &self.settings.shadow {
            Some(settings) => self.shadow.finish(settings, self.series.as_ref()),
            None => Ok(()),
        }
    }
}

/// The columns of parts, each row in the place that `order` tells.
fn in_order(parts: &[Vec<ArrayRef>], order: &[u32]) -> Result<Vec<ArrayRef>> {
    let mut places = vec![0_u32; order.len()];
    for (place, row) in (0_u32..).zip(order) {
        let known = places.get_mut(*row as usize);
        *known.ok_or_else(|| Error::bug("put a score beside its row"))? = place;
    }
    let places = UInt32Array::from(places);
    let width = parts.first().map_or(0, Vec::len);
    let column = |number: usize| -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> =
            parts.iter().filter_map(|p| p.get(number)).map(AsRef::as_ref).collect();
        Ok(take(&concat(&arrays)?, &places, None)?)
    };
    (0..width).map(column).collect()
}
