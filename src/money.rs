//! Amounts of money: integers, checked operations only. Msat inside, sats at the edges.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

const MSAT_PER_SAT: u64 = 1_000;
/// All the satoshi that will ever be: 21 million bitcoin.
const SATS_OF_ALL_MONEY: u64 = 21_000_000 * 100_000_000;
const PARTS_PER_MILLION: u128 = 1_000_000;

/// An amount in millisatoshi, the unit of BOLT11 and of every sum inside the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Msat(u64);

/// An amount in whole satoshi, the unit that people read and write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sats(u64);

impl Msat {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount of `msat` millisatoshi.
    #[must_use]
    pub const fn new(msat: u64) -> Self {
        Self(msat)
    }

    /// The number of millisatoshi.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or nothing where it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or nothing where it would be below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// How much more it is, in msat, below zero where it is less; nothing where that does not fit.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<i64> {
        i64::try_from(i128::from(self.0) - i128::from(other.0)).ok()
    }

    /// This amount `times` over, or nothing where it does not fit.
    #[must_use]
    pub const fn checked_mul(self, times: u64) -> Option<Self> {
        match self.0.checked_mul(times) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// The sum of many, or nothing where it does not fit.
    #[must_use]
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// `ppm` parts per million of this amount, rounded up to a whole msat; nothing where it does not fit.
    #[must_use]
    pub fn ppm_ceil(self, ppm: u64) -> Option<Self> {
        let exact = u128::from(self.0).checked_mul(u128::from(ppm))?;
        u64::try_from(exact.div_ceil(PARTS_PER_MILLION)).ok().map(Self)
    }

    /// The same amount in whole sats, or nothing where it is not a whole number of them.
    #[must_use]
    pub const fn exact_sats(self) -> Option<Sats> {
        if self.0.is_multiple_of(MSAT_PER_SAT) { Some(Sats(self.0 / MSAT_PER_SAT)) } else { None }
    }

    /// In sats, rounded up: how a cost is shown.
    #[must_use]
    pub const fn sats_ceil(self) -> Sats {
        Sats(self.0.div_ceil(MSAT_PER_SAT))
    }

    /// In sats, rounded down: how what there is to spend is shown.
    #[must_use]
    pub const fn sats_floor(self) -> Sats {
        Sats(self.0 / MSAT_PER_SAT)
    }
}

impl Sats {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount of `sats` satoshi.
    #[must_use]
    pub const fn new(sats: u64) -> Self {
        Self(sats)
    }

    /// The number of satoshi.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same amount in msat, or nothing where there is not so much money. What is left fits into the ledger's numbers,
    /// which are signed.
    #[must_use]
    pub const fn msat(self) -> Option<Msat> {
        match self.0.checked_mul(MSAT_PER_SAT) {
            Some(msat) if self.0 <= SATS_OF_ALL_MONEY => Some(Msat(msat)),
            Some(_) | None => None,
        }
    }
}

/// A sum in whole sats and its two parts, so that they add up as people read them: sum and second part are rounded up, and the first
/// part is what is left. Nothing where the sum does not fit.
#[must_use]
pub fn sum_in_sats(first: Msat, second: Msat) -> Option<[Sats; 3]> {
    let (sum, second) = (first.checked_add(second)?.sats_ceil(), second.sats_ceil());
    Some([sum, Sats(sum.0.checked_sub(second.0)?), second])
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact_sats() {
            Some(sats) => sats.fmt(f),
            None => write!(f, "{} msat", thousands(self.0)),
        }
    }
}

impl fmt::Display for Sats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.0, "sat"))
    }
}

/// Amounts of one sentence in one unit: in sats where each is a whole number of them, else in msat.
#[must_use]
pub fn alike<const N: usize>(amounts: [Msat; N]) -> [String; N] {
    let whole = amounts.iter().all(|amount| amount.exact_sats().is_some());
    amounts.map(|amount| if whole { amount.to_string() } else { format!("{} msat", thousands(amount.get())) })
}

/// How much more one amount is than another, as people read it: `+1,200 sats`, `-300 sats`, `0 sats`.
#[must_use]
pub fn difference(of: Msat, to: Msat) -> String {
    match of.checked_sub(to) {
        Some(Msat::ZERO) => Msat::ZERO.to_string(),
        Some(more) => format!("+{more}"),
        None => format!("-{}", Msat(to.0.abs_diff(of.0))),
    }
}

