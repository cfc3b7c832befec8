//! From what a person hands in, a manifest or a file of results, to what a process may buy.

use std::collections::{BTreeSet, HashSet};

use l402_batch::ledger::port::{Inspection, Loading};
use l402_batch::ledger::{BatchKey, DecisionRow, LedgerError, NewBatch, ToBuy};
use l402_batch::money::Msat;
use l402_batch::plan::PlannedJob;

use super::coverage::Sight;
use super::disk::Meant;
use super::liars::Liar;
use super::life::Life;
use super::plan::{digest, is_further_take, job_name};
use super::port::Port;
use super::process::{Command, Order};
use super::verdict;

/// What follows once it is known what there is to buy.
pub enum Next {
    /// Nothing.
    Ends,
    /// What is open is brought on, and nothing is bought.
    Recovers,
    /// It is bought: of these alone, where any are named.
    Buys(Option<HashSet<String>>),
}

/// By more than prices drift.
fn raise(job: &mut PlannedJob) {
    job.priced.price = Msat::new(job.priced.price.get() + 1_000);
}

/// Its planned takes send what the first of them sends.
fn send_what_the_first_sends(job: &mut PlannedJob) {
    job.params = job.bought_params().into_owned();
    job.nonce = None;
}

/// Planned takes after the first, once more by other ids.
fn doubled(jobs: &[PlannedJob]) -> Vec<PlannedJob> {
    let further = jobs.iter().filter(|job| is_further_take(&job.id)).zip(jobs.len() as u64..);
    further.map(|(job, seq)| PlannedJob { seq, id: format!("{}x", job.id), ..job.clone() }).collect()
}

impl Life {
    /// The manifest is handed in, by a command that reads one.
    pub fn hands_in(&mut self, order: &Order) -> Vec<PlannedJob> {
        let batch = &mut self.batches[order.at];
        match order.command {
            Command::Results => Vec::new(),
            Command::Run | Command::Recover { .. } => {
                let mut jobs = batch.plan.resolve(&self.world);
                if self.liar == Liar::RaisedCap {
                    jobs.iter_mut().filter(|job| job.is_capped()).for_each(raise);
                }
                if self.liar == Liar::UnmovedTake {
                    jobs.iter_mut().for_each(send_what_the_first_sends);
                }
                if self.liar == Liar::DoubledTake {
                    jobs.extend(doubled(&jobs));
                }
                let ids = jobs.iter().map(|job| job.id.clone());
                batch.names.extend(ids.zip(batch.plan.names()));
                jobs
            }
        }
    }

    /// Loads the plan, leaves out what is bought already, and asks.
    pub async fn loads(&self, at: usize, port: &Port<'_>, jobs: &[PlannedJob]) -> Result<Next, LedgerError> {
        let batch = &self.batches[at];
        let begun = self.begin(at)?;
        port.batch.set(Some(begun));
        let before = verdict::rows(&self.disk.ledger.ledger(), begun);
        let mut retaken = self.load(at, begun, jobs)?;
        // The load itself takes back what repeats an earlier take, or sets it aside for the next one to take back.
        port.note_taken_back(&before);
        port.note_set_aside(&retaken);
        self.world.point("before duplicates are set aside").await;
        let duplicates = self.set_aside(begun, Some(""), &[])?;
        let means_duplicates = batch.means_duplicates || self.liar == Liar::IdComparer;
        if !means_duplicates {
            // What repeats another purchase is bought once more by no word alone.
            port.note_set_aside(&retaken);
            self.disk.take_back_duplicates(begun)?;
            retaken.retain(|id| !duplicates.contains(id));
        }
        if self.says_no(port, begun).await? {
            return Ok(Next::Ends);
        }
        if batch.means_duplicates {
            for (name, job) in batch.plan.names().iter().zip(jobs).filter(|(_, job)| duplicates.contains(&job.id)) {
                self.means(name, &digest(job));
            }
        }
        if self.liar != Liar::ForgottenWord || retaken.is_empty() {
            let meant = if means_duplicates { Meant::All } else { Meant::None };
            self.disk.accept(begun, &meant)?;
        }
        for id in retaken {
            self.world.note(|| format!("{id} is bought once more"));
            self.world.saw(Sight::BoughtOnceMore);
            let was_refunded = batch.retake.refunded && self.disk.was_refunded(begun, &id);
            self.world.saw_if(was_refunded, Sight::RefundedBoughtOnceMore);
            let was_rejected = batch.retake.rejected && self.disk.was_rejected(begun, &id);
            self.world.saw_if(was_rejected, Sight::RejectedBoughtOnceMore);
            let takes = self.disk.ledger.ledger().takes(begun, &id)?;
            if !takes.iter().rev().nth(1).is_some_and(|replaced| replaced.decisions.iter().any(is_retake)) {
                self.world.violated(format!("{id} is bought once more, and no word for that is recorded"));
            }
            self.world.auditor.borrow_mut().accepted(&job_name(&batch.name, &id), takes.len() as u32);
        }
        Ok(Next::Buys(None))
    }

