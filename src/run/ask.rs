//! Asks for a challenge and checks it: apart from its identical requests, at the host's pace, and no earlier than a payment slot
//! is free or soon will be.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::catalog::{DedupPolicy, Value, origin_of};
use crate::error::Hinted;
use crate::event::Event;
use crate::l402::{CheckedChallenge, Expected, Refusal, check, check_body};
use crate::ledger::{IdenticalRequest, Ledger, LedgerError, NewIntent, PendingJob, Record, ReusableToken, Reuse};
use crate::manifest::image::{self, ImageProblem};
use crate::origin::{self, HttpFailure, Origin, challenged_in, read_ask};
use crate::payer::{NodeProblem, Payer, PaymentHistory, ProblemKind};
use crate::purchase::{HttpAnswer, Reason, Request};
use crate::time::UnixMs;

use super::Clock;
use super::bounds::Buying;
use super::drive::Driver;
use super::tokens::Seat;
use crate::life::{Asked, SentWith, origin_job_limit_words};

/// An invoice must live at least this long for its payment to finish.
const INVOICE_LIFE_MS_MIN: i64 = 30_000;
/// A challenge that has waited for a payment slot for longer than this is asked for anew: from it on its credential lives, and not every
/// service lets it live for minutes.
const CHALLENGE_AGE_MS_MAX: i64 = 1_000;
/// Where one came too late, payments take so long (or invoices live so short) that those that stand in line would all be asked for twice:
/// for this many milliseconds nothing is asked for without a slot in hand.
const SLOTS_FIRST_MS: i64 = 120_000;
/// Another process's identical purchase is asked about again after this long.
const IDENTICAL_POLL_MS: u64 = 5_000;
/// Before each question for a node's newest settled payment that is answered in a way nobody understands: so many milliseconds.
const SETTLEMENT_PAUSES_MS: [u64; 3] = [0, 1_000, 2_000];

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Driver<'_, L, P, O, C> {
    /// Asks for a challenge, checks it, and takes a payment slot for it. No more are asked for than can soon be paid:
    /// credentials live ten minutes.
    pub(super) async fn ask(&mut self) -> Result<Asked, LedgerError> {
        let Some(pending) = self.job.pending.take() else { return Ok(Asked::NotAdmitted) };
        let mut asked = self.ask_for(&pending).await;
        self.job.pending = Some(pending);
        // A challenge without an intent is no money: what came after the last word of the run is dropped.
        if matches!(asked, Ok(Asked::Ready(_) | Asked::Retry { .. })) && self.is_over() {
            asked = Ok(Asked::NotAdmitted);
        }
        if !matches!(asked, Ok(Asked::Ready(_))) {
            self.leave_slot();
        }
        asked
    }

    /// What the job asks for, once it may be asked for; or else what comes of it.
    async fn request_for(&mut self, pending: &PendingJob) -> Result<Result<Rc<Request>, Asked>, LedgerError> {
        if let Some(asked) = self.not_at_all(pending) {
            return Ok(Err(asked));
        }
        let has_pictures = pending.params.iter().any(|(_, value)| matches!(value, Value::Image(_)));
        // Pictures take time and room: none are read for a job before it may be asked for.
        if has_pictures && !self.take_permit(pending).await? {
            return Ok(Err(self.not_now()));
        }
        let request = match self.build(pending, has_pictures).await {
            Ok(request) => Rc::new(request),
            Err(asked) => return Ok(Err(asked)),
        };
        if let Some(refused) = self.bought_elsewhere(pending, &request).await? {
            return Ok(Err(refused));
        }
        if pending.endpoint.dedup_policy() != DedupPolicy::Never
            && let Some(waits) = self.waits_for_identical(pending, &request).await?
        {
            return Ok(Err(waits));
        }
        Ok(Ok(request))
    }

    async fn ask_for(&mut self, pending: &PendingJob) -> Result<Asked, LedgerError> {
        let request = match self.request_for(pending).await? {
            Ok(request) => request,
            Err(asked) => return Ok(asked),
        };
        let Some(buying) = &self.shared.buying else { return Ok(Asked::NotAdmitted) };
        loop {
            if !self.permit_and_turn(pending, &request).await? {
                return Ok(self.not_now());
            }
            if let Some(asked) = self.not_at_all(pending) {
                return Ok(asked);
            }
            let reuse = match self.seat(pending) {
                Seat::With(token) => match self.ask_with(pending, &request, &token).await {
                    Some(asked) => return Ok(asked),
                    // Refused: who asks next, with what, is looked at anew.
                    None => continue,
                },
                Seat::Buys { after } => pending.endpoint.is_reusable().then_some(Reuse { after }),
                Seat::Later => return Ok(Asked::Later),
            };
            self.asked = true;
            let answer = self.run.origin.ask(&request, challenged_in(&pending.endpoint)).await;
            if !self.shared.node_health.is_open() {
                // The node fell into trouble meanwhile, or nothing more is bought: this challenge cannot be paid soon, and is dropped.
                self.leave_slot();
                continue;
            }
            let now = self.run.clock.now();
            let answer = match answer {
                Ok(answer) => answer,
                Err(HttpFailure::BodyUnread(words)) => return Ok(self.buy_nothing_more(&words)),
                Err(failure @ HttpFailure::Repeats) => {
                    return Ok(Asked::Refused(Reason::ChallengeInvalid, failure.to_string()));
                }
                Err(failure) => return Ok(unanswered(&failure)),
            };
            self.heed(&request, &answer, now);
            let checked = match self.challenge(pending, (&request, &answer), buying, now) {
                Ok(checked) => checked,
                Err(asked) => return Ok(asked),
            };
            match self.slot_for(pending, &checked, now).await? {
                Slot::Taken => {
                    let mut intent = self.intent(pending, &request, checked, buying, now);
                    intent.reuse = reuse;
                    self.request = Some(request);
                    return Ok(Asked::Ready(Box::new(intent)));
                }
                Slot::TakenLate => {}
                Slot::Unusable => self.leave_slot(),
                Slot::HeldBack => return Ok(Asked::Later),
                Slot::Over => return Ok(Asked::NotAdmitted),
            }
        }
    }

    /// How the job may ask: most endpoints sell a token for each.
    fn seat(&self, pending: &PendingJob) -> Seat {
        if pending.endpoint.is_reusable() { self.shared.tokens.seat(pending) } else { Seat::Buys { after: None } }
    }

    /// Asks with another job's token, which costs nothing. None: the origin refuses it.
    async fn ask_with(&mut self, pending: &PendingJob, request: &Request, token: &ReusableToken) -> Option<Asked> {
        self.asked = true;
        // It is no purchase: whoever buys may take its place.
        self.leave_slot();
        self.shared.bounds.end(pending.key);
        let answer = match self.run.origin.redeem(request, token.credential()).await {
            Ok(answer) => answer,
            // What came of a success is kept like a whole one.
            Err(HttpFailure::Cut(answer, why)) => answer.cut(&why),
            Err(HttpFailure::BodyUnread(words)) => return Some(self.buy_nothing_more(&words)),
            Err(failure) => return Some(unanswered(&failure)),
        };
        self.heed(request, &answer, self.run.clock.now());
        match (answer.status, read_ask(&answer, &pending.endpoint)) {
            (200..=299, _) => {
                let sent = SentWith { token: token.clone(), request: request.digest() };
                Some(Asked::Served(Box::new(sent), answer))
            }
            (401 | 402, _) | (_, origin::ChallengeResponse::Challenge(_)) => {
                self.shared.tokens.refused(pending, token.payment());
                None
            }
            (_, origin::ChallengeResponse::Refused { reason, message }) => Some(Asked::Refused(reason, message)),
            (_, origin::ChallengeResponse::Retry { after_ms, reason, message }) => {
                Some(Asked::Retry { after_ms, reason, message })
            }
        }
    }

    /// What comes of a job that is not asked for in this run: it costs too much, or others of its rate were refused, maybe while it stood in line.
    fn not_at_all(&self, pending: &PendingJob) -> Option<Asked> {
        let above = pending.above_its_limit().or_else(|| {
            let most = self.run.settings.budget.origin(&origin_of(&pending.endpoint.url)).job?;
            let cost = pending.most();
            (cost > most).then(|| origin_job_limit_words(cost, most))
        });
        above.map(|words| Asked::Refused(Reason::JobLimit, words)).or_else(|| {
            let words = self.shared.price_refusals.shut(pending)?;
            Some(Asked::Pending(Reason::PriceChanged, words))
        })
    }

    /// What comes of a job that may not begin now.
    const fn not_now(&self) -> Asked {
        if self.later { Asked::Later } else { Asked::NotAdmitted }
    }

    /// A payment slot for a challenge of that time. Until one is free, others pay.
    async fn slot_for(
        &mut self,
        pending: &PendingJob,
        checked: &CheckedChallenge,
        asked_at: UnixMs,
    ) -> Result<Slot, LedgerError> {
        if self.slot.is_some() {
            return Ok(Slot::Taken);
        }
        self.take_slot().await;
        let now = self.run.clock.now();
        let ends_at = checked.expires_at().plus_ms(-INVOICE_LIFE_MS_MIN).plus_ms(-self.shared.node_ahead_ms.get());
        Ok(if self.slot.is_none() {
            Slot::Over
        } else if !self.shared.node_health.is_open() {
            Slot::Unusable
        } else if now > asked_at.plus_ms(CHALLENGE_AGE_MS_MAX).min(ends_at) {
            self.shared.slots_first_until.set(now.plus_ms(SLOTS_FIRST_MS));
            Slot::TakenLate
        } else if self.left_open != self.shared.bounds.left_open()
            && self.run.held_back(self.shared, pending).await?.is_some()
        {
            Slot::HeldBack
        } else {
            Slot::Taken
        })
    }

    /// A payment slot; none once nothing begins any more.
    async fn take_slot(&mut self) {
        let mut slot = None;
        self.unless_over(async { slot = self.shared.slots.acquire().await.ok() }).await;
        self.slot = slot;
    }

    /// The exact request. One with pictures is built off the run's own thread, a few at a time, and no large body stays in
    /// memory: jobs may wait for long.
    async fn build(&self, pending: &PendingJob, has_pictures: bool) -> Result<Request, Asked> {
        if !has_pictures {
            return Request::build(&pending.endpoint, &pending.params, image::read).map_err(|p| image_refusal(&p));
        }
        let mut one_of_few = None;
        if !self.unless_over(async { one_of_few = self.shared.builders.acquire().await.ok() }).await {
            return Err(Asked::NotAdmitted);
        }
        let (endpoint, params) = (Arc::clone(&pending.endpoint), pending.params.clone());
        let folder = self.run.ledger.body_folder();
        let place = folder.as_ref().map(|folder| folder.path().display().to_string()).unwrap_or_default();
        let build = move || match folder {
            Some(folder) => Request::build_in(&folder, &endpoint, &params, image::read),
            None => Request::build(&endpoint, &params, image::read).map(Ok),
        };
        let built = tokio::task::spawn_blocking(build).await;
        drop(one_of_few);
        match built.unwrap_or_else(|error| Ok(Err(io::Error::other(error)))) {
            Ok(Ok(request)) => Ok(request),
            Ok(Err(error)) => Err(self.buy_nothing_more(&format!("{place}: {error}"))),
            Err(problem) => Err(image_refusal(&problem)),
        }
    }

    /// A body that cannot be kept costs nobody anything: its job stays as it is, and what is paid goes on to its end.
    fn buy_nothing_more(&self, words: &str) -> Asked {
        if !self.is_over() {
            self.shared.node_health.shut();
            let cause =
                format!("a request cannot be kept until it is sent: {words}; nothing more is bought in this run");
            self.run.listener.hear(&Event::Paused { cause });
        }
        Asked::NotAdmitted
    }

    /// Looks, before anything is asked, whether the purchase is made already under another name; the intent looks again.
    async fn bought_elsewhere(&self, pending: &PendingJob, request: &Request) -> Result<Option<Asked>, LedgerError> {
        let Some(Buying { node, .. }) = &self.shared.buying else { return Ok(None) };
        let found = self.run.ledger.bought_elsewhere(pending.key, &request.digest(), node.network).await?;
        Ok(found.map(|original| Asked::Refused(Reason::Duplicate, original.words())))
    }

    /// The checked challenge in an answer; or else what comes of it.
    fn challenge(
        &self,
        pending: &PendingJob,
        (request, answer): (&Request, &HttpAnswer),
        buying: &Buying,
        now: UnixMs,
    ) -> Result<CheckedChallenge, Asked> {
        let challenge = match read_ask(answer, &pending.endpoint) {
            origin::ChallengeResponse::Challenge(challenge) => challenge,
            origin::ChallengeResponse::Refused { reason, message } => return Err(Asked::Refused(reason, message)),
            origin::ChallengeResponse::Retry { after_ms, reason, message } => {
                return Err(Asked::Retry { after_ms, reason, message });
            }
        };
        let expected = Expected {
            price: pending.price,
            is_cap: pending.endpoint.price.is_cap,
            is_exact: self.run.settings.exact_price,
            network: buying.node.network,
            now: now.plus_ms(self.shared.node_ahead_ms.get()),
            min_lifetime_ms: INVOICE_LIFE_MS_MIN,
            max_lifetime_ms: self.run.settings.invoice_life_ms_max,
        };
        let fits = check_body(&challenge, || request.body().sha256());
        let checked = fits.and_then(|()| check(challenge, &expected));
        match &checked {
            Ok(_) => self.shared.price_refusals.admitted(pending),
            Err(Refusal::PriceChanged { asked, .. } | Refusal::AboveCap { asked, .. }) => {
                if let Some(message) = self.shared.price_refusals.refused(pending, *asked) {
                    self.run.listener.hear(&Event::Warning { message });
                }
            }
            Err(_) => {}
        }
        checked.map_err(|refusal| Asked::Refused(Reason::from(&refusal), refusal.told()))
    }

    fn intent(
        &self,
        pending: &PendingJob,
        request: &Request,
        checked: CheckedChallenge,
        buying: &Buying,
        asked_at: UnixMs,
    ) -> NewIntent {
        let (challenge, invoice) = checked.into_parts();
        NewIntent {
            job: pending.key,
            request: request.clone(),
            endpoint_url: pending.endpoint.url.clone(),
            dedup: pending.endpoint.dedup_policy(),
            scheme: challenge.scheme,
            token: challenge.token,
            challenge: challenge.params,
            invoice: challenge.invoice,
            hash: invoice.hash,
            amount: invoice.amount,
            // Of what is paid, which may be less than the plan says.
            fee_limit: self
                .run
                .settings
                .fees
                .fee_ceiling(invoice.amount)
                .map_or(pending.fee_ceiling, |most| pending.fee_ceiling.min(most)),
            payee: invoice.payee,
            network: invoice.network,
            node: buying.node.id.clone(),
            invoice_expires_at: invoice.expires_at,
            credential_expires_at: asked_at.plus_ms(self.run.settings.credential_life_ms),
            caps: self.run.settings.budget.caps_at(self.run.clock.now(), &pending.endpoint.url),
            bounds: buying.bounds,
            reuse: None,
        }
    }

    /// Identical requests of other batches and processes: none of them open, and the window since the last one over: then
    /// nothing. An open one is waited for only so long: nobody may ever carry its batch on.
    async fn waits_for_identical(
        &mut self,
        pending: &PendingJob,
        request: &Request,
    ) -> Result<Option<Asked>, LedgerError> {
        let (apart, window_ms) = (pending.endpoint.dedup_policy(), pending.endpoint.window_ms());
        let wait_ms = i64::try_from(self.run.settings.wait_doubt_ms).unwrap_or(i64::MAX);
        let patience_ends = self.run.clock.now().plus_ms(wait_ms.max(window_ms));
        loop {
            let Some(identical) = self.run.ledger.identical_request(pending.key, &request.digest()).await? else {
                return Ok(None);
            };
            let (in_the_way, left_ms) =
                (identical.is_in_the_way(apart), identical.window_left_ms(apart, self.run.clock.now()));
            if !in_the_way && left_ms == 0 {
                return Ok(None);
            }
            if in_the_way && self.run.clock.now() >= patience_ends {
                return Ok(Some(waits_for(&identical)));
            }
            // Another job may be asked for meanwhile, and may begin.
            self.leave_slot();
            self.shared.bounds.end(pending.key);
            let wait_ms = if in_the_way { IDENTICAL_POLL_MS.max(left_ms) } else { left_ms };
            if !self.unless_over(self.run.clock.sleep_ms(wait_ms)).await {
                return Ok(Some(if in_the_way { waits_for(&identical) } else { Asked::NotAdmitted }));
            }
        }
    }

    /// The permit to ask and the host's turn, both at once. Nobody sits on a permit while a host wants to be left alone:
    /// they belong to all hosts.
    async fn permit_and_turn(&mut self, pending: &PendingJob, request: &Request) -> Result<bool, LedgerError> {
        let (clock, pace) = (self.run.clock, &self.shared.pace);
        loop {
            if pace.blocked_until(&request.url, clock.now()).is_some() {
                self.leave_slot();
                if !self.asked {
                    self.later = true;
                    return Ok(false);
                }
                if !self.unless_over(pace.unblocked(clock, &request.url)).await {
                    return Ok(false);
                }
            }
            if !self.take_permit(pending).await? {
                return Ok(false);
            }
            if !self.keep_settlement().await? {
                self.leave_slot();
                continue;
            }
            let mut its_turn = false;
            if !self.unless_over(async { its_turn = pace.ask_turn(clock, &request.url).await }).await {
                return Ok(false);
            }
            if its_turn {
                return Ok(true);
            }
            self.leave_slot();
        }
    }

    /// The permit to ask, with the node ready to pay, and nothing that holds the purchase back.
    async fn take_permit(&mut self, pending: &PendingJob) -> Result<bool, LedgerError> {
        let key = self.job.facts.key;
        if self.permit.is_none() {
            let mut permit = None;
            if !self.unless_over(async { permit = self.shared.may_ask(key).await }).await {
                return Ok(false);
            }
            self.permit = permit;
        }
        if self.slot.is_none() && self.run.clock.now() < self.shared.slots_first_until.get() {
            self.take_slot().await;
            if self.slot.is_none() {
                return Ok(false);
            }
        }
        if self.permit.is_none() || self.shared.limit_hit.borrow().is_some() {
            return Ok(false);
        }
        self.shared.bounds.begin(key, &pending.endpoint);
        self.left_open = self.shared.bounds.left_open();
        self.later = self.run.held_back(self.shared, pending).await?.is_some();
        Ok(!self.later)
    }

    /// Before the first intent at a node its newest settled payment is kept, whoever made it: only a node that still knows it can
    /// say later that it does not know one of ours. One that has none, or shows nobody what it has, is left without. False: it
    /// cannot be asked now, and admission pauses.
    async fn keep_settlement(&self) -> Result<bool, LedgerError> {
        let (Some(Buying { node, .. }), Some(payer)) = (&self.shared.buying, self.run.payer) else { return Ok(true) };
        if self.shared.has_asked_for_settlement.get() {
            return Ok(true);
        }
        if let Some(history) = payer.history()
            && !self.run.ledger.knows_settlement(&node.id).await?
        {
            for pause_ms in SETTLEMENT_PAUSES_MS {
                self.run.clock.sleep_ms(pause_ms).await;
                match history.newest_settled().await {
                    Ok(None) | Err(NodeProblem { kind: ProblemKind::Denied(_), .. }) => break,
                    Ok(Some(hash)) => {
                        let record = Record::KeptSettlement { node: node.id.clone(), hash };
                        self.run.ledger.commit(self.run.clock.now(), record).await?;
                        break;
                    }
                    Err(NodeProblem { kind: ProblemKind::Other(_), .. }) => {}
                    Err(problem) => {
                        self.heed_problem(&problem);
                        return Ok(false);
                    }
                }
            }
        }
        self.shared.has_asked_for_settlement.set(true);
        Ok(true)
    }
}

