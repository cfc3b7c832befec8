//! A person's words for origins that get no more payments: checked before anything is bought, recorded once it is accepted.

use crate::cli::Failure;
use crate::cli::options::values::TrustWord;
use crate::ledger::port::Decisions;
use crate::ledger::{Batch, IntentBounds, OpenLedger, Trusted, endpoint_and_origin};
use crate::plan::Plan;
use crate::run::{Clock, SystemClock};

use crate::cli::batch::reporter::Reporter;

/// Refuses a word for an origin at which the manifest buys nothing: a slip of the pen would trust nobody, silently.
pub(in crate::cli) fn check(words: &[TrustWord], plan: &Plan) -> Result<(), Failure> {
    let origins = || plan.endpoints().iter().map(|endpoint| endpoint_and_origin(&endpoint.url).1);
    match words.iter().find(|word| origins().all(|origin| origin != word.origin)) {
        None => Ok(()),
        Some(word) => {
            let mut known: Vec<String> = origins().collect();
            known.sort();
            known.dedup();
            Err(Failure::Usage(format!(
                "--trust {word}: this manifest buys nothing there, but at {}; nothing was bought",
                known.join(", ")
            )))
        }
    }
}

/// Records the words that the person has given, and says what became of each.
pub(in crate::cli) fn record(
    books: &mut OpenLedger,
    batch: &Batch,
    words: &[TrustWord],
    max_undelivered: u32,
    reporter: &Reporter,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    let bounds = IntentBounds { max_undelivered, run_began: now, ..IntentBounds::default() };
    for word in words {
        let trusted = books.trust(now, batch.key, &word.origin, word.number, bounds)?;
        reporter.warn(said(word, &trusted));
    }
    Ok(())
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
