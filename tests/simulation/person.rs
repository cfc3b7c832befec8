//! A person who decides on jobs, wisely or not: what the command `resolve` does, and what may follow from it.

use std::rc::Rc;

use l402_batch::ledger::port::{Decisions, Inspection, Records};
use l402_batch::ledger::{DeadProof, Decided, Decision, DurableIntent, Trusted, Undecided};
use l402_batch::payer::Found;
use l402_batch::purchase::{JobState, Reason};
use l402_batch::run::{Evidence, HeldJobs, Outcome, RunError, evidence};

use super::coverage::Sight;
use super::life::{HOUR_MS, Life};
use super::plan::job_name;
use super::timeline::{Driven, drive, pass};
use super::verdict::{self, Stuck};
use super::world::Stop;

const STEPS_MAX: u64 = 10_000;
const DECISIONS: [Decision; 3] = [Decision::Unpaid, Decision::Lost, Decision::Rebuy];

impl Life {
    /// At any time, of any job: what contradicts node or ledger must be refused.
    pub fn person_decides(&mut self) {
        self.opens_the_ledger();
        let at = usize::try_from(self.rng.below(self.batches.len() as u64)).unwrap_or(0);
        let Some(key) = self.batches[at].key else { return };
        let rows = verdict::rows(&self.disk.ledger.ledger(), key);
        let doubtful: Vec<_> = rows
            .iter()
            .filter(|row| matches!(row.state, JobState::InDoubt | JobState::Running | JobState::Paid))
            .map(|row| row.id.clone())
            .collect();
        let all: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let of = if doubtful.is_empty() || self.rng.below(6) == 0 { all } else { doubtful };
        if of.is_empty() {
            return;
        }
        let (id, decision) = (self.rng.pick(&of).clone(), *self.rng.pick(&DECISIONS));
        let named = self.rng.below(4) > 0;
        let elsewhere = self.rng.below(4) == 0;
        self.answers(usize::from(elsewhere));
        self.decides(at, &id, decision, named);
    }

    /// What no run can bring on is decided by a person: that always works. Returns whether there was anything.
    pub fn person_ends_all_doubt(&mut self) -> bool {
        if verdict::stuck(&self.world, &self.disk, &self.batches).is_empty() {
            return false;
        }
        // Once the invoices have expired by every clock, what was on its way has arrived, and every time lock has ended.
        pass(&self.world, 15 * 24 * HOUR_MS);
        let stuck = verdict::stuck(&self.world, &self.disk, &self.batches);
        for Stuck { at, id, node } in &stuck {
            let decision = *self.rng.pick(&DECISIONS);
            self.answers(*node);
            if !self.decides(*at, id, decision, true) {
                self.world.violated(format!("no person can decide on {id}"));
            }
        }
        true
    }

    /// Hears from a run which words for an origin would let it buy on.
    pub fn hear_words(&mut self, at: usize, ended: &Result<Outcome, RunError>) {
        let Ok(outcome) = ended else { return };
        let shut = outcome.held_back.iter().filter(|held| held.reason == Reason::BreakerOpen);
        let word = |held: &HeldJobs| held.words.rsplit_once("(that word is ")?.1.strip_suffix(')').map(str::to_owned);
        self.batches[at].words = shut.filter_map(word).collect();
    }

    /// Says each word that a run has named, and says it twice: that is one word.
    pub fn person_trusts(&mut self) {
        self.opens_the_ledger();
        // A command that buys nothing takes no word.
        if self.disk.lacks() {
            return;
        }
        for at in 0..self.batches.len() {
            let Some(key) = self.batches[at].key else { continue };
            for word in std::mem::take(&mut self.batches[at].words) {
                let (origin, number) = word.rsplit_once('@').expect("a word has a number");
                let number = number.parse().expect("a word has a number");
                let most = self.batches[at].settings.max_undelivered;
                let trusted = self.disk.trust(key, origin, number, most);
                self.world.note(|| format!("a person says {word}: {trusted:?}"));
                if trusted == Trusted::Recorded {
                    self.world.saw(Sight::Trusted);
                    self.disk.trusted(origin);
                    let again = self.disk.trust(key, origin, number, most);
                    if again != Trusted::InForce {
                        self.world.violated(format!("{word} once more is {again:?}"));
                    }
                }
            }
        }
    }

    pub fn decides(&mut self, at: usize, id: &str, decision: Decision, named: bool) -> bool {
        let world = Rc::clone(&self.world);
        let Some(key) = self.batches[at].key else { return false };
        let job = self.disk.ledger.ledger().undecided(key, id).expect("the ledger can be read");
        let Some(job) = job else { return false };
        world.note(|| format!("a person says {decision:?} of {id}, which is {:?}", job.state));
        let take = self.disk.ledger.ledger().takes(key, id).expect("the ledger can be read").len();
        let had_it = job.intent.as_ref().is_some_and(|intent| self.node_has(intent, named));
        let Some((heard, proof)) = self.heard(&job, named) else { return false };
        if job.intent.as_ref().is_some_and(|intent| had_it && self.node_has(intent, named)) {
            world.violated(format!("{id} is decided against the node's word"));
        }
        let decided = self.disk.decide(&job, decision, &heard, proof);
        world.note(|| format!("decided: {decided:?}, {heard}"));
        match decided {
            Decided::Refused(_) => world.saw(Sight::RefusedByState),
            Decided::TooEarly(_) => world.saw(Sight::RefusedTooEarly),
            Decided::Recorded => self.bear(&job, (at, id, take), decision, named),
        }
        decided == Decided::Recorded
    }

