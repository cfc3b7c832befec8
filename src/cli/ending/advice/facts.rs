//! What is true of how a batch stands after a run, in sentences.

use std::collections::HashMap;

use super::jobs::Jobs;
use super::kinds::Advice;
use crate::cli::again::in_the_way_here;
use crate::cli::ending::limits::{Bought, Filled, Full};
use crate::cli::options::variable;
use crate::cli::{ExitCode, exit};
use crate::command::{about_batch, command, file, flag, lone_command, node_command, without};
use crate::ledger::{Batch, Counts, OutputFile, OutputKind, StateCount, Unbought};
use crate::money::{Sats, counted_are};
use crate::purchase::{JobState, Reason};
use crate::report::command_about;
use crate::run::{Budget, Outcome, Whose};
use crate::time::UnixMs;

use crate::cli::preflight::duplicates::words as duplicate_words;
use crate::cli::preflight::words::LeftOut;

/// What has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Ended {
    /// A run, with what it bought.
    Run(Bought),
    /// A recovery.
    Recovery,
    /// A command for one thing alone: files, or refunds.
    Part,
}

/// Gives the command of this process once more, with that limit.
type Again<'a> = &'a dyn Fn(Option<(&'static str, Sats)>) -> Option<String>;

/// All that advice depends on.
pub(in crate::cli) struct Facts<'a> {
    pub(in crate::cli) batch: &'a Batch,
    pub(in crate::cli) counts: &'a Counts,
    /// The first job that stands so.
    pub(in crate::cli) first: HashMap<(JobState, Reason), String>,
    pub(in crate::cli) outcome: &'a Outcome,
    /// What a command that buys nothing leaves to a run.
    pub(in crate::cli) unbought: &'a Unbought,
    /// What was not done of what was asked for.
    pub(in crate::cli) left_out: &'a LeftOut,
    pub(in crate::cli) budget: &'a Budget,
    /// The limits that hold nothing more of what is left to buy.
    pub(in crate::cli) filled: Filled,
    /// Why nothing more was bought for the sake of the files.
    pub(in crate::cli) unkept: Option<String>,
    /// Why nothing more could be fetched.
    pub(in crate::cli) trouble: Option<String>,
    /// What is to be done about a refund that the macaroon does not let the node take.
    pub(in crate::cli) rights: Option<String>,
    pub(in crate::cli) files_whole: bool,
    pub(in crate::cli) ended: Ended,
    /// Nothing was bought, and why was said.
    pub(in crate::cli) refused: bool,
    /// No run buys anything with this ledger as it is, and why was said.
    pub(in crate::cli) is_stopped: bool,
    pub(in crate::cli) code: ExitCode,
    pub(in crate::cli) now: UnixMs,
    /// The command of this process, with this limit, by its flag, in the place of its own; none where it cannot be given again.
    pub(in crate::cli) again: Again<'a>,
}

impl Facts<'_> {
    /// Every sentence that is true, with its kind.
    pub(in crate::cli) fn advice(&self) -> Vec<(Advice, String)> {
        Advice::ALL.into_iter().flat_map(|kind| self.of(kind).into_iter().map(move |words| (kind, words))).collect()
    }

    fn of(&self, kind: Advice) -> Vec<String> {
        let about = || self.about(kind);
        // Whoever sold and whoever paid has ended with the run: nothing brings that on.
        if self.batch.sandbox && kind.is_brought_on() {
            return Vec::new();
        }
        let one = match kind {
            Advice::HeldBack => return self.held_back(),
            Advice::Limit => return self.limits(),
            Advice::Node => self
                .outcome
                .node_unusable
                .as_ref()
                .map(|cause| {
                    self.once(
                        format!("the node could not pay any more: {cause}"),
                        "; the same command again once it can",
                    )
                })
                .or_else(|| {
                    let jobs = about()?;
                    let it = if jobs.count == 1 { "it" } else { "them" };
                    Some(self.once(jobs.of_node(), &format!(": a run buys {it} once it can")))
                }),
            Advice::Identical => about().map(|jobs| jobs.identical()),
            Advice::Price => about().map(|jobs| jobs.price()),
            Advice::Duplicate => about().map(|jobs| jobs.duplicate()),
            Advice::Stopped => self.left_out.stopped.clone(),
            Advice::Unmet => return self.left_out.unmet.clone(),
            Advice::Edited => return self.left_out.edited.clone(),
            Advice::Elsewhere => self.left_out.elsewhere.clone(),
            Advice::Changed => about().map(|jobs| jobs.changed()),
            Advice::Unknown => about().map(|jobs| jobs.unknown()),
            Advice::Doubt => about().map(|jobs| jobs.doubt()),
            Advice::Decide => about().map(|jobs| jobs.decide()),
            Advice::Lost => about().map(|jobs| jobs.lost()),
            Advice::Refund => about().map(|jobs| jobs.refund()),
            Advice::RefundRights => about().and(self.rights.clone()),
            Advice::RefundGone => about().map(|jobs| jobs.refund_gone()),
            Advice::Refunded => about().map(|jobs| jobs.refunded()),
            Advice::Disk => self.disk(),
            Advice::Files => about().map(|jobs| jobs.files()),
            Advice::FilesGone => about().map(|jobs| jobs.files_gone()),
            Advice::Outputs => self.outputs(),
            Advice::Play => self.play(),
            Advice::GoOn => self.go_on(),
            Advice::ToBuy => match self.ended {
                Ended::Run(_) => None,
                Ended::Recovery | Ended::Part if self.is_stopped => None,
                Ended::Recovery | Ended::Part => to_buy_words(self.batch, self.unbought),
            },
        };
        one.into_iter().collect()
    }

    /// The jobs that the advice concerns; none where there are none.
    fn about(&self, kind: Advice) -> Option<Jobs<'_>> {
        let concerned = |count: &&StateCount| count.jobs > 0 && kind.concerns(count.state, count.reason);
        let first = self.counts.by_state.iter().find(concerned)?;
        let id = self.first.get(&(first.state, first.reason)).map_or("ID", String::as_str);
        Some(Jobs {
            batch: &self.batch.name,
            count: self.counts.by_state.iter().filter(concerned).map(|count| count.jobs).sum(),
            command: command_about(&self.batch.name, id, first.state, first.reason).unwrap_or_default(),
        })
    }

    /// What has ended it, and what goes on then: with play money nothing does.
    fn once(&self, words: String, then: &str) -> String {
        if self.batch.sandbox { words } else { words + then }
    }

    fn limits(&self) -> Vec<String> {
        let words = |Full { reason, words }: &Full| match (self.filled.too_small, self.goes_on_at(*reason)) {
            (Some(limit), Some(_)) => format!("{words}; {}", limit.words()),
            (None, Some(at)) => self.once(words.clone(), &format!("; what is left stays pending until {at}")),
            (_, None) => self.once(words.clone(), "; what is left stays pending until that limit is higher"),
        };
        self.filled.all().filter(|_| !self.refused).map(words).collect()
    }

    /// When a day's or a month's limit lets the rest go on, in the limits' own time zone.
    pub(super) fn goes_on_at(&self, reason: Reason) -> Option<String> {
        let months = matches!(reason, Reason::MonthLimit | Reason::OriginMonthLimit);
        if !months && !matches!(reason, Reason::DayLimit | Reason::OriginDayLimit) {
            return None;
        }
        let at = jiff::Timestamp::from_millisecond(self.budget.next_period(self.now, months)?.0).ok()?;
        Some(at.to_zoned(self.budget.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string())
    }

    fn held_back(&self) -> Vec<String> {
        let words = |held: &crate::run::HeldJobs| match held.whose {
            Whose::Named => None,
            Whose::AllOfEndpoint(_) => {
                let until = self.goes_on_at(held.reason).map(|at| format!(" until {at}")).unwrap_or_default();
                Some(format!("{}; what is left of its jobs stays pending{until}", held.words))
            }
            Whose::AllPending => Some(format!("{}; what is left stays pending", held.words)),
        };
        self.outcome.held_back.iter().filter_map(words).collect()
    }

    fn disk(&self) -> Option<String> {
        let unkept = self.unkept.as_ref().filter(|_| self.is_unkept());
        let (what, words) = match (unkept, &self.trouble) {
            (Some(_), Some(words)) => ("bought or fetched", words),
            (Some(words), None) => ("bought", words),
            (None, Some(words)) => ("fetched", words),
            (None, None) => return None,
        };
        Some(format!("nothing more was {what}, as files cannot be kept: {words}"))
    }

    fn outputs(&self) -> Option<String> {
        let given = |(kind, file): (OutputKind, &OutputFile)| Some(flag(&format!("--{kind}"), file.written_path()?));
        let files: Vec<_> = self.batch.remembered.outputs.files.iter().filter_map(given).collect();
        if self.files_whole || files.is_empty() {
            return None;
        }
        let files = files.join(" ");
        let export = format!("{} {files}", about_batch("export", &self.batch.name));
        Some(format!(
            "results or receipts are not as the ledger is, for the reason that a warning names: once it is mended, `{}` \
             writes them",
            command(&export)
        ))
    }

    fn play(&self) -> Option<String> {
        let variable = variable("sandbox");
        let open = Advice::ALL.into_iter().any(|kind| kind.is_brought_on() && self.about(kind).is_some());
        let left = jobs_to_buy(self.counts) + self.open() > 0 && !self.refused && self.code != ExitCode::Done;
        (self.batch.sandbox && (open || left)).then(|| {
            format!(
                "a run with --sandbox begins anew each time, and what it leaves open (payments, refunds, files) ends with it; to \
                 practise going on, start a sandbox that stays, `{}`, and buy from it as it says{}",
                lone_command("sandbox --state sandbox-state"),
                if std::env::var_os(&variable).is_some() { format!(", where {variable} is not set") } else { String::new() }
            )
        })
    }
}

