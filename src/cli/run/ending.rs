//! The end of a run: what the ledger says became of the jobs, the exit code, and what to do next.

use crate::cli::exit::{self, Findings};
use crate::cli::{ExitCode, Failure, Signal, terminal};
use crate::event::{EndCount, Event, Listener, NeedsPerson, RunEnded};
use crate::ledger::sqlite::{Batch, Books};
use crate::ledger::{Counts, JobState, Next, Reason, ResultRow};
use crate::report::summary;
use crate::run::signals::Stopped;
use crate::run::{Budget, DrainCause, Outcome};
use crate::time::UnixMs;

use super::carry::Carried;
use super::reporter::Reporter;

/// Jobs that are named; the rest is counted.
const NEEDS_PERSON_MAX: usize = 1_000;

/// What a run met, for the exit code.
pub(in crate::cli) fn findings(counts: &Counts, carried: &Carried) -> Findings {
    let outcome = &carried.outcome;
    let unfinished = counts.by_state.iter().any(|count| {
        count.jobs > 0
            && match count.state {
                JobState::Pending | JobState::Running | JobState::InDoubt | JobState::Paid | JobState::Failed => true,
                JobState::Delivered
                | JobState::Downloaded
                | JobState::Refused
                | JobState::RefundOffered
                | JobState::Refunded
                | JobState::Lost => false,
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
        deadline: outcome.drained == Some(DrainCause::Deadline) && unfinished,
        ..Findings::default()
    }
}

/// Tells the end of a run to whoever listens, and gives the exit code.
pub(in crate::cli) fn tell(
    books: &Books,
    batch: &Batch,
    carried: &Carried,
    refused: Option<&Failure>,
    began: UnixMs,
    now: UnixMs,
    reporter: &Reporter,
) -> Result<ExitCode, Failure> {
    let counts = books.counts(batch.key)?;
    let code = match refused {
        None => exit::of_batch(&counts, &findings(&counts, carried)),
        Some(failure) => refused_code(&counts, failure),
    };
    let needs_person = needs_person(books, batch)?;
    let ended = RunEnded {
        exit_code: code.number(),
        counts: counts
            .by_state
            .iter()
            .map(|count| EndCount { state: count.state, reason: count.reason, jobs: count.jobs })
            .collect(),
        planned_msat: counts.planned,
        spent_msat: counts.spent,
        fees_msat: counts.fees,
        held_msat: counts.held,
        elapsed_ms: u64::try_from(now.since_ms(began)).unwrap_or(0),
        needs_person,
        advice: advice(&counts, &carried.outcome, code, &carried.budget, now),
    };
    let text = summary(&ended);
    reporter.hear(&Event::RunEnded(Box::new(ended)));
    reporter.close();
    if reporter.summarises() {
        terminal::print(|out| out.write_all(text.as_bytes()))?;
    }
    Ok(code)
}

/// A run that was refused ends with that, unless what is open weighs more.
fn refused_code(counts: &Counts, failure: &Failure) -> ExitCode {
    let refused = match failure.code() {
        ExitCode::Node => Findings { node_unusable: true, ..Findings::default() },
        ExitCode::Limit => Findings { limit_reached: true, ..Findings::default() },
        ExitCode::NotAsPlanned => Findings { not_as_planned: true, ..Findings::default() },
        code => return code,
    };
    exit::of_batch(counts, &refused)
}

fn needs_person(books: &Books, batch: &Batch) -> Result<Vec<NeedsPerson>, Failure> {
    let mut needs = Vec::new();
    let read = books.results(batch.key, &mut |row: ResultRow| {
        if row.next == Next::Person && needs.len() < NEEDS_PERSON_MAX {
            let command = format!("l402-batch status --batch {} --job {}", shell(&batch.name), shell(&row.id));
            needs.push(NeedsPerson { job: row.id, reason: row.reason, command });
        }
        Ok(())
    })?;
    read.map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(needs)
}

/// A word as a shell takes it.
pub(in crate::cli) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The command of this very run: it goes on where this one stopped. Secrets never stand in arguments.
fn this_command() -> String {
    std::env::args().map(|word| shell(&word)).collect::<Vec<_>>().join(" ")
}

/// When a day's or a month's limit lets the rest go on, in the limits' own time zone.
fn goes_on_at(reason: Reason, budget: &Budget, now: UnixMs) -> String {
    let months = reason == Reason::MonthLimit;
    if !months && reason != Reason::DayLimit {
        return String::new();
    }
    let Some(next) = budget.next_period(now, months) else { return String::new() };
    match jiff::Timestamp::from_millisecond(next.0) {
        Ok(at) => format!(" until {}", at.to_zoned(budget.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z")),
        Err(_) => String::new(),
    }
}

fn advice(counts: &Counts, outcome: &Outcome, code: ExitCode, budget: &Budget, now: UnixMs) -> Vec<String> {
    let mut advice = Vec::new();
    let stands = |state: JobState| counts.jobs(state) > 0;
    let reason = |wanted: Reason| counts.by_state.iter().any(|count| count.reason == wanted && count.jobs > 0);
    if let Some((reason, words)) = &outcome.limit_reached {
        advice.push(format!("{words}; what is left stays pending{}", goes_on_at(*reason, budget, now)));
    }
    if let Some(cause) = &outcome.node_unusable {
        advice.push(format!("the node could not be used: {cause}"));
    }
    for endpoint in &outcome.breaker_open {
        advice.push(format!("{endpoint} took payments and delivered nothing: look at it before you go on"));
    }
    if reason(Reason::PriceChanged) {
        advice.push(
            "a price is not the plan's: compare the results' error column with the catalogue, and give new prices with \
             --catalog FILE"
                .to_owned(),
        );
    }
    if stands(JobState::InDoubt) {
        advice.push(
            "a payment is in doubt: it is never paid anew by itself; `l402-batch recover --all` looks again".to_owned(),
        );
    }
    let goes_on = [JobState::Pending, JobState::Running, JobState::Paid, JobState::Failed].into_iter().any(stands);
    if goes_on && code != ExitCode::Done {
        advice.push(format!("go on where this run stopped: {}", this_command()));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(shell("jobs.example.toml"), "jobs.example.toml");
        assert_eq!(shell("it's here; rm -rf"), r"'it'\''s here; rm -rf'");
        assert_eq!(shell(""), "''");
    }
}
