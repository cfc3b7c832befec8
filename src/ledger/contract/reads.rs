//! What a run reads: what is to be bought, what is open, what a node must know, who else sends the same.

use super::cases::{answer, deliver, intend};
use super::{AT, Subject, plan};
use crate::ledger::Caps;
use crate::ledger::contract::support::{end, http, is_contradiction, new_intent, paid, posted, secret};
use crate::ledger::{
    AnswerKind, Asking, BatchKey, Claimed, IntentBounds, JobKey, NewIntent, OpenStage, PaymentKey, PendingJob,
    Prospect, Record, RefundInvoice, RefundRecord, endpoint_and_origin,
};
use crate::money::Msat;
use crate::purchase::{JobState, Poll, Reason, WalletId};

const JUNE: BatchKey = BatchKey(1);

fn ids(jobs: Vec<PendingJob>) -> Vec<String> {
    jobs.into_iter().map(|job| job.id).collect()
}

fn claim<S: Subject>(store: &S, claimed: &mut Claimed, most: usize) -> Vec<String> {
    ids(claimed.claim(store, JUNE, most).unwrap())
}

fn payer() -> WalletId {
    WalletId("03payer".to_owned())
}

pub(super) fn each_pending_job_is_claimed_once_and_in_its_order<S: Subject>() {
    let (store, _) = S::with(&[("june", &["c", "a", "b"]), ("july", &["z"])]);
    let mut claimed = Claimed::default();
    assert_eq!(claim(&store, &mut claimed, 2), ["c", "a"]);
    assert_eq!(claim(&store, &mut claimed, 2), ["b"]);
    assert!(claim(&store, &mut claimed, 2).is_empty());
    assert_eq!(ids(claimed.claim(&store, BatchKey(2), 9).unwrap()), ["z"], "batches do not know of each other");
}

pub(super) fn another_run_claims_what_one_has_left<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    assert_eq!(claim(&store, &mut Claimed::default(), 9), ["a", "b", "c"]);
    intend(&mut store, new_intent(&jobs[0], 1));
    assert_eq!(claim(&store, &mut Claimed::default(), 9), ["b", "c"]);
}

pub(super) fn what_is_under_way_or_at_its_end_is_not_claimed<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
    deliver(&mut store, &jobs[0], 1);
    intend(&mut store, new_intent(&jobs[1], 2));
    store.hand_back(AT, Record::Ended(jobs[2].key, end(JobState::Refused, Reason::PriceChanged))).unwrap();
    assert_eq!(claim(&store, &mut Claimed::default(), 9), ["d"]);
}

fn stage<S: Subject>(store: &S) -> Option<&'static str> {
    let open = store.open_jobs(Some(JUNE)).unwrap();
    open.first().map(|job| match job.stage {
        OpenStage::Intended(_) => "intended",
        OpenStage::Abandoned(_) => "abandoned",
        OpenStage::Paid(_) => "paid",
        OpenStage::Answered(..) => "answered",
        OpenStage::Accepted(..) => "accepted",
        OpenStage::Unposted(_) => "unposted",
    })
}

pub(super) fn a_purchase_is_open_as_far_as_it_came<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    assert_eq!(stage(&store), None);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    assert_eq!(stage(&store), Some("intended"));
    store.hand_back(AT, paid(payment, 1, None)).unwrap();
    assert_eq!(stage(&store), Some("paid"));
    let answer = answer(&mut store, payment, 202);
    assert_eq!(stage(&store), Some("answered"), "nobody has interpreted it");
    let poll = Poll { url: "https://seller.example/poll".parse().unwrap(), interval_ms: 1_000 };
    store.hand_back(AT, Record::Accepted { payment, answer, poll }).unwrap();
    assert_eq!(stage(&store), Some("accepted"));
    let end = end(JobState::Lost, Reason::OriginFailed);
    store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    assert_eq!(stage(&store), Some("unposted"), "its fee is not known, and its hold stands");
    assert!(store.damaged_jobs(None).unwrap().is_empty());
}

pub(super) fn what_is_posted_and_delivered_is_open_no_more<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    assert_eq!(stage(&store), None);
    let payment = intend(&mut store, new_intent(&jobs[1], 2));
    store.hand_back(AT, paid(payment, 2, None)).unwrap();
    let answer = answer(&mut store, payment, 200);
    let url = "https://seller.example/v/2".to_owned();
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    assert_eq!(stage(&store), Some("unposted"));
    store.hand_back(AT, Record::Posted(payment, posted())).unwrap();
    assert_eq!(stage(&store), None);
}

