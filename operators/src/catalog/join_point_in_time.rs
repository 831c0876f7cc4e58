//! `join_point_in_time`: labels or requests with the features that were known at their time.

mod feature;
mod options;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom,
    Stream, TableDelta, TableSpec, Timestamp,
};

pub use self::options::JoinPointInTimeOptions;

use self::feature::{Feature, FeaturePlan};
use self::options::mistake;
use crate::keyed::{EventTime, KeyColumns, KeyIndex, Waiting, WatermarkClock, spill_tables};

impl OperatorOptions for JoinPointInTimeOptions {
    const KIND: &'static str = "join_point_in_time";
    const EXAMPLE: &'static str = r#"name: join_point_in_time_example
sources:
  rides:
    kafka: {brokers: "localhost:9092", topic: rides}
    format: json
    schema: {ride: int64, driver: int64, tip: float64, asked_at: timestamp_ms}
    event_time: {column: asked_at}
  driver_stats:
    kafka: {brokers: "localhost:9092", topic: driver_stats}
    format: json
    schema: {driver: int64, rating: float64, trips: int64, at: timestamp_ms, written_at: timestamp_ms}
    event_time: {column: at}
operators:
  training_rows:
    inputs: [rides, driver_stats]
    join_point_in_time:
      key: [driver]
      features:
        - {input: driver_stats, columns: [rating, trips], ttl: 2h, available_at: written_at}
sinks:
  out: {input: training_rows, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let requests = Arc::clone(cx.inputs.first().ok_or_else(|| Error::bug("find an input"))?);
        if cx.stream(0).is_upsert() {
            return Err(Error::config(
                "SW0210",
                "ask for features by rows that replace earlier ones",
            )
            .with_hint("the first input is the requests: give rows that stand for themselves"));
        }
        if self.key.is_empty() {
            return Err(mistake(
                "join on no column",
                "name the columns of the entity: key: [driver]",
            ));
        }
        let keys = KeyColumns::find(&self.key, "key", &requests)?;
        let time = EventTime::of_input(cx, 0)?;
        let event_time = cx.event_time(0)?;
        let features = FeaturePlan::all(&self, cx, &keys)?;
        let mut fields = requests.fields().to_vec();
        for field in features.iter().flat_map(|f| &f.added) {
            if fields.iter().any(|f| f.name() == field.name()) {
                let message = format!("give two columns of the result the name `{}`", field.name());
                return Err(Error::config("SW0307", message)
                    .with_hint("write columns: {new_name: column}, or prefix: stats_"));
            }
            fields.push(Arc::clone(field));
        }
        let warnings = features.iter().filter_map(FeaturePlan::warning).collect();
        let output = Arc::new(Schema::new(fields));
        let late = late_schema(&output);
        let input_keys = std::iter::once(self.key.clone())
            .chain(features.iter().map(|f| f.key_names.clone()))
            .collect();
        let plan =
            Arc::new(Plan { requests, output: Arc::clone(&output), late, keys, time, features });
        let late = Arc::clone(&plan.late);
        let make = Arc::new(move |_| {
            PointInTime::new(&plan).map(|operator| Box::new(operator) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(output, Stream::at(event_time), self.key, make);
        let plan =
            OperatorPlan { input_keys, warnings, splittable: true, takes_upserts: true, ..plan };
        Ok(plan.with_late_port(late))
    }
}

/// The columns of the result, all of which may be null: those of late rows.
fn late_schema(output: &Schema) -> SchemaRef {
    let nullable = |f: &Arc<Field>| f.as_ref().clone().with_nullable(true);
    Arc::new(Schema::new(output.fields().iter().map(nullable).collect::<Vec<_>>()))
}

/// What all instances share.
struct Plan {
    requests: SchemaRef,
    output: SchemaRef,
    late: SchemaRef,
    keys: KeyColumns,
    time: EventTime,
    features: Vec<FeaturePlan>,
}

/// One instance.
struct PointInTime {
    plan: Arc<Plan>,
    clock: WatermarkClock,
    waiting: Waiting,
    features: Vec<Feature>,
}

impl PointInTime {
    fn new(plan: &Arc<Plan>) -> Result<Self> {
        Ok(Self {
            clock: WatermarkClock::default(),
            waiting: Waiting::new(&plan.keys, &plan.requests),
            features: plan.features.iter().map(Feature::new).collect::<Result<_>>()?,
            plan: Arc::clone(plan),
        })
    }

    fn settle(&mut self) -> Result<()> {
        if self.waiting.table.is_restoring() {
            let mut index = KeyIndex::new(&self.plan.keys.types())?;
            for row in self.waiting.table.settle(&mut index)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        self.features.iter_mut().try_for_each(|feature| feature.versions.settle())
    }

    fn request(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        let rows = self.plan.time.of(batch, out)?;
        let (rows, late) = rows.split_late(|_, time| self.clock.has_passed(time))?;
        if let Some(late) = late {
            let mut columns = late.records.columns().to_vec();
            for field in self.plan.late.fields().iter().skip(columns.len()) {
                columns.push(arrow::array::new_null_array(field.data_type(), late.rows()));
            }
            let records = RecordBatch::try_new(Arc::clone(&self.plan.late), columns)?;
            out.late(late.with_records(records));
        }
        self.waiting.push(&rows)
    }

    fn feature(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        let own = self.features.iter_mut().find(|f| f.plan.input == input);
        let feature = own.ok_or_else(|| Error::bug("find the features of an input"))?;
        if let Some(late) = feature.push(batch, self.clock.watermark(), out)? {
            out.late(feature.late(&late, &self.plan)?);
        }
        Ok(())
    }

    /// Gives requests with the features of their times.
    fn answer(&mut self, requests: &RecordBatch, times: &[i64]) -> Result<RecordBatch> {
        let keys = self.plan.keys.of(requests);
        let mut columns = requests.columns().to_vec();
        for feature in &mut self.features {
            columns.extend(feature.columns(&keys, times)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?)
    }
}

impl Operator for PointInTime {
    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.saw(batch.readings);
        if input == 0 { self.request(batch, out) } else { self.feature(input, batch, out) }
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        let readings = self.clock.readings(out.now());
        while let Some((requests, times)) = self.waiting.take(watermark.0)? {
            let rows = self.answer(&requests, &times)?;
            out.emit(Batch::new(rows, readings));
        }
        self.features.iter_mut().try_for_each(|feature| feature.versions.advance(watermark.0))
    }

    fn tables(&self) -> Vec<TableSpec> {
        let features = self.features.iter().map(|f| f.versions.table.spec());
        std::iter::once(self.waiting.table.spec()).chain(features).collect()
    }

    fn layout(&self) -> String {
        "point in time".to_owned()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let mut deltas: Vec<TableDelta> = self.waiting.table.seal()?.into_iter().collect();
        for feature in &mut self.features {
            deltas.extend(feature.versions.table.seal()?);
        }
        Ok(deltas)
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        let features = self.features.iter_mut().map(|f| &mut f.versions.table);
        let mut tables = std::iter::once(&mut self.waiting.table).chain(features);
        match tables.find(|t| t.name() == delta.table) {
            Some(table) => table.restore(delta),
            None => {
                let message = format!("restore the unknown table `{}` of a join", delta.table);
                Err(Error::state("SW3311", message))
            }
        }
    }

    fn state_bytes(&self) -> usize {
        self.waiting.bytes() + self.features.iter().map(|f| f.versions.bytes()).sum::<usize>()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        let features = self.features.iter_mut().map(|f| &mut f.versions.table);
        let tables = std::iter::once(self.waiting.table_mut()).chain(features);
        spill_tables(tables, (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        let features = self.features.iter().map(|f| f.versions.table.disk_bytes());
        self.waiting.disk_bytes() + features.sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
