//! A person's words for origins that get no more payments: checked before anything is bought, recorded once it is accepted.

use std::collections::HashSet;

use crate::cli::options::values::TrustWord;
use crate::cli::{CommandError, Failure};
use crate::ledger::port::{Decisions, Foreseen};
use crate::ledger::{Batch, ForeseenHere, IntentBounds, OpenLedger, Trusted, endpoint_and_origin};
use crate::plan::Plan;
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

/// Refuses a word for an origin at which the manifest buys nothing: a slip of the pen would trust nobody, silently.
pub(in crate::cli) fn check(words: &[TrustWord], plan: &Plan) -> Result<(), Failure> {
    let origins = || plan.endpoints().iter().map(|endpoint| endpoint_and_origin(&endpoint.url).1);
    match words.iter().find(|word| origins().all(|origin| origin != word.origin)) {
        None => Ok(()),
        Some(word) => {
            let mut known: Vec<String> = origins().collect();
            known.sort();
            known.dedup();
            Err(CommandError::usage(format!(
                "--trust {word}: this manifest buys nothing there, but at {}; nothing was bought",
                known.join(", ")
            ))
            .into())
        }
    }
}

/// Records the words that the person has given, and gives what became of each.
pub(in crate::cli) fn record(
    ledger: &mut OpenLedger,
    batch: &Batch,
    words: &[TrustWord],
    max_undelivered: u32,
) -> Result<Vec<String>, Failure> {
    let now = SystemClock.now();
    let bounds = bounds(now, max_undelivered);
    let record = |word: &TrustWord| Ok(said(word, &ledger.trust(now, batch.key, &word.origin, word.number, bounds)?));
    words.iter().map(record).collect()
}

/// What would become of the words, and what is said of each; and the origins at which one lets a purchase begin.
pub(in crate::cli) fn foretold(
    foreseen: &ForeseenHere<'_>,
    words: &[TrustWord],
    max_undelivered: u32,
) -> Result<(Vec<String>, HashSet<String>), Failure> {
    let (mut told, mut open) = (Vec::new(), HashSet::new());
    let now = SystemClock.now();
    for word in words {
        let trusted = foreseen.trust(now, &word.origin, word.number, bounds(now, max_undelivered))?;
        told.push(said(word, &trusted));
        if matches!(trusted, Trusted::Recorded | Trusted::InForce) {
            open.insert(word.origin.clone());
        }
    }
    Ok((told, open))
}

fn bounds(now: UnixMs, max_undelivered: u32) -> IntentBounds {
    IntentBounds { max_undelivered, run_began: now, ..IntentBounds::default() }
}

fn said(word: &TrustWord, trusted: &Trusted) -> String {
    let TrustWord { origin, number } = word;
    let ones_own = format!("{origin}@{number}");
    match trusted {
        Trusted::Recorded => {
            format!("{ones_own}: one purchase may begin at {origin}, whatever it has not delivered so far")
        }
        Trusted::InForce => {
            format!(
                "{ones_own} was said before, and nothing was bought by it so far: one purchase may begin at {origin}"
            )
        }
        Trusted::UsedUp { by: Some((batch, job)), next } => format!(
            "{ones_own} was carried out by job {job} of batch {batch}, and lets nothing more begin; the word for one \
             purchase more is {origin}@{next}"
        ),
        Trusted::UsedUp { by: None, next } => {
            format!("{ones_own} has lapsed, as {origin} delivered; the next word for it would be {origin}@{next}")
        }
        Trusted::UnderWay(batch, job) => format!(
            "{ones_own} is not recorded: the purchase of the word before it, job {job} of batch {batch}, is still under way"
        ),
        Trusted::OutOfTurn(next) => {
            format!("{ones_own} is not recorded: the next word for {origin} is {origin}@{next}")
        }
        Trusted::NotNeeded => format!("{ones_own} is not recorded: nothing keeps purchases at {origin} from beginning"),
    }
}
