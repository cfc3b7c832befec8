//! What the records of a ledger say, for the auditor.

use std::collections::BTreeMap;

use l402_batch::l402::PaymentHash;
use l402_batch::ledger::{
    AnswerKind, Committed, DurableIntent, IntentRefusal, NewIntent, PaymentKey, Record, RefundRecord,
};
use l402_batch::money::Msat;
use l402_batch::purchase::Reason;
use l402_batch::time::UnixMs;

use super::auditor::Auditor;
use super::coverage::Sight;
use super::disk::Disk;

/// What an intent said.
#[derive(Clone, Debug)]
pub struct Payment {
    pub hash: PaymentHash,
    pub node: usize,
    pub host: String,
    pub credential_ends: UnixMs,
    pub amount: u64,
    /// Spent or held, without what came back.
    pub used: u64,
    pub refunded: u64,
}

/// The payment whose job a record has delivered.
fn delivered_by(record: &Record, done: &Committed) -> Option<PaymentKey> {
    match (record, done) {
        (Record::Delivered { payment, .. } | Record::DeliveredAtOnce { payment, .. }, Committed::Done) => {
            Some(*payment)
        }
        (_, _) => None,
    }
}

impl Disk {
    pub fn note_payment(&self, now: UnixMs, batch: &str, record: &Record, done: &Committed) {
        let mut payments = self.payments.borrow_mut();
        let mut open = self.open.borrow_mut();
        let mut auditor = self.world.auditor.borrow_mut();
        self.note_doubt(record, done, &payments);
        let is_duplicate = matches!(done, Committed::IntentRefused(IntentRefusal::Duplicate(_)));
        self.world.saw_if(is_duplicate, Sight::DuplicateAtIntent);
        if let Some(payment) = delivered_by(record, done) {
            auditor.delivered_at(payments.get(&payment).map(|known| known.host.as_str()));
        }
        match (record, done) {
            (Record::Intend(new), Committed::Intent(intent)) => {
                let payment = self.intended(new, intent);
                auditor.charged(payment.hash, (batch.to_owned(), payment.host.clone()), &new.caps);
                auditor.ledger_uses(payment.hash, payment.used);
                payments.insert(intent.payment(), payment);
                open.insert(intent.payment());
            }
            (Record::Paid { payment, posted, .. }, _) => {
                if let Some(known) = payments.get_mut(payment) {
                    auditor.known_settled(known.node, known.hash);
                    if let Some(posted) = posted {
                        known.used = known.amount + posted.fee.get();
                    }
                    // What a person had taken as never made is held again.
                    auditor.ledger_uses(known.hash, known.used - known.refunded);
                }
                open.remove(payment);
            }
            (Record::Posted(payment, posted), _) => {
                if let Some(known) = payments.get_mut(payment) {
                    known.used = known.amount + posted.fee.get();
                    auditor.ledger_uses(known.hash, known.used - known.refunded);
                }
            }
            (Record::Answer { payment, answer, kind } | Record::DeliveredAtOnce { payment, answer, kind, .. }, _) => {
                if let Some(known) = payments.get(payment).filter(|_| *kind == AnswerKind::Redeem) {
                    let is_own = !self.world.shop.borrow().is_of_another(&known.hash, answer);
                    auditor.redeems.kept(known.hash, answer, is_own);
                }
                let good = payments.get(payment).is_some_and(|known| now <= known.credential_ends);
                self.note_rejected(*payment, answer.status, good);
            }
            (Record::Dead { payment, .. } | Record::AbandonedDead { payment, .. }, _) => {
                if let Some(known) = payments.get_mut(payment) {
                    known.used = 0;
                    auditor.ledger_uses(known.hash, 0);
                }
                open.remove(payment);
            }
            (Record::Refund(payment, RefundRecord::Settled { received }), _) => {
                if let Some(known) = payments.get_mut(payment) {
                    self.note_refund(known, *received, &mut auditor);
                }
                self.world.saw(Sight::RefundSettled);
            }
            (Record::Refund(_, RefundRecord::HandedOver { .. }), _) => self.world.saw(Sight::HandedOverAgain),
            (Record::Refund(_, RefundRecord::Expired { .. }), _) => self.world.saw(Sight::InvoiceExpired),
            (_, _) => {}
        }
        self.world.open_payments.set(open.len() as u64);
    }

    fn note_doubt(&self, record: &Record, done: &Committed, payments: &BTreeMap<PaymentKey, Payment>) {
        let mut in_doubt = self.in_doubt.borrow_mut();
        match record {
            Record::Doubt { payment, .. } => drop(in_doubt.insert(*payment)),
            Record::Paid { payment, .. } => drop(in_doubt.remove(payment)),
            Record::Delivered { payment, .. } | Record::DeliveredAtOnce { payment, .. }
                if matches!(done, Committed::Done) =>
            {
                self.no_longer_rejected(*payment, payments);
            }
            // The word that a dead payment was bought by is in force again, whoever had given the payment up before.
            Record::Dead { payment, .. } | Record::AbandonedDead { payment, .. } => {
                in_doubt.remove(payment);
                self.beyond.borrow_mut().remove(payment);
            }
            _ => {}
        }
    }