/// Jobs that the next run buys.
pub(super) fn jobs_to_buy(counts: &Counts) -> u64 {
    counts.by_state.iter().filter(|count| exit::is_to_buy(count)).map(|count| count.jobs).sum()
}

/// What a command that buys nothing says of the jobs that are not bought; nothing where there are none.
pub(in crate::cli) fn to_buy_words(batch: &Batch, unbought: &Unbought) -> Option<String> {
    let Unbought { jobs, elsewhere, .. } = unbought;
    // No run goes on with what was begun for play money.
    if batch.sandbox {
        return None;
    }
    let are_left = || {
        let are = counted_are(*jobs, "job");
        format!("{are} not bought yet, and this command buys nothing: {}", bought_by(batch, *jobs))
    };
    let left_out = || format!("a run leaves out what is bought by now: {}", duplicate_words(elsewhere));
    match (*jobs > 0, elsewhere.count > 0) {
        (false, false) => None,
        (true, false) => Some(are_left()),
        (false, true) => Some(left_out()),
        (true, true) => Some(format!("{}; {}", are_left(), left_out())),
    }
}

/// What buys the jobs of a batch that are not bought yet.
pub(super) fn bought_by(batch: &Batch, jobs: u64) -> String {
    let by = match batch.manifest.as_str() {
        "-" => format!("a run of {} with its manifest on standard input buys", batch.name),
        manifest => {
            let run = node_command(&about_batch(&format!("run {}", file(manifest)), &batch.name));
            let run = without(&in_the_way_here(), run);
            format!("`{run}`, with the options that it was begun with, buys")
        }
    };
    let them = if jobs == 1 { "it" } else { "them" };
    format!("{by} {them}")
}
