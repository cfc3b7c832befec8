//! `resolve`: a person decides what no run can: recorded with a note, and never against what the node says.

use crate::ledger::sqlite::{Books, Decided, Decision, Undecided};
use crate::ledger::{DeadProof, JobState};
use crate::run::{Clock, Evidence, SystemClock, evidence};

use super::config::{NodeOptions, ResolveOptions};
use super::run::{Session, World};
use super::{ExitCode, Failure, target, terminal};

/// Records the decision, or says what speaks against it.
pub(super) fn execute(options: &ResolveOptions) -> Result<ExitCode, Failure> {
    let (books, batch) = target::find(&options.ledger, &options.target)?;
    drop(books);
    let mut session = Session::open(&options.ledger, &batch.name)?;
    let Some(job) = session.books.undecided(batch.key, &options.job)? else {
        return Err(Failure::Usage(format!("the batch {} has no job {}", batch.name, options.job)));
    };
    let (heard, proof) = heard(options, &session.books, &job)?;
    match session.books.decide(SystemClock.now(), job.job, options.decision, &options.note, &heard, proof)? {
        Decided::Recorded => {
            let text = format!("{}: {}; {}\n", options.job, told(options.decision, job.state), heard);
            terminal::print(|out| out.write_all(text.as_bytes()))?;
            Ok(ExitCode::Done)
        }
        Decided::Refused(state) => Err(Failure::Usage(refusal(options, state))),
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

fn refusal(options: &ResolveOptions, state: JobState) -> String {
    let state = state.as_str();
    match options.decision {
        Decision::Unpaid => format!(
            "the job {} is {state}: only a payment in doubt can be taken as not paid; a preimage proves that it was",
            options.job
        ),
        Decision::Lost | Decision::Rebuy => format!(
            "the job {} is {state}: there is nothing to decide{}",
            options.job,
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
