//! Decimal numbers, exactly as they are written: no binary fraction comes near them.

use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// At most so many digits stand before the point, and as many behind it.
pub const DIGITS_MAX: usize = 18;
/// One, in units of the last digit behind the point.
const ONE: i128 = 1_000_000_000_000_000_000;

/// A number of at most [`DIGITS_MAX`] digits before the point and as many behind it. It is written in its shortest form: `0.5`, `-3`, without an
/// exponent and without zeros that say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Decimal(i128);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// That whole number, where it has no more digits than are kept.
    #[must_use]
    pub fn whole(number: i64) -> Option<Self> {
        Self::parse(&number.to_string())
    }

    /// How often that many fit into it, rounded up; nothing where it is not above zero, or 64 bits do not count them.
    #[must_use]
    pub fn units(self, per: NonZeroU64) -> Option<u64> {
        let one = ONE.unsigned_abs().checked_mul(u128::from(per.get()))?;
        Some(self.0).filter(|units| *units > 0).and_then(|units| u64::try_from(units.unsigned_abs().div_ceil(one)).ok())
    }

    /// The number that is written so: a sign, digits, a point and more digits, an exponent (as spreadsheets write small ones), each of the
    /// last two where there is one. Nothing where it is something else, or does not fit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i16>().ok()?),
            None => (text, 0),
        };
        let (is_below, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (before, behind) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (number, ""),
        };
        let digits = format!("{before}{behind}");
        if before.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let first = digits.bytes().position(|byte| byte != b'0').unwrap_or(digits.len());
        let significant = digits.get(first..)?.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self::ZERO);
        }
        // Where the last of them stands, counted from the point.
        let last = i64::try_from(before.len()).ok()? + i64::from(exponent)
            - i64::try_from(first.checked_add(significant.len())?).ok()?;
        let places = u32::try_from(last.checked_add(i64::try_from(DIGITS_MAX).ok()?)?).ok()?;
        let units = significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(places)?)?;
        let fits = units < ONE.checked_mul(ONE)?;
        fits.then_some(Self(if is_below { -units } else { units }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, units) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (before, behind) = (units / ONE.unsigned_abs(), units % ONE.unsigned_abs());
        if behind == 0 {
            return write!(f, "{sign}{before}");
        }
        let behind = format!("{behind:0DIGITS_MAX$}");
        write!(f, "{sign}{before}.{}", behind.trim_end_matches('0'))
    }
}

/// As text: a JSON number would be read as a binary one.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no decimal number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_written_in_its_shortest_form_and_no_digit_is_lost() {
        for (written, shortest) in [
            ("0.50", "0.5"),
            ("+7", "7"),
            ("-0.0", "0"),
            ("007.10", "7.1"),
            ("1E-05", "0.00001"),
            ("1.5e3", "1500"),
            ("0.1000000000000000055", ""),
            ("0.100000000000000005", "0.100000000000000005"),
            ("999999999999999999.999999999999999999", "999999999999999999.999999999999999999"),
            ("1000000000000000000", ""),
            ("1e18", ""),
            ("1e-18", "0.000000000000000001"),
            ("1e-19", ""),
            ("0e999", "0"),
            ("9223372036854775807", ""),
            ("1e99999", ""),
            ("", ""),
            (".5", ""),
            ("5.", ""),
            ("1,5", ""),
            ("- 1", ""),
            ("--1", ""),
            ("0x1", ""),
            ("nan", ""),
            ("inf", ""),
            ("1_000", ""),
            ("١", ""),
        ] {
            let read = Decimal::parse(written).map(|number| number.to_string());
            assert_eq!(read.unwrap_or_default(), shortest, "{written}");
        }
    }

    #[test]
    fn numbers_compare_as_numbers() {
        let number = |text| Decimal::parse(text).unwrap();
        assert!(number("0.3") > number("0.299999999999999999") && number("-2") < number("-1.5"));
        assert_eq!(number("1.10"), number("11e-1"));
        let json = serde_json::to_string(&number("0.10")).unwrap();
        assert_eq!((json.as_str(), serde_json::from_str::<Decimal>(&json).unwrap()), ("\"0.1\"", number("0.1")));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(text in "-?[0-9]{1,18}(\\.[0-9]{1,18})?(e-?[0-9])?", any in "\\PC{0,12}") {
            for text in [text, any] {
                if let Some(number) = Decimal::parse(&text) {
                    prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number));
                    prop_assert!(!number.to_string().ends_with(".0"));
                }
            }
        }
    }
}
