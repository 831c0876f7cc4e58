//! The rows of the files, read by a topology of `files` sources so that all formats, patterns and
//! object stores that a topology takes are taken here.

use std::fs::File;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use serde_json::{Map, Value, json};
use swiftwater_config::{Diagnostics, Severity};
use swiftwater_engine::metrics::Metrics;
use swiftwater_engine::{Error, Plan, Result, Running};
use swiftwater_operators::fidelity::{Choices, Design, Mistake, Table};

use super::super::load::Loader;
use super::super::scratch::{Scratch, unreadable};
use super::Arguments;

/// What is compared.
pub(super) struct Rows {
    pub(super) design: Design,
    pub(super) real: Table,
    pub(super) synthetic: Table,
    pub(super) holdout: Option<Table>,
    /// Planted ones, and those that were left out.
    pub(super) canaries: Option<[Table; 2]>,
}

/// Files are read under these names.
const REAL: &str = "real";
const SYNTHETIC: &str = "synthetic";
const HOLDOUT: &str = "holdout";
const CANARIES: [&str; 2] = ["canaries_in", "canaries_out"];

fn source(path: &str) -> Value {
    // A directory says nothing of the format of its files.
    if path.rsplit('/').next().unwrap_or_default().contains('.') {
        json!({"files": {"path": path}})
    } else {
        json!({"files": {"path": path, "format": "parquet"}})
    }
}

fn topology(inputs: &[(&str, &str)], directory: &str) -> Value {
    let sink = |name: &str| {
        json!({"input": name, "files": {
            "path": format!("{directory}/{name}/"), "format": "arrow_ipc",
            "roll": {"bytes": "4GiB", "every": "1h"},
        }})
    };
    let sources = inputs.iter().map(|(name, path)| ((*name).to_owned(), source(path)));
    let sinks = inputs.iter().map(|(name, _)| (format!("copy_{name}"), sink(name)));
    json!({
        "name": "fidelity",
        "sources": sources.collect::<Map<_, _>>(),
        "sinks": sinks.collect::<Map<_, _>>(),
    })
}

impl Rows {
    /// Reads all files.
    pub(super) fn read(arguments: &Arguments, loader: &Loader) -> Result<Self> {
        let scratch = Scratch::new("fidelity")?;
        let mut inputs = vec![(REAL, arguments.real.as_str()), (SYNTHETIC, &arguments.synthetic)];
        inputs.extend(arguments.holdout.as_deref().map(|path| (HOLDOUT, path)));
        let canaries = [&arguments.canaries_in, &arguments.canaries_out];
        let canaries = CANARIES.into_iter().zip(canaries);
        inputs.extend(canaries.filter_map(|(name, path)| Some((name, path.as_deref()?))));
        let text = topology(&inputs, scratch.path()).to_string();
        let plan = loader.text(&text).map_err(unreadable_files)?.plan;
        let choices = Choices {
            columns: arguments.columns.clone(),
            categorical: arguments.categorical.clone(),
            ignore: arguments.ignore.clone(),
        };
        let mut design = design(arguments, &plan, &choices)?;
        Running::start(&plan, &Metrics::new(&plan.config.name)?)?.wait()?;
        let mut table = |name| table(&mut design, &plan, &scratch, name);
        let (real, synthetic) = (table(REAL)?, table(SYNTHETIC)?);
        let holdout = arguments.holdout.is_some().then(|| table(HOLDOUT)).transpose()?;
        let canaries = match &arguments.canaries_in {
            Some(_) => Some([table("canaries_in")?, table("canaries_out")?]),
            None => None,
        };
        let mut rows = Self { design, real, synthetic, holdout, canaries };
        rows.drop_identifiers(&choices);
        Ok(rows)
    }

    fn drop_identifiers(&mut self, choices: &Choices) {
        let Self { design, real, synthetic, holdout, canaries } = self;
        let mut others = vec![synthetic];
        others.extend(holdout.as_mut());
        others.extend(canaries.iter_mut().flatten());
        design.drop_identifiers(real, &mut others, choices);
    }
}

/// What is wrong with the files; the topology that reads them is not the user's.
fn unreadable_files(found: Diagnostics) -> Error {
    let Some(first) = found.0.into_iter().find(|d| d.severity == Severity::Error) else {
        return Error::bug("read files by a topology that is wrong");
    };
    let error = Error::config("SW4131", format!("read the files: {}", first.message));
    match first.hint {
        // Columns cannot be declared here.
        Some(hint) if !hint.contains("schema") => error.with_hint(hint),
        _ => error.with_hint("give the path of files that are there, or a pattern in quotes"),
    }
}

fn design(arguments: &Arguments, plan: &Plan, choices: &Choices) -> Result<Design> {
    let (real, synthetic) = (columns(plan, REAL)?, columns(plan, SYNTHETIC)?);
    let names = |schema: &SchemaRef| {
        schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ")
    };
    let design = Design::new(&real, &synthetic, choices).map_err(|mistake| {
        let message = match mistake {
            Mistake::Unknown(name) => format!("compare the column `{name}`"),
            Mistake::Nothing => "find a column that both sides have".to_owned(),
        };
        let (real, synthetic) = (names(&real), names(&synthetic));
        Error::config("SW4131", message)
            .with_hint(format!("the real columns are {real}; the synthetic ones {synthetic}"))
    })?;
    let target = arguments.target.as_ref();
    if let Some(name) = target.filter(|name| design.fields.iter().all(|f| f.name != **name)) {
        let names: Vec<_> = design.fields.iter().map(|f| f.name.as_str()).collect();
        return Err(Error::config("SW4131", format!("predict the column `{name}`"))
            .with_hint(format!("the columns that are compared are {}", names.join(", "))));
    }
    Ok(design)
}

fn columns(plan: &Plan, node: &str) -> Result<SchemaRef> {
    let found = plan.node(node).and_then(|node| node.outputs.first());
    found
        .map(|(_, schema)| SchemaRef::clone(schema))
        .ok_or_else(|| Error::bug(format!("find the columns of `{node}`")))
}

/// The rows of one input.
fn table(design: &mut Design, plan: &Plan, scratch: &Scratch, name: &str) -> Result<Table> {
    let columns = columns(plan, name)?;
    if let Some(missing) = design.fields.iter().find(|f| columns.index_of(&f.name).is_err()) {
        let missing = format!("find the column `{}` in the files of `{name}`", missing.name);
        return Err(Error::config("SW4131", missing)
            .with_hint("all files have the columns that are compared; `--columns` names fewer"));
    }
    let mut table = design.empty();
    for path in scratch.files(name)? {
        let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
        for records in FileReader::try_new(file, None)? {
            design.read(&records?, &mut table)?;
        }
    }
    if table.rows == 0 {
        return Err(Error::data("SW4131", format!("find rows in the files of `{name}`"))
            .with_hint("both sides, and what else is given, have at least one row"));
    }
    Ok(table)
}
