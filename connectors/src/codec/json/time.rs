//! Dates and timestamps as text.

use arrow::datatypes::TimeUnit;

const SECONDS_PER_DAY: i64 = 86_400;
/// Days since 1970 of 0000-01-01 and 10000-01-01: what four digits can say lies between.
const FOUR_DIGIT_YEARS: std::ops::Range<i64> = -719_528..2_932_897;

/// Year, month and day of a day since 1970 in a year of four digits, by the algorithm
/// `civil_from_days` of Howard Hinnant.
fn civil(days: i64) -> Option<(u32, u32, u32)> {
    if !FOUR_DIGIT_YEARS.contains(&days) {
        return None;
    }
    // Days since 0000-03-01, moved by one era of 400 years so that it is not negative.
    let shifted = u32::try_from(days + 719_468 + 146_097).ok()?;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u32::from(month <= 2) - 400;
    Some((year, month, day))
}

/// Appends exactly `N` decimal digits.
fn digits<const N: usize>(mut value: u32, out: &mut Vec<u8>) {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text);
}

fn day(days: i64, out: &mut Vec<u8>) -> bool {
    let Some((year, month, day)) = civil(days) else {
        return false;
    };
    out.push(b'"');
    digits::<4>(year, out);
    out.push(b'-');
    digits::<2>(month, out);
    out.push(b'-');
    digits::<2>(day, out);
    true
}

/// Appends `"2026-01-31"`, or nothing where the year does not have four digits.
pub(super) fn date(days: i32, out: &mut Vec<u8>) -> bool {
    let written = day(i64::from(days), out);
    if written {
        out.push(b'"');
    }
    written
}

/// Appends `"2026-01-31T09:26:56.123Z"` with as many digits as the unit has, or nothing where the
/// year does not have four digits.
pub(super) fn timestamp(value: i64, unit: TimeUnit, out: &mut Vec<u8>) -> bool {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let seconds = value.div_euclid(per_second);
    let fraction = value.rem_euclid(per_second);
    if !day(seconds.div_euclid(SECONDS_PER_DAY), out) {
        return false;
    }
    // Both remainders are small and not negative.
    let narrow = |value: i64| u32::try_from(value).unwrap_or_default();
    let second = narrow(seconds.rem_euclid(SECONDS_PER_DAY));
    let fraction = narrow(fraction);
    out.push(b'T');
    digits::<2>(second / 3600, out);
    out.push(b':');
    digits::<2>(second / 60 % 60, out);
    out.push(b':');
    digits::<2>(second % 60, out);
    if unit != TimeUnit::Second {
        out.push(b'.');
    }
    match unit {
        TimeUnit::Second => {}
        TimeUnit::Millisecond => digits::<3>(fraction, out),
        TimeUnit::Microsecond => digits::<6>(fraction, out),
        TimeUnit::Nanosecond => digits::<9>(fraction, out),
    }
    out.extend_from_slice(b"Z\"");
    true
}
