//! From the durable preimage to the durable result: redeem, and what to do where nothing is delivered. Once an answer was a
//! success, nothing is sent again: it is polled (`poll.rs`), or a person's, but for one redeem more where the endpoint or a
//! person says so.

use super::{
    Effect, Input, Moment, Postponed, Seen, Sending, State, Tries, Waiting, answer_key, commit, defect, poll, posted,
};
use crate::catalog::Apart;
use crate::ledger::{AnswerKey, AnswerKind, Committed, JobEnd, JobState, PaidPurchase, Reason, Record, RefundRecord};
use crate::origin::{HttpAnswer, HttpFailure, Redeemed, read_redeem};
use crate::time::UnixMs;

/// The preimage is durable, or that one redeem more goes out: redeem at once.
pub(super) fn settling(tries: Tries, input: Input) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Paid(purchase)) => redeem(purchase, tries),
        Input::Committed(
            Committed::Intent(_)
            | Committed::IntentRefused(_)
            | Committed::Answer(_)
            | Committed::NotItsOwn
            | Committed::Done,
        )
        | Input::Start
        | Input::Waited
        | Input::Asked(_)
        | Input::Sent(_)
        | Input::Sighted(_)
        | Input::Answer(_) => defect("settling"),
    }
}

fn redeem(purchase: PaidPurchase, tries: Tries) -> (State, Effect) {
    let sending = if tries.redeem_sent { Sending::Again } else { Sending::First };
    (State::Redeeming(purchase.clone(), tries), Effect::Redeem(purchase, sending))
}

/// The same request goes out with the credential.
pub(super) fn redeeming(
    purchase: PaidPurchase,
    mut tries: Tries,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Start | Input::Waited => redeem(purchase, tries),
        Input::Answer(Ok(answer)) => {
            tries.redeem_sent = true;
            keep(purchase, tries, AnswerKind::Redeem, answer)
        }
        // What came of a success is kept like a whole one.
        Input::Answer(Err(HttpFailure::Cut(answer, why))) => {
            tries.redeem_sent = true;
            keep(purchase, tries, AnswerKind::Redeem, answer.cut(&why))
        }
        Input::Answer(Err(failure)) => {
            tries.redeem_sent |= !matches!(failure, HttpFailure::NotSent(_));
            if purchase.heard().is_some() {
                tries.redeems += 1;
                if matches!(failure, HttpFailure::NotSent(_)) && tries.redeems < moment.bounds.redeems {
                    let until = moment.later(tries.redeems, None);
                    return (State::Redeeming(purchase, tries), Effect::Wait(until, Waiting::Turn));
                }
                return unheeded(purchase, tries, None, moment);
            }
            not_yet(purchase, tries, None, None, Reason::NotDelivered, failure.to_string(), moment)
        }
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Sighted(_) => defect("redeeming"),
    }
}

pub(super) fn keep(purchase: PaidPurchase, tries: Tries, kind: AnswerKind, answer: HttpAnswer) -> (State, Effect) {
    let record = Record::Answer { payment: purchase.payment(), kind, answer: answer.clone() };
    (State::Keeping(purchase, tries, kind, answer), commit(record))
}

/// The answer is durable (rule 6): only now is it interpreted.
pub(super) fn keeping(
    purchase: PaidPurchase,
    tries: Tries,
    kind: AnswerKind,
    answer: &HttpAnswer,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Committed(committed) => match (answer_key(&committed), kind) {
            (Some(key), AnswerKind::Redeem) => redeemed(purchase, tries, key, answer, moment),
            (Some(key), AnswerKind::Poll) => poll::kept(purchase, tries, key, answer, moment),
            (None, AnswerKind::Redeem | AnswerKind::Poll) => defect("keeping"),
        },
        Input::Start | Input::Waited | Input::Asked(_) | Input::Sent(_) | Input::Sighted(_) | Input::Answer(_) => {
            defect("keeping")
        }
    }
}

fn redeemed(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    answer: &HttpAnswer,
    moment: &Moment<'_>,
) -> (State, Effect) {
    let is_later = purchase.heard().is_some_and(|first| first != key);
    match read_redeem(answer, &moment.facts.endpoint) {
        Redeemed::Delivered { url } => deliver(purchase, tries, key, url.into(), moment),
        Redeemed::Accepted { poll } => {
            let record = Record::Accepted { payment: purchase.payment(), answer: key, poll: poll.clone() };
            (State::Accepting(tries, poll), commit(record))
        }
        Redeemed::RefundOffered { message, .. } => refund_offered(purchase, key, answer, message),
        Redeemed::Retry { .. }
        | Redeemed::CredentialRejected { .. }
        | Redeemed::Failed { .. }
        | Redeemed::UnknownShape { .. }
            if is_later =>
        {
            unheeded(purchase, tries, Some(key), moment)
        }
        Redeemed::Retry { after_ms, reason, message } => {
            not_yet(purchase, tries, Some(key), after_ms, reason, message, moment)
        }
        Redeemed::CredentialRejected { after_ms, message } => {
            not_yet(purchase, tries, Some(key), after_ms, Reason::CredentialRejected, message, moment)
        }
        Redeemed::Failed { reason, after_ms, message } => {
            let may_replay = purchase.may_replay(moment.facts.endpoint.terms.redeem);
            brought_nothing(purchase, tries, key, (reason, message), may_replay.then_some(after_ms), moment)
        }
        Redeemed::UnknownShape { message } => {
            let replay = purchase.is_retried().then_some(None);
            brought_nothing(purchase, tries, key, (Reason::UnknownAnswer, message), replay, moment)
        }
    }
}

