//! Two ledgers that were one, or that bought the same, become one again.

use std::path::{Path, PathBuf};

use super::support::*;
use crate::ledger::port::{Marks, Merging};
use crate::ledger::sqlite::{MergeSource, SqliteLedger};
use crate::ledger::{
    Committed, DeadProof, Doubled, Gap, KnownParams, LedgerAddress, Marking, Merged, OpenMode, OpenStage, PaymentKey,
    PendingJob, ReceiptRow, Record, TakeId, TakeMark,
};
use crate::purchase::{JobState, Reason};

/// A ledger of a batch with these jobs, and a copy of it: what was one goes on in two places.
pub(super) struct Two {
    _folder: tempfile::TempDir,
    pub(super) one: SqliteLedger,
    other: PathBuf,
}

impl Two {
    pub(super) fn of(ids: &[&str], before: impl FnOnce(&mut SqliteLedger, &[PendingJob])) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("ledger.db"), folder.path().join("other.db"));
        let mut one = open(&path);
        let batch = begin(&mut one, "june");
        load_ids(&mut one, batch, ids);
        let jobs = pending(&one, batch);
        before(&mut one, &jobs);
        one.conn.execute("VACUUM INTO ?1", [other.display().to_string()]).unwrap();
        Self { _folder: folder, one, other }
    }

    /// What the other one does meanwhile.
    pub(super) fn elsewhere<T>(&self, work: impl FnOnce(&mut SqliteLedger) -> T) -> T {
        work(&mut open(&self.other))
    }

    pub(super) fn merge(&mut self) -> Merged {
        let merged = self.merge_once();
        assert_eq!(self.merge_once(), Merged::default(), "a merge can be repeated");
        merged
    }

    /// What is left out is told each time.
    pub(super) fn merge_once(&mut self) -> Merged {
        let source = MergeSource::open(&self.other, &self.one).unwrap();
        self.one.merge(NOW, &source).unwrap()
    }

    pub(super) fn receipts(&self) -> Vec<ReceiptRow> {
        receipts_of(&self.one, "june")
    }

    pub(super) fn standing(&self) -> Vec<(String, u32, JobState, Reason)> {
        standing(&self.one, self.one.batch("june").unwrap().unwrap().key)
    }
}

pub(super) fn receipts_of(ledger: &SqliteLedger, batch: &str) -> Vec<ReceiptRow> {
    let mut rows = Vec::new();
    let read = ledger.receipts(ledger.batch(batch).unwrap().unwrap().key, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.unwrap().unwrap();
    rows
}

fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, OpenMode::Write).unwrap()
}

pub(super) fn dead(ledger: &mut SqliteLedger, payment: PaymentKey) {
    let end = end(JobState::Pending, Reason::NoRoute);
    ledger.apply(NOW, Record::Dead { payment, proof: DeadProof::FailedAndAnswered, end }).unwrap();
}

#[test]
fn what_one_lacks_comes_in_and_what_both_know_goes_as_far_as_it_came() {
    let mut two = Two::of(&["a", "b", "c", "d"], |ledger, jobs| {
        deliver(ledger, &jobs[0], 1);
        intend(ledger, new_intent(&jobs[1], 2));
    });
    two.elsewhere(|ledger| {
        let june = ledger.batch("june").unwrap().unwrap().key;
        let open = ledger.open_jobs(None).unwrap().remove(0);
        let OpenStage::Intended(intent) = &open.stage else { panic!("{open:?}") };
        ledger.apply(NOW, paid(intent.payment(), 2, Some(posted()))).unwrap();
        let jobs = pending(ledger, june);
        deliver(ledger, &jobs[0], 3);
        let july = begin(ledger, "july");
        load_ids(ledger, july, &["x"]);
        let x = pending(ledger, july).remove(0);
        intend(ledger, new_intent(&x, 4));
    });
    let merged = two.merge();
    assert_eq!((merged.jobs, merged.payments, merged.changed), (1, 2, 1));
    assert!(merged.doubled.is_empty());
    let states: Vec<_> = two.standing().into_iter().map(|(id, _, state, _)| (id, state)).collect();
    let delivered = JobState::Delivered;
    let expected = [("a", delivered), ("b", JobState::Paid), ("c", delivered), ("d", JobState::Pending)];
    assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state)));
    assert_eq!(two.receipts().len(), 3);
    assert_eq!(two.one.open_jobs(None).unwrap().len(), 2, "b of June and x of July");
    let july = two.one.batch("july").unwrap().unwrap().key;
    assert_eq!(two.one.counts(july).unwrap().held.get(), HOLD);
}

