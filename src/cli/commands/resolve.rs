//! `resolve`: a person decides what no run can: recorded with a note, and never against what the node says.

use crate::command::{about_batch, command, needing_node, node_command};
use crate::error::Hinted;
use crate::ledger::port::{Batches, Decisions, Inspection, Records};
use crate::ledger::{Batch, DeadProof, Decided, Decision, OpenLedger, Reopened, Reopening, TakeId, Undecided};
use crate::purchase::JobState;
use crate::run::{Clock, Evidence, SystemClock, evidence};
use crate::terminal_text::printable;

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::receipt_guard::gap_words;
use crate::cli::batch::session::Session;
use crate::cli::options::config::{NodeOptions, ResolveOptions, ResolveWord};
use crate::cli::{CommandError, ExitCode, Failure, Format, target, terminal};

/// Records the decision, or says what speaks against it.
pub(in crate::cli) fn execute(options: &ResolveOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    drop(ledger);
    let mut session = Session::open(&options.ledger, &batch.name)?;
    let take = named(&session.ledger, &batch, &options.job)?;
    if take.replaced && matches!(options.word, ResolveWord::Decide(Decision::Rebuy)) {
        return say(&format!("{}: it was replaced already; nothing was decided, and nothing more is bought", take.id));
    }
    let Some(job) = session.ledger.undecided_take(batch.key, &take.id.id, Some(take.id.take))? else {
        return Err(CommandError::usage(format!("the batch {} has no job {}", batch.name, options.job)).into());
    };
    match (options.word, gap_words(&session.ledger)?) {
        // What the ledger lacks may hold what that payment came to.
        (ResolveWord::Decide(Decision::Unpaid | Decision::Rebuy), Some(gap)) => {
            return Err(CommandError::books_differ(format!("{gap}; nothing was decided")).into());
        }
        (_, gap) => gap.iter().for_each(|gap| terminal::say(&format!("note: {gap}\n"))),
    }
    let code = match options.word {
        ResolveWord::Decide(decision) => decide(options, &batch.name, decision, &mut session.ledger, &job),
        ResolveWord::Reopen(word) => reopen(options, &batch.name, word, &mut session.ledger, &job),
        ResolveWord::Keep => keep(options, &mut session.ledger, &job),
    }?;
    // What is delivered by a word lets its endpoint have more.
    session.ledger.explain_held_anew(SystemClock.now(), options.max_undelivered)?;
    Ok(code)
}

/// What was delivered stays, whatever the manifest's row asks for by now.
fn keep(options: &ResolveOptions, ledger: &mut OpenLedger, job: &Undecided) -> Result<ExitCode, Failure> {
    let id = &options.job;
    match ledger.keep(SystemClock.now(), job.job, &options.note)? {
        true => say(&format!("{id}: what was delivered stays as it is, for as long as its row in the manifest does")),
        false => Err(CommandError::usage(format!("the job {id} is {}: nothing was decided", job.state.as_str()))
            .hint("what is delivered and `changed` or `known_by_receipt` can be left as it is")
            .into()),
    }
}

fn say(text: &str) -> Result<ExitCode, Failure> {
    terminal::print(Format::Table, |out| writeln!(out, "{text}"))?;
    Ok(ExitCode::Done)
}

/// What is paid for goes on, or is taken as delivered. Nothing is asked of a node: nothing is paid.
fn reopen(
    options: &ResolveOptions,
    batch: &str,
    word: Reopening,
    ledger: &mut OpenLedger,
    job: &Undecided,
) -> Result<ExitCode, Failure> {
    let id = &options.job;
    match ledger.reopen(SystemClock.now(), job.job, word, &options.note)? {
        Reopened::Recorded if job.state == JobState::Refused => {
            say(&format!("{id}: the next run asks for it again; nothing was paid for it"))
        }
        Reopened::Recorded => {
            say(&format!("{id}: the next run, or `recover`, asks for it again with the credential that was paid for"))
        }
        Reopened::Taken(url) => {
            say(&format!("{id}: taken as delivered, by the answer that is kept of it: {}", printable(&url)))
        }
        Reopened::AsServed => say(&format!(
            "{id}: what its address answers with is taken as the result; `{}` fetches it, where that is served whole",
            command(&about_batch("download", batch))
        )),
        Reopened::Unchanged => match word {
            Reopening::Retry => say(&format!("{id}: it is asked for already; nothing was changed")),
            Reopening::Delivered => say(&format!(
                "{id}: what its address answers with is taken already; nothing was changed; `{}` fetches it, where that is \
                 served whole",
                command(&about_batch("download", batch))
            )),
        },
        Reopened::Unfit(why) => Err(CommandError::usage(format!("the job {id}: {why}; nothing was decided")).into()),
        Reopened::Refused(state) => Err(CommandError::usage(format!(
            "the job {id} is {}: only of what is paid for, or was asked for with another job's token, and not delivered{} can be said that it {}",
            state.as_str(),
            match word {
                Reopening::Retry => "",
                Reopening::Delivered => ", or could not be fetched,",
            },
            match word {
                Reopening::Retry => "is asked for again",
                Reopening::Delivered => "is delivered",
            }
        ))
        .into()),
    }
}

