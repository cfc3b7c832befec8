//! What a ledger tells of another one's rows that it has taken over.

use std::collections::HashMap;

use super::IdList;

/// What was asked for, as results tell it: by batch, id and take.
pub type KnownParams = HashMap<(String, String, u32), Vec<(String, String)>>;

/// What a merge has brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Jobs that were not here.
    pub jobs: u64,
    /// Payments that were not here.
    pub payments: u64,
    /// Payments that stand otherwise now than they stood here.
    pub changed: u64,
    /// Jobs that both ledgers bought, or may have bought, each with a payment of its own.
    pub doubled: Vec<Doubled>,
    /// Batches that came in under a name of their own: what they were called, and what they are called here.
    pub renamed: Vec<(String, String)>,
    /// Purchases that a person wanted once more there, as `ID@TAKE of BATCH`, and that never began: they were not brought in.
    pub unbegun: IdList,
    /// Jobs that were to be bought here or there, and that no row of the manifest asks for which was loaded most often: they are withdrawn.
    pub withdrawn: IdList,
}

/// A job for which both ledgers have a payment, or of which a token has served one and the other has a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubled {
    /// Its batch.
    pub batch: String,
    /// Its id.
    pub id: String,
    /// The id under which the second payment stands: another one where it was for something else.
    pub second_id: String,
    /// The take under which the second payment stands.
    pub take: u32,
    /// Both are proved by their preimages; else one of them may turn out never to have been paid.
    pub both_paid: bool,
    /// Nothing pays for the first: another job's token has delivered it.
    pub is_served: bool,
}
