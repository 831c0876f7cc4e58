//! The oracle: every row is held against every window.

use std::collections::{BTreeMap, BTreeSet};

use super::scenario::{Kind, Row, Scenario, Step};

/// Key as text, start and end of the window.
pub(super) type Place = (String, i64, i64);
/// The results in the order of the options.
pub(super) type Values = Vec<Option<i64>>;

pub(super) struct Model {
    kind: Kind,
    key: Vec<&'static str>,
    lateness: i64,
    watermark: Option<i64>,
    rows: BTreeMap<Place, Vec<Row>>,
    pub(super) late: usize,
}

/// The name of a key.
pub(super) fn name(key: Option<i64>) -> Option<String> {
    key.map(|k| format!("name {}", k % 4))
}

/// The key of a row as text.
pub(super) fn text(columns: &[&str], row: &Row) -> String {
    let part = |column: &&str| match *column {
        "k" => format!("{:?}", row.key),
        _ => format!("{:?}", name(row.key)),
    };
    columns.iter().map(part).collect::<Vec<_>>().join("|")
}

impl Model {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            kind: scenario.kind,
            key: scenario.key.clone(),
            lateness: scenario.lateness,
            watermark: None,
            rows: BTreeMap::new(),
            late: 0,
        }
    }

    fn windows(&self, time: i64) -> Vec<(i64, i64)> {
        let all: Vec<(i64, i64)> = match self.kind {
            Kind::Tumbling { size, offset } => {
                (-300..300).map(|n| (n * size + offset, (n + 1) * size + offset)).collect()
            }
            Kind::Hopping { size, slide, offset } => {
                (-300..300).map(|n| (n * slide + offset, n * slide + offset + size)).collect()
            }
            Kind::Session { .. } => Vec::new(),
            Kind::Cumulative { steps, step } => (-300..300)
                .flat_map(|n| {
                    let start = n * steps * step;
                    (1..=steps).map(move |i| (start, start + i * step))
                })
                .collect(),
        };
        all.into_iter().filter(|(start, end)| (*start..*end).contains(&time)).collect()
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Rows(rows) => rows.iter().for_each(|row| self.row(row)),
            Step::Watermark(rise) => self.watermark = Some(self.watermark.unwrap_or(0) + rise),
            Step::Seal | Step::Tick | Step::Crash(_) | Step::End => {}
        }
    }

    /// Joins the session windows that the row's own overlaps.
    fn session(&mut self, row: &Row, gap: i64) {
        let key = text(&self.key, row);
        let (watermark, lateness) = (self.watermark, self.lateness);
        let open = |end: i64| watermark.is_none_or(|w| end - 1 + lateness > w);
        let (mut start, mut end, mut rows) = (row.time, row.time + gap, vec![*row]);
        let overlapping: Vec<Place> = self
            .rows
            .keys()
            .filter(|(k, s, e)| *k == key && open(*e) && *s < row.time + gap && row.time < *e)
            .cloned()
            .collect();
        if overlapping.is_empty() && !open(end) {
            self.late += 1;
            return;
        }
        for place in overlapping {
            (start, end) = (start.min(place.1), end.max(place.2));
            rows.extend(self.rows.remove(&place).unwrap());
        }
        self.rows.insert((key, start, end), rows);
    }

    fn row(&mut self, row: &Row) {
        if let Kind::Session { gap } = self.kind {
            return self.session(row, gap);
        }
        let open = |end: i64| self.watermark.is_none_or(|w| end - 1 + self.lateness > w);
        let windows: Vec<_> =
            self.windows(row.time).into_iter().filter(|(_, end)| open(*end)).collect();
        self.late += usize::from(windows.is_empty());
        for (start, end) in windows {
            let place = (text(&self.key, row), start, end);
            self.rows.entry(place).or_default().push(*row);
        }
    }

    /// What has been shown in the end.
    pub(super) fn shown(&self) -> BTreeMap<Place, Values> {
        self.rows.iter().map(|(place, rows)| (place.clone(), values(rows))).collect()
    }
}

fn values(rows: &[Row]) -> Values {
    let count = |n: usize| Some(i64::try_from(n).unwrap());
    let prices: Vec<i64> = rows.iter().filter_map(|r| r.price).collect();
    let (least, most) = (prices.iter().min().copied(), prices.iter().max().copied());
    vec![
        count(rows.len()),
        (!prices.is_empty()).then(|| prices.iter().sum()),
        least,
        most,
        count(prices.iter().filter(|p| **p > 2).count()),
        count(prices.iter().collect::<BTreeSet<_>>().len()),
        most.zip(least).map(|(most, least)| most - least),
        // Nulls come last in ascending order, and are the first where there is nothing else.
        least,
    ]
}
