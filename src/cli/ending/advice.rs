//! What to do after a run: of every kind of advice that there is, what is true of how the batch stands, in sentences whose
//! commands work as printed.

mod go_on;
mod jobs;

use std::collections::HashMap;

use jobs::Jobs;

use crate::cli::again::in_the_way_here;
use crate::cli::ending::limits::{Filled, Full};
use crate::cli::money::TooSmall;
use crate::cli::options::variable;
use crate::cli::{ExitCode, exit};
use crate::command::{about_batch, command, file, flag, lone_command, node_command, without};
use crate::ledger::{Batch, Counts, OutputFile, OutputKind, StateCount, Unbought};
use crate::money::{Sats, counted_are};
use crate::purchase::{JobState, Next, Reason};
use crate::report::command_about;
use crate::run::{Budget, Outcome, Whose};
use crate::time::UnixMs;

use crate::cli::preflight::duplicates::words as duplicate_words;
use crate::cli::preflight::words::LeftOut;

/// A kind of advice. Whoever adds one says in `tests/e2e/advice.rs` how a run comes to it, and has its commands tried there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// A limit was reached.
    Limit,
    /// The node could not be used.
    Node,
    /// An endpoint, an origin or the node may get no more for now.
    HeldBack,
    /// A job waits for an identical request of another one.
    Identical,
    /// A price is not the plan's.
    Price,
    /// What is bought already under another name was left out.
    Duplicate,
    /// A word to buy once more that a duplicate stopped.
    Stopped,
    /// Words to buy once more that were carried out before.
    Unmet,
    /// Rows of a results file that are not as the ledger has them.
    Edited,
    /// Rows of another ledger's results.
    Elsewhere,
    /// What was delivered is no longer what the manifest asks for.
    Changed,
    /// Known by its receipt alone: nobody can tell whether it is what the manifest asks for.
    Unknown,
    /// A payment is in doubt, and a run looks for it.
    Doubt,
    /// A payment is in doubt, and only a person can say what became of it.
    Decide,
    /// Paid and lost.
    Lost,
    /// A refund that can still come.
    Refund,
    /// A refund that the macaroon does not let the node take.
    RefundRights,
    /// A refund that cannot be had.
    RefundGone,
    /// What was refunded.
    Refunded,
    /// Files could not be written any more.
    Disk,
    /// Files that are not here yet.
    Files,
    /// Files that cannot be fetched as they are served.
    FilesGone,
    /// Results or receipts that are not as the ledger is.
    Outputs,
    /// Play money begins anew each time.
    Play,
    /// How to go on with what is paid, or left to buy.
    GoOn,
    /// What a command that buys nothing leaves to a run.
    ToBuy,
}

impl Advice {
    /// Every kind, in the order in which it is given.
    pub const ALL: [Self; 26] = [
        Self::Limit,
        Self::Node,
        Self::HeldBack,
        Self::Identical,
        Self::Price,
        Self::Duplicate,
        Self::Stopped,
        Self::Unmet,
        Self::Edited,
        Self::Elsewhere,
        Self::Changed,
        Self::Unknown,
        Self::Doubt,
        Self::Decide,
        Self::Lost,
        Self::Refund,
        Self::RefundRights,
        Self::RefundGone,
        Self::Refunded,
        Self::Disk,
        Self::Files,
        Self::FilesGone,
        Self::Outputs,
        Self::Play,
        Self::GoOn,
        Self::ToBuy,
    ];
}

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

/// What a run was to buy, and within which limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Bought {
    /// Only some of the jobs.
    pub(in crate::cli) chosen: bool,
    /// Only what fits into the limit was to be bought.
    pub(in crate::cli) partial: bool,
    /// The batch's limit, where one is set.
    pub(in crate::cli) most: Option<Sats>,
    /// The tightest that is set elsewhere than by a flag.
    pub(in crate::cli) elsewhere: Option<Sats>,
    /// The same of a day's limit, and of a month's.
    pub(in crate::cli) periods_elsewhere: (Option<Sats>, Option<Sats>),
}

