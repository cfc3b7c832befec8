//! What a wallet promises of the payments that it is asked to make. Nothing more is ever concluded from what it says.

use crate::money::Msat;

/// What a wallet promises. Every proof that a payment never can settle, and every word about sending it again, takes this as
/// data: a wallet that promises less leaves more to a person, and never leads to a dead hash by what it cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// What becomes of a payment hash that it is asked to pay again.
    pub repeats: Repeats,
    /// Whose word its answers are.
    pub answers: Answers,
    /// What its "failed" means.
    pub failures: Failures,
    /// Of which hashes it can be asked.
    pub look_ups: LookUps,
    /// Whether it keeps what it has settled, and shows it.
    pub history: History,
    /// What an invoice's expiry means to it.
    pub expiry: Expiry,
    /// What routing may cost.
    pub fee_ceiling: FeeCeiling,
    /// A send or a track that is given less than this, in milliseconds, makes no sense: a person needs minutes to pay. 0 where any
    /// patience will do.
    pub patience_ms_min: u64,
}

/// What becomes of a payment hash that a wallet is asked to pay again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// One payment a hash: what is on its way or settled is refused, what has failed may begin anew.
    OnePayment,
    /// Each send may be a payment of its own: nothing is ever sent twice.
    EachPays,
}

/// Whose word a wallet's answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Its own: what a proxy, a cache or a gateway formed is told apart, and is no answer.
    Own,
    /// Anybody's on the way: only a preimage proves anything.
    Anybodys,
}

/// What a wallet's "failed" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// Nothing of the payment is on its way any more, and nothing of it will be unless it is sent again.
    Final,
    /// It may have stopped waiting for a payment that settles later. (What it refused to begin it has not begun all the same.)
    MaySettle,
}

/// Of which payment hashes a wallet can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUps {
    /// Of every one, at any time: one that it does not know it was never asked to pay, while its history is whole.
    EveryHash,
    /// Of those since it was started, or for some time: that it does not know one means nothing.
    Recent,
    /// Of none: it is not asked again and again.
    Never,
}

/// Whether a wallet keeps what it has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// It keeps all, and shows the newest: it has a [`PaymentHistory`](super::PaymentHistory).
    Shown,
    /// It keeps all: what it has settled for this ledger tests its memory, once there is any.
    Kept,
    /// It may drop single payments and keep others: no other payment tests its memory of one.
    Dropped,
}

/// What an invoice's expiry means to a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It begins no payment of an invoice that has expired by its own clock, which its answers show.
    Refused,
    /// It shows no clock, or may begin the payment all the same.
    Ignored,
}

/// What routing may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeCeiling {
    /// No more than it is asked to.
    AsAsked,
    /// No more than this part of the amount, and never less than that: it takes no limit.
    Own {
        /// In parts per million of the amount.
        ppm: u64,
        /// The ceiling is never below this.
        at_least: Msat,
    },
    /// It promises none.
    Unlimited,
}

impl Promises {
    /// Of a wallet that promises nothing, and of none at all.
    pub const NONE: Self = Self {
        repeats: Repeats::EachPays,
        answers: Answers::Anybodys,
        failures: Failures::MaySettle,
        look_ups: LookUps::Never,
        history: History::Dropped,
        expiry: Expiry::Ignored,
        fee_ceiling: FeeCeiling::Unlimited,
        patience_ms_min: 0,
    };

    /// Whether it would know a payment that it was asked for earlier, as long as other ones show that its history is whole.
    #[must_use]
    pub const fn remembers(&self) -> bool {
        match (self.look_ups, self.history) {
            (LookUps::EveryHash, History::Shown | History::Kept) => true,
            (LookUps::EveryHash, History::Dropped) | (LookUps::Recent | LookUps::Never, _) => false,
        }
    }

    /// What each promise that it does not give means for a run, in sentences.
    #[must_use]
    pub fn lacks(&self) -> Vec<&'static str> {
        let repeats = match self.repeats {
            Repeats::OnePayment => None,
            Repeats::EachPays => Some(
                "this wallet may pay an invoice twice: no payment is sent a second time, what is unclear is left to a person",
            ),
        };
        let answers = match self.answers {
            Answers::Own => None,
            Answers::Anybodys => Some(
                "nothing tells this wallet's own answers from others': only what it proves to have paid counts, the rest is left to a person",
            ),
        };
        let failures = match self.failures {
            Failures::Final => None,
            Failures::MaySettle => {
                Some("what this wallet says has failed may settle later: it is not bought anew, and left to a person")
            }
        };
        let look_ups = match self.look_ups {
            LookUps::EveryHash => None,
            LookUps::Recent => {
                Some("this wallet forgets what it was asked to pay: what a run leaves unclear is left to a person")
            }
            LookUps::Never => Some("this wallet cannot be asked what it has paid: what is unclear is left to a person"),
        };
        let history = match self.history {
            History::Shown => None,
            History::Kept => Some(
                "this wallet does not list its payments: before it has settled one, what it does not know is left to a person",
            ),
            History::Dropped => {
                Some("this wallet may drop payments: what it does not know any more is left to a person")
            }
        };
        let expiry = match self.expiry {
            Expiry::Refused => None,
            Expiry::Ignored => {
                Some("an invoice's expiry means nothing to this wallet: what is unclear does not end by itself")
            }
        };
        let fees = match self.fee_ceiling {
            FeeCeiling::AsAsked => None,
            FeeCeiling::Own { .. } | FeeCeiling::Unlimited => Some(
                "this wallet takes no limit for routing fees: what it may pay above a job's fee ceiling is refused",
            ),
        };
        [repeats, answers, failures, look_ups, history, expiry, fees].into_iter().flatten().collect()
    }
}

impl FeeCeiling {
    /// Whether a payment of this amount costs at most this for routing, where it is asked to.
    #[must_use]
    pub fn keeps_to(&self, fee_limit: Msat, amount: Msat) -> bool {
        match self {
            Self::AsAsked => true,
            Self::Own { ppm, at_least } => amount.ppm_ceil(*ppm).is_some_and(|part| part.max(*at_least) <= fee_limit),
            Self::Unlimited => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallets_own_ceiling_has_to_be_within_the_jobs() {
        let own = FeeCeiling::Own { ppm: 10_000, at_least: Msat::new(10_000) };
        let amount = Msat::new(500_000);
        assert!(own.keeps_to(Msat::new(10_000), amount) && !own.keeps_to(Msat::new(9_999), amount));
        assert!(!own.keeps_to(Msat::new(10_000), Msat::new(1_000_001)), "a part is rounded up");
        assert!(FeeCeiling::AsAsked.keeps_to(Msat::ZERO, amount));
        assert!(!FeeCeiling::Unlimited.keeps_to(Msat::new(u64::MAX), amount));
    }

    #[test]
    fn who_promises_nothing_lacks_all() {
        assert_eq!(Promises::NONE.lacks().len(), 7);
        assert!(!Promises::NONE.remembers());
    }
}
