//! Many records in one transaction, and what is told of each.

use super::cases::intend;
use super::{AT, Subject};
use crate::ledger::contract::support::{
    FEE, HOLD, is_contradiction, new_intent, paid, posted, preimage, request, secret,
};
use crate::ledger::{
    BatchKey, Caps, Committed, IntentRefusal, JobKey, NewIntent, PaymentKey, PendingJob, Posted, Record, Recorded,
};
use crate::money::Msat;
use crate::purchase::{Body, BodyFolder, JobState, Reason, Request};

const JUNE: BatchKey = BatchKey(1);

fn wants(jobs: &[PendingJob]) -> Vec<Record> {
    (1..).zip(jobs).map(|(n, job)| Record::Intend(Box::new(new_intent(job, n)))).collect()
}

fn all<S: Subject>(store: &mut S, records: Vec<Record>) -> Vec<Result<Recorded, crate::ledger::LedgerError>> {
    store.apply_all(records.into_iter().map(|record| (AT, record)).collect()).unwrap()
}

fn job_of(recorded: &Recorded) -> JobKey {
    match &recorded.committed {
        Committed::Intent(intent) => intent.job(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn outcomes_stand_in_the_order_of_their_records<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"]), ("july", &["d"])]);
    assert!(all(&mut store, Vec::new()).is_empty());
    let outcomes = all(&mut store, wants(&jobs));
    let told: Vec<JobKey> = outcomes.iter().map(|outcome| job_of(outcome.as_ref().unwrap())).collect();
    assert_eq!(told, jobs.iter().map(|job| job.key).collect::<Vec<_>>());
}

pub(super) fn one_contradiction_in_a_group_leaves_the_others_standing<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let mut records = wants(&jobs);
    records.insert(1, Record::SendBegun(PaymentKey(77)));
    // This one writes its preimage before its fee is found to fit no ledger.
    let posted = Some(Posted { fee: Msat::new(u64::MAX), payment_index: None });
    records.insert(2, Record::Paid { payment: PaymentKey(1), preimage: preimage(1), answered: true, posted });
    let outcomes = all(&mut store, records);
    assert_eq!(outcomes.len(), 5);
    assert!(is_contradiction(&outcomes[1]) && is_contradiction(&outcomes[2]), "{outcomes:?}");
    assert!([0, 3, 4].into_iter().all(|place| outcomes[place].is_ok()), "{outcomes:?}");
    assert_eq!(store.sums(JUNE).held, i64::try_from(3 * HOLD).unwrap());
    assert!(store.jobs().iter().all(|job| job.state == JobState::Running), "half a record was written");
}

pub(super) fn records_of_one_payment_in_a_group_follow_each_other<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = PaymentKey(1);
    let mut records = wants(&jobs);
    records.extend([
        Record::SendBegun(payment),
        Record::SendAnswered { payment, accepted: true },
        Record::SendAnswered { payment, accepted: false },
        Record::SendAnswered { payment, accepted: false },
        paid(payment, 1, None),
        Record::Posted(payment, posted()),
    ]);
    let outcomes = all(&mut store, records);
    let told: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(told, [true, true, true, true, false, true, true], "two sends have two answers");
    let known = store.payment(payment);
    assert_eq!((known.sends.begun, known.sends.accepted, known.fate.fee), (2, true, Some(FEE)));
}

pub(super) fn a_limit_holds_within_a_group<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let most = Msat::new(2 * HOLD);
    let capped = |(n, job): (u8, &PendingJob)| NewIntent {
        caps: Caps { batch: Some(most), ..Caps::default() },
        ..new_intent(job, n)
    };
    let records = (1..).zip(&jobs).map(|each| Record::Intend(Box::new(capped(each)))).collect();
    let outcomes = all(&mut store, records);
    let last = &outcomes[2].as_ref().unwrap().committed;
    assert!(
        matches!(last, Committed::IntentRefused(IntentRefusal::BatchLimit { used, .. }) if *used == most),
        "{last:?}"
    );
    assert_eq!(store.sums(JUNE).held, i64::try_from(most.get()).unwrap());
}

