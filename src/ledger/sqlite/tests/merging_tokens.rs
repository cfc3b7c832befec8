//! Two ledgers with tokens that serve several jobs: the same one is the newest in either order, and what a token has served is bought no more.

use super::merging::{Two, dead};
use super::support::*;
use crate::l402::Network;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchKey, Came, Committed, IntentRefusal, JobKey, NewIntent, PaymentKey, PendingJob, Record, Reopened, Reopening,
    Retake, Reuse, Served, TakeId, TokenAt, Undownloaded,
};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// Long before now.
const EARLY: UnixMs = UnixMs(NOW.0 - 1_000_000);

fn buys(job: &PendingJob, n: u8, after: Option<PaymentKey>) -> NewIntent {
    NewIntent { reuse: Some(Reuse { after }), ..new_intent(job, n) }
}

/// A token is bought at that time, and delivers its own job.
fn token(ledger: &mut SqliteLedger, job: &PendingJob, (n, at): (u8, UnixMs)) -> PaymentKey {
    let payment = open_token(ledger, job, (n, at));
    ledger.apply(at, paid(payment, n, Some(posted()))).unwrap();
    let answer = answer(ledger, payment, 200);
    let url = format!("https://seller.example/v/{n}");
    ledger.apply(at, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    payment
}

/// A token is being bought since that time.
fn open_token(ledger: &mut SqliteLedger, job: &PendingJob, (n, at): (u8, UnixMs)) -> PaymentKey {
    match ledger.apply(at, Record::Intend(Box::new(buys(job, n, None)))).unwrap() {
        Committed::Intent(intent) => intent.payment(),
        other => panic!("{other:?}"),
    }
}

fn serves(ledger: &mut SqliteLedger, job: JobKey, by: PaymentKey, came: Came) {
    let served = Served { job, by, request: [7; 32], answer: http(200), came };
    ledger.apply(NOW, Record::Served(Box::new(served))).unwrap();
}

fn result() -> Came {
    Came::Result { url: "https://seller.example/v/b".to_owned(), more: Vec::new() }
}

fn not_understood() -> Came {
    Came::Nothing(end(JobState::Refused, Reason::UnknownAnswer))
}

/// A token's own job, and one that it has served.
fn serve(ledger: &mut SqliteLedger, jobs: &[PendingJob], came: Came) {
    let by = token(ledger, &jobs[0], (1, NOW));
    serves(ledger, jobs[1].key, by, came);
}

fn june(ledger: &SqliteLedger) -> BatchKey {
    ledger.batch("june").unwrap().unwrap().key
}

/// Ledgers of these jobs, one a copy of the other, and the jobs as either knows them.
fn two_of(ids: &[&str], before: impl FnOnce(&mut SqliteLedger, &[PendingJob])) -> (Two, Vec<PendingJob>) {
    let mut kept = Vec::new();
    let two = Two::of(ids, |ledger, jobs| {
        jobs.clone_into(&mut kept);
        before(ledger, jobs);
    });
    (two, kept)
}

#[test]
fn what_a_token_has_served_elsewhere_needs_no_purchase_here() {
    for knows_batch in [true, false] {
        let mut two = Two::of(&["a", "b", "c"], |_, _| {});
        let july = two.elsewhere(|ledger| {
            let name = if knows_batch { "june" } else { "july" };
            let batch = begin(ledger, name);
            if !knows_batch {
                load_ids(ledger, batch, &["a", "b", "c"]);
            }
            let jobs = pending(ledger, batch);
            serve(ledger, &jobs, result());
            name
        });
        two.merge();
        let batch = two.one.batch(july).unwrap().unwrap().key;
        let left: Vec<String> = pending(&two.one, batch).into_iter().map(|job| job.id).collect();
        assert_eq!(left, ["c"], "{july}");
        let jobs = two.one.to_download(batch, Undownloaded::All, None, 9).unwrap();
        let served = jobs.iter().find(|job| job.id == "b").unwrap();
        assert_eq!(two.one.delivery(served.key).unwrap(), Some(http(200)));
        assert!(two.one.credential(served.key).unwrap().is_some());
        let rest = pending(&two.one, batch).remove(0);
        let token = two.one.token(rest.key, &rest.endpoint.url, Network::Regtest).unwrap();
        assert!(matches!(token, TokenAt::InUse(_)), "the token serves here, too");
    }
}

#[test]
fn an_older_token_that_comes_in_is_not_the_newest() {
    for is_in_use in [false, true] {
        let (mut two, jobs) = two_of(&["a", "b", "c"], |_, _| {});
        let newest = match is_in_use {
            true => token(&mut two.one, &jobs[1], (2, NOW)),
            false => open_token(&mut two.one, &jobs[1], (2, NOW)),
        };
        two.elsewhere(|ledger| token(ledger, &jobs[0], (1, EARLY)));
        two.merge();
        let at = two.one.token(jobs[2].key, &jobs[2].endpoint.url, Network::Regtest).unwrap();
        match (is_in_use, at) {
            (true, TokenAt::InUse(token)) => assert_eq!(token.payment(), newest),
            (false, TokenAt::Open(buyer)) => assert_eq!(buyer.id, "b"),
            (_, other) => panic!("{other:?}"),
        }
        let older = PaymentKey(newest.0 + 1);
        for after in [None, Some(older)] {
            let refused = two.one.apply(NOW, Record::Intend(Box::new(buys(&jobs[2], 3, after)))).unwrap();
            assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::TokenKnown)), "{refused:?}");
        }
    }
}

