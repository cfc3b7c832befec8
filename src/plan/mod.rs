//! The plan: every job with its exact price (or the cap of it) and its fee ceiling, and the totals; frozen and fingerprinted.

mod appraise;
mod clash;
pub mod column;
pub mod compare;
mod findings;
mod fingerprint;
mod form;
mod identity;
mod ids;
mod jobs;
pub mod limits;
mod make;
mod policy;
mod register;
mod same;
pub mod saved;
pub mod sums;
mod tally;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod view;

pub use fingerprint::Fingerprint;
pub use identity::{content_hash, content_hash_of, folded, looks_made, made_id};
pub use policy::{FEE_FLOOR_DEFAULT, LimitTooLarge, MAX_FEE_PPM_DEFAULT, Policy};

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::catalog::{Endpoint, Priced, Value};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Manifest, Nonce};
use crate::money::Msat;

/// Every job of a manifest with its exact price, counted and fingerprinted. Only [`Plan::make`] makes one. The jobs
/// themselves are not kept: [`Plan::jobs`] reads them again.
#[derive(Debug)]
pub struct Plan {
    totals: Totals,
    groups: Vec<Group>,
    fingerprint: String,
    /// The digest of the contents in the order of the rows.
    contents: [u8; 32],
    endpoints: Vec<Arc<Endpoint>>,
    warnings: Vec<Diagnostic>,
    policy: Policy,
    /// Made ids that more than one job shares: only these need counting when the jobs are read again.
    repeated: HashSet<identity::MadeKey>,
    /// How many jobs may cost more than their own limit.
    above_limit: u64,
}

impl Plan {
    /// Prices, fee ceilings and both together, of all jobs.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// How many jobs may cost more than their own limit, fee ceiling included: no run buys them.
    #[must_use]
    pub const fn above_limit(&self) -> u64 {
        self.above_limit
    }

    /// The jobs by endpoint and rate: by the endpoint's name, then in the order of its rates.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What tells this plan from another: 64 characters of lower-case hex over ids, contents and prices.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What tells this reading of a manifest from another one, order, lines and `x_*` included; none where that is not known.
    #[must_use]
    pub fn digest(&self, manifest: &Manifest) -> Option<PlanDigest> {
        let hash = Sha256::new().chain_update(manifest.reading()?).chain_update(&self.fingerprint);
        // Images are read besides: of rows without an id, two that have exchanged theirs make the same fingerprint.
        let hash = hash.chain_update(self.contents);
        Some(PlanDigest(hash.finalize().into()))
    }

    /// The endpoints that jobs use, by name.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// What a person should look at before running it: ids that are nearly the same, jobs above their own limit.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The limits that were applied to each job.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// One job of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedJob {
    /// Its position in the manifest, from 0.
    pub seq: u64,
    /// The physical line of the manifest on which it begins, from 1.
    pub line: u64,
    /// Its id, given or made.
    pub id: String,
    /// What is bought.
    pub endpoint: Arc<Endpoint>,
    /// Parameters after all defaults, in the endpoint's order.
    pub params: Vec<(String, Value)>,
    /// What of these is a planned take's own, and its first one's is what is bought.
    pub nonce: Option<Box<Nonce>>,
    /// `x_*` columns, passed through.
    pub extra: Vec<(String, String)>,
    /// The hash of what is bought: endpoint and parameters, identity version 1.
    pub content: ContentHash,
    /// Its exact price; of a capped one the most that it may be.
    pub priced: Priced,
    /// The most that routing its payment may cost.
    pub fee_ceiling: Msat,
    /// Its own limit, fee included, where it has one: the tighter of the job's and `max_sats_per_job`.
    pub max_cost: Option<Msat>,
}

impl PlannedJob {
    /// The parameters as they count in what is bought: those of the first of its planned takes.
    #[must_use]
    pub fn bought_params(&self) -> Cow<'_, [(String, Value)]> {
        let own = self.nonce.as_deref().and_then(|nonce| Some((nonce, self.endpoint.params.get(nonce.param)?)));
        let Some((nonce, own)) = own else { return Cow::Borrowed(&self.params) };
        let first = |(name, value): &(String, Value)| match *name == own.name {
            true => Some((name.clone(), nonce.first.clone()?)),
            false => Some((name.clone(), value.clone())),
        };
        self.params.iter().filter_map(first).collect()
    }

    /// The parameters that it sends after so many `earlier` takes of the very same.
    #[must_use]
    pub fn sent_params(&self, earlier: u32) -> Cow<'_, [(String, Value)]> {
        match (earlier, &self.endpoint.nonce) {
            (0, _) | (_, None) => Cow::Borrowed(&self.params),
            (_, Some(_)) => Cow::Owned(self.endpoint.moved(earlier, self.params.clone())),
        }
    }

    /// Whether its price is the most that it may cost: its invoice decides within a cap, or another job's token serves it.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.endpoint.is_capped()
    }

    /// Whether its worst case is more than its own limit.
    #[must_use]
    pub fn is_above_its_limit(&self) -> bool {
        let worst_case = self.priced.price.checked_add(self.fee_ceiling);
        self.max_cost.is_some_and(|most| worst_case.is_none_or(|cost| cost > most))
    }
}

/// SHA-256 over a job's content (its endpoint's name and its parameters after all defaults), with the version tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

/// SHA-256 over all that loading a plan makes of jobs that it leaves as they stand: ids, contents and prices, and order, lines and `x_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanDigest(pub [u8; 32]);

/// Jobs of one endpoint at one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The endpoint's name.
    pub endpoint: String,
    /// The values that chose the rate: `mode=pro, generate_audio=true`; empty where there is one rate.
    pub chosen_by: String,
    /// The price of one unit, in msat.
    pub rate_msat: Msat,
    /// What one unit is: `second`, `job`.
    pub unit: String,
    /// The rate is the most that an invoice may ask.
    pub is_cap: bool,
    /// One purchase's token serves several jobs, so that the sum is the most that they may cost.
    pub is_reusable: bool,
    /// The least that a job of it costs, in msat, where there is such.
    pub minimum_msat: Option<Msat>,
    /// How many jobs.
    pub job_count: u64,
    /// How many units together.
    pub quantity: u64,
    /// What they cost together, in msat.
    pub total_msat: Msat,
}

/// The sums of a plan, in msat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many jobs.
    pub job_count: u64,
    /// The price of all: exact, but for what is capped of it.
    pub price: Msat,
    /// Of that, what is the most that it may be: the invoices decide within it, or a token serves several jobs.
    pub capped: Msat,
    /// The most that routing may add: the sum of the payments' ceilings.
    pub fee_ceiling: Msat,
    /// Price and fee ceiling together, in msat.
    pub worst_case: Msat,
}

impl Totals {
    /// These and one job more; nothing where a sum does not fit.
    #[must_use]
    pub fn with(self, price: Msat, is_capped: bool, fee_ceiling: Msat) -> Option<Self> {
        let capped = self.capped.checked_add(if is_capped { price } else { Msat::ZERO })?;
        let (price, fee_ceiling) = (self.price.checked_add(price)?, self.fee_ceiling.checked_add(fee_ceiling)?);
        let worst_case = price.checked_add(fee_ceiling)?;
        Some(Self { job_count: self.job_count.checked_add(1)?, price, capped, fee_ceiling, worst_case })
    }
}
