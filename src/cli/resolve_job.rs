//! `resolve`: a person decides what no run can: recorded with a note, and never against what the node says.

use crate::ledger::JobState;
use crate::ledger::sqlite::{Books, Decided, Decision, Undecided};
use crate::run::{Clock, Evidence, SystemClock, evidence, heard_by};

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
    let heard = heard(options, &session.books, &job)?;
    match session.books.decide(SystemClock.now(), job.job, options.decision, &options.note, &heard)? {
        Decided::Recorded => {
            let text = format!("{}: {}; {}\n", options.job, told(options.decision, job.state), heard);
            terminal::print(|out| out.write_all(text.as_bytes()))?;
            Ok(ExitCode::Done)
        }
        Decided::Refused(state) => Err(Failure::Usage(refusal(options, state))),
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

/// What the node says of an open payment: a decision against it is refused.
fn heard(options: &ResolveOptions, books: &Books, job: &Undecided) -> Result<String, Failure> {
    let Some(intent) = &job.intent else { return Ok("no payment of it is open".to_owned()) };
    let witness = books.witness(intent.node(), intent.payment())?;
    let world = World::of_node(options.node.as_ref(), &options.ledger)?;
    let now = SystemClock.now();
    let asked = super::runtime()?.block_on(evidence(world.payer.as_ref(), intent, &witness, now));
    let heard = match asked {
        // Nobody named that node: a person's decision does not depend on it.
        Err(problem) if options.node.as_ref().is_some_and(NodeOptions::is_found_only) => {
            heard_by(intent, now, format!("the node of this machine could not be asked: {problem}"))
        }
        asked => asked.map_err(Failure::Node)?,
    };
    match heard {
        Evidence::Heard(words) => Ok(words),
        Evidence::Contradicts(what) => Err(Failure::Usage(format!(
            "the node says that the payment {what}: nothing was decided; `l402-batch recover --all` goes on with it"
        ))),
        Evidence::MayStillArrive(until, _) if options.decision == Decision::Unpaid => Err(Failure::Usage(format!(
            "the invoice of {} can still be paid until {until}, by a request that is on its way or by the node: nothing \
             was decided; `l402-batch recover` may settle it by itself, and after that time it can be taken as not paid",
            options.job
        ))),
        Evidence::MayStillArrive(_, words) => Ok(words),
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
