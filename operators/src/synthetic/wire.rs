//! What snapshots hold of a fit, as bytes: little-endian words, and texts with their length.

/// Writes words and texts.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn word(&mut self, word: u64) {
        self.0.extend(word.to_le_bytes());
    }

    pub(crate) fn number(&mut self, number: f64) {
        self.word(number.to_bits());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    /// Numbers, of which most are 0.
    pub(crate) fn numbers(&mut self, numbers: &[f64]) {
        let some = numbers.iter().enumerate().filter(|(_, n)| **n != 0.0);
        self.word(numbers.len() as u64);
        self.word(some.clone().count() as u64);
        for (at, number) in some {
            self.word(at as u64);
            self.number(*number);
        }
    }
}

/// Reads what [`Writer`] wrote. `None` where the bytes end too early or make no sense.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

/// Most numbers of one list: a damaged length does not fill the memory.
const MOST: u64 = 1 << 28;

impl Reader<'_> {
    pub(crate) fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    /// A number of things, none of which takes less than a byte.
    pub(crate) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.word()?).ok().filter(|count| *count <= self.0.len())
    }

    pub(crate) fn number(&mut self) -> Option<f64> {
        self.word().map(f64::from_bits)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(bytes.to_vec()).ok()
    }

    pub(crate) fn numbers(&mut self) -> Option<Vec<f64>> {
        let length = usize::try_from(self.word().filter(|n| *n < MOST)?).ok()?;
        let mut numbers = vec![0.0; length];
        for _ in 0..self.count()? {
            let at = usize::try_from(self.word()?).ok()?;
            *numbers.get_mut(at)? = self.number()?;
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.text("a b");
        writer.numbers(&[0.0, 0.1, 0.0, -3.5]);
        writer.number(f64::NAN);
        let mut reader = Reader(&writer.0);
        assert_eq!(reader.text().as_deref(), Some("a b"));
        assert_eq!(reader.numbers(), Some(vec![0.0, 0.1, 0.0, -3.5]));
        assert!(reader.number().unwrap().is_nan() && reader.word().is_none());
        assert_eq!(Reader(&[255; 8]).text(), None);
        assert_eq!(Reader(&[255; 16]).numbers(), None);
    }
}
