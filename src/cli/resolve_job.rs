//! `resolve`: a person decides what no run can: recorded with a note, and never against what the node says.

use crate::harmless::harmless;
use crate::ledger::sqlite::{Books, Decided, Decision, Reopened, Reopening, Undecided};
use crate::ledger::{BatchKey, DeadProof, JobState};
use crate::run::{Clock, Evidence, SystemClock, evidence};

use super::config::{NodeOptions, ResolveOptions, ResolveWord};
use super::run::{Session, World};
use super::{ExitCode, Failure, target, terminal};

/// Records the decision, or says what speaks against it.
pub(super) fn execute(options: &ResolveOptions) -> Result<ExitCode, Failure> {
    let (books, batch) = target::find(&options.ledger, &options.target)?;
    drop(books);
    let mut session = Session::open(&options.ledger, &batch.name)?;
    let Some(job) = find(&session.books, batch.key, &options.job)? else {
        return Err(Failure::Usage(format!("the batch {} has no job {}", batch.name, options.job)));
    };
    match options.word {
        ResolveWord::Decide(decision) => decide(options, decision, &mut session.books, &job),
        ResolveWord::Reopen(word) => reopen(options, word, &mut session.books, &job),
    }
}

/// The latest take of that job, or the take that is named.
fn find(books: &Books, batch: BatchKey, typed: &str) -> Result<Option<Undecided>, Failure> {
    if let Some(latest) = books.undecided(batch, typed)? {
        return Ok(Some(latest));
    }
    let Some((id, take)) = typed.rsplit_once('@') else { return Ok(None) };
    let Ok(take) = take.parse() else { return Ok(None) };
    Ok(books.undecided_take(batch, id, Some(take))?)
}

fn say(text: &str) -> Result<ExitCode, Failure> {
    terminal::print(|out| writeln!(out, "{text}"))?;
    Ok(ExitCode::Done)
}

/// What is paid for goes on, or is taken as delivered. Nothing is asked of a node: nothing is paid.
fn reopen(options: &ResolveOptions, word: Reopening, books: &mut Books, job: &Undecided) -> Result<ExitCode, Failure> {
    let id = &options.job;
    match books.reopen(SystemClock.now(), job.job, word, &options.note)? {
        Reopened::Recorded => {
            say(&format!("{id}: the next run, or `recover`, asks for it again with the credential that was paid for"))
        }
        Reopened::Taken(url) => {
            say(&format!("{id}: taken as delivered, by the answer that is kept of it: {}", harmless(&url)))
        }
        Reopened::Unchanged => say(&format!("{id}: it is asked for already; nothing was changed")),
        Reopened::Unfit(why) => Err(Failure::Usage(format!("the job {id}: {why}; nothing was decided"))),
        Reopened::Refused(state) => Err(Failure::Usage(format!(
            "the job {id} is {}: only of what is paid for and not delivered can be said that it {}",
            state.as_str(),
            match word {
                Reopening::Retry => "is asked for again",
                Reopening::Delivered => "is delivered",
            }
        ))),
    }
}

fn decide(
    options: &ResolveOptions,
    decision: Decision,
    books: &mut Books,
    job: &Undecided,
) -> Result<ExitCode, Failure> {
    let (heard, proof) = heard(options, books, job)?;
    match books.decide(SystemClock.now(), job.job, decision, &options.note, &heard, proof)? {
        Decided::Recorded => say(&format!("{}: {}; {}", options.job, told(decision, job.state), heard)),
        Decided::Refused(state) => Err(Failure::Usage(refusal(&options.job, decision, state))),
        Decided::TooEarly(until) => Err(Failure::Usage(format!(
            "{heard}, and the payment of {} may still settle until {until}: nothing was decided; `l402-batch recover` may settle it \
             by itself, the node that was asked to pay can say that it never will, and after that time your word alone counts",
            options.job
        ))),
    }
}

const fn told(decision: Decision, state: JobState) -> &'static str {
    match decision {
        Decision::Lost if matches!(state, JobState::Refunded) => "left at that; what came back stays what it is",
        Decision::Rebuy if matches!(state, JobState::Refunded) => "the next run buys it once more",
        Decision::Lost if matches!(state, JobState::RefundOffered) => {
            "taken as lost; its refund is looked for where it was claimed, and not claimed any more where it was not: \
             `refunds list --proof` shows its link"
        }
        Decision::Rebuy if matches!(state, JobState::RefundOffered) => {
            "taken as lost, and the next run buys it once more; its refund is looked for where it was claimed, and not \
             claimed any more where it was not: `refunds list --proof` shows its link"
        }
        Decision::Unpaid => "taken as not paid; what was held for it is free again, and the next run may buy it",
        Decision::Lost => "taken as lost; what was held or paid for it stays used",
        Decision::Rebuy => "taken as lost, and the next run buys it once more",
    }
}

fn refusal(id: &str, decision: Decision, state: JobState) -> String {
    let state = state.as_str();
    match decision {
        Decision::Unpaid => format!(
            "the job {id} is {state}: only a payment in doubt can be taken as not paid; a preimage proves that it was"
        ),
        Decision::Lost | Decision::Rebuy => format!(
            "the job {id} is {state}: there is nothing to decide{}",
            if state == "delivered" { "; to buy it once more: run --retake" } else { "" }
        ),
    }
}

/// What the node says of an open payment, and what that proves: a decision against it is refused.
fn heard(options: &ResolveOptions, books: &Books, job: &Undecided) -> Result<(String, Option<DeadProof>), Failure> {
    let Some(intent) = &job.intent else { return Ok(("no payment of it is open".to_owned(), None)) };
    let witness = books.witness(intent.node(), intent.payment())?;
    let world = World::of_node(options.node.as_ref(), &options.ledger)?;
    let now = SystemClock.now();
    match super::runtime()?.block_on(evidence(world.payer.as_ref(), intent, &witness, now)) {
        Ok(Evidence::Proven(proof, words)) => Ok((words, Some(proof))),
        Ok(Evidence::Unproven(words)) => Ok((words, None)),
        Ok(Evidence::Contradicts(what)) => Err(Failure::Usage(format!(
            "the node says that the payment {what}: nothing was decided; `l402-batch recover --all` goes on with it"
        ))),
        // Nobody named that node: a person's decision does not depend on it.
        Err(problem) if options.node.as_ref().is_some_and(NodeOptions::is_found_only) => {
            Ok((format!("the node of this machine could not be asked: {problem}"), None))
        }
        Err(problem) => Err(Failure::Node(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_up_a_refund_is_told_what_becomes_of_it() {
        for decision in [Decision::Lost, Decision::Rebuy] {
            assert!(told(decision, JobState::RefundOffered).contains("refunds list --proof"), "{decision:?}");
            assert!(!told(decision, JobState::Paid).contains("refund"), "{decision:?}");
        }
        assert!(told(Decision::Rebuy, JobState::RefundOffered).contains("the next run buys it once more"));
    }
}
