//! Lives that follow a script, so that one thing can be tried at each point of a process.

use l402_batch::ledger::Reopening;
use l402_batch::purchase::JobState;
use l402_batch::run::Budget;

use super::auditor::Limits;
use super::faults::Fault;
use super::life::{HOUR_MS, Life};
use super::plan::job_name;
use super::process::{Command, Order};
use super::timeline::pass;
use super::verdict;
use super::world::Stop;

/// What happens in a world before the faults stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// What the seed says.
    Drawn,
    /// A plan is bought; then the word for one job more is said, and the command stops there; then the same command again and
    /// again, as a crontab would, to the end.
    Word(Stop),
    /// A plan is bought in part; then the results that are not delivered are run, and the command stops there; then the same file
    /// again.
    Results(Stop),
    /// A plan is bought from a shop that gives little for it; then a person has what is lost asked for again, and the command
    /// stops there; then the same command again.
    Reopens(Stop),
}

impl Script {
    /// Faults that strike in such a world, beside those that the seed draws: in a thousand.
    pub const fn faults(self) -> &'static [(Fault, u32)] {
        match self {
            Self::Drawn | Self::Word(_) | Self::Results(_) => &[],
            Self::Reopens(_) => &[
                (Fault::UnknownShape, 300),
                (Fault::FailsAfterAccepting, 200),
                (Fault::Rejects402Ever, 100),
                (Fault::PollGone, 200),
            ],
        }
    }
}

impl Life {
    /// Says one word in the same command for ever; returns how many points the first command with it passed.
    pub fn one_word(&mut self, stop: Stop) -> u64 {
        self.answers(0);
        // What holds the word back is nothing but the word.
        self.batches.iter_mut().for_each(|batch| batch.settings.budget = Budget::default());
        self.world.auditor.borrow_mut().limits = Limits::default();
        let run = [Order::plain(0, Command::Run)];
        self.processes(&run, Stop::Never);
        pass(&self.world, HOUR_MS);
        let id = self.batches[0].plan.any_id(&mut self.rng);
        self.batches[0].retake.takes.insert(id.clone(), [1].into());
        self.said = Some(id);
        self.repeats(run[0], stop)
    }

    /// Runs a file of results; returns how many points the first command with it passed.
    pub fn runs_results(&mut self, stop: Stop) -> u64 {
        self.answers(0);
        let first = Stop::At(5 + self.rng.below(60));
        self.processes(&[Order::plain(0, Command::Run)], first);
        pass(&self.world, HOUR_MS);
        self.takes_undelivered(0);
        if self.batches[0].papers.is_empty() {
            return 0;
        }
        self.repeats(Order::plain(0, Command::Results), stop)
    }

    /// Has what is lost asked for again; returns how many points the first command after that passed.
    pub fn reopens_what_is_lost(&mut self, stop: Stop) -> u64 {
        self.answers(0);
        // What is given up is given up after a day.
        for _ in 0..3 {
            self.processes(&[Order::plain(0, Command::Run)], Stop::Never);
            pass(&self.world, 20 * HOUR_MS);
        }
        self.opens_the_ledger();
        // In every second world it is to be bought anew at first.
        if self.rng.below(2) == 0 {
            self.person_changes_mind();
        }
        self.person_reopens_all(Reopening::Retry);
        self.repeats(Order::plain(0, Command::Run), stop)
    }

    /// A command that stops there, and is said twice more; returns how many points it passed at first.
    fn repeats(&mut self, order: Order, stop: Stop) -> u64 {
        self.processes(&[order], stop);
        let points = self.world.points();
        for _ in 0..2 {
            pass(&self.world, HOUR_MS);
            self.processes(&[order], Stop::Never);
        }
        points
    }

    /// The word that a script said was carried out once: not twice, and it was not lost.
    pub fn look_at_the_word(&self) {
        if let Some((name, take, state)) = self.word_for().filter(|(_, take, _)| *take > 2) {
            self.world.violated(format!("one word was said of {name}, and its take {take} is {state:?}"));
        }
    }

    /// The command that says the word is said once more, where what it is to replace has ended and it was not heard yet.
    pub fn unheard_word(&self) -> Option<String> {
        let (name, take, state) = self.word_for()?;
        let is_heard = take > 1 || !verdict::has_ended_as_purchase(state);
        (!is_heard).then(|| format!("one word was said of {name}, and its take {take} is {state:?}"))
    }

    /// The job of the word, its latest take, and how that stands.
    fn word_for(&self) -> Option<(String, u32, JobState)> {
        let (id, key) = (self.said.as_ref()?, self.batches[0].key?);
        let row = verdict::rows(&self.disk.ledger.ledger(), key).into_iter().find(|row| row.id == *id)?;
        Some((job_name(&self.batches[0].name, id), row.take, row.state))
    }
}
