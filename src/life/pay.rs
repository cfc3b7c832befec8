//! From the durable intent to the durable preimage, or to the proof that the hash is dead.

use crate::error::Hinted;
use crate::l402::Preimage;
use crate::ledger::{DeadProof, DurableIntent, JobEnd, Posted, Record};
use crate::life::{
    Bounds, Effect, Moment, PaymentFate, PaymentLookup, State, Step, Then, Told, Tries, Waiting, commit, go, posted,
    stop, wait,
};
use crate::payer::{
    Answers, Expiry, Failures, LookUps, PayFailure, PayRefusal, Promises, Repeats, SendOutcome, SendReport,
};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// What came of a POST.
pub(super) fn sent(intent: DurableIntent, mut tries: Tries, report: SendReport, moment: &Moment<'_>) -> Step {
    let report = attributed(report, moment.promises);
    match report.outcome {
        SendOutcome::Settled(settled) => {
            settle(&intent, tries, settled.preimage, report.answered, Some(posted(&settled)))
        }
        SendOutcome::PreimageKnown(preimage) => settle(&intent, tries, preimage, report.answered, None),
        SendOutcome::Failed(failure) => {
            tries.known = true;
            told(&intent, tries, Told::Failed(failure))
        }
        SendOutcome::InFlight => {
            tries.known = true;
            told(&intent, tries, Told::LookUp)
        }
        SendOutcome::Refused(refusal) => {
            match refusal {
                PayRefusal::AlreadyKnown => tries.known = true,
                PayRefusal::Node(_) => tries.node_cause = Some(Reason::NodeUnusable),
                PayRefusal::InvoiceExpired | PayRefusal::Other(_) => {}
            }
            told(&intent, tries, Told::LookUp)
        }
        SendOutcome::InDoubt(_) if report.answered => {
            // The stream began and broke: the node has taken the payment up.
            tries.known = true;
            told(&intent, tries, Told::LookUp)
        }
        SendOutcome::InDoubt(message) => {
            tries.looks += 1;
            let next = look_later(&intent, tries, moment.later(tries.looks, None), moment);
            doubt(&intent, Reason::PaymentUnknown, message, None, next)
        }
    }
}

/// The report as far as it is the wallet's own word: of what anybody may have said, a preimage alone counts.
fn attributed(report: SendReport, promises: &Promises) -> SendReport {
    let said = match (promises.answers, &report.outcome) {
        (Answers::Own, _)
        | (Answers::Anybodys, SendOutcome::Settled(_) | SendOutcome::PreimageKnown(_) | SendOutcome::InDoubt(_)) => {
            None
        }
        (Answers::Anybodys, SendOutcome::Failed(_)) => Some("that it failed"),
        (Answers::Anybodys, SendOutcome::Refused(_)) => Some("that it is refused"),
        (Answers::Anybodys, SendOutcome::InFlight) => Some("that it is on its way"),
    };
    let outcome = match said {
        Some(words) => SendOutcome::InDoubt(format!("nothing shows who says {words}")),
        None => report.outcome,
    };
    SendReport { answered: report.answered && promises.answers == Answers::Own, outcome, ..report }
}

fn told(intent: &DurableIntent, tries: Tries, told: Told) -> Step {
    let record = Record::SendAnswered { payment: intent.payment(), accepted: tries.known };
    commit(record, Then::Heed(tries, told))
}

/// What the node told, once it is durable that it answered.
pub(super) fn heed(intent: DurableIntent, tries: Tries, told: Told, moment: &Moment<'_>) -> Step {
    match told {
        // With several POSTs it takes a look that also asks whether the node still knows its history: one that has
        // forgotten that an earlier POST settled fails the later one.
        Told::Failed(failure) if intent.sends_begun() <= 1 => failed(&intent, tries, failure, None, moment),
        Told::Failed(_) | Told::LookUp => (State::Looking(intent.clone(), tries), Effect::LookUp(intent)),
    }
}

