//! Puts the stages of a query together and makes the plan of the node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;
use swiftwater_config::{NodeConfig, PortRef, Role};
use swiftwater_engine::kind::LATE_PORT;
use swiftwater_engine::stream::OP_COLUMN;
use swiftwater_engine::{Error, NodeContext, OperatorPlan, Registry, Result, Stream};

use super::pipeline::{Stage, maker};
use super::projection::Item;
use super::refusal::Refusal;
use super::relation::{Feed, Named, Relation, column};
use crate::query::INPUT;

/// The stages so far.
pub(super) struct Builder<'a> {
    /// The whole query, for messages.
    pub(super) text: &'a str,
    cx: &'a NodeContext<'a>,
    registry: Registry,
    stages: Vec<Stage>,
    warnings: Vec<String>,
    /// Tables by name: inputs, and those that WITH defines.
    pub(super) tables: HashMap<String, Relation>,
    /// By input: the columns by which its rows must meet, where one set of them is enough for all
    /// stages; `Err` where stages have different keys.
    keys: Result<BTreeMap<usize, Vec<String>>, ()>,
}

impl<'a> Builder<'a> {
    /// A builder that knows the inputs of the node as tables.
    pub(super) fn new(text: &'a str, cx: &'a NodeContext<'a>) -> Self {
        let mut registry = Registry::new();
        crate::register(&mut registry);
        let mut builder = Self {
            text,
            cx,
            registry,
            stages: Vec::new(),
            warnings: Vec::new(),
            tables: HashMap::new(),
            keys: Ok(BTreeMap::new()),
        };
        for (number, schema) in cx.inputs.iter().enumerate() {
            let name = cx.node.inputs.get(number).map_or(INPUT, |input| input.node.as_str());
            let relation = builder.input(number, name, schema);
            builder.tables.insert(name.to_owned(), relation);
        }
        if let [schema] = cx.inputs {
            let relation = builder.input(0, INPUT, schema);
            builder.tables.insert(INPUT.to_owned(), relation);
        }
        builder
    }

    fn input(&self, number: usize, table: &str, schema: &SchemaRef) -> Relation {
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        Relation {
            feed: Feed::Input(number),
            schema: Arc::clone(schema),
            stream: self.cx.stream(number),
            columns: names_of(table, schema),
            origins: names.into_iter().map(|n| (n.clone(), vec![(number, n)])).collect(),
            opened: None,
            closed: None,
        }
    }

    /// Adds a stage: an operator of the catalog with these options.
    ///
    /// # Errors
    /// What the operator says, and `SW0356` where it takes no rows that replace earlier ones.
    pub(super) fn stage(
        &mut self,
        kind: &str,
        options: Value,
        inputs: &[&Relation],
    ) -> Result<Relation> {
        let mut node = NodeConfig::new(Role::Operator, &self.cx.node.name, kind, options);
        node.inputs = inputs.iter().map(|r| PortRef::parse(r.table())).collect();
        let schemas: Vec<SchemaRef> = inputs.iter().map(|r| Arc::clone(&r.schema)).collect();
        let streams: Vec<Stream> = inputs.iter().map(|r| r.stream.clone()).collect();
        let cx = NodeContext {
            topology: self.cx.topology,
            node: &node,
            inputs: &schemas,
            streams: &streams,
        };
        let plan = self.registry.plan_operator(&cx).map_err(|e| self.told(e))?;
        if !plan.takes_upserts && streams.iter().any(Stream::is_upsert) {
            let what = format!("plan `{kind}` over rows that replace earlier ones");
            let hint = "aggregate in windows, whose results are final, before";
            return Err(Refusal::Upserts.error(what, hint, self.text));
        }
        let origins = self.origins_after(&plan, inputs);
        self.push(kind, plan, inputs, origins)
    }

    /// Adds the text of the query to a message of an operator behind it.
    fn told(&self, error: Error) -> Error {
        let of = crate::expression::fault::quote(self.text);
        Error { message: format!("{} in {of}", error.message), ..error }
    }

