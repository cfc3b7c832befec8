//! A person's words of a run: which takes they name, and what is said where they buy nothing.

use std::collections::BTreeSet;

use crate::cli::options::config::Choice;
use crate::cli::preflight::selection::LISTS_IDS;
use crate::cli::{CommandError, Failure};
use crate::ledger::port::Inspection;
use crate::ledger::{Batch, OpenLedger, PlanLoad, Retake, TakeId, Unmet};
use crate::manifest::{JobSource, Manifest, take_suffix};
use crate::money::thousands;
use crate::plan::Plan;
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

/// Words that are told one by one; the rest is counted.
const TOLD_MAX: usize = 20;

/// What is to be bought once more. Ids and takes that there are not are refused, before anything is bought for the others.
pub(in crate::cli) fn read(
    choice: &Choice,
    manifest: &Manifest,
    plan: &Plan,
    known: Option<(&OpenLedger, &Batch)>,
) -> Result<Retake, Failure> {
    let ids = ids_of(choice, manifest, plan)?;
    let mut takes = Vec::new();
    for typed in &choice.retake {
        if TakeId::is_ambiguous(typed, |id| ids.contains(id)) {
            return Err(CommandError::usage(format!(
                "--retake {typed}: that is the id of a job, and a take of another one; nothing was bought"
            ))
            .hint(format!("`{typed}@1` is the job's first take; for the other give the job {typed} another id"))
            .into());
        }
        let take = TakeId::read(typed, |id| ids.contains(id)).ok_or_else(|| match typed.rsplit_once('@') {
            Some((id, take)) if ids.contains(id) => {
                let message = format!("--retake {typed}: \"{take}\" is no take of the job {id}; nothing was bought");
                CommandError::usage(message).hint("takes are counted from 1, and the job's id alone is its first")
            }
            Some(_) | None => {
                CommandError::usage(format!("--retake {typed}: the manifest has no job of that id; nothing was bought"))
                    .hint(LISTS_IDS)
            }
        })?;
        check(choice, &take, known, &ids)?;
        takes.push(take);
    }
    Ok(Retake {
        changed: choice.retake_changed,
        refunded: choice.retake_refunded,
        rejected: choice.retake_rejected,
        only: choice.only.iter().cloned().collect(),
        ..Retake::of(takes)
    })
}

/// The id of the planned take that a person may mean.
fn planned(typed: &str) -> Option<String> {
    let (id, take) = typed.rsplit_once('@')?;
    Some(format!("{id}{}", take_suffix(take.parse().ok()?)))
}

/// Of all that was typed as an id and a take, the ids that the manifest has.
fn ids_of(choice: &Choice, source: &dyn JobSource, plan: &Plan) -> Result<BTreeSet<String>, Failure> {
    let before_at = |typed: &String| typed.rsplit_once('@').map(|(id, _)| id.to_owned());
    let retakes = choice.retake.iter().flat_map(|typed| [Some(typed.clone()), before_at(typed), planned(typed)]);
    let typed: BTreeSet<String> = retakes.flatten().collect();
    let mut ids = BTreeSet::new();
    if typed.is_empty() {
        return Ok(ids);
    }
    for job in plan.jobs(source) {
        let job = job.map_err(Failure::Input)?;
        if typed.contains(&job.id) {
            ids.insert(job.id);
        }
    }
    Ok(ids)
}

fn check(
    choice: &Choice,
    word: &TakeId,
    known: Option<(&OpenLedger, &Batch)>,
    ids: &BTreeSet<String>,
) -> Result<(), Failure> {
    if !choice.only.is_empty() && !choice.only.contains(&word.id) {
        return Err(CommandError::usage(format!(
            "--retake {word}: --only or --where leaves that job out; nothing was bought"
        ))
        .into());
    }
    let latest = match known {
        Some((ledger, batch)) => ledger.takes(batch.key, &word.id)?.last().map_or(1, |take| take.row.take),
        None => 1,
    };
    if word.take > latest {
        let latest = TakeId { id: word.id.clone(), take: latest };
        let error = CommandError::usage(format!(
            "--retake {word}: the latest take of that job is {latest}; nothing was bought"
        ));
        let planned = planned(&word.to_string()).filter(|id| ids.contains(id));
        return Err(match planned {
            Some(id) => error.hint(format!("the take of that number that is planned is the job {id}")),
            None => error,
        }
        .into());
    }
    Ok(())
}

/// A results file goes on with its batch, and no word is said with it.
pub(in crate::cli) fn check_of_results(choice: &Choice) -> Result<(), Failure> {
    let buys_anew = choice.retake_changed || choice.retake_refunded || choice.retake_rejected;
    if !choice.retake.is_empty() || buys_anew || choice.adopt {
        return Err(CommandError::usage(
            "a results file goes on with its batch and carries no word to buy anew or to take over; nothing was bought",
        )
        .into());
    }
    Ok(())
}

/// Of each word that buys nothing why, and by which word it would.
pub(in crate::cli) fn unmet_words(load: &PlanLoad) -> Vec<String> {
    told(load.unmet.iter())
}