/// What the node says that was asked what it knows.
pub(super) fn looked_up(intent: DurableIntent, mut tries: Tries, lookup: PaymentLookup, moment: &Moment<'_>) -> Step {
    let node_time = lookup.node_time;
    match lookup.fate.clone() {
        PaymentFate::Settled(settled) => settle(&intent, tries, settled.preimage, false, Some(posted(&settled))),
        PaymentFate::PreimageKnown(preimage) => settle(&intent, tries, preimage, false, None),
        PaymentFate::InFlight => {
            tries.known = true;
            let message = "the node has it on its way".to_owned();
            let next = (State::Looking(intent.clone(), tries), Effect::Track(intent.clone()));
            doubt(&intent, Reason::PaymentInFlight, message, None, next)
        }
        PaymentFate::Failed(failure) => {
            tries.known = true;
            failed(&intent, tries, failure, node_time, moment)
        }
        PaymentFate::NotFound | PaymentFate::Untestable if tries.known => {
            let message = "the node knew the payment and does not know it any more".to_owned();
            doubt(&intent, Reason::NodeForgot, message, None, stop())
        }
        PaymentFate::NotFound | PaymentFate::Untestable => {
            let is_testable = lookup.fate == PaymentFate::NotFound;
            match death_proof(&intent, &lookup, moment.now, moment.bounds, moment.promises) {
                Some(proof) => bury(&intent, tries, proof, None, moment),
                None if is_testable && moment.promises.remembers() => again_or_wait(&intent, tries, &lookup, moment),
                None => doubt(&intent, Reason::NoWitness, untestable(moment.promises), None, stop()),
            }
        }
        PaymentFate::Forgot(message) => doubt(&intent, Reason::NodeForgot, message, None, stop()),
        PaymentFate::OtherNode(message) => doubt(&intent, Reason::OtherNode, message, None, stop()),
        PaymentFate::Unknown(problem) => {
            tries.looks += 1;
            let next = look_again(&intent, tries, moment.later(tries.looks, None), moment);
            doubt(&intent, Reason::PaymentUnknown, problem.told(), None, next)
        }
    }
}

/// A person's word ended the job, and nothing less than proof that it was paid begins it again: then what was paid for is
/// redeemed after all. Proof that it never can be paid gives its hold back.
pub(super) fn abandoned(intent: &DurableIntent, lookup: PaymentLookup, moment: &Moment<'_>) -> Step {
    match lookup.fate {
        PaymentFate::Settled(settled) => {
            settle(intent, Tries::default(), settled.preimage, false, Some(posted(&settled)))
        }
        PaymentFate::PreimageKnown(preimage) => settle(intent, Tries::default(), preimage, false, None),
        PaymentFate::Failed(_)
        | PaymentFate::InFlight
        | PaymentFate::NotFound
        | PaymentFate::Untestable
        | PaymentFate::Forgot(_)
        | PaymentFate::OtherNode(_)
        | PaymentFate::Unknown(_) => match death_proof(intent, &lookup, moment.now, moment.bounds, moment.promises) {
            Some(proof) => commit(Record::AbandonedDead { payment: intent.payment(), proof }, go(stop())),
            None => stop(),
        },
    }
}

/// The node says FAILED: dead by proof, or the same invoice again, or wait.
fn failed(
    intent: &DurableIntent,
    tries: Tries,
    failure: PayFailure,
    node_time: Option<UnixMs>,
    moment: &Moment<'_>,
) -> Step {
    let lookup = PaymentLookup { fate: PaymentFate::Failed(failure), node_time };
    match death_proof(intent, &lookup, moment.now, moment.bounds, moment.promises) {
        Some(proof) => bury(intent, tries, proof, Some(failure), moment),
        None => again_or_wait(intent, tries, &lookup, moment),
    }
}

/// What the wallet's own answer proves of a payment that has not settled: that it never can (rule 2), as far as the wallet promises
/// what that takes. The one place where this is decided.
pub(crate) fn death_proof(
    intent: &DurableIntent,
    lookup: &PaymentLookup,
    now: UnixMs,
    bounds: &Bounds,
    promises: &Promises,
) -> Option<DeadProof> {
    match promises.answers {
        Answers::Own => {}
        Answers::Anybodys => return None,
    }
    let all_answered = intent.sends_answered() >= intent.sends_begun();
    let has_expired = match promises.expiry {
        Expiry::Refused => expired(intent, lookup.node_time, now, bounds),
        Expiry::Ignored => false,
    };
    match lookup.fate {
        PaymentFate::Failed(_) if !is_final(intent, promises) => None,
        PaymentFate::Failed(_) if all_answered || knowing_it_answers(intent, promises) => {
            Some(DeadProof::FailedAndAnswered)
        }
        PaymentFate::Failed(_) if has_expired => Some(DeadProof::FailedAndExpired),
        // It knew the payment, and has forgotten it.
        PaymentFate::NotFound | PaymentFate::Untestable if intent.accepted() => None,
        // What the wallet itself refused every time, it has no record of to forget.
        PaymentFate::NotFound | PaymentFate::Untestable if all_answered => Some(DeadProof::NotFoundAndAnswered),
        PaymentFate::NotFound if has_expired && promises.remembers() => Some(DeadProof::NotFoundAndExpired),
        PaymentFate::Settled(_)
        | PaymentFate::PreimageKnown(_)
        | PaymentFate::Failed(_)
        | PaymentFate::InFlight
        | PaymentFate::NotFound
        | PaymentFate::Untestable
        | PaymentFate::Forgot(_)
        | PaymentFate::OtherNode(_)
        | PaymentFate::Unknown(_) => None,
    }
}

