//! The life of a job: `step(state, input) -> (state, effect)`, pure and exhaustive.
//!
//! The executor carries out each effect and feeds the answer back. Whatever must be durable before the next effect is an
//! effect of its own ([`Effect::Commit`]), so the order "intent, payment, preimage, redeem" is the order of the arms
//! below and of nothing else. No clock is read here: the time is part of the [`Moment`].

mod ask;
mod outcome;
mod pay;
mod poll;
mod redeem;
mod served;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod weaker;

use std::sync::Arc;

pub(super) use crate::life::pay::{death_proof, outlives_a_payment};

use crate::backoff;
use crate::catalog::Endpoint;
use crate::l402::Preimage;
use crate::ledger::{
    AnswerKey, AnswerKind, Committed, DurableIntent, JobEnd, JobKey, NewIntent, OpenJob, OpenStage, PaidPurchase,
    Posted, Record, ReusableToken,
};
use crate::origin::HttpFailure;
use crate::payer::{NodeProblem, PayFailure, Promises, SendReport, Settled};
use crate::purchase::{HttpAnswer, JobState, Poll, Reason};
use crate::time::UnixMs;

pub use ask::{Limit, limit_words, origin_job_limit_words};

/// What a job does next: the state that takes what comes of it, and the effect.
pub type Step = (State, Effect);

/// Where a job stands within this run. Each state awaits the answer to one kind of effect; one that waits for its turn is given
/// [`Input::Waited`] and begins with that effect.
#[derive(Clone, Debug)]
pub enum State {
    /// No challenge, nothing at stake: asks for one.
    Planned(Tries),
    /// The intent is durable, and a POST is under way.
    Paying(DurableIntent, Tries),
    /// The node is asked what it knows.
    Looking(DurableIntent, Tries),
    /// A person took it as lost or never paid; the node is asked once whether it settled after all.
    Abandoned(DurableIntent),
    /// Paid; the same request goes out with the credential.
    Redeeming(PaidPurchase, Tries),
    /// The origin works on it, and is polled.
    Polling(PaidPurchase, Tries, Poll),
    /// Another job's token serves it: the origin works on it, and is polled in this run. Nothing is paid for it.
    ServedPolling(Box<SentWith>, Tries, Poll),
    /// One redeem more is to follow a success, once its turn has come.
    Replaying(PaidPurchase, Tries),
    /// At its end; the node has still to post the payment, and is asked.
    Posting(PaidPurchase, Tries),
    /// A record is being made durable, and this follows.
    Committing(Then),
    /// Nothing more to do in this run.
    Done,
}

/// What follows a record, once it is durable. Where that needs nothing that the ledger hands back, it is a step decided before.
#[derive(Clone, Debug)]
pub enum Then {
    /// The step that was decided before goes on.
    Go(Box<Step>),
    /// The hash is dead by proof: this step, unless another take of the job is paid for, or may be, or nobody asks for it any more.
    Bury(Box<Step>),
    /// The intent of a checked challenge: its payment is sent, or the ledger refuses it.
    Pay(Tries),
    /// What another job's token has brought: nothing more where it is durable.
    Served(Tries),
    /// One more POST of the same invoice.
    Resend(Tries),
    /// The node has answered the POST: this is acted upon.
    Heed(Tries, Told),
    /// The preimage, or that one redeem more goes out: redeem at once.
    Redeem(Tries),
    /// An answer: only now is it interpreted (rule 6).
    Read(PaidPurchase, Tries, AnswerKind, HttpAnswer),
    /// An answer that is the result, and nothing more where that is durable; else it is interpreted, like any other.
    Result(PaidPurchase, Tries, AnswerKind, HttpAnswer),
    /// The poll address: it is polled from then on.
    Poll(Tries, Poll, UnixMs),
    /// The result, which may turn out to be another purchase's.
    Deliver(PaidPurchase, Tries, AnswerKey),
}

/// What the node told in answer to a POST, to act upon once it is durable that it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The payment failed.
    Failed(PayFailure),
    /// Look it up.
    LookUp,
}

