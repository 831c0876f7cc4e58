//! Dates and timestamps as text.

use arrow::datatypes::TimeUnit;

const SECONDS_PER_DAY: i64 = 86_400;
/// Days since 1970 of 0000-01-01 and 10000-01-01: what four digits can say lies between.
const FOUR_DIGIT_YEARS: std::ops::Range<i64> = -719_528..2_932_897;

/// Year, month and day of a day since 1970, by the algorithm `civil_from_days` of Howard Hinnant.
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = narrow(shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = i64::from(year_of_era) + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A remainder, which is small and not negative.
fn narrow(value: i64) -> u32 {
    u32::try_from(value).unwrap_or_default()
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

/// Appends `2026-01-31`; a year that does not have four digits gets a sign, `+12026-01-31`.
pub(super) fn date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    match u32::try_from(year) {
        Ok(year @ 0..10_000) => digits::<4>(year, out),
        _ => out.extend_from_slice(format!("{year:+05}").as_bytes()),
    }
    out.push(b'-');
    digits::<2>(month, out);
    out.push(b'-');
    digits::<2>(day, out);
}

/// Appends `2026-01-31T09:26:56.123Z` with as many digits as the unit has, or nothing where the
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
    let days = seconds.div_euclid(SECONDS_PER_DAY);
    if !FOUR_DIGIT_YEARS.contains(&days) {
        return false;
    }
    date(days, out);
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
    out.push(b'Z');
    true
}
