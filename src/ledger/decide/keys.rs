//! What a record depends on, by name: what a store looks up before anything is decided.

use crate::l402::PaymentHash;
use crate::ledger::{AnswerKey, JobKey, NewIntent, PaymentKey, Record, RefundRecord};
use crate::purchase::WalletId;

/// What a store is to look up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// A payment with its intent, and its job.
    pub payment: Option<PaymentKey>,
    /// A job by its key.
    pub job: Option<JobKey>,
    /// Every take of that job, or of the payment's, with the payments of each; and the key of the next job.
    pub takes: bool,
    /// What of the job is paid for and not delivered.
    pub undelivered: bool,
    /// A stored answer.
    pub answer: Option<AnswerKey>,
    /// The answers of the payment that are no success.
    pub refusals: bool,
    /// The refund of the payment.
    pub refund: bool,
    /// Whether the refund of another payment has the invoice of that hash.
    pub refund_invoice: Option<PaymentHash>,
    /// The endpoint of the payment, and the words for its origin: it has delivered that.
    pub delivers: Option<&'a str>,
    /// Whether the job of another payment with the identical request has that result.
    pub result: Option<&'a str>,
    /// Whether a payment is kept by which the node's history is checked.
    pub kept_settlement: Option<&'a WalletId>,
    /// What a new intent depends on.
    pub intent: Option<&'a NewIntent>,
    /// The key of the next answer.
    pub next_answer: bool,
}

/// What that record depends on.
pub fn keys(record: &Record) -> Keys<'_> {
    let of_payment = |key: &PaymentKey| Keys { payment: Some(*key), ..Keys::default() };
    let of_job = |key: &JobKey| Keys { job: Some(*key), ..Keys::default() };
    match record {
        Record::Intend(intent) => Keys { takes: true, intent: Some(intent), ..of_job(&intent.job) },
        Record::SendBegun(key)
        | Record::SendAnswered { payment: key, .. }
        | Record::Posted(key, _)
        | Record::AbandonedDead { payment: key, .. }
        | Record::Doubt { payment: key, .. }
        | Record::Replaying(key) => of_payment(key),
        Record::Paid { payment, .. } | Record::Dead { payment, .. } => Keys { takes: true, ..of_payment(payment) },
        Record::KeptSettlement { node, .. } => Keys { kept_settlement: Some(node), ..Keys::default() },
        Record::Answer { payment, .. } => Keys { refusals: true, next_answer: true, ..of_payment(payment) },
        Record::Accepted { payment, answer, .. } => {
            Keys { answer: Some(*answer), refusals: true, ..of_payment(payment) }
        }
        Record::Delivered { payment, answer, url, more: _, own } => Keys {
            answer: Some(*answer),
            refusals: true,
            delivers: Some(url),
            result: own.then_some(url.as_str()),
            ..of_payment(payment)
        },
        Record::DeliveredAtOnce { payment, url, own, .. } => Keys {
            refusals: true,
            next_answer: true,
            delivers: Some(url),
            result: own.then_some(url.as_str()),
            ..of_payment(payment)
        },
        Record::Undelivered { payment, answer, .. } => Keys { answer: *answer, refusals: true, ..of_payment(payment) },
        Record::Refund(payment, RefundRecord::Offered { answer, .. }) => {
            Keys { answer: Some(*answer), refusals: true, refund: true, ..of_payment(payment) }
        }
        Record::Refund(payment, RefundRecord::Invoiced(invoice)) => {
            Keys { refund: true, refund_invoice: Some(invoice.hash), ..of_payment(payment) }
        }
        Record::Refund(
            payment,
            RefundRecord::HandedOver { .. }
            | RefundRecord::Waits { .. }
            | RefundRecord::Settled { .. }
            | RefundRecord::Expired { .. },
        ) => Keys { refund: true, ..of_payment(payment) },
        Record::Served(served) => Keys { takes: true, ..of_job(&served.job) },
        Record::LeftUndelivered(key) => Keys { undelivered: true, ..of_job(key) },
        Record::Ended(key, _)
        | Record::Stuck { job: key, .. }
        | Record::Fetching(key, ..)
        | Record::Downloaded(key, _)
        | Record::NotDownloaded { job: key, .. } => of_job(key),
    }
}