/// How often this run has tried what. All bounded by [`Bounds`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Asks without a usable challenge.
    pub asks: u32,
    /// Payments that died.
    pub pays: u32,
    /// Times the same invoice went out again.
    pub resends: u32,
    /// Look-ups in a row that told nothing.
    pub looks: u32,
    /// Redeems that did not deliver.
    pub redeems: u32,
    /// A redeem has gone out, or may have: each further one repeats it.
    pub redeem_sent: bool,
    /// This run has heard an answer to a redeem by which a charge may be used up, though nothing was delivered.
    pub may_be_used: bool,
    /// Polls in a row that brought nothing.
    pub polls: u32,
    /// Of those, the ones that said that it failed or is not there.
    pub polls_failed: u32,
    /// What is recorded of polls that bring nothing.
    pub polls_told: Option<Reason>,
    /// Since when this run polls.
    pub polling_since: Option<UnixMs>,
    /// An invoice turned out to belong to another purchase.
    pub hash_reused: bool,
    /// The node has said that it knows the payment hash: a later "not found" means that it forgot.
    pub known: bool,
    /// Why the node refused the last POST, where the cause is the whole node's.
    pub node_cause: Option<Reason>,
}

/// What came back from an effect.
#[derive(Clone, Debug)]
pub enum Input {
    /// The job begins in this run.
    Start,
    /// What [`Effect::Wait`] gives: the time is over.
    Waited,
    /// What [`Effect::Ask`] gives: the challenge, or why there is none.
    Asked(Asked),
    /// What [`Effect::Commit`] gives: the record is durable.
    Committed(Committed),
    /// What [`Effect::Send`] gives: how the node answered the payment.
    Sent(SendReport),
    /// What [`Effect::LookUp`] and [`Effect::Track`] give: what the node says of the payment.
    LookedUp(PaymentLookup),
    /// What [`Effect::Redeem`], [`Effect::Poll`] and [`Effect::PollServed`] give: the origin's answer.
    Answer(Result<HttpAnswer, HttpFailure>),
}

/// Another job's token, and the request that went out with it.
#[derive(Clone, Debug)]
pub struct SentWith {
    /// The token.
    pub token: ReusableToken,
    /// The digest of the request ([`Request::digest`](crate::purchase::Request::digest)).
    pub request: [u8; 32],
}

/// What came of asking.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A checked challenge, with all that its intent holds.
    Ready(Box<NewIntent>),
    /// It was asked for with another job's token, and answered by a success: nothing is paid for it.
    Served(Box<SentWith>, HttpAnswer),
    /// This job cannot be bought so.
    Refused(Reason, String),
    /// Not now; the origin may say when.
    Retry {
        /// Milliseconds that the origin asks to wait.
        after_ms: Option<u64>,
        /// The reason, as results and events name it.
        reason: Reason,
        /// What the origin said, or what went wrong, in words for a person.
        message: String,
    },
    /// Nothing new is admitted any more. It was not asked for, or its challenge is dropped.
    NotAdmitted,
    /// Not now, and maybe later in this run: its host wants to be left alone, or by what endpoint, origin or node hold it may
    /// not begin. It was not asked for, or its challenge is dropped.
    Later,
    /// It stays pending in this run, for this reason.
    Pending(Reason, String),
}

/// What the node of the intent says of the payment, with its identity and history checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentLookup {
    /// What it says.
    pub fate: PaymentFate,
    /// The node's clock.
    pub node_time: Option<UnixMs>,
}

/// What was seen of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentFate {
    /// The payment is settled: the preimage has come.
    Settled(Settled),
    /// The preimage is out; parts are in flight.
    PreimageKnown(Preimage),
    /// The payment has failed: nothing was spent.
    Failed(PayFailure),
    /// It is on its way.
    InFlight,
    /// The same node, its history intact, does not know it.
    NotFound,
    /// The same node does not know it, or fails one that was sent more than once, and had settled nothing before it by which its
    /// history could be tested.
    Untestable,
    /// The node does not know payments that it has made: its "not found" means nothing.
    Forgot(String),
    /// Another node than the intent's answers.
    OtherNode(String),
    /// Nothing was learnt.
    Unknown(NodeProblem),
}