    /// The rows of a results file choose among the stored jobs: nothing is loaded, nothing withdrawn, no word is heard but that
    /// duplicates are meant.
    pub async fn chooses(&self, at: usize, port: &Port<'_>, known: BatchKey) -> Result<Next, LedgerError> {
        let (world, batch) = (&self.world, &self.batches[at]);
        world.saw(Sight::ResultsRun);
        let chosen = self.disk.choose_rows(known, &batch.papers)?;
        world.note(|| format!("chosen: {chosen:?}"));
        if chosen.unknown.is_some() {
            world.saw(Sight::ResultsOfOtherJobs);
            return Ok(Next::Recovers);
        }
        world.saw_if(chosen.edited.count > 0, Sight::ResultsEdited);
        if let Some(id) = chosen.edited.first.iter().map(|row| &row.id).find(|id| chosen.ids.contains(id)) {
            world.violated(format!("the row of {id} was edited, and is chosen"));
        }
        world.point("before duplicates are set aside").await;
        let only = chosen.ids;
        let duplicates = if only.is_empty() { Vec::new() } else { self.set_aside(known, None, &only)? };
        let means = batch.means_duplicates && !duplicates.is_empty();
        if !means {
            port.note_set_aside(&[]);
            self.disk.take_back_duplicates(known)?;
        }
        let left = self.left_to_buy(known, &only, means);
        if left.is_empty() {
            return Ok(Next::Recovers);
        }
        if self.says_no(port, known).await? {
            return Ok(Next::Ends);
        }
        if means {
            self.mean_stored(at, known, &duplicates);
            self.disk.accept(known, &Meant::Some(duplicates))?;
            port.note_set_aside(&[]);
            self.disk.take_back_duplicates(known)?;
        } else {
            self.disk.accept(known, &Meant::None)?;
        }
        world.saw(Sight::ResultsBought);
        port.buys_only(&only);
        let only = Some(only.into_iter().collect()).filter(|_| self.liar != Liar::WholeBatch);
        Ok(Next::Buys(only))
    }