/// A sum of prices of which so much is capped, the sum as `show` shows it: what is capped is never called exact.
#[must_use]
pub fn with_caps(price: Msat, capped: Msat, show: impl Fn(Msat) -> String) -> String {
    match price.checked_sub(capped) {
        _ if capped == Msat::ZERO => show(price),
        None | Some(Msat::ZERO) => format!("at most {}", show(price)),
        Some(exact) => format!("at most {} ({exact} exact, at most {capped} capped)", show(price)),
    }
}

/// A number of things and what they do, as people read it: `1 job is`, `1,200 jobs are`.
#[must_use]
pub fn counted_are(number: u64, one: &str) -> String {
    format!("{} {}", counted(number, one), if number == 1 { "is" } else { "are" })
}

/// A number of things, as people read it: `1 job`, `1,200 jobs`.
#[must_use]
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A number as people read it: `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A whole number in JSON, written as a number or as text; with a fraction of nothing too, as `1000.0`.
#[must_use]
pub fn whole_number(json: &Json) -> Option<u64> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let is_nothing = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    whole.parse().ok().filter(|_| is_nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_that_do_not_fit_give_nothing() {
        let most = Msat::new(u64::MAX);
        assert_eq!(most.checked_add(Msat::new(1)), None);
        assert_eq!(Msat::ZERO.checked_sub(Msat::new(1)), None);
        assert_eq!(most.checked_mul(2), None);
        assert_eq!(most.ppm_ceil(2_000_000), None);
        assert_eq!(Sats::new(u64::MAX).msat(), None);
        let all = Sats::new(2_100_000_000_000_000);
        assert!(all.msat().is_some_and(|msat| i64::try_from(msat.get()).is_ok()), "a ledger can hold it");
        assert_eq!(Sats::new(all.get() + 1).msat(), None, "there is no more money");
    }

    #[test]
    fn a_cost_rounds_up() {
        assert_eq!(Msat::new(1_001).sats_ceil(), Sats::new(2));
        assert_eq!(Msat::new(1).ppm_ceil(1), Some(Msat::new(1)));
        assert_eq!(Msat::new(1_000_000).ppm_ceil(5_000), Some(Msat::new(5_000)));
        assert_eq!(Msat::new(1_500).exact_sats(), None);
    }

    #[test]
    fn a_sum_is_that_of_its_parts() {
        let of = |first, second| sum_in_sats(Msat::new(first), Msat::new(second)).map(|sats| sats.map(Sats::get));
        assert_eq!(of(2_702_001, 2_261_001), Some([4_964, 2_702, 2_262]));
        assert_eq!(of(2_702_900, 2_261_900), Some([4_965, 2_703, 2_262]));
        assert_eq!(of(1, 0), Some([1, 1, 0]));
        assert_eq!(of(0, 1), Some([1, 0, 1]));
        assert_eq!(of(1, 1), Some([1, 0, 1]));
        assert_eq!(of(u64::MAX, 1), None);
    }

    #[test]
    fn what_is_capped_is_never_called_exact() {
        let of = |price, capped| with_caps(Msat::new(price), Msat::new(capped), |amount| amount.to_string());
        assert_eq!(of(5_000, 0), "5 sats");
        assert_eq!(of(5_000, 5_000), "at most 5 sats");
        assert_eq!(of(5_000, 3_000), "at most 5 sats (2 sats exact, at most 3 sats capped)");
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!(Sats::new(1_234_567).to_string(), "1,234,567 sats");
        assert_eq!(Sats::new(12).to_string(), "12 sats");
        assert_eq!(Msat::new(2_750_000).to_string(), "2,750 sats");
        assert_eq!(Msat::new(1_500).to_string(), "1,500 msat");
    }

    #[test]
    fn one_sentence_has_one_unit() {
        let msat = Msat::new;
        assert_eq!(alike([msat(2_000), msat(3_000)]), ["2 sats", "3 sats"]);
        assert_eq!(alike([msat(2_000), msat(3_500), msat(0)]), ["2,000 msat", "3,500 msat", "0 msat"]);
        assert_eq!([1, 2].map(|jobs| counted_are(jobs, "job")), ["1 job is", "2 jobs are"]);
    }

    #[test]
    fn whole_numbers_come_in_several_spellings() {
        let read = |text: &str| whole_number(&serde_json::from_str(text).unwrap());
        for text in ["1000", "1000.0", "1e3", "\"1000\"", "\" 1000.00 \""] {
            assert_eq!(read(text), Some(1_000), "{text}");
        }
        for text in ["1000.5", "-1", "\"\"", "\"1000.\"", "\"1,000\"", "1e300", "true", "[1]", "null"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
    }
}