/// What the executor carries out next.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask for a challenge, check it, and take a payment slot for it.
    Ask,
    /// Make it durable.
    Commit(Box<Record>),
    /// POST the payment.
    Send(DurableIntent),
    /// Ask the node once.
    LookUp(DurableIntent),
    /// Follow the payment at the node.
    Track(DurableIntent),
    /// The same request with the credential.
    Redeem(PaidPurchase, Sending),
    /// Ask the poll address.
    Poll(PaidPurchase, Poll),
    /// Ask the poll address of what another job's token serves.
    PollServed(Box<SentWith>, Poll),
    /// Nothing until then. A run that ends does not wait.
    Wait(UnixMs, Waiting),
    /// Nothing more in this run; the ledger says how the job stands.
    Stop,
    /// Not now: back to those that wait, with what was tried so far.
    SetAside(Tries),
    /// An input that cannot follow this state: a defect of the executor. Nothing more is done with the job.
    Defect(&'static str),
}

/// Whether the origin may already have seen a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It has never gone out.
    First,
    /// It may have.
    Again,
}

/// For what a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// To try again, or to poll.
    Turn,
    /// To poll what another job's token serves.
    Served,
    /// For news of a payment in doubt: this holds no slot at all.
    Doubt,
}

/// When a step is taken, and what the run is about.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The time by this machine's clock.
    pub now: UnixMs,
    /// Nothing new: payments end, each is redeemed once, and the rest is left to the next run.
    pub draining: bool,
    /// What never changes about the job.
    pub facts: &'a Facts,
    /// How often and how long.
    pub bounds: &'a Bounds,
    /// What the wallet promises.
    pub promises: &'a Promises,
}

/// What never changes about a job.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its key.
    pub key: JobKey,
    /// Its id.
    pub id: String,
    /// Which purchase of it.
    pub take: u32,
    /// What is bought.
    pub endpoint: Arc<Endpoint>,
}

/// How often and how long a run tries. Counts are per job and run; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Asks that may go without a challenge.
    pub asks: u32,
    /// Payments that may die.
    pub pays: u32,
    /// Times the same invoice may go out again.
    pub resends: u32,
    /// Look-ups in a row that may tell nothing.
    pub looks: u32,
    /// Look-ups of a payment that is paid and whose fee the node has not told yet.
    pub posts: u32,
    /// Redeems that may not deliver.
    pub redeems: u32,
    /// Polls in a row that may bring nothing.
    pub polls: u32,
    /// Polls in a row that may say that it failed before one redeem more goes out, where one may.
    pub polls_failed: u32,
    /// How long a run polls for one job, in milliseconds; the next run goes on.
    pub polling_ms: i64,
    /// The first pause of a back-off, in milliseconds.
    pub backoff_ms: u64,
    /// The longest pause of a back-off, in milliseconds.
    pub backoff_ms_max: u64,
    /// A payment must have at least this long to go before its invoice or credential ends to be sent again.
    pub lifetime_ms_min: i64,
    /// An invoice counts as expired only this long after its expiry by the node's clock (rule 2).
    pub expiry_margin_ms: i64,
    /// A rejected credential is final only this long after its end (rule 7).
    pub credential_margin_ms: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            asks: 6,
            pays: 3,
            resends: 3,
            looks: 500,
            posts: 8,
            redeems: 8,
            polls: 20,
            polls_failed: 3,
            polling_ms: 7_200_000,
            backoff_ms: 1_000,
            backoff_ms_max: 60_000,
            lifetime_ms_min: 30_000,
            expiry_margin_ms: 120_000,
            credential_margin_ms: 3_600_000,
        }
    }
}

impl Moment<'_> {
    /// The time at which try number `tries` (from 1) may be followed by the next, not before `after_ms`.
    fn later(&self, tries: u32, after_ms: Option<u64>) -> UnixMs {
        let pause = backoff::pause_ms(tries.saturating_sub(1), self.bounds.backoff_ms, self.bounds.backoff_ms_max);
        let wait = pause.max(after_ms.unwrap_or(0));
        self.now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX))
    }

    fn end(&self, state: JobState, reason: Reason, error: String) -> Step {
        let end = JobEnd { state, reason, error: Some(error) };
        commit(Record::Ended(self.facts.key, end), go(stop()))
    }
}

