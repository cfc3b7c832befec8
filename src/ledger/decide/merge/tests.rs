//! The rules of a merge, each as a table.

use super::combine::{combined, is_refund_further, proves_dead};
use super::write::MergeRuling;
use super::{JobName, MergeLookup, MergeWrite, Side, merge};
use crate::ledger::decide::{
    Death, Fate, Job, Join, Payment, PaymentState, Refund, Sends, Take, TakePayment, Unfit, Write, fixtures,
};
use crate::ledger::{BatchKey, DeadProof, JobKey, PaymentKey, RefundStanding, UNKNOWN_CONTENT};
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

const NOW: UnixMs = UnixMs(100);
const CONTENT: ContentHash = ContentHash([1; 32]);
const OTHER: ContentHash = ContentHash([2; 32]);
/// Keys of the other ledger's.
const THEIRS: (JobKey, PaymentKey) = (JobKey(90), PaymentKey(91));
/// The keys of what comes in.
const NEXT: (JobKey, PaymentKey) = (JobKey(50), PaymentKey(51));

pub(super) fn payment(state: PaymentState) -> Payment {
    let preimage = matches!(state, PaymentState::Paid | PaymentState::Posted).then_some([7; 32]);
    let death = (state == PaymentState::Dead).then_some(Death::Proven(DeadProof::FailedAndAnswered));
    let fate = Fate { state, preimage, death, ..fixtures::payment().fate };
    let sends = Sends { answered: 1, ..fixtures::payment().sends };
    Payment { fate, sends, ..fixtures::payment() }
}

pub(super) fn side(state: PaymentState, job: JobState) -> Side {
    let job = Job { state: job, ..fixtures::job() };
    Side { payment: payment(state), job, content: CONTENT, has_params: true, by_receipt: false, refund: None }
}

/// The same, as the other ledger knows it.
fn theirs(state: PaymentState, job: JobState) -> Side {
    let side = side(state, job);
    let (job, payment) = (Job { key: THEIRS.0, ..side.job }, Payment { key: THEIRS.1, job: THEIRS.0, ..side.payment });
    Side { job, payment, ..side }
}

fn take(key: i64, take: u32, paid_by: Option<(i64, PaymentState)>) -> Take {
    let payments = paid_by.map(|(key, state)| TakePayment {
        key: PaymentKey(key),
        state,
        death: None,
        invoice_expires_at: None,
        cltv_limit: None,
    });
    Take {
        job: Job { key: JobKey(key), ..fixtures::job() },
        take,
        merged: false,
        content: CONTENT,
        bought: 1,
        edition: String::new(),
        meant: false,
        is_answered: false,
        payments: payments.into_iter().collect(),
    }
}

