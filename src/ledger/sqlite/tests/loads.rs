//! Whatever plans are loaded, with whatever words, and whatever is bought in between: both stores find the same and hold the same,
//! and what is foreseen is what is done.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use proptest::prelude::*;

use super::contract::{Step, record, step};
use super::support::*;
use crate::catalog::{Endpoint, Param, ParamKind, Place, Value};
use crate::every::one_in;
use crate::l402::Network;
use crate::ledger::contract::{Subject, of_ledger};
use crate::ledger::memory::MemoryLedger;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{BatchKey, Compared, Decision, JobKey, PendingJob, PlanLoad, Retake, TakeId, ToBuy};
use crate::plan::{PlanDigest, PlannedJob, content_hash, made_id};

/// A row of a random plan: few ids and few contents, so that they meet.
#[derive(Clone, Copy, Debug)]
struct Row {
    id: u8,
    content: u8,
    /// Its limit is below what it costs.
    is_dear: bool,
}

/// What happens to the ledgers.
#[derive(Clone, Debug)]
enum Happens {
    /// A plan is loaded into the batch of that number, with that word.
    Load { batch: u8, rows: Vec<Row>, word: u8 },
    /// The plan that was loaded last into the batch of that number is loaded once more.
    Again { batch: u8 },
    /// What was found to buy is accepted, or what nobody accepted is taken back.
    Answer { batch: u8, accepts: bool },
    /// A job is bought, as far as that number says.
    Buy { of: u8, how_far: u8 },
    /// A person decides on a job.
    Say { of: u8, what: u8 },
    /// What is made of a batch before anything of it is bought.
    Prepare { batch: u8, what: u8 },
    /// Any record at all.
    Record(Step),
}

fn happens() -> impl Strategy<Value = Happens> {
    let row = (0_u8..8, 0_u8..4, prop::bool::weighted(0.1));
    let row = row.prop_map(|(id, content, is_dear)| Row { id, content, is_dear });
    let load = (0_u8..2, prop::collection::vec(row, 0..6), 0_u8..10);
    prop_oneof![
        4 => load.prop_map(|(batch, rows, word)| Happens::Load { batch, rows, word }),
        3 => (0_u8..2).prop_map(|batch| Happens::Again { batch }),
        2 => (0_u8..2, prop::bool::weighted(0.7)).prop_map(|(batch, accepts)| Happens::Answer { batch, accepts }),
        5 => (any::<u8>(), 0_u8..8).prop_map(|(of, how_far)| Happens::Buy { of, how_far }),
        1 => (any::<u8>(), 0_u8..3).prop_map(|(of, what)| Happens::Say { of, what }),
        3 => (0_u8..2, 0_u8..8).prop_map(|(batch, what)| Happens::Prepare { batch, what }),
        2 => step().prop_map(Happens::Record),
    ]
}

/// An endpoint with that default.
fn described(default: i64) -> Arc<Endpoint> {
    let integer = ParamKind::Integer { min: 0, max: 9 };
    let n = Param {
        name: "n".to_owned(),
        kind: integer,
        required: false,
        default: Some(Value::Integer(default)),
        place: Place::Usual,
    };
    Arc::new(Endpoint { params: vec![n], ..endpoint().as_ref().clone() })
}

/// The rows as a plan has them: of one id the first. Ids of the last numbers are made: of them the content says which default
/// of the catalogue stands, and the id follows from it.
fn plan_of(rows: &[Row]) -> Vec<PlannedJob> {
    let (first, other) = (described(3), described(4));
    let mut ids = BTreeSet::new();
    let jobs = rows.iter().map(|Row { id, content, is_dear }| {
        let max_cost = is_dear.then_some(PRICE);
        if *id < 6 {
            let ids = ["a", "b", "c", "d", "D", "0c"];
            return PlannedJob { max_cost, ..planned(&first, ids[usize::from(*id)], &format!("of {content}")) };
        }
        let endpoint = if content % 2 == 0 { &first } else { &other };
        let params = vec![
            ("prompt".to_owned(), Value::Text(format!("of {id}"))),
            ("n".to_owned(), Value::Integer(if content % 2 == 0 { 3 } else { 4 })),
        ];
        let content = content_hash(&endpoint.name, &params);
        PlannedJob { content, params, max_cost, ..planned(endpoint, &made_id(&content), "") }
    });
    jobs.filter(|job| ids.insert(job.id.clone())).collect()
}

fn word_of(word: u8, ids: &[String]) -> Retake {
    let takes = |take: u32| Retake::of(ids.iter().take(2).map(|id| TakeId { id: id.clone(), take }));
    match word {
        0 => takes(1),
        1 => takes(2),
        2 => Retake { changed: true, ..Retake::default() },
        3 => Retake { refunded: true, ..Retake::default() },
        4 => Retake { changed: true, refunded: true, ..takes(1) },
        _ => Retake::default(),
    }
}

