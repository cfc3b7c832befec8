//! What a plan takes from its limits: how much routing a payment may cost, and how much one job may.

use std::collections::BTreeMap;

use url::Url;

use crate::catalog::origin_of;
use crate::manifest::{Limits, OriginLimits};
use crate::money::{Msat, Sats};

/// A payment's fee ceiling where nobody says otherwise: 0.5 % of its amount. Routes of a few hops cost a tenth of that; a
/// ceiling is only ever paid where nothing cheaper was found.
pub const MAX_FEE_PPM_DEFAULT: u64 = 5_000;
/// A payment's fee ceiling is never below this, where nobody says otherwise: base fees weigh on small payments.
pub const FEE_FLOOR_DEFAULT: Sats = Sats::new(10);

/// The limits that a plan applies to each job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A payment's fee ceiling, in parts per million of its amount.
    pub max_fee_ppm: u64,
    /// A payment's fee ceiling is never below this.
    pub fee_floor: Msat,
    /// The most that any one job may cost, fee included.
    pub max_cost_per_job: Option<Msat>,
    /// The same of single origins, by host and port.
    pub max_cost_at: BTreeMap<String, Msat>,
}

/// A limit that is more than any amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {sats} is larger than any amount of money")]
pub struct LimitTooLarge {
    /// The limit's key.
    pub name: &'static str,
    /// The limit, in sats.
    pub sats: Sats,
}

impl Default for Policy {
    fn default() -> Self {
        // A small constant: it always fits.
        let fee_floor = FEE_FLOOR_DEFAULT.msat().unwrap_or(Msat::ZERO);
        Self { max_fee_ppm: MAX_FEE_PPM_DEFAULT, fee_floor, max_cost_per_job: None, max_cost_at: BTreeMap::new() }
    }
}

impl Policy {
    /// What these limits say, and the defaults where they say nothing.
    ///
    /// # Errors
    /// Where an amount does not fit into msat.
    pub fn from_limits(limits: &Limits) -> Result<Self, LimitTooLarge> {
        let msat =
            |name, sats: Option<Sats>| sats.map(|sats| sats.msat().ok_or(LimitTooLarge { name, sats })).transpose();
        let default = Self::default();
        let at = |(origin, limits): (&String, &OriginLimits)| {
            Some(msat("max_sats_per_job", limits.max_sats_per_job).transpose()?.map(|most| (origin.clone(), most)))
        };
        Ok(Self {
            max_fee_ppm: limits.max_fee_ppm.unwrap_or(default.max_fee_ppm),
            fee_floor: msat("fee_floor_sats", limits.fee_floor_sats)?.unwrap_or(default.fee_floor),
            max_cost_per_job: msat("max_sats_per_job", limits.max_sats_per_job)?,
            max_cost_at: limits.origins.iter().filter_map(at).collect::<Result<_, _>>()?,
        })
    }

    /// The most that routing a payment of `price` may cost; nothing where it does not fit.
    #[must_use]
    pub fn fee_ceiling(&self, price: Msat) -> Option<Msat> {
        Some(price.ppm_ceil(self.max_fee_ppm)?.max(self.fee_floor))
    }

    /// The most that a job at that address may cost: the tightest of its own limit, the one for every job, and its origin's. A limit of
    /// its own that does not fit into msat is none.
    #[must_use]
    pub fn max_cost(&self, own: Option<Sats>, url: &Url) -> Option<Msat> {
        let at = if self.max_cost_at.is_empty() { None } else { self.max_cost_at.get(&origin_of(url)).copied() };
        own.and_then(Sats::msat).into_iter().chain(self.max_cost_per_job).chain(at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_ceiling_is_the_larger_of_two() {
        let policy = Policy::default();
        assert_eq!(policy.fee_ceiling(Msat::new(500_000)), Some(Msat::new(10_000)));
        assert_eq!(policy.fee_ceiling(Msat::new(2_750_000)), Some(Msat::new(13_750)));
        assert_eq!(policy.fee_ceiling(Msat::new(2_000_001)), Some(Msat::new(10_001)), "rounded up");
        let absurd = Policy { max_fee_ppm: u64::MAX, ..policy };
        assert_eq!(absurd.fee_ceiling(Msat::new(u64::MAX)), None);
    }

    #[test]
    fn the_tighter_limit_wins() {
        let at = OriginLimits { max_sats_per_job: Some(Sats::new(3)), ..OriginLimits::default() };
        let limits = Limits {
            max_sats_per_job: Some(Sats::new(5)),
            max_fee_ppm: Some(1),
            origins: [("api.example:8443".to_owned(), at)].into(),
            ..Limits::default()
        };
        let [url, limited] =
            ["https://api.example/v1", "https://api.example:8443/v1"].map(|url| Url::parse(url).unwrap());
        let policy = Policy::from_limits(&limits).unwrap();
        assert_eq!((policy.max_fee_ppm, policy.fee_floor), (1, Msat::new(10_000)));
        assert_eq!(policy.max_cost(None, &url), Some(Msat::new(5_000)));
        assert_eq!(policy.max_cost(Some(Sats::new(4)), &url), Some(Msat::new(4_000)));
        assert_eq!(policy.max_cost(Some(Sats::new(6)), &url), Some(Msat::new(5_000)));
        assert_eq!(policy.max_cost(Some(Sats::new(4)), &limited), Some(Msat::new(3_000)));
        assert_eq!(policy.max_cost(Some(Sats::new(2)), &limited), Some(Msat::new(2_000)));
        let too_large = Limits { fee_floor_sats: Some(Sats::new(u64::MAX)), ..Limits::default() };
        assert_eq!(Policy::from_limits(&too_large).unwrap_err().name, "fee_floor_sats");
    }
}
