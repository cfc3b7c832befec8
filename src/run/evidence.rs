//! What speaks against a person's decision on an open payment: the node's own word, and a POST that may still arrive.

use crate::ledger::{DurableIntent, Witness};
use crate::payer::{Found, LookUp, NodeProblem, Payer};
use crate::time::UnixMs;

use super::job::{Bounds, Seen};
use super::sighting::tested;

/// What was heard before a person's decision is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing speaks against it; what was heard, in words, for the record.
    Heard(String),
    /// The node knows better; what it says of the payment, to follow "the payment".
    Contradicts(&'static str),
    /// Nobody has paid it so far, and until then somebody still can: a POST may be on its way. It speaks only against
    /// taking the payment as not made.
    MayStillArrive(UnixMs, String),
}

const FAILED: &str = "the node says that it failed";

/// Asks the node of an open payment; without one, only the time tells. What it says against the payment is news only where
/// it still knows what `witness` names.
///
/// # Errors
/// Where the node that is named cannot be asked.
pub async fn evidence<P: Payer>(
    payer: Option<&P>,
    intent: &DurableIntent,
    witness: &Witness,
    now: UnixMs,
) -> Result<Evidence, NodeProblem> {
    let Some(payer) = payer else {
        return Ok(heard_by(intent, now, "the node was not asked, as none was named".to_owned()));
    };
    let node = payer.node().await?;
    if node.id != *intent.node() {
        let words = format!("node {} was asked to pay and is not the one that answers now", intent.node().0);
        return Ok(heard_by(intent, now, words));
    }
    let LookUp { found, node_time } = payer.look_up(intent.hash()).await;
    let all_answered = intent.sends_answered() >= intent.sends_begun();
    // Both clocks must agree that an invoice has expired: the date of an answer may be a proxy's.
    let time = node_time.or(node.node_time).map_or(now, |at| at.min(now));
    let (words, is_answered) = match found {
        Found::Settled(_) => return Ok(Evidence::Contradicts("has settled")),
        Found::PreimageKnown(_) => return Ok(Evidence::Contradicts("is settling: its preimage is out")),
        Found::InFlight => return Ok(Evidence::Contradicts("is on its way")),
        Found::Unknown(problem) => return Err(problem),
        // Where only one POST was ever begun, the node's knowing the hash is its answer, and all that there is to know.
        Found::Failed(_) if intent.sends_begun() == 1 => return Ok(Evidence::Heard(FAILED.to_owned())),
        Found::Failed(_) => (FAILED, all_answered),
        Found::NotFound if intent.accepted() => ("the node knew it and does not know it any more", false),
        Found::NotFound => ("the node does not know it", all_answered),
    };
    // It takes a node that has forgotten nothing to say that a payment was not made.
    match tested(payer, intent.node(), witness).await {
        Ok(()) if is_answered => Ok(Evidence::Heard(words.to_owned())),
        Err(Seen::Unknown(problem)) => Err(problem),
        Err(Seen::Forgot(instead) | Seen::OtherNode(instead)) => Ok(heard_by(intent, time, instead)),
        Ok(()) | Err(Seen::Settled(_) | Seen::PreimageKnown(_) | Seen::Failed(_) | Seen::InFlight | Seen::NotFound) => {
            Ok(heard_by(intent, time, words.to_owned()))
        }
    }
}

/// What was heard counts once the invoice has expired: until then a POST that stalled may reach the node.
#[must_use]
pub fn heard_by(intent: &DurableIntent, now: UnixMs, words: String) -> Evidence {
    let certain_at = intent.invoice_expires_at().plus_ms(Bounds::default().expiry_margin_ms);
    if now > certain_at { Evidence::Heard(words) } else { Evidence::MayStillArrive(certain_at, words) }
}
