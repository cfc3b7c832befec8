//! The end of a run: what the ledger says became of the jobs, the exit code, and what to do next.

use std::path::Path;

use crate::cli::again::again;
use crate::cli::exit::{self, Findings};
use crate::cli::{ExitCode, Failure, Format, Signal, terminal};
use crate::command::{carried, command, shell};
use crate::event::{EndCount, Event, Listener, NeedsPerson, RunEnded};
use crate::ledger::sqlite::{Batch, Books, OpenMode};
use crate::ledger::{Counts, JobState, Next, Reason, ResultRow, StateCount};
use crate::money::counted;
use crate::report::{command_about, summary};
use crate::run::signals::Stopped;
use crate::run::{Budget, Clock, DrainCause, SystemClock, Whose};
use crate::time::UnixMs;

use super::carry::Carried;
use super::duplicates::unknown_words;
use super::reporter::Reporter;
use super::words::LeftOut;

/// Jobs that are named; the rest is counted.
const NEEDS_PERSON_MAX: usize = 1_000;

/// What a run met, for the exit code.
pub(in crate::cli) fn findings(counts: &Counts, carried: &Carried) -> Findings {
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
        signal: carried.stopped.filter(|_| unfinished).map(|stopped| match stopped {
            Stopped::Interrupted => Signal::Interrupt,
            Stopped::Terminated => Signal::Terminate,
        }),
        node_unusable: outcome.node_unusable.is_some(),
        limit_reached: outcome.limit_reached.is_some() && unfinished,
        unfinished: !carried.files_whole,
        deadline: outcome.drained == Some(DrainCause::Deadline) && unfinished,
        ..Findings::default()
    }
}

/// A run at its end.
pub(in crate::cli) struct Ending<'a> {
    /// Its batch.
    pub(in crate::cli) batch: &'a Batch,
    /// What was carried out.
    pub(in crate::cli) carried: &'a Carried,
    /// Why nothing new was bought.
    pub(in crate::cli) refused: Option<&'a Failure>,
    /// When it began.
    pub(in crate::cli) began: UnixMs,
    /// It was for play money.
    pub(in crate::cli) play: bool,
    /// It buys: a recovery does not.
    pub(in crate::cli) buys: bool,
    /// It was to buy only some of the jobs.
    pub(in crate::cli) chosen: bool,
    /// What it did not do of what was asked.
    pub(in crate::cli) left_out: LeftOut,
}

/// Tells the end of a run to whoever listens, and gives the exit code.
pub(in crate::cli) fn tell(books: &Books, ending: &Ending<'_>, reporter: &Reporter) -> Result<ExitCode, Failure> {
    let batch = ending.batch;
    let counts = books.counts(batch.key)?;
    // What only a run can bring on is no unfinished work of a command that buys nothing.
    let judged = if ending.buys { counts.clone() } else { exit::without_unbought(&counts) };
    let code = match ending.refused {
        None => {
            let met = findings(&judged, ending.carried);
            let LeftOut { not_as_planned, waiting, .. } = ending.left_out;
            exit::of_batch(&judged, &Findings { not_as_planned, unfinished: met.unfinished || waiting, ..met })
        }
        Some(failure) => refused_code(&judged, failure),
    };
    let outputs = &batch.remembered.outputs;
    let ended = RunEnded {
        needs_person: needs_person(books, batch)?,
        advice: advice(books, &counts, ending, code)?,
        error: ending.refused.map(ToString::to_string),
        results: outputs.results.clone().filter(|_| outputs.results_written),
        receipts: outputs.receipts.clone().filter(|_| outputs.receipts_written),
        ..end(&counts, code, ending.began)
    };
    let text = summary(&ended);
    reporter.hear(&Event::RunEnded(Box::new(ended)));
    reporter.close();
    // Where nothing was bought and nothing was open, the refusal says all there is to say.
    if reporter.summarises() && (ending.refused.is_none() || counts.by_state.iter().any(is_touched)) {
        // How the batch stands weighs more than whether anybody read it.
        if let Err(unread) = terminal::print(Format::Table, |out| out.write_all(text.as_bytes())) {
            return Ok(code.or_worse(unread.report()));
        }
    }
    Ok(code)
}