pub(super) fn a_batch_s_open_jobs_are_its_own<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["b"])]);
    intend(&mut store, new_intent(&jobs[0], 1));
    intend(&mut store, new_intent(&jobs[1], 2));
    let open = |batch| store.open_jobs(batch).unwrap().into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!((open(Some(JUNE)), open(Some(BatchKey(2)))), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!(open(None), ["a", "b"]);
}

pub(super) fn the_request_of_an_intent_is_kept_without_what_leads_past_a_cache<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let mut new = new_intent(&jobs[0], 1);
    let asked = new.request.clone();
    new.request.bypass = Some("X-No-Cache".to_owned());
    let payment = intend(&mut store, new);
    assert_eq!(store.request(payment).unwrap(), asked);
    assert!(store.request(PaymentKey(99)).is_err());
}

pub(super) fn a_payment_is_not_in_its_own_history_check<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    assert!(!store.knows_settlement(&payer()).unwrap());
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    assert!(!store.knows_settlement(&payer()).unwrap(), "it has not settled");
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    assert!(store.knows_settlement(&payer()).unwrap());
    let check = store.history_check(&payer(), payment).unwrap();
    assert!(check.settled.is_empty() && !check.is_earlier, "{check:?}");
    assert!(!store.knows_settlement(&WalletId("03other".to_owned())).unwrap());
}

pub(super) fn what_settled_before_an_intent_is_asked_of_its_node<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    deliver(&mut store, &jobs[0], 1);
    let payment = intend(&mut store, new_intent(&jobs[1], 2));
    let check = store.history_check(&payer(), payment).unwrap();
    assert_eq!((check.settled, check.is_earlier), (vec![secret(1).1], true));
    deliver(&mut store, &jobs[2], 3);
    let mut check = store.history_check(&payer(), payment).unwrap();
    check.settled.sort_by_key(|hash| hash.0 != secret(1).1.0);
    assert_eq!(
        check.settled,
        [secret(1).1, secret(3).1],
        "and what was made since, which a restored node has forgotten"
    );
    let of_other = store.history_check(&WalletId("03other".to_owned()), payment).unwrap();
    assert!(of_other.settled.is_empty() && !of_other.is_earlier);
}

pub(super) fn a_kept_settlement_counts_where_nothing_has_settled<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    store.hand_back(AT, Record::KeptSettlement { node: payer(), hash: secret(9).1 }).unwrap();
    assert!(store.knows_settlement(&payer()).unwrap());
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    let check = store.history_check(&payer(), payment).unwrap();
    assert_eq!((check.settled, check.is_earlier), (vec![secret(9).1], true));
}

pub(super) fn an_identical_request_is_found_and_not_the_job_s_own<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let digest = new_intent(&jobs[0], 1).request.digest();
    let find = |store: &S, job: JobKey| store.identical_request(job, &digest).unwrap();
    assert_eq!(find(&store, jobs[1].key), None);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    assert_eq!(find(&store, jobs[0].key), None);
    let found = find(&store, jobs[1].key).unwrap();
    assert_eq!((found.batch.as_str(), found.id.as_str(), found.open, found.awaiting), ("june", "a", true, true));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut store, payment, 200);
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    let found = find(&store, jobs[1].key).unwrap();
    assert_eq!((found.open, found.awaiting, found.last_at), (false, false, AT));
}

pub(super) fn what_is_bought_under_another_name_is_known_before_the_ask<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["b"])]);
    let new = new_intent(&jobs[0], 1);
    let (digest, network) = (new.request.digest(), new.network);
    assert_eq!(store.bought_elsewhere(jobs[1].key, &digest, network).unwrap(), None);
    intend(&mut store, new);
    let original = store.bought_elsewhere(jobs[1].key, &digest, network).unwrap().unwrap();
    assert_eq!((original.batch.as_str(), original.id.as_str()), ("june", "a"));
    assert_eq!(store.bought_elsewhere(jobs[0].key, &digest, network).unwrap(), None, "it is itself");
}

