//! Rows as columns of numbers and of categories, encoded alike for all tables that are compared.

use swiftwater_engine::random::{Stream, below};

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers, or times in microseconds since 1970; NaN is a missing value.
    Numbers(Vec<f64>),
    /// Numbers of categories as [`super::Design`] counts them from 1; 0 is a missing value.
    Categories(Vec<u32>),
}

impl Values {
    /// Number of values, missing ones among them.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Categories(codes) => codes.len(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values are missing.
    #[must_use]
    pub fn missing(&self) -> usize {
        match self {
            Self::Numbers(values) => values.iter().filter(|v| v.is_nan()).count(),
            Self::Categories(codes) => codes.iter().filter(|c| **c == 0).count(),
        }
    }

    /// The values of some rows.
    fn take(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(
                rows.iter().map(|r| values.get(*r).copied().unwrap_or(f64::NAN)).collect(),
            ),
            Self::Categories(codes) => {
                Self::Categories(rows.iter().map(|r| codes.get(*r).copied().unwrap_or(0)).collect())
            }
        }
    }

    fn append(&mut self, other: &Self) {
        match (self, other) {
            (Self::Numbers(values), Self::Numbers(more)) => values.extend(more),
            (Self::Categories(codes), Self::Categories(more)) => codes.extend(more),
            _ => {}
        }
    }
}

/// Rows, in the columns of a [`super::Design`].
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns, in the order of the design.
    pub columns: Vec<Values>,
    /// Number of rows.
    pub rows: usize,
}

impl Table {
    /// Some of the rows, in that order; a row may come several times.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Self {
        Self { columns: self.columns.iter().map(|c| c.take(rows)).collect(), rows: rows.len() }
    }

    /// These rows, and behind them those of `other`.
    #[must_use]
    pub fn chain(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.append(other);
        both
    }

    /// Adds rows behind these.
    pub fn append(&mut self, other: &Self) {
        for (column, more) in self.columns.iter_mut().zip(&other.columns) {
            column.append(more);
        }
        self.rows += other.rows;
    }

    /// `count` rows drawn with replacement.
    #[must_use]
    pub fn drawn(&self, count: usize, seed: u64, draw: u64) -> Self {
        self.take(&draw_rows(self.rows, count, Stream::new(seed, "rows", draw)))
    }

    /// `count` rows whose columns are drawn with replacement independently of each other.
    #[must_use]
    pub fn independent(&self, count: usize, seed: u64, draw: u64) -> Self {
        let columns = self.columns.iter().enumerate().map(|(number, column)| {
            let stream = Stream::new(seed, &format!("column {number}"), draw);
            column.take(&draw_rows(self.rows, count, stream))
        });
        Self { columns: columns.collect(), rows: if self.rows == 0 { 0 } else { count } }
    }

    /// At most `most` of the rows without replacement, in their order, chosen by the seed.
    #[must_use]
    pub fn sample(&self, most: usize, seed: u64, what: &str) -> Self {
        if self.rows <= most {
            return self.clone();
        }
        let stream = Stream::new(seed, what, 0);
        let mut marked: Vec<(u64, usize)> =
            (0..self.rows).map(|row| (stream.at(row as u64), row)).collect();
        marked.select_nth_unstable(most);
        marked.truncate(most);
        let mut rows: Vec<usize> = marked.into_iter().map(|(_, row)| row).collect();
        rows.sort_unstable();
        self.take(&rows)
    }

    /// The rows in two parts, of which the second has about the share `second`, chosen by the seed.
    #[must_use]
    pub fn split(&self, second: f64, seed: u64, what: &str) -> (Self, Self) {
        let stream = Stream::new(seed, what, 0);
        let in_second =
            |row: &usize| swiftwater_engine::random::unit(stream.at(*row as u64)) < second;
        let (later, first): (Vec<usize>, Vec<usize>) = (0..self.rows).partition(in_second);
        (self.take(&first), self.take(&later))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below the number of rows")]
fn draw_rows(rows: usize, count: usize, stream: Stream) -> Vec<usize> {
    if rows == 0 {
        return Vec::new();
    }
    (0..count as u64).map(|n| below(stream.at(n), rows as u64) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let numbers: Vec<f64> = (0..1000).map(f64::from).collect();
        let codes: Vec<u32> = (0..1000).map(|n| n % 7).collect();
        Table { columns: vec![Values::Numbers(numbers), Values::Categories(codes)], rows: 1000 }
    }

    #[test]
    fn drawn_rows_stay_whole_and_independent_columns_do_not() {
        let whole = |t: &Table| {
            let [Values::Numbers(n), Values::Categories(c)] = t.columns.as_slice() else {
                panic!("two columns")
            };
            n.iter().zip(c).filter(|(n, c)| **n % 7.0 == f64::from(**c)).count()
        };
        let drawn = table().drawn(500, 1, 0);
        assert_eq!((drawn.rows, whole(&drawn)), (500, 500));
        assert_eq!(drawn, table().drawn(500, 1, 0));
        assert_ne!(drawn, table().drawn(500, 1, 1));
        let loose = whole(&table().independent(7000, 1, 0));
        assert!((800..1200).contains(&loose), "{loose}");
    }

    #[test]
    fn a_sample_has_each_row_at_most_once() {
        let sample = table().sample(100, 3, "a");
        let Values::Numbers(numbers) = &sample.columns[0] else { panic!("numbers") };
        assert!(sample.rows == 100 && numbers.is_sorted_by(|a, b| a < b));
        let (first, second) = table().split(0.3, 3, "b");
        assert_eq!(first.rows + second.rows, 1000);
        assert!((250..350).contains(&second.rows));
    }
}