#[test]
fn a_preimage_beats_dead_and_dead_stays_where_the_proof_counts_every_send() {
    let mut two = Two::of(&["a", "b", "c", "d"], |ledger, jobs| {
        for (n, job) in (1..).zip(jobs) {
            intend(ledger, new_intent(job, n));
        }
    });
    let payments = [1, 2, 3, 4].map(PaymentKey);
    for payment in &payments {
        dead(&mut two.one, *payment);
    }
    two.elsewhere(|ledger| {
        ledger.apply(NOW, paid(payments[0], 1, Some(posted()))).unwrap();
        dead(ledger, payments[2]);
        ledger.apply(NOW, Record::SendBegun(payments[3])).unwrap();
    });
    two.merge();
    let states: Vec<_> = two.standing().into_iter().map(|(_, _, state, _)| state).collect();
    assert_eq!(states, [JobState::Paid, JobState::Pending, JobState::Pending, JobState::Running]);
    let open = two.one.open_jobs(None).unwrap();
    let OpenStage::Intended(intent) = &open[1].stage else { panic!("{open:?}") };
    assert_eq!((intent.sends_begun(), intent.sends_answered()), (2, 0), "what one holds for unanswered is");
}

/// Take 1 was begun by payment 1 when the copy was made; here it is dead, and payment 2 delivered.
fn bought_anew(ledger: &mut SqliteLedger, payment: PaymentKey) {
    dead(ledger, payment);
    let june = ledger.batch("june").unwrap().unwrap().key;
    let job = pending(ledger, june).remove(0);
    deliver(ledger, &job, 2);
}

#[test]
fn a_copy_from_while_a_payment_was_open_leaves_nothing_to_buy_in_either_direction() {
    let payment = PaymentKey(1);
    let began = |ledger: &mut SqliteLedger, jobs: &[PendingJob]| {
        intend(ledger, new_intent(&jobs[0], 1));
    };
    let mut here = Two::of(&["a"], began);
    bought_anew(&mut here.one, payment);
    let mut there = Two::of(&["a"], began);
    there.elsewhere(|ledger| bought_anew(ledger, payment));
    for two in [&mut here, &mut there] {
        assert_eq!(two.merge().doubled, []);
        assert_eq!(two.standing(), [("a".to_owned(), 1, JobState::Delivered, Reason::None)]);
        let june = two.one.batch("june").unwrap().unwrap().key;
        assert_eq!(two.one.counts(june).unwrap().planned, PRICE);
    }
}