/// The state in which an open job of the ledger takes up again, and its first input.
#[must_use]
pub fn resume(job: &OpenJob) -> (State, Input) {
    let tries = Tries {
        redeem_sent: !matches!(&job.stage, OpenStage::Intended(_) | OpenStage::Abandoned(_)),
        known: matches!(&job.stage, OpenStage::Intended(intent) if intent.accepted()),
        polls_told: matches!(&job.stage, OpenStage::Accepted(..))
            .then_some(job.reason)
            .filter(|reason| *reason != Reason::Processing),
        ..Tries::default()
    };
    let state = match &job.stage {
        OpenStage::Intended(intent) => State::Looking(intent.clone(), tries),
        OpenStage::Abandoned(intent) => State::Abandoned(intent.clone()),
        OpenStage::Paid(purchase) => State::Redeeming(purchase.clone(), tries),
        OpenStage::Answered(purchase, kind, key, answer) => {
            // It is durable already: what follows is its interpretation.
            let then = Then::Read(purchase.clone(), tries, *kind, answer.clone());
            return (State::Committing(then), Input::Committed(Committed::Answer(*key)));
        }
        OpenStage::Accepted(purchase, poll) => State::Polling(purchase.clone(), tries, poll.clone()),
        OpenStage::Unposted(purchase) => State::Posting(purchase.clone(), tries),
    };
    (state, Input::Start)
}

/// One step of a job's life. Each state stands beside the one kind of input that it awaits; any other is a defect.
#[must_use]
pub fn step(state: State, input: Input, moment: &Moment<'_>) -> Step {
    match (state, input) {
        (state, Input::Start | Input::Waited) => begin(state),
        (State::Planned(tries), Input::Asked(asked)) => ask::asked(tries, asked, moment),
        (State::Paying(intent, tries), Input::Sent(report)) => pay::sent(intent, tries, report, moment),
        (State::Looking(intent, tries), Input::LookedUp(said)) => pay::looked_up(intent, tries, said, moment),
        (State::Abandoned(intent), Input::LookedUp(said)) => pay::abandoned(&intent, said, moment),
        (State::Redeeming(purchase, tries), Input::Answer(answer)) => redeem::answered(purchase, tries, answer, moment),
        (State::Polling(purchase, tries, poll), Input::Answer(answer)) => {
            poll::answered(purchase, tries, poll, answer, moment)
        }
        (State::ServedPolling(sent, tries, poll), Input::Answer(answer)) => {
            served::polled(sent, tries, poll, answer, moment)
        }
        (State::Posting(purchase, tries), Input::LookedUp(said)) => {
            outcome::posting(purchase, tries, said.fate, moment)
        }
        (State::Committing(then), Input::Committed(committed)) => follow(then, committed, moment),
        (
            state @ (State::Planned(_)
            | State::Paying(..)
            | State::Looking(..)
            | State::Abandoned(_)
            | State::Redeeming(..)
            | State::Polling(..)
            | State::ServedPolling(..)
            | State::Replaying(..)
            | State::Posting(..)
            | State::Committing(_)
            | State::Done),
            Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::LookedUp(_) | Input::Answer(_),
        ) => defect(&state),
    }
}

/// The effect with which a state begins whose turn has come.
fn begin(state: State) -> Step {
    match state {
        State::Planned(tries) => (State::Planned(tries), Effect::Ask),
        State::Looking(intent, tries) => (State::Looking(intent.clone(), tries), Effect::LookUp(intent)),
        State::Abandoned(intent) => (State::Abandoned(intent.clone()), Effect::LookUp(intent)),
        State::Redeeming(purchase, tries) => redeem::redeem(purchase, tries),
        State::Polling(purchase, tries, poll) => {
            (State::Polling(purchase.clone(), tries, poll.clone()), Effect::Poll(purchase, poll))
        }
        State::ServedPolling(sent, tries, poll) => {
            (State::ServedPolling(sent.clone(), tries, poll.clone()), Effect::PollServed(sent, poll))
        }
        State::Replaying(purchase, tries) => {
            let then = Then::Redeem(Tries { redeem_sent: true, ..tries });
            commit(Record::Replaying(purchase.payment()), then)
        }
        State::Posting(purchase, tries) => outcome::post(purchase, tries),
        State::Paying(..) | State::Committing(_) | State::Done => defect(&state),
    }
}

