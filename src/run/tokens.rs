//! Tokens that serve more than the job that bought them, as a run has them: at each endpoint one is in use, or one job asks without any and
//! may buy one, or it is looked whether the ledger knows of one. So that not every job asks the ledger, and of those that a token is refused
//! to one alone buys the next. That no two are bought in one's place is the ledger's to see to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::catalog::Endpoint;
use crate::ledger::{JobKey, PaymentKey, PendingJob, ReusableToken, TokenAt, TokenBuyer, endpoint_and_origin};
use crate::purchase::Next;

/// Tokens of this run, by the addresses of their endpoints: there are no more of them than the catalogue has.
#[derive(Default)]
pub(super) struct Tokens(RefCell<HashMap<String, Standing>>);

enum Standing {
    /// It serves whoever asks.
    InUse(Rc<ReusableToken>),
    /// That job asks without one, and may buy one; in the place of that payment's, where one was refused.
    Buying { job: JobKey, id: String, after: Option<PaymentKey> },
    /// As of the last look it was being bought, by a job that is not asked for in this run.
    Open(TokenBuyer),
}

/// How a job may ask.
pub(super) enum Seat {
    /// With this token.
    With(Rc<ReusableToken>),
    /// Without one: it may buy one.
    Buys { after: Option<PaymentKey> },
    /// Not now: another one buys.
    Later,
}

fn place(endpoint: &Endpoint) -> String {
    endpoint_and_origin(&endpoint.url).0
}

impl Tokens {
    /// Whether another job of this run buys the token with which that one is asked for.
    pub(super) fn has_to_wait(&self, job: &PendingJob) -> bool {
        self.in_the_way(job).is_some()
    }

    /// The id of that other job.
    pub(super) fn in_the_way(&self, job: &PendingJob) -> Option<String> {
        if !job.endpoint.is_reusable() {
            return None;
        }
        match self.0.borrow().get(&place(&job.endpoint)) {
            Some(Standing::Buying { job: by, id, .. }) if *by != job.key => Some(id.clone()),
            Some(Standing::Buying { .. } | Standing::InUse(_) | Standing::Open(_)) | None => None,
        }
    }

    /// Whether the job may begin, as far as its endpoint's token is concerned; none where the ledger has to be asked.
    pub(super) fn known(&self, job: &PendingJob) -> Option<bool> {
        match self.0.borrow().get(&place(&job.endpoint))? {
            Standing::InUse(_) | Standing::Buying { .. } => Some(true),
            Standing::Open(_) => None,
        }
    }

    /// Keeps what the ledger says, and whether a job may begin by that.
    pub(super) fn learn(&self, job: &PendingJob, token: TokenAt) -> bool {
        let mut tokens = self.0.borrow_mut();
        let at = place(&job.endpoint);
        match token {
            TokenAt::None => {
                tokens.remove(&at);
                true
            }
            TokenAt::InUse(token) => {
                tokens.insert(at, Standing::InUse(Rc::new(*token)));
                true
            }
            TokenAt::Open(buyer) => {
                tokens.insert(at, Standing::Open(buyer));
                false
            }
            TokenAt::Unusable(payment) => {
                tokens.insert(at, Standing::Buying { job: job.key, id: job.id.clone(), after: Some(payment) });
                true
            }
        }
    }

    /// The job is about to be asked for: where no token is in use, the next one of its endpoint waits for it.
    pub(super) fn begin(&self, job: &PendingJob) {
        if !job.endpoint.is_reusable() {
            return;
        }
        let buying = || Standing::Buying { job: job.key, id: job.id.clone(), after: None };
        self.0.borrow_mut().entry(place(&job.endpoint)).or_insert_with(buying);
    }

    /// How the job may ask now.
    pub(super) fn seat(&self, job: &PendingJob) -> Seat {
        match self.0.borrow().get(&place(&job.endpoint)) {
            Some(Standing::InUse(token)) => Seat::With(Rc::clone(token)),
            Some(Standing::Buying { job: by, after, .. }) if *by == job.key => Seat::Buys { after: *after },
            Some(Standing::Buying { .. } | Standing::Open(_)) | None => Seat::Later,
        }
    }

    /// The token of that payment was refused to the job: where nobody has done so before, it asks without one, and may buy the next.
    pub(super) fn refused(&self, job: &PendingJob, payment: PaymentKey) {
        let mut tokens = self.0.borrow_mut();
        let Some(standing) = tokens.get_mut(&place(&job.endpoint)) else { return };
        if matches!(standing, Standing::InUse(token) if token.payment() == payment) {
            *standing = Standing::Buying { job: job.key, id: job.id.clone(), after: Some(payment) };
        }
    }

    /// The job buys no token any more: it has one, or ends without one, and the ledger knows which.
    pub(super) fn end(&self, endpoint: &Endpoint, job: JobKey) {
        if !endpoint.is_reusable() {
            return;
        }
        let (mut tokens, at) = (self.0.borrow_mut(), place(endpoint));
        if matches!(tokens.get(&at), Some(Standing::Buying { job: by, .. }) if *by == job) {
            tokens.remove(&at);
        }
    }

    /// Whether one is being bought by a job that is not asked for in this run.
    pub(super) fn may_change_elsewhere(&self) -> bool {
        self.0.borrow().values().any(|standing| matches!(standing, Standing::Open(_)))
    }

    /// Who buys the token of that endpoint, as of the last look, in words for the jobs that wait for it; none where nobody does.
    pub(super) fn words(&self, endpoint: &Endpoint) -> Option<String> {
        match self.0.borrow().get(&place(endpoint))? {
            Standing::Open(TokenBuyer { batch, id, next }) => {
                let by = if *next == Next::Person { ", which only a person can bring about" } else { "" };
                Some(format!(
                    "job {id} of batch {batch} buys the token that serves this one as well, and is not delivered{by}: a run of \
                     that batch, or `recover`, goes on with it, and this one is asked for with that token"
                ))
            }
            Standing::InUse(_) | Standing::Buying { .. } => None,
        }
    }
}