    /// Adds a planned stage.
    pub(super) fn push(
        &mut self,
        kind: &str,
        plan: OperatorPlan,
        inputs: &[&Relation],
        origins: BTreeMap<String, Vec<(usize, String)>>,
    ) -> Result<Relation> {
        let Some((_, schema)) = plan.ports.first() else {
            return Err(Error::bug(format!("plan `{kind}` without an output")));
        };
        let schema = Arc::clone(schema);
        let first = inputs.first().map(|r| r.stream.clone()).unwrap_or_default();
        let stream = plan.stream.clone().unwrap_or(first);
        self.note_keys(&plan, inputs);
        self.warnings.extend(plan.warnings.iter().cloned());
        let table = inputs.first().map_or(INPUT, |r| r.table());
        let columns = names_of(table, &schema);
        let inputs = inputs.iter().map(|r| r.feed).collect();
        self.stages.push(Stage { kind: kind.to_owned(), plan, inputs });
        let feed = Feed::Stage(self.stages.len() - 1);
        Ok(Relation { feed, schema, stream, columns, origins, opened: None, closed: None })
    }

    /// Rows of a stage stay where its key put them.
    fn origins_after(
        &self,
        plan: &OperatorPlan,
        inputs: &[&Relation],
    ) -> BTreeMap<String, Vec<(usize, String)>> {
        let mut origins: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        let schema = plan.ports.first().map(|(_, schema)| schema);
        for relation in inputs {
            for (name, of) in &relation.origins {
                if schema.is_some_and(|s| s.column_with_name(name).is_some()) {
                    origins.entry(name.clone()).or_default().extend(of.iter().cloned());
                }
            }
        }
        origins
    }

    /// Finds out by which columns of the node's inputs the rows of a stage must meet.
    fn note_keys(&mut self, plan: &OperatorPlan, inputs: &[&Relation]) {
        let Some(key) = &plan.key else {
            return;
        };
        for (number, relation) in inputs.iter().enumerate() {
            let names = plan.input_keys.get(number).unwrap_or(key);
            let of_name = |name: &String| relation.origins.get(name).cloned().unwrap_or_default();
            let origins: Vec<Vec<(usize, String)>> = names.iter().map(of_name).collect();
            let behind: Vec<usize> =
                origins.first().into_iter().flatten().map(|(input, _)| *input).collect();
            if behind.is_empty() {
                self.keys = Err(());
            }
            for input in behind {
                self.note_key(input, &origins);
            }
        }
    }

    fn note_key(&mut self, input: usize, origins: &[Vec<(usize, String)>]) {
        let Ok(keys) = &mut self.keys else {
            return;
        };
        let of_input = |all: &Vec<(usize, String)>| {
            all.iter().find(|(i, _)| *i == input).map(|(_, name)| name.clone())
        };
        let wanted: Option<Vec<String>> = origins.iter().map(of_input).collect();
        match (wanted, keys.get(&input)) {
            (Some(wanted), None) => {
                keys.insert(input, wanted);
            }
            (Some(wanted), Some(known)) if wanted == *known => {}
            _ => self.keys = Err(()),
        }
    }

    /// The plan of the node whose result is `relation`.
    ///
    /// # Errors
    /// `SW0357` where stages of different keys should run on several tasks.
    pub(super) fn finish(mut self, relation: &Relation) -> Result<OperatorPlan> {
        let relation = &self.result(relation)?;
        self.check_inputs()?;
        let stateful = self.stages.iter().any(|s| s.plan.stateful);
        let (key, input_keys) = self.placement()?;
        let late: Vec<SchemaRef> = self.stages.iter().filter_map(late_port).collect();
        let mut plan = OperatorPlan::stateless(Arc::clone(&relation.schema), maker(self.stages));
        plan.key = stateful.then_some(key);
        plan.input_keys = if stateful { input_keys } else { Vec::new() };
        plan.splittable = false;
        plan.warnings = self.warnings;
        plan.warnings.sort();
        plan.warnings.dedup();
        plan.stream = Some(relation.stream.clone());
        plan.stateful = stateful;
        plan.takes_upserts = self.cx.streams.iter().any(Stream::is_upsert);
        // Late rows of stages with different columns have no port of their own; they are counted.
        match late.split_first() {
            Some((first, rest)) if rest.iter().all(|schema| schema == first) => {
                Ok(plan.with_late_port(Arc::clone(first)))
            }
            _ => Ok(plan),
        }
    }

