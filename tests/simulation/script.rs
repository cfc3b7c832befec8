//! Lives that follow a script, so that one thing can be tried at each point of a process.

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
        let (Some(id), Some(key)) = (&self.said, self.batches[0].key) else { return };
        let rows = verdict::rows(&self.disk.ledger.books(), key);
        let Some(row) = rows.iter().find(|row| row.id == *id) else { return };
        let waits = !verdict::has_ended_as_purchase(row.state) && row.take == 1;
        if row.take != 2 && !waits {
            let name = job_name(&self.batches[0].name, id);
            self.world.violated(format!("one word was said of {name}, and its take {} is {:?}", row.take, row.state));
        }
    }
}
