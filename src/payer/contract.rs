//! What every payer must do, as far as it promises it: one suite for each wallet and each double of one. A further wallet implements
//! [`Subject`] in its tests and calls [`holds`].

use std::future::Future;

use crate::error::Hinted;
use crate::l402::{PaymentHash, Preimage};
use crate::ledger::DurableIntent;
use crate::money::Msat;

use super::{
    Answers, Failures, FeeCeiling, Found, History, InvoiceOrder, InvoiceState, ListedStatus, LookUps, PayRefusal,
    Payer, PaymentHistory, Promises, Receiver, Repeats, SendOutcome, SendReport,
};

/// How much longer than its patience a call may take, in milliseconds.
const OVERRUN_MS: u64 = 3_000;
/// The patience for what ends soon, in milliseconds.
const PATIENT_MS: u64 = 30_000;
/// The patience for what does not end, in milliseconds.
const IMPATIENT_MS: u64 = 2_000;
/// What nobody has ever paid.
const UNHEARD_OF: PaymentHash = PaymentHash([0xab; 32]);

/// What becomes of a payment once it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It settles soon.
    Settles,
    /// It fails soon, or is refused.
    Fails,
    /// It stays on its way for longer than [`IMPATIENT_MS`].
    Stays,
}

/// A wallet in a world of its own.
pub trait Subject {
    /// The wallet that is put to the test.
    type Payer: Payer;

    /// The same wallet, each time; it may have been started again.
    fn payer(&self) -> &Self::Payer;

    /// The intent of an invoice that nobody has paid so far and whose payment takes that course. None: this world has no such.
    fn intent(&self, course: Course) -> impl Future<Output = Option<DurableIntent>>;

    /// How often its recipient has been paid, by the recipient's own books; none where nobody keeps them.
    fn received(&self, hash: &PaymentHash) -> Option<usize>;

    /// Starts the wallet again: it forgets what it does not promise to keep.
    fn restart(&mut self) {}

    /// Time as the wallet has it, in milliseconds.
    fn now_ms(&self) -> u64;

    /// Whether the world has what it takes to ask for history and invoices. Recordings of payments alone have not.
    fn is_whole(&self) -> bool {
        true
    }
}

/// What does not hold, in words.
type Held = Result<(), String>;

/// Holds a wallet to what it promises.
///
/// # Errors
/// What does not hold.
pub async fn holds<S: Subject>(subject: &mut S) -> Held {
    let promises = subject.payer().promises();
    knows_itself(subject).await?;
    what_is_unknown(subject, &promises).await?;
    what_settles(subject, &promises).await?;
    what_fails(subject, &promises).await?;
    what_stays_on_its_way(subject, &promises).await?;
    if subject.is_whole() {
        what_it_receives(subject).await?;
    }
    Ok(())
}

fn check(holds: bool, words: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(words()) }
}

async fn knows_itself<S: Subject>(subject: &S) -> Held {
    let payer = subject.payer();
    let (first, second) = (payer.node().await, payer.node().await);
    let id = |node: &Result<super::NodeInfo, _>| node.as_ref().ok().map(|node| node.id.clone());
    check(id(&first).is_some() && id(&first) == id(&second), || format!("who is it? {first:?}, {second:?}"))?;
    let shows = payer.promises().history == History::Shown;
    check(shows == payer.history().is_some(), || {
        "what shows its payments is there exactly where that is promised".into()
    })?;
    if let Some(history) = payer.history().filter(|_| subject.is_whole())
        && let Some(newest) = history.newest_settled().await.map_err(|problem| problem.told())?
    {
        let found = payer.look_up(&newest).await.found;
        check(matches!(found, Found::Settled(_)), || format!("its newest settled payment is {found:?}"))?;
    }
    Ok(())
}

/// What was never sent is not known, and nothing is made up about it.
async fn what_is_unknown<S: Subject>(subject: &S, promises: &Promises) -> Held {
    let payer = subject.payer();
    for found in [payer.look_up(&UNHEARD_OF).await.found, payer.track(&UNHEARD_OF, IMPATIENT_MS).await.found] {
        let holds = match promises.look_ups {
            LookUps::EveryHash => found == Found::NotFound,
            LookUps::Recent => matches!(found, Found::NotFound | Found::Unknown(_)),
            LookUps::Never => matches!(found, Found::Unknown(_)),
        };
        check(holds, || format!("of a hash that nobody has sent it says {found:?}"))?;
    }
    Ok(())
}

