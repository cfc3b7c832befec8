//! Lives that follow a script, so that one thing can be tried at each point of a process.

use l402_batch::ledger::JobState;
use l402_batch::run::Budget;

use super::auditor::Limits;
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
        self.processes(&run, stop);
        let points = self.world.points();
        for _ in 0..2 {
            pass(&self.world, HOUR_MS);
            self.processes(&run, Stop::Never);
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
        let row = verdict::rows(&self.disk.ledger.books(), key).into_iter().find(|row| row.id == *id)?;
        Some((job_name(&self.batches[0].name, id), row.take, row.state))
    }
}