/// What stands here: takes of the job `a`, the first of which has the key 1, and ids that either ledger has besides.
struct Here(Vec<Take>, Vec<&'static str>);

impl MergeLookup for Here {
    type Error = Unfit;

    fn takes(&self, _: JobKey) -> Result<Vec<Take>, Unfit> {
        Ok(self.0.clone())
    }

    fn name(&self, _: JobKey) -> Result<JobName, Unfit> {
        Ok(JobName { batch: BatchKey(1), batch_name: "june".to_owned(), id: "a".to_owned() })
    }

    fn id(&self, _: BatchKey, id: &str) -> Result<(u32, bool), Unfit> {
        Ok((u32::from(id == "a"), id == "a" || self.1.contains(&id)))
    }

    fn target(&self, theirs: JobKey) -> Result<JobKey, Unfit> {
        assert_eq!(theirs, THEIRS.0);
        Ok(JobKey(1))
    }

    fn next(&self) -> Result<(JobKey, PaymentKey), Unfit> {
        Ok(NEXT)
    }
}

fn decide(here: &Here, theirs: &Side, ours: Option<Side>) -> MergeRuling {
    merge(here, NOW, theirs, ours).unwrap()
}

/// Each write in a word, with the key here that it is about.
fn words(ruling: &MergeRuling) -> Vec<String> {
    let word = |write: &MergeWrite| match write {
        MergeWrite::Row(Write::Job(job)) => format!("job {} {}", job.key.0, job.state.as_str()),
        MergeWrite::Row(Write::Transition { job, to, .. }) => format!("history {} {}", job.0, to.as_str()),
        MergeWrite::Row(Write::Payment(_, is)) => {
            format!("payment {} {} of {}", is.key.0, is.fate.state.as_str(), is.job.0)
        }
        MergeWrite::Row(Write::JoinTakes(Join { gone, stays, .. })) => format!("join {} {}", gone.0, stays.0),
        MergeWrite::Row(_) => "a row that no merge writes".to_owned(),
        MergeWrite::Job { key, id, take, is_beside, .. } => format!("new job {} {id}@{take} {is_beside}", key.0),
        MergeWrite::Payment { key, job, .. } => format!("new payment {} of {}", key.0, job.0),
        MergeWrite::Intent { of, .. } => format!("intent {}", of.0),
        MergeWrite::Answers { of, .. } => format!("answers {}", of.0),
        MergeWrite::Refund { of, in_its_place, .. } => format!("refund {} {in_its_place}", of.0),
        MergeWrite::Stand { job, .. } => format!("stand {}", job.0),
        MergeWrite::Describe { job, .. } => format!("describe {}", job.0),
        MergeWrite::Forget { job, .. } => format!("forget {}", job.0),
        MergeWrite::Cells { job, .. } => format!("cells {}", job.0),
    };
    ruling.writes.iter().map(word).collect()
}

#[test]
fn a_preimage_beats_everything_and_what_may_settle_beats_dead() {
    use PaymentState::{Dead, Intended, Paid, Posted};
    for (ours, theirs, is) in [
        (Intended, Intended, Intended),
        (Intended, Paid, Paid),
        (Intended, Posted, Posted),
        (Intended, Dead, Intended),
        (Paid, Paid, Paid),
        (Paid, Posted, Posted),
        (Paid, Dead, Paid),
        (Posted, Posted, Posted),
        (Posted, Dead, Posted),
        (Dead, Dead, Dead),
    ] {
        for (ours, theirs) in [(ours, theirs), (theirs, ours)] {
            let Fate { state, preimage, death, .. } = combined(&payment(ours), &payment(theirs)).fate;
            let (is_paid, is_dead) = (preimage.is_some(), death.is_some());
            assert_eq!(
                (state, is_paid, is_dead),
                (is, matches!(is, Paid | Posted), is == Dead),
                "{ours:?} here, {theirs:?} there"
            );
        }
    }
}

#[test]
fn as_many_sends_count_as_unanswered_as_in_the_ledger_where_more_are() {
    for (ours, theirs, is) in [
        ((1, 1), (1, 1), (1, 1)),
        ((1, 0), (1, 1), (1, 0)),
        ((3, 3), (2, 1), (3, 2)),
        ((2, 2), (5, 3), (5, 3)),
        ((4, 0), (1, 1), (4, 0)),
    ] {
        let of = |(begun, answered): (u32, u32)| {
            let sends = Sends { begun, answered, ..fixtures::payment().sends };
            Payment { sends, ..fixtures::payment() }
        };
        for (ours, theirs) in [(ours, theirs), (theirs, ours)] {
            let Sends { begun, answered, .. } = combined(&of(ours), &of(theirs)).sends;
            assert_eq!((begun, answered), is, "{ours:?} {theirs:?}");
        }
    }
}

#[test]
fn a_death_holds_elsewhere_only_where_its_proof_counts_every_send() {
    use DeadProof::{FailedAndAnswered, FailedAndExpired, NotFoundAndAnswered, NotFoundAndExpired};
    // By what it is dead there, after how many sends; what is known here: begun, answered, taken up by the node, when last begun.
    for (death, counted, (begun, answered, accepted, at), holds) in [
        (Some(Death::Proven(FailedAndExpired)), 1, (9, 0, true, 9), true),
        (Some(Death::Proven(NotFoundAndExpired)), 1, (1, 0, false, 9), true),
        (Some(Death::Proven(NotFoundAndExpired)), 1, (1, 1, true, 1), false),
        (Some(Death::Proven(NotFoundAndExpired)), 1, (2, 2, false, 9), false),
        (Some(Death::Proven(FailedAndAnswered)), 1, (1, 0, true, 9), true),
        (Some(Death::Proven(FailedAndAnswered)), 2, (2, 1, true, 9), false),
        (Some(Death::Proven(FailedAndAnswered)), 2, (2, 1, true, 1), true),
        (Some(Death::Proven(FailedAndAnswered)), 2, (2, 2, true, 9), true),
        (Some(Death::Proven(FailedAndAnswered)), 1, (2, 2, false, 1), false),
        (Some(Death::Proven(NotFoundAndAnswered)), 1, (1, 1, false, 9), true),
        (Some(Death::Proven(NotFoundAndAnswered)), 1, (1, 1, true, 1), false),
        (Some(Death::Decided), 9, (1, 1, false, 1), false),
        (None, 9, (1, 1, false, 1), false),
    ] {
        let sends = Sends { begun: counted, ..fixtures::payment().sends };
        let dead = Payment { sends, fate: Fate { death, ..payment(PaymentState::Dead).fate }, ..fixtures::payment() };
        let begun_at = UnixMs(at);
        let live = Sends { begun, answered, accepted, begun_at, ..fixtures::payment().sends };
        assert_eq!(proves_dead(&dead, &live), holds, "{death:?} of {counted}, {live:?}");
    }
}

#[test]
fn a_live_payment_stands_with_its_job_unless_another_one_pays_for_that() {
    let live = Some((1, PaymentState::Posted));
    let open = Some((1, PaymentState::Intended));
    let at = |ruling: &MergeRuling| {
        let doubled = ruling.doubled.as_ref().map(|two| (two.second_id.clone(), two.take, two.both_paid));
        (words(ruling).into_iter().filter(|word| word.starts_with("new")).collect::<Vec<_>>(), doubled)
    };
    let second = |id: &str, take, both| Some((id.to_owned(), take, both));
    for (what, here, content, (writes, doubled)) in [
        ("nothing pays", Here(vec![take(1, 1, None)], vec![]), OTHER, (vec!["new payment 51 of 1"], None)),
        (
            "something pays",
            Here(vec![take(1, 1, live)], vec![]),
            CONTENT,
            (vec!["new job 50 a@2 true", "new payment 51 of 50"], second("a", 2, true)),
        ),
        (
            "something may",
            Here(vec![take(1, 1, open)], vec![]),
            CONTENT,
            (vec!["new job 50 a@2 true", "new payment 51 of 50"], second("a", 2, false)),
        ),
        (
            "one more was wanted",
            Here(vec![take(1, 1, live), take(2, 2, None)], vec![]),
            CONTENT,
            (vec!["new payment 51 of 2"], second("a", 2, true)),
        ),
        (
            "one more was bought",
            Here(vec![take(1, 1, live), take(2, 2, Some((2, PaymentState::Paid)))], vec![]),
            CONTENT,
            (vec!["new job 50 a@3 true", "new payment 51 of 50"], second("a", 3, true)),
        ),
        (
            "for something else",
            Here(vec![take(1, 1, live)], vec!["a-merged"]),
            OTHER,
            (vec!["new job 50 a-merged-merged@1 false", "new payment 51 of 50"], second("a-merged-merged", 1, true)),
        ),
        (
            "for nobody knows what",
            Here(vec![take(1, 1, live)], vec![]),
            UNKNOWN_CONTENT,
            (vec!["new job 50 a@2 true", "new payment 51 of 50"], second("a", 2, true)),
        ),
    ] {
        let theirs = Side { content, ..theirs(PaymentState::Posted, JobState::Delivered) };
        let (found, twice) = at(&decide(&here, &theirs, None));
        assert_eq!((found, twice), (writes.into_iter().map(str::to_owned).collect(), doubled), "{what}");
    }
}

#[test]
fn a_dead_payment_comes_in_beside_whatever_pays_for_its_job() {
    let here = Here(vec![take(1, 1, Some((1, PaymentState::Posted)))], vec![]);
    let ruling = decide(&here, &theirs(PaymentState::Dead, JobState::Pending), None);
    assert_eq!(words(&ruling), ["new payment 51 of 1", "answers 51"]);
    assert_eq!(ruling.doubled, None);
}

#[test]
fn of_a_payment_that_both_know_the_job_stands_as_where_it_came_further() {
    use JobState::{Delivered, InDoubt, Paid, Pending, Running};
    let here = || Here(vec![take(1, 1, None)], vec![]);
    for (ours, theirs_, writes) in [
        ((PaymentState::Posted, Paid), (PaymentState::Posted, Paid), vec!["answers 1"]),
        ((PaymentState::Posted, Delivered), (PaymentState::Posted, Paid), vec!["answers 1"]),
        (
            (PaymentState::Posted, Paid),
            (PaymentState::Posted, Delivered),
            vec!["answers 1", "stand 1", "history 1 delivered"],
        ),
        (
            (PaymentState::Intended, InDoubt),
            (PaymentState::Paid, Paid),
            vec!["payment 1 paid of 1", "answers 1", "stand 1", "history 1 paid"],
        ),
        // Dead here by a proof that counts every send, and open there: it stays dead.
        ((PaymentState::Dead, Pending), (PaymentState::Intended, Running), vec![]),
        // Paid there all the same.
        (
            (PaymentState::Dead, Pending),
            (PaymentState::Posted, Paid),
            vec!["payment 1 posted of 1", "answers 1", "stand 1", "history 1 paid"],
        ),
        // Open here, and proved dead there.
        (
            (PaymentState::Intended, Running),
            (PaymentState::Dead, Pending),
            vec!["payment 1 dead of 1", "job 1 pending", "history 1 pending", "answers 1"],
        ),
    ] {
        let ruling = decide(&here(), &theirs(theirs_.0, theirs_.1), Some(side(ours.0, ours.1)));
        assert_eq!(words(&ruling), writes, "{ours:?} here, {theirs_:?} there");
        let is_more_than_answers = writes.len() > 1;
        assert_eq!(ruling.is_changed, is_more_than_answers, "{ours:?} here, {theirs_:?} there");
    }
}

#[test]
fn what_no_row_asks_for_is_withdrawn_once_it_is_dead_and_two_takes_become_one() {
    let dying = || {
        let mut ours = side(PaymentState::Intended, JobState::InDoubt);
        ours.job.is_gone = true;
        ours
    };
    let beside = Take { merged: true, ..take(2, 2, Some((2, PaymentState::Posted))) };
    let here = Here(vec![take(1, 1, Some((1, PaymentState::Intended))), beside], vec![]);
    let ruling = decide(&here, &theirs(PaymentState::Dead, JobState::Pending), Some(dying()));
    let expected = ["payment 1 dead of 1", "job 1 refused", "history 1 refused", "join 1 2", "answers 1"];
    assert_eq!(words(&ruling), expected);
}

#[test]
fn what_was_known_by_its_receipt_alone_is_whole_again_and_asked_for_where_only_its_credential_was_missing() {
    let by_receipt = |state, reason| {
        let mut side = side(PaymentState::Posted, state);
        (side.by_receipt, side.content, side.has_params, side.job.reason) = (true, UNKNOWN_CONTENT, false, reason);
        side
    };
    let here = Here(vec![take(1, 1, None)], vec![]);
    let whole = theirs(PaymentState::Posted, JobState::Paid);
    for (ours, more) in [
        (by_receipt(JobState::Lost, Reason::NotDelivered), vec!["job 1 paid", "history 1 paid"]),
        (by_receipt(JobState::Lost, Reason::Decided), vec![]),
        (by_receipt(JobState::Delivered, Reason::None), vec![]),
    ] {
        let ruling = decide(&here, &whole, Some(ours.clone()));
        let expected = [vec!["intent 1", "describe 1"], more, vec!["answers 1"]].concat();
        assert_eq!((words(&ruling), ruling.is_changed), (expected.into_iter().map(str::to_owned).collect(), true));
    }
    // Of two that know a receipt alone, cells of results are new where there were none.
    let told = Side { by_receipt: true, content: UNKNOWN_CONTENT, ..theirs(PaymentState::Posted, JobState::Delivered) };
    for (has_params, is_new) in [(false, true), (true, false)] {
        let ours = Side { has_params, ..by_receipt(JobState::Delivered, Reason::None) };
        let ruling = decide(&here, &told, Some(ours));
        assert_eq!((words(&ruling).contains(&"cells 1".to_owned()), ruling.is_changed), (is_new, is_new));
    }
    let ruling = decide(&here, &told, None);
    assert!(words(&ruling).contains(&"forget 1".to_owned()), "it is not what stood under its id so far");
}

#[test]
fn the_refund_that_went_further_stands_whole() {
    use RefundStanding::{Expired, Invoiced, Offered, Settled};
    let refund = |standing: Option<RefundStanding>| standing.map(|standing| Refund { standing });
    let order = [Offered, Invoiced, Expired, Settled];
    for (ours, here) in order.into_iter().enumerate() {
        assert_eq!(is_refund_further(refund(Some(here)).as_ref(), None), None);
        assert_eq!(is_refund_further(None, refund(Some(here)).as_ref()), Some(true));
        for (theirs, there) in order.into_iter().enumerate() {
            let is_further = is_refund_further(refund(Some(here)).as_ref(), refund(Some(there)).as_ref());
            assert_eq!(is_further, Some(theirs > ours), "{here:?} here, {there:?} there");
        }
    }
}