fn decide(
    options: &ResolveOptions,
    batch: &str,
    decision: Decision,
    ledger: &mut OpenLedger,
    job: &Undecided,
) -> Result<ExitCode, Failure> {
    let (heard, proof) = heard(options, ledger, job)?;
    match ledger.decide(SystemClock.now(), job.job, decision, &options.note, &heard, proof)? {
        Decided::Recorded => say(&format!("{}: {}; {}", options.job, told(batch, decision, job.state), heard)),
        Decided::Refused(state) => Err(refusal(&options.job, decision, state)),
        Decided::TooEarly(until) => Err(CommandError::usage(format!(
            "{heard}, and the payment of {} may still settle until {until}: nothing was decided",
            options.job
        ))
        .hint(format!(
            "`{}`{} may settle it by itself, the node that was asked to pay can say that it never will, and after that time \
             your word alone counts",
            node_command("recover --all"),
            needing_node(),
        )).into()),
    }
}

/// A take that a person named.
struct Named {
    id: TakeId,
    /// A later take stands in its place.
    replaced: bool,
}

/// The take that was meant. A decision is about one take: said again, it is not about the one that it led to.
fn named(ledger: &OpenLedger, batch: &Batch, typed: &str) -> Result<Named, Failure> {
    let count = |id: &str| Ok::<_, Failure>(ledger.takes(batch.key, id)?.len());
    let missing = || CommandError::usage(format!("the batch {} has no job {typed}", batch.name));
    match count(typed)? {
        0 => {}
        1 => return Ok(Named { id: TakeId { id: typed.to_owned(), take: 1 }, replaced: false }),
        takes => {
            return Err(CommandError::usage(format!(
                "the job {typed} has {takes} takes, of which {typed}@{takes} is the latest; nothing was decided"
            ))
            .hint(format!("name the one that you mean, as {typed}@1"))
            .into());
        }
    }
    let id = TakeId::read(typed, |id| id != typed).ok_or_else(missing)?;
    let takes = u32::try_from(count(&id.id)?).unwrap_or(u32::MAX);
    if takes < id.take { Err(missing().into()) } else { Ok(Named { replaced: id.take < takes, id }) }
}

fn told(batch: &str, decision: Decision, state: JobState) -> String {
    let refund = || {
        format!(
            "its refund is looked for where it was claimed, and not claimed any more where it was not: `{}` shows its link",
            command(&format!("{} --proof", about_batch("refunds list", batch)))
        )
    };
    let words = match decision {
        Decision::Lost if matches!(state, JobState::Refunded) => "left at that; what came back stays what it is",
        Decision::Rebuy if matches!(state, JobState::Refunded) => "the next run buys it once more",
        Decision::Lost if matches!(state, JobState::RefundOffered) => return format!("taken as lost; {}", refund()),
        Decision::Rebuy if matches!(state, JobState::RefundOffered) => {
            return format!("taken as lost, and the next run buys it once more; {}", refund());
        }
        Decision::Unpaid => "taken as not paid; what was held for it is free again, and the next run may buy it",
        Decision::Lost => "taken as lost; what was held or paid for it stays used",
        Decision::Rebuy => "taken as lost, and the next run buys it once more",
    };
    words.to_owned()
}

fn refusal(id: &str, decision: Decision, state: JobState) -> Failure {
    let shown = state.as_str();
    let undecided = || CommandError::usage(format!("the job {id} is {shown}: nothing was decided"));
    match decision {
        Decision::Unpaid => CommandError::usage(format!(
            "the job {id} is {shown}: only a payment in doubt can be taken as not paid; a preimage proves that it was"
        )),
        Decision::Lost | Decision::Rebuy if matches!(state, JobState::Delivered | JobState::Downloaded) => {
            undecided().hint("to buy it once more is a word of its own, which `run --help` tells")
        }
        Decision::Lost | Decision::Rebuy => undecided(),
    }
    .into()
}

/// What the node says of an open payment, and what that proves: a decision against it is refused.
fn heard(
    options: &ResolveOptions,
    ledger: &OpenLedger,
    job: &Undecided,
) -> Result<(String, Option<DeadProof>), Failure> {
    let Some(intent) = &job.intent else { return Ok(("no payment of it is open".to_owned(), None)) };
    let history_check = ledger.history_check(intent.node(), intent.payment())?;
    let counterparties = Counterparties::of_node(options.node.as_ref(), &options.ledger)?;
    let now = SystemClock.now();
    match crate::cli::runtime()?.block_on(evidence(counterparties.payer.as_ref(), intent, &history_check, now)) {
        Ok(Evidence::Proven(proof, words)) => Ok((words, Some(proof))),
        Ok(Evidence::Unproven(words)) => Ok((words, None)),
        Ok(Evidence::Contradicts(what)) => {
            Err(CommandError::usage(format!("the node says that the payment {what}: nothing was decided"))
                .hint(format!("`{}` goes on with it", node_command("recover --all")))
                .into())
        }
        // Nobody named that node: a person's decision does not depend on it.
        Err(problem) if options.node.as_ref().is_some_and(NodeOptions::is_found_only) => {
            Ok((format!("the node of this machine could not be asked: {}", problem.told()), None))
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
            assert!(
                told("june", decision, JobState::RefundOffered).contains("refunds list --batch june --proof`"),
                "{decision:?}"
            );
            assert!(!told("june", decision, JobState::Paid).contains("refund"), "{decision:?}");
        }
        assert!(told("june", Decision::Rebuy, JobState::RefundOffered).contains("the next run buys it once more"));
    }
}
