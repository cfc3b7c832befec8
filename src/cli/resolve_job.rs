//! `resolve`: a person decides what no run can: recorded with a note, and never against what the node says.

use crate::ledger::sqlite::{Decided, Decision, Undecided};
use crate::ledger::{DurableIntent, JobState};
use crate::payer::{Found, LndPayer, Payer};
use crate::run::job::Bounds;
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

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
    if options.decision == Decision::Unpaid
        && let Some(until) = job.intent.as_ref().and_then(|intent| payable_until(intent, SystemClock.now()))
    {
        return Err(Failure::Usage(format!(
            "the invoice of {} can still be paid until {until}, by a request that is on its way or by the node: nothing \
             was decided; `l402-batch recover` may settle it by itself, and after that time it can be taken as not paid",
            options.job
        )));
    }
    let evidence = evidence(options, &job)?;
    match session.books.decide(SystemClock.now(), job.job, options.decision, &options.note, &evidence)? {
        Decided::Recorded => {
            let text = format!("{}: {}; {}\n", options.job, told(options.decision), evidence);
            terminal::print(|out| out.write_all(text.as_bytes()))?;
            Ok(ExitCode::Done)
        }
        Decided::Refused(state) => Err(Failure::Usage(refusal(options, state))),
    }
}

/// Until when a POST that is still on its way could be accepted by the node, if that is not over.
fn payable_until(intent: &DurableIntent, now: UnixMs) -> Option<UnixMs> {
    let until = intent.invoice_expires_at().plus_ms(Bounds::default().expiry_margin_ms);
    (now <= until).then_some(until)
}

const fn told(decision: Decision) -> &'static str {
    match decision {
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
fn evidence(options: &ResolveOptions, job: &Undecided) -> Result<String, Failure> {
    let Some(intent) = &job.intent else { return Ok("no payment of it is open".to_owned()) };
    let world = World::of_node(options.node.as_ref(), &options.ledger)?;
    match &world.payer {
        None => Ok("the node was not asked, as none was named".to_owned()),
        Some(payer) => {
            let asked = super::runtime()?.block_on(ask(payer, intent));
            match (asked, options.node.as_ref().is_some_and(NodeOptions::is_found_only)) {
                // Nobody named that node: a person's decision does not depend on it.
                (Err(Failure::Node(problem)), true) => {
                    Ok(format!("the node of this machine could not be asked: {problem}"))
                }
                (asked, _) => asked,
            }
        }
    }
}

async fn ask(payer: &LndPayer, intent: &DurableIntent) -> Result<String, Failure> {
    let node = payer.node().await?;
    if node.id != *intent.node() {
        return Ok(format!("node {} was asked to pay and is not the one that answers now", intent.node().0));
    }
    let contradicts = |what: &str| {
        Err(Failure::Usage(format!(
            "the node says that the payment {what}: nothing was decided; `l402-batch recover --all` goes on with it"
        )))
    };
    match payer.look_up(intent.hash()).await.found {
        Found::Settled(_) => contradicts("has settled"),
        Found::PreimageKnown(_) => contradicts("is settling: its preimage is out"),
        Found::InFlight => contradicts("is on its way"),
        Found::Failed(_) => Ok("the node says that it failed".to_owned()),
        Found::NotFound => Ok("the node does not know it".to_owned()),
        Found::Unknown(problem) => Err(Failure::Node(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::{INVOICE_EXPIRES_AT, intent};

    #[test]
    fn an_invoice_counts_as_payable_until_its_expiry_and_a_margin() {
        let until = INVOICE_EXPIRES_AT.plus_ms(120_000);
        assert_eq!(payable_until(&intent(1, 0), INVOICE_EXPIRES_AT), Some(until));
        assert_eq!(payable_until(&intent(1, 0), until), Some(until));
        assert_eq!(payable_until(&intent(1, 0), until.plus_ms(1)), None);
    }
}
