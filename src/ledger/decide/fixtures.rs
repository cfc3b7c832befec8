//! Made-up rows for tests of the rules.

use crate::ledger::{BatchKey, JobKey};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

use super::Job;

/// A job that is to be bought.
pub fn job() -> Job {
    Job {
        key: JobKey(1),
        batch: BatchKey(1),
        superseded: false,
        price: Msat::new(1_000),
        fee_ceiling: Msat::new(10),
        max_cost: None,
        is_gone: false,
        state: JobState::Pending,
        reason: Reason::None,
        error: None,
        wait_until: None,
        url: None,
        attempts: 0,
        started_at: None,
        finished_at: None,
    }
}
