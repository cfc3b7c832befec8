//! How a batch goes on with what is open or left to buy: the command, and what has to be so before.

use super::facts::{Ended, Facts, bought_by, jobs_to_buy};
use super::kinds::is_of_node;
use crate::cli::ending::limits::{Bought, Filled};
use crate::cli::money::TooSmall;
use crate::cli::{ExitCode, exit};
use crate::command::{about_batch, needing_node, node_command};
use crate::ledger::StateCount;
use crate::money::{Sats, counted, counted_are};
use crate::purchase::{JobState, Next, Reason};
use crate::run::DrainCause;

impl Facts<'_> {
    /// Jobs that the next recovery brings on.
    pub(super) fn open(&self) -> u64 {
        let of = |count: &&StateCount| {
            matches!(count.state, JobState::Running | JobState::Paid)
                && Next::of(count.state, count.reason) == Next::Rerun
        };
        self.counts.by_state.iter().filter(of).map(|count| count.jobs).sum()
    }

    /// How to go on with what is left, unless a refusal says it.
    pub(super) fn go_on(&self) -> Option<String> {
        let (to_buy, open) = (jobs_to_buy(self.counts), self.open());
        if self.refused || self.code == ExitCode::Done {
            return None;
        }
        let same = |most| {
            (self.again)(most)
                .unwrap_or_else(|| "the same command, with the same manifest on standard input".to_owned())
        };
        match self.ended {
            Ended::Recovery if open > 0 => Some(format!("go on where this command stopped: {}", same(None))),
            Ended::Part if open > 0 => Some(format!(
                "{} under way: `{}`{} brings that on",
                counted_are(open, "job"),
                node_command(&about_batch("recover", &self.batch.name)),
                if self.counts.jobs(JobState::Running) > 0 { needing_node() } else { String::new() }
            )),
            Ended::Recovery | Ended::Part => None,
            Ended::Run(_) if to_buy + open == 0 => None,
            Ended::Run(bought) => Some(self.run_on(bought, to_buy, &same)),
        }
    }

    fn run_on(&self, bought: Bought, to_buy: u64, same: &dyn Fn(Option<(&'static str, Sats)>) -> String) -> String {
        let Filled { batch: full_batch, period, too_small } = &self.filled;
        let at = period.as_ref().filter(|_| to_buy > 0).and_then(|full| self.goes_on_at(full.reason));
        let from_then = match (&at, too_small) {
            (None, _) if self.is_unkept() => " once files can be kept",
            (None, _) => "",
            (Some(_), None) => " from then on",
            (Some(_), Some(_)) => " once that is so",
        };
        if self.left_out.of_results && self.outcome.limit_reached.is_none() && to_buy > 0 {
            // A results file buys what it names, as that is stored; the manifest buys the rest too.
            let most = self.too_little(bought).map_or_else(String::new, |most| {
                format!(", which may bring the batch to {most}; with a limit as high, wherever one is set")
            });
            let when = if from_then.is_empty() { String::new() } else { format!(",{from_then}") };
            return format!(
                "{} left to buy{most}{when}: {}",
                counted_are(to_buy, "job"),
                bought_by(self.batch, to_buy)
            );
        }
        if let Some(most) = self.too_little(bought).filter(|_| to_buy > 0 && (!bought.partial || full_batch.is_some()))
        {
            return match bought.elsewhere {
                Some(elsewhere) if elsewhere < most => format!(
                    "what is left to buy may bring the batch to {most}: once max_sats is as high wherever it is set (the tightest \
                     counts), the same command goes on{from_then}"
                ),
                _ => format!(
                    "what is left to buy may bring the batch to {most}; with that limit this goes on{from_then}: {}",
                    same(Some(("--max-sats", most)))
                ),
            };
        }
        match at {
            // What is spent of the day or the month by now counts as well.
            Some(at) => self.on_from(at, bought, *too_small, same),
            None if bought.chosen && to_buy > 0 => {
                format!(
                    "{} left to buy; without --limit, --only and --where this goes on{from_then}: {}",
                    counted_are(to_buy, "job"),
                    same(None)
                )
            }
            None if self.open() == 0 && self.waits_for_node() => format!("once it can, this goes on: {}", same(None)),
            None if self.outcome.drained == Some(DrainCause::Deadline) && to_buy > 0 => format!(
                "the deadline came with {} left to buy; go on where this run stopped: {}",
                counted(to_buy, "job"),
                same(None)
            ),
            None if self.is_unkept() => format!("once files can be kept, this goes on: {}", same(None)),
            None => format!("go on where this run stopped: {}", same(None)),
        }
    }

    /// How it goes on at that time, when a day's or a month's limit has room again; `too_small`: one that never holds the next job.
    fn on_from(
        &self,
        at: String,
        bought: Bought,
        too_small: Option<TooSmall>,
        same: &dyn Fn(Option<(&'static str, Sats)>) -> String,
    ) -> String {
        match too_small {
            None => format!("from then on this goes on: {}", same(None)),
            Some(limit) if limit.both || bought.is_too_small_elsewhere(limit) => {
                let at = Some(at).filter(|_| !limit.both).or_else(|| self.goes_on_at(Reason::MonthLimit));
                format!("once that is so, the same command goes on, at {} at the latest", at.unwrap_or_default())
            }
            Some(limit) => {
                let again = same(Some((limit.flag(), limit.cost.sats_ceil())));
                format!("with that limit this goes on, at {at} at the latest: {again}")
            }
        }
    }

    /// Whether files that cannot be kept keep back what is left to buy.
    pub(super) fn is_unkept(&self) -> bool {
        self.unkept.is_some() && jobs_to_buy(self.counts) > 0
    }

    /// Whether the node keeps back what is left to buy.
    fn waits_for_node(&self) -> bool {
        let mut left = self.counts.by_state.iter().filter(|count| count.jobs > 0 && exit::is_to_buy(count));
        left.any(|count| is_of_node(count.reason))
    }

    /// The limit that holds what is used and all that is left to buy, where the one that is set does not.
    fn too_little(&self, bought: Bought) -> Option<Sats> {
        let used = crate::cli::money::used(self.counts).ok()?;
        let needed = used.checked_add(self.counts.to_buy_worst_case)?;
        bought.most.and_then(Sats::msat).filter(|most| needed > *most).map(|_| needed.sats_ceil())
    }
}