#[test]
fn of_two_payments_that_were_both_open_the_dead_one_leaves_nothing_to_buy() {
    for second_dies in [true, false] {
        let mut two = Two::of(&["a"], |_, _| ());
        let june = two.one.batch("june").unwrap().unwrap().key;
        let job = pending(&two.one, june).remove(0);
        let first = intend(&mut two.one, new_intent(&job, 1)).payment();
        two.elsewhere(|ledger| intend(ledger, new_intent(&job, 2)));
        let doubled = two.merge().doubled;
        assert!(matches!(&doubled[..], [one] if one.take == 2 && !one.both_paid), "{doubled:?}");
        let second = PaymentKey(first.0 + 1);
        let (dies, stays, n) = if second_dies { (second, first, 1) } else { (first, second, 2) };
        let end = end(JobState::Pending, Reason::NoRoute);
        let proof = DeadProof::FailedAndAnswered;
        let told = two.one.apply(NOW, Record::Dead { payment: dies, proof, end }).unwrap();
        assert!(matches!(told, Committed::NotItsOwn), "{told:?}");
        assert_eq!(two.standing(), [("a".to_owned(), 1, JobState::Running, Reason::None)]);
        assert_eq!(pending(&two.one, june), []);
        two.one.apply(NOW, paid(stays, n, Some(posted()))).unwrap();
        assert_eq!(two.merge().doubled, [], "what the other still holds for open is known to be dead");
        assert_eq!(two.standing(), [("a".to_owned(), 1, JobState::Paid, Reason::None)]);
        assert_eq!(two.one.takes(june, "a").unwrap().len(), 1);
        assert_eq!(two.one.counts(june).unwrap().planned, PRICE);
    }
}

#[test]
fn what_each_bought_under_one_id_is_told_apart_by_its_content() {
    let mut two = Two::of(&["a"], |_, _| ());
    let june = two.one.batch("june").unwrap().unwrap().key;
    let job = pending(&two.one, june).remove(0);
    deliver(&mut two.one, &job, 1);
    two.elsewhere(|ledger| {
        ledger.conn.execute("UPDATE jobs SET content = randomblob(32)", []).unwrap();
        deliver(ledger, &job, 2);
    });
    let merged = two.merge();
    assert!(matches!(&merged.doubled[..], [one] if one.second_id == "a-merged" && one.take == 1), "{merged:?}");
    let ids: Vec<_> = two.standing().into_iter().map(|(id, take, state, _)| (id, take, state)).collect();
    assert_eq!(ids, ["a", "a-merged"].map(|id| (id.to_owned(), 1, JobState::Delivered)));
}

#[test]
fn a_batch_of_another_manifest_and_ledger_comes_under_a_name_of_its_own() {
    // Whether the other ledger was once this one, its batch's manifest, and whether that is another batch.
    for (copy, manifest, is_another) in [
        (true, "/other/june.toml", false),
        (false, "/other/june.toml", true),
        (false, "/jobs/june.toml", false),
        (false, "-", false),
    ] {
        let mut two = Two::of(&["a"], |_, _| ());
        let june = two.one.batch("june").unwrap().unwrap().key;
        let job = pending(&two.one, june).remove(0);
        deliver(&mut two.one, &job, 1);
        two.elsewhere(|ledger| {
            deliver(ledger, &job, 2);
            ledger.conn.execute("UPDATE batches SET manifest = ?1", [manifest]).unwrap();
            ledger.conn.execute("UPDATE ledger_id SET id = randomblob(16) WHERE ?1", [!copy]).unwrap();
        });
        let merged = two.merge();
        let renamed = is_another.then(|| ("june".to_owned(), "june-merged".to_owned()));
        assert_eq!((merged.renamed, merged.doubled.len()), (renamed.into_iter().collect(), usize::from(!is_another)));
        let own = two.one.batch("june-merged").unwrap().map(|batch| standing(&two.one, batch.key).len());
        assert_eq!(own, is_another.then_some(1));
    }
}

