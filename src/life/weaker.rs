//! What no longer follows where a wallet promises less than lnd does.

use crate::ledger::DeadProof;
use crate::ledger::fixtures::{intent, known_intent};
use crate::life::tests::{EARLY, LATE, each_cell, effect_words, facts, lookup, new_intent, sent};
use crate::life::*;
use crate::money::Msat;
use crate::payer::lnd::PROMISES as LND;
use crate::payer::{
    Answers, Expiry, Failures, FeeCeiling, History, LookUps, PayFailure, PayRefusal, Repeats, SendOutcome,
};

/// lnd, a wallet for each promise that is not given, and one that promises nothing.
pub(super) fn wallets() -> Vec<(&'static str, Promises)> {
    vec![
        ("lnd", LND),
        ("may pay twice", Promises { repeats: Repeats::EachPays, ..LND }),
        ("anybody's answers", Promises { answers: Answers::Anybodys, ..LND }),
        ("failed may settle", Promises { failures: Failures::MaySettle, ..LND }),
        ("looks up what is recent", Promises { look_ups: LookUps::Recent, ..LND }),
        ("looks up nothing", Promises { look_ups: LookUps::Never, ..LND }),
        ("shows no history", Promises { history: History::Kept, ..LND }),
        ("drops its history", Promises { history: History::Dropped, ..LND }),
        ("knows no expiry", Promises { expiry: Expiry::Ignored, ..LND }),
        ("own fee ceiling", Promises { fee_ceiling: FeeCeiling::Own { ppm: 10_000, at_least: Msat::ZERO }, ..LND }),
        ("no fee ceiling", Promises { fee_ceiling: FeeCeiling::Unlimited, ..LND }),
        ("needs minutes", Promises { patience_ms_min: 600_000, ..LND }),
        ("nothing", Promises::NONE),
    ]
}

/// What is known of a payment when it is asked whether it is dead.
const CASES: [&str; 9] = [
    "failed, sent once, not answered",
    "failed, sent once, answered",
    "failed, sent twice, answered twice",
    "failed, sent twice, answered once, expired",
    "not found, refused",
    "not found, sent twice, answered once, expired",
    "not found, was known, expired",
    "untestable, refused",
    "untestable, not answered, expired",
];

fn proofs(promises: &Promises) -> [Option<DeadProof>; CASES.len()] {
    let failed = PaymentFate::Failed(PayFailure::Timeout);
    let (not_found, untestable) = (PaymentFate::NotFound, PaymentFate::Untestable);
    let proof = |fate: &PaymentFate, intent: DurableIntent, now| {
        let lookup = PaymentLookup { fate: fate.clone(), node_time: Some(now) };
        death_proof(&intent, &lookup, now, &Bounds::default(), promises)
    };
    [
        proof(&failed, intent(1, 0), EARLY),
        proof(&failed, intent(1, 1), EARLY),
        proof(&failed, intent(2, 2), EARLY),
        proof(&failed, intent(2, 1), LATE),
        proof(&not_found, intent(1, 1), EARLY),
        proof(&not_found, intent(2, 1), LATE),
        proof(&not_found, known_intent(2, 1), LATE),
        proof(&untestable, intent(1, 1), EARLY),
        proof(&untestable, intent(1, 0), LATE),
    ]
}

#[test]
fn what_a_wallet_does_not_promise_proves_no_hash_dead() {
    let word = |proof: &Option<DeadProof>| match proof {
        Some(DeadProof::FailedAndAnswered) => "FA",
        Some(DeadProof::FailedAndExpired) => "FE",
        Some(DeadProof::NotFoundAndAnswered) => "NA",
        Some(DeadProof::NotFoundAndExpired) => "NE",
        None => "--",
    };
    let row = |promises: &Promises| proofs(promises).iter().map(word).collect::<Vec<_>>().join(" ");
    let all = "FA FA FA FE NA NE -- NA --";
    for (name, promises) in wallets() {
        let expected = match name {
            "may pay twice" => "-- FA FA FE NA NE -- NA --",
            "failed may settle" => "-- -- -- -- NA NE -- NA --",
            "looks up what is recent" | "looks up nothing" | "drops its history" => "FA FA -- -- NA -- -- NA --",
            "knows no expiry" => "FA FA FA -- NA -- -- NA --",
            "anybody's answers" | "nothing" => "-- -- -- -- -- -- -- -- --",
            "lnd" | "shows no history" | "own fee ceiling" | "no fee ceiling" | "needs minutes" => all,
            other => panic!("{other} is not in the table"),
        };
        assert_eq!(row(&promises), expected, "{name}: {CASES:?}");
    }
}