/// Does that to a batch, and tells what comes of it.
fn prepare(ledger: &mut impl Loading, batch: BatchKey, what: u8) -> String {
    let compared = |network| Compared { network, edition: (what == 1).then(|| "monday".to_owned()), only: &[] };
    let told = match what {
        0 | 1 => format!("{:?}", ledger.set_duplicates_aside(batch, NOW, &compared(None))),
        2 => format!("{:?}", ledger.set_duplicates_aside(batch, NOW, &compared(Some(Network::Regtest)))),
        3 => format!("{:?}", ledger.mean_duplicates(batch, NOW, &["a".to_owned(), "d".to_owned()])),
        4 => format!("{:?}", ledger.discard_duplicates(batch, NOW)),
        5 => format!("{:?}", ledger.hold_to_job_limit(batch, NOW, Some(PRICE))),
        6 => format!("{:?}", ledger.hold_to_job_limit(batch, NOW, None)),
        _ => format!("{:?}", ledger.mark_changed(Some(batch), NOW)),
    };
    let mut bought = Vec::new();
    let each = &mut |job: ToBuy| {
        bought.push((job.id, job.is_duplicate, job.reason));
        Ok::<_, ()>(())
    };
    ledger.to_buy(batch, true, each).unwrap().unwrap();
    format!("{told} {bought:?} {:?}", ledger.open_and_changed(batch))
}

fn digest_of(rows: &[Row]) -> PlanDigest {
    PlanDigest(content_hash(&format!("{rows:?}"), &[]).0)
}

/// All that is told of a foresight.
fn all_foreseen(foreseen: &impl Foreseen) -> String {
    let duplicates = foreseen.compare(&Compared::default()).unwrap();
    let open = (foreseen.changed(), foreseen.open_and_changed(), foreseen.set_aside().unwrap());
    let then = [false, true].map(|duplicates| foreseen.jobs_then(duplicates).unwrap());
    let stays = [false, true].map(|fetches| foreseen.stays(fetches).unwrap());
    let report = PlanLoad { unchanged: 0, ..foreseen.report().clone() };
    let refused = foreseen.refused_before().unwrap();
    format!("{:?} {duplicates:?} {open:?} {then:?} {stays:?} {report:?} {refused:?}", to_buy(foreseen))
}

/// Both ledgers.
struct Both {
    ledger: SqliteLedger,
    memory: MemoryLedger,
    /// The jobs of the first load.
    first: Vec<PendingJob>,
    /// What each batch has loaded last.
    loaded: [Option<Vec<Row>>; 2],
    /// How many intents there were.
    intents: u8,
}

impl Both {
    fn new() -> Self {
        let batches: [(&str, &[&str]); 2] = [("june", &["a", "b"]), ("july", &["a"])];
        let ((ledger, first), (memory, _)) = (SqliteLedger::with(&batches), MemoryLedger::with(&batches));
        Self { ledger, memory, first, loaded: [None, None], intents: 0 }
    }

    fn commit(&mut self, record: &crate::ledger::Record) -> Result<(), TestCaseError> {
        let (one, other) = (self.ledger.commit(NOW, record.clone()), self.memory.commit(NOW, record.clone()));
        prop_assert_eq!(format!("{:?}", one), format!("{:?}", other), "{:?}", record);
        Ok(())
    }

    fn load(&mut self, batch: BatchKey, rows: &[Row], word: u8) -> Result<(), TestCaseError> {
        let jobs = plan_of(rows);
        let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
        let retake = word_of(word, &ids);
        // What is foreseen is held against what is done.
        let one = load(&mut self.ledger, batch, &retake, jobs.clone());
        let other = of_ledger(self.memory.load_plan(batch, NOW, &retake, jobs.into_iter().map(Ok))).unwrap();
        prop_assert_eq!(one, other);
        self.ledger.note_loaded(batch, digest_of(rows)).unwrap();
        self.loaded[usize::try_from(batch.0 - 1).unwrap()] = Some(rows.to_vec());
        Ok(())
    }

    /// What is found to be left as it stands is what the whole plan would leave so.
    fn load_again(&mut self, batch: BatchKey) -> Result<(), TestCaseError> {
        let Some(rows) = self.loaded[usize::try_from(batch.0 - 1).unwrap()].clone() else { return Ok(()) };
        let (jobs, none) = (|| plan_of(&rows).into_iter().map(Ok::<_, Infallible>), Retake::default());
        let other_plan = PlanDigest([0; 32]);
        prop_assert!(self.ledger.foresee_again(batch, other_plan).unwrap().is_none());
        prop_assert!(of_ledger(self.ledger.load_again(batch, NOW, other_plan, jobs())).unwrap().is_none());
        if let Some(again) =
            self.ledger.foresee_again(batch, digest_of(&rows)).unwrap().map(|again| all_foreseen(&again))
        {
            let whole = all_foreseen(&of_ledger(self.ledger.foresee(Some(batch), &none, "", jobs())).unwrap());
            prop_assert_eq!(again, whole);
        }
        let one = match of_ledger(self.ledger.load_again(batch, NOW, digest_of(&rows), jobs())).unwrap() {
            Some(one) => one,
            None => {
                let one = of_ledger(self.ledger.load_plan(batch, NOW, &none, jobs())).unwrap();
                self.ledger.note_loaded(batch, digest_of(&rows)).unwrap();
                one
            }
        };
        let other = of_ledger(self.memory.load_plan(batch, NOW, &none, jobs())).unwrap();
        // What is not looked at is not counted.
        prop_assert_eq!(PlanLoad { unchanged: 0, ..one }, PlanLoad { unchanged: 0, ..other });
        Ok(())
    }

