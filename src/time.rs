//! Points in time, as the ledger keeps them and as people read them. No clock is read here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longer than any HTTP date; what is longer is not read.
const HTTP_DATE_BYTES_MAX: usize = 64;

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// This time and `ms` milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time; negative where it lies before.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From an HTTP date (RFC 9110 section 5.6.7, the preferred form): `Sun, 06 Nov 1994 08:49:37 GMT`. Nothing where it
    /// is no such date.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > HTTP_DATE_BYTES_MAX {
            return None;
        }
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// From RFC 3339, as challenges write it. Nothing where it is no such time.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = Some(text).filter(|text| text.len() <= HTTP_DATE_BYTES_MAX)?.parse().ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// RFC 3339 with the UTC offset `+00:00`, to the millisecond: how every file and document writes times.
    #[must_use]
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string(),
            Err(_) => format!("{} ms since 1970", self.0),
        }
    }
}

/// In sentences for a person: to the minute, as every table shows times.
impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{}", at.strftime("%Y-%m-%d %H:%M UTC")),
            Err(_) => f.write_str(&self.rfc3339()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn http_dates_are_read_and_nothing_else() {
        assert_eq!(UnixMs::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UnixMs(784_111_777_000)));
        assert_eq!(UnixMs::from_http_date(" Mon, 21 Sep 2026 14:13:20 GMT "), Some(UnixMs(1_790_000_000_000)));
        for no_date in ["", "120", "yesterday", "Sun, 31 Feb 2026 08:49:37 GMT", "2026-09-21T14:13:20Z"] {
            assert_eq!(UnixMs::from_http_date(no_date), None, "{no_date}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_date_parser_panic(text in ".{0,80}") {
            let _ = UnixMs::from_http_date(&text);
        }
    }

    #[test]
    fn a_person_reads_a_time_to_the_minute() {
        assert_eq!(UnixMs(1_790_000_000_123).to_string(), "2026-09-21 14:13 UTC");
        assert_eq!(UnixMs(i64::MAX).to_string(), "9223372036854775807 ms since 1970");
    }

    #[test]
    fn times_carry_their_offset() {
        assert_eq!(UnixMs(1_790_000_000_123).rfc3339(), "2026-09-21T14:13:20.123+00:00");
        assert_eq!(UnixMs(i64::MAX).rfc3339(), "9223372036854775807 ms since 1970");
    }
}