/// What follows first from this, in the words of the big table.
fn follows(promises: &Promises, state: State, input: Input) -> String {
    let (facts, bounds) = (facts(), Bounds::default());
    let moment = Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises };
    effect_words(&step(state, input, &moment).1)
}

#[test]
fn what_follows_from_an_answer_is_no_more_than_is_promised() {
    let looking = || State::Looking(intent(2, 1), Tries::default());
    let failed = || lookup(PaymentFate::Failed(PayFailure::Timeout));
    let not_found = || lookup(PaymentFate::NotFound);
    let lost = || sent(false, SendOutcome::InDoubt("reset".into()));
    let refused = || sent(true, SendOutcome::Refused(PayRefusal::InvoiceExpired));
    let paying = || State::Paying(intent(1, 0), Tries::default());
    for (name, promises) in wallets() {
        let next = |state, input| follows(&promises, state, input);
        let resends = |input| next(looking(), input) == "commit SendBegun";
        let repeats = promises.repeats == Repeats::OnePayment && promises.remembers();
        assert_eq!(resends(failed()), repeats, "{name}: sent again only where that is the same payment");
        assert_eq!(resends(not_found()), repeats, "{name}: never where it may have forgotten");
        let left = if promises.remembers() { "waiting_for_expiry" } else { "no_witness" };
        if !repeats && promises.expiry == Expiry::Refused {
            assert_eq!(next(looking(), not_found()), format!("commit doubt {left}"), "{name}");
        }
        let answered = next(paying(), refused()).starts_with("commit SendAnswered");
        assert_eq!(answered, promises.answers == Answers::Own, "{name}: only its own word is an answer");
        let (state, _) = {
            let (facts, bounds) = (facts(), Bounds::default());
            step(
                paying(),
                lost(),
                &Moment { now: EARLY, draining: false, facts: &facts, bounds: &bounds, promises: &promises },
            )
        };
        let waits = next(state, Input::Committed(Committed::Done)).starts_with("wait");
        assert_eq!(waits, promises.look_ups != LookUps::Never, "{name}: who cannot be asked is not waited for");
        let bought = next(State::Planned(Tries::default()), Input::Asked(Asked::Ready(new_intent())));
        let fits = promises.fee_ceiling.keeps_to(new_intent().fee_limit, new_intent().amount);
        assert_eq!(bought == "commit Intend", fits, "{name}: {bought}");
    }
}

/// Over the whole table: no wallet's word kills a hash that `death_proof` lets live, and nothing is sent twice that may be paid twice.
#[test]
fn no_cell_concludes_more_from_a_weaker_wallet() {
    for (name, promises) in wallets() {
        each_cell(&promises, |state_name, state, input_name, input, moment, _, effect| {
            let Effect::Commit(record) = effect else { return };
            let cell = format!("{name}: {state_name} × {input_name}");
            match (&**record, state, input) {
                (Record::SendBegun(_), ..) => assert_eq!(promises.repeats, Repeats::OnePayment, "{cell}"),
                (Record::SendAnswered { .. }, ..) => assert_eq!(promises.answers, Answers::Own, "{cell}"),
                (Record::Dead { proof, .. }, State::Looking(intent, _), Input::LookedUp(lookup)) => {
                    let allowed = death_proof(intent, lookup, moment.now, moment.bounds, &promises);
                    assert_eq!(Some(*proof), allowed, "{cell}");
                }
                _ => {}
            }
        });
    }
}
