//! Distance to the closest record, as `SDMetrics` 0.32.0 defines it, and what it says about rows
//! that were learned by heart.
//!
//! These are alarms. A set of rows that passes them can still be open to membership inference (arXiv
//! 2505.01524): only differential privacy is a guarantee.

use serde::Serialize;
use swiftwater_engine::random::{Stream, below, unit};

use super::ranking::quantile;
use super::table::{Table, Values};

/// A column as distances need it.
enum Measure {
    /// The range of the reference rows.
    Range(f64),
    Equal,
}

/// The lowest and the highest number.
fn ends(values: &Values) -> (f64, f64) {
    let Values::Numbers(values) = values else {
        return (f64::INFINITY, f64::NEG_INFINITY);
    };
    let present = values.iter().filter(|v| !v.is_nan());
    present.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// Rows whose distances to the closest of them are asked for.
pub struct Record<'a> {
    reference: &'a Table,
    measures: Vec<Measure>,
}

impl<'a> Record<'a> {
    /// Prepares reference rows; distances are shares of their own ranges, as in `SDMetrics`.
    #[must_use]
    pub fn new(reference: &'a Table) -> Self {
        Self::within(reference, &[reference])
    }

    /// Prepares reference rows; distances are shares of the ranges of `ranges` together, so that they
    /// can be compared with those to other reference rows.
    #[must_use]
    pub fn within(reference: &'a Table, ranges: &[&Table]) -> Self {
        let columns = reference.columns.iter().enumerate();
        let measure = |(number, values): (usize, &Values)| match values {
            Values::Categories(_) => Measure::Equal,
            Values::Numbers(_) => {
                let (low, high) = ranges.iter().filter_map(|t| t.columns.get(number)).fold(
                    (f64::INFINITY, f64::NEG_INFINITY),
                    |(low, high), values| {
                        let (from, to) = ends(values);
                        (low.min(from), high.max(to))
                    },
                );
                Measure::Range((high - low).max(0.0))
            }
        };
        Self { reference, measures: columns.map(measure).collect() }
    }

    /// For each row its distances to the closest and to the second closest reference row: the mean
    /// over the columns of 0 to 1. It takes time in proportion to rows times reference rows.
    #[must_use]
    pub fn closest_two(&self, rows: &Table) -> Vec<(f64, f64)> {
        (0..rows.rows).map(|row| self.of_row(rows, row)).collect()
    }

    /// For each row its distance to the closest reference row.
    #[must_use]
    pub fn closest(&self, rows: &Table) -> Vec<f64> {
        self.closest_two(rows).into_iter().map(|(first, _)| first).collect()
    }

    fn of_row(&self, rows: &Table, row: usize) -> (f64, f64) {
        let mut sums = vec![0.0; self.reference.rows];
        for ((mine, theirs), measure) in
            rows.columns.iter().zip(&self.reference.columns).zip(&self.measures)
        {
            add_distances(&mut sums, (mine, row), theirs, measure);
        }
        let columns = self.measures.len() as f64;
        let closer = |(first, second): (f64, f64), sum: f64| {
            if sum < first { (sum, first) } else { (first, second.min(sum)) }
        };
        let (first, second) = sums.into_iter().fold((f64::INFINITY, f64::INFINITY), closer);
        (first / columns, second / columns)
    }
}

fn add_distances(sums: &mut [f64], (mine, row): (&Values, usize), theirs: &Values, by: &Measure) {
    match (mine, theirs, by) {
        (Values::Numbers(mine), Values::Numbers(theirs), Measure::Range(range)) => {
            let mine = mine.get(row).copied().unwrap_or(f64::NAN);
            for (sum, other) in sums.iter_mut().zip(theirs) {
                let gap = (mine - other).abs();
                *sum += match (mine.is_nan(), other.is_nan()) {
                    (true, true) => 0.0,
                    (false, false) if *range > 0.0 => (gap / range).min(1.0),
                    (false, false) => f64::from(gap > 0.0),
                    _ => 1.0,
                };
            }
        }
        (Values::Categories(mine), Values::Categories(theirs), Measure::Equal) => {
            let mine = mine.get(row).copied().unwrap_or(0);
            for (sum, other) in sums.iter_mut().zip(theirs) {
                *sum += f64::from(mine != *other);
            }
        }
        _ => {}
    }
}

