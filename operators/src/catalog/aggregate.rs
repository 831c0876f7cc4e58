//! `aggregate`: features of each row from the earlier rows of its key, as of its event time.

mod answer;
mod bag;
mod blocks;
mod call;
mod categories;
mod column;
mod given;
mod heavy;
mod heavy_wire;
mod held;
mod lane;
mod lanes;
mod layout;
mod mode;
mod options;
mod partial;
mod ring;
mod shape;
mod taken;
mod texts;
mod tile_answer;
mod tile_lane;
mod tile_plan;
mod tile_track;
mod tiles;
mod weighted;
mod weights;
mod wire;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, NodeContext, Operator, OperatorOptions, OperatorPlan, Output, Result, SpillRoom,
    TableDelta, TableSpec, Timestamp,
};

pub use self::options::AggregateOptions;

use self::column::Column;
use self::lanes::Lanes;
use self::layout::{Feature, Layout};
use self::tiles::Tiles;
use crate::keyed::{EventTime, KeyColumns, KeyIndex, Waiting, WatermarkClock, spill_tables};

impl OperatorOptions for AggregateOptions {
    const KIND: &'static str = "aggregate";
    const EXAMPLE: &'static str = r#"name: aggregate_example
sources:
  payments:
    kafka: {brokers: "localhost:9092", topic: payments}
    format: json
    schema: {card: int64, shop: utf8, amount: float64, at: timestamp_ms}
    event_time: {column: at, out_of_orderness: 2s}
operators:
  history:
    input: payments
    aggregate:
      key: [card]
      windows: [1h, 24h]
      features:
        payments: count(*)
        spent: {of: sum(amount), on_empty: 0}
        usual: mean(amount)
        unusual: {of: zscore(amount), window: 7d}
        shops: count_distinct(shop)
        last_shops: {of: "last_k(shop, 3)", window: 24h}
sinks:
  features: {input: history, stdout: {}}
"#;

    fn plan(self, cx: &NodeContext<'_>) -> Result<OperatorPlan> {
        let input = cx.input()?;
        let keys = KeyColumns::find(&self.key, "key", &input)?;
        let layout = Arc::new(self.layout(&input)?);
        let time = EventTime::of_input(cx, 0)?;
        let mut fields = input.fields().to_vec();
        fields.extend(layout.features.iter().map(|feature| Arc::clone(&feature.field)));
        let schema = Arc::new(Schema::new(fields));
        let warnings = layout.warnings.clone();
        let meaning = layout.meaning();
        let rows_held = layout.features.iter().any(|feature| feature.tiled.is_none());
        let tiled = layout.features.iter().any(|feature| feature.tiled.is_some());
        let (rows, output) = (Arc::clone(&input), Arc::clone(&schema));
        let make = Arc::new(move |_| {
            let waiting = with_arguments(&rows, &layout);
            Ok(Box::new(Aggregate {
                time: time.clone(),
                clock: WatermarkClock::default(),
                waiting: Waiting::new(&keys, &waiting),
                lanes: rows_held.then(|| Lanes::new(&layout, &keys)).transpose()?,
                tiles: tiled.then(|| Tiles::new(&layout, &keys)).transpose()?,
                keys: keys.clone(),
                layout: Arc::clone(&layout),
                columns: rows.fields().len(),
                extended: waiting,
                output: Arc::clone(&output),
                meaning: meaning.clone(),
            }) as Box<dyn Operator>)
        });
        let plan = OperatorPlan::keyed(schema, cx.stream(0), self.key, make);
        let plan = OperatorPlan { warnings, splittable: true, ..plan };
        Ok(plan.with_late_port(input))
    }
}

/// The columns of the input and the values that are taken from it: these are evaluated as rows come,
/// so that a row which cannot be evaluated is set aside alone.
fn with_arguments(input: &SchemaRef, layout: &Layout) -> SchemaRef {
    let mut fields = input.fields().to_vec();
    let stored = layout.arguments.iter().enumerate().map(|(n, a)| Arc::new(a.stored(n)));
    fields.extend(stored);
    Arc::new(Schema::new(fields))
}

struct Aggregate {
    time: EventTime,
    clock: WatermarkClock,
    waiting: Waiting,
    /// Where windows are made of rows.
    lanes: Option<Lanes>,
    /// Where windows are made of tiles.
    tiles: Option<Tiles>,
    keys: KeyColumns,
    layout: Arc<Layout>,
    /// Number of columns of the input.
    columns: usize,
    extended: SchemaRef,
    output: SchemaRef,
    meaning: String,
}

