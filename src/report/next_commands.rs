//! What happens next with a job, and what a person types about it: the same words in every view.

use crate::command::{about_batch, command, flag, needed_node, node_command};
use crate::ledger::{KNOWN_BY_RECEIPT, PaymentRow, ResultRow};
use crate::purchase::{JobState, Next, Reason};

/// The one command that brings a job on, or shows all that a person needs to decide; none where the job only has to be
/// bought again, or nothing is left to do.
#[must_use]
pub fn command_about(batch: &str, id: &str, state: JobState, reason: Reason) -> Option<String> {
    let of_batch = |line: &str| about_batch(line, batch);
    let of_job = |line: &str| format!("{} {}", of_batch(line), flag("--job", id));
    match (state, Next::of(state, reason)) {
        (_, Next::None) | (JobState::Pending | JobState::Failed | JobState::Refused, Next::Rerun) => None,
        (JobState::Delivered, Next::Rerun) => Some(command(&of_batch("download"))),
        (JobState::RefundOffered, Next::Rerun) => Some(node_command(&of_job("refunds claim"))),
        (JobState::Lost | JobState::RefundOffered, _) => Some(command(&format!("{} --proof", of_job("status")))),
        (_, Next::Person) => Some(command(&of_job("status"))),
        (_, Next::Rerun) => Some(node_command(&of_batch("recover"))),
    }
}

/// What that command needs besides, in words, where nothing that this process was told names a node: only a node tells how a payment
/// ended, and receives a refund. What is paid for is asked for, and fetched, without one.
#[must_use]
pub fn node_needed(state: JobState) -> Option<&'static str> {
    match state {
        JobState::Running | JobState::InDoubt | JobState::RefundOffered => needed_node(),
        JobState::Pending
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::Refunded
        | JobState::Lost => None,
    }
}

/// What a person may do about a job, each with its command, the mildest first.
/// Decisions name the take. `is_taken`: a person has taken what there is for the result, which is said once. `is_play`: API and
/// node ended with their run, and what needs them is left out.
pub(super) fn choices(batch: &str, row: &ResultRow, is_taken: bool, is_play: bool) -> Vec<(&'static str, String)> {
    let shown = |(words, command): Choice| Some((words, command?));
    all_choices(batch, row, is_taken, is_play).into_iter().filter_map(shown).collect()
}

