//! Numbers of a payload, exactly: integers without a detour over floating point, floats correctly
//! rounded, decimals to the last digit.

use super::problem::Outcome;
use super::scan::{Scanner, word};
use crate::codec::decimal::power;

/// A number as it stands in the payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    /// The token; it follows the JSON grammar.
    pub(super) text: &'a [u8],
    negative: bool,
    /// The digits as an integer, where they are at most 19.
    mantissa: Option<u64>,
    /// Power of ten that the mantissa is multiplied with.
    exponent: i32,
}

const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// How many of the eight bytes of a word are digits, counted from the first, and their value.
#[inline]
const fn eight_digits(word: u64) -> (u32, u64) {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let digits = word ^ ZEROS;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    // Move the digits to the end of the word, with zeros before them, then add pairs of
    // neighbours: digits to tens, tens to thousands, and so on.
    let value = digits << (64 - 8 * count);
    let value = value.wrapping_mul(10).wrapping_add(value >> 8);
    const MASK: u64 = 0x0000_00FF_0000_00FF;
    let low = (value & MASK).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((value >> 16) & MASK).wrapping_mul(1 + (10_000 << 32));
    (count, low.wrapping_add(high) >> 32)
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl<'a> Scanner<'a> {
    /// Reads a plain integer of at most 18 digits: what nearly all integers are. `None` leaves the
    /// place unchanged.
    #[inline(always)]
    pub(super) fn small_integer(&mut self) -> Option<i64> {
        let negative = self.peek() == b'-';
        let start = self.at + usize::from(negative);
        let first = *self.bytes.get(start)?;
        let mut at = start;
        let mut value = 0_u64;
        while let Some(word) = word(self.bytes, at) {
            let (count, digits) = eight_digits(word);
            value = value.wrapping_mul(*POWERS.get(count as usize)?).wrapping_add(digits);
            at += count as usize;
            if count < 8 || at > start + 18 {
                break;
            }
        }
        let mut byte = self.bytes.get(at).copied().unwrap_or(0);
        while byte.is_ascii_digit() && at <= start + 18 {
            value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            at += 1;
            byte = self.bytes.get(at).copied().unwrap_or(0);
        }
        let count = at - start;
        let plain = !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E');
        if !plain || count == 0 || count > 18 || (first == b'0' && count > 1) {
            return None;
        }
        self.at = at;
        let value = i64::try_from(value).ok()?;
        Some(if negative { -value } else { value })
    }

    /// Reads any number.
    pub(super) fn number(&mut self) -> Outcome<Number<'a>> {
        let start = self.at;
        self.skip_number()?;
        Ok(Number::of(self.since(start)))
    }
}

impl<'a> Number<'a> {
    /// Takes apart a token of the JSON grammar.
    fn of(text: &'a [u8]) -> Self {
        let (negative, unsigned) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut mantissa = Some(0_u64);
        let mut exponent = 0_i32;
        let mut fraction = false;
        let mut rest = unsigned.iter();
        for byte in rest.by_ref() {
            match byte {
                b'.' => fraction = true,
                b'e' | b'E' => {
                    exponent = exponent.saturating_add(power(rest.as_slice()));
                    break;
                }
                digit => {
                    let digit = u64::from(digit - b'0');
                    mantissa = mantissa.and_then(|m| m.checked_mul(10)?.checked_add(digit));
                    exponent -= i32::from(fraction);
                }
            }
        }
        Self { text, negative, mantissa, exponent }
    }

    /// The value as an integer, where it is one and fits.
    pub(super) fn integer(&self) -> Option<i128> {
        let magnitude = match (self.mantissa?, self.exponent) {
            (0, _) => 0,
            (m, e @ 0..) => i128::from(m).checked_mul(10_i128.checked_pow(e.unsigned_abs())?)?,
            (m, e) => {
                let divisor = 10_u64.checked_pow(e.unsigned_abs())?;
                i128::from(m.is_multiple_of(divisor).then_some(m / divisor)?)
            }
        };
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The nearest double; `None` where it would be infinite.
    pub(super) fn double(&self) -> Option<f64> {
        // A mantissa and a power of ten that are both exact give a correctly rounded result in one
        // step (Clinger 1990); everything else takes the long road.
        if let Some(m @ 0..=0x1F_FFFF_FFFF_FFFF) = self.mantissa {
            let power = EXACT_POWERS.get(self.exponent.unsigned_abs() as usize);
            if let Some(power) = power {
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let m = m as f64;
                let value = if self.exponent < 0 { m / power } else { m * power };
                return Some(if self.negative { -value } else { value });
            }
        }
        let value: f64 = std::str::from_utf8(self.text).ok()?.parse().ok()?;
        value.is_finite().then_some(value)
    }

    /// The nearest single; `None` where it would be infinite.
    pub(super) fn single(&self) -> Option<f32> {
        let value: f32 = std::str::from_utf8(self.text).ok()?.parse().ok()?;
        value.is_finite().then_some(value)
    }
}