/// How close synthetic rows come to real ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Closeness {
    /// Median distance of synthetic rows to the closest real row.
    pub median_to_real: Option<f64>,
    /// The same of random rows: each column evenly over its real range or categories.
    pub median_of_random: Option<f64>,
    /// `DCRBaselineProtection`: the first median by the second, at most 1.
    pub baseline_protection: Option<f64>,
    /// Share of synthetic rows that are closer to a row of the training set than to one of the
    /// holdout, by distances in the ranges of both; about 0.5 where nothing was learned by heart.
    pub closer_to_training: Option<f64>,
    /// `DCROverfittingProtection` of `SDMetrics`: twice the share of the rows that are not closer to
    /// the training set, at most 1. It measures each distance in the range of its own reference
    /// rows: where these differ it says more of the outliers than of the synthetic rows, so that it
    /// raises no alarm.
    pub overfitting_protection: Option<f64>,
    /// Share of synthetic rows that equal a real row.
    pub copies: Option<f64>,
    /// Share of rows of the holdout that equal a row of the training set: what chance does.
    pub copies_in_holdout: Option<f64>,
    /// 5th percentile of the distance to the closest real row by that to the second closest.
    pub nearest_neighbour_ratio_p05: Option<f64>,
    /// The same of rows of the holdout.
    pub nearest_neighbour_ratio_p05_of_holdout: Option<f64>,
    /// Distances of synthetic rows to the closest real row, in 20 cells of equal width from 0 to
    /// `widest`: shares of rows.
    pub synthetic_distances: Vec<f64>,
    /// The same of rows of the holdout.
    pub holdout_distances: Vec<f64>,
    /// The end of the last cell.
    pub widest: f64,
    /// Rows: synthetic ones, training rows and rows of the holdout that were compared.
    pub rows: [usize; 3],
    /// Whether more rows are close to the training set than chance would have it (three standard
    /// errors). Null without a holdout: nothing tells what chance does.
    pub alarm: Option<bool>,
}

const CELLS: usize = 20;
const STANDARD_ERRORS: f64 = 3.0;

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

