//! The text of a feature, such as `quantile(amount, 0.9) FILTER (WHERE state = 'paid')`, read.

use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function as Ast, FunctionArg, FunctionArgExpr, FunctionArguments,
    SelectItem, UnaryOperator, Value,
};
use swiftwater_engine::{Error, Result};

use super::weights;
use crate::expression::{fault, item};

/// What is computed of the rows in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Count,
    Sum,
    Mean,
    /// Divisor `n - ddof`.
    Variance(f64),
    Deviation(f64),
    Skew,
    Kurtosis,
    Min,
    Max,
    /// The first argument where the second is least.
    ArgMin,
    ArgMax,
    First,
    Last,
    FirstK(usize),
    LastK(usize),
    TopK(usize),
    BottomK(usize),
    Distinct,
    Mode,
    Entropy,
    Quantile(f64),
    ZScore,
    RobustZ,
    Correlation,
    Covariance,
    Slope,
    SinceLast,
    /// Half-life in microseconds.
    DecayedSum(f64),
    DecayedMean(f64),
    DecayedCount(f64),
    /// Weight of a new value.
    Ewma(f64),
    EwVar(f64),
    Drawdown,
    DistinctRatio,
    ApproxDistinct,
    HllSketch,
    ApproxQuantile(f64),
    Histogram,
    CountBy,
    SumBy,
    MeanBy,
}

/// A feature's call: function, the texts of its arguments, and its filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) function: Function,
    /// No argument for `count(*)`.
    pub(super) arguments: Vec<String>,
    pub(super) filter: Option<String>,
    /// Of a histogram.
    pub(super) edges: Vec<f64>,
}

/// Names with the number of their arguments and what else stands in the parentheses.
const KNOWN: &[(&str, &str)] = &[
    ("count", "count(*) or count(column)"),
    ("sum", "sum(column)"),
    ("mean", "mean(column)"),
    ("avg", "avg(column)"),
    ("var", "var(column) or var(column, 0), the second is `ddof`"),
    ("std", "std(column) or std(column, 0), the second is `ddof`"),
    ("stddev", "stddev(column)"),
    ("skew", "skew(column)"),
    ("kurtosis", "kurtosis(column)"),
    ("min", "min(column)"),
    ("max", "max(column)"),
    ("argmin", "argmin(column, by)"),
    ("argmax", "argmax(column, by)"),
    ("first", "first(column)"),
    ("last", "last(column)"),
    ("first_k", "first_k(column, 5)"),
    ("last_k", "last_k(column, 5)"),
    ("top_k", "top_k(column, 5)"),
    ("bottom_k", "bottom_k(column, 5)"),
    ("count_distinct", "count_distinct(column)"),
    ("mode", "mode(column)"),
    ("most_frequent", "most_frequent(column)"),
    ("entropy", "entropy(column)"),
    ("median", "median(column)"),
    ("quantile", "quantile(column, 0.9)"),
    ("zscore", "zscore(column)"),
    ("robust_z", "robust_z(column)"),
    ("corr", "corr(x, y)"),
    ("covar", "covar(x, y)"),
    ("slope", "slope(column), per second"),
    ("seconds_since_last", "seconds_since_last()"),
    ("var_pop", "var_pop(column)"),
    ("decayed_sum", "decayed_sum(column, '1h')"),
    ("decayed_mean", "decayed_mean(column, '1h')"),
    ("decayed_count", "decayed_count(column, '1h')"),
    ("ewma", "ewma(column, 0.3)"),
    ("ewvar", "ewvar(column, 0.3)"),
    ("drawdown", "drawdown(column)"),
    ("distinct_ratio", "distinct_ratio(column)"),
    ("approx_distinct", "approx_distinct(column)"),
    ("hll_sketch", "hll_sketch(column)"),
    ("approx_quantile", "approx_quantile(column, 0.9)"),
    ("histogram", "histogram(column, [0, 10, 100])"),
    ("count_by", "count_by(category)"),
    ("sum_by", "sum_by(column, category)"),
    ("mean_by", "mean_by(column, category)"),
];

/// Most values of a list.
const LONGEST: usize = 1000;

impl Call {
    /// Reads the text of a feature.
    ///
    /// # Errors
    /// `Config`: `SW0304` text that cannot be read, `SW0360` a call that is none of ours.
    pub(super) fn read(text: &str) -> Result<Self> {
        let ast = match item(text)? {
            SelectItem::UnnamedExpr(Expr::Function(ast)) => ast,
            _ => return Err(wrong(text, "it is no call of a function", "write `sum(amount)`")),
        };
        let name = ast.name.to_string().to_lowercase();
        let arguments = arguments(&ast, text)?;
        let distinct = is_distinct(&ast);
        if ast.over.is_some() || !ast.within_group.is_empty() {
            let hint = "the window is given by `window` beside the text";
            return Err(wrong(text, "it has an OVER or WITHIN GROUP", hint));
        }
        let (function, count) = function(&name, distinct, &arguments, text)?;
        let columns: Vec<String> = arguments.iter().take(count).map(ToString::to_string).collect();
        if columns.len() != count {
            return Err(misused(&name, text));
        }
        let filter = ast.filter.map(|filter| filter.to_string());
        let edges = match function {
            Function::Histogram => weights::edges(&arguments, text)?,
            _ => Vec::new(),
        };
        Ok(Self { function, arguments: columns, filter, edges })
    }
}

fn arguments(ast: &Ast, text: &str) -> Result<Vec<Expr>> {
    let FunctionArguments::List(list) = &ast.args else { return Ok(Vec::new()) };
    let one = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(Ok(expression.clone())),
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => None,
        other => {
            let what = format!("`{other}` is no argument of it");
            Some(Err(wrong(text, &what, "give columns or expressions")))
        }
    };
    list.args.iter().filter_map(one).collect()
}

