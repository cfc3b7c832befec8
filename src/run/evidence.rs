//! What speaks against a person's decision on an open payment: the node's own word, and a POST that may still arrive.

use crate::ledger::DurableIntent;
use crate::payer::{Found, LookUp, NodeProblem, Payer};
use crate::time::UnixMs;

use super::job::Bounds;

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

/// Asks the node of an open payment; without one, only the time tells.
///
/// # Errors
/// Where the node that is named cannot be asked.
pub async fn evidence<P: Payer>(
    payer: Option<&P>,
    intent: &DurableIntent,
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
    let (words, proven) = match found {
        Found::Settled(_) => return Ok(Evidence::Contradicts("has settled")),
        Found::PreimageKnown(_) => return Ok(Evidence::Contradicts("is settling: its preimage is out")),
        Found::InFlight => return Ok(Evidence::Contradicts("is on its way")),
        Found::Unknown(problem) => return Err(problem),
        // Where only one POST was ever begun, the node's knowing the hash is its answer.
        Found::Failed(_) => ("the node says that it failed", all_answered || intent.sends_begun() == 1),
        Found::NotFound => ("the node does not know it", all_answered),
    };
    let words = words.to_owned();
    Ok(if proven { Evidence::Heard(words) } else { heard_by(intent, time, words) })
}

/// What was heard counts once the invoice has expired: until then a POST that stalled may reach the node.
#[must_use]
pub fn heard_by(intent: &DurableIntent, now: UnixMs, words: String) -> Evidence {
    let certain_at = intent.invoice_expires_at().plus_ms(Bounds::default().expiry_margin_ms);
    if now > certain_at { Evidence::Heard(words) } else { Evidence::MayStillArrive(certain_at, words) }
}
