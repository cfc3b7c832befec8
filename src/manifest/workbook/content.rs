//! What a cell of a workbook holds, as text: a number in its shortest exact form, a date as ISO 8601 has it.

use std::borrow::Cow;

use calamine::ExcelDateTime;

use super::unfit::Unfit;

/// A fraction of more digits is what arithmetic left, and not what a person typed: programs store 15 of them or more.
const DIGITS_MAX: usize = 12;
/// Up to here each whole number is one that a cell can hold.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
const SECONDS_OF_DAY: f64 = 86_400.0;

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Truth(bool),
    /// A date or a time, as it is written.
    Date(String),
    /// The error that a formula ended with: `#REF!`.
    Error(String),
    /// A formula whose value nobody has stored.
    Uncomputed,
}

/// How a cell's text came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Typed,
    Inexact,
    Date,
    Error,
    Uncomputed,
}

impl Content<'_> {
    /// The cell's text, and how it came to be.
    pub(super) fn told<T>(&self, tell: impl FnOnce(&str, Kind) -> T) -> T {
        match self {
            Self::Text(text) => tell(text.trim(), Kind::Text),
            Self::Number(number) => {
                let text = shortest(*number);
                tell(&text, if is_exact(*number, &text) { Kind::Typed } else { Kind::Inexact })
            }
            Self::Truth(truth) => tell(if *truth { "true" } else { "false" }, Kind::Typed),
            Self::Date(date) => tell(date, Kind::Date),
            Self::Error(error) => tell(error, Kind::Error),
            Self::Uncomputed => tell("=", Kind::Uncomputed),
        }
    }
}

impl Kind {
    /// Why such a cell is no value, if it is none.
    pub(super) const fn unfit(self) -> Option<Unfit> {
        let (what, help, may_pass) = match self {
            Self::Text | Self::Typed => return None,
            Self::Inexact => (
                "a number that is not exact",
                "round it in the sheet, to the digits that are meant: =ROUND(…, 2)",
                true,
            ),
            Self::Date => (
                "a date or a time",
                "write it as text: format the cell as text, and type it again; a length of time is a number of seconds",
                true,
            ),
            Self::Error => ("an error", "mend its formula", false),
            Self::Uncomputed => (
                "a value that is not stored",
                "open the workbook in a spreadsheet program and save it there: that stores the values",
                false,
            ),
        };
        Some(Unfit { what, help, may_pass })
    }
}

/// The shortest decimal number that is read as that one: `10`, `0.5`.
fn shortest(number: f64) -> String {
    // There is no negative zero in a sheet.
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// Whether a person can have meant that number, to the last digit.
fn is_exact(number: f64, text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let significant: Vec<u8> = digits.skip_while(|digit| *digit == b'0').collect();
    let zeros = significant.iter().rev().take_while(|digit| **digit == b'0').count();
    let is_whole = number.fract() == 0.0;
    number.is_finite() && if is_whole { number.abs() <= WHOLE_MAX } else { significant.len() - zeros <= DIGITS_MAX }
}

/// A date, a time or both as ISO 8601 has them; a length of time in hours, minutes and seconds.
pub(super) fn excel_date(date: ExcelDateTime) -> String {
    let days = date.as_f64();
    if date.is_duration() || (0.0..1.0).contains(&days) {
        return clock(days * SECONDS_OF_DAY);
    }
    let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
    let day = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) { day } else { format!("{day}T{hour:02}:{minute:02}:{second:02}") }
}

/// A length of time as ODF writes it (`PT00H00M08S`), in the same way; what is written otherwise, as it is.
pub(super) fn iso_duration(written: &str) -> String {
    let seconds = written.parse::<jiff::SignedDuration>().map(|duration| duration.as_secs_f64());
    seconds.map_or_else(|_| written.to_owned(), clock)
}

fn clock(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = jiff::SignedDuration::try_from_secs_f64(seconds.abs().round()).unwrap_or_default().as_secs();
    format!("{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::ExcelDateTimeType;

    #[test]
    fn numbers_have_one_form_and_what_is_not_exact_is_told() {
        for (number, text, kind) in [
            (10.0, "10", Kind::Typed),
            (0.5, "0.5", Kind::Typed),
            (-0.0, "0", Kind::Typed),
            (0.1 + 0.2, "0.30000000000000004", Kind::Inexact),
            (1.0 / 3.0, "0.3333333333333333", Kind::Inexact),
            (47.123_456_789, "47.123456789", Kind::Typed),
            (0.333_333_333_333_333, "0.333333333333333", Kind::Inexact),
            (9_007_199_254_740_992.0, "9007199254740992", Kind::Typed),
            (9_007_199_254_740_994.0, "9007199254740994", Kind::Inexact),
            (1e-7, "0.0000001", Kind::Typed),
            (f64::INFINITY, "inf", Kind::Inexact),
        ] {
            assert_eq!(Content::Number(number).told(|text, kind| (text.to_owned(), kind)), (text.to_owned(), kind));
        }
    }

    #[test]
    fn dates_are_written_as_iso_8601_has_them() {
        let of = |days, kind| excel_date(ExcelDateTime::new(days, kind, false));
        assert_eq!(of(46_174.0, ExcelDateTimeType::DateTime), "2026-06-01");
        assert_eq!(of(46_174.5, ExcelDateTimeType::DateTime), "2026-06-01T12:00:00");
        assert_eq!(of(8.0 / SECONDS_OF_DAY, ExcelDateTimeType::DateTime), "00:00:08");
        assert_eq!(of(1.5, ExcelDateTimeType::TimeDelta), "36:00:00");
        assert_eq!((iso_duration("PT00H00M08S"), iso_duration("x")), ("00:00:08".to_owned(), "x".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn no_number_panics(number: f64, days: f64) {
            let _ = (Content::Number(number).told(|_, kind| kind), excel_date(ExcelDateTime::new(days, ExcelDateTimeType::DateTime, true)));
        }
    }
}
