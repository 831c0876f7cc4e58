//! The Prometheus text format, as much of it as `/metrics` uses.

use std::collections::BTreeMap;

/// One series and its value.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// All series of one scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples {
    all: Vec<Sample>,
}

impl Samples {
    /// Reads the text of one scrape; fails the test on a line that is not in the format.
    pub(crate) fn parse(text: &str) -> Self {
        let series = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let all = text.lines().filter(series).map(sample).collect();
        Self { all }
    }

    /// Sum over the series of `name` that carry all of `labels`; `None` where there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.matching(name, labels).map(|sample| sample.value).reduce(|a, b| a + b)
    }

    /// As [`Samples::sum`], and 0 where there is no such series.
    pub(crate) fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.sum(name, labels).unwrap_or(0.0)
    }

    /// The `q` quantile of a histogram as Prometheus's `histogram_quantile` computes it, with
    /// linear interpolation inside the bucket; `None` where nothing was observed.
    pub(crate) fn quantile(&self, name: &str, q: f64, labels: &[(&str, &str)]) -> Option<f64> {
        let mut buckets: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for sample in self.matching(&format!("{name}_bucket"), labels) {
            let bound: f64 = number(&sample.labels["le"]);
            // Bounds are not negative, so their bits are in the order of their values.
            buckets.entry(bound.to_bits()).or_insert((bound, 0.0)).1 += sample.value;
        }
        let count = buckets.values().last()?.1;
        if count == 0.0 {
            return None;
        }
        let rank = q * count;
        let (mut lower, mut below) = (0.0, 0.0);
        for &(upper, reached) in buckets.values() {
            if reached >= rank && reached > below {
                let inside = (rank - below) / (reached - below);
                return Some(if upper.is_finite() {
                    lower + (upper - lower) * inside
                } else {
                    lower
                });
            }
            (lower, below) = (upper, reached);
        }
        Some(lower)
    }

    fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let carries = move |sample: &Sample| {
            labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        self.all.iter().filter(move |sample| sample.name == name && carries(sample))
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

/// `name{key="value",...} 12.5`, with `\\`, `\"` and `\n` escaped in values.
fn sample(line: &str) -> Sample {
    let bad = || -> ! { panic!("not a sample: {line:?}") };
    let Some((series, value)) = line.rsplit_once(' ') else { bad() };
    let Some((name, mut rest)) = series.split_once('{') else {
        return Sample { name: series.to_owned(), labels: BTreeMap::new(), value: number(value) };
    };
    let mut labels = BTreeMap::new();
    while rest != "}" {
        let Some((key, quoted)) = rest.split_once("=\"") else { bad() };
        let mut text = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next() {
                Some((at, '"')) => break at + 1,
                Some((_, '\\')) => match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, letter)) => text.push(letter),
                    None => bad(),
                },
                Some((_, letter)) => text.push(letter),
                None => bad(),
            }
        };
        labels.insert(key.to_owned(), text);
        rest = quoted[end..].trim_start_matches(',');
    }
    Sample { name: name.to_owned(), labels, value: number(value) }
}

#[test]
fn reads_labels_and_quantiles() {
    let samples = Samples::parse(
        "# HELP x words\nx_total{node=\"a\",note=\"say \\\"hi\\\", }\"} 2\nx_total{node=\"b\"} 3\n\
         up 1\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"2\"} 10\nh_bucket{le=\"+Inf\"} 10\n",
    );
    assert_eq!(samples.sum("x_total", &[]), Some(5.0));
    assert_eq!(samples.sum("x_total", &[("note", "say \"hi\", }")]), Some(2.0));
    assert_eq!(samples.sum("missing", &[]), None);
    assert_eq!(samples.total("up", &[]), 1.0);
    assert_eq!(samples.quantile("h", 0.5, &[]), Some(1.5));
    assert_eq!(samples.quantile("h", 0.5, &[("sink", "none")]), None);
}
