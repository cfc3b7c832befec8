//! Carries out a batch: admits jobs, drives each through its life, keeps the limits, and stops in good order.
//!
//! `life::step` decides, purely; what is here carries out what it decides. The ledger is the only truth: a run can be stopped at
//! any point and the next one reads what is there.

mod admission;
mod ask;
mod balance;
mod bounds;
mod budget;
mod clock;
mod control;
mod drive;
mod evidence;
mod executor;
mod identical;
mod node_health;
mod pace;
mod pay;
mod payment_lookup;
mod prices;
mod redeem;
mod refund;
mod shared;
pub mod signals;
mod slot;
/// Its shop mints macaroons as the sandbox does.
#[cfg(test)]
#[cfg(feature = "sandbox")]
mod tests;
mod tokens;

pub use admission::{HeldJobs, Whose};
pub use budget::Budget;
pub(crate) use clock::SteadyClock;
pub use clock::{Clock, SystemClock};
pub use control::{Control, Controller, DrainCause};
pub use evidence::{Evidence, evidence};
pub use executor::{Outcome, Run, RunError};
pub(crate) use pace::{Class, Pace};
pub use prices::Cheaper;

use std::collections::{BTreeMap, HashSet};

use crate::life::Bounds;
use crate::money::Msat;
use crate::plan::Policy;

/// How a run goes about its work. Everything has a bound.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Jobs between challenge and result at once.
    pub jobs_in_flight: usize,
    /// Payments at the node at once.
    pub payments_in_flight: usize,
    /// Requests a second to one host; none is unlimited.
    pub requests_per_second: Option<std::num::NonZeroU32>,
    /// Payments in a row that an endpoint may take without delivering.
    pub max_undelivered: u32,
    /// Its money is play money, and its origin ends with it.
    pub is_play: bool,
    /// Payments in doubt with which nothing new is bought.
    pub max_doubt: usize,
    /// With nothing left but doubt, the run ends after this many milliseconds.
    pub wait_doubt_ms: u64,
    /// How long the node may be unusable before nothing more is admitted, in milliseconds.
    pub node_patience_ms: u64,
    /// A payment that is still open after this many milliseconds gives its slot back.
    pub payment_patience_ms: u64,
    /// A credential is expected to live this many milliseconds from its challenge.
    pub credential_life_ms: i64,
    /// An invoice that can be paid for longer than so many milliseconds is refused.
    pub invoice_life_ms_max: i64,
    /// An invoice below the plan's price is refused, too.
    pub exact_price: bool,
    /// Buy only these ids; none is all.
    pub only: Option<HashSet<String>>,
    /// Buy at most this many jobs in this run.
    pub limit: Option<u64>,
    /// How many jobs are to be bought at each price, or at zero, where it is a cap; none where nobody says.
    pub prices: BTreeMap<Msat, u64>,
    /// How much routing may cost: of a job never more than its own ceiling.
    pub fees: Policy,
    /// What may be spent.
    pub budget: Budget,
    /// How often and how long single jobs are tried.
    pub bounds: Bounds,
}

/// How long the node may be unusable before nothing more is admitted, in milliseconds.
pub const NODE_PATIENCE_MS: u64 = 900_000;
/// A payment that is still open after this many milliseconds gives its slot back.
pub const PAYMENT_PATIENCE_MS: u64 = 75_000;
/// A credential is expected to live this many milliseconds from its challenge.
pub const CREDENTIAL_LIFE_MS: i64 = 600_000;
