//! The life of a job: `step(state, input) -> (state, effect)`, pure and exhaustive.
//!
//! The executor carries out each effect and feeds the answer back. Whatever must be durable before the next effect is an
//! effect of its own ([`Effect::Commit`]), so the order "intent, payment, preimage, redeem" is the order of the arms
//! below and of nothing else. No clock is read here: the time is part of the [`Moment`].

mod pay;
mod poll;
mod redeem;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

use std::sync::Arc;

pub(super) use pay::{death_proof, outlives_a_payment};

use crate::backoff;
use crate::catalog::Endpoint;
use crate::l402::Preimage;
use crate::ledger::{
    AnswerKey, AnswerKind, Committed, DurableIntent, IntentRefusal, JobEnd, JobKey, JobState, NewIntent, OpenJob,
    OpenStage, PaidPurchase, Poll, Posted, Reason, Record,
};
use crate::money::Msat;
use crate::origin::{HttpAnswer, HttpFailure};
use crate::payer::{NodeProblem, PayFailure, SendReport, Settled};
use crate::time::UnixMs;

/// Where a job stands within this run. A state that waits for a commit says what follows it.
#[derive(Clone, Debug)]
pub enum State {
    /// No challenge, nothing at stake.
    Planned(Tries),
    /// A checked challenge; its intent is being made durable.
    Challenged(Tries),
    /// The intent is durable, and a POST is under way.
    Paying(DurableIntent, Tries),
    /// LND has answered the POST; that fact is being made durable.
    Answered(DurableIntent, Tries, Told),
    /// The node is being asked what it knows.
    Looking(DurableIntent, Tries),
    /// The doubt is being made durable.
    Doubting(DurableIntent, Tries, InDoubt),
    /// A person took it as lost or never paid; the node is asked once whether it settled after all.
    GivenUp(DurableIntent),
    /// Waiting to look again, without a payment slot.
    Resting(DurableIntent, Tries),
    /// One more POST of the same invoice is being made durable.
    Resending(Tries),
    /// The hash is dead by proof; that is being made durable.
    Burying(Tries, Buried),
    /// The preimage is being made durable.
    Settling(Tries),
    /// Paid; the same request goes out with the credential.
    Redeeming(PaidPurchase, Tries),
    /// An answer is being made durable before it is interpreted.
    Keeping(PaidPurchase, Tries, AnswerKind, HttpAnswer),
    /// The poll address is being made durable.
    Accepting(Tries, Poll),
    /// The origin works on it.
    Polling(PaidPurchase, Tries, Poll),
    /// One redeem more is to follow a success, and then goes out.
    Replaying(PaidPurchase, Tries),
    /// That it is not delivered so far is being made durable.
    Postponing(PaidPurchase, Tries, Postponed),
    /// Its result is being made durable.
    Delivering(PaidPurchase, Tries, AnswerKey),
    /// Its end without a result is being made durable.
    Finishing(PaidPurchase),
    /// At its end; the node has still to post the payment.
    Posting(PaidPurchase, Tries),
    /// The last record is being made durable.
    Closing,
    /// Nothing more to do in this run.
    Done,
}

/// What LND told in answer to a POST, to act upon once it is durable that it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The payment failed.
    Failed(PayFailure),
    /// Look it up.
    LookUp,
}

/// What follows a recorded doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// Follow the payment.
    Track,
    /// Look again then.
    Until(UnixMs),
    /// Only a person or a later run can change it.
    Leave,
}

/// What follows the death of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buried {
    /// Ask for a new challenge then.
    Again(UnixMs),
    /// The job has ended.
    End,
}

/// What follows a recorded failure to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// Redeem again then.
    Until(UnixMs),
    /// The one redeem more that may follow a success goes out then.
    Replay(UnixMs),
    /// Poll again then.
    Poll(UnixMs),
    /// The next run goes on.
    Leave,
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
    /// Why LND refused the last POST, where the cause is the whole node's.
    pub node_cause: Option<Reason>,
}

