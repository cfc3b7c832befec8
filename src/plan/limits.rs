//! Whether what is left to buy fits into a batch's limit: the same check for `plan` and `run`.

use crate::money::Msat;

/// Whether the rest of a batch fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing can pass the limit.
    Fits,
    /// The worst case passes it.
    DoesNotFit {
        /// Used so far and the worst case of the rest; the largest amount there is where the sum does not fit.
        needed: Msat,
        /// The limit, in msat.
        most: Msat,
        /// By how much the limit would have to be higher.
        missing: Msat,
    },
}

/// Checks `used` (spent and held, fees included) and the worst case of what is left to buy against the batch's limit.
/// Without a limit everything fits.
#[must_use]
pub fn check(used: Msat, rest_worst_case: Msat, most: Option<Msat>) -> Fit {
    let Some(most) = most else { return Fit::Fits };
    let (needed, fits) = match used.checked_add(rest_worst_case) {
        Some(needed) => (needed, needed <= most),
        None => (Msat::new(u64::MAX), false),
    };
    if fits {
        return Fit::Fits;
    }
    Fit::DoesNotFit { needed, most, missing: needed.checked_sub(most).unwrap_or(Msat::ZERO) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_still_fits() {
        let msat = Msat::new;
        assert_eq!(check(msat(4), msat(6), Some(msat(10))), Fit::Fits);
        let missing = Fit::DoesNotFit { needed: msat(11), most: msat(10), missing: msat(1) };
        assert_eq!(check(msat(4), msat(7), Some(msat(10))), missing);
        assert_eq!(check(msat(u64::MAX), msat(1), None), Fit::Fits);
        let most = msat(u64::MAX - 1);
        let missing = Fit::DoesNotFit { needed: msat(u64::MAX), most, missing: msat(1) };
        assert_eq!(check(msat(u64::MAX), msat(1), Some(most)), missing);
    }
}