fn ratio_p05(distances: &[(f64, f64)]) -> Option<f64> {
    let ratio = |(first, second): &(f64, f64)| if *second > 0.0 { first / second } else { 1.0 };
    let mut ratios: Vec<f64> = distances.iter().map(ratio).filter(|r| r.is_finite()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    quantile(&ratios, 0.05)
}

fn share(values: &[f64], is: impl Fn(&f64) -> bool) -> Option<f64> {
    let count = values.iter().filter(|v| is(v)).count();
    (!values.is_empty()).then(|| count as f64 / values.len() as f64)
}

/// Shares of the rows that are closer to the first and closer to the second; a tie is no sign of
/// anything.
fn shares_closer((first, second): &(Vec<f64>, Vec<f64>)) -> Option<(f64, f64)> {
    let gaps: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    share(&gaps, |gap| *gap < 0.0).zip(share(&gaps, |gap| *gap > 0.0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell below 20")]
fn cells(values: &[f64], widest: f64) -> Vec<f64> {
    let mut shares = vec![0.0; if values.is_empty() { 0 } else { CELLS }];
    for value in values {
        let at = ((value / widest * CELLS as f64) as usize).min(CELLS - 1);
        shares.get_mut(at).into_iter().for_each(|s| *s += 1.0 / values.len() as f64);
    }
    shares
}

/// Rows with each column drawn evenly over the range or the categories of the real rows, and with
/// their share of missing values.
fn random_rows(real: &Table, count: usize, seed: u64) -> Table {
    let column = |(number, values): (usize, &Values)| {
        let missing = values.missing() as f64 / values.len().max(1) as f64;
        let stream = |what| Stream::new(seed, &format!("random {number}"), what);
        let (of, gap) = (stream(0), stream(1));
        let is_missing = |row: u64| unit(gap.at(row)) < missing;
        let rows = 0..count as u64;
        match values {
            Values::Numbers(values) => {
                let present = || values.iter().copied().filter(|v| !v.is_nan());
                let low = present().reduce(f64::min).unwrap_or(f64::NAN);
                let range = present().reduce(f64::max).unwrap_or(f64::NAN) - low;
                let whole = present().all(|v| v.fract() == 0.0);
                let value = |row: u64| match (is_missing(row), whole) {
                    (true, _) => f64::NAN,
                    (false, true) => low + (unit(of.at(row)) * (range + 1.0)).floor(),
                    (false, false) => low + unit(of.at(row)) * range,
                };
                Values::Numbers(rows.map(value).collect())
            }
            Values::Categories(codes) => {
                let mut known: Vec<u32> = codes.iter().copied().filter(|c| *c > 0).collect();
                known.sort_unstable();
                known.dedup();
                #[expect(clippy::cast_possible_truncation, reason = "a place in the list")]
                let pick = |row| known.get(below(of.at(row), known.len() as u64) as usize).copied();
                let value = |row| if is_missing(row) { 0 } else { pick(row).unwrap_or(0) };
                Values::Categories(rows.map(value).collect())
            }
        }
    };
    Table { columns: real.columns.iter().enumerate().map(column).collect(), rows: count }
}

/// Measures how close `synthetic` comes to the real rows `training` that it may have been learned
/// from, beside the real rows `holdout` that it was not. The tables are compared whole: sample them
/// first where they are large, training and holdout to the same size.
#[must_use]
pub fn closeness(
    training: &Table,
    synthetic: &Table,
    holdout: Option<&Table>,
    seed: u64,
) -> Closeness {
    let record = Record::new(training);
    let of_synthetic = record.closest_two(synthetic);
    let to_real: Vec<f64> = of_synthetic.iter().map(|(first, _)| *first).collect();
    let to_random = record.closest(&random_rows(training, synthetic.rows, seed));
    let (median_to_real, median_of_random) = (median(&to_real), median(&to_random));
    let medians = median_to_real.zip(median_of_random).filter(|(_, random)| *random > 0.0);
    let own = holdout.map(|h| (to_real.clone(), Record::new(h).closest(synthetic)));
    let own = own.and_then(|both| shares_closer(&both));
    let closer = holdout.and_then(|holdout| {
        let within = |table| Record::within(table, &[training, holdout]).closest(synthetic);
        shares_closer(&(within(training), within(holdout)))
    });
    let of_holdout = holdout.map(|holdout| record.closest_two(holdout)).unwrap_or_default();
    let held: Vec<f64> = of_holdout.iter().map(|(first, _)| *first).collect();
    let widest = to_real.iter().chain(&held).copied().fold(1e-9, f64::max);
    let is_copy = |distance: &f64| *distance == 0.0;
    let (copies, copies_in_holdout) = (share(&to_real, is_copy), share(&held, is_copy));
    let rows = [synthetic.rows, training.rows, holdout.map_or(0, |h| h.rows)];
    Closeness {
        median_to_real,
        median_of_random,
        baseline_protection: medians.map(|(real, random)| (real / random).min(1.0)),
        closer_to_training: closer.map(|(closer, _)| closer),
        overfitting_protection: own.map(|(closer, _)| (2.0 * (1.0 - closer)).min(1.0)),
        copies,
        copies_in_holdout,
        nearest_neighbour_ratio_p05: ratio_p05(&of_synthetic),
        nearest_neighbour_ratio_p05_of_holdout: ratio_p05(&of_holdout),
        synthetic_distances: cells(&to_real, widest),
        holdout_distances: cells(&held, widest),
        widest,
        rows,
        alarm: closer.map(|closer| {
            too_close(closer, rows) || too_many_copies(copies.zip(copies_in_holdout), rows)
        }),
    }
}

fn too_close((closer, farther): (f64, f64), [synthetic, ..]: [usize; 3]) -> bool {
    // The sign test over rows that are not equally far.
    let decided = (closer + farther) * synthetic as f64;
    decided > 0.0 && (closer / (closer + farther) - 0.5) * 2.0 * decided.sqrt() > STANDARD_ERRORS
}

fn too_many_copies(shares: Option<(f64, f64)>, [synthetic, _, holdout]: [usize; 3]) -> bool {
    let Some((copies, by_chance)) = shares.filter(|_| holdout > 0) else {
        return false;
    };
    let (n, m) = (synthetic as f64, holdout as f64);
    let both = (copies * n + by_chance * m) / (n + m);
    let error = (both * (1.0 - both) * (1.0 / n + 1.0 / m)).sqrt();
    copies - by_chance > STANDARD_ERRORS * error && copies > by_chance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(numbers: &[f64], codes: &[u32]) -> Table {
        let columns = vec![Values::Numbers(numbers.into()), Values::Categories(codes.into())];
        Table { columns, rows: numbers.len() }
    }

    #[test]
    fn distances_are_those_of_sdmetrics() {
        let real = table(&[0.0, 10.0, f64::NAN], &[1, 2, 0]);
        let rows = table(&[1.0, f64::NAN, 100.0, 10.0], &[1, 0, 1, 2]);
        // A tenth of the range and the same category; missing twice; at most 1 beside the same
        // category; a copy.
        assert_eq!(Record::new(&real).closest(&rows), [0.05, 0.0, 0.5, 0.0]);
    }

    fn spread(rows: u32, salt: u64) -> Table {
        let stream = Stream::new(salt, "x", 0);
        let number = |row: u32| unit(stream.at(u64::from(row)));
        let code = |row: u32| u32::try_from(below(stream.at(u64::from(row) + 7), 4)).unwrap() + 1;
        table(&(0..rows).map(number).collect::<Vec<_>>(), &(0..rows).map(code).collect::<Vec<_>>())
    }

    #[test]
    fn copies_of_training_rows_raise_the_alarm_and_new_rows_do_not() {
        let (training, holdout) = (spread(1000, 1), spread(1000, 2));
        let honest = closeness(&training, &spread(500, 3), Some(&holdout), 1);
        assert_eq!((honest.alarm, honest.copies), (Some(false), Some(0.0)));
        assert!((honest.closer_to_training.unwrap() - 0.5).abs() < 0.1);
        // A tenth of the rows is copied.
        let mut leaky = spread(450, 3);
        leaky.append(&training.sample(50, 1, "copied"));
        let leaky = closeness(&training, &leaky, Some(&holdout), 1);
        assert_eq!((leaky.alarm, leaky.copies), (Some(true), Some(0.1)));
        assert_eq!(closeness(&training, &holdout, None, 1).alarm, None);
    }
}
