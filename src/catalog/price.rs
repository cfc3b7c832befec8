//! What a purchase costs, by an endpoint's price rule.

use serde::{Deserialize, Serialize};

use super::{PriceError, Scale, Value};
use crate::money::Msat;

/// How an endpoint's price follows from a job's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRule {
    /// Parameters that choose the rate, in order; none where there is one rate.
    pub by: Vec<String>,
    /// The rates; exactly one where `by` is empty. None where nobody knows the price: no job has one then.
    pub rates: Vec<Rate>,
    /// The parameter that multiplies the rate; a flat price where there is none.
    pub quantity: Option<String>,
    /// What one of the quantity is: `second`. A flat price's unit is `job`.
    pub unit: String,
    /// What it comes to is the most that an invoice may ask, and no price: the invoice decides within it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cap: bool,
    /// How the quantity becomes units.
    #[serde(default, skip_serializing_if = "Scale::is_plain")]
    pub scale: Scale,
}

/// One rate of a price rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The values, of the parameters named in `by`, to which it applies.
    pub when: Vec<Value>,
    /// The price of one unit.
    pub rate: Msat,
}

/// A price, and how it came about: `rate * quantity == price`, but for a price that is the least.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priced {
    /// The values that chose the rate: `mode=pro, generate_audio=true`; empty where there is one rate.
    pub chosen_by: String,
    /// The price of one unit.
    pub rate: Msat,
    /// How many units; 1 for a flat price.
    pub quantity: u64,
    /// The exact price; where the rule is a cap, the most that it may be.
    pub price: Msat,
}

/// A price as a plan counts it: the rate by its position, so that a million jobs cost no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The position of the rate in the rule's `rates`.
    pub rate_index: usize,
    /// How many units; 1 for a flat price.
    pub quantity: u64,
    /// The exact price; where the rule is a cap, the most that it may be.
    pub price: Msat,
}

impl PriceRule {
    /// The rule of what nobody knows the price of: it stands so in the table, and no other table's price takes its place.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            by: Vec::new(),
            rates: Vec::new(),
            quantity: None,
            unit: "job".to_owned(),
            is_cap: false,
            scale: Scale::default(),
        }
    }

    /// Whether nobody knows the price.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.rates.is_empty()
    }

    /// The price of a job with these resolved parameters.
    ///
    /// # Errors
    /// Where no rate applies, the quantity is no number above zero, or the product does not fit.
    pub fn price<'a>(&self, value_of: impl Fn(&str) -> Option<&'a Value>) -> Result<Priced, PriceError> {
        let by: Vec<Option<&Value>> = self.by.iter().map(|name| value_of(name)).collect();
        let quantity = self.quantity.as_ref().and_then(|name| value_of(name));
        let factor = self.scale.factor.as_ref().and_then(|name| value_of(name));
        let Quote { rate_index, quantity, price } = self.quote(|at| by.get(at).copied().flatten(), quantity, factor)?;
        let rate = self.rates.get(rate_index).map_or(Msat::ZERO, |rate| rate.rate);
        Ok(Priced { chosen_by: self.chosen_by(|at| by.get(at).copied().flatten()), rate, quantity, price })
    }

    /// The same price without words, from the value of each parameter in `by`, by its position there, and those of
    /// `quantity` and of the scale's factor.
    ///
    /// # Errors
    /// As [`Self::price`].
    pub fn quote<'a>(
        &self,
        by: impl Fn(usize) -> Option<&'a Value>,
        quantity: Option<&Value>,
        factor: Option<&Value>,
    ) -> Result<Quote, PriceError> {
        if self.is_unknown() {
            return Err(PriceError::Unknown);
        }
        let applies = |rate: &Rate| rate.when.iter().enumerate().all(|(at, value)| by(at) == Some(value));
        let chosen = self.rates.iter().enumerate().find(|(_, rate)| applies(rate));
        let Some((rate_index, rate)) = chosen else { return Err(PriceError::NoRate(self.chosen_by(by))) };
        let quantity = match &self.quantity {
            None => 1,
            Some(name) => self.scale.units(name, quantity, factor)?,
        };
        let price = self.scale.price(rate.rate, quantity).ok_or(PriceError::TooLarge)?;
        Ok(Quote { rate_index, quantity, price })
    }

    /// The values that choose the rate, by the position of their parameters in `by`, in words:
    /// `mode=pro, generate_audio=true`.
    pub fn chosen_by<'a>(&self, by: impl Fn(usize) -> Option<&'a Value>) -> String {
        let words = |(at, name): (usize, &String)| {
            let value = by(at).map_or_else(|| "(none)".to_owned(), Value::to_string);
            format!("{name}={value}")
        };
        self.by.iter().enumerate().map(words).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Value {
    /// As the value reads in a table or a CSV cell; an image by the first half of its digest.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(n) => n.fmt(f),
            Self::Decimal(number) => number.fmt(f),
            Self::Structured(json) => json.fmt(f),
            Self::Boolean(b) => b.fmt(f),
            Self::Image(image) => write!(f, "sha256:{}", image.sha256),
        }
    }
}
