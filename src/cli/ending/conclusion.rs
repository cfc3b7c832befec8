//! The end of a run: what the ledger says became of the jobs, the exit code, and what to do next.

use std::collections::HashMap;
use std::path::Path;

use crate::cli::again::{again, in_the_way_here};
use crate::cli::exit::Findings;
use crate::cli::{CommandError, ExitCode, Failure, exit, sums};
use crate::command::{carried, without};
use crate::error::Hinted;
use crate::event::{EndCount, Event, Listener, NeedsPerson, RunEnded, SpentBy};
use crate::ledger::port::{Batches, Foresee, Loading, Views};
use crate::ledger::{
    Batch, BatchKey, ByKind, Counts, LedgerAddress, OpenLedger, OpenMode, ResultRow, StateCount, Unbought,
};
use crate::money::Msat;
use crate::plan::column::Column;
use crate::purchase::{JobState, Next, Reason};
use crate::report::{command_about, summary};
use crate::run::signals::Stopped;
use crate::run::{Clock, DrainCause, SystemClock};
use crate::time::UnixMs;

use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::run_batch::BatchRun;
use crate::cli::ending::advice::{Ended, Facts};
use crate::cli::ending::limits::Filled;
use crate::cli::preflight::words::LeftOut;

/// Jobs that are named; the rest is counted.
const NEEDS_PERSON_MAX: usize = 1_000;

/// What a run met, for the exit code.
pub(in crate::cli) fn findings(counts: &Counts, carried: &BatchRun) -> Findings {
    let outcome = &carried.outcome;
    let unfinished = counts.by_state.iter().any(|count| {
        count.jobs > 0
            && match count.state {
                JobState::Pending | JobState::Running | JobState::InDoubt | JobState::Paid | JobState::Failed => true,
                JobState::Delivered => count.reason == Reason::NotDownloaded,
                JobState::RefundOffered => Next::of(count.state, count.reason) == Next::Rerun,
                JobState::Downloaded | JobState::Refused | JobState::Refunded | JobState::Lost => false,
            }
    });
    Findings {
        // A signal or a deadline that stopped nothing is no news.
        signal: carried.stopped.filter(|_| unfinished),
        node_unusable: outcome.node_unusable.is_some(),
        limit_reached: outcome.limit_reached.is_some() && unfinished,
        unfinished: !carried.files_whole,
        deadline: outcome.drained == Some(DrainCause::Deadline) && unfinished,
        ..Findings::default()
    }
}

/// How a batch stands.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Standing {
    pub(in crate::cli) counts: Counts,
    /// Open jobs that are changed since they were begun.
    pub(in crate::cli) open_and_changed: u64,
}

impl Standing {
    /// As the ledger has it.
    pub(in crate::cli) fn of(ledger: &OpenLedger, batch: BatchKey) -> Result<Self, Failure> {
        Ok(Self { counts: ledger.counts(batch)?, open_and_changed: ledger.open_and_changed(batch)? })
    }
}

/// A run at its end.
pub(in crate::cli) struct Ending<'a> {
    /// Its batch.
    pub(in crate::cli) batch: &'a Batch,
    /// What was carried out.
    pub(in crate::cli) carried: &'a BatchRun,
    /// Why nothing new was bought.
    pub(in crate::cli) refused: Option<&'a Failure>,
    /// How its batch would stand had what was refused been written all the same; none where that is how it stands.
    pub(in crate::cli) would: Option<&'a Standing>,
    /// Something stops the ledger from buying, and that was said: no run is advised.
    pub(in crate::cli) is_stopped: bool,
    /// When it began.
    pub(in crate::cli) began: UnixMs,
    /// What has ended.
    pub(in crate::cli) ended: Ended,
    /// How its batch stood before, where it is not a new one.
    pub(in crate::cli) before: Option<&'a Counts>,
    /// What it did not do of what was asked.
    pub(in crate::cli) left_out: LeftOut,
    /// By what jobs are summed, where that is asked for.
    pub(in crate::cli) sum_by: Option<&'a Column>,
}