impl Bought {
    /// Whether a flag alone does not raise that limit.
    fn is_too_small_elsewhere(&self, limit: TooSmall) -> bool {
        let (day, month) = self.periods_elsewhere;
        let elsewhere = if limit.reason == Reason::MonthLimit { month } else { day };
        elsewhere.and_then(Sats::msat).is_some_and(|most| most < limit.cost)
    }
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
    fn goes_on_at(&self, reason: Reason) -> Option<String> {
        let months = reason == Reason::MonthLimit;
        if !months && reason != Reason::DayLimit {
            return None;
        }
        let at = jiff::Timestamp::from_millisecond(self.budget.next_period(self.now, months)?.0).ok()?;
        Some(at.to_zoned(self.budget.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string())
    }

    fn held_back(&self) -> Vec<String> {
        let words = |held: &crate::run::HeldJobs| match held.whose {
            Whose::Named => None,
            Whose::AllOfEndpoint(_) => Some(format!("{}; what is left of its jobs stays pending", held.words)),
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

impl Advice {
    /// Whether it says how something is brought on by who sold or who paid.
    const fn is_brought_on(self) -> bool {
        match self {
            Self::Identical
            | Self::Doubt
            | Self::Refund
            | Self::RefundRights
            | Self::Files
            | Self::FilesGone
            | Self::GoOn
            | Self::ToBuy => true,
            Self::Limit
            | Self::Node
            | Self::HeldBack
            | Self::Price
            | Self::Duplicate
            | Self::Stopped
            | Self::Unmet
            | Self::Edited
            | Self::Elsewhere
            | Self::Changed
            | Self::Unknown
            | Self::Decide
            | Self::Lost
            | Self::RefundGone
            | Self::Refunded
            | Self::Disk
            | Self::Outputs
            | Self::Play => false,
        }
    }

    /// Whether it is about a job that stands so. Never where it is about the whole run.
    fn concerns(self, state: JobState, reason: Reason) -> bool {
        match self {
            Self::Node => is_of_node(reason),
            Self::Identical => reason == Reason::IdenticalRequest,
            Self::Price => reason == Reason::PriceChanged,
            Self::Duplicate => reason == Reason::Duplicate,
            Self::Changed => reason == Reason::Changed,
            Self::Unknown => reason == Reason::KnownByReceipt,
            Self::Doubt => state == JobState::InDoubt && Next::of(state, reason) == Next::Rerun,
            Self::Decide => {
                state == JobState::InDoubt
                    && matches!(reason, Reason::OtherNode | Reason::NodeForgot | Reason::NoWitness)
            }
            Self::Lost => state == JobState::Lost && reason != Reason::Decided,
            Self::Refund => {
                state == JobState::RefundOffered && matches!(reason, Reason::RefundOffered | Reason::RefundPending)
            }
            Self::RefundRights => (state, reason) == (JobState::RefundOffered, Reason::RefundNotPermitted),
            Self::RefundGone => {
                state == JobState::RefundOffered && matches!(reason, Reason::RefundFailed | Reason::RefundExpired)
            }
            Self::Refunded => state == JobState::Refunded && matches!(reason, Reason::None | Reason::RefundPartial),
            Self::Files => (state, reason) == (JobState::Delivered, Reason::NotDownloaded),
            Self::FilesGone => (state, reason) == (JobState::Delivered, Reason::UrlGone),
            Self::Limit
            | Self::HeldBack
            | Self::Stopped
            | Self::Unmet
            | Self::Edited
            | Self::Elsewhere
            | Self::Disk
            | Self::Outputs
            | Self::Play
            | Self::GoOn
            | Self::ToBuy => false,
        }
    }
}

/// Whether the node is why.
const fn is_of_node(reason: Reason) -> bool {
    matches!(reason, Reason::NodeUnusable | Reason::InsufficientBalance)
}

/// Jobs that the next run buys.
fn jobs_to_buy(counts: &Counts) -> u64 {
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
fn bought_by(batch: &Batch, jobs: u64) -> String {
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

#[cfg(test)]
mod tests;