/// The first success brings nothing: one redeem more goes out where one may (after the pause that is asked for), else it is a
/// person's.
fn brought_nothing(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    (reason, message): (Reason, String),
    replay: Option<Option<u64>>,
    moment: &Moment<'_>,
) -> (State, Effect) {
    let Some(after_ms) = replay else {
        let end = end_of_nothing(reason, Some(message));
        return finish(purchase, Some(key), true, end);
    };
    tries.redeems += 1;
    let until = within_credential(&purchase, moment.later(tries.redeems, after_ms), moment);
    if purchase.heard() == Some(key) {
        // It is read once more, by a later run, and stands as it did: that is no news.
        return match moment.draining {
            true => (State::Done, Effect::Stop),
            false => (State::Replaying(purchase, tries), Effect::Wait(until, Waiting::Turn)),
        };
    }
    let then = if moment.draining { Postponed::Leave } else { Postponed::Replay(until) };
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    let record = Record::Undelivered { payment: purchase.payment(), answer: Some(key), heard: true, end };
    (State::Postponing(purchase, tries, then), commit(record))
}

/// How a job stands whose success brings nothing and is not asked for again: in an answer that is not understood a person may
/// find the result.
fn end_of_nothing(reason: Reason, error: Option<String>) -> JobEnd {
    let state = if reason == Reason::UnknownAnswer { JobState::Paid } else { JobState::Lost };
    JobEnd { state, reason, error }
}

/// The redeem that followed a success brought nothing: the first answer stands, whatever came later.
fn unheeded(purchase: PaidPurchase, tries: Tries, answer: Option<AnswerKey>, moment: &Moment<'_>) -> (State, Effect) {
    let (reason, error) = purchase.stood().clone();
    let Some(poll) = purchase.poll() else {
        return finish(purchase, answer, false, end_of_nothing(reason, error));
    };
    let until = poll::next(&tries, poll, None, moment);
    let then = if moment.draining { Postponed::Leave } else { Postponed::Poll(until) };
    let end = JobEnd { state: JobState::Paid, reason, error };
    let record = Record::Undelivered { payment: purchase.payment(), answer, heard: false, end };
    (State::Postponing(purchase, tries, then), commit(record))
}

/// The pause before one redeem more is over.
pub(super) fn replaying(purchase: PaidPurchase, tries: Tries, input: Input) -> (State, Effect) {
    match input {
        Input::Start | Input::Waited => {
            (State::Settling(Tries { redeem_sent: true, ..tries }), commit(Record::Replaying(purchase.payment())))
        }
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Sighted(_) | Input::Answer(_) => {
            defect("replaying")
        }
    }
}

pub(super) fn deliver(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    url: String,
    moment: &Moment<'_>,
) -> (State, Effect) {
    let own = moment.facts.endpoint.apart() != Apart::Never;
    let record = Record::Delivered { payment: purchase.payment(), answer: key, url, own };
    (State::Delivering(purchase, tries, key), commit(record))
}

/// The result is durable; or it is not its own, and no second purchase's (rule 9): after the window the cache is empty.
pub(super) fn delivering(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Committed(Committed::NotItsOwn) => {
            let window_ms = u64::try_from(moment.facts.endpoint.window_ms()).ok();
            let message = "the origin answers with the result of an identical request, which was bought before";
            let (reason, message) = (Reason::AnsweredFromCache, message.to_owned());
            match (purchase.poll(), purchase.heard()) {
                (Some(_), _) => poll::brought_nothing(purchase, tries, key, reason, message, window_ms, moment),
                (None, Some(_)) => unheeded(purchase, tries, Some(key), moment),
                (None, None) => not_yet(purchase, tries, Some(key), window_ms, reason, message, moment),
            }
        }
        done => finishing(purchase, done),
    }
}

/// The offer is durable with its link before anything is done about it; claiming it is no part of the job's own life.
pub(super) fn refund_offered(
    purchase: PaidPurchase,
    key: AnswerKey,
    answer: &HttpAnswer,
    message: String,
) -> (State, Effect) {
    let link = answer.refund_link();
    let message = if link.is_some() { message } else { format!("{message}; it names no link to claim a refund with") };
    let record = Record::Refund(purchase.payment(), RefundRecord::Offered { answer: key, link, message });
    (State::Finishing(purchase), commit(record))
}