/// A later version may write files of more kinds.
#[test]
fn a_batch_under_another_name_writes_no_files_of_any_kind() {
    const WRITTEN: &str = r#"{"results":"/r","results_written":true,"receipts":"/c","receipts_written":true,"html":"/h","html_written":true,"z":null}"#;
    let mut two = Two::of(&["a"], |_, _| ());
    two.elsewhere(|ledger| {
        let sql = "UPDATE batches SET manifest = '/other', remembered = json_set(remembered, '$[1]', json(?1))";
        ledger.conn.execute(sql, [WRITTEN]).unwrap();
        ledger.conn.execute("UPDATE ledger_id SET id = randomblob(16)", []).unwrap();
    });
    let source = MergeSource::open(&two.other, &two.one).unwrap();
    assert_eq!(two.one.merge(NOW, &source).unwrap().renamed.len(), 1);
    let outputs = |name: &str| {
        let sql = "SELECT remembered -> '$[1]' FROM batches WHERE name = ?1";
        two.one.conn.query_row(sql, [name], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!(outputs("june-merged"), WRITTEN.replace("true", "false"));
    assert!(two.one.batch("june-merged").unwrap().is_some_and(|batch| !batch.is_damaged));
}

#[test]
fn a_word_that_never_began_elsewhere_is_told_and_not_taken_over() {
    let mut two = Two::of(&["a"], |ledger, jobs| {
        deliver(ledger, &jobs[0], 1);
    });
    two.elsewhere(|ledger| {
        let june = ledger.batch("june").unwrap().unwrap().key;
        load(ledger, june, &word("a", 1), vec![planned(&endpoint(), "a", "a")]);
        ledger.accept_takes(NOW, june).unwrap();
    });
    let source = MergeSource::open(&two.other, &two.one).unwrap();
    for _ in 0..2 {
        let merged = two.one.merge(NOW, &source).unwrap();
        assert_eq!((merged.unbegun.count, merged.unbegun.first), (1, vec!["a@1 of june".to_owned()]));
        assert_eq!(two.standing().len(), 1);
    }
}

#[test]
fn what_no_row_here_asks_for_is_withdrawn_once_its_payment_is_dead() {
    let mut two = Two::of(&["a"], |_, _| ());
    let june = two.one.batch("june").unwrap().unwrap().key;
    let job = pending(&two.one, june).remove(0);
    let first = deliver(&mut two.one, &job, 1);
    two.elsewhere(|ledger| {
        ledger.conn.execute("UPDATE jobs SET content = randomblob(32)", []).unwrap();
        intend(ledger, new_intent(&job, 2));
        let june = ledger.batch("june").unwrap().unwrap().key;
        for _ in 0..3 {
            load_ids(ledger, june, &["b"]);
        }
    });
    two.merge();
    let end = end(JobState::Pending, Reason::NoRoute);
    let record = Record::Dead { payment: PaymentKey(first.0 + 1), proof: DeadProof::FailedAndAnswered, end };
    assert!(matches!(two.one.apply(NOW, record).unwrap(), Committed::NotItsOwn));
    let of_a: Vec<_> = two.standing().into_iter().filter(|(id, ..)| id.starts_with('a')).collect();
    let (delivered, withdrawn) = ((JobState::Delivered, Reason::None), (JobState::Refused, Reason::Withdrawn));
    let expected = [("a", delivered), ("a-merged", withdrawn)];
    assert_eq!(of_a, expected.map(|(id, (state, reason))| (id.to_owned(), 1, state, reason)));
    // What stands in the manifest here stands there still, and is tried again.
    load_ids(&mut two.one, june, &["a", "c"]);
    let c = pending(&two.one, june).into_iter().find(|job| job.id == "c").unwrap();
    let payment = intend(&mut two.one, new_intent(&c, 3)).payment();
    two.merge();
    dead(&mut two.one, payment);
    assert!(two.standing().contains(&("c".to_owned(), 1, JobState::Pending, Reason::NoRoute)));
}

/// Of two generations of one manifest, only the later one's rows stand in it: else what is bought under the old ids and set aside
/// under the new ones would count as identical rows that are all meant.
#[test]
fn rows_of_two_loads_do_not_stand_in_one_manifest() {
    let current = |ledger: &SqliteLedger| -> Vec<String> {
        let sql = "SELECT j.job FROM jobs j JOIN batches b ON b.id = j.batch
                   WHERE j.superseded = 0 AND j.last_load = b.loads ORDER BY j.job";
        let mut statement = ledger.conn.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let june = |ledger: &SqliteLedger| ledger.batch("june").unwrap().unwrap().key;
    let renamed = |ledger: &mut SqliteLedger| {
        let june = june(ledger);
        load_ids(ledger, june, &["a", "new"]);
    };
    // Here is yesterday's, and there the manifest went on.
    let mut two = Two::of(&["a", "old"], |_, _| ());
    two.elsewhere(renamed);
    assert_eq!(
        two.merge().withdrawn.first,
        ["old"],
        "no row asks for it any more: it is not bought beside the new one"
    );
    assert_eq!(current(&two.one), ["a", "new"]);
    // Here it went on, and yesterday's is brought in.
    let mut two = Two::of(&["a", "old"], |_, _| ());
    renamed(&mut two.one);
    two.merge();
    assert_eq!(current(&two.one), ["a", "new"]);
    // It went on in both places, as often: what stands here does.
    let mut two = Two::of(&["a", "old"], |_, _| ());
    two.elsewhere(renamed);
    let key = june(&two.one);
    load_ids(&mut two.one, key, &["a", "third"]);
    assert_eq!(two.merge().withdrawn.first, ["new"]);
    assert_eq!(current(&two.one), ["a", "third"]);
}

#[test]
fn what_both_have_paid_for_is_receipted_twice_above_the_caps() {
    for first_is_dead in [false, true] {
        let mut two = Two::of(&["a", "b"], |_, _| ());
        let june = two.one.batch("june").unwrap().unwrap().key;
        let job = pending(&two.one, june).remove(0);
        if first_is_dead {
            let payment = intend(&mut two.one, new_intent(&job, 2)).payment();
            dead(&mut two.one, payment);
        }
        deliver(&mut two.one, &job, 1);
        two.elsewhere(|ledger| deliver(ledger, &job, 2));
        let merged = two.merge();
        let doubled = Doubled {
            batch: "june".to_owned(),
            id: "a".to_owned(),
            second_id: "a".to_owned(),
            take: 2,
            both_paid: true,
            is_served: false,
        };
        assert_eq!(merged.doubled, [doubled]);
        let mut takes: Vec<u32> = two.receipts().iter().map(|row| row.take).collect();
        takes.sort_unstable();
        assert_eq!(takes, [1, 2]);
        assert_eq!(two.one.counts(june).unwrap().spent.get(), 2 * PRICE.get());
        assert_eq!(two.standing()[0], ("a".to_owned(), 2, JobState::Delivered, Reason::None));
        assert_eq!(two.one.takes(june, "a").unwrap().len(), 2);
    }
}

#[test]
fn receipts_make_known_what_they_prove() {
    let folder = tempfile::tempdir().unwrap();
    let mut gone = open(&folder.path().join("gone.db"));
    let june = begin(&mut gone, "june");
    load_ids(&mut gone, june, &["a", "b", "c"]);
    let jobs = pending(&gone, june);
    deliver(&mut gone, &jobs[0], 1);
    for (n, job) in [(2, &jobs[1]), (3, &jobs[2])] {
        let payment = intend(&mut gone, new_intent(job, n)).payment();
        gone.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
    }
    let mut rows = receipts_of(&gone, "june");
    // The ledger of yesterday has begun one of them, and knows the batch.
    let mut ledger = open(&folder.path().join("ledger.db"));
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["b"]);
    let b = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&b, 2)).payment();

    let file = folder.path().join("june.receipts.csv");
    let of_a = [("prompt", "a"), ("n", "3")].map(|(name, cell)| (name.to_owned(), cell.to_owned())).to_vec();
    let asked = KnownParams::from([(("june".to_owned(), "a".to_owned(), 1), of_a)]);
    let source = MergeSource::of_receipts(&file, "/jobs/june.toml", &rows, &asked, &endpoint(), &ledger).unwrap();
    let merged = ledger.merge(NOW, &source).unwrap();
    assert_eq!((merged.payments, merged.changed), (2, 1));
    assert_eq!(ledger.merge(NOW, &source).unwrap(), Merged::default());
    load_ids(&mut ledger, batch, &["a", "b", "c", "d"]);
    let states: Vec<_> =
        standing(&ledger, batch).into_iter().map(|(id, _, state, reason)| (id, state, reason)).collect();
    let expected = [
        ("a", JobState::Delivered, Reason::None),
        ("b", JobState::Paid, Reason::None),
        ("c", JobState::Lost, Reason::NotDelivered),
        ("d", JobState::Pending, Reason::None),
    ];
    assert_eq!(states, expected.map(|(id, state, reason)| (id.to_owned(), state, reason)));
    ledger.request(payment).unwrap();
    rows[0].preimage = "00".repeat(32);
    assert!(MergeSource::of_receipts(&file, "-", &rows, &asked, &endpoint(), &ledger).is_err(), "it proves nothing");
}

