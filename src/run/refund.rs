//! Claims refunds through the node that paid (LUD-03): ask what may be withdrawn, make an invoice, hand it over, and look at
//! our own node whether it is paid.
//!
//! For each refund there is one invoice, ever. It is durable before it is handed over; whatever the other side then says, or
//! does not say, is answered by looking that invoice up, and by handing over the same one again. A node takes money for an
//! invoice once, so that nothing of this can go wrong twice.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use url::Url;

use crate::event::{Event, JobEvent};
use crate::l402::Invoice;
use crate::ledger::{
    DurableInvoice, JobState, Ledger, LedgerError, Next, OpenRefund, PaymentKey, Reason, Record, RefundInvoice,
    RefundRecord,
};
use crate::money::Msat;
use crate::origin::lnurl::{self, Withdraw};
use crate::origin::{self, HttpFailure, Origin};
use crate::payer::{InvoiceOrder, InvoiceState, MadeInvoice, NodeProblem, Payer, Rights};
use crate::time::UnixMs;

use super::drive::Shared;
use super::{Clock, Run};

/// Refunds that are claimed at once.
const CLAIMS_MAX: usize = 8;
/// Times that a run tries to claim one.
const TRIES_MAX: u32 = 4;
/// The pause before the second try; each further one is twice as long.
const PAUSE_MS: u64 = 2_000;
/// How long a run looks for money that was promised; the next one looks again.
const WATCH_MS: i64 = 60_000;
/// Looks at an invoice that are taken, a second apart, where nobody waits any longer, or where nothing was promised.
const LOOKS_MIN: u32 = 3;
const LOOK_MS_MIN: u64 = 1_000;
const LOOK_MS_MAX: u64 = 8_000;
/// How long an invoice can be paid. There is no second one, so that it has to live longer than anybody is away.
const EXPIRY_S: u64 = 30 * 24 * 3_600;
/// What has not come for so long is a person's matter: it is looked for all the same.
const OVERDUE_MS: i64 = 24 * 3_600_000;
/// A node that cancels what has expired gets so long for it.
const EXPIRY_MARGIN_MS: i64 = 600_000;

/// The refunds of a run that are still to be claimed.
#[derive(Default)]
pub(super) struct Claims {
    waiting: RefCell<VecDeque<(PaymentKey, Offer)>>,
    handed_over: RefCell<Vec<PaymentKey>>,
    under_way: Cell<usize>,
}

/// When a refund was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    Earlier,
    InThisRun,
    /// Claimed in this run, and to be looked for once more.
    Claimed,
}

/// A place among the claims, given back when dropped.
struct Place<'a>(&'a Shared);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.claims.under_way.set(self.0.claims.under_way.get().saturating_sub(1));
        self.0.stirred.notify_one();
    }
}

impl Claims {
    /// Offers of earlier runs.
    pub(super) fn found(&self, payments: Vec<PaymentKey>) {
        self.waiting.borrow_mut().extend(payments.into_iter().map(|payment| (payment, Offer::Earlier)));
    }

    /// An offer that has just been made.
    pub(super) fn offered(&self, payment: PaymentKey) {
        self.waiting.borrow_mut().push_back((payment, Offer::InThisRun));
    }

    /// At the end of the run, what it has claimed is looked for once more. Whether there is any such.
    pub(super) fn look_again(&self) -> bool {
        let handed_over = self.handed_over.take();
        let any = !handed_over.is_empty();
        self.waiting.borrow_mut().extend(handed_over.into_iter().map(|payment| (payment, Offer::Claimed)));
        any
    }

    /// Leaves what earlier runs have left to the next one: what was offered in this run is claimed once in any case.
    pub(super) fn only_new(&self) {
        self.waiting.borrow_mut().retain(|(_, offer)| *offer == Offer::InThisRun);
    }

    pub(super) const fn under_way(&self) -> usize {
        self.under_way.get()
    }

    fn next(&self) -> Option<(PaymentKey, Offer)> {
        if self.under_way.get() >= CLAIMS_MAX {
            return None;
        }
        let next = self.waiting.borrow_mut().pop_front()?;
        self.under_way.set(self.under_way.get().saturating_add(1));
        Some(next)
    }
}

/// What follows a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing more in this run.
    Done,
    /// Another try.
    Again,
}