impl Aggregate {
    /// Makes rows of what was restored.
    fn settle(&mut self) -> Result<()> {
        if self.waiting.table.is_restoring() {
            let mut index = KeyIndex::new(&self.keys.types())?;
            for row in self.waiting.table.settle(&mut index)? {
                self.waiting.agenda.push(row.mark.time, row.id, ());
            }
        }
        Ok(())
    }

    /// An empty column of a feature.
    fn column(&self, feature: &Feature) -> Column {
        let argument = feature.arguments.first();
        let cells = argument.and_then(|a| self.layout.shape.arguments.get(*a)).copied();
        let cells = Column::cells_for(feature.field.data_type(), cells);
        Column::new(&feature.field, cells, feature.on_empty)
    }

    fn emit(&mut self, rows: &RecordBatch, times: &[i64], out: &mut Output) -> Result<()> {
        let (columns, arguments) = rows.columns().split_at(self.columns);
        let mut columns: Vec<ArrayRef> = columns.to_vec();
        let features = &self.layout.features;
        let mut answers: Vec<Column> = features.iter().map(|f| self.column(f)).collect();
        if let Some(lanes) = &mut self.lanes {
            lanes.pass(rows, arguments, times, (&mut answers, out))?;
        }
        if let Some(tiles) = &mut self.tiles {
            tiles.pass(rows, arguments, times, (&mut answers, out))?;
        }
        let answers = answers.into_iter().map(Column::finish);
        columns.extend(answers.collect::<Result<Vec<_>>>()?);
        let records = RecordBatch::try_new(Arc::clone(&self.output), columns)?;
        out.emit(Batch::new(records, self.clock.readings(out.now())));
        Ok(())
    }
}

impl Operator for Aggregate {
    fn process(&mut self, _input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.settle()?;
        let mut rows = self.time.of(batch, out)?;
        self.clock.saw(rows.batch.readings);
        let mut columns = rows.batch.records.columns().to_vec();
        for argument in &self.layout.arguments {
            columns.push(argument.take(&rows.batch.records, out.now())?);
        }
        let records = RecordBatch::try_new(Arc::clone(&self.extended), columns)?;
        let input: Vec<usize> = (0..self.columns).collect();
        rows.batch = rows.batch.with_records(records);
        let (rows, late) = rows.split_late(|_, time| self.clock.has_passed(time))?;
        if let Some(late) = late {
            let records = late.records.project(&input)?;
            out.late(late.with_records(records));
        }
        self.waiting.push(&rows)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        self.settle()?;
        self.clock.advance(watermark);
        while let Some((rows, times)) = self.waiting.take(watermark.0)? {
            self.emit(&rows, &times, out)?;
        }
        if let Some(lanes) = &mut self.lanes {
            lanes.forget(watermark.0)?;
        }
        self.tiles.as_mut().map_or(Ok(()), |tiles| tiles.forget(watermark.0))
    }

    fn tables(&self) -> Vec<TableSpec> {
        let lanes = self.lanes.iter().map(Lanes::spec);
        let tiles = self.tiles.iter().map(Tiles::spec);
        [self.waiting.table.spec()].into_iter().chain(lanes).chain(tiles).collect()
    }

    fn layout(&self) -> String {
        self.meaning.clone()
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        self.settle()?;
        let waiting = self.waiting.table.seal()?;
        let lanes = self.lanes.as_mut().map(Lanes::seal).transpose()?.flatten();
        let tiles = self.tiles.as_mut().map(Tiles::seal).transpose()?.flatten();
        Ok(waiting.into_iter().chain(lanes).chain(tiles).collect())
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        match (delta.table, &mut self.lanes, &mut self.tiles) {
            (lanes::TABLE, Some(lanes), _) => lanes.restore(delta),
            (tiles::TABLE, _, Some(tiles)) => tiles.restore(delta),
            _ => self.waiting.table.restore(delta),
        }
    }

    fn state_bytes(&self) -> usize {
        let lanes = self.lanes.as_ref().map_or(0, Lanes::bytes);
        self.waiting.bytes() + lanes + self.tiles.as_ref().map_or(0, Tiles::bytes)
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes();
        spill_tables([self.waiting.table_mut()], (held, target), room)
    }

    fn spilled_bytes(&self) -> usize {
        self.waiting.disk_bytes()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tile_tests;