async fn what_settles<S: Subject>(subject: &mut S, promises: &Promises) -> Held {
    let Some(intent) = subject.intent(Course::Settles).await else { return Ok(()) };
    let hash = *intent.hash();
    let report = send(subject, &intent, PATIENT_MS).await?;
    let SendOutcome::Settled(settled) = report.outcome.clone() else {
        return Err(format!("what was to settle came to {report:?}"));
    };
    is_proof(&settled.preimage, &hash)?;
    let within = promises.fee_ceiling != FeeCeiling::AsAsked || settled.fee <= intent.fee_limit();
    check(within, || format!("routing cost {}, and the limit was {}", settled.fee, intent.fee_limit()))?;
    is_answered(&report, promises)?;
    is_received(subject, &hash, 1)?;
    still_settled(&subject.payer().look_up(&hash).await.found, promises, "just settled")?;
    if promises.repeats == Repeats::OnePayment {
        let again = send(subject, &intent, PATIENT_MS).await?;
        let same = match &again.outcome {
            SendOutcome::Refused(refusal) => *refusal == PayRefusal::AlreadyKnown,
            SendOutcome::Settled(known) => known.preimage == settled.preimage,
            SendOutcome::PreimageKnown(preimage) => *preimage == settled.preimage,
            SendOutcome::Failed(_) | SendOutcome::InFlight | SendOutcome::InDoubt(_) => false,
        };
        check(same, || format!("sent again, what has settled came to {again:?}"))?;
        is_received(subject, &hash, 1)?;
    }
    if let Some(history) = subject.payer().history().filter(|_| subject.is_whole()) {
        let page = history.list(0).await.map_err(|problem| problem.told())?;
        let listed = page.payments.iter().find(|listed| listed.hash == hash);
        let as_settled = listed.is_some_and(|listed| {
            (listed.status, listed.amount, listed.fee) == (ListedStatus::Settled, intent.amount(), settled.fee)
        });
        check(as_settled, || format!("what has settled is listed as {listed:?}"))?;
    }
    subject.restart();
    still_settled(&subject.payer().look_up(&hash).await.found, promises, "settled before it was started again")
}

fn still_settled(found: &Found, promises: &Promises, when: &str) -> Held {
    let holds = match (promises.look_ups, found) {
        (_, Found::Settled(_) | Found::PreimageKnown(_)) => promises.look_ups != LookUps::Never,
        (LookUps::EveryHash, _) => false,
        (LookUps::Recent, found) => matches!(found, Found::NotFound | Found::Unknown(_)),
        (LookUps::Never, found) => matches!(found, Found::Unknown(_)),
    };
    check(holds, || format!("of what had {when} it says {found:?}"))
}

async fn what_fails<S: Subject>(subject: &S, promises: &Promises) -> Held {
    let Some(intent) = subject.intent(Course::Fails).await else { return Ok(()) };
    let hash = *intent.hash();
    let report = send(subject, &intent, PATIENT_MS).await?;
    let failed = matches!(report.outcome, SendOutcome::Failed(_) | SendOutcome::Refused(_) | SendOutcome::InDoubt(_));
    check(failed, || format!("what was to fail came to {report:?}"))?;
    is_answered(&report, promises)?;
    let found = subject.payer().look_up(&hash).await.found;
    let holds = match (&report.outcome, &found) {
        (_, Found::Settled(_) | Found::PreimageKnown(_)) => false,
        (_, Found::InFlight) => promises.failures == Failures::MaySettle,
        (SendOutcome::Failed(_), Found::NotFound) => promises.look_ups == LookUps::Recent,
        (_, Found::Failed(_) | Found::NotFound) => promises.look_ups != LookUps::Never,
        (_, Found::Unknown(_)) => promises.look_ups != LookUps::EveryHash,
    };
    check(holds, || format!("of what came to {report:?} it says {found:?}"))?;
    is_received(subject, &hash, 0)
}