#[test]
fn a_ledger_of_yesterday_is_known_beside_its_locks_until_it_is_merged() {
    let mut two = Two::of(&["a", "b"], |ledger, jobs| {
        deliver(ledger, &jobs[0], 1);
    });
    let path = two.one.path().unwrap().to_owned();
    let june = two.one.batch("june").unwrap().unwrap().key;
    let b = pending(&two.one, june).remove(0);
    deliver(&mut two.one, &b, 2);
    assert_eq!(two.one.gap().unwrap(), None);
    let newest = path.with_file_name("newest.db");
    two.one.conn.execute("VACUUM INTO ?1", [newest.display().to_string()]).unwrap();
    let Two { _folder, one, other } = two;
    drop(one);
    std::fs::rename(&other, &path).unwrap();
    let mut restored = open(&path);
    let gap = restored.gap().unwrap();
    assert!(matches!(gap, Some(Gap::Behind { begun: 2, known: 1, hash, .. }) if hash == secret(2).1), "{gap:?}");
    // A receipt of the newest payment tells nothing of those before it, nor has it the newest one's credential.
    let rows: Vec<ReceiptRow> = receipts_of(&open(&newest), "june").into_iter().filter(|row| row.id == "b").collect();
    let file = path.with_file_name("june.receipts.csv");
    let source =
        MergeSource::of_receipts(&file, "/jobs/june.toml", &rows, &KnownParams::new(), &endpoint(), &restored).unwrap();
    assert_eq!(restored.merge(NOW, &source).unwrap().payments, 1);
    assert_eq!(restored.gap().unwrap(), gap);
    restored.conn.execute("UPDATE ledger_id SET intents = 2", []).unwrap();
    assert!(restored.gap().unwrap().is_some(), "its own intent is lacking");
    restored.conn.execute("UPDATE ledger_id SET intents = 1", []).unwrap();
    let source = MergeSource::open(&newest, &restored).unwrap();
    restored.merge(NOW, &source).unwrap();
    assert_eq!(restored.gap().unwrap(), None);
    std::fs::write(path.with_file_name("ledger.db.rescued-7"), "").unwrap();
    std::fs::write(path.with_file_name("ledger.db.rescued-8.merged"), "").unwrap();
    let rescued = path.with_file_name("ledger.db.rescued-7").canonicalize().unwrap();
    assert_eq!(restored.gap().unwrap(), Some(Gap::Rescued(vec![LedgerAddress::of_file(rescued)])));
}