/// Tells the end of a run to whoever listens, and gives the exit code.
pub(in crate::cli) fn tell(ledger: &OpenLedger, ending: &Ending<'_>, reporter: &Reporter) -> Result<ExitCode, Failure> {
    let batch = ending.batch;
    let stands = match (ending.would, ending.before) {
        // The ledger has no such batch.
        (Some(would), None) => would.clone(),
        (_, _) => Standing::of(ledger, batch.key)?,
    };
    let (counts, would) = (&stands.counts, ending.would.unwrap_or(&stands));
    // What only a run can bring on is no unfinished work of a command that buys nothing.
    let judged = match ending.ended {
        Ended::Run(_) => would.counts.clone(),
        Ended::Recovery | Ended::Part => exit::without_unbought(counts),
    };
    let left_out = &ending.left_out;
    // What is finished as it was begun is changed then.
    let not_as_planned = left_out.not_as_planned() || would.open_and_changed > 0;
    let met = findings(&judged, ending.carried);
    let code = match ending.refused {
        None => {
            let unfinished = met.unfinished || left_out.waiting;
            // Files that cannot be kept stopped it before it came to the limit.
            let limit_reached = met.limit_reached || (left_out.beyond_limits && ending.carried.unkept.is_some());
            exit::of_batch(&judged, &Findings { not_as_planned, unfinished, limit_reached, ..met })
        }
        Some(failure) => refused_code(&without_meant(judged, left_out.meant), failure, not_as_planned),
    };
    let (needs_person, advice) = what_next(ledger, counts, ending, code)?;
    let ended = RunEnded {
        needs_person,
        advice,
        sums: sums_of(ledger, ending, reporter),
        error: ending.refused.map(Failure::told),
        // A disk may have kept one from being written.
        outputs: ByKind::of(|kind| {
            batch.remembered.outputs.files[kind]
                .written_path()
                .filter(|path| Path::new(path).exists())
                .map(str::to_owned)
        }),
        cheaper_count: ending.carried.outcome.cheaper.jobs,
        saved_msat: ending.carried.outcome.cheaper.saved,
        below_cap_count: ending.carried.outcome.below_cap.jobs,
        served_count: ending.carried.outcome.served,
        below_cap_msat: ending.carried.outcome.below_cap.saved,
        run_spent_msat: Some(since(counts.spent, ending.before.map(|before| before.spent))),
        run_fees_msat: Some(since(counts.fees, ending.before.map(|before| before.fees))),
        ..end(&batch.name, counts, code, ending.began)
    };
    let text = summary(&ended);
    reporter.hear(&Event::RunEnded(Box::new(ended)));
    reporter.close();
    // Where nothing was bought and nothing was open, the refusal says all there is to say.
    if reporter.summarises() && (ending.refused.is_none() || counts.by_state.iter().any(is_touched)) {
        // How the batch stands weighs more than whether anybody read it.
        if let Err(unread) = reporter.print_summary(&text) {
            return Ok(code.or_worse(unread.report()));
        }
    }
    Ok(code)
}

/// What groups of jobs have come to, where that is asked for. That they cannot be summed so is no end of its own.
fn sums_of(ledger: &OpenLedger, ending: &Ending<'_>, reporter: &Reporter) -> Option<SpentBy> {
    // The ledger has no such batch where a new one was refused.
    let by = ending.sum_by.filter(|_| ending.would.is_none() || ending.before.is_some())?;
    sums::of_batch(ledger, ending.batch.key, by).map_err(|failure| reporter.warn(failure.told())).ok()
}

/// What was added to what there was.
fn since(now: Msat, before: Option<Msat>) -> Msat {
    now.checked_sub(before.unwrap_or(Msat::ZERO)).unwrap_or(Msat::ZERO)
}

/// Tells whoever listens that a run which had begun ends with an error: the stream of events has its last line.
pub(in crate::cli) fn tell_broken(
    ledger: &LedgerAddress,
    batch: &str,
    failure: &Failure,
    began: UnixMs,
    reporter: &Reporter,
) {
    let counts = || {
        let ledger = crate::ledger::open(ledger, OpenMode::Read).ok()?;
        ledger.counts(ledger.batch(batch).ok()??.key).ok()
    };
    // A ledger that cannot be read counts nothing; the error says why.
    let counts = if ledger.exists() { counts().unwrap_or_default() } else { Counts::default() };
    let ended = RunEnded { error: Some(failure.told()), ..end(batch, &counts, failure.code(), began) };
    reporter.hear(&Event::RunEnded(Box::new(ended)));
}

/// The end of a run that was not to touch anything.
pub(in crate::cli) fn untouched(
    batch: &str,
    counts: &Counts,
    code: ExitCode,
    began: UnixMs,
    refused: Option<&Failure>,
) -> Event {
    let ended = end(batch, counts, code, began);
    Event::RunEnded(Box::new(RunEnded { error: refused.map(Failure::told), ..ended }))
}

/// How a run would end that is refused so, and would leave out what makes it end with that code.
pub(in crate::cli) fn foretold(failure: &Failure, left_out: ExitCode) -> ExitCode {
    match failure.code() {
        code @ (ExitCode::Node | ExitCode::Limit) => code.or_worse(left_out),
        code => code,
    }
}

fn end(batch: &str, counts: &Counts, code: ExitCode, began: UnixMs) -> RunEnded {
    RunEnded {
        batch: batch.to_owned(),
        exit_code: code.number(),
        counts: counts
            .by_state
            .iter()
            .map(|count| EndCount { state: count.state, reason: count.reason, jobs: count.jobs })
            .collect(),
        planned_msat: counts.planned,
        planned_capped_msat: counts.planned_capped,
        spent_msat: counts.spent,
        fees_msat: counts.fees,
        refunded_msat: counts.refunded,
        held_msat: counts.held,
        elapsed_ms: u64::try_from(SystemClock.now().since_ms(began)).unwrap_or(0),
        cheaper_count: 0,
        saved_msat: Msat::ZERO,
        below_cap_count: 0,
        served_count: 0,
        below_cap_msat: Msat::ZERO,
        run_spent_msat: None,
        run_fees_msat: None,
        needs_person: Vec::new(),
        advice: Vec::new(),
        error: None,
        sums: None,
        outputs: ByKind::default(),
    }
}

