//! Made-up rows for tests of the rules.

use crate::l402::PaymentHash;
use crate::ledger::{BatchKey, JobKey, PaymentKey};
use crate::money::Msat;
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

use super::load::StoredTake;
use super::{Charged, Fate, Job, Payment, Redeeming, Sends};

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

/// A payment of that job that has just been begun.
pub fn payment() -> Payment {
    Payment {
        key: PaymentKey(1),
        job: JobKey(1),
        batch: BatchKey(1),
        hash: PaymentHash([1; 32]),
        amount: Msat::new(1_000),
        fee_limit: Msat::new(10),
        cltv_limit: None,
        node: WalletId("02aa".to_owned()),
        charged: Charged::default(),
        intended_at: UnixMs(1),
        endpoint: None,
        token_at: None,
        sends: Sends::first(UnixMs(1)),
        fate: Fate::INTENDED,
        redeeming: Redeeming::NOT_BEGUN,
    }
}

/// That take of a job, as a load finds it: nothing was begun for it.
pub fn stored_take(take: u32) -> StoredTake {
    StoredTake {
        key: JobKey(take.into()),
        take,
        state: JobState::Pending,
        reason: Reason::None,
        content: ContentHash([1; 32]),
        kept: None,
        edition: String::new(),
        meant: false,
        attempts: 0,
        asks_otherwise: false,
        is_found: false,
        is_new_word: false,
        payments: Vec::new(),
        mark: None,
        is_beside_pick: false,
        was_touched: false,
    }
}
