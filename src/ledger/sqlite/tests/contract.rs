//! The ledger in SQLite as the contract suite sees it, and beside the one in maps: whatever records come, in whatever order, both
//! answer the same and hold the same.

use proptest::prelude::*;

use super::support::*;
use crate::catalog::DedupPolicy;
use crate::every::one_in;
use crate::ledger::contract::{Commanded, KeptAnswer, Subject};
use crate::ledger::decide::group::carried;
use crate::ledger::decide::{Job, Payment, PaymentState, Said, Store, Sums, keys};
use crate::ledger::memory::MemoryLedger;
use crate::ledger::port::Downloads;
use crate::ledger::sqlite::convert::Json;
use crate::ledger::sqlite::{SqliteLedger, store};
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, Caps, DeadProof, Decision, DownloadedFile, FetchMark, FurtherResult, IntentBounds,
    JobEnd, JobKey, LedgerError, NewIntent, OriginCaps, PaymentKey, PendingJob, PeriodCap, Posted, Record, Recorded,
    RefundInvoice, RefundRecord, Reopening, Trusted, Undownloaded,
};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Poll, Reason, WalletId};
use crate::time::UnixMs;

impl SqliteLedger {
    fn keys(&self, table: &str) -> Vec<i64> {
        let mut statement = self.conn.prepare(&format!("SELECT id FROM {table} ORDER BY id")).unwrap();
        let keys = statement.query_map([], |row| row.get(0)).unwrap();
        keys.map(Result::unwrap).collect()
    }
}

impl Commanded for SqliteLedger {
    type Ledger = Self;

    fn ledger(&mut self) -> &mut Self {
        self
    }
}

impl Subject for SqliteLedger {
    fn empty() -> Self {
        Self::in_memory().unwrap()
    }

    fn begin(&mut self, name: &str) -> BatchKey {
        begin(self, name)
    }

    fn jobs(&self) -> Vec<Job> {
        self.keys("jobs").into_iter().map(|key| store::job(&self.conn, JobKey(key)).unwrap()).collect()
    }

    fn payments(&self) -> Vec<Payment> {
        let keys = self.keys("payments").into_iter().map(PaymentKey);
        keys.map(|key| store::payment(&self.conn, key).unwrap().0).collect()
    }

    fn sums(&self, batch: BatchKey) -> Sums {
        self.check_money(None).unwrap();
        let sql = "SELECT held_msat, spent_msat, fees_msat, refunded_msat FROM batches WHERE id = ?1";
        let sums = self.conn.query_row(sql, [batch], |row| {
            Ok(Sums { held: row.get(0)?, spent: row.get(1)?, fees: row.get(2)?, refunded: row.get(3)? })
        });
        sums.unwrap_or_default()
    }

    fn planned(&self, batch: BatchKey) -> [Msat; 2] {
        let counts = self.counts(batch).unwrap();
        [counts.planned, counts.planned_capped]
    }

    fn transitions(&self) -> usize {
        self.keys("transitions").len()
    }

    fn answers(&self) -> Vec<KeptAnswer> {
        let sql = "SELECT id, payment, kind, at, status, headers, body, interpreted FROM answers ORDER BY id";
        let mut statement = self.conn.prepare(sql).unwrap();
        let kept = statement.query_map([], |row| {
            let Json(headers) = row.get(5)?;
            let answer = HttpAnswer { status: row.get(4)?, headers, body: row.get(6)? };
            let (key, payment, kind, at) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(KeptAnswer { key, payment, kind, at, answer, is_read: row.get(7)? })
        });
        kept.unwrap().map(Result::unwrap).collect()
    }
}

/// One step of a random history: which record, of what, how, and how many milliseconds later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) kind: u8,
    pub(super) of: u8,
    pub(super) how: u8,
    pub(super) later_ms: u32,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    (0_u8..30, any::<u8>(), any::<u8>(), prop_oneof![0_u32..10, 0_u32..40_000, 0_u32..2_000_000])
        .prop_map(|(kind, of, how, later_ms)| Step { kind, of, how, later_ms })
}

const STATES: [JobState; 5] = [JobState::Pending, JobState::Failed, JobState::Paid, JobState::Lost, JobState::Refused];
const PROOFS: [DeadProof; 4] = [
    DeadProof::FailedAndAnswered,
    DeadProof::FailedAndExpired,
    DeadProof::NotFoundAndAnswered,
    DeadProof::NotFoundAndExpired,
];
const DOUBTS: [Reason; 4] =
    [Reason::PaymentUnknown, Reason::PaymentInFlight, Reason::NodeForgot, Reason::WaitingForExpiry];
const DECISIONS: [Decision; 3] = [Decision::Unpaid, Decision::Lost, Decision::Rebuy];

