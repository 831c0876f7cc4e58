//! Pseudonyms under a secret key: HMAC-SHA256 (RFC 2104, FIPS 198-1) for hashes, and FF1 (NIST SP
//! 800-38G) over AES-256 for tokens that keep the format of what they stand for.
//!
//! The keys of both are derived from the user's key, so that neither tells anything of the other.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use swiftwater_engine::{Error, Result};

/// SP 800-38G revision 1 wants at least this many values that a token can take.
const LEAST_VALUES: f64 = 1e6;

/// HMAC-SHA256 of `parts`, each preceded by its length so that no two lists look alike.
fn mac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|_| Error::bug("take a key of any length for HMAC"))?;
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

/// Hashes of the values of one domain.
#[derive(Clone)]
pub(crate) struct Pseudonyms {
    key: [u8; 32],
    domain: String,
    length: usize,
}

impl Pseudonyms {
    /// Hashes of `length` hexadecimal digits, at most 64.
    pub(crate) fn new(key: &str, domain: &str, length: usize) -> Result<Self> {
        let key = mac(key.as_bytes(), &[b"swiftwater anonymize hash"])?;
        Ok(Self { key, domain: domain.to_owned(), length })
    }

    /// The hash of a value.
    pub(crate) fn of(&self, value: &str) -> Result<String> {
        const DIGITS: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let bytes = mac(&self.key, &[self.domain.as_bytes(), value.as_bytes()])?;
        let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = halves.filter_map(|half| DIGITS.get(usize::from(half)));
        Ok(digits.take(self.length).collect())
    }
}

/// The characters that a token replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// 0 to 9.
    Digits,
    /// 0 to 9 and a to z, small and capital letters.
    Alphanumeric,
}

impl Alphabet {
    const fn characters(self) -> &'static [u8] {
        match self {
            Self::Digits => b"0123456789",
            Self::Alphanumeric => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        }
    }

    fn place(self, character: char) -> Option<u16> {
        let byte = u8::try_from(character).ok()?;
        let place = self.characters().iter().position(|c| *c == byte)?;
        u16::try_from(place).ok()
    }
}

/// Tokens of the values of one domain.
pub(crate) struct Tokens {
    cipher: FF1<Aes256>,
    domain: String,
    alphabet: Alphabet,
}

impl Tokens {
    /// Tokens in an alphabet; the domain is FF1's tweak.
    pub(crate) fn new(key: &str, domain: &str, alphabet: Alphabet) -> Result<Self> {
        let key = mac(key.as_bytes(), &[b"swiftwater anonymize token"])?;
        let cipher = Self::cipher(&key, alphabet)?;
        Ok(Self { cipher, domain: domain.to_owned(), alphabet })
    }

    fn cipher(key: &[u8; 32], alphabet: Alphabet) -> Result<FF1<Aes256>> {
        let radix = u32::try_from(alphabet.characters().len()).unwrap_or(0);
        FF1::new(key, radix).map_err(|_| Error::bug(format!("use FF1 with the radix {radix}")))
    }

    /// The token of a value: characters of the alphabet are replaced by others of it, all others
    /// stay where they are. Different values of one shape have different tokens.
    ///
    /// # Errors
    /// `Data` (`SW3260`) where so few characters can be replaced that the value could be guessed.
    pub(crate) fn of(&self, value: &str) -> Result<String> {
        let numerals: Vec<u16> = value.chars().filter_map(|c| self.alphabet.place(c)).collect();
        let radix = self.alphabet.characters().len();
        #[expect(clippy::cast_precision_loss, reason = "a small radix and a length")]
        let values = (radix as f64).powf(numerals.len() as f64);
        if values < LEAST_VALUES {
            let message = format!(
                "make a token of a value with {} characters to replace: there are too few such values",
                numerals.len()
            );
            return Err(Error::data("SW3260", message).with_hint(
                "a token needs 6 digits or 4 letters and digits; `hash` and `mask` take shorter values",
            ));
        }
        let numerals = FlexibleNumeralString::from(numerals);
        let token = self.cipher.encrypt(self.domain.as_bytes(), &numerals);
        let token = token.map_err(|_| Error::bug("encrypt the numerals of an alphabet"))?;
        let mut token = Vec::<u16>::from(token).into_iter();
        let replace = |c: char| match self.alphabet.place(c) {
            None => Some(c),
            Some(_) => {
                let place = usize::from(token.next()?);
                self.alphabet.characters().get(place).map(|byte| char::from(*byte))
            }
        };
        Ok(value.chars().map_while(replace).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        // Test case 2 of RFC 4231, fed without the lengths of parts.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let hex: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    /// Samples 7 and 8 of NIST's examples of FF1: AES-256, radix 10, without and with a tweak.
    #[test]
    fn the_cipher_is_that_of_nist() {
        let key = [
            0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF,
            0x4F, 0x3C, 0xEF, 0x43, 0x59, 0xD8, 0xD5, 0x80, 0xAA, 0x4F, 0x7F, 0x03, 0x6D, 0x6F,
            0x04, 0xFC, 0x6A, 0x94,
        ];
        for (domain, token) in [("", "6657667009"), ("9876543210", "1001623463")] {
            let cipher = Tokens::cipher(&key, Alphabet::Digits).unwrap();
            let tokens = Tokens { cipher, domain: domain.into(), alphabet: Alphabet::Digits };
            assert_eq!(tokens.of("0123456789").unwrap(), token);
        }
    }

    #[test]
    fn tokens_keep_the_shape_and_differ() {
        let tokens = Tokens::new("a key", "card", Alphabet::Digits).unwrap();
        let all: BTreeSet<String> =
            (0..2000).map(|n| tokens.of(&format!("4111-11{n:06}")).unwrap()).collect();
        assert_eq!(all.len(), 2000);
        let shaped = |t: &String| t.len() == 13 && t.find('-') == Some(4);
        assert!(all.iter().all(shaped));
        assert_eq!(tokens.of("12345").unwrap_err().code, "SW3260");
        let other = Tokens::new("another key", "card", Alphabet::Digits).unwrap();
        let same = (0..100).filter(|n| {
            let value = format!("{n:08}");
            other.of(&value).unwrap() == tokens.of(&value).unwrap()
        });
        assert_eq!(same.count(), 0);
        let letters = Tokens::new("a key", "name", Alphabet::Alphanumeric).unwrap();
        let token = letters.of("Zoë O'Brien").unwrap();
        assert_eq!(token.chars().count(), 11);
        assert!(token.contains('ë') && token.contains('\'') && token != "Zoë O'Brien");
    }

    #[test]
    fn hashes_depend_on_key_domain_and_value() {
        let hash = |key: &str, domain: &str, value: &str| {
            Pseudonyms::new(key, domain, 32).unwrap().of(value).unwrap()
        };
        let all: BTreeSet<_> =
            [("k", "", "a"), ("l", "", "a"), ("k", "d", "a"), ("k", "", "b"), ("k", "a", "")]
                .map(|(k, d, v)| hash(k, d, v))
                .into();
        assert_eq!(all.len(), 5);
        assert_eq!(hash("k", "", "a"), hash("k", "", "a"));
        assert!(all.iter().all(|h| h.len() == 32));
    }
}
