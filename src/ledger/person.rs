//! What a person decides, of a job that no run brings on, of what was paid for and given up, and of an origin; and what becomes of it.

use super::{DurableIntent, JobKey};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Decision {
    /// The payment was never made: its hold is given back, and the job may be bought again. By its node's own word, or once it can
    /// settle no more.
    Unpaid,
    /// The money is gone and nothing comes for it, which a person has taken note of. What was held stays used.
    Lost,
    /// As lost, and one more take of the job is bought by the next run. As late as `Unpaid`.
    Rebuy,
}

impl Decision {
    /// The word, as it is typed and kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it can be said of a job in that state.
    pub(super) const fn fits(self, state: JobState) -> bool {
        match (self, state) {
            // Of a lost job it is for its payment to tell.
            (_, JobState::Running | JobState::InDoubt | JobState::Lost)
            | (Self::Lost | Self::Rebuy, JobState::Paid | JobState::RefundOffered | JobState::Refunded) => true,
            (Self::Unpaid, JobState::Paid | JobState::RefundOffered)
            | (
                _,
                JobState::Pending | JobState::Delivered | JobState::Downloaded | JobState::Refused | JobState::Failed,
            )
            | (Self::Unpaid, JobState::Refunded) => false,
        }
    }
}

/// A job on which a person is to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The job.
    pub job: JobKey,
    /// How it stands.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// Its open payment without a preimage: what the node may still contradict.
    pub intent: Option<DurableIntent>,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is recorded.
    Recorded,
    /// It contradicts how the job stands; nothing was written.
    Refused(JobState),
    /// Until then its payment may still settle, and its node has not said that it never will; nothing was written.
    TooEarly(UnixMs),
}

/// What a person says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Reopening {
    /// It is asked for again, with the credential that was paid for.
    Retry,
    /// The answer that is kept is the result; of what is delivered, whatever its address answers with.
    Delivered,
}

impl Reopening {
    /// The word, as it is typed and kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What became of the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// It is recorded.
    Recorded,
    /// It is recorded, and the result is recorded under this address.
    Taken(String),
    /// It is recorded: what the result's address answers with is fetched as it is.
    AsServed,
    /// It is asked for already; nothing was written.
    Unchanged,
    /// It contradicts how the job stands; nothing was written.
    Refused(JobState),
    /// In words, why it cannot be; nothing was written.
    Unfit(String),
}

/// What became of a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// It is recorded: one purchase may begin at the origin.
    Recorded,
    /// It was recorded before, and nothing has been bought by it so far.
    InForce,
    /// It was carried out before, by the purchase of that batch and job, or lapsed as the origin delivered by itself. The
    /// next word has that number.
    UsedUp {
        /// Batch and job.
        by: Option<(String, String)>,
        /// The number of the next word for it.
        next: u32,
    },
    /// The purchase that the word before it let begin is still under way: whose, by batch and job.
    UnderWay(String, String),
    /// Words are said one after the other: the next has that number.
    OutOfTurn(u32),
    /// Nothing speaks against purchases there.
    NotNeeded,
}