fn one_of<T: Copy>(all: &[T], how: u8) -> T {
    all[usize::from(how) % all.len()]
}

fn intent_of(jobs: &[PendingJob], job: JobKey, step: Step, now: UnixMs) -> NewIntent {
    let known = jobs.iter().find(|known| known.key == job).unwrap_or(&jobs[0]);
    let (how, n) = (step.how, step.of % 12 + 1);
    let request = new_intent(if how % 3 == 0 { &jobs[0] } else { known }, n).request;
    let caps = Caps {
        batch: (how % 5 == 0).then_some(Msat::new(3 * HOLD)),
        day: (how % 4 == 0).then(|| PeriodCap { period: format!("2026-11-2{}", how % 3), most: Msat::new(2 * HOLD) }),
        month: (how % 7 == 0).then(|| PeriodCap { period: "2026-11".to_owned(), most: Msat::new(4 * HOLD) }),
        origin: OriginCaps {
            job: (how % 13 == 0).then_some(Msat::new(HOLD - 1)),
            day: (how % 8 == 0).then_some(Msat::new(HOLD)),
            month: (how % 14 == 0).then_some(Msat::new(3 * HOLD)),
            new: (how % 9 == 0).then_some(Msat::new(2 * HOLD)),
        },
    };
    let bounds = IntentBounds {
        max_undelivered: if how % 2 == 0 { 2 } else { 100 },
        max_doubt: 2,
        payments_in_flight: 3,
        run_began: NOW,
        is_play: false,
    };
    NewIntent {
        job,
        request,
        dedup: one_of(&[DedupPolicy::Never, DedupPolicy::Window(30), DedupPolicy::Answer], how / 3),
        amount: if how == 200 { Msat::new(1) } else { known.price },
        node: WalletId(if how % 11 == 0 { "03other" } else { "03payer" }.to_owned()),
        invoice_expires_at: now.plus_ms(600_000),
        credential_expires_at: now.plus_ms(900_000),
        caps,
        bounds,
        ..new_intent(known, n)
    }
}

fn refund_of(payment: &Payment, answer: AnswerKey, how: u8) -> RefundRecord {
    match how % 6 {
        0 => RefundRecord::Offered {
            answer,
            link: (!how.is_multiple_of(4)).then(|| format!("lnurlw://{how}")),
            message: "sorry".to_owned(),
        },
        1 => RefundRecord::Invoiced(Box::new(RefundInvoice {
            invoice: "lnbc9".to_owned(),
            hash: secret(100_u8.wrapping_add(u8::try_from(payment.key.0).unwrap_or(0) / (1 + how / 12 % 3))).1,
            amount: Msat::new(payment.amount.get() - u64::from(how % 5)),
            expires_at: NOW,
            node: WalletId("03payer".to_owned()),
            callback: "https://seller.example/w".parse().unwrap(),
            k1: "k".to_owned(),
        })),
        2 => RefundRecord::HandedOver { callback: "https://seller.example/w2".parse().unwrap(), k1: "l".to_owned() },
        3 => RefundRecord::Waits {
            reason: one_of(&[Reason::RefundPending, Reason::NoRoute], how),
            words: "so".to_owned(),
        },
        4 => RefundRecord::Settled { received: Msat::new(u64::from(how) * 4_000) },
        _ => RefundRecord::Expired { words: "late".to_owned() },
    }
}

