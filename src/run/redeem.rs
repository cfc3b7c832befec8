//! Shows an origin what was paid, and asks after the result, at the host's pace.

use std::rc::Rc;
use std::sync::Arc;

use crate::catalog::{DedupPolicy, Header};
use crate::event::Event;
use crate::ledger::{Ledger, LedgerError, PaidPurchase, PaymentKey, Record, ReusableToken};
use crate::life::Sending;
use crate::origin::{self, HttpFailure, Origin, POLL_RETRY_AFTER_MS_MAX};
use crate::payer::Payer;
use crate::purchase::{Credential, HttpAnswer, JobState, Reason, Request};
use crate::time::UnixMs;

use super::Clock;
use super::drive::Driver;
use super::pace::Class;

/// While a run drains, a job that waits for its host looks this often whether that makes sense.
const DRAIN_LOOK_MS: u64 = 1_000;
/// A repeated redeem looks this often whether its identical request is made.
const IDENTICAL_LOOK_MS: i64 = 2_000;

type HttpResult = Result<HttpAnswer, HttpFailure>;

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Driver<'_, L, P, O, C> {
    /// Redeems. None: the run ends, and the host wants to be left alone for longer than that.
    pub(super) async fn redeem(
        &mut self,
        purchase: &PaidPurchase,
        sending: Sending,
    ) -> Result<Option<HttpResult>, LedgerError> {
        self.leave_slot();
        let mut request = self.request(purchase.payment()).await?;
        // Once the credential has ended there is nothing left to be in time for.
        let ends_at = purchase.intent().credential_expires_at();
        let latest = ends_at.plus_ms(-self.run.settings.bounds.lifetime_ms_min);
        let latest = (ends_at > self.run.clock.now()).then_some(latest);
        if sending == Sending::Again && request.bypass.is_some() {
            request = Rc::new(request.repeated());
        }
        // What an earlier run intended has lost its header, and is as good as repeated.
        if request.bypass.is_none() && !self.past_the_cache(&request, latest).await? {
            return Ok(None);
        }
        if !self.turn(&request.url, Class::Redeem, latest).await {
            return Ok(None);
        }
        if self.withholds(purchase, request.headers(), &request.url).await? {
            return Ok(None);
        }
        let answer = self.run.origin.redeem(&request, purchase.credential()).await;
        if let Ok(answer) = &answer {
            self.heed(&request, answer, self.run.clock.now());
        }
        // The key may be what is not taken, or what alone is answered: once a person wants it asked for again, each goes the other way.
        if purchase.is_retried() {
            request = Rc::new(request.rekeyed());
        }
        self.keep_request(request);
        Ok(Some(answer))
    }

    /// Whether a record announces a redeem more that cannot be sent.
    pub(super) async fn cannot_replay(&mut self, record: &Record) -> Result<bool, LedgerError> {
        let Record::Replaying(payment) = record else { return Ok(false) };
        let request = self.request(*payment).await?;
        let why = self.run.origin.withheld(request.headers(), &request.url).await;
        self.keep_request(request);
        if let Some(why) = &why {
            self.say_withheld(why);
        }
        Ok(why.is_some())
    }

    /// Whether what a request for a paid job needs cannot be had: it says so, and the job waits for the next run as it stands.
    async fn withholds(
        &mut self,
        purchase: &PaidPurchase,
        headers: &[Header],
        at: &url::Url,
    ) -> Result<bool, LedgerError> {
        let Some(why) = self.run.origin.withheld(headers, at).await else { return Ok(false) };
        self.say_withheld(&why);
        // What was said of a first success stands: by that its end is told.
        let says_it = purchase.heard().is_none() || purchase.poll().is_some();
        if says_it && self.job.state == JobState::Paid {
            let record = Record::Stuck { job: self.job.facts.key, reason: Reason::NotDelivered, error: why };
            self.run.ledger.commit(self.run.clock.now(), record).await?;
        }
        Ok(true)
    }

    /// Once for all that wait for the same.
    fn say_withheld(&mut self, why: &str) {
        self.withheld = true;
        if self.shared.silent.borrow_mut().insert(why.to_owned()) {
            let message =
                format!("{why}: what is paid and needs it waits until it can be had, and `recover` goes on with it");
            self.run.listener.hear(&Event::Warning { message });
        }
    }

    /// A redeem without the header that bypasses the cache, a repeated one above all, waits until no identical request's answer can be
    /// in there, neither of one that is being made nor of one that was. What stays there longest is its own. No wait
    /// outlives `latest`, nor a run's patience. False: the run ends first.
    async fn past_the_cache(&self, request: &Request, latest: Option<UnixMs>) -> Result<bool, LedgerError> {
        let endpoint = &self.job.facts.endpoint;
        if endpoint.dedup_policy() != DedupPolicy::Answer {
            return Ok(true);
        }
        let patience_ms = i64::try_from(self.run.settings.wait_doubt_ms).unwrap_or(i64::MAX);
        let give_up = latest.unwrap_or_else(|| self.run.clock.now().plus_ms(patience_ms));
        loop {
            let Some(identical) = self.run.ledger.identical_request(self.job.facts.key, &request.digest()).await?
            else {
                return Ok(true);
            };
            let now = self.run.clock.now();
            let is_being_made = identical.open && !identical.awaiting;
            let past = if is_being_made {
                now.plus_ms(IDENTICAL_LOOK_MS)
            } else {
                identical.last_at.plus_ms(endpoint.window_ms())
            };
            let left_ms = u64::try_from(past.min(give_up).since_ms(now)).unwrap_or(0);
            if left_ms == 0 {
                return Ok(true);
            }
            if !self.unless_draining(self.run.clock.sleep_ms(left_ms)).await {
                return Ok(false);
            }
        }
    }

    /// The host's turn for what is paid. A run that ends does not sit out the wish of a host to be left alone, unless a
    /// credential would not live to see the next run.
    async fn turn(&self, url: &url::Url, class: Class, latest: Option<UnixMs>) -> bool {
        let (pace, clock) = (&self.shared.pace, self.run.clock);
        let drained_and_blocked = async {
            self.run.control.until_draining().await;
            while latest.is_some() || pace.blocked_until(url, clock.now()).is_none() {
                clock.sleep_ms(DRAIN_LOOK_MS).await;
            }
        };
        tokio::select! {
            biased;
            () = pace.turn(clock, url, class, latest) => true,
            () = drained_and_blocked => false,
        }
    }

    /// The exact request: as it was asked, or as the intent holds it.
    async fn request(&mut self, payment: PaymentKey) -> Result<Rc<Request>, LedgerError> {
        match self.request.take() {
            Some(request) => Ok(request),
            None => {
                let request = self.run.ledger.request(payment).await?;
                Ok(Rc::new(request.bypassing(self.bypass.take())))
            }
        }
    }

    /// Polls; once more with the credential where the address stands behind the same gate. It is never paid for. None as
    /// for a redeem.
    pub(super) async fn poll(
        &mut self,
        purchase: &PaidPurchase,
        url: &url::Url,
    ) -> Result<Option<HttpResult>, LedgerError> {
        let headers = purchase.intent().headers();
        if self.is_home(url) && self.withholds(purchase, headers, url).await? {
            return Ok(None);
        }
        Ok(self.poll_with(purchase.credential(), headers, url).await)
    }

    /// Whether an address is at the seller's own origin.
    fn is_home(&self, url: &url::Url) -> bool {
        origin::is_own_origin(url, &self.job.facts.endpoint.url)
    }

    /// The same of what another job's token serves: it was asked for in this run, with the headers of its table.
    pub(super) async fn poll_served(&mut self, token: &ReusableToken, url: &url::Url) -> Option<HttpResult> {
        let endpoint = Arc::clone(&self.job.facts.endpoint);
        self.poll_with(token.credential(), &endpoint.headers, url).await
    }

    async fn poll_with(&mut self, credential: &Credential, headers: &[Header], url: &url::Url) -> Option<HttpResult> {
        let is_home = self.is_home(url);
        let credential = Some(credential).filter(|_| is_home);
        // What a request is told apart by, its poll is as well; elsewhere nobody knows these.
        let headers = if is_home { headers } else { &[] };
        if !self.turn(url, Class::Poll, None).await {
            return None;
        }
        let mut answer = self.run.origin.poll(url, headers, credential.filter(|_| self.gated)).await;
        if credential.is_some() && !self.gated && matches!(&answer, Ok(answer) if is_gate(answer)) {
            if !self.turn(url, Class::Poll, None).await {
                return None;
            }
            answer = self.run.origin.poll(url, headers, credential).await;
            self.gated = matches!(&answer, Ok(answer) if !is_gate(answer));
        }
        match &answer {
            Ok(answer) => {
                self.shared.silent.borrow_mut().remove(url.authority());
                self.heed_url(url, answer, POLL_RETRY_AFTER_MS_MAX, self.run.clock.now());
            }
            Err(failure) => self.say_silent(url, failure),
        }
        Some(answer)
    }

    /// Polls that come to nothing change no job: without a word a run would seem to stand still.
    fn say_silent(&self, url: &url::Url, failure: &HttpFailure) {
        if self.shared.silent.borrow_mut().insert(url.authority().to_owned()) {
            let host = url.host_str().unwrap_or_default();
            let message = format!("{host} does not answer for what it works on: {failure}; it is asked again");
            self.run.listener.hear(&Event::Warning { message });
        }
    }

    pub(super) fn heed(&self, request: &Request, answer: &HttpAnswer, now: UnixMs) {
        self.heed_url(&request.url, answer, u64::MAX, now);
    }

    /// 429 and 503 slow that host, and that host only, for no longer than so many milliseconds of what it asks for.
    fn heed_url(&self, url: &url::Url, answer: &HttpAnswer, after_ms_max: u64, now: UnixMs) {
        match answer.status {
            429 | 503 => {
                let after_ms = origin::retry_after_ms(answer).map(|ms| ms.min(after_ms_max));
                self.shared.pace.slow_down(url, now, after_ms);
            }
            _ => self.shared.pace.well(url, now),
        }
    }
}

/// An answer that asks for a credential.
const fn is_gate(answer: &HttpAnswer) -> bool {
    matches!(answer.status, 401 | 402)
}