    /// A pending job, from its intent as far as that.
    fn buy(&mut self, of: u8, how_far: u8) -> Result<(), TestCaseError> {
        let pending: Vec<PendingJob> =
            [1, 2].into_iter().flat_map(|batch| self.ledger.pending(BatchKey(batch), None, 99).unwrap()).collect();
        let Some(job) = pending.get(usize::from(of) % pending.len().max(1)) else { return Ok(()) };
        self.intents = self.intents.saturating_add(1);
        let n = self.intents;
        let at = |kind, how| Step { kind, of: 0, how, later_ms: 0 };
        self.commit(&crate::ledger::Record::Intend(Box::new(new_intent(job, n))))?;
        let Some(payment) = self.memory.payments().last().map(|payment| payment.key) else { return Ok(()) };
        if how_far == 0 {
            // It dies.
            return self.commit(&record(at(11, 1), NOW, &self.memory, &self.first));
        }
        if how_far > 1 {
            self.commit(&paid(payment, n, Some(posted())))?;
        }
        if how_far > 2 {
            self.commit(&record(at(15, 0), NOW, &self.memory, &self.first))?;
            let end = if how_far == 3 { at(21, 3) } else { at(19, 0) };
            self.commit(&record(end, NOW, &self.memory, &self.first))?;
        }
        Ok(())
    }

    fn say(&mut self, of: u8, what: u8) -> Result<(), TestCaseError> {
        let job = JobKey(i64::from(of) % i64::try_from(self.ledger.jobs().len()).unwrap() + 1);
        if what == 2 {
            let (one, other) = (self.ledger.keep(NOW, job, "so"), self.memory.keep(NOW, job, "so"));
            prop_assert_eq!(one.is_ok(), other.is_ok());
            return Ok(());
        }
        let decision = [Decision::Lost, Decision::Rebuy][usize::from(what)];
        let one = self.ledger.decide(NOW, job, decision, "so", "nothing", None);
        let other = self.memory.decide(NOW, job, decision, "so", "nothing", None);
        prop_assert_eq!(format!("{:?}", one), format!("{:?}", other));
        Ok(())
    }

    fn go_on(&mut self, happens: &Happens) -> Result<(), TestCaseError> {
        match happens {
            Happens::Load { batch, rows, word } => self.load(BatchKey(i64::from(*batch) + 1), rows, *word),
            Happens::Again { batch } => self.load_again(BatchKey(i64::from(*batch) + 1)),
            Happens::Answer { batch, accepts } => {
                let batch = BatchKey(i64::from(*batch) + 1);
                match accepts {
                    true => {
                        self.ledger.accept_takes(NOW, batch).unwrap();
                        self.memory.accept_takes(NOW, batch).unwrap();
                    }
                    false => {
                        self.ledger.discard_unaccepted(batch).unwrap();
                        self.memory.discard_unaccepted(batch).unwrap();
                    }
                }
                Ok(())
            }
            Happens::Prepare { batch, what } => {
                let batch = BatchKey(i64::from(*batch) + 1);
                prop_assert_eq!(prepare(&mut self.ledger, batch, *what), prepare(&mut self.memory, batch, *what));
                Ok(())
            }
            Happens::Buy { of, how_far } => self.buy(*of, *how_far),
            Happens::Say { of, what } => self.say(*of, *what),
            Happens::Record(step) => {
                let record = record(*step, NOW, &self.memory, &self.first);
                self.commit(&record)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: one_in(8, 64), max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_load_alike_whatever_plans_come(all in prop::collection::vec(happens(), 1..60)) {
        let mut both = Both::new();
        for happens in &all {
            both.go_on(happens)?;
            prop_assert_eq!(both.ledger.seen(), both.memory.seen(), "after {:?}", happens);
            for batch in [1, 2].map(BatchKey) {
                let pending = |jobs: Vec<PendingJob>| format!("{jobs:?}");
                let one = pending(both.ledger.pending(batch, None, 99).unwrap());
                prop_assert_eq!(one, pending(both.memory.pending(batch, None, 99).unwrap()), "after {:?}", happens);
            }
        }
    }
}