#[test]
fn bodies_that_a_rescued_ledger_needs_stay_and_come_along() {
    let mut two = Two::of(&["a", "b"], |_, _| ());
    let path = two.one.path().unwrap().to_owned();
    let june = two.one.batch("june").unwrap().unwrap().key;
    let job = pending(&two.one, june).remove(0);
    let mut intent = new_intent(&job, 1);
    intent.request = request(&job, vec![b'x'; 64 * 1024 + 1]);
    let payment = two.elsewhere(|ledger| intend(ledger, intent)).payment();
    let bodies = |of: &str| std::fs::read_dir(path.with_file_name(of)).map_or(0, Iterator::count);
    two.merge();
    assert_eq!((bodies("ledger.db.bodies"), bodies("other.db.bodies")), (1, 1));
    two.one.request(payment).unwrap();

    // A fresh ledger in the place of one that was rescued knows none of its bodies.
    let Two { _folder, one, .. } = two;
    drop(one);
    std::fs::rename(&path, path.with_file_name("ledger.db.rescued-1")).unwrap();
    let mut fresh = open(&path);
    assert_eq!(bodies("ledger.db.bodies"), 1);
    let source = MergeSource::open(&path.with_file_name("ledger.db.rescued-1"), &fresh).unwrap();
    fresh.merge(NOW, &source).unwrap();
    fresh.request(payment).unwrap();
}