pub(super) fn what_holds_an_endpoint_back_is_known_before_the_ask<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let bounds = IntentBounds { max_undelivered: 1, run_began: AT.plus_ms(1), ..IntentBounds::default() };
    let intent = |n: u8| NewIntent { bounds, ..new_intent(&jobs[usize::from(n) - 1], n) };
    let prospect = |url: url::Url| {
        let asking = Asking::default();
        Prospect { batch: JUNE, url, node: payer(), bounds, asking, cost: Msat::ZERO, caps: Caps::default() }
    };
    let url = intent(2).request.url.clone();
    assert!(store.held_back(AT, &prospect(url.clone())).unwrap().is_none());
    let payment = intend(&mut store, intent(1));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let end = end(JobState::Lost, Reason::OriginFailed);
    store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    let held = store.held_back(AT, &prospect(url.clone())).unwrap().unwrap();
    assert_eq!(held.reason(), Reason::BreakerOpen, "{}", endpoint_and_origin(&url).0);
}

pub(super) fn a_refund_is_open_while_it_can_be_claimed_or_come<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["b"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut store, payment, 200);
    let refund = |store: &mut S, record| store.hand_back(AT, Record::Refund(payment, record)).unwrap();
    let offered = |link: Option<&str>| RefundRecord::Offered {
        answer,
        link: link.map(str::to_owned),
        message: "sorry".to_owned(),
    };
    refund(&mut store, offered(None));
    assert!(store.open_refunds(None).unwrap().is_empty() && store.refund(payment).unwrap().is_none(), "no link");
    refund(&mut store, offered(Some("lnurlw://x")));
    assert_eq!(store.open_refunds(Some(JUNE)).unwrap(), [payment]);
    assert!(store.open_refunds(Some(BatchKey(2))).unwrap().is_empty());
    let open = store.refund(payment).unwrap().unwrap();
    assert_eq!((open.id.as_str(), open.take, open.hash, open.invoice), ("a", 1, secret(1).1, None));
    refund(
        &mut store,
        RefundRecord::Invoiced(Box::new(RefundInvoice {
            invoice: "lnbc9".to_owned(),
            hash: secret(50).1,
            amount: open.paid,
            expires_at: AT.plus_ms(1_000),
            node: payer(),
            callback: "https://seller.example/w".parse().unwrap(),
            k1: "k".to_owned(),
        })),
    );
    assert_eq!(store.open_refunds(None).unwrap(), [payment], "handed over, it may come");
    assert!(store.refund(payment).unwrap().unwrap().invoice.is_some());
    refund(&mut store, RefundRecord::Settled { received: Msat::new(1_000) });
    assert!(store.open_refunds(None).unwrap().is_empty() && store.refund(payment).unwrap().is_none());
}

pub(super) fn a_record_of_nothing_is_refused<S: Subject>() {
    let (mut store, _) = S::with(&[("june", &["a"])]);
    let (payment, kind) = (PaymentKey(99), AnswerKind::Redeem);
    for record in [
        Record::SendBegun(payment),
        Record::Posted(payment, posted()),
        Record::Replaying(payment),
        Record::Answer { payment, kind, answer: http(200) },
        Record::Ended(JobKey(99), end(JobState::Refused, Reason::PriceChanged)),
    ] {
        let seen = store.seen();
        assert!(is_contradiction(&store.commit(AT, record)));
        assert_eq!(store.seen(), seen);
    }
}

pub(super) fn pages_of_what_is_pending_follow_each_other<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"]), ("july", &["z"])]);
    intend(&mut store, new_intent(&jobs[1], 1));
    let first = store.pending(JUNE, None, 2).unwrap();
    let after = first.last().map(|job| job.seq);
    assert_eq!((ids(first), after), (vec!["a".to_owned(), "c".to_owned()], Some(2)));
    assert_eq!(ids(store.pending(JUNE, after, 2).unwrap()), ["d"]);
    assert!(store.pending(BatchKey(9), None, 2).unwrap().is_empty());
}

pub(super) fn a_pending_job_has_all_that_the_plan_gave_it<S: Subject>() {
    let mut store = S::empty();
    let june = store.begin("june");
    let given = plan(&["a"]).remove(0);
    store.take_in(june, vec![given.clone()]).unwrap();
    let job = store.pending(june, None, 9).unwrap().remove(0);
    assert_eq!((job.id, job.take, job.seq, job.params), (given.id, 1, 0, given.params));
    assert_eq!((job.content, job.endpoint), (given.content, given.endpoint));
    assert_eq!((job.price, job.fee_ceiling, job.max_cost), (given.priced.price, given.fee_ceiling, None));
}
