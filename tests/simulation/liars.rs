//! Who lies in a world: doubles that each break one rule, so that the auditor must catch them.

use super::disk::Lie;

/// Who lies in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liar {
    Nobody,
    /// A ledger that hands out the intent before committing it.
    EagerLedger,
    /// A ledger that takes one answered send for all, so that FAILED is final while a send is unanswered.
    ForgivingLedger,
    /// A payer that maps not-found to failed.
    ForgetfulPayer,
    /// An origin adapter that reads a 402 on redeeming as a reason to pay again.
    PayingOrigin,
    /// A ledger whose limits refuse nothing.
    BoundlessLedger,
    /// A payer that says of every payment that it cost no fee.
    FlatteringPayer,
    /// A payer that says of every payment that it is still on its way.
    DreamingPayer,
    /// A command that buys delivered jobs once more by itself.
    EagerCommand,
    /// A command that takes purchases of other ids for other purchases.
    IdComparer,
    /// A command that does not record a word before it acts on it.
    ForgottenWord,
    /// A command that carries a word out each time that it is said.
    RepeatingWord,
    /// A merge that leaves an intent out.
    DroppingMerge,
    /// A ledger that believes a node's "not found" without a history check.
    CredulousLedger,
    /// A payer that takes an invoice that was handed over for paid.
    HopefulPayer,
    /// A folder that says of what was written that it is on the disk.
    LazyFolder,
    /// A ledger that forgets between runs what an endpoint took for nothing.
    ForgetfulBreaker,
    /// A ledger that counts no doubt when it takes an intent.
    DoubtlessLedger,
    /// A ledger that takes the 404 of a poll for the end of what was paid for.
    HastyLedger,
    /// An origin adapter that posts again by itself what was answered with success in a shape that it does not understand.
    RepeatingOrigin,
    /// An origin adapter that shows again by itself what is used up.
    StubbornOrigin,
    /// A command that buys all that is pending where a results file has chosen some.
    WholeBatch,
    /// A command that hears a word for what was paid for, and buys it anew.
    BuyingWord,
    /// A command that plans with a higher cap than its manifest has.
    RaisedCap,
    /// A ledger that knows of no token that serves several jobs.
    TokenlessLedger,
    /// A command that plans each take of a job with the request of its first, whatever tells them apart.
    UnmovedTake,
    /// A command that plans a take twice, by two ids.
    DoubledTake,
}

impl Liar {
    pub const ALL: [Self; 26] = [
        Self::EagerLedger,
        Self::ForgivingLedger,
        Self::ForgetfulPayer,
        Self::PayingOrigin,
        Self::BoundlessLedger,
        Self::FlatteringPayer,
        Self::DreamingPayer,
        Self::EagerCommand,
        Self::IdComparer,
        Self::ForgottenWord,
        Self::RepeatingWord,
        Self::DroppingMerge,
        Self::CredulousLedger,
        Self::HopefulPayer,
        Self::LazyFolder,
        Self::ForgetfulBreaker,
        Self::DoubtlessLedger,
        Self::HastyLedger,
        Self::RepeatingOrigin,
        Self::StubbornOrigin,
        Self::WholeBatch,
        Self::BuyingWord,
        Self::RaisedCap,
        Self::TokenlessLedger,
        Self::UnmovedTake,
        Self::DoubledTake,
    ];

    /// How its ledger lies.
    pub const fn lie(self) -> Lie {
        match self {
            Self::EagerLedger => Lie::IntentBeforeCommit,
            Self::ForgivingLedger => Lie::AllSendsAnswered,
            Self::BoundlessLedger => Lie::NoLimits,
            Self::CredulousLedger => Lie::NoWitness,
            Self::ForgetfulBreaker => Lie::BreakerForgets,
            Self::DoubtlessLedger => Lie::DoubtUncounted,
            Self::HastyLedger => Lie::PollGoneIsLost,
            Self::TokenlessLedger => Lie::TokensUnknown,
            Self::Nobody
            | Self::ForgetfulPayer
            | Self::PayingOrigin
            | Self::FlatteringPayer
            | Self::DreamingPayer
            | Self::HopefulPayer
            | Self::EagerCommand
            | Self::IdComparer
            | Self::ForgottenWord
            | Self::RepeatingWord
            | Self::DroppingMerge
            | Self::LazyFolder
            | Self::RepeatingOrigin
            | Self::StubbornOrigin
            | Self::WholeBatch
            | Self::BuyingWord
            | Self::RaisedCap
            | Self::UnmovedTake
            | Self::DoubledTake => Lie::None,
        }
    }
}
