//! The random words of one row in the form that libraries take them.

use std::convert::Infallible;

use rand::TryRng;

use super::random::Stream;

/// A row's own words, one after the other.
pub(super) struct Words {
    stream: Stream,
    next: u64,
}

impl Words {
    /// The words of a row: the same each time.
    pub(super) const fn of_row(stream: Stream, row: u64) -> Self {
        Self { stream: stream.of_row(row), next: 0 }
    }

    /// The next word.
    pub(super) const fn word(&mut self) -> u64 {
        let word = self.stream.at(self.next);
        self.next += 1;
        word
    }
}

impl TryRng for Words {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.word() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.word())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.word().to_le_bytes();
            chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
        }
        Ok(())
    }
}
