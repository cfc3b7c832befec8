//! The end of a run, for a person.

use std::fmt::Write;

use crate::command::{about_batch, command};
use crate::event::{EndCount, RunEnded};
use crate::money::{Msat, counted, thousands, with_caps};
use crate::purchase::{JobState, Next, Reason};
use crate::terminal_text::printable;

use super::labels::{amount, duration, held_words, refunded_words, sats, state_words, whole_line};
use super::sums::write_sums;

/// Jobs that are listed by name; the rest is counted.
const JOBS_LISTED_MAX: usize = 20;

/// The end summary: what was delivered, what was not and why, the money, the time, and what to do next. Several lines,
/// each with its line end.
#[must_use]
pub fn summary(ended: &RunEnded) -> String {
    let mut out = String::new();
    for (label, text) in rows(ended) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{label:<14}  {text}");
    }
    if let Some(sums) = &ended.sums {
        let mut table = Vec::new();
        // Writing to memory cannot fail.
        let _ = write_sums(&mut table, sums, None);
        out.push_str(&String::from_utf8_lossy(&table));
    }
    let next = next_steps(ended);
    if !next.is_empty() {
        out.push('\n');
    }
    for line in next {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// Label and text of each line of the upper part.
fn rows(ended: &RunEnded) -> Vec<(&'static str, String)> {
    let withdrawn = |count: &&EndCount| count.state == JobState::Refused && count.reason == Reason::Withdrawn;
    let jobs: u64 = ended.counts.iter().filter(|count| !withdrawn(count)).map(|count| count.jobs).sum();
    let is_delivered = |state| matches!(state, JobState::Delivered | JobState::Downloaded);
    let stand = |of: &dyn Fn(Reason) -> bool| -> u64 {
        ended.counts.iter().filter(|count| is_delivered(count.state) && of(count.reason)).map(|count| count.jobs).sum()
    };
    let delivered = stand(&|_| true);

    let mut rows = vec![("delivered", format!("{} of {}", thousands(delivered), counted(jobs, "job")))];
    for (label, reason, words) in [
        ("changed", Reason::Changed, "delivered before, and the manifest now asks for something else"),
        (
            "by receipt",
            Reason::KnownByReceipt,
            "paid for and delivered before; nothing proves that the manifest asks for the same",
        ),
    ] {
        let jobs = stand(&|of| of == reason);
        if jobs > 0 {
            rows.push((label, format!("{}  {words}", thousands(jobs))));
        }
    }
    rows.extend(files_row(ended).map(|text| ("downloaded", text)));
    for state in JobState::ALL.iter().copied().filter(|state| !is_delivered(*state)) {
        for count in ended.counts.iter().filter(|count| count.state == state && count.jobs > 0) {
            let text = format!("{}  {}", thousands(count.jobs), count.reason.as_str());
            rows.push((state_words(state), text.trim_end().to_owned()));
        }
    }
    let spent = format!(
        "{} of {} planned, plus {} routing fees",
        amount(ended.spent_msat),
        with_caps(ended.planned_msat, ended.planned_capped_msat, sats),
        amount(ended.fees_msat)
    );
    rows.push(("spent", spent));
    rows.extend(cost_less(ended));
    if ended.refunded_msat > Msat::ZERO {
        let net = ended.spent_msat.checked_sub(ended.refunded_msat).unwrap_or(Msat::ZERO);
        rows.push(("refunded", refunded_words(ended.refunded_msat, net)));
    }
    if ended.held_msat > Msat::ZERO {
        rows.push(("held", held_words(ended.held_msat)));
    }
    rows.push(this_run(ended));
    for (kind, path) in ended.outputs.iter() {
        rows.extend(path.as_deref().map(|path| (kind.into(), whole_line(path))));
    }
    rows
}

/// Jobs of this run that cost less than the plan says, or nothing.
fn cost_less(ended: &RunEnded) -> Vec<(&'static str, String)> {
    let less = |jobs: u64, saved: Msat, than: &str| {
        format!("{} for {} less than {than}, in this run", counted(jobs, "job"), amount(saved))
    };
    let caps = if ended.below_cap_count == 1 { "its cap" } else { "their caps" };
    let served = format!(
        "{} by a token that another one had bought, for nothing, in this run",
        counted(ended.served_count, "job")
    );
    let rows = [
        (ended.cheaper_count, "cheaper", less(ended.cheaper_count, ended.saved_msat, "planned")),
        (ended.below_cap_count, "capped", less(ended.below_cap_count, ended.below_cap_msat, caps)),
        (ended.served_count, "served", served),
    ];
    rows.into_iter().filter(|(jobs, ..)| *jobs > 0).map(|(_, label, text)| (label, text)).collect()
}

/// How long it took; and what it spent, where earlier runs have spent something too.
fn this_run(ended: &RunEnded) -> (&'static str, String) {
    let took = duration(ended.elapsed_ms);
    match (ended.run_spent_msat, ended.run_fees_msat) {
        (Some(spent), Some(fees)) if (spent, fees) != (ended.spent_msat, ended.fees_msat) => {
            let text = format!("{} of that, plus {} routing fees, in {took}", amount(spent), amount(fees));
            ("this run", text)
        }
        _ => ("took", took),
    }
}

/// How many of the delivered are files; none where no file was ever asked for.
fn files_row(ended: &RunEnded) -> Option<String> {
    let jobs = |state: JobState, reason: Option<Reason>| -> u64 {
        let of = |count: &&EndCount| count.state == state && reason.is_none_or(|reason| count.reason == reason);
        ended.counts.iter().filter(of).map(|count| count.jobs).sum()
    };
    let files = jobs(JobState::Downloaded, None);
    let left = [Reason::NotDownloaded, Reason::UrlGone].map(|reason| (reason, jobs(JobState::Delivered, Some(reason))));
    let left: Vec<String> = left
        .iter()
        .filter(|(_, jobs)| *jobs > 0)
        .map(|(reason, jobs)| format!("{} {}", thousands(*jobs), reason.as_str()))
        .collect();
    if files == 0 && left.is_empty() {
        return None;
    }
    let left = if left.is_empty() { String::new() } else { format!("; {}", left.join(", ")) };
    Some(format!("{}{left}", counted(files, "file")))
}

/// What a person has to do or may do next, a line each.
pub(super) fn next_steps(ended: &RunEnded) -> Vec<String> {
    let listed = &ended.needs_person[..ended.needs_person.len().min(JOBS_LISTED_MAX)];
    let width = |text: &str| text.chars().count();
    let ids: Vec<String> = listed.iter().map(|need| printable(&need.job)).collect();
    let id_width = ids.iter().map(|id| width(id)).max().unwrap_or(0);
    let reason_width = listed.iter().map(|need| width(need.reason.as_str())).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (need, id) in listed.iter().zip(&ids) {
        let (reason, command) = (need.reason.as_str(), whole_line(&need.command));
        lines.push(format!("needs you  {id:<id_width$}  {reason:<reason_width$}  {command}"));
    }
    let all: u64 = ended.counts.iter().filter(|c| Next::of(c.state, c.reason) == Next::Person).map(|c| c.jobs).sum();
    let more = all.saturating_sub(listed.len() as u64);
    if more > 0 && !listed.is_empty() {
        let status = command(&about_batch("status", &ended.batch));
        lines.push(format!("needs you  and {} more; `{}` lists them", thousands(more), whole_line(&status)));
    }
    lines.extend(ended.advice.iter().map(|advice| format!("next       {}", whole_line(advice))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::NeedsPerson;
    use crate::ledger::ByKind;
    use crate::report::testing::ended;

    #[test]
    fn an_end_with_something_of_everything() {
        insta::assert_snapshot!(summary(&ended()));
    }

    #[test]
    fn a_good_end_is_short() {
        let good = RunEnded {
            exit_code: 0,
            counts: vec![EndCount { state: JobState::Delivered, reason: Reason::None, jobs: 8 }],
            planned_msat: Msat::new(11_450_000),
            spent_msat: Msat::new(11_450_000),
            fees_msat: Msat::ZERO,
            run_spent_msat: Some(Msat::new(11_450_000)),
            run_fees_msat: Some(Msat::ZERO),
            refunded_msat: Msat::ZERO,
            held_msat: Msat::ZERO,
            elapsed_ms: 42_000,
            needs_person: Vec::new(),
            advice: Vec::new(),
            outputs: ByKind::default(),
            ..ended()
        };
        insta::assert_snapshot!(summary(&good));
    }

    #[test]
    fn many_jobs_that_need_a_person_are_counted() {
        let need = |n| NeedsPerson { job: format!("j{n}"), reason: Reason::PriceChanged, command: "plan".into() };
        let many = RunEnded {
            counts: vec![EndCount { state: JobState::Refused, reason: Reason::PriceChanged, jobs: 5_000 }],
            needs_person: (0..1_000).map(need).collect(),
            advice: Vec::new(),
            ..ended()
        };
        let lines = next_steps(&many);
        assert_eq!(lines.len(), JOBS_LISTED_MAX + 1);
        assert!(lines[JOBS_LISTED_MAX].contains("4,980 more"), "{lines:?}");
    }
}
