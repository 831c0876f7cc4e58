//! The operator: adds columns that are looked up by key, in the order of the rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, interleave, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::RowConverter;
use schemars::JsonSchema;
use serde::Deserialize;
use swiftwater_engine::dead_letter::row_as_json;
use swiftwater_engine::metrics::NodeMetrics;
use swiftwater_engine::operator::Input;
use swiftwater_engine::{Batch, Error, ErrorKind, Operator, Output, Rejected, Result, Timestamp};

use super::backend::{Backend, Columns};
use super::cache::{Cache, CacheLimits, Row};
use super::metrics::{LookupMetrics, Series};
use super::table::converter;

/// What becomes of a row for which nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMiss {
    /// It is kept; the added columns are null.
    #[default]
    Keep,
    /// It is dropped and counted.
    Drop,
    /// It is set aside as `on_error` says.
    Reject,
    /// The topology stops.
    Fail,
}

/// First and longest pause before a store is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What all instances of a node share.
pub(crate) struct Settings {
    pub(crate) columns: Columns,
    /// Places of the key's columns in the input.
    pub(crate) places: Vec<usize>,
    /// Columns that come out.
    pub(crate) output: SchemaRef,
    pub(crate) on_miss: OnMiss,
    pub(crate) cache: CacheLimits,
    /// How long an unavailable store is asked again.
    pub(crate) retry: Duration,
    pub(crate) metrics: LookupMetrics,
}

/// One instance.
pub(crate) struct Lookup {
    settings: Arc<Settings>,
    backend: Box<dyn Backend>,
    converter: RowConverter,
    cache: Cache,
    series: Option<Series>,
}

impl Lookup {
    /// # Errors
    /// None in practice: the columns were checked.
    pub(crate) fn new(settings: Arc<Settings>, backend: Box<dyn Backend>) -> Result<Self> {
        let converter = converter(&settings.columns)?;
        let cache = Cache::new(settings.cache);
        Ok(Self { settings, backend, converter, cache, series: None })
    }

    fn count(&self, outcome: &str, rows: usize) {
        if let Some(series) = self.series.as_ref().filter(|_| rows > 0) {
            series.count(outcome, rows);
        }
    }

    /// Asks for keys; what is unavailable is asked again for a while.
    fn fetch(&mut self, keys: &RecordBatch, now: Timestamp) -> Result<Vec<Row>> {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        let found = loop {
            let asked = Instant::now();
            let error = match self.backend.fetch(keys, now) {
                Ok(found) => {
                    if let Some(series) = self.series.as_ref().filter(|_| !self.backend.is_local())
                    {
                        series.took(asked.elapsed());
                    }
                    break found;
                }
                Err(error) => error,
            };
            self.count("error", 1);
            if error.kind != ErrorKind::Unavailable
                || started.elapsed() + pause > self.settings.retry
            {
                return Err(error);
            }
            tracing::warn!(%error, "a lookup is unavailable, asking again");
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        };
        let rows = Arc::new(found.rows);
        Ok(found.of.into_iter().map(|row| row.map(|row| (Arc::clone(&rows), row))).collect())
    }

    /// What is there for each row.
    fn resolve(&mut self, records: &RecordBatch, now: Timestamp) -> Result<Vec<Row>> {
        let keys = records.project(&self.settings.places)?;
        let bytes = self.converter.convert_columns(keys.columns())?;
        let mut resolved: Vec<Row> = vec![None; records.num_rows()];
        // Keys that are asked for, with the rows that wait for each.
        let mut asked: HashMap<&[u8], Vec<usize>> = HashMap::new();
        let (mut order, mut cached) = (Vec::new(), 0);
        for (row, (slot, key)) in resolved.iter_mut().zip(bytes.iter()).enumerate() {
            if keys.columns().iter().any(|column| column.is_null(row)) {
                continue;
            }
            if let Some(known) = self.cache.get(key.as_ref(), now) {
                slot.clone_from(known);
                cached += 1;
                continue;
            }
            let waiting = asked.entry(key.data()).or_default();
            if waiting.is_empty() {
                order.push((row, key.data()));
            }
            waiting.push(row);
        }
        self.count("cached", cached);
        if order.is_empty() {
            return Ok(resolved);
        }
        let places: UInt32Array = order.iter().map(|(row, _)| u32::try_from(*row).ok()).collect();
        let found = self.fetch(&take_record_batch(&keys, &places)?, now)?;
        let is_local = self.backend.is_local();
        for ((_, key), row) in order.iter().zip(found) {
            for waiting in asked.get(key).into_iter().flatten() {
                if let Some(slot) = resolved.get_mut(*waiting) {
                    slot.clone_from(&row);
                }
            }
            if !is_local {
                self.cache.put(key, row, now);
            }
        }
        Ok(resolved)
    }

