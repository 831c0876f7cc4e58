//! Text that a regular expression describes.

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use rand::distr::Distribution;
use rand_regex::Regex;
use swiftwater_engine::Result;

use super::column::{Column, Rows, Timeline, array, bad_option};
use super::random::Stream;
use super::words::Words;

/// Most times that `*` and `+` repeat beyond what they must.
const REPEATS: u32 = 16;

/// The column.
pub(super) struct Pattern {
    regex: Regex,
    stream: Stream,
}

impl Pattern {
    pub(super) fn new(name: &str, pattern: &str, stream: Stream) -> Result<Self> {
        let regex = Regex::compile(pattern, REPEATS)
            .map_err(|e| format!("read the pattern `{pattern}`: {e}"))
            .and_then(|regex| {
                regex.is_utf8().then_some(regex).ok_or_else(|| format!("`{pattern}` is not text"))
            });
        let hint = "use a regular expression without anchors and look-around, such as \
                    `[A-Z]{2}-[0-9]{4}`";
        let regex = regex.map_err(|what| bad_option(name, what, hint))?;
        Ok(Self { regex, stream })
    }
}

impl Column for Pattern {
    fn data_type(&self) -> DataType {
        DataType::Utf8
    }

    fn values(&self, rows: Rows, _time: Timeline) -> ArrayRef {
        let text = |row| -> String { self.regex.sample(&mut Words::of_row(self.stream, row)) };
        array(StringArray::from_iter_values(rows.iter().map(text)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::super::timeline::Slots;
    use super::*;

    #[test]
    fn text_is_as_described_and_the_same_each_time() {
        let column = Pattern::new("x", "(DE|CH)-[0-9]{4}(-[a-c]+)?", Stream::new(1, "x", 0));
        let column = column.unwrap();
        let time = Timeline { start: 0, rate: 1.0, slots: Slots::ALL };
        let values = column.values(Rows { first: 0, count: 1000 }, time);
        let texts: Vec<&str> = values.as_string::<i32>().iter().flatten().collect();
        for text in &texts {
            let (country, rest) = text.split_at(2);
            assert!(["DE", "CH"].contains(&country), "{text}");
            let mut parts = rest.split('-').skip(1);
            let number = parts.next().unwrap();
            assert!(number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()), "{text}");
            let letters = parts.next().unwrap_or("a");
            assert!(letters.len() <= 17 && letters.bytes().all(|b| b"abc".contains(&b)), "{text}");
        }
        assert!(texts.iter().any(|t| t.len() == 7) && texts.iter().any(|t| t.len() > 8));
        let later = column.values(Rows { first: 500, count: 1 }, time);
        assert_eq!(later.as_string::<i32>().value(0), texts[500]);
        assert!(Pattern::new("x", "[a-", Stream::new(1, "x", 0)).is_err());
    }
}
