//! Decimals: from text, and from one scale to another.

/// The power after an `e`; far beyond any use it stays at its bound.
pub(super) fn power(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let power = digits.iter().fold(0_i32, |power, digit| {
        power.saturating_mul(10).saturating_add(i32::from(digit - b'0')).min(1_000_000_000)
    });
    if negative { -power } else { power }
}

/// Reads `12.345e1` as a decimal of `precision` digits, `scale` of them after the point; further
/// digits are rounded, halves away from zero. `None` where it is not a number or has too many
/// digits before the point.
pub(super) fn parse(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let marks = |byte: &u8| matches!(byte, b'e' | b'E');
    let (digits, exponent) = match unsigned.iter().position(marks) {
        Some(at) => {
            let text = unsigned.get(at + 1..)?;
            let bare = text.strip_prefix(b"-").or(text.strip_prefix(b"+"));
            let bare = bare.unwrap_or(text);
            if bare.is_empty() || !bare.iter().all(u8::is_ascii_digit) {
                return None;
            }
            (unsigned.get(..at)?, power(text))
        }
        None => (unsigned, 0),
    };
    let point = digits.iter().position(|b| *b == b'.');
    let whole = digits.get(..point.unwrap_or(digits.len()))?;
    let fraction = point.map_or(Some(&[][..]), |at| digits.get(at + 1..))?;
    let mut all = whole.iter().chain(fraction);
    if (whole.is_empty() && fraction.is_empty()) || !all.clone().all(u8::is_ascii_digit) {
        return None;
    }
    // How many of the digits stand before the end of the decimal; missing ones are zeros.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value = 0_i128;
    for _ in 0..kept {
        match all.next() {
            Some(digit) => {
                value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
            }
            None if value == 0 => break,
            None => value = value.checked_mul(10)?,
        }
    }
    if kept >= 0 && all.next().is_some_and(|digit| *digit >= b'5') {
        value = value.checked_add(1)?;
    }
    let bound = 10_i128.checked_pow(u32::from(precision))?;
    (value < bound).then_some(if negative { -value } else { value })
}

/// A decimal of scale `from` as one of `precision` digits, `to` of them after the point; digits
/// that are cut off are rounded, halves away from zero. `None` where it does not fit.
pub(super) fn rescale(value: i128, from: i8, to: i8, precision: u8) -> Option<i128> {
    let shift = i32::from(to) - i32::from(from);
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let value = match power {
        _ if value == 0 => 0,
        Some(power) if shift >= 0 => value.checked_mul(power)?,
        Some(power) => {
            let (whole, rest) = (value / power, value % power);
            let up = rest.unsigned_abs() >= (power - rest.abs()).unsigned_abs();
            whole + if up { value.signum() } else { 0 }
        }
        None if shift > 0 => return None,
        None => 0,
    };
    let bound = 10_u128.checked_pow(u32::from(precision))?;
    (value.unsigned_abs() < bound).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_scale_rounds_and_checks() {
        assert_eq!(rescale(1234, 2, 4, 10), Some(123_400));
        assert_eq!(rescale(1234, 2, 1, 10), Some(123));
        assert_eq!(rescale(1235, 2, 1, 10), Some(124));
        assert_eq!(rescale(-1235, 2, 1, 10), Some(-124));
        assert_eq!(rescale(-1234, 2, 1, 10), Some(-123));
        assert_eq!(rescale(995, 2, 1, 2), None);
        assert_eq!(rescale(1, 0, 38, 38), None);
        assert_eq!(rescale(i128::MAX, 38, 0, 38), Some(2));
        assert_eq!(rescale(0, 0, 38, 38), Some(0));
    }
}
