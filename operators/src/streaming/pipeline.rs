//! The stages of a query as one operator: each is an operator of its own, called in turn as a chain of
//! nodes would be.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use swiftwater_engine::operator::Input;
use swiftwater_engine::{
    Batch, Error, Operator, OperatorPlan, Output, Result, SpillRoom, TableDelta, TableSpec,
    Timestamp,
};

use super::relation::Feed;

/// A planned stage.
#[derive(Clone)]
pub(super) struct Stage {
    /// Its kind, for the layout of its state.
    pub(super) kind: String,
    /// Its plan.
    pub(super) plan: OperatorPlan,
    /// Where its inputs come from.
    pub(super) inputs: Vec<Feed>,
}

/// A stage at work.
struct Worker {
    operator: Box<dyn Operator>,
    splittable: bool,
    inputs: Vec<Feed>,
    layout: String,
    /// Names of its tables within the node, beside its own names.
    tables: Vec<(&'static str, &'static str)>,
}

/// The stages, each after those it takes from; the last one gives the result.
pub(super) struct Pipeline {
    workers: Vec<Worker>,
}

/// A name that lives as long as the program; each is made once.
fn interned(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

impl Pipeline {
    /// Instance `instance` of the stages.
    pub(super) fn new(stages: &[Stage], instance: usize) -> Result<Self> {
        let worker = |(number, stage): (usize, &Stage)| {
            let operator = (stage.plan.make)(instance)?;
            let own = operator.tables().into_iter().map(|t| t.name);
            let tables = own.map(|name| (name, interned(format!("{number}_{name}")))).collect();
            let layout = format!("{} {}", stage.kind, operator.layout());
            let splittable = stage.plan.splittable;
            Ok(Worker { operator, splittable, inputs: stage.inputs.clone(), layout, tables })
        };
        let workers = stages.iter().enumerate().map(worker).collect::<Result<_>>()?;
        Ok(Self { workers })
    }

    /// The stages that take from `feed`, each with the number of the input.
    fn readers(&self, feed: Feed) -> Vec<(usize, Input)> {
        let of_worker = |(number, worker): (usize, &Worker)| {
            let inputs = worker.inputs.iter().enumerate();
            let fed = inputs.filter(|(_, from)| **from == feed);
            fed.map(|(input, _)| (number, input)).collect::<Vec<_>>()
        };
        self.workers.iter().enumerate().flat_map(of_worker).collect()
    }

    fn pass_on(&mut self, feed: Feed, batch: &Batch, out: &mut Output) -> Result<()> {
        for (number, input) in self.readers(feed) {
            self.feed(number, input, batch, out)?;
        }
        Ok(())
    }

    fn feed(&mut self, number: usize, input: Input, batch: &Batch, out: &mut Output) -> Result<()> {
        let Some(worker) = self.workers.get_mut(number) else {
            return Err(Error::bug("feed a stage that does not exist"));
        };
        let most = worker.operator.max_rows().max(1);
        if batch.rows() > most {
            return (0..batch.rows()).step_by(most).try_for_each(|from| {
                let part = batch.records.slice(from, most.min(batch.rows() - from));
                self.feed(number, input, &batch.with_records(part), out)
            });
        }
        let mut given = Output::at(out.now());
        if let Err(error) = worker.operator.process(input, batch.clone(), &mut given) {
            given = Output::at(out.now());
            let operator = worker.operator.as_mut();
            let part = (input, batch);
            swiftwater_engine::isolate(operator, worker.splittable, part, error, &mut given)?;
        }
        self.deliver(number, given, out)
    }

    fn deliver(&mut self, number: usize, mut given: Output, out: &mut Output) -> Result<()> {
        let batches = given.take_batches();
        out.absorb(given);
        let is_last = number + 1 == self.workers.len();
        for (_, batch) in batches.into_iter().filter(|(port, _)| *port == 0) {
            if is_last {
                out.emit(batch);
            } else {
                self.pass_on(Feed::Stage(number), &batch, out)?;
            }
        }
        Ok(())
    }

    /// The watermark of a stage's inputs, where `given` are those of the outputs before it.
    fn input_watermark(
        &self,
        number: usize,
        watermark: Timestamp,
        given: &[Timestamp],
    ) -> Timestamp {
        let of = |feed: &Feed| match feed {
            Feed::Input(_) => watermark,
            Feed::Stage(stage) => given.get(*stage).copied().unwrap_or(watermark),
        };
        let inputs = self.workers.get(number).map(|w| w.inputs.as_slice()).unwrap_or_default();
        inputs.iter().map(of).min().unwrap_or(watermark)
    }

    fn output_of(&self, number: usize, watermark: Timestamp) -> Timestamp {
        match self.workers.get(number) {
            Some(worker) if watermark != Timestamp::MAX => {
                worker.operator.output_watermark(watermark)
            }
            _ => watermark,
        }
    }

    fn call(
        &mut self,
        number: usize,
        call: impl FnOnce(&mut dyn Operator, &mut Output) -> Result<()>,
        out: &mut Output,
    ) -> Result<()> {
        let mut given = Output::at(out.now());
        if let Some(worker) = self.workers.get_mut(number) {
            call(worker.operator.as_mut(), &mut given)?;
        }
        self.deliver(number, given, out)
    }
}

impl Operator for Pipeline {
    fn process(&mut self, input: Input, batch: Batch, out: &mut Output) -> Result<()> {
        self.pass_on(Feed::Input(input), &batch, out)
    }

    fn on_watermark(&mut self, watermark: Timestamp, out: &mut Output) -> Result<()> {
        let mut given = Vec::with_capacity(self.workers.len());
        for number in 0..self.workers.len() {
            let at = self.input_watermark(number, watermark, &given);
            let tell = |operator: &mut dyn Operator, out: &mut Output| {
                operator.on_watermark(at, out)?;
                if at == Timestamp::MAX { operator.on_end(out) } else { Ok(()) }
            };
            self.call(number, tell, out)?;
            given.push(self.output_of(number, at));
        }
        Ok(())
    }

    fn output_watermark(&self, watermark: Timestamp) -> Timestamp {
        let mut given = Vec::with_capacity(self.workers.len());
        for number in 0..self.workers.len() {
            let at = self.input_watermark(number, watermark, &given);
            given.push(self.output_of(number, at));
        }
        given.last().copied().unwrap_or(watermark)
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.workers.iter().filter_map(|w| w.operator.next_timer()).min()
    }

    fn on_timer(&mut self, out: &mut Output) -> Result<()> {
        for number in 0..self.workers.len() {
            let timer = self.workers.get(number).and_then(|w| w.operator.next_timer());
            if timer.is_some_and(|at| at <= out.now()) {
                self.call(number, |operator, out| operator.on_timer(out), out)?;
            }
        }
        Ok(())
    }

    fn tables(&self) -> Vec<TableSpec> {
        let of_worker = |worker: &Worker| {
            let specs = worker.operator.tables().into_iter().zip(worker.tables.clone());
            specs.map(|(spec, (_, name))| TableSpec { name, ..spec }).collect::<Vec<_>>()
        };
        self.workers.iter().flat_map(of_worker).collect()
    }

    fn layout(&self) -> String {
        let layouts: Vec<&str> = self.workers.iter().map(|w| w.layout.as_str()).collect();
        layouts.join("; ")
    }

    fn seal(&mut self) -> Result<Vec<TableDelta>> {
        let mut all = Vec::new();
        for worker in &mut self.workers {
            for delta in worker.operator.seal()? {
                let named = worker.tables.iter().find(|(own, _)| *own == delta.table);
                let Some((_, table)) = named else {
                    return Err(Error::bug(format!("seal an unknown table `{}`", delta.table)));
                };
                all.push(TableDelta { table, ..delta });
            }
        }
        Ok(all)
    }

    fn restore(&mut self, delta: &TableDelta) -> Result<()> {
        for worker in &mut self.workers {
            let named = worker.tables.iter().find(|(_, table)| *table == delta.table);
            if let Some((own, _)) = named {
                return worker.operator.restore(&TableDelta { table: own, ..delta.clone() });
            }
        }
        Err(Error::bug(format!("restore an unknown table `{}`", delta.table)))
    }

    fn state_bytes(&self) -> usize {
        self.workers.iter().map(|w| w.operator.state_bytes()).sum()
    }

    fn spill(&mut self, target: usize, room: &SpillRoom) -> Result<()> {
        let held = self.state_bytes().max(1) as u128;
        for worker in &mut self.workers {
            let share = target as u128 * worker.operator.state_bytes() as u128 / held;
            worker.operator.spill(usize::try_from(share).unwrap_or(usize::MAX), room)?;
        }
        Ok(())
    }

    fn spilled_bytes(&self) -> usize {
        self.workers.iter().map(|w| w.operator.spilled_bytes()).sum()
    }
}

/// Makes instances of the stages.
pub(super) fn maker(stages: Vec<Stage>) -> swiftwater_engine::kind::MakeOperator {
    Arc::new(move |instance| Ok(Box::new(Pipeline::new(&stages, instance)?) as Box<dyn Operator>))
}