/// Whether the wallet's FAILED is news of the payment for good. With several POSTs it is only where the wallet remembers: one that
/// has forgotten that the first one settled fails a later one.
const fn is_final(intent: &DurableIntent, promises: &Promises) -> bool {
    match promises.failures {
        Failures::Final => intent.sends_begun() <= 1 || promises.remembers(),
        Failures::MaySettle => false,
    }
}

/// Where only one POST was ever begun, the wallet's knowing the hash is its answer; unless a POST that is still on its way would
/// pay all the same.
const fn knowing_it_answers(intent: &DurableIntent, promises: &Promises) -> bool {
    match promises.repeats {
        Repeats::OnePayment => intent.sends_begun() <= 1,
        Repeats::EachPays => false,
    }
}

/// By the node's clock, with a margin; without the node's clock nothing has expired. Ours must agree: the date of an answer
/// may be a proxy's, and a clock that jumps ahead comes back.
fn expired(intent: &DurableIntent, node_time: Option<UnixMs>, now: UnixMs, bounds: &Bounds) -> bool {
    let over = |now: UnixMs| now.since_ms(intent.invoice_expires_at()) > bounds.expiry_margin_ms;
    node_time.is_some_and(over) && over(now)
}

/// Whether invoice and credential both live long enough for a payment that begins now to be redeemed (rule 4), by the later
/// of the two clocks.
pub(crate) fn outlives_a_payment(
    intent: &DurableIntent,
    node_time: Option<UnixMs>,
    now: UnixMs,
    bounds: &Bounds,
) -> bool {
    let latest = intent.invoice_expires_at().min(intent.credential_expires_at());
    latest.since_ms(node_time.unwrap_or(now).max(now)) >= bounds.lifetime_ms_min
}

/// Where nothing shows that the node has kept its history, it may have paid and forgotten: that is a person's, before anything is
/// sent again.
fn untestable(promises: &Promises) -> String {
    if promises.remembers() {
        "the node does not know the payment, and it has settled none before it that would show that it still knows all that it paid"
    } else {
        "the wallet does not know the payment, and does not promise to know all that it was asked to pay"
    }
    .to_owned()
}

/// Not dead and not on its way (rule 4): the same invoice to the same node while it can still be redeemed, else wait
/// until nothing can pay it any more.
fn again_or_wait(intent: &DurableIntent, mut tries: Tries, lookup: &PaymentLookup, moment: &Moment<'_>) -> Step {
    let in_time = outlives_a_payment(intent, lookup.node_time, moment.now, moment.bounds);
    let may_repeat = match moment.promises.repeats {
        // Whoever may have forgotten the first one does not know that it is the same.
        Repeats::OnePayment if !moment.promises.remembers() => false,
        Repeats::OnePayment => in_time && tries.resends < moment.bounds.resends && !moment.draining,
        Repeats::EachPays => false,
    };
    if may_repeat {
        tries.resends += 1;
        return commit(Record::SendBegun(intent.payment()), Then::Resend(tries));
    }
    tries.looks += 1;
    if !ends_with_its_invoice(intent, lookup, moment.promises) {
        let message = "not paid so far, as the wallet says; it does not promise that this is final".to_owned();
        let next = look_again(intent, tries, moment.later(tries.looks, None), moment);
        return doubt(intent, Reason::PaymentUnknown, message, None, next);
    }
    let final_at = intent.invoice_expires_at().plus_ms(moment.bounds.expiry_margin_ms).plus_ms(1_000);
    let until = final_at.max(moment.later(tries.looks, None));
    let message = format!("not paid so far; certain once the invoice has expired, at {final_at}");
    doubt(intent, Reason::WaitingForExpiry, message, Some(final_at), look_again(intent, tries, until, moment))
}

