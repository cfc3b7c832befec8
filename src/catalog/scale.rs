//! How many units a job takes, where a quantity is more than a number that multiplies the rate.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::Value;
use crate::money::Msat;

/// Why a job has no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Nobody knows what it costs.
    #[error("its price is unknown: write one into the endpoint's table, or a cap, `price = {{ at_most_sats = N }}`")]
    Unknown,
    /// The rule has no rate for these values.
    #[error("the price rule has no rate for {0}")]
    NoRate(String),
    /// The quantity is missing, negative or no number.
    #[error("the price needs {0}, a number above zero")]
    NoQuantity(String),
    /// More money than can exist.
    #[error("the price is larger than any amount of money")]
    TooLarge,
}

/// From a quantity to what is paid for: the units are the quantity divided by `per`, rounded up, times the factor; the price is the rate times
/// the units, and no less than the minimum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// What of the quantity's parameter counts; its number where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// So much of the quantity is one unit.
    pub per: NonZeroU64,
    /// The parameter, a whole number above zero, that multiplies the units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<String>,
    /// No job costs less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Msat>,
}

/// How long a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[derive(strum::IntoStaticStr, strum::EnumString, strum::VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Length {
    /// In Unicode's code points, as it is sent.
    Characters,
    /// In bytes of UTF-8, as it is sent.
    Bytes,
}

impl Default for Scale {
    fn default() -> Self {
        Self { length: None, per: NonZeroU64::MIN, factor: None, minimum: None }
    }
}

impl Scale {
    /// Whether it says nothing more than that the number is the quantity.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// How many units there are, of the values of the quantity and of the factor.
    ///
    /// # Errors
    /// Where either is no number above zero, or there are more than 64 bits count.
    pub(super) fn units(
        &self,
        name: &str,
        quantity: Option<&Value>,
        factor: Option<&Value>,
    ) -> Result<u64, PriceError> {
        let none = || PriceError::NoQuantity(name.to_owned());
        let per = |length: usize| u64::try_from(length).ok().map(|length| length.div_ceil(self.per.get()));
        let units = match (self.length, quantity) {
            (None, Some(Value::Integer(number))) if *number > 0 => Some(number.unsigned_abs().div_ceil(self.per.get())),
            (None, Some(Value::Decimal(number))) => number.units(self.per),
            (Some(Length::Characters), Some(Value::Text(text))) => per(text.chars().count()),
            (Some(Length::Bytes), Some(Value::Text(text))) => per(text.len()),
            (None | Some(Length::Characters | Length::Bytes), Some(_) | None) => None,
        };
        let units = units.filter(|units| *units > 0).ok_or_else(none)?;
        match (&self.factor, factor) {
            (None, _) => Ok(units),
            (Some(_), Some(Value::Integer(factor))) if *factor > 0 => {
                units.checked_mul(factor.unsigned_abs()).ok_or(PriceError::TooLarge)
            }
            (Some(name), Some(_) | None) => Err(PriceError::NoQuantity(name.clone())),
        }
    }

    /// What so many units come to at that rate; nothing where it is more than any amount of money.
    #[must_use]
    pub fn price(&self, rate: Msat, units: u64) -> Option<Msat> {
        let price = rate.checked_mul(units)?;
        Some(self.minimum.map_or(price, |minimum| price.max(minimum)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Decimal;
    use proptest::prelude::*;

    fn scale(length: Option<Length>, per: u64, minimum: u64) -> Scale {
        let per = NonZeroU64::new(per).unwrap();
        Scale { length, per, factor: Some("n".to_owned()), minimum: Some(Msat::new(minimum)).filter(|m| m.get() > 0) }
    }

    fn price(scale: &Scale, quantity: &Value, factor: i64) -> Option<u64> {
        let units = scale.units("q", Some(quantity), Some(&Value::Integer(factor))).ok()?;
        Some(scale.price(Msat::new(700), units)?.get())
    }

    /// The vectors of docs/endpoints.md, at 700 msat a unit.
    #[test]
    fn worked_examples() {
        let text = |text: &str| Value::Text(text.to_owned());
        let decimal = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
        for (scale, quantity, factor, expected) in [
            (scale(Some(Length::Characters), 100, 50_000), text(&"é".repeat(100)), 1, Some(50_000)),
            (scale(Some(Length::Characters), 100, 0), text(&"é".repeat(100)), 1, Some(700)),
            (scale(Some(Length::Characters), 100, 0), text(&"é".repeat(101)), 2, Some(2_800)),
            (scale(Some(Length::Bytes), 100, 0), text(&"é".repeat(100)), 1, Some(1_400)),
            (scale(None, 10, 1_400), Value::Integer(20), 1, Some(1_400)),
            (scale(None, 10, 1_400), Value::Integer(21), 1, Some(2_100)),
            (scale(None, 1, 0), decimal("2.000000000000000001"), 1, Some(2_100)),
            (scale(None, 60, 0), decimal("120"), 3, Some(4_200)),
            (scale(None, 1, 0), Value::Integer(0), 1, None),
            (scale(None, 1, 0), decimal("-1"), 1, None),
            (scale(None, 1, 0), Value::Integer(1), 0, None),
            (scale(None, 1, 0), text("3"), 1, None),
            (scale(Some(Length::Bytes), 1, 0), Value::Integer(3), 1, None),
            (scale(None, 1, 0), Value::Integer(i64::MAX), i64::MAX, None),
        ] {
            assert_eq!(price(&scale, &quantity, factor), expected, "{scale:?} {quantity:?} {factor}");
        }
        assert_eq!(scale(None, 1, 0).price(Msat::new(u64::MAX), 2), None);
        let plain = serde_json::to_string(&Scale { minimum: None, factor: None, ..scale(None, 7, 0) }).unwrap();
        assert_eq!(plain, "{\"per\":7}");
    }

    proptest! {
        /// In whole numbers of any size, against arithmetic that is wide enough.
        #[test]
        fn it_is_the_larger_of_the_minimum_and_the_product(
            rate in 1..u64::MAX, quantity in 1..i64::MAX, per in 1..u64::MAX, factor in 1..1_000i64, minimum in 0..u64::MAX,
        ) {
            let scale = scale(None, per, minimum);
            let units = (quantity.unsigned_abs() as u128).div_ceil(per as u128) * factor.unsigned_abs() as u128;
            let exact = units.checked_mul(rate as u128).map(|price| price.max(minimum as u128));
            let exact = exact.filter(|_| units <= u64::MAX as u128).and_then(|price| u64::try_from(price).ok());
            let found = scale.units("q", Some(&Value::Integer(quantity)), Some(&Value::Integer(factor))).ok();
            prop_assert_eq!(found.and_then(|units| scale.price(Msat::new(rate), units)).map(Msat::get), exact);
        }
    }
}