/// What came back from an effect.
#[derive(Clone, Debug)]
pub enum Input {
    /// The job begins in this run.
    Start,
    /// To [`Effect::Wait`].
    Waited,
    /// To [`Effect::Ask`].
    Asked(Asked),
    /// To [`Effect::Commit`].
    Committed(Committed),
    /// To [`Effect::Send`].
    Sent(SendReport),
    /// To [`Effect::LookUp`] and [`Effect::Track`].
    Sighted(Sighting),
    /// To [`Effect::Redeem`] and [`Effect::Poll`].
    Answer(Result<HttpAnswer, HttpFailure>),
}

/// What came of asking.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A checked challenge, with all that its intent holds.
    Ready(Box<NewIntent>),
    /// This job cannot be bought so.
    Refused(Reason, String),
    /// Not now; the origin may say when.
    Retry {
        /// Milliseconds that the origin asks to wait.
        after_ms: Option<u64>,
        /// Why.
        reason: Reason,
        /// In words.
        message: String,
    },
    /// Nothing new is admitted any more; nothing was asked.
    NotAdmitted,
    /// Not now, and maybe later in this run: its host wants to be left alone, or by what endpoint, origin or node hold it may
    /// not begin. Nothing was asked.
    Later,
    /// It stays pending in this run, for this reason.
    Pending(Reason, String),
}

/// What the node of the intent says of the payment, with its identity and history checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What it says.
    pub seen: Seen,
    /// The node's clock.
    pub node_time: Option<UnixMs>,
}

/// What was seen of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It succeeded.
    Settled(Settled),
    /// The preimage is out; parts are in flight.
    PreimageKnown(Preimage),
    /// It failed.
    Failed(PayFailure),
    /// It is on its way.
    InFlight,
    /// The same node, its history intact, does not know it.
    NotFound,
    /// The same node does not know it, or fails one that was sent more than once, and had settled nothing before it by which its
    /// history could be tested.
    Unwitnessed,
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
    /// Take a payment slot, ask for a challenge, check it.
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
    /// For news of a payment in doubt: this holds no slot at all.
    Doubt,
}

/// When a step is taken, and what the run is about.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Our clock.
    pub now: UnixMs,
    /// Nothing new: payments end, each is redeemed once, and the rest is left to the next run.
    pub draining: bool,
    /// The job.
    pub facts: &'a Facts,
    /// How often and how long.
    pub bounds: &'a Bounds,
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
    /// The first pause of a back-off.
    pub backoff_ms: u64,
    /// The longest.
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

    fn end(&self, state: JobState, reason: Reason, error: String) -> (State, Effect) {
        let end = JobEnd { state, reason, error: Some(error) };
        (State::Closing, commit(Record::Ended(self.facts.key, end)))
    }
}

/// The state in which an open job of the ledger takes up again, and its first input.
#[must_use]
pub fn resume(job: &OpenJob) -> (State, Input) {
    let tries = Tries {
        redeem_sent: !matches!(&job.stage, OpenStage::Intended(_) | OpenStage::GivenUp(_)),
        known: matches!(&job.stage, OpenStage::Intended(intent) if intent.accepted()),
        polls_told: matches!(&job.stage, OpenStage::Accepted(..))
            .then_some(job.reason)
            .filter(|reason| *reason != Reason::Processing),
        ..Tries::default()
    };
    let state = match &job.stage {
        OpenStage::Intended(intent) => State::Looking(intent.clone(), tries),
        OpenStage::GivenUp(intent) => State::GivenUp(intent.clone()),
        OpenStage::Paid(purchase) => State::Redeeming(purchase.clone(), tries),
        OpenStage::Answered(purchase, kind, key, answer) => {
            // It is durable already: what follows is its interpretation.
            let state = State::Keeping(purchase.clone(), tries, *kind, answer.clone());
            return (state, Input::Committed(Committed::Answer(*key)));
        }
        OpenStage::Accepted(purchase, poll) => State::Polling(purchase.clone(), tries, poll.clone()),
        OpenStage::Unposted(purchase) => State::Posting(purchase.clone(), tries),
    };
    (state, Input::Start)
}