/// One refund that is being claimed.
struct Claim<'r, L, P, O, C> {
    run: &'r Run<'r, L, P, O, C>,
    shared: &'r Shared,
    payer: &'r P,
    refund: OpenRefund,
}

impl<'a, L: Ledger, P: Payer, O: Origin, C: Clock> Run<'a, L, P, O, C> {
    /// The next refund to claim, where there is room; the future claims it.
    pub(super) fn next_claim<'r>(
        &'r self,
        shared: &'r Shared,
    ) -> Option<impl Future<Output = Result<(), LedgerError>> + use<'r, 'a, L, P, O, C>> {
        let payer = self.payer?;
        let (payment, offer) = shared.claims.next()?;
        let place = Place(shared);
        Some(async move {
            let _place = place;
            let Some(refund) = self.ledger.refund(payment).await? else { return Ok(()) };
            let claim = Claim { run: self, shared, payer, refund };
            if offer == Offer::Claimed { claim.look_again().await } else { claim.claim().await }
        })
    }
}

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Claim<'_, L, P, O, C> {
    async fn claim(mut self) -> Result<(), LedgerError> {
        for tries in 0..TRIES_MAX {
            if self.attempt().await? == Step::Done {
                break;
            }
            if tries + 1 < TRIES_MAX && !self.pause(PAUSE_MS.saturating_mul(1 << tries)).await {
                break;
            }
        }
        if self.refund.invoice.is_some() {
            self.shared.claims.handed_over.borrow_mut().push(self.refund.payment);
        }
        Ok(())
    }

    /// A last look of this run, which says nothing where nothing has come.
    async fn look_again(mut self) -> Result<(), LedgerError> {
        if let (Some(invoice), Ok(())) = (self.refund.invoice.clone(), self.is_payers_node().await) {
            self.look(&invoice).await?;
        }
        Ok(())
    }

    /// One try, from whatever is durable.
    async fn attempt(&mut self) -> Result<Step, LedgerError> {
        if let Err((reason, words)) = self.is_payers_node().await {
            return self.waits(reason, words, Step::Again).await;
        }
        let known = self.refund.invoice.clone();
        if let Some(invoice) = &known {
            match self.look(invoice).await? {
                Looked::Over => return Ok(Step::Done),
                Looked::Open => {}
                Looked::Waits(reason, words) => return self.waits(reason, words, Step::Done).await,
            }
        }
        let (withdraw, host) = match (self.ask().await, &known) {
            (Ok(asked), _) => asked,
            (Err(refusal), None) => return self.refused(refusal).await,
            // What was handed over may be on its way: whoever has taken it, offers nothing any more.
            (Err(refusal), Some(invoice)) => {
                let step = refusal.step();
                return self.watch(invoice, refusal.words(), false, step).await;
            }
        };
        let invoice = match known {
            Some(invoice) => self.again(invoice, &withdraw).await?,
            None => self.first(&withdraw).await?,
        };
        let invoice = match invoice {
            Ok(invoice) => invoice,
            Err((reason, words)) => return self.waits(reason, words, Step::Done).await,
        };
        match self.hand_over(&withdraw, &invoice).await {
            Ok(()) => self.watch(&invoice, format!("{host} has taken it"), true, Step::Done).await,
            Err(why) => self.watch(&invoice, format!("{host} says: {why}"), false, Step::Again).await,
        }
    }

    /// Only the node that paid is asked to receive: it is the one whose books show both.
    async fn is_payers_node(&self) -> Result<(), (Reason, String)> {
        let node = self.payer.node().await.map_err(|problem| (self.reason(), problem.to_string()))?;
        let invoice_node = self.refund.invoice.as_ref().map(DurableInvoice::node);
        if node.id != self.refund.node || invoice_node.is_some_and(|made| *made != node.id) {
            let words = format!("node {} has paid and is to receive the refund: name that one", self.refund.node.0);
            return Err((self.reason(), words));
        }
        if node.network == self.refund.network {
            Ok(())
        } else {
            Err((self.reason(), format!("it was paid on {}, and the node is on {}", self.refund.network, node.network)))
        }
    }

    /// How it stands where nothing new was learnt.
    const fn reason(&self) -> Reason {
        match self.refund.reason {
            Reason::RefundPending | Reason::RefundFailed => self.refund.reason,
            _ if self.refund.invoice.is_some() => Reason::RefundPending,
            _ => Reason::RefundOffered,
        }
    }

    /// How it stands while its invoice is not paid.
    fn pending(&self) -> Reason {
        self.refund.invoice.as_ref().map_or(Reason::RefundPending, |invoice| pending(invoice, self.run.clock.now()))
    }

    /// Our own node's word on the invoice; what is final is recorded.
    async fn look(&mut self, invoice: &DurableInvoice) -> Result<Looked, LedgerError> {
        let expired = self.run.clock.now() > invoice.expires_at().plus_ms(EXPIRY_MARGIN_MS);
        let pending = |words: &str| Looked::Waits(pending(invoice, self.run.clock.now()), words.to_owned());
        Ok(match self.payer.invoice(invoice.hash()).await {
            Ok(InvoiceState::Settled { received }) => {
                self.settled(received).await?;
                Looked::Over
            }
            Ok(InvoiceState::Canceled) => {
                self.expired("the invoice for it has expired unpaid, and there is never a second one").await?;
                Looked::Over
            }
            Ok(InvoiceState::Unknown) if expired => {
                self.expired("the node has forgotten the invoice for it, which has expired").await?;
                Looked::Over
            }
            Ok(InvoiceState::Open) if expired => pending("the invoice has expired, and the node has still to say so"),
            Ok(InvoiceState::Open) => Looked::Open,
            Ok(InvoiceState::Unknown) => pending("the node does not know the invoice that it made: was it restored?"),
            Err(problem) => {
                let (reason, words) = self.of_node(&problem);
                Looked::Waits(reason, words)
            }
        })
    }

    fn of_node(&self, problem: &NodeProblem) -> (Reason, String) {
        match problem {
            // The same macaroon was good for the question who the node is.
            NodeProblem::Macaroon(_) => (
                Reason::RefundNotPermitted,
                format!(
                    "the macaroon does not let the node make and look up invoices, which receiving takes; bake one that \
                     does: {}",
                    Rights::bake_command(Some(self.refund.network))
                ),
            ),
            problem => (self.reason(), problem.to_string()),
        }
    }

    /// What may be withdrawn now.
    async fn ask(&self) -> Result<(Withdraw, String), Refusal> {
        let seller = &self.refund.seller;
        let url = lnurl::link_url(&self.refund.link, seller).map_err(Refusal::No)?;
        let answer = self.get(&url).await?;
        let no = |words: String| Refusal::No(lnurl::discreet(&words, &url));
        let withdraw = lnurl::read_withdraw(&answer, &url, seller).map_err(no)?;
        Ok((withdraw, lnurl::host(&url)))
    }

    async fn get(&self, url: &Url) -> Result<origin::HttpAnswer, Refusal> {
        let (pace, clock) = (&self.shared.pace, self.run.clock);
        // Also where it says so while this one stands in line: no run waits for hours for a refund.
        if !pace.claim_turn(clock, url).await {
            let until =
                pace.blocked_until(url, clock.now()).map_or_else(String::new, |until| format!(" until {until}"));
            return Err(Refusal::Later(format!("{} wants to be left alone{until}", lnurl::host(url))));
        }
        match self.run.origin.withdraw(url, &self.refund.seller).await {
            Ok(answer) if matches!(answer.status, 429 | 503) => {
                pace.slow_down(url, clock.now(), origin::retry_after_ms(&answer));
                Err(Refusal::Later(format!("{} answers {}", lnurl::host(url), answer.status)))
            }
            Ok(answer) => Ok(answer),
            Err(failure @ (HttpFailure::NotSent(_) | HttpFailure::NoAnswer(_))) => {
                Err(Refusal::Later(format!("{}: {failure}", lnurl::host(url))))
            }
            Err(failure @ (HttpFailure::TooLarge(_) | HttpFailure::Redirect(_))) => {
                Err(Refusal::No(lnurl::discreet(&format!("{}: {failure}", lnurl::host(url)), url)))
            }
        }
    }

    async fn refused(&mut self, refusal: Refusal) -> Result<Step, LedgerError> {
        let reason = match refusal {
            Refusal::Later(_) => Reason::RefundOffered,
            Refusal::No(_) => Reason::RefundFailed,
        };
        let step = refusal.step();
        self.waits(reason, format!("the refund cannot be claimed so far: {}", refusal.words()), step).await
    }

    /// Makes the one invoice and makes it durable.
    async fn first(&mut self, withdraw: &Withdraw) -> Result<Result<DurableInvoice, (Reason, String)>, LedgerError> {
        let amount = self.refund.paid.min(withdraw.most);
        if amount == Msat::ZERO || amount < withdraw.least {
            let words = format!(
                "the refund pays out between {} and {}, which does not fit the {} that were paid",
                withdraw.least, withdraw.most, self.refund.paid
            );
            return Ok(Err((Reason::RefundFailed, words)));
        }
        let memo = format!("refund of payment {}", self.refund.hash);
        let order = InvoiceOrder { amount, memo, expiry_s: EXPIRY_S };
        let made = match self.payer.add_invoice(&order).await {
            Ok(made) => made,
            Err(problem) => return Ok(Err(self.of_node(&problem))),
        };
        // Behind one address another node may answer now: its invoice would be paid, and never found at this one.
        if let Err(why) = self.is_payers_node().await {
            return Ok(Err(why));
        }
        let read = match self.read(&made, amount) {
            Ok(read) => read,
            Err(why) => return Ok(Err((self.reason(), format!("the node's own invoice is not as ordered: {why}")))),
        };
        let invoice = RefundInvoice {
            invoice: made.invoice,
            hash: made.hash,
            amount,
            expires_at: read.expires_at,
            node: self.refund.node.clone(),
            callback: withdraw.callback.clone(),
            k1: withdraw.k1.clone(),
        };
        self.commit(RefundRecord::Invoiced(Box::new(invoice)), Reason::RefundPending, None).await?;
        // Only what the ledger hands back is handed over.
        self.refund.invoice = self.run.ledger.refund(self.refund.payment).await?.and_then(|refund| refund.invoice);
        let gone = || LedgerError::Contradiction("an invoice that was just recorded is not there".to_owned());
        Ok(Ok(self.refund.invoice.clone().ok_or_else(gone)?))
    }

    fn read(&self, made: &MadeInvoice, amount: Msat) -> Result<Invoice, String> {
        let read = Invoice::read(&made.invoice).map_err(|error| error.to_string())?;
        if read.hash != made.hash || read.amount != amount {
            return Err("it has another hash or amount".to_owned());
        }
        if read.network == self.refund.network { Ok(read) } else { Err(format!("it is on {}", read.network)) }
    }

    /// Records that the same invoice goes out once more.
    async fn again(
        &mut self,
        invoice: DurableInvoice,
        withdraw: &Withdraw,
    ) -> Result<Result<DurableInvoice, (Reason, String)>, LedgerError> {
        if invoice.amount() > withdraw.most || invoice.amount() < withdraw.least {
            let words = format!(
                "the refund now pays out between {} and {}, and the invoice that was handed over is of {}",
                withdraw.least,
                withdraw.most,
                invoice.amount()
            );
            return Ok(Err((self.pending(), words)));
        }
        let record = RefundRecord::HandedOver { callback: withdraw.callback.clone(), k1: withdraw.k1.clone() };
        self.run.ledger.commit(self.run.clock.now(), Record::Refund(self.refund.payment, record)).await?;
        Ok(Ok(invoice))
    }

    /// What the other side says to the invoice. An answer that is lost is no answer, and never a reason for another invoice.
    async fn hand_over(&self, withdraw: &Withdraw, invoice: &DurableInvoice) -> Result<(), String> {
        let url = lnurl::callback_url(&withdraw.callback, &withdraw.k1, invoice.invoice());
        let answer = self.get(&url).await.map_err(Refusal::words)?;
        lnurl::read_callback(&answer, &url).map_err(|words| lnurl::discreet(&words, &url))
    }

    /// Looks for the money: for a while where it was promised, and a few times where nothing was. `said` is the other side's
    /// word, and `step` what follows where nothing comes.
    async fn watch(
        &mut self,
        invoice: &DurableInvoice,
        said: String,
        promised: bool,
        step: Step,
    ) -> Result<Step, LedgerError> {
        let end = self.run.clock.now().plus_ms(WATCH_MS);
        let (mut looks, mut pause_ms) = (0, LOOK_MS_MIN);
        loop {
            match self.look(invoice).await? {
                Looked::Over => return Ok(Step::Done),
                Looked::Open => {}
                Looked::Waits(reason, words) => return self.waits(reason, words, Step::Done).await,
            }
            looks += 1;
            let patient = promised && self.run.clock.now() < end;
            if looks < LOOKS_MIN {
                self.run.clock.sleep_ms(LOOK_MS_MIN).await;
            } else if !patient || !self.pause(pause_ms).await {
                break;
            }
            pause_ms = pause_ms.saturating_mul(2).min(LOOK_MS_MAX);
        }
        let words = format!("the invoice was handed over and is not paid so far; {said}");
        self.waits(self.pending(), words, step).await
    }

    async fn waits(&mut self, reason: Reason, words: String, step: Step) -> Result<Step, LedgerError> {
        if self.refund.reason != reason || self.refund.words.as_ref() != Some(&words) {
            let record = RefundRecord::Waits { reason, words: words.clone() };
            self.commit(record, reason, Some(words)).await?;
        }
        Ok(step)
    }

    async fn settled(&mut self, received: Msat) -> Result<(), LedgerError> {
        let less = received < self.refund.paid;
        let words = less.then(|| format!("{received} of {} came back", self.refund.paid));
        let reason = if less { Reason::RefundPartial } else { Reason::None };
        self.commit_to(JobState::Refunded, RefundRecord::Settled { received }, reason, words, Some(received)).await
    }

    async fn expired(&mut self, words: &str) -> Result<(), LedgerError> {
        let record = RefundRecord::Expired { words: words.to_owned() };
        self.commit(record, Reason::RefundExpired, Some(words.to_owned())).await
    }

    async fn commit(&mut self, record: RefundRecord, reason: Reason, words: Option<String>) -> Result<(), LedgerError> {
        self.commit_to(JobState::RefundOffered, record, reason, words, None).await
    }

    async fn commit_to(
        &mut self,
        state: JobState,
        record: RefundRecord,
        reason: Reason,
        words: Option<String>,
        refunded: Option<Msat>,
    ) -> Result<(), LedgerError> {
        let now = self.run.clock.now();
        self.run.ledger.commit(now, Record::Refund(self.refund.payment, record)).await?;
        // What a person has given up stands so, until the money is here.
        if self.refund.state == JobState::Lost && state != JobState::Refunded {
            self.refund.words = words;
            return Ok(());
        }
        let from = std::mem::replace(&mut self.refund.state, state);
        self.refund.reason = reason;
        self.refund.words.clone_from(&words);
        self.run.listener.hear(&Event::Job(JobEvent {
            id: self.refund.id.clone(),
            take: self.refund.take,
            endpoint: self.refund.endpoint.name.clone(),
            from,
            state,
            reason,
            next: Next::of(state, reason),
            price_msat: self.refund.paid,
            fee_msat: None,
            refunded_msat: refunded,
            url: None,
            file: None,
            error: words,
            at: now,
        }));
        Ok(())
    }

    /// Waits, and says whether the run still does after it.
    async fn pause(&self, ms: u64) -> bool {
        if self.run.control.draining() || self.shared.gave_up.get() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.run.control.until_draining() => false,
            () = self.shared.give_up.notified() => false,
            () = self.run.clock.sleep_ms(ms) => true,
        }
    }
}

/// How a refund stands whose invoice is not paid.
const fn pending(invoice: &DurableInvoice, now: UnixMs) -> Reason {
    let overdue = now.since_ms(invoice.made_at()) > OVERDUE_MS;
    if overdue { Reason::RefundFailed } else { Reason::RefundPending }
}

/// What a look at the invoice showed.
enum Looked {
    /// Its end is recorded.
    Over,
    /// It is not paid, and can be.
    Open,
    /// Nothing can be done now.
    Waits(Reason, String),
}

/// Why nothing may be withdrawn now, in words without any part of the claim.
enum Refusal {
    /// It may be otherwise in a moment.
    Later(String),
    /// The other side says so, or is not trusted.
    No(String),
}

impl Refusal {
    const fn step(&self) -> Step {
        match self {
            Self::Later(_) => Step::Again,
            Self::No(_) => Step::Done,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Later(words) | Self::No(words) => words,
        }
    }
}
