//! A model that is asked beside the first: its answers are compared and counted, and never come out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use swiftwater_engine::Result;

use super::metrics::Series;
use super::model::{Failure, Model};
use super::tensors::{OutputColumn, Scores};
use crate::io_call::Call;

/// Most requests whose answers are waited for; rows beyond are not asked for.
const UNDER_WAY: usize = 16;

/// What the shadow is, and when it agrees.
pub(crate) struct ShadowSettings {
    pub(crate) model: Arc<Model>,
    /// Numbers that are no further apart agree.
    pub(crate) tolerance: f64,
    /// How long the last answers are waited for at the end.
    pub(crate) timeout: Duration,
}

type Answered = std::result::Result<Scores, Failure>;

/// Comparisons that are under way: what the shadow is asked for, and what the model said.
#[derive(Default)]
pub(super) struct Shadow {
    calls: VecDeque<(Call<Answered>, Vec<ArrayRef>)>,
}

impl Shadow {
    /// Asks the shadow for rows that the model has scored; does not wait.
    pub(super) fn ask(
        &mut self,
        settings: &ShadowSettings,
        body: Arc<str>,
        outputs: &Arc<[OutputColumn]>,
        (scored, series): (&[ArrayRef], Option<&Series>),
    ) -> Result<()> {
        self.compare(settings, Duration::ZERO, series)?;
        let rows = rows(scored);
        if self.calls.len() >= UNDER_WAY {
            series.into_iter().for_each(|s| s.shadow("skipped", rows));
            return Ok(());
        }
        let ask = Arc::clone(&settings.model).ask(body, rows, Arc::clone(outputs));
        self.calls.push_back((Call::start(ask)?, scored.to_vec()));
        Ok(())
    }

    /// Compares what has come, waiting at most so long for each.
    fn compare(
        &mut self,
        settings: &ShadowSettings,
        wait: Duration,
        series: Option<&Series>,
    ) -> Result<()> {
        while let Some((call, scored)) = self.calls.front_mut() {
            let Some(outcome) = call.outcome(wait)? else { return Ok(()) };
            if let Some(series) = series {
                match outcome {
                    Ok(scores) => count(scored, &scores.columns, settings.tolerance, series)?,
                    Err(_) => series.shadow("failed", rows(scored)),
                }
            }
            self.calls.pop_front();
        }
        Ok(())
    }

    /// Waits for the last answers.
    pub(super) fn finish(
        &mut self,
        settings: &ShadowSettings,
        series: Option<&Series>,
    ) -> Result<()> {
        self.compare(settings, settings.timeout, series)?;
        for (_, scored) in self.calls.drain(..) {
            series.into_iter().for_each(|s| s.shadow("failed", rows(&scored)));
        }
        Ok(())
    }
}

fn rows(scored: &[ArrayRef]) -> usize {
    scored.first().map_or(0, |column| column.len())
}

/// Counts rows of which all outputs agree, and how far numbers are apart.
fn count(scored: &[ArrayRef], shadow: &[ArrayRef], tolerance: f64, series: &Series) -> Result<()> {
    let mut equal = vec![true; rows(scored)];
    for (ours, theirs) in scored.iter().zip(shadow) {
        if !ours.data_type().is_numeric() {
            for (row, equal) in equal.iter_mut().enumerate() {
                *equal &= ours.slice(row, 1) == theirs.slice(row, 1);
            }
            continue;
        }
        let floats = |column: &ArrayRef| cast(column, &DataType::Float64);
        let (ours, theirs) = (floats(ours)?, floats(theirs)?);
        let ours = ours.as_primitive::<Float64Type>().iter();
        let theirs = theirs.as_primitive::<Float64Type>().iter();
        for ((ours, theirs), equal) in ours.zip(theirs).zip(&mut equal) {
            let difference = ours.zip(theirs).map(|(a, b)| (a - b).abs());
            difference.into_iter().for_each(|d| series.differs_by(d));
            *equal &= difference.map_or(ours == theirs, |d| d <= tolerance);
        }
    }
    let agree = equal.iter().filter(|equal| **equal).count();
    series.shadow("equal", agree);
    series.shadow("different", equal.len() - agree);
    Ok(())
}