/// The record of a step, in a ledger that holds these.
pub(super) fn record(step: Step, now: UnixMs, known: &MemoryLedger, jobs: &[PendingJob]) -> Record {
    let Step { kind, of, how, .. } = step;
    // The latest ones more often.
    let payments = known.payments();
    let back = usize::from(of) % payments.len().clamp(1, 8);
    let found = payments.iter().rev().nth(back);
    let payment = found.map_or(PaymentKey(77), |found| found.key);
    let job_count = known.jobs().len();
    let job = match found.filter(|_| of % 2 == 0 && kind >= 23) {
        Some(found) => found.job,
        None => JobKey(i64::from(of) % i64::try_from(job_count + 1).unwrap() + 1),
    };
    let answer = match found.and_then(|found| known.latest_answer(found.key)) {
        Some(latest) if how % 8 != 7 => latest,
        _ => AnswerKey(i64::from(how % 16) + 1),
    };
    let end = end(one_of(&STATES, how), one_of(&[Reason::NoRoute, Reason::OriginFailed], how));
    let secret_of = |payment: &Payment| (1..=12).find(|n| secret(*n).1 == payment.hash).unwrap_or(1);
    let n = if how % 16 == 15 { 13 } else { found.map_or(1, secret_of) };
    let posted = Posted { fee: Msat::new(u64::from(how) * 100), payment_index: Some(u64::from(how)) };
    let posted = if how == 99 { Posted { fee: Msat::new(u64::MAX), ..posted } } else { posted };
    match kind {
        0..=4 => Record::Intend(Box::new(intent_of(jobs, job, step, now))),
        5 => Record::SendBegun(payment),
        6 => Record::SendAnswered { payment, accepted: how % 4 == 0 },
        7..=9 => Record::Paid {
            payment,
            preimage: preimage(n),
            answered: how % 2 == 0,
            posted: (how % 3 == 0).then_some(posted),
        },
        10 => Record::Posted(payment, posted),
        11 => Record::Dead { payment, proof: one_of(&PROOFS, how), end },
        12 => Record::AbandonedDead { payment, proof: one_of(&PROOFS, how) },
        13 => Record::KeptSettlement { node: WalletId(format!("03{}", of % 2)), hash: secret(how).1 },
        14 => Record::Doubt {
            payment,
            reason: one_of(&DOUBTS, how),
            error: Some(format!("doubt {how}")),
            wait_until: Some(now.plus_ms(i64::from(how))),
        },
        15..=21 => redeem_record(step, payment, answer, end),
        22 => Record::Replaying(payment),
        23 | 24 => match found {
            Some(payment) => Record::Refund(payment.key, refund_of(payment, answer, how)),
            None => Record::LeftUndelivered(job),
        },
        25 => Record::LeftUndelivered(job),
        26 => Record::Ended(job, end),
        _ => file_record(job, how),
    }
}

/// The record of a step about what was paid for.
fn redeem_record(step: Step, payment: PaymentKey, answer: AnswerKey, end: JobEnd) -> Record {
    let Step { kind, how, .. } = step;
    let url = format!("https://seller.example/v/{}", how % 3);
    match kind {
        15..=17 => {
            let kind = one_of(&[AnswerKind::Redeem, AnswerKind::Redeem, AnswerKind::Poll], how);
            Record::Answer { payment, kind, answer: http(one_of(&[200, 202, 402, 500, 401], how)) }
        }
        18 => Record::Accepted {
            payment,
            answer,
            poll: Poll { url: "https://seller.example/poll".parse().unwrap(), interval_ms: u64::from(how) },
        },
        19 | 20 => {
            let more = (0..how % 4).map(|n| format!("{url}/{n}")).collect();
            Record::Delivered { payment, answer, url, more, own: how % 2 == 0 }
        }
        _ => Record::Undelivered { payment, answer: (how % 2 == 0).then_some(answer), heard: how % 3 == 0, end },
    }
}

fn file_record(job: JobKey, how: u8) -> Record {
    let file = format!("/videos/{how}.mp4");
    match how % 4 {
        0 => Record::Stuck {
            job,
            reason: one_of(&[Reason::BodyMissing, Reason::NoRoute], how / 4),
            error: "s".to_owned(),
        },
        1 => Record::Fetching(job, usize::from(how / 4 % 4), FetchMark { file, ..FetchMark::default() }),
        2 => Record::Downloaded(job, DownloadedFile { file, sha256: [how; 32] }),
        _ => Record::NotDownloaded { job, reason: Reason::NotDownloaded, error: "no".to_owned() },
    }
}

/// What is to be fetched, and how far each of its files has come.
fn to_fetch(store: &impl Downloads, batch: BatchKey) -> Vec<(JobKey, String, Option<FetchMark>, Vec<FurtherResult>)> {
    let jobs = store.to_download(batch, Undownloaded::All, None, 99).unwrap().into_iter();
    jobs.map(|job| (job.key, job.url, job.mark, job.more)).collect()
}

/// What a person says of a job, where the step is one.
fn said(step: Step) -> Option<Said<'static>> {
    (step.kind == 27 && step.how.is_multiple_of(2)).then_some(Said {
        decision: one_of(&DECISIONS, step.how / 2),
        note: "so I say",
        evidence: "nothing",
        proof: step.how.is_multiple_of(3).then_some(DeadProof::FailedAndExpired),
    })
}

/// What a person says of what that job has paid for, where the step is that.
fn reopening(step: Step) -> Option<Reopening> {
    (step.kind == 28).then_some(one_of(&[Reopening::Retry, Reopening::Delivered], step.how))
}

/// Enough jobs for groups of records that do not meet.
const MANY: [(&str, &[&str]); 2] =
    [("june", &["a", "b", "c", "d", "f", "g", "h", "i"]), ("july", &["a", "e", "f", "k"])];