/// Tells whoever listens that a run which had begun ends with an error: the stream of events has its last line.
pub(in crate::cli) fn tell_broken(ledger: &Path, batch: &str, failure: &Failure, began: UnixMs, reporter: &Reporter) {
    let counts = || {
        let books = Books::open(ledger, OpenMode::Read).ok()?;
        books.counts(books.batch(batch).ok()??.key).ok()
    };
    // A ledger that cannot be read counts nothing; the error says why.
    let counts = if ledger.exists() { counts().unwrap_or_default() } else { Counts::default() };
    let ended = RunEnded { error: Some(failure.to_string()), ..end(&counts, failure.code(), began) };
    reporter.hear(&Event::RunEnded(Box::new(ended)));
}

/// The end of a run that was not to touch anything.
pub(super) fn untouched(counts: &Counts, code: ExitCode, began: UnixMs) -> Event {
    Event::RunEnded(Box::new(end(counts, code, began)))
}

fn end(counts: &Counts, code: ExitCode, began: UnixMs) -> RunEnded {
    RunEnded {
        exit_code: code.number(),
        counts: counts
            .by_state
            .iter()
            .map(|count| EndCount { state: count.state, reason: count.reason, jobs: count.jobs })
            .collect(),
        planned_msat: counts.planned,
        spent_msat: counts.spent,
        fees_msat: counts.fees,
        refunded_msat: counts.refunded,
        held_msat: counts.held,
        elapsed_ms: u64::try_from(SystemClock.now().since_ms(began)).unwrap_or(0),
        needs_person: Vec::new(),
        advice: Vec::new(),
        error: None,
        results: None,
        receipts: None,
    }
}

/// Jobs of which there is more to tell than that they were not bought.
fn is_touched(count: &StateCount) -> bool {
    count.jobs > 0
        && match count.state {
            JobState::Pending | JobState::Refused | JobState::Failed => false,
            JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::RefundOffered
            | JobState::Refunded
            | JobState::Lost => true,
        }
}

/// A run that was refused ends with that, unless what is open weighs more.
fn refused_code(counts: &Counts, failure: &Failure) -> ExitCode {
    let refused = match failure.code() {
        ExitCode::Node => Findings { node_unusable: true, ..Findings::default() },
        ExitCode::Limit => Findings { limit_reached: true, ..Findings::default() },
        ExitCode::Interrupted => Findings { signal: Some(Signal::Interrupt), ..Findings::default() },
        ExitCode::Terminated => Findings { signal: Some(Signal::Terminate), ..Findings::default() },
        ExitCode::NotAsPlanned => Findings { not_as_planned: true, ..Findings::default() },
        ExitCode::Unfinished => Findings::default(),
        code => return code,
    };
    exit::of_batch(counts, &refused)
}

fn needs_person(books: &Books, batch: &Batch) -> Result<Vec<NeedsPerson>, Failure> {
    let mut needs = Vec::new();
    let read = books.latest_takes(batch.key, &mut |row: ResultRow| {
        if row.next == Next::Person && needs.len() < NEEDS_PERSON_MAX {
            let command = command_about(&batch.name, &row.id, row.state, row.reason).unwrap_or_default();
            needs.push(NeedsPerson { job: row.id, reason: row.reason, command });
        }
        Ok(())
    })?;
    read.map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(needs)
}

