//! The `Retry-After` header (RFC 9110 §10.2.3): seconds, or a date.

use std::time::Duration;

use chrono::DateTime;
use swiftwater_engine::Timestamp;

/// The pause that the header asks for; `None` where it cannot be read. A date in the past asks for
/// none.
pub(super) fn pause(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(header).ok()?.timestamp_micros();
    Some(Duration::from_micros(u64::try_from(until.saturating_sub(now.0)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_pauses() {
        // 2015-10-21T07:28:00Z.
        let now = Timestamp::from_millis(1_445_412_480_000);
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:29:30 GMT", Some(90)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(pause(header, now), seconds.map(Duration::from_secs), "`{header}`");
        }
    }
}