    /// What the command hears of the payment, and what that proves; nothing where it speaks against the decision.
    fn heard(&self, job: &Undecided, named: bool) -> Option<(String, Option<DeadProof>)> {
        let world = &self.world;
        let Some(intent) = &job.intent else { return Some(("no payment of it is open".to_owned(), None)) };
        world.begin_process(Stop::Never);
        let history_check =
            self.disk.ledger.ledger().history_check(intent.node(), intent.payment()).expect("the ledger can be read");
        let asked = evidence(named.then_some(&self.payer), intent, &history_check, world.our_time());
        match drive(world, asked, STEPS_MAX) {
            Driven::Done(Ok(Evidence::Proven(proof, words))) => Some((words, Some(proof))),
            Driven::Done(Ok(Evidence::Unproven(words))) => Some((words, None)),
            Driven::Done(Ok(Evidence::Contradicts(_))) => {
                world.saw(Sight::RefusedByNode);
                None
            }
            Driven::Done(Err(_)) => None,
            Driven::Stopped | Driven::Hangs | Driven::Endless => {
                world.violated("a decision never ends".to_owned());
                None
            }
        }
    }

    /// What follows from a decision. Whoever takes a payment for not made without its node, or with one that has lost its
    /// record, bears what comes of that payment; a decision that the node could have contradicted excuses nothing.
    fn bear(&self, job: &Undecided, (at, id, take): (usize, &str, usize), decision: Decision, named: bool) {
        let world = &self.world;
        world.saw(match decision {
            Decision::Unpaid => Sight::DecidedUnpaid,
            Decision::Lost => Sight::DecidedLost,
            Decision::Rebuy => Sight::DecidedRebuy,
        });
        let fits = match decision {
            Decision::Unpaid => job.intent.is_some(),
            // That a lost job is lost, a person may confirm.
            Decision::Lost | Decision::Rebuy => {
                is_open(job.state) || matches!(job.state, JobState::Lost | JobState::Refunded)
            }
        };
        if !fits {
            world.violated(format!("{decision:?} is recorded of {id}, which was {:?}", job.state));
        }
        let mut auditor = world.auditor.borrow_mut();
        if decision == Decision::Rebuy {
            auditor.accepted(&job_name(&self.batches[at].name, id), take as u32 + 1);
            let bought = self.bought_at(at, id);
            auditor.word_for_any(&self.batches[at].plan.name_of(id), &format!("@{take}"), bought);
        }
        let Some(intent) = &job.intent else { return };
        auditor.decided(&job_name(&self.batches[at].name, id));
        let knows = self.asks_its_node(intent, named);
        world.saw_if(!knows, Sight::DecidedWithoutNode);
        let forgot = auditor.forgot_at[self.number_of(intent)].is_some();
        match decision {
            Decision::Unpaid if knows && !forgot => {}
            Decision::Unpaid => {
                let request = world.shop.borrow().requests_of(intent.hash()).first().copied();
                auditor.excuse(intent.hash(), request.as_ref());
            }
            Decision::Lost | Decision::Rebuy => auditor.abandoned(*intent.hash()),
        }
    }

    /// The request of a job's last payment.
    fn bought_at(&self, at: usize, id: &str) -> Option<[u8; 32]> {
        let takes = self.disk.ledger.ledger().takes(self.batches[at].key?, id).expect("the ledger can be read");
        let hash = takes.iter().rev().find_map(|take| Some(take.payments.last()?.row.hash))?;
        self.world.shop.borrow().requests_of(&hash).first().copied()
    }

    fn number_of(&self, intent: &DurableIntent) -> usize {
        usize::from(self.world.nodes[0].borrow().id != *intent.node())
    }

    fn asks_its_node(&self, intent: &DurableIntent, named: bool) -> bool {
        named && self.world.answering.get() == self.number_of(intent)
    }

    /// Whether the node that is asked is the payment's own, and has it on its way or settled.
    fn node_has(&self, intent: &DurableIntent, named: bool) -> bool {
        let found = self.world.nodes[self.number_of(intent)].borrow().found(intent.hash());
        let has = matches!(found, Found::Settled(_) | Found::PreimageKnown(_) | Found::InFlight);
        has && self.asks_its_node(intent, named)
    }
}

const fn is_open(state: JobState) -> bool {
    matches!(state, JobState::Running | JobState::InDoubt | JobState::Paid | JobState::RefundOffered)
}