pub(super) fn a_hash_is_one_purchase_s_within_a_group_too<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["b"])]);
    let records = jobs.iter().map(|job| Record::Intend(Box::new(new_intent(job, 1)))).collect();
    let outcomes = all(&mut store, records);
    assert!(matches!(outcomes[0].as_ref().unwrap().committed, Committed::Intent(_)));
    let second = &outcomes[1].as_ref().unwrap().committed;
    assert!(matches!(second, Committed::IntentRefused(IntentRefusal::HashKnown)), "{second:?}");
}

pub(super) fn a_record_tells_how_its_job_stands_then<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let mut told = |record| store.commit(AT, record).unwrap().transition;
    let begun = told(Record::Intend(Box::new(new_intent(&jobs[0], 1)))).unwrap();
    assert_eq!((begun.state, begun.reason), (JobState::Running, Reason::None));
    let payment = PaymentKey(1);
    assert_eq!(told(Record::SendBegun(payment)), None, "nobody sees that");
    let words = Some("no answer".to_owned());
    let doubt = Record::Doubt { payment, reason: Reason::PaymentUnknown, error: words.clone(), wait_until: None };
    let doubted = told(doubt).unwrap();
    assert_eq!((doubted.state, doubted.reason, doubted.error), (JobState::InDoubt, Reason::PaymentUnknown, words));
    let settled = told(paid(payment, 1, Some(posted()))).unwrap();
    assert_eq!((settled.state, settled.fee, settled.error), (JobState::Paid, Some(FEE), None));
    assert_eq!(told(Record::Posted(payment, posted())), None);
}

pub(super) fn an_intent_comes_back_as_it_was_made<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let new = new_intent(&jobs[0], 1);
    let payment = intend(&mut store, new.clone());
    let open = store.open_jobs(None).unwrap().remove(0);
    let crate::ledger::OpenStage::Intended(intent) = open.stage else { panic!("{open:?}") };
    assert_eq!((intent.payment(), intent.job(), *intent.hash()), (payment, jobs[0].key, secret(1).1));
    assert_eq!((intent.invoice(), intent.amount(), intent.fee_limit()), ("lnbc1", new.amount, new.fee_limit));
    assert_eq!((intent.node(), intent.cltv_limit()), (&new.node, Some(crate::ledger::CLTV_LIMIT)));
    assert_eq!(intent.invoice_expires_at(), new.invoice_expires_at);
    assert_eq!(intent.credential_expires_at(), new.credential_expires_at);
    assert_eq!((intent.sends_begun(), intent.sends_answered(), intent.accepted()), (1, 0, false));
}

/// A large body waits in a file for what becomes of its intent: recorded, refused, or rolled back with others and recorded alone.
pub(super) fn a_body_in_a_file_is_kept_with_its_intent_alone<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let place = tempfile::tempdir().unwrap();
    let of_store = store.body_folder();
    let folder = of_store.clone().unwrap_or_else(|| BodyFolder::new(place.path().join("bodies")));
    let filed = |job: &PendingJob, n: u8| {
        let Request { method, url, .. } = request(job, Vec::new());
        let body = Body::Filed(folder.write(&[n; 70_000]).unwrap().into());
        NewIntent { request: Request::of(method, url, body).unwrap(), ..new_intent(job, n) }
    };
    let want = |intent| Record::Intend(Box::new(intent));
    let kept = intend(&mut store, filed(&jobs[0], 1));
    let refused = store.hand_back(AT, want(NewIntent { hash: secret(1).1, ..filed(&jobs[1], 2) })).unwrap();
    assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::HashKnown)), "{refused:?}");
    let posted = Some(Posted { fee: Msat::new(u64::MAX), payment_index: None });
    let unfit = Record::Paid { payment: kept, preimage: preimage(1), answered: true, posted };
    let outcomes = all(&mut store, vec![want(filed(&jobs[1], 2)), unfit, want(filed(&jobs[2], 3))]);
    assert!(is_contradiction(&outcomes[1]), "{outcomes:?}");
    let payment = |place: usize| match &outcomes[place].as_ref().unwrap().committed {
        Committed::Intent(intent) => intent.payment(),
        other => panic!("{other:?}"),
    };
    for (payment, n) in [kept, payment(0), payment(2)].into_iter().zip(1..) {
        assert_eq!(*store.request(payment).unwrap().body().bytes().unwrap(), [n; 70_000]);
    }
    if of_store.is_some() {
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left of what was not recorded");
    }
}