/// One step of a job's life.
#[must_use]
pub fn step(state: State, input: Input, moment: &Moment<'_>) -> (State, Effect) {
    match state {
        State::Planned(tries) => planned(tries, input, moment),
        State::Challenged(tries) => challenged(tries, input, moment),
        State::Paying(intent, tries) => pay::paying(intent, tries, input, moment),
        State::Answered(_, tries, told) => pay::answered(tries, told, input, moment),
        State::Looking(intent, tries) => pay::looking(intent, tries, input, moment),
        State::GivenUp(intent) => pay::given_up(intent, input, moment),
        State::Doubting(intent, tries, then) => pay::doubting(intent, tries, then, input),
        State::Resting(intent, tries) => pay::resting(intent, tries, input),
        State::Resending(tries) => pay::resending(tries, input),
        State::Burying(tries, then) => pay::burying(tries, then, input),
        State::Settling(tries) => redeem::settling(tries, input),
        State::Redeeming(purchase, tries) => redeem::redeeming(purchase, tries, input, moment),
        State::Keeping(purchase, tries, kind, answer) => redeem::keeping(purchase, tries, kind, &answer, input, moment),
        State::Accepting(tries, poll) => poll::accepting(tries, poll, input, moment),
        State::Polling(purchase, tries, poll) => poll::polling(purchase, tries, poll, input, moment),
        State::Replaying(purchase, tries) => redeem::replaying(purchase, tries, input),
        State::Postponing(purchase, tries, then) => redeem::postponing(purchase, tries, then, input),
        State::Delivering(purchase, tries, key) => redeem::delivering(purchase, tries, key, input, moment),
        State::Finishing(purchase) => redeem::finishing(purchase, input),
        State::Posting(purchase, tries) => redeem::posting(purchase, tries, input, moment),
        State::Closing => match input {
            Input::Committed(Committed::Done) => (State::Done, Effect::Stop),
            Input::Committed(
                Committed::Intent(_)
                | Committed::IntentRefused(_)
                | Committed::Paid(_)
                | Committed::Answer(_)
                | Committed::NotItsOwn,
            )
            | Input::Start
            | Input::Waited
            | Input::Asked(_)
            | Input::Sent(_)
            | Input::Sighted(_)
            | Input::Answer(_) => defect("closing"),
        },
        State::Done => defect("done"),
    }
}

fn planned(mut tries: Tries, input: Input, moment: &Moment<'_>) -> (State, Effect) {
    match input {
        Input::Start | Input::Waited => (State::Planned(tries), Effect::Ask),
        // A challenge without an intent may be dropped: a run that drains buys nothing more.
        Input::Asked(Asked::Ready(_) | Asked::Retry { .. }) if moment.draining => (State::Done, Effect::Stop),
        Input::Asked(Asked::Ready(intent)) => (State::Challenged(tries), commit(Record::Intend(intent))),
        Input::Asked(Asked::Refused(reason, message)) => moment.end(JobState::Refused, reason, message),
        Input::Asked(Asked::Retry { after_ms, reason, message }) => {
            tries.asks += 1;
            if tries.asks >= moment.bounds.asks {
                return moment.end(JobState::Failed, reason, message);
            }
            (State::Planned(tries), Effect::Wait(moment.later(tries.asks, after_ms), Waiting::Turn))
        }
        Input::Asked(Asked::NotAdmitted) => (State::Done, Effect::Stop),
        Input::Asked(Asked::Later) => (State::Done, Effect::SetAside(tries)),
        Input::Asked(Asked::Pending(reason, message)) => moment.end(JobState::Pending, reason, message),
        Input::Committed(_) | Input::Sent(_) | Input::Sighted(_) | Input::Answer(_) => defect("planned"),
    }
}