/// What a person may do, and its command; none where nobody is there to do it with.
type Choice = (&'static str, Option<String>);

fn all_choices(batch: &str, row: &ResultRow, is_taken: bool, is_play: bool) -> Vec<Choice> {
    let (state, reason) = (row.state, row.reason);
    let of_job = |line: &str, id: &str| format!("{} {}", about_batch(line, batch), flag("--job", id));
    let with_others = |command: String| (!is_play).then_some(command);
    let recover = || with_others(node_command(&about_batch("recover", batch)));
    let take = format!("{}@{}", row.id, row.take);
    let resolve =
        |decision: &str| Some(node_command(&format!("{} --as {decision} --note WHY", of_job("resolve", &take))));
    let prove = || Some(command(&format!("{} --proof", of_job("status", &row.id))));
    // What goes on from there needs who has ended.
    let anew = |decision: &str| resolve(decision).and_then(with_others);
    let (leave, lost) = (("to leave it at that", resolve("lost")), ("to give it up", resolve("lost")));
    let (once_more, rebuy) = (("to pay once more", anew("rebuy")), ("to give it up and pay once more", anew("rebuy")));
    let retry = ("to ask for it again, with what was paid for", anew("retry"));
    let delivered = ("if its answer holds the result", resolve("delivered"));
    let with_node = |alone, named| if node_needed(state).is_some() { named } else { alone };
    let look = with_node("to look again", "to look again, with --lnd-url and --lnd-macaroon-file");
    match state {
        JobState::Running => vec![(look, recover())],
        JobState::InDoubt => {
            vec![(look, recover()), ("if you know that it was never paid", resolve("unpaid")), lost, rebuy]
        }
        JobState::Paid if reason == Reason::UnknownAnswer => {
            vec![delivered, ("to complain", prove()), retry, lost, rebuy]
        }
        JobState::Paid => vec![("to offer it again", recover()), ("to complain", prove()), lost, rebuy],
        JobState::RefundOffered => {
            let claim = with_others(node_command(&of_job("refunds claim", &row.id)));
            let to_claim = with_node("to claim it", "to claim it, with --lnd-url and --lnd-macaroon-file");
            vec![(to_claim, claim), ("to complain, or to claim it by hand", prove()), lost, rebuy]
        }
        JobState::Refunded | JobState::Lost if reason == Reason::Decided => vec![once_more],
        JobState::Refunded => vec![leave, once_more],
        JobState::Lost => {
            // With what it was paid for nobody can ask where a receipt alone is known.
            let retry = (row.error.as_deref() != Some(KNOWN_BY_RECEIPT)).then_some(retry);
            [("to complain", prove())].into_iter().chain(retry).chain([leave, once_more]).collect()
        }
        JobState::Delivered if matches!(reason, Reason::NotDownloaded | Reason::UrlGone) => {
            let served = ("if its address serves the result all the same", anew("delivered"));
            let fetch = ("to fetch it", with_others(command(&of_job("download", &row.id))));
            let served = (reason == Reason::UrlGone && !is_taken).then_some(served);
            [fetch].into_iter().chain(served).chain([("to complain", prove())]).collect()
        }
        JobState::Delivered | JobState::Downloaded if reason == Reason::KnownByReceipt => vec![
            ("to bring in what knows more", with_others(command("ledger merge FILE"))),
            ("to complain", prove()),
            ("to leave it as it is", resolve("keep")),
        ],
        JobState::Delivered | JobState::Downloaded if reason == Reason::Changed => {
            vec![("to leave it as it is", resolve("keep"))]
        }
        JobState::Refused if reason == Reason::UnknownAnswer => {
            vec![delivered, ("to ask for it again", anew("retry"))]
        }
        JobState::Pending | JobState::Delivered | JobState::Downloaded | JobState::Refused | JobState::Failed => {
            Vec::new()
        }
    }
}

/// What a job waits for, and what happens then. Empty where it waits for nothing.
pub(super) fn waits_for(state: JobState, reason: Reason, payment: Option<&PaymentRow>) -> String {
    match (state, reason) {
        (JobState::Running | JobState::InDoubt | JobState::Paid, Reason::BodyMissing | Reason::RowDamaged) => {
            "you: no run can go on with it before that is mended".to_owned()
        }
        (JobState::InDoubt, Reason::WaitingForExpiry) => {
            "the invoice's expiry and a margin: then it is certain that it was not paid, and a run buys it again"
                .to_owned()
        }
        (JobState::InDoubt, Reason::OtherNode) => match payment {
            Some(payment) => format!("the node that was asked to pay, {}: name that one", payment.node),
            None => "the node that was asked to pay".to_owned(),
        },
        (JobState::InDoubt, Reason::NodeForgot) => "you: the node has lost its records, so no run can tell".to_owned(),
        (JobState::InDoubt, Reason::NoWitness) => {
            "you: the node does not know it, and nothing shows that it has kept its records".to_owned()
        }
        (JobState::Running | JobState::InDoubt, _) => "the node's word on how the payment ended".to_owned(),
        (JobState::Paid, Reason::Processing) => "the origin, which is working on it".to_owned(),
        (JobState::Paid, Reason::UnknownAnswer) => {
            "you: the origin says success in a shape that is not understood; nothing is sent again".to_owned()
        }
        (JobState::Paid, _) => "the origin: it is offered the same credential again".to_owned(),
        (JobState::RefundOffered, Reason::RefundOffered) => {
            "the refund that the origin offers: the next run claims it".to_owned()
        }
        (JobState::RefundOffered, Reason::RefundPending) => {
            "the refund: it is claimed, and the node has not received it".to_owned()
        }
        (JobState::RefundOffered, _) => "you: the refund that the origin offers does not come by itself".to_owned(),
        (JobState::Refunded, Reason::None | Reason::RefundPartial) => {
            "you: the money is back, and the result is not here".to_owned()
        }
        (JobState::Lost, Reason::Decided)
        | (
            JobState::Pending
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::Refused
            | JobState::Failed
            | JobState::Refunded,
            _,
        ) => String::new(),
        (JobState::Lost, _) => "you: paid, and the origin will not deliver".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API and the node of play money end with their run: no command of it asks them.
    #[test]
    fn no_choice_of_play_money_needs_who_has_ended() {
        for &state in JobState::ALL {
            for &reason in Reason::ALL {
                let row = super::super::status::row("one", state, reason);
                let all = choices("june", &row, false, false);
                let shown = choices("june", &row, false, true);
                let ended = ["recover", "claim", "download", "merge", "--as rebuy", "--as retry"];
                let needs = |command: &str| ended.iter().any(|word| command.contains(&format!(" {word} ")));
                let kept = all.iter().filter(|(_, command)| !needs(command)).count();
                assert!(shown.iter().all(|(_, command)| !needs(command)), "{state:?} {reason:?}: {shown:?}");
                let is_served = reason == Reason::UrlGone && state == JobState::Delivered;
                assert_eq!(shown.len() + usize::from(is_served), kept, "{state:?} {reason:?}: {shown:?}");
            }
        }
    }

    #[test]
    fn whatever_needs_a_person_has_a_command() {
        for &state in JobState::ALL {
            for &reason in Reason::ALL {
                let command = command_about("june", "a b", state, reason);
                match Next::of(state, reason) {
                    Next::None => assert_eq!(command, None, "{state:?} {reason:?}"),
                    Next::Person => {
                        assert!(command.unwrap().contains("--batch june --job 'a b'"), "{state:?} {reason:?}")
                    }
                    Next::Rerun => {}
                }
            }
        }
    }
}