async fn what_stays_on_its_way<S: Subject>(subject: &S, promises: &Promises) -> Held {
    let Some(intent) = subject.intent(Course::Stays).await else { return Ok(()) };
    let hash = *intent.hash();
    let report = send(subject, &intent, IMPATIENT_MS).await?;
    // A wallet that cannot say that it is on its way does not know.
    let open = matches!(report.outcome, SendOutcome::InFlight | SendOutcome::InDoubt(_));
    check(open, || format!("what stays on its way came to {report:?}"))?;
    let begun = subject.now_ms();
    let tracked = subject.payer().track(&hash, IMPATIENT_MS).await.found;
    in_time(subject, begun, IMPATIENT_MS, "a track")?;
    for found in [subject.payer().look_up(&hash).await.found, tracked] {
        let holds = match promises.look_ups {
            LookUps::EveryHash => found == Found::InFlight,
            LookUps::Recent => matches!(found, Found::InFlight | Found::NotFound | Found::Unknown(_)),
            LookUps::Never => matches!(found, Found::Unknown(_)),
        };
        check(holds, || format!("of what is on its way it says {found:?}"))?;
    }
    if promises.repeats == Repeats::OnePayment {
        let again = send(subject, &intent, IMPATIENT_MS).await?;
        let same = matches!(again.outcome, SendOutcome::Refused(PayRefusal::AlreadyKnown) | SendOutcome::InFlight);
        check(same, || format!("sent again, what is on its way came to {again:?}"))?;
    }
    let received = subject.received(&hash).unwrap_or(0);
    check(received <= 1, || format!("one intent was paid {received} times"))
}

async fn what_it_receives<S: Subject>(subject: &S) -> Held {
    let Some(receiver) = subject.payer().receiver() else { return Ok(()) };
    let unknown = receiver.invoice(&UNHEARD_OF).await;
    check(unknown == Ok(InvoiceState::Unknown), || format!("of an invoice that it never made it says {unknown:?}"))?;
    let order = InvoiceOrder { amount: Msat::new(498_000), memo: "a refund".to_owned(), expiry_s: 3_600 };
    let made = receiver.add_invoice(&order).await.map_err(|problem| problem.told())?;
    let state = receiver.invoice(&made.hash).await;
    check(state == Ok(InvoiceState::Open), || format!("of an invoice that it has just made it says {state:?}"))?;
    let other = receiver.add_invoice(&order).await.map_err(|problem| problem.told())?;
    check(other.hash != made.hash, || "two orders made one invoice".to_owned())
}

/// Sends, within the patience that is given.
async fn send<S: Subject>(subject: &S, intent: &DurableIntent, patience_ms: u64) -> Result<SendReport, String> {
    let patience_ms = patience_ms.max(subject.payer().promises().patience_ms_min);
    let begun = subject.now_ms();
    let report = subject.payer().send(intent, patience_ms).await;
    in_time(subject, begun, patience_ms, "a send")?;
    Ok(report)
}

fn in_time<S: Subject>(subject: &S, begun_ms: u64, patience_ms: u64, what: &str) -> Held {
    let took_ms = subject.now_ms().saturating_sub(begun_ms);
    check(took_ms <= patience_ms + OVERRUN_MS, || format!("{what} took {took_ms} ms, and had {patience_ms}"))
}

fn is_proof(preimage: &Preimage, hash: &PaymentHash) -> Held {
    let proof = Preimage::verify(*preimage.reveal(), hash);
    check(proof.is_ok(), || "its preimage is another hash's".to_owned())
}

/// Whoever tells its own answers from others' says so of one that it gave.
fn is_answered(report: &SendReport, promises: &Promises) -> Held {
    let own = promises.answers == Answers::Own;
    check(!own || report.answered, || format!("it has answered, and says that it has not: {report:?}"))
}

fn is_received<S: Subject>(subject: &S, hash: &PaymentHash, times: usize) -> Held {
    match subject.received(hash) {
        Some(received) if received != times => Err(format!("one intent was paid {received} times instead of {times}")),
        Some(_) | None => Ok(()),
    }
}