fn told<'a>(unmet: impl Iterator<Item = &'a (String, Unmet)> + Clone) -> Vec<String> {
    let mut said = Vec::new();
    for (id, why) in unmet.clone().take(TOLD_MAX) {
        let take = |take: u32| TakeId { id: id.clone(), take };
        said.push(match why {
            Unmet::Open => format!("{id} is not bought once more: a purchase of it has not ended yet"),
            Unmet::Replaced(latest) => format!(
                "{id} is not bought once more: that take was replaced before, and what replaced it has ended too; the \
                 word for one more take is {}",
                take(*latest)
            ),
            Unmet::Used(used) => format!("the word {} buys nothing: that take was replaced before", take(*used)),
            Unmet::DeliveredBefore(before, latest) => format!(
                "{id} is not bought once more: {} has delivered what the manifest now asks for; the word for one more \
                 take is {}",
                take(*before),
                take(*latest)
            ),
            Unmet::AboveLimit => format!("{id} is not bought once more: it costs more than one job may"),
            Unmet::RefundedBefore(latest) => format!(
                "{id} is not bought once more: an earlier take of it was refunded and replaced too; the word for one \
                 more take is {}",
                take(*latest)
            ),
        });
    }
    match unmet.count().saturating_sub(TOLD_MAX) {
        0 => {}
        more => said.push(format!("and {more} more are not bought once more")),
    }
    said
}

/// Of each word for which a take is bought later, until when that waits.
pub(in crate::cli) fn waiting_words(load: &PlanLoad, now: UnixMs) -> Vec<String> {
    let waits = |(_, until): &&(String, UnixMs)| *until >= now;
    let mut said: Vec<String> = load
        .waiting
        .iter()
        .filter(waits)
        .take(TOLD_MAX)
        .map(|(id, until)| {
            format!(
                "{id} is bought once more after {until} at the earliest: until then its earlier payment, which a person has given \
                 up, may still settle, unless the node that was asked to pay says that it never will; what settles is fetched"
            )
        })
        .collect();
    let more = load.waiting.iter().filter(waits).count().saturating_sub(TOLD_MAX);
    if more > 0 {
        said.push(format!("and {more} more wait so"));
    }
    said
}

/// What a run did not do of what its command, its manifest or its results asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct LeftOut {
    /// Words that were carried out before, so that only another one buys more.
    pub(in crate::cli) unmet: Vec<String>,
    /// A word waits for an open purchase: the same command later may carry it out.
    pub(in crate::cli) waiting: bool,
    /// What stopped words that would have bought once more.
    pub(in crate::cli) stopped: Option<String>,
    /// Rows of a results file that are not as the ledger has them, or whose jobs were withdrawn since.
    pub(in crate::cli) edited: Vec<String>,
    /// Rows of another ledger's results.
    pub(in crate::cli) elsewhere: Option<String>,
    /// Only stored jobs that a results file names were bought: what else is left is bought with the batch's manifest.
    pub(in crate::cli) of_results: bool,
    /// Duplicates that a person means to be bought once more: a run that is refused leaves them out for that alone.
    pub(in crate::cli) meant: u64,
    /// A limit holds only a part of what was to be bought: where files keep the run from buying, it does so all the same.
    pub(in crate::cli) beyond_limits: bool,
}

impl LeftOut {
    /// Of the words that loading the plan has heard.
    pub(in crate::cli) fn of(load: &PlanLoad) -> Self {
        let now = SystemClock.now();
        let is_waiting = |why: &Unmet| *why == Unmet::Open;
        Self {
            unmet: told(load.unmet.iter().filter(|(_, why)| !is_waiting(why))),
            waiting: load.unmet.iter().any(|(_, why)| is_waiting(why))
                || load.waiting.iter().any(|(_, until)| *until >= now),
            ..Self::default()
        }
    }

    /// Whether something else than the same command is needed to do it.
    pub(in crate::cli) const fn not_as_planned(&self) -> bool {
        !self.unmet.is_empty() || self.stopped.is_some() || !self.edited.is_empty() || self.elsewhere.is_some()
    }
}

/// Rows of another ledger's or batch's results, which may not be bought by this one; nothing where there are none.
pub(in crate::cli) fn elsewhere_words(rows: u64) -> Option<String> {
    let (were, are, them) = match rows {
        0 => return None,
        1 => ("row was left out, as the result", "is", "it"),
        _ => ("rows were left out, as results", "are", "them"),
    };
    let rows = thousands(rows);
    Some(format!(
        "{rows} {were} of another ledger or batch that {are} bought, or may be: name the ledger that has {them} with --ledger, or take \
         {them} out of the file"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_not_several() {
        let words = |rows| elsewhere_words(rows).unwrap_or_default();
        assert_eq!(words(0), "");
        assert!(words(1).starts_with("1 row was left out, as the result of another ledger or batch that is bought"));
        assert!(
            words(1_200).starts_with("1,200 rows were left out, as results of another ledger or batch that are bought")
        );
    }
}