    /// The added columns of each row.
    fn columns(&self, resolved: &[Row]) -> Result<Vec<ArrayRef>> {
        let mut batches: Vec<Option<&Arc<RecordBatch>>> = vec![None];
        let mut numbers: HashMap<*const RecordBatch, usize> = HashMap::new();
        let picks: Vec<(usize, usize)> = resolved
            .iter()
            .map(|row| match row {
                None => (0, 0),
                Some((batch, row)) => {
                    let number = *numbers.entry(Arc::as_ptr(batch)).or_insert_with(|| {
                        batches.push(Some(batch));
                        batches.len() - 1
                    });
                    (number, *row)
                }
            })
            .collect();
        let fields = self.settings.columns.added.fields();
        let column = |(place, field): (usize, &Arc<arrow::datatypes::Field>)| {
            let null = new_null_array(field.data_type(), 1);
            let of = |batch: &Option<&Arc<RecordBatch>>| {
                batch
                    .and_then(|b| b.columns().get(place))
                    .map_or_else(|| Arc::clone(&null), Arc::clone)
            };
            let arrays: Vec<ArrayRef> = batches.iter().map(of).collect();
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            interleave(&arrays, &picks).map_err(Error::from)
        };
        fields.iter().enumerate().map(column).collect()
    }

    /// What becomes of rows for which nothing was found; `None` where all rows are kept.
    fn missing(
        &self,
        records: &RecordBatch,
        resolved: &[Row],
        out: &mut Output,
    ) -> Result<Option<BooleanArray>> {
        let missing = resolved.iter().filter(|row| row.is_none()).count();
        self.count("missing", missing);
        self.count("found", resolved.len() - missing);
        if missing == 0 || self.settings.on_miss == OnMiss::Keep {
            return Ok(None);
        }
        let names: Vec<&str> =
            self.settings.columns.key.fields().iter().map(|f| f.name().as_str()).collect();
        let message = format!("find anything for the row's {}", names.join(", "));
        match self.settings.on_miss {
            OnMiss::Fail => {
                return Err(Error::state("SW2236", message)
                    .with_hint("set `on_miss: keep`, drop or reject, if that may happen"));
            }
            OnMiss::Drop => out.count_dropped("lookup_miss", missing),
            _ => {
                for (row, _) in resolved.iter().enumerate().filter(|(_, found)| found.is_none()) {
                    out.reject(Rejected {
                        code: "SW2236",
                        message: message.clone(),
                        key: None,
                        payload: Some(row_as_json(&records.slice(row, 1))),
                        origin: None,
                        attempts: 1,
                    });
                }
            }
        }
        Ok(Some(resolved.iter().map(|row| Some(row.is_some())).collect()))
    }
}

impl Operator for Lookup {
    fn open(&mut self, metrics: &NodeMetrics) -> Result<()> {
        self.series = Some(self.settings.metrics.open(metrics)?);
        Ok(())
    }

    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let records = &batch.records;
        let resolved = self.resolve(records, out.now())?;
        let kept = self.missing(records, &resolved, out)?;
        let mut columns = records.columns().to_vec();
        columns.extend(self.columns(&resolved)?);
        let output = Arc::clone(&self.settings.output);
        let mut records = RecordBatch::try_new(output, columns)?;
        if let Some(kept) = kept {
            records = filter_record_batch(&records, &kept)?;
        }
        out.emit(batch.with_records(records));
        Ok(())
    }
}