    fn intended(&self, new: &NewIntent, intent: &DurableIntent) -> Payment {
        let (hash, amount) = (*intent.hash(), intent.amount().get());
        Payment {
            hash,
            node: self.node_of(intent),
            host: new.request.url.host_str().unwrap_or_default().to_owned(),
            credential_ends: new.credential_expires_at,
            amount,
            used: amount + intent.fee_limit().get(),
            refunded: 0,
        }
    }

    fn note_refund(&self, known: &mut Payment, received: Msat, auditor: &mut Auditor) {
        known.refunded = received.get().min(known.amount);
        auditor.ledger_uses(known.hash, known.used - known.refunded);
        let came = self.world.bank.borrow().received_for(&known.hash);
        if came != received.get() {
            auditor.violated(format!("a refund of {received} is booked, and the node has received {came} msat"));
        }
    }

    /// Whether the origin rejects a credential that it should take.
    fn note_rejected(&self, payment: PaymentKey, status: u16, good: bool) {
        match status {
            402 if good => drop(self.rejected.borrow_mut().insert(payment)),
            200..=299 => drop(self.rejected.borrow_mut().remove(&payment)),
            _ => {}
        }
    }

    fn no_longer_rejected(&self, payment: PaymentKey, payments: &BTreeMap<PaymentKey, Payment>) {
        let mut rejected = self.rejected.borrow_mut();
        rejected.remove(&payment);
        // A purchase that a person trusted the origin with speaks for the whole origin.
        if let Some(host) = self.beyond.borrow().get(&payment) {
            rejected.retain(|one| payments.get(one).is_none_or(|one| one.host != *host));
        }
    }

    /// A person took an answer of that purchase for its result.
    pub fn delivered_to_a_person(&self, hash: &PaymentHash) {
        let payments = self.payments.borrow();
        if let Some(payment) = payments.iter().find(|(_, one)| one.hash == *hash).map(|(payment, _)| *payment) {
            self.no_longer_rejected(payment, &payments);
        }
    }

    pub fn node_of(&self, intent: &DurableIntent) -> usize {
        usize::from(self.world.nodes[0].borrow().id != *intent.node())
    }

    pub fn note_file(&self, record: &Record) {
        let world = &self.world;
        match record {
            Record::Downloaded(job, whole) => world.files.downloaded(world, *job, &whole.file, whole.sha256),
            Record::NotDownloaded { reason: Reason::UrlGone, .. } => world.saw(Sight::FileGone),
            Record::NotDownloaded { .. } => world.saw(Sight::FileFailed),
            _ => {}
        }
    }

    /// A word was given for one more payment at an origin.
    pub fn trusted(&self, origin: &str) {
        *self.trusts.borrow_mut().entry(origin.to_owned()).or_default() += 1;
    }

    /// Whether a word lets this payment begin at an origin that gets no more; each word lets one that does not come to nothing.
    pub fn trusts(&self, origin: &str, payment: PaymentKey) -> bool {
        let mut beyond = self.beyond.borrow_mut();
        beyond.insert(payment, origin.to_owned());
        let used = beyond.values().filter(|one| *one == origin).count();
        used <= self.trusts.borrow().get(origin).copied().unwrap_or(0)
    }
}

/// What a record is, in a word.
pub fn name(record: &Record) -> String {
    let debug = format!("{record:?}");
    let word: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
    match record {
        Record::Dead { proof, end, .. } => format!("{word} ({proof:?}, {:?} {:?})", end.state, end.reason),
        Record::Doubt { reason, .. } => format!("{word} ({reason:?})"),
        Record::Undelivered { end, .. } | Record::Ended(_, end) => {
            format!("{word} ({:?} {:?}: {})", end.state, end.reason, end.error.as_deref().unwrap_or_default())
        }
        Record::Intend(intent) => format!("{word} job {} {}", intent.job.0, super::node::short(&intent.hash)),
        Record::SendAnswered { accepted, .. } => format!("{word} (accepted: {accepted})"),
        Record::Refund(_, record) => format!("{word} {record:?}"),
        Record::SendBegun(_)
        | Record::Paid { .. }
        | Record::Posted(..)
        | Record::AbandonedDead { .. }
        | Record::KeptSettlement { .. }
        | Record::Answer { .. }
        | Record::Accepted { .. }
        | Record::LeftUndelivered(_)
        | Record::Replaying(_)
        | Record::Fetching(..)
        | Record::Downloaded(..)
        | Record::NotDownloaded { .. }
        | Record::Stuck { .. }
        | Record::Served(_)
        | Record::Delivered { .. }
        | Record::DeliveredAtOnce { .. } => word,
    }
}