/// A token that is open here may settle, whatever was bought elsewhere since.
#[test]
fn a_newer_token_that_comes_in_hides_none_that_is_open() {
    let (mut two, jobs) = two_of(&["a", "b", "c"], |_, _| {});
    open_token(&mut two.one, &jobs[1], (2, EARLY));
    two.elsewhere(|ledger| token(ledger, &jobs[0], (1, NOW)));
    two.merge();
    let at = two.one.token(jobs[2].key, &jobs[2].endpoint.url, Network::Regtest).unwrap();
    assert!(matches!(at, TokenAt::Open(_)), "{at:?}");
}

type Work = fn(&mut SqliteLedger, &[PendingJob]);

/// Whatever was begun for the job in vain, here or there.
#[test]
fn what_a_token_has_served_elsewhere_is_not_bought_here_although_it_was_tried() {
    let nothing: Work = |_, _| {};
    let begun: Work = |ledger, jobs| drop(intend(ledger, new_intent(&jobs[1], 9)));
    let dies: Work = |ledger, _| dead(ledger, PaymentKey(1));
    let tried: Work = |ledger, jobs| {
        let payment = intend(ledger, new_intent(&jobs[1], 9)).payment();
        dead(ledger, payment);
    };
    for (way, before, there) in [("before", tried, nothing), ("there", nothing, tried), ("begun here", begun, dies)] {
        for came in [result(), not_understood()] {
            let (mut two, jobs) = two_of(&["a", "b"], before);
            two.elsewhere(|ledger| {
                there(ledger, &jobs);
                serve(ledger, &jobs, came.clone());
            });
            two.merge();
            let (state, reason) = match came {
                Came::Nothing(_) => (JobState::Refused, Reason::UnknownAnswer),
                Came::Result { .. } => (JobState::Delivered, Reason::None),
            };
            assert_eq!(two.standing()[1], ("b".to_owned(), 1, state, reason), "{way}");
            assert_eq!(two.one.delivery(jobs[1].key).unwrap(), Some(http(200)), "{way}");
            load_ids(&mut two.one, BatchKey(1), &["a", "b"]);
            assert_eq!(pending(&two.one, june(&two.one)), [], "{way}");
        }
    }
}

/// A word that was said here of an answer is not taken back by the ledger that does not know it.
#[test]
fn what_a_person_has_sent_for_again_stays_to_be_asked_for() {
    let (mut two, jobs) = two_of(&["a", "b"], |ledger, jobs| serve(ledger, jobs, not_understood()));
    assert_eq!(two.one.reopen(NOW, jobs[1].key, Reopening::Retry, "so").unwrap(), Reopened::Recorded);
    two.merge();
    assert_eq!(two.standing()[1], ("b".to_owned(), 1, JobState::Pending, Reason::None));
}