fn is_distinct(ast: &Ast) -> bool {
    matches!(&ast.args, FunctionArguments::List(list)
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

/// The function and how many of its arguments are values of rows.
fn function(name: &str, distinct: bool, given: &[Expr], text: &str) -> Result<(Function, usize)> {
    let misused = || misused(name, text);
    let length = || length(given, text);
    let ddof = || match given.get(1) {
        None => Ok(1.0),
        Some(given) => number(given).filter(|d| *d == 0.0 || *d == 1.0).ok_or_else(misused),
    };
    let most = match name {
        "argmin" | "argmax" | "corr" | "covar" | "first_k" | "last_k" | "top_k" | "bottom_k"
        | "quantile" | "var" | "std" | "decayed_sum" | "decayed_mean" | "decayed_count"
        | "ewma" | "ewvar" | "approx_quantile" | "histogram" | "sum_by" | "mean_by" => 2,
        "seconds_since_last" => 0,
        _ => 1,
    };
    if given.len() > most || (distinct && name != "count") {
        return Err(misused());
    }
    if let Some(found) = weights::function(name, given, text)? {
        return Ok(found);
    }
    Ok(match name {
        "count" if distinct => (Function::Distinct, 1),
        "count" => (Function::Count, given.len()),
        "sum" => (Function::Sum, 1),
        "mean" | "avg" => (Function::Mean, 1),
        "var" => (Function::Variance(ddof()?), 1),
        "var_pop" => (Function::Variance(0.0), 1),
        "std" => (Function::Deviation(ddof()?), 1),
        "stddev" => (Function::Deviation(1.0), 1),
        "skew" => (Function::Skew, 1),
        "kurtosis" => (Function::Kurtosis, 1),
        "min" => (Function::Min, 1),
        "max" => (Function::Max, 1),
        "argmin" => (Function::ArgMin, 2),
        "argmax" => (Function::ArgMax, 2),
        "first" => (Function::First, 1),
        "last" => (Function::Last, 1),
        "first_k" => (Function::FirstK(length()?), 1),
        "last_k" => (Function::LastK(length()?), 1),
        "top_k" => (Function::TopK(length()?), 1),
        "bottom_k" => (Function::BottomK(length()?), 1),
        "count_distinct" => (Function::Distinct, 1),
        "mode" | "most_frequent" => (Function::Mode, 1),
        "entropy" => (Function::Entropy, 1),
        "median" => (Function::Quantile(0.5), 1),
        "quantile" => {
            let q = given.get(1).and_then(number).filter(|q| (0.0..=1.0).contains(q));
            (Function::Quantile(q.ok_or_else(misused)?), 1)
        }
        "zscore" => (Function::ZScore, 1),
        "robust_z" => (Function::RobustZ, 1),
        "corr" => (Function::Correlation, 2),
        "covar" => (Function::Covariance, 2),
        "slope" => (Function::Slope, 1),
        "seconds_since_last" => (Function::SinceLast, 0),
        _ => return Err(unknown(name, text)),
    })
}

/// The length of a list.
fn length(given: &[Expr], text: &str) -> Result<usize> {
    let k = given.get(1).and_then(number).filter(|k| k.fract() == 0.0 && *k >= 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    let k = k.filter(|k| *k <= LONGEST as f64).map(|k| k as usize);
    k.ok_or_else(|| wrong(text, "its length is not 1 to 1000", "write `last_k(column, 5)`"))
}

pub(super) fn number(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|n| -n),
        _ => None,
    }
}

fn unknown(name: &str, text: &str) -> Error {
    let names = || KNOWN.iter().map(|(name, _)| *name);
    let closest = fault::closest(name, names());
    let hint = match closest {
        Some(closest) => format!("did you mean `{closest}`?"),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    wrong(text, &format!("`{name}` is not computed over rows"), &hint)
}

fn misused(name: &str, text: &str) -> Error {
    let usage = KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, usage)| *usage);
    wrong(text, "its arguments do not fit", &format!("write `{usage}`"))
}

pub(super) fn wrong(text: &str, what: &str, hint: &str) -> Error {
    Error::config("SW0360", format!("compute {}: {what}", fault::quote(text))).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_their_parameters() {
        let read = |text| Call::read(text).unwrap();
        assert_eq!(read("count(*)").arguments, Vec::<String>::new());
        assert_eq!(read("count(DISTINCT shop)").function, Function::Distinct);
        assert_eq!(read("std(amount, 0)").function, Function::Deviation(0.0));
        assert_eq!(read("quantile(a + b, 0.9)").arguments, ["a + b"]);
        let filtered = read("sum(amount) FILTER (WHERE state = 'paid')");
        assert_eq!(filtered.filter.as_deref(), Some("state = 'paid'"));
        assert_eq!(read("argmax(shop, amount)").arguments, ["shop", "amount"]);
    }

    #[test]
    fn mistakes_are_told_with_their_cure() {
        for (text, said) in [
            ("amount", "no call"),
            ("summ(amount)", "did you mean `sum`"),
            ("quantile(amount, 2)", "quantile(column, 0.9)"),
            ("last_k(amount, 0)", "1 to 1000"),
            ("sum()", "sum(column)"),
            ("sum(a, b)", "sum(column)"),
            ("sum(a) OVER ()", "OVER"),
        ] {
            let error = Call::read(text).unwrap_err();
            let told = format!("{} {}", error.message, error.hint.as_deref().unwrap_or(""));
            assert!(told.contains(said) && error.code == "SW0360", "{text}: {told}");
        }
    }
}
