//! What the paying node says of an open payment before a person's decision on it counts.

use crate::ledger::{DeadProof, DurableIntent, HistoryCheck};
use crate::payer::{NodeProblem, Payer};
use crate::time::UnixMs;

use super::payment_lookup::look_up_with;
use crate::life::{Bounds, PaymentFate, death_proof};

/// What was heard before a person's decision is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// By the node's own answer the payment can never settle; what it said, in words, for the record.
    Proven(DeadProof, String),
    /// The node knows better; what it says of the payment, to follow "the payment".
    Contradicts(&'static str),
    /// Nobody who would know has said how it ended; why, in words.
    Unproven(String),
}

/// Asks the node of an open payment. What it says against the payment is news only where it still knows what `history_check` names.
///
/// # Errors
/// Where the node that is named cannot be asked.
pub async fn evidence<P: Payer>(
    payer: Option<&P>,
    intent: &DurableIntent,
    history_check: &HistoryCheck,
    now: UnixMs,
) -> Result<Evidence, NodeProblem> {
    let Some(payer) = payer else {
        return Ok(Evidence::Unproven("the node was not asked, as none was named".to_owned()));
    };
    let lookup = look_up_with(payer, intent, history_check).await;
    let proof = death_proof(intent, &lookup, now, &Bounds::default(), &payer.promises());
    let words = match lookup.fate {
        PaymentFate::Settled(_) => return Ok(Evidence::Contradicts("has settled")),
        PaymentFate::PreimageKnown(_) => return Ok(Evidence::Contradicts("is settling: its preimage is out")),
        PaymentFate::InFlight => return Ok(Evidence::Contradicts("is on its way")),
        PaymentFate::Unknown(problem) => return Err(problem),
        PaymentFate::Failed(_) => "the node says that it failed".to_owned(),
        PaymentFate::NotFound | PaymentFate::Untestable if intent.accepted() => {
            "the node knew it and does not know it any more".to_owned()
        }
        PaymentFate::NotFound => "the node does not know it".to_owned(),
        PaymentFate::Untestable => {
            "the node does not know it, and nothing shows that it has kept its history".to_owned()
        }
        PaymentFate::Forgot(words) | PaymentFate::OtherNode(words) => words,
    };
    Ok(match proof {
        Some(proof) => Evidence::Proven(proof, words),
        None => Evidence::Unproven(words),
    })
}