/// When a day's or a month's limit lets the rest go on, in the limits' own time zone.
fn goes_on_at(reason: Reason, budget: &Budget) -> String {
    let months = reason == Reason::MonthLimit;
    if !months && reason != Reason::DayLimit {
        return " until a higher --max-sats".to_owned();
    }
    let Some(next) = budget.next_period(SystemClock.now(), months) else { return String::new() };
    match jiff::Timestamp::from_millisecond(next.0) {
        Ok(at) => format!(" until {}", at.to_zoned(budget.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z")),
        Err(_) => String::new(),
    }
}

fn advice(books: &Books, counts: &Counts, ending: &Ending<'_>, code: ExitCode) -> Result<Vec<String>, Failure> {
    let outcome = &ending.carried.outcome;
    let mut advice = Vec::new();
    let status = command(&format!("status --batch {}", shell(&ending.batch.name)));
    let stands = |state: JobState| counts.jobs(state) > 0;
    let reason = |wanted: Reason| counts.by_state.iter().any(|count| count.reason == wanted && count.jobs > 0);
    if let Some((reason, words)) = &outcome.limit_reached {
        advice.push(format!("{words}; what is left stays pending{}", goes_on_at(*reason, &ending.carried.budget)));
    }
    if let Some(cause) = &outcome.node_unusable {
        advice.push(format!("the node could not be used: {cause}; the same command again once it can"));
    }
    for held in outcome.held_back.iter().filter(|held| held.whose != Whose::Named) {
        advice.push(format!("{}; what is left stays pending", held.words));
    }
    if reason(Reason::IdenticalRequest) {
        advice.push(
            "a job waits for an identical request of another job, which is still open: the results name that job, and once it \
             is at its end the same command buys this one"
                .to_owned(),
        );
    }
    if reason(Reason::PriceChanged) {
        advice.push(
            "a price is not the plan's: look whether the new one is right, set it in the manifest's [endpoint.NAME] or \
             with --catalog FILE, plan, and run again"
                .to_owned(),
        );
    }
    if reason(Reason::Duplicate) {
        advice.push(format!(
            "what is bought already under another id or in another batch, or may be, was left out: `{status}` names each original; \
                 whoever means to buy it once more says so with --duplicates (see `run --help`)"
        ));
    }
    advice.extend(ending.left_out.stopped.clone());
    if reason(Reason::Changed) {
        advice.push(
            "changed jobs keep what was delivered: put the manifest back as it was, or give the new content an id of its \
             own, or say that it is to stay so; `status --job ID` has the command"
                .to_owned(),
        );
    }
    if reason(Reason::KnownByReceipt) {
        advice.push(format!(
            "jobs that are known by their receipts alone are paid for, and nothing tells whether the manifest asks for the \
             same: {}; whoever knows that they may stay as they are says so for each, as `status --job ID` shows",
            unknown_words()
        ));
    }
    if stands(JobState::InDoubt) {
        advice.push(
            format!(
                "a payment is in doubt: it is never paid anew by itself; `{}` looks again, and `{}` shows what was asked of \
                 the node and until when it waits",
                command("recover --all"),
                status,
            ),
        );
    }
    if counts.by_state.iter().any(|count| count.state == JobState::Lost && count.reason != Reason::Decided) {
        advice.push(
            "paid and lost: `status --job ID --proof` shows all that a complaint needs, and what there is to decide"
                .to_owned(),
        );
    }
    advice.extend(about_refunds(books, counts, ending.batch)?);
    advice.extend(about_files(counts, ending));
    advice.extend(going_on(counts, ending, code));
    Ok(advice)
}

/// What to do about refunds that have not come, and about those that have.
fn about_refunds(books: &Books, counts: &Counts, batch: &Batch) -> Result<Vec<String>, Failure> {
    let stands = |state: JobState, reasons: &[Reason]| {
        counts.by_state.iter().any(|count| count.jobs > 0 && count.state == state && reasons.contains(&count.reason))
    };
    let (name, mut advice) = (shell(&batch.name), Vec::new());
    if stands(JobState::RefundOffered, &[Reason::RefundOffered, Reason::RefundPending]) {
        advice.push(format!(
            "a refund is offered and not here yet: `{}` claims it and looks for it, and so does every run; `{}` shows how \
             each stands",
            command(&format!("refunds claim --batch {name}")),
            command(&format!("refunds list --batch {name}")),
        ));
    }
    if stands(JobState::RefundOffered, &[Reason::RefundNotPermitted]) {
        let words =
            books.refunds(Some(batch.key))?.into_iter().find(|refund| refund.reason == Reason::RefundNotPermitted);
        advice.extend(words.and_then(|refund| refund.words));
    }
    if stands(JobState::RefundOffered, &[Reason::RefundFailed, Reason::RefundExpired]) {
        advice.push(
            "a refund that was offered cannot be had: `status --job ID --proof` shows all that a complaint needs; then \
             `resolve --job ID --as lost` leaves it at that"
                .to_owned(),
        );
    }
    if stands(JobState::Refunded, &[Reason::None, Reason::RefundPartial]) {
        advice.push(
            "what was refunded is not bought again by itself: `status --job ID` says what there is to decide"
                .to_owned(),
        );
    }
    Ok(advice)
}

/// What brings the files that are not here.
fn about_files(counts: &Counts, ending: &Ending<'_>) -> Vec<String> {
    let jobs = |reason: Reason| -> u64 {
        let of = |count: &&StateCount| count.state == JobState::Delivered && count.reason == reason;
        counts.by_state.iter().filter(of).map(|count| count.jobs).sum()
    };
    let fetched = ending.carried.fetched.clone().unwrap_or_default();
    let mut advice: Vec<String> =
        fetched.trouble.into_iter().map(|words| format!("{words}: nothing more was fetched")).collect();
    let command = command(&format!("download --batch {}", shell(&ending.batch.name)));
    if ending.play {
        if jobs(Reason::NotDownloaded) + jobs(Reason::UrlGone) > 0 {
            advice.push(
                "what is not downloaded ended with the sandbox; the command `sandbox` keeps one running".to_owned(),
            );
        }
        return advice;
    }
    if jobs(Reason::NotDownloaded) > 0 {
        advice.push(format!(
            "{} not downloaded yet: the same command, or `{command}`, goes on; URLs may expire, so do not wait for long",
            are_files(jobs(Reason::NotDownloaded))
        ));
    }
    if jobs(Reason::UrlGone) > 0 {
        advice.push(format!(
            "{} not served any more: `{command}` tries once more, `status --job ID --proof` shows what a complaint needs",
            are_files(jobs(Reason::UrlGone))
        ));
    }
    advice
}

/// `1 file is`, `2 files are`.
fn are_files(files: u64) -> String {
    format!("{} {}", counted(files, "file"), if files == 1 { "is" } else { "are" })
}

/// How to go on with what is left, unless the refusal says it.
fn going_on(counts: &Counts, ending: &Ending<'_>, code: ExitCode) -> Vec<String> {
    let to_buy = jobs_to_buy(counts);
    let open = counts.jobs(JobState::Running) + counts.jobs(JobState::Paid);
    let mut words = Vec::new();
    if ending.refused.is_some() || to_buy + open == 0 {
        return words;
    }
    if ending.play {
        if code != ExitCode::Done {
            words.push(
                "a run with --sandbox begins anew each time; to practise resuming, keep one with the command `sandbox --state \
                 DIR`, and buy from it as it says"
                    .to_owned(),
            );
        }
        return words;
    }
    let used_up =
        ending.carried.outcome.limit_reached.as_ref().is_some_and(|(reason, _)| *reason == Reason::BatchLimit);
    let command = || {
        again(std::env::args(), carried(), used_up)
            .unwrap_or_else(|| "the same command, with the same manifest on standard input".to_owned())
    };
    match (ending.buys, open) {
        (false, _) => {
            if open > 0 {
                words.push(format!("go on where this command stopped: {}", command()));
            }
            words.extend(to_buy_words(ending.batch, to_buy));
        }
        (true, _) if code == ExitCode::Done => {}
        (true, 0) if ending.chosen => words.push(format!("{} left to buy; this buys all: {}", are(to_buy), command())),
        (true, _) if used_up => words.push(format!("go on, once the batch may cost more: {}", command())),
        (true, _) => words.push(format!("go on where this run stopped: {}", command())),
    }
    words
}

/// Jobs that the next run buys.
pub(in crate::cli) fn jobs_to_buy(counts: &Counts) -> u64 {
    counts.by_state.iter().filter(|count| exit::is_to_buy(count)).map(|count| count.jobs).sum()
}

/// What a command that buys nothing says of the jobs that are not bought; nothing where there are none.
pub(in crate::cli) fn to_buy_words(batch: &Batch, jobs: u64) -> Option<String> {
    let name = shell(&batch.name);
    let by = match batch.manifest.as_str() {
        "-" => format!("a run of {name} with its manifest on standard input buys"),
        manifest => {
            let run = command(&format!("run {} --batch {name}", shell(manifest)));
            format!("`{run}`, with the options that it was begun with, buys")
        }
    };
    let them = if jobs == 1 { "it" } else { "them" };
    (jobs > 0).then(|| format!("{} not bought yet, and this command buys nothing: {by} {them}", are(jobs)))
}

/// `1 job is`, `2 jobs are`.
fn are(jobs: u64) -> String {
    format!("{} {}", counted(jobs, "job"), if jobs == 1 { "is" } else { "are" })
}