fn group() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: one_in(6, 48), max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_answer_and_hold_the_same_whatever_comes(steps in prop::collection::vec(step(), 1..120)) {
        let batches: [(&str, &[&str]); 2] = [("june", &["a", "b", "c", "d"]), ("july", &["a", "e", "f"])];
        let ((mut ledger, jobs), (mut memory, others)) = (SqliteLedger::with(&batches), MemoryLedger::with(&batches));
        prop_assert_eq!(jobs.iter().map(|job| job.key).collect::<Vec<_>>(), others.iter().map(|job| job.key).collect::<Vec<_>>());
        let mut now = NOW;
        for step in steps {
            now = now.plus_ms(i64::from(step.later_ms));
            if let Some(said) = said(step) {
                let job = JobKey(i64::from(step.of) % i64::try_from(ledger.jobs().len()).unwrap() + 1);
                let Said { decision, note, evidence, proof } = said;
                let one = ledger.decide(now, job, decision, note, evidence, proof);
                let other = memory.decide(now, job, decision, note, evidence, proof);
                prop_assert_eq!(format!("{:?}", one), format!("{:?}", other), "{:?} of {:?}", said, job);
            } else if let Some(word) = reopening(step) {
                let job = JobKey(i64::from(step.of) % i64::try_from(ledger.jobs().len()).unwrap() + 1);
                let (one, other) = (ledger.reopen(now, job, word, "so"), memory.reopen(now, job, word, "so"));
                prop_assert_eq!(format!("{:?}", one), format!("{:?}", other), "{:?} of {:?}", word, job);
                prop_assert_eq!(ledger.delivery(job).unwrap(), memory.delivery(job).unwrap());
            } else if step.kind == 29 {
                let (number, batch) = (u32::from(step.of) % 4 + 1, BatchKey(i64::from(step.how % 2) + 1));
                let bounds = IntentBounds { max_undelivered: 2, ..IntentBounds::default() };
                let said = |trusted: Result<Trusted, LedgerError>| format!("{trusted:?}");
                let one = said(ledger.trust(now, batch, "seller.example", number, bounds));
                prop_assert_eq!(one, said(memory.trust(now, batch, "seller.example", number, bounds)), "{}", number);
            } else {
                let record = record(step, now, &memory, &jobs);
                let told = format!("{record:?}");
                let (one, other) = (ledger.commit(now, record.clone()), memory.commit(now, record));
                prop_assert_eq!(format!("{:?}", one), format!("{:?}", other), "{}", told);
            }
            prop_assert_eq!(ledger.seen(), memory.seen());
            for payment in memory.payments() {
                prop_assert!(payment.fate.state != PaymentState::Posted || payment.fate.fee.is_some());
            }
        }
        ledger.check_money(None).unwrap();
        for batch in [BatchKey(1), BatchKey(2)] {
            prop_assert_eq!(to_fetch(&ledger, batch), to_fetch(&memory, batch));
        }
    }

    #[test]
    fn a_group_is_what_its_records_are_one_by_one_in_both_stores(groups in prop::collection::vec(group(), 1..24)) {
        let ((mut ledger, jobs), (mut memory, _)) = (SqliteLedger::with(&MANY), MemoryLedger::with(&MANY));
        let mut now = NOW;
        for steps in groups {
            let mut records = Vec::new();
            for step in steps {
                now = now.plus_ms(i64::from(step.later_ms % 100));
                records.push((now, record(step, now, &memory, &jobs)));
            }
            let mut singly = memory.clone();
            let told = |outcomes: Vec<Result<Recorded, LedgerError>>| outcomes.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>();
            let expected = told(records.iter().map(|(now, record)| singly.commit(*now, record.clone())).collect());
            prop_assert_eq!(&told(memory.apply_all(records.clone()).unwrap()), &expected, "{:?}", records);
            prop_assert_eq!(&told(ledger.apply_all(records.clone()).unwrap()), &expected, "{:?}", records);
            prop_assert_eq!(memory.seen(), singly.seen());
            prop_assert_eq!(ledger.seen(), singly.seen());
            now = now.plus_ms(30_000);
        }
        ledger.check_money(None).unwrap();
    }

    #[test]
    fn what_is_carried_on_is_what_would_be_looked_up(steps in prop::collection::vec(step(), 1..160)) {
        let (mut memory, jobs) = MemoryLedger::with(&MANY);
        let mut now = NOW;
        for pair in steps.chunks_exact(2) {
            now = now.plus_ms(i64::from(pair[0].later_ms));
            let (first, next) = (record(pair[0], now, &memory, &jobs), record(pair[1], now, &memory, &jobs));
            let carried = carried(&mut memory, now, &first, &next);
            let _refused = memory.commit(now, first.clone());
            if let Some(carried) = carried {
                let found = memory.load(&[keys(&next)]).unwrap().remove(0);
                prop_assert_eq!(carried, found, "{:?}, {:?}", first, next);
            }
            let _refused = memory.commit(now, next);
        }
    }
}
