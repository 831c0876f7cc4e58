//! The most frequent text of a window, in bounded memory: exact counts of up to [`MOST`] texts; of
//! more, the algorithm of J. Misra and D. Gries, "Finding repeated elements" (1982), whose counts are
//! short by at most one in `MOST + 1` rows.

use std::collections::BTreeMap;

/// Texts that are counted at once.
pub(super) const MOST: usize = 1024;

/// Counts by text.
#[derive(Debug, Clone, Default)]
pub(super) struct Frequent(BTreeMap<String, u64>);

impl Frequent {
    /// Counts a text.
    pub(super) fn add(&mut self, text: &str) {
        if let Some(count) = self.0.get_mut(text) {
            *count += 1;
        } else if self.0.len() < MOST {
            self.0.insert(text.to_owned(), 1);
        } else {
            self.0.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// The text with the greatest count, the first by its bytes where several have it.
    pub(super) fn most(&self) -> Option<(&str, u64)> {
        let (mut most, mut found) = (0, None);
        for (text, count) in &self.0 {
            if *count > most {
                (most, found) = (*count, Some(text.as_str()));
            }
        }
        found.map(|text| (text, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_texts_are_counted_exactly() {
        let mut frequent = Frequent::default();
        assert_eq!(frequent.most(), None);
        ["b", "a", "b", "a", "c"].iter().for_each(|text| frequent.add(text));
        assert_eq!(frequent.most(), Some(("a", 2)));
    }

    #[test]
    fn among_many_texts_the_frequent_one_is_found_and_little_short() {
        let mut frequent = Frequent::default();
        let rows = 50_000;
        for row in 0..rows {
            frequent.add(&if row % 10 == 0 { "often".to_owned() } else { format!("{row}") });
        }
        let (text, count) = frequent.most().unwrap();
        assert_eq!(text, "often");
        assert!(count <= 5000 && count >= 5000 - rows / (MOST as u64 + 1), "{count}");
        assert!(frequent.0.len() <= MOST);
    }
}
