//! All of DataFusion's scalar functions, by name, and the context that its SQL planner asks.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_functions_nested::planner::{FieldAccessPlanner, NestedFunctionPlanner};

use super::{now, ours};

/// What every expression is planned with.
pub(crate) struct Functions {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    aggregates: BTreeMap<String, Arc<AggregateUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: Arc<ConfigOptions>,
}

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::new);

impl Functions {
    /// The functions, built once.
    pub(crate) fn get() -> &'static Self {
        &FUNCTIONS
    }

    fn new() -> Self {
        let mut scalar = HashMap::new();
        let ours = now::functions().into_iter().chain(ours::functions());
        let all = datafusion_functions::all_default_functions().into_iter();
        let nested = datafusion_functions_nested::all_default_nested_functions();
        for function in all.chain(nested).chain(ours) {
            for name in names(function.name(), function.aliases()) {
                scalar.insert(name, Arc::clone(&function));
            }
        }
        let mut higher_order = HashMap::new();
        for function in datafusion_functions_nested::all_default_higher_order_functions() {
            for name in names(function.name(), function.aliases()) {
                higher_order.insert(name, Arc::clone(&function));
            }
        }
        let aggregates = datafusion_functions_aggregate::all_default_aggregate_functions();
        let aggregates = aggregates
            .iter()
            .flat_map(|f| names(f.name(), f.aliases()).into_iter().map(|n| (n, Arc::clone(f))));
        Self {
            scalar,
            higher_order,
            aggregates: aggregates.collect(),
            planners: vec![
                Arc::new(CoreFunctionPlanner::default()),
                Arc::new(NestedFunctionPlanner),
                Arc::new(FieldAccessPlanner),
                Arc::new(DatetimeFunctionPlanner),
                Arc::new(UnicodeFunctionPlanner),
                Arc::new(AggregateFunctionPlanner),
            ],
            options: Arc::new(options()),
        }
    }

    /// Names of all scalar functions, aliases included.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let scalar = self.scalar.keys();
        scalar.chain(self.higher_order.keys()).map(String::as_str)
    }

    /// Names of the aggregates.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &str> {
        self.aggregates.keys().map(String::as_str)
    }

    /// How expressions are read and simplified.
    pub(crate) fn options(&self) -> &Arc<ConfigOptions> {
        &self.options
    }
}

fn names(name: &str, aliases: &[String]) -> Vec<String> {
    let aliases = aliases.iter().map(String::as_str);
    std::iter::once(name).chain(aliases).map(str::to_lowercase).collect()
}

fn options() -> ConfigOptions {
    let mut options = ConfigOptions::default();
    // Columns are named as the schema names them, upper case included.
    options.sql_parser.enable_ident_normalization = false;
    // Text columns are `utf8` everywhere else in a topology.
    options.sql_parser.map_string_types_to_utf8view = false;
    options
}

/// A function that was asked for and does not exist.
#[derive(Debug, Clone)]
pub(crate) struct Unknown {
    /// Its name in lower case.
    pub(crate) name: String,
    /// Whether it is an aggregate.
    pub(crate) is_aggregate: bool,
}

/// What the SQL planner asks while it plans one text.
pub(crate) struct Context {
    functions: &'static Functions,
    /// Names under which the input can be referred to.
    tables: Vec<String>,
    source: Option<Arc<dyn TableSource>>,
    /// Whether aggregates may be used; elsewhere they are known only to be refused with a reason.
    aggregates: bool,
    unknown: RefCell<Option<Unknown>>,
}

impl Context {
    /// For an expression: no table.
    pub(crate) fn expression() -> Self {
        Self::query(Vec::new(), None)
    }

    /// For a query over one table that has several names.
    pub(crate) fn query(tables: Vec<String>, source: Option<Arc<dyn TableSource>>) -> Self {
        Self {
            functions: Functions::get(),
            tables,
            source,
            aggregates: false,
            unknown: RefCell::new(None),
        }
    }

    /// For an expression over aggregates.
    pub(crate) fn aggregates() -> Self {
        Self { aggregates: true, ..Self::expression() }
    }

    /// The function that made planning fail, where it was one.
    pub(crate) fn unknown(&self) -> Option<Unknown> {
        self.unknown.borrow().clone()
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match &self.source {
            Some(source) if self.tables.iter().any(|t| t == name.table()) => Ok(Arc::clone(source)),
            _ => plan_err!("unknown table `{name}`; it is named {}", self.tables.join(" or ")),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.functions.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.functions.higher_order.get(name).cloned()
    }

    // The planner asks for an aggregate when it has found no scalar function of that name.
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let found = self.functions.aggregates.get(name);
        if self.aggregates && found.is_some() {
            return found.cloned();
        }
        let is_aggregate = found.is_some();
        let name = name.to_owned();
        *self.unknown.borrow_mut() = Some(Unknown { name, is_aggregate });
        None
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.functions.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.functions.higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.functions.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