/// What follows a record that is durable. Each continuation stands beside the answers that its record can have.
fn follow(then: Then, committed: Committed, moment: &Moment<'_>) -> Step {
    match (then, committed) {
        (Then::Go(next) | Then::Bury(next), Committed::Done) => *next,
        (Then::Bury(_), Committed::NotItsOwn) => stop(),
        (Then::Pay(tries) | Then::Resend(tries), Committed::Intent(intent)) => {
            (State::Paying(intent.clone(), tries), Effect::Send(intent))
        }
        (Then::Served(_), Committed::Done) => stop(),
        (Then::Pay(tries) | Then::Served(tries), Committed::IntentRefused(refusal)) => {
            ask::intent_refused(tries, &refusal, moment)
        }
        (Then::Heed(tries, told), Committed::Intent(intent)) => pay::heed(intent, tries, told, moment),
        (Then::Redeem(tries), Committed::Paid(purchase)) => redeem::redeem(purchase, tries),
        (
            Then::Read(purchase, tries, kind, answer) | Then::Result(purchase, tries, kind, answer),
            Committed::Answer(key),
        ) => match kind {
            AnswerKind::Redeem => redeem::read(purchase, tries, key, &answer, moment),
            AnswerKind::Poll => poll::read(purchase, tries, key, &answer, moment),
        },
        (Then::Result(purchase, ..), Committed::Done) => outcome::ended(purchase),
        (Then::Poll(tries, poll, until), Committed::Paid(purchase)) => {
            wait(State::Polling(purchase, tries, poll), until)
        }
        (Then::Deliver(purchase, ..), Committed::Done) => outcome::ended(purchase),
        (Then::Deliver(purchase, tries, key), Committed::NotItsOwn) => {
            redeem::not_its_own(purchase, tries, key, moment)
        }
        (
            then @ (Then::Go(_)
            | Then::Bury(_)
            | Then::Pay(_)
            | Then::Served(_)
            | Then::Resend(_)
            | Then::Heed(..)
            | Then::Redeem(_)
            | Then::Read(..)
            | Then::Result(..)
            | Then::Poll(..)
            | Then::Deliver(..)),
            Committed::Intent(_)
            | Committed::IntentRefused(_)
            | Committed::Paid(_)
            | Committed::Answer(_)
            | Committed::NotItsOwn
            | Committed::Done,
        ) => defect(&State::Committing(then)),
    }
}

/// What the node posted, from what it says of a settled payment.
fn posted(settled: &Settled) -> Posted {
    Posted { fee: settled.fee, payment_index: settled.payment_index }
}

fn commit(record: Record, then: Then) -> Step {
    (State::Committing(then), Effect::Commit(Box::new(record)))
}

fn go(next: Step) -> Then {
    Then::Go(Box::new(next))
}

/// In that state once its turn comes, in this run.
const fn wait(state: State, until: UnixMs) -> Step {
    (state, Effect::Wait(until, Waiting::Turn))
}

const fn stop() -> Step {
    (State::Done, Effect::Stop)
}

fn defect(state: &State) -> Step {
    let name = match state {
        State::Planned(_) => "planned",
        State::Paying(..) => "paying",
        State::Looking(..) => "looking",
        State::Abandoned(_) => "abandoned",
        State::Redeeming(..) => "redeeming",
        State::Polling(..) => "polling",
        State::ServedPolling(..) => "polling what a token serves",
        State::Replaying(..) => "replaying",
        State::Posting(..) => "posting",
        State::Committing(Then::Go(_)) => "committing",
        State::Committing(Then::Bury(_)) => "burying",
        State::Committing(Then::Pay(_)) => "challenged",
        State::Committing(Then::Served(_)) => "keeping what a token serves",
        State::Committing(Then::Resend(_)) => "resending",
        State::Committing(Then::Heed(..)) => "answered",
        State::Committing(Then::Redeem(_)) => "settling",
        State::Committing(Then::Read(..)) => "keeping",
        State::Committing(Then::Result(..)) => "keeping the result",
        State::Committing(Then::Poll(..)) => "accepting",
        State::Committing(Then::Deliver(..)) => "delivering",
        State::Done => "done",
    };
    (State::Done, Effect::Defect(name))
}