/// Jobs of which there is more to tell than that they were not bought.
fn is_touched(count: &StateCount) -> bool {
    count.jobs > 0 && !count.state.has_spent_nothing()
}

/// The counts but for so many duplicates, which are left out for no other reason than that the run was refused.
fn without_meant(mut counts: Counts, meant: u64) -> Counts {
    let mut left = meant;
    for count in counts.by_state.iter_mut().filter(|count| count.reason == Reason::Duplicate) {
        let taken = count.jobs.min(left);
        (count.jobs, left) = (count.jobs - taken, left - taken);
    }
    counts
}

/// A run that was refused ends with that, unless what is open, or what it leaves out of what was asked for, weighs more.
fn refused_code(counts: &Counts, failure: &Failure, not_as_planned: bool) -> ExitCode {
    let left_out = Findings { not_as_planned, ..Findings::default() };
    let refused = match failure.code() {
        ExitCode::Node => Findings { node_unusable: true, ..left_out },
        ExitCode::Limit => Findings { limit_reached: true, ..left_out },
        ExitCode::Interrupted => Findings { signal: Some(Stopped::Interrupted), ..left_out },
        ExitCode::Terminated => Findings { signal: Some(Stopped::Terminated), ..left_out },
        ExitCode::NotAsPlanned => Findings { not_as_planned: true, ..left_out },
        ExitCode::Unfinished => left_out,
        code => return code,
    };
    exit::of_batch(counts, &refused)
}

/// The jobs that only a person can bring on, and what to do next.
fn what_next(
    ledger: &OpenLedger,
    counts: &Counts,
    ending: &Ending<'_>,
    code: ExitCode,
) -> Result<(Vec<NeedsPerson>, Vec<String>), Failure> {
    // Of a batch that did not begin there is nothing to look at.
    if ending.refused.is_some() && ending.before.is_none() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (needs_person, first) = needs_person(ledger, ending.batch)?;
    Ok((needs_person, advice(ledger, counts, first, ending, code)?))
}

/// The first job of each state and reason.
type First = HashMap<(JobState, Reason), String>;

/// The jobs that only a person can bring on, and the first job of each kind.
fn needs_person(ledger: &OpenLedger, batch: &Batch) -> Result<(Vec<NeedsPerson>, First), Failure> {
    let (mut needs, mut first) = (Vec::new(), First::new());
    let read = ledger.latest_takes(batch.key, &mut |row: ResultRow| {
        first.entry((row.state, row.reason)).or_insert_with(|| row.id.clone());
        if row.next == Next::Person && needs.len() < NEEDS_PERSON_MAX {
            let command = command_about(&batch.name, &row.id, row.state, row.reason).unwrap_or_default();
            needs.push(NeedsPerson { job: row.id, reason: row.reason, command });
        }
        Ok(())
    })?;
    read.map_err(|error| CommandError::internal("what needs a person cannot be read").because(error))?;
    Ok((needs, first))
}

fn advice(
    ledger: &OpenLedger,
    counts: &Counts,
    first: First,
    ending: &Ending<'_>,
    code: ExitCode,
) -> Result<Vec<String>, Failure> {
    let done = ending.carried;
    let rights = match counts.by_state.iter().any(|count| count.reason == Reason::RefundNotPermitted) {
        true => ledger.refunds(Some(ending.batch.key))?.into_iter().find(|it| it.reason == Reason::RefundNotPermitted),
        false => None,
    };
    let now = SystemClock.now();
    let filled = match ending.ended {
        Ended::Run(bought) => Filled::of(ledger, (ending.batch, counts), (&done.outcome, &done.budget), bought, now)?,
        Ended::Recovery | Ended::Part => Filled::default(),
    };
    let unbought = match ending.ended {
        Ended::Run(_) => Unbought::default(),
        Ended::Recovery | Ended::Part => ledger.unbought(ending.batch.key)?,
    };
    let facts = Facts {
        batch: ending.batch,
        counts,
        first,
        outcome: &done.outcome,
        left_out: &ending.left_out,
        budget: &done.budget,
        filled,
        unbought: &unbought,
        unkept: done.unkept.clone(),
        trouble: done.fetched.as_ref().and_then(|fetched| fetched.trouble.clone()),
        rights: rights.and_then(|refund| refund.words),
        files_whole: done.files_whole,
        ended: ending.ended,
        refused: ending.refused.is_some(),
        is_stopped: ending.is_stopped,
        code,
        now,
        again: &|most| {
            let again = again(std::env::args_os(), carried(), most, SystemClock.now())?;
            Some(without(&in_the_way_here(), again))
        },
    };
    Ok(facts.advice().into_iter().map(|(_, words)| words).collect())
}
