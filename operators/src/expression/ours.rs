//! Scalar functions of our own beside DataFusion's: what a feature is computed from in place and in
//! time, and how categories and text become numbers.

mod calendar;
mod encode;
mod hash;
mod hexagons;
mod place;
mod row_wise;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion_expr::ScalarUDF;

/// All of them.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let all = [
        place::functions(),
        hexagons::functions(),
        calendar::functions(),
        encode::functions(),
        hash::functions(),
    ];
    all.into_iter().flatten().map(|f| Arc::new(ScalarUDF::new_from_impl(f))).collect()
}
