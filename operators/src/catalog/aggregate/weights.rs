//! Calls of a feature whose last argument is a half-life, a weight, or edges.

use std::str::FromStr as _;

use datafusion_sql::sqlparser::ast::{Expr, Value};
use swiftwater_config::Duration;
use swiftwater_engine::Result;

use super::call::{Function, number, wrong};

/// Most edges of a histogram.
const MOST_EDGES: usize = 1000;

/// The function and how many of its arguments are values of rows; `None` for names of other calls.
pub(super) fn function(
    name: &str,
    given: &[Expr],
    text: &str,
) -> Result<Option<(Function, usize)>> {
    let half_life = || -> Result<f64> {
        let duration = given.get(1).and_then(quoted).and_then(|d| Duration::from_str(&d).ok());
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a half-life")]
        let micros = duration.map(|d| crate::keyed::micros(d) as f64).filter(|d| *d > 0.0);
        micros
            .ok_or_else(|| wrong(text, "it has no half-life", "write `decayed_sum(column, '1h')`"))
    };
    let alpha = || -> Result<f64> {
        let alpha = given.get(1).and_then(number).filter(|a| *a > 0.0 && *a <= 1.0);
        let what = "the weight of a new value is not above 0 and up to 1";
        alpha.ok_or_else(|| wrong(text, what, "write `ewma(column, 0.3)`"))
    };
    Ok(Some(match name {
        "decayed_sum" => (Function::DecayedSum(half_life()?), 1),
        "decayed_mean" => (Function::DecayedMean(half_life()?), 1),
        "decayed_count" => (Function::DecayedCount(half_life()?), 1),
        "ewma" => (Function::Ewma(alpha()?), 1),
        "ewvar" => (Function::EwVar(alpha()?), 1),
        "drawdown" => (Function::Drawdown, 1),
        "distinct_ratio" => (Function::DistinctRatio, 1),
        "approx_distinct" => (Function::ApproxDistinct, 1),
        "hll_sketch" => (Function::HllSketch, 1),
        "approx_quantile" => {
            let q = given.get(1).and_then(number).filter(|q| (0.0..=1.0).contains(q));
            let hint = "write `approx_quantile(column, 0.9)`";
            let q = q.ok_or_else(|| wrong(text, "its quantile is not 0 to 1", hint))?;
            (Function::ApproxQuantile(q), 1)
        }
        "histogram" => (Function::Histogram, 1),
        "count_by" => (Function::CountBy, 1),
        "sum_by" => (Function::SumBy, 2),
        "mean_by" => (Function::MeanBy, 2),
        _ => return Ok(None),
    }))
}

/// The edges of a histogram, ascending.
pub(super) fn edges(given: &[Expr], text: &str) -> Result<Vec<f64>> {
    let listed = given.get(1).and_then(|argument| match argument {
        Expr::Array(array) => array.elem.iter().map(number).collect::<Option<Vec<f64>>>(),
        _ => None,
    });
    let ascending = |edges: &Vec<f64>| {
        let pairs = edges.iter().zip(edges.iter().skip(1));
        !edges.is_empty() && edges.len() <= MOST_EDGES && pairs.into_iter().all(|(a, b)| a < b)
    };
    listed.filter(ascending).ok_or_else(|| {
        let what = format!("its edges are not 1 to {MOST_EDGES} ascending numbers");
        wrong(text, &what, "write `histogram(column, [0, 10, 100])`")
    })
}

fn quoted(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