    /// Of these jobs those that are to be bought, with duplicates where those are meant; of no job where there is none.
    fn left_to_buy(&self, batch: BatchKey, only: &[String], duplicates: bool) -> Vec<String> {
        let mut left = Vec::new();
        let read = self.disk.ledger.ledger().to_buy(batch, duplicates, &mut |job: ToBuy| {
            left.extend(Some(job.id).filter(|id| only.contains(id)));
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(()) = read.expect("the ledger can be read");
        left
    }

    /// The person says that these duplicates are meant, as the ledger has them.
    fn mean_stored(&self, at: usize, key: BatchKey, duplicates: &[String]) {
        let batch = &self.batches[at];
        for row in verdict::rows(&self.disk.ledger.ledger(), key).iter().filter(|row| duplicates.contains(&row.id)) {
            let request = batch.plan.digest_of(&row.endpoint, &row.params);
            let name = batch.names.get(&row.id).cloned().unwrap_or_else(|| job_name(&batch.name, &row.id));
            self.means(&name, &request);
        }
    }

    fn set_aside(&self, batch: BatchKey, edition: Option<&str>, only: &[String]) -> Result<Vec<String>, LedgerError> {
        let duplicates = self.disk.set_duplicates_aside(batch, edition, only)?;
        if !duplicates.is_empty() {
            self.world.note(|| format!("duplicates: {duplicates:?}"));
            self.world.saw(Sight::DuplicatesSetAside);
        }
        Ok(duplicates)
    }

    /// A restless person may say no at the question: then nothing stands of what was asked for.
    async fn says_no(&self, port: &Port<'_>, batch: BatchKey) -> Result<bool, LedgerError> {
        self.world.point("at the question").await;
        let says_no = self.people.as_ref().is_some_and(|_| !self.world.is_calm() && self.world.between(0, 11) == 0);
        if says_no {
            self.world.saw(Sight::SaidNo);
            self.disk.discard_unaccepted(batch)?;
            port.note_set_aside(&[]);
            self.disk.take_back_duplicates(batch)?;
        }
        Ok(says_no)
    }

    fn begin(&self, at: usize) -> Result<BatchKey, LedgerError> {
        let batch = &self.batches[at];
        let manifest = format!("/jobs/{}.toml", batch.name);
        let begun = self.disk.begin(&NewBatch { name: batch.name.clone(), manifest, sandbox: false, adopt: false })?;
        if let Some(cap) = batch.settings.budget.batch {
            self.world.auditor.borrow_mut().limits.batches.insert(batch.name.clone(), cap.get());
        }
        Ok(begun)
    }

    /// Loads the plan with the words that the command holds, and gives back the ids that are bought once more.
    fn load(&self, at: usize, begun: BatchKey, jobs: &[PlannedJob]) -> Result<Vec<String>, LedgerError> {
        let batch = &self.batches[at];
        let mut retake = batch.retake.clone();
        for (name, job) in batch.plan.names().into_iter().zip(jobs) {
            let request = digest(job);
            let mut auditor = self.world.auditor.borrow_mut();
            auditor.word_for_other(&name, &request, retake.changed, retake.refunded);
            for take in batch.rejected.get(&job.id).into_iter().flatten().filter(|_| retake.rejected) {
                auditor.word(&name, &format!("rejected @{take}"), &request);
            }
            for take in retake.takes.get(&job.id).into_iter().flatten() {
                auditor.word(&name, &format!("@{take}"), &request);
            }
        }
        if self.liar == Liar::EagerCommand {
            retake.takes.extend(jobs.first().map(|job| (job.id.clone(), BTreeSet::from([1]))));
        }
        if self.liar == Liar::RepeatingWord {
            // Whatever take the word names, or a person has rejected, it takes it for the latest.
            retake.takes.values_mut().for_each(|takes| takes.extend(1..=99));
            let rejected = batch.rejected.keys().filter(|_| retake.rejected);
            retake.takes.extend(rejected.map(|id| (id.clone(), (1..=99).collect())));
        }
        self.world.note(|| format!("loads with {retake:?}"));
        self.disk.load(begun, &retake, jobs)
    }

    /// The person says that this duplicate is meant.
    fn means(&self, name: &str, request: &[u8; 32]) {
        self.world.note(|| format!("{name} is meant although it is bought elsewhere"));
        self.world.saw(Sight::DuplicateMeant);
        self.world.auditor.borrow_mut().word(name, "although it is bought elsewhere", request);
    }
}

/// A person's word for one purchase more.
fn is_retake(word: &DecisionRow) -> bool {
    word.decision == "retake"
}