/// What came of waiting for a payment slot with a challenge.
enum Slot {
    /// It has one, and can be paid for at once.
    Taken,
    /// It has one, and is asked for anew: the challenge is too old.
    TakenLate,
    /// The node cannot pay now: the challenge is dropped.
    Unusable,
    /// A payment was left open meanwhile, and for this one there is no room.
    HeldBack,
    /// Nothing begins any more.
    Over,
}

/// The origin gave no answer.
fn unanswered(failure: &HttpFailure) -> Asked {
    let hint = match failure {
        HttpFailure::Redirect(_) => "; where that address is right, the endpoint's url has to name it",
        HttpFailure::NotSent(_)
        | HttpFailure::Withheld(_)
        | HttpFailure::Repeats
        | HttpFailure::BodyUnread(_)
        | HttpFailure::NoAnswer(_)
        | HttpFailure::TooLarge(_)
        | HttpFailure::Cut(..) => "",
    };
    Asked::Retry { after_ms: None, reason: Reason::OriginUnreachable, message: format!("{failure}{hint}") }
}

/// The job waits for the identical request of another one.
fn waits_for(identical: &IdenticalRequest) -> Asked {
    let message = format!(
        "job {} of batch {} sends the identical request and is still open: this one is bought once that one is delivered, or \
         at its end",
        identical.id, identical.batch
    );
    Asked::Pending(Reason::IdenticalRequest, message)
}

fn image_refusal(problem: &ImageProblem) -> Asked {
    let reason = match problem {
        ImageProblem::Unreadable(_) => Reason::ImageUnreadable,
        ImageProblem::Changed => Reason::ImageChanged,
    };
    Asked::Refused(reason, problem.told())
}