pub(super) fn finish(purchase: PaidPurchase, answer: Option<AnswerKey>, heard: bool, end: JobEnd) -> (State, Effect) {
    let record = Record::Undelivered { payment: purchase.payment(), answer, heard, end };
    (State::Finishing(purchase), commit(record))
}

/// Not delivered so far: the same credential again with a growing pause, in this run and the next. Only once the endpoint's
/// patience is over and this run has heard it out, it is a person's.
fn not_yet(
    purchase: PaidPurchase,
    mut tries: Tries,
    answer: Option<AnswerKey>,
    after_ms: Option<u64>,
    reason: Reason,
    message: String,
    moment: &Moment<'_>,
) -> (State, Effect) {
    tries.redeems += 1;
    let heard_out = tries.redeems >= moment.bounds.redeems;
    if heard_out && is_over(&purchase, reason, moment) {
        return finish(purchase, answer, false, JobEnd { state: JobState::Lost, reason, error: Some(message) });
    }
    let then = if heard_out || moment.draining {
        Postponed::Leave
    } else {
        Postponed::Until(within_credential(&purchase, moment.later(tries.redeems, after_ms), moment))
    };
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    let record = Record::Undelivered { payment: purchase.payment(), answer, heard: false, end };
    (State::Postponing(purchase, tries, then), commit(record))
}

/// Whether an origin has had its time. Our clock may be wrong, and an origin may see a payment a little late: so this alone
/// ends nothing.
fn is_over(purchase: &PaidPurchase, reason: Reason, moment: &Moment<'_>) -> bool {
    let credential_ended =
        moment.now.since_ms(purchase.intent().credential_expires_at()) > moment.bounds.credential_margin_ms;
    // Nobody takes a credential that has ended, unless a person knows better (rule 7).
    let rejected = reason == Reason::CredentialRejected && !purchase.is_retried();
    credential_ended && (rejected || poll::is_patience_over(purchase, moment))
}

/// No pause that an origin asks for outlives a credential that is still good.
fn within_credential(purchase: &PaidPurchase, until: UnixMs, moment: &Moment<'_>) -> UnixMs {
    let last = purchase.intent().credential_expires_at().plus_ms(-moment.bounds.lifetime_ms_min);
    if last > moment.now { until.min(last) } else { until }
}

/// That it is not delivered so far is durable.
pub(super) fn postponing(purchase: PaidPurchase, tries: Tries, then: Postponed, input: Input) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Done) => match then {
            Postponed::Until(until) => (State::Redeeming(purchase, tries), Effect::Wait(until, Waiting::Turn)),
            Postponed::Replay(until) => (State::Replaying(purchase, tries), Effect::Wait(until, Waiting::Turn)),
            Postponed::Poll(until) => match purchase.poll().cloned() {
                Some(poll) => (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn)),
                None => defect("postponing a poll"),
            },
            Postponed::Leave => (State::Done, Effect::Stop),
        },
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
        | Input::Answer(_) => defect("postponing"),
    }
}

/// Its end is durable. What the node has not posted yet is looked up, so that the books hold the actual fee.
pub(super) fn finishing(purchase: PaidPurchase, input: Input) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Done) if purchase.posted() => (State::Done, Effect::Stop),
        Input::Committed(Committed::Done) => {
            let intent = purchase.intent().clone();
            (State::Posting(purchase, Tries::default()), Effect::LookUp(intent))
        }
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
        | Input::Answer(_) => defect("finishing"),
    }
}

/// Paid and at its end; the node has still to post the payment.
pub(super) fn posting(purchase: PaidPurchase, mut tries: Tries, input: Input, moment: &Moment<'_>) -> (State, Effect) {
    let intent = purchase.intent().clone();
    let sighting = match input {
        Input::Start | Input::Waited => return (State::Posting(purchase, tries), Effect::LookUp(intent)),
        Input::Sighted(sighting) => sighting,
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Answer(_) => return defect("posting"),
    };
    match sighting.seen {
        Seen::Settled(settled) => (State::Closing, commit(Record::Posted(purchase.payment(), posted(&settled)))),
        Seen::PreimageKnown(_) | Seen::InFlight => {
            // Some parts may be out for long, and a node may never say what it cost: each look has its pause, and a later run
            // asks again.
            tries.looks += 1;
            if tries.looks >= moment.bounds.posts {
                return (State::Done, Effect::Stop);
            }
            let until = moment.later(tries.looks, None);
            (State::Posting(purchase, tries), Effect::Wait(until, Waiting::Doubt))
        }
        // The money is gone and the result is there: only the fee is unknown, and a later run asks again.
        Seen::Failed(_)
        | Seen::NotFound
        | Seen::Unwitnessed
        | Seen::Forgot(_)
        | Seen::OtherNode(_)
        | Seen::Unknown(_) => (State::Done, Effect::Stop),
    }
}