#[test]
fn further_results_come_in_with_the_delivery() {
    let mut two = Two::of(&["a"], |ledger, jobs| {
        let payment = intend(ledger, new_intent(&jobs[0], 1)).payment();
        ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    });
    let (url, more) = ("https://seller.example/1".to_owned(), vec!["https://seller.example/2".to_owned()]);
    two.elsewhere(|ledger| {
        let payment = ledger.conn.query_row("SELECT id FROM payments", [], |row| row.get(0)).unwrap();
        let answer = answer(ledger, payment, 200);
        ledger.apply(NOW, Record::Delivered { payment, answer, url, more: more.clone(), own: false }).unwrap();
    });
    assert_eq!(two.merge().changed, 1);
    let june = two.one.batch("june").unwrap().unwrap().key;
    assert_eq!(two.one.takes(june, "a").unwrap().remove(0).row.more_urls(), [more[0].as_str()]);
}

#[test]
fn of_two_marks_the_newer_word_counts_and_each_goes_with_its_payment() {
    let say = |ledger: &mut SqliteLedger, at: i64, take: u32, mark: Option<TakeMark>, note: &str| {
        let batch = ledger.batch("june").unwrap().unwrap().key;
        let take = TakeId { id: "a".to_owned(), take };
        let marking = Marking { batch, take, mark, note: Some(note.to_owned()) };
        assert_eq!(ledger.mark(NOW.plus_ms(at), &[marking]).unwrap(), []);
    };
    let (pick, reject) = (Some(TakeMark::Pick), Some(TakeMark::Reject));
    let mut two = Two::of(&["a"], |ledger, jobs| {
        deliver(ledger, &jobs[0], 1);
        say(ledger, 0, 1, pick, "first");
    });
    let marks = |two: &Two| {
        let (mut marks, june) = (Vec::new(), two.one.batch("june").unwrap().unwrap().key);
        let read = two.one.all_takes(june, &mut |take| {
            marks.push((take.row.take, take.marked.mark, take.marked.note));
            Ok(())
        });
        read.unwrap().unwrap();
        marks
    };
    say(&mut two.one, 1, 1, reject, "here");
    two.elsewhere(|ledger| say(ledger, 2, 1, None, "there, later"));
    two.merge();
    assert_eq!(marks(&two), [(1, None, "there, later".to_owned())], "taken back is a word, too");
    // Both have bought one more take: the other one's becomes another, and its mark goes with it.
    let retake = |ledger: &mut SqliteLedger, n: u8| {
        let june = ledger.batch("june").unwrap().unwrap().key;
        load(ledger, june, &word("a", 1), vec![planned(&endpoint(), "a", "a")]);
        let job = pending(ledger, june).remove(0);
        deliver(ledger, &job, n);
    };
    retake(&mut two.one, 2);
    say(&mut two.one, 3, 2, pick, "ours");
    two.elsewhere(|ledger| {
        retake(ledger, 3);
        say(ledger, 4, 2, reject, "theirs");
    });
    two.merge_once();
    let expected = [(1, None, "there, later"), (2, pick, "ours"), (3, reject, "theirs")];
    assert_eq!(marks(&two), expected.map(|(take, mark, note)| (take, mark, note.to_owned())));
}