    fn check_inputs(&self) -> Result<()> {
        let read = |input| self.stages.iter().any(|s| s.inputs.contains(&Feed::Input(input)));
        let names = self.cx.node.inputs.iter().take(self.cx.inputs.len());
        match names.enumerate().find(|(input, _)| !read(*input)) {
            None => Ok(()),
            Some((_, name)) => {
                let what = format!("find the input `{name}`, whose rows would be lost,");
                let hint = "read it in FROM, or take it out of `inputs`";
                Err(Refusal::Clause.error(what, hint, self.text))
            }
        }
    }

    /// The relation as the last stage, without the columns that cannot be named.
    fn result(&mut self, relation: &Relation) -> Result<Relation> {
        let named = |name: &str| relation.columns.iter().any(|c| c.column == name);
        let fields = relation.schema.fields().iter();
        let upsert = relation.stream.is_upsert();
        let kept: Vec<&str> = fields
            .map(|f| f.name().as_str())
            .filter(|name| named(name) || upsert && *name == OP_COLUMN)
            .collect();
        let is_last = relation.feed == Feed::Stage(self.stages.len().wrapping_sub(1));
        if is_last && kept.len() == relation.schema.fields().len() {
            return Ok(relation.clone());
        }
        let items: Vec<Item> = kept.iter().map(|name| (column(name), (*name).to_owned())).collect();
        let origins = BTreeMap::new();
        let plan = self.projection(relation, &items, None)?;
        let mut stream = relation.stream.clone();
        stream.event_time = stream.event_time.filter(|time| kept.contains(&time.as_str()));
        let last = self.push("select", plan, &[relation], origins)?;
        Ok(Relation { stream, ..last })
    }

    fn placement(&self) -> Result<(Vec<String>, Vec<Vec<String>>)> {
        let inputs = self.cx.inputs.len();
        if let Ok(keys) = &self.keys
            && keys.len() == inputs
            && keys.values().all(|key| !key.is_empty())
        {
            let all: Vec<Vec<String>> = keys.values().cloned().collect();
            return Ok((all.first().cloned().unwrap_or_default(), all));
        }
        if self.cx.node.parallelism.is_some_and(|tasks| tasks > 1) {
            let what = "run on several tasks what brings rows together by different columns";
            let hint = "leave out `parallelism`, or give the inner query an `sql` node of its own";
            return Err(Refusal::Parallelism.error(what, hint, self.text));
        }
        Ok((Vec::new(), vec![Vec::new(); inputs]))
    }
}

impl Relation {
    /// The name of the table, for messages.
    pub(super) fn table(&self) -> &str {
        self.columns.first().map_or(INPUT, |c| c.table.as_str())
    }
}

fn late_port(stage: &Stage) -> Option<SchemaRef> {
    let port = stage.plan.ports.iter().find(|(name, _)| name == LATE_PORT);
    port.map(|(_, schema)| Arc::clone(schema))
}

/// The columns of rows under their own names; `_op` goes along unseen.
fn names_of(table: &str, schema: &Schema) -> Vec<Named> {
    let visible = schema.fields().iter().filter(|f| f.name() != OP_COLUMN);
    visible
        .map(|f| Named {
            table: table.to_owned(),
            name: f.name().clone(),
            column: f.name().clone(),
        })
        .collect()
}