fn challenged(mut tries: Tries, input: Input, moment: &Moment<'_>) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Intent(intent)) => (State::Paying(intent.clone(), tries), Effect::Send(intent)),
        Input::Committed(Committed::IntentRefused(IntentRefusal::HashKnown)) => {
            if moment.draining {
                return (State::Done, Effect::Stop);
            }
            if tries.hash_reused {
                let message = "the origin hands out an invoice that already belongs to another purchase".to_owned();
                return moment.end(JobState::Refused, Reason::InvoiceReused, message);
            }
            tries.hash_reused = true;
            let until = moment.now.plus_ms(moment.facts.endpoint.window_ms()).max(moment.later(1, None));
            (State::Planned(tries), Effect::Wait(until, Waiting::Turn))
        }
        Input::Committed(Committed::IntentRefused(IntentRefusal::TwinKnown)) => {
            tries.asks += 1;
            if moment.draining || tries.asks >= moment.bounds.asks {
                // The next run buys it.
                let message = "another purchase of the identical request is under way, or was a moment ago".to_owned();
                return moment.end(JobState::Pending, Reason::IdenticalRequest, message);
            }
            (State::Planned(tries), Effect::Wait(moment.later(tries.asks, None), Waiting::Turn))
        }
        Input::Committed(Committed::IntentRefused(IntentRefusal::Duplicate(original))) => {
            moment.end(JobState::Refused, Reason::Duplicate, original.words())
        }
        Input::Committed(Committed::IntentRefused(IntentRefusal::EarlierTake { until })) => {
            moment.end(JobState::Pending, Reason::EarlierTake, earlier_words(until))
        }
        Input::Committed(Committed::IntentRefused(IntentRefusal::HeldBack(_))) => {
            (State::Done, Effect::SetAside(tries))
        }
        Input::Committed(Committed::IntentRefused(refusal)) => {
            let (reason, message) = limit_words(&refusal);
            moment.end(JobState::Pending, reason, message)
        }
        Input::Committed(Committed::Paid(_) | Committed::Answer(_) | Committed::NotItsOwn | Committed::Done)
        | Input::Start
        | Input::Waited
        | Input::Asked(_)
        | Input::Sent(_)
        | Input::Sighted(_)
        | Input::Answer(_) => defect("challenged"),
    }
}

fn earlier_words(until: Option<UnixMs>) -> String {
    match until {
        None => {
            "an earlier purchase of this job is open: nothing is bought in its place before it has ended".to_owned()
        }
        Some(until) => format!(
            "an earlier payment for this job may still settle until {until}: nothing is bought in its place before that, or before \
             the node that was asked to pay says that it never will"
        ),
    }
}

fn limit_words(refusal: &IntentRefusal) -> (Reason, String) {
    let full = |whose: &str, counted: &str, cost: &Msat, used: &Msat, most: &Msat| {
        let missing = used.checked_add(*cost).and_then(|needed| needed.checked_sub(*most));
        let missing = missing.map_or_else(|| "far".to_owned(), |missing| missing.sats_ceil().to_string());
        // A cost rounds up. Fees are hardly ever whole sats.
        let [most, used, cost] = [most, used, cost].map(|amount| amount.sats_ceil());
        format!(
            "the {whose}'s limit of {most} has no room for the next job: {used} are spent or held {counted}, and it may cost \
             {cost}, which is {missing} too much"
        )
    };
    match refusal {
        IntentRefusal::BatchLimit { cost, used, most } => {
            (Reason::BatchLimit, full("batch", "in the batch so far", cost, used, most))
        }
        IntentRefusal::DayLimit { cost, used, most } => {
            (Reason::DayLimit, full("day", "today in the whole ledger", cost, used, most))
        }
        IntentRefusal::MonthLimit { cost, used, most } => {
            (Reason::MonthLimit, full("month", "this month in the whole ledger", cost, used, most))
        }
        IntentRefusal::HeldBack(held) => (held.reason(), held.to_string()),
        IntentRefusal::HashKnown
        | IntentRefusal::TwinKnown
        | IntentRefusal::Duplicate(_)
        | IntentRefusal::EarlierTake { .. } => {
            (Reason::InvoiceReused, "the invoice or the request belongs to another purchase".to_owned())
        }
    }
}

/// What the node posted, from what it says of a settled payment.
fn posted(settled: &Settled) -> Posted {
    Posted { fee: settled.fee, payment_index: settled.payment_index }
}

fn commit(record: Record) -> Effect {
    Effect::Commit(Box::new(record))
}

fn defect(state: &'static str) -> (State, Effect) {
    (State::Done, Effect::Defect(state))
}

/// The stored answer's key, where the commit was one.
const fn answer_key(committed: &Committed) -> Option<AnswerKey> {
    match committed {
        Committed::Answer(key) => Some(*key),
        Committed::Intent(_)
        | Committed::IntentRefused(_)
        | Committed::Paid(_)
        | Committed::NotItsOwn
        | Committed::Done => None,
    }
}
