//! What is made durable of a paid purchase: an answer, the result, an offered refund, that nothing came so far or for good, and at
//! last what the node has posted.

use url::Url;

use crate::catalog::DedupPolicy;
use crate::ledger::{AnswerKey, AnswerKind, JobEnd, PaidPurchase, PaymentKey, Record, RefundRecord};
use crate::life::{Effect, Moment, PaymentFate, State, Step, Then, Tries, Waiting, commit, go, posted, stop};
use crate::purchase::HttpAnswer;

/// The answer is made durable (rule 6): only then does anything follow from it.
pub(super) fn keep(purchase: PaidPurchase, tries: Tries, kind: AnswerKind, answer: HttpAnswer) -> Step {
    let record = Record::Answer { payment: purchase.payment(), kind, answer: answer.clone() };
    commit(record, Then::Read(purchase, tries, kind, answer))
}

/// The address of a result, and those of further ones of the same answer.
pub(super) type Results = (String, Vec<String>);

pub(super) fn results(url: Url, more: Vec<Url>) -> Results {
    (url.into(), more.into_iter().map(String::from).collect())
}

/// The answer that is the result is made durable together with that.
pub(super) fn keep_result(
    purchase: PaidPurchase,
    tries: Tries,
    (kind, answer): (AnswerKind, HttpAnswer),
    (url, more): Results,
    moment: &Moment<'_>,
) -> Step {
    let (payment, own) = (purchase.payment(), may_be_of_another(moment));
    let record = Record::DeliveredAtOnce { payment, kind, answer: answer.clone(), url, more, own };
    commit(record, Then::Result(purchase, tries, kind, answer))
}

/// Whether the origin may have answered from its cache.
fn may_be_of_another(moment: &Moment<'_>) -> bool {
    moment.facts.endpoint.dedup_policy() != DedupPolicy::Never
}

/// The result is durable before it is anybody's.
pub(super) fn deliver(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    (url, more): Results,
    moment: &Moment<'_>,
) -> Step {
    let own = may_be_of_another(moment);
    let record = Record::Delivered { payment: purchase.payment(), answer: key, url, more, own };
    commit(record, Then::Deliver(purchase, tries, key))
}

/// The offer is durable with its link before anything is done about it; claiming it is no part of the job's own life.
pub(super) fn refund_offered(purchase: PaidPurchase, key: AnswerKey, answer: &HttpAnswer, message: String) -> Step {
    let link = answer.refund_link();
    let message = if link.is_some() { message } else { format!("{message}; it names no link to claim a refund with") };
    let record = Record::Refund(purchase.payment(), RefundRecord::Offered { answer: key, link, message });
    commit(record, go(ended(purchase)))
}

pub(super) fn finish(purchase: PaidPurchase, answer: Option<AnswerKey>, heard: bool, end: JobEnd) -> Step {
    undelivered(purchase.payment(), answer, heard, end, ended(purchase))
}

/// That nothing is delivered is made durable: so far, or for good.
pub(super) fn undelivered(
    payment: PaymentKey,
    answer: Option<AnswerKey>,
    heard: bool,
    end: JobEnd,
    next: Step,
) -> Step {
    commit(Record::Undelivered { payment, answer, heard, end }, go(next))
}

/// At its end. What the node has not posted yet is looked up, so that the books hold the actual fee.
pub(super) fn ended(purchase: PaidPurchase) -> Step {
    if purchase.posted() { stop() } else { post(purchase, Tries::default()) }
}

/// The node is asked whether it has posted the payment.
pub(super) fn post(purchase: PaidPurchase, tries: Tries) -> Step {
    let intent = purchase.intent().clone();
    (State::Posting(purchase, tries), Effect::LookUp(intent))
}

/// What the node says of a payment that it has still to post.
pub(super) fn posting(purchase: PaidPurchase, mut tries: Tries, seen: PaymentFate, moment: &Moment<'_>) -> Step {
    match seen {
        PaymentFate::Settled(settled) => commit(Record::Posted(purchase.payment(), posted(&settled)), go(stop())),
        PaymentFate::PreimageKnown(_) | PaymentFate::InFlight => {
            // Some parts may be out for long, and a node may never say what it cost: each look has its pause, and a later run
            // asks again.
            tries.looks += 1;
            if tries.looks >= moment.bounds.posts {
                return stop();
            }
            let until = moment.later(tries.looks, None);
            (State::Posting(purchase, tries), Effect::Wait(until, Waiting::Doubt))
        }
        // The money is gone and the result is there: only the fee is unknown, and a later run asks again.
        PaymentFate::Failed(_)
        | PaymentFate::NotFound
        | PaymentFate::Untestable
        | PaymentFate::Forgot(_)
        | PaymentFate::OtherNode(_)
        | PaymentFate::Unknown(_) => stop(),
    }
}