/// A payment of the other ledger for what a token has served here stands beside it, and whatever becomes of that takes nothing away.
#[test]
fn a_payment_that_comes_in_leaves_what_a_token_has_served_as_it_is() {
    for settles in [true, false] {
        let (mut two, jobs) = two_of(&["a", "b"], |_, _| {});
        serve(&mut two.one, &jobs, result());
        two.elsewhere(|ledger| intend(ledger, new_intent(&jobs[1], 9)));
        let doubled = two.merge().doubled;
        assert!(matches!(&doubled[..], [one] if one.take == 2 && one.is_served && !one.both_paid), "{doubled:?}");
        let takes = two.one.takes(june(&two.one), "b").unwrap();
        let stand: Vec<_> = takes.iter().map(|take| (take.row.state, take.row.url.is_some())).collect();
        assert_eq!(stand, [(JobState::Delivered, true), (JobState::Running, false)]);
        let payment = PaymentKey(2);
        if settles {
            two.one.apply(NOW, paid(payment, 9, Some(posted()))).unwrap();
            assert_eq!(two.standing()[1], ("b".to_owned(), 2, JobState::Paid, Reason::None));
        } else {
            dead(&mut two.one, payment);
            assert_eq!(two.standing()[1], ("b".to_owned(), 1, JobState::Delivered, Reason::None));
            assert_eq!(two.one.delivery(jobs[1].key).unwrap(), Some(http(200)));
        }
        assert_eq!(pending(&two.one, june(&two.one)), []);
    }
}

/// Where a token has answered to it and a person wants it once more, it was not served: whoever wants it says so here again.
#[test]
fn a_further_take_that_is_to_be_asked_for_again_is_left_out() {
    let (mut two, jobs) = two_of(&["a", "b"], |ledger, jobs| {
        deliver(ledger, &jobs[1], 2);
    });
    two.elsewhere(|ledger| {
        let june = june(ledger);
        let by = token(ledger, &jobs[0], (1, NOW));
        let retake = Retake::of([TakeId { id: "b".to_owned(), take: 1 }]);
        let endpoint = endpoint();
        load(ledger, june, &retake, ["a", "b"].map(|id| planned(&endpoint, id, id)).to_vec());
        ledger.accept_takes(NOW, june).unwrap();
        let second = pending(ledger, june).remove(0);
        serves(ledger, second.key, by, not_understood());
        assert_eq!(ledger.reopen(NOW, second.key, Reopening::Retry, "so").unwrap(), Reopened::Recorded);
    });
    let merged = two.merge_once();
    assert_eq!(merged.unbegun.first, ["b@1 of june"]);
    assert_eq!(two.standing()[1], ("b".to_owned(), 1, JobState::Delivered, Reason::None));
    assert_eq!(pending(&two.one, june(&two.one)), []);
}

/// Of two takes that a merge has put beside each other one stays, and with it what is kept for a person.
#[test]
fn what_a_token_has_answered_stays_with_the_take_that_is_left() {
    let (mut two, jobs) = two_of(&["a", "b"], |ledger, jobs| {
        serve(ledger, jobs, not_understood());
        assert_eq!(ledger.reopen(NOW, jobs[1].key, Reopening::Retry, "so").unwrap(), Reopened::Recorded);
    });
    let dies = intend(&mut two.one, new_intent(&jobs[1], 8)).payment();
    two.elsewhere(|ledger| intend(ledger, new_intent(&jobs[1], 9)));
    assert_eq!(two.merge().doubled.len(), 1);
    dead(&mut two.one, dies);
    let left = two.one.takes(june(&two.one), "b").unwrap();
    assert_eq!(left.iter().map(|take| take.row.state).collect::<Vec<_>>(), [JobState::Running]);
    let key = two.one.conn.query_row("SELECT id FROM jobs WHERE job = 'b'", [], |row| row.get(0)).unwrap();
    assert_eq!(two.one.delivery(key).unwrap(), Some(http(200)));
}
