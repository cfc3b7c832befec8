//! Tokens that serve more than the job that bought them (`credential = "reusable"`): which one an endpoint has, and what is kept of a job
//! that one has served. Such a job is no purchase: nothing of money is recorded for it.

use crate::purchase::{Credential, HttpAnswer, Next};

use super::{JobEnd, JobKey, PaidPurchase, PaymentKey};

/// What the purchase of a token that serves several jobs was made for: the intent of each job at such an endpoint says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// The payment whose token the origin has refused, or cannot be used: this one is made in its place. None where no token was known.
    pub after: Option<PaymentKey>,
}

/// The token of an endpoint: that of the newest purchase of one there which is not dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenAt {
    /// There is none: whoever asks buys one.
    None,
    /// It is being bought, and its own job is not delivered yet: nobody else may have it, or buy another.
    Open(TokenBuyer),
    /// Its own job is delivered: it is tried first, and who refuses it says so.
    InUse(Box<ReusableToken>),
    /// It is in use, and what is kept of that payment is damaged, so that nobody can be served by it. Whoever asks buys one in its place
    /// ([`Reuse::after`]), as where it was refused.
    Unusable(PaymentKey),
}

/// The job that buys a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBuyer {
    /// The name of its batch.
    pub batch: String,
    /// Its id.
    pub id: String,
    /// What has to happen with it: where that is a person's, so it is with all who wait for the token, in whatever batch.
    pub next: Next,
}

/// A token that has delivered its own job. Only a ledger makes one, and serving another job takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReusableToken {
    payment: PaymentKey,
    credential: Credential,
}

impl ReusableToken {
    /// That of a purchase whose job is delivered.
    pub(in crate::ledger) fn of(purchase: &PaidPurchase) -> Self {
        Self { payment: purchase.payment(), credential: purchase.credential().clone() }
    }

    /// The payment that has bought it.
    #[must_use]
    pub const fn payment(&self) -> PaymentKey {
        self.payment
    }

    /// What goes with a request.
    #[must_use]
    pub const fn credential(&self) -> &Credential {
        &self.credential
    }
}

/// A job that was asked for with another one's token, and answered by a success.
#[derive(Clone, Debug)]
pub struct Served {
    /// The job.
    pub job: JobKey,
    /// The payment whose token it was.
    pub by: PaymentKey,
    /// The digest of the request that it answers ([`Request::digest`](crate::purchase::Request::digest)): what is bought elsewhere is known by it.
    pub request: [u8; 32],
    /// What the origin answered, whole.
    pub answer: HttpAnswer,
    /// What that comes to.
    pub came: Came,
}

/// What an answer to a job comes to that a token has served.
#[derive(Clone, Debug)]
pub enum Came {
    /// The result.
    Result {
        /// Its absolute URL.
        url: String,
        /// Those of further results of the same answer.
        more: Vec<String>,
    },
    /// A success that brings no result: the job ends so, and nothing was spent.
    Nothing(JobEnd),
}
