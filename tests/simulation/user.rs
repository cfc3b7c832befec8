//! What the user does next with a batch: which command, with which words, and on what file.

use l402_batch::ledger::{Retake, TakeId};
use l402_batch::run::Budget;

use super::coverage::Sight;
use super::life::{Batch, HOUR_MS, Life, settings};
use super::process::{Command, Order};
use super::verdict;

/// Batches that a person has at most.
pub const BATCHES_MAX: usize = 4;

impl Life {
    /// Some batch but that one, where there is another.
    pub fn another(&mut self, first: usize) -> usize {
        let count = self.batches.len();
        match (self.people.as_mut().or(self.acts.as_mut()), count) {
            (_, 2) => 1 - first,
            (Some(dice), 3..) => {
                let after = 1 + usize::try_from(dice.below(count as u64 - 1)).unwrap_or(0);
                (first + after) % count
            }
            (Some(_) | None, _) => first,
        }
    }

    /// A restless person copies a manifest, as it is or changed a little, under another name.
    pub fn copies_a_manifest(&mut self) -> bool {
        let Some(people) = self.people.as_mut().filter(|_| self.batches.len() < BATCHES_MAX) else { return false };
        if people.below(4) > 0 {
            return false;
        }
        let name = format!("copy{}", self.batches.len());
        let of = people.pick(&self.batches).plan.clone();
        let plan = of.copied(people, &name, &self.world);
        let shared = Budget { batch: None, ..self.batches[0].settings.budget.clone() };
        let settings = settings(people, &plan, shared);
        self.world.note(|| format!("the manifest of {name} is a copy"));
        self.batches.push(Batch::new(name, plan, settings));
        true
    }

    /// Whoever looks at what came rejects some of it, now and then; and then means that to be bought once more.
    fn rejects_some(&mut self, at: usize) -> bool {
        let Some(mut viewer) = self.viewer.take() else { return false };
        let looks = viewer.below(3) == 0;
        if looks {
            self.opens_the_ledger();
            let batch = &mut self.batches[at];
            let rows = batch.key.map(|key| (key, verdict::rows(&self.disk.ledger.ledger(), key)));
            for (key, row) in rows.into_iter().flat_map(|(key, rows)| rows.into_iter().map(move |row| (key, row))) {
                if !row.state.is_delivered() || viewer.below(2) == 0 {
                    continue;
                }
                self.world.note(|| format!("{}@{} is rejected", row.id, row.take));
                self.disk.reject(key, &TakeId { id: row.id.clone(), take: row.take });
                batch.rejected.entry(row.id).or_default().insert(row.take);
            }
        }
        self.viewer = Some(viewer);
        looks
    }

    /// What the user does next with a batch.
    pub fn order(&mut self, at: usize, round: u64) -> Order {
        if round > 0 && self.rng.below(4) == 0 {
            self.batches[at].plan.edit(&mut self.rng);
            self.world.saw(Sight::ManifestEdited);
        }
        if let Some(people) = self.people.as_mut().filter(|_| round > 0)
            && people.below(3) == 0
        {
            self.batches[at].plan.rename_rows(people, &self.world);
        }
        if let Some(dice) = self.takes.as_mut().filter(|_| round > 0)
            && dice.below(3) == 0
        {
            self.batches[at].plan.repeats_otherwise(dice, &self.world);
        }
        let ids = (self.rng.below(8) == 0).then(|| self.batches[at].plan.any_id(&mut self.rng));
        let (changed, refunded) = (self.rng.below(12) == 0, self.rng.below(4) == 0);
        let word = ids.into_iter().map(|id| TakeId { id, take: 1 });
        let rejected = round > 0 && self.rejects_some(at);
        let asks = Retake { changed, refunded, rejected, ..Retake::of(word) };
        // Or what stands in a crontab, as it stood there before.
        let same = self.people.as_mut().is_some_and(|people| people.below(3) == 0);
        self.world.saw_if(same && self.batches[at].retake != Retake::default(), Sight::WordSaidAgain);
        if !same {
            let means = self.people.as_mut().is_some_and(|people| people.below(6) == 0);
            (self.batches[at].retake, self.batches[at].means_duplicates) = (asks, means);
        }
        let command = match self.rng.below(8) {
            _ if round == 0 => Command::Run,
            0 => Command::Recover { node: true, all: false },
            1 => Command::Recover { node: self.rng.below(2) == 0, all: self.rng.below(2) == 0 },
            _ => Command::Run,
        };
        let command = if round > 0 && self.takes_results(at) { Command::Results } else { command };
        let told = (self.rng.below(6) == 0).then(|| (self.rng.spread_ms(1, HOUR_MS), self.rng.below(3)));
        Order { told, ..Order::plain(at, command) }
    }
}