/// Whether the same answer proves, once the invoice has expired, that nothing can pay it any more.
fn ends_with_its_invoice(intent: &DurableIntent, lookup: &PaymentLookup, promises: &Promises) -> bool {
    let is_final = match lookup.fate {
        PaymentFate::Failed(_) => is_final(intent, promises),
        PaymentFate::NotFound => promises.remembers(),
        PaymentFate::Settled(_)
        | PaymentFate::PreimageKnown(_)
        | PaymentFate::InFlight
        | PaymentFate::Untestable
        | PaymentFate::Forgot(_)
        | PaymentFate::OtherNode(_)
        | PaymentFate::Unknown(_) => false,
    };
    let is_own = match promises.answers {
        Answers::Own => true,
        Answers::Anybodys => false,
    };
    match promises.expiry {
        Expiry::Refused => is_own && is_final,
        Expiry::Ignored => false,
    }
}

fn doubt(intent: &DurableIntent, reason: Reason, message: String, wait_until: Option<UnixMs>, next: Step) -> Step {
    commit(Record::Doubt { payment: intent.payment(), reason, error: Some(message), wait_until }, go(next))
}

/// Looks again then, unless this run has looked often enough: only a person or a later run can change it.
fn look_again(intent: &DurableIntent, tries: Tries, until: UnixMs, moment: &Moment<'_>) -> Step {
    if tries.looks >= moment.bounds.looks { stop() } else { look_later(intent, tries, until, moment) }
}

/// Looks again then, and holds no slot meanwhile; not at all where the wallet cannot be asked.
fn look_later(intent: &DurableIntent, tries: Tries, until: UnixMs, moment: &Moment<'_>) -> Step {
    match moment.promises.look_ups {
        LookUps::EveryHash | LookUps::Recent => {
            (State::Looking(intent.clone(), tries), Effect::Wait(until, Waiting::Doubt))
        }
        LookUps::Never => stop(),
    }
}

fn settle(intent: &DurableIntent, tries: Tries, preimage: Preimage, answered: bool, posted: Option<Posted>) -> Step {
    commit(Record::Paid { payment: intent.payment(), preimage, answered, posted }, Then::Redeem(tries))
}

/// The hash is dead: the hold goes back, and the job is tried again or ends.
fn bury(
    intent: &DurableIntent,
    mut tries: Tries,
    proof: DeadProof,
    failure: Option<PayFailure>,
    moment: &Moment<'_>,
) -> Step {
    let (reason, message) = failure_words(intent, failure, tries.node_cause);
    // Causes of the whole node fail no job: it waits for the node, without counting.
    let of_the_node = matches!(reason, Reason::NodeUnusable | Reason::InsufficientBalance);
    if !of_the_node {
        tries.pays += 1;
    }
    let again = of_the_node || tries.pays < moment.bounds.pays;
    let state = if again { JobState::Pending } else { JobState::Failed };
    let next_tries = Tries { asks: tries.asks, pays: tries.pays, hash_reused: tries.hash_reused, ..Tries::default() };
    let next = if again && !moment.draining {
        wait(State::Planned(next_tries), moment.later(tries.pays.max(1), None))
    } else {
        stop()
    };
    let end = JobEnd { state, reason, error: Some(message) };
    commit(Record::Dead { payment: intent.payment(), proof, end }, Then::Bury(Box::new(next)))
}

fn failure_words(intent: &DurableIntent, failure: Option<PayFailure>, node: Option<Reason>) -> (Reason, String) {
    let (reason, message) = match failure {
        Some(PayFailure::NoRoute) => {
            let limit = intent.fee_limit();
            return (Reason::NoRoute, format!("the node found no route for a fee of at most {limit}"));
        }
        Some(PayFailure::Timeout) => (Reason::PaymentTimeout, "the payment found no way in time"),
        Some(PayFailure::IncorrectPaymentDetails) => {
            (Reason::PaymentRejected, "the recipient does not take this payment")
        }
        Some(PayFailure::InsufficientBalance) => {
            (Reason::InsufficientBalance, "the node's channels cannot send that much now")
        }
        Some(PayFailure::Canceled) => (Reason::PaymentFailed, "the payment was cancelled at the node"),
        Some(PayFailure::Error) => (Reason::PaymentFailed, "the node could not make the payment"),
        None => match node {
            Some(reason) => (reason, "the node refused every payment"),
            None => (Reason::PaymentFailed, "the node refused the payment"),
        },
    };
    (reason, message.to_owned())
}
