//! What the paying node says of an open payment before a person's decision on it counts.

use crate::ledger::{DeadProof, DurableIntent, Witness};
use crate::payer::{NodeProblem, Payer};
use crate::time::UnixMs;

use super::job::{Bounds, Seen, death_proof};
use super::sighting::sight_with;

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

/// Asks the node of an open payment. What it says against the payment is news only where it still knows what `witness` names.
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
        return Ok(Evidence::Unproven("the node was not asked, as none was named".to_owned()));
    };
    let sighting = sight_with(payer, intent, witness).await;
    let proof = death_proof(intent, &sighting, now, &Bounds::default());
    let words = match sighting.seen {
        Seen::Settled(_) => return Ok(Evidence::Contradicts("has settled")),
        Seen::PreimageKnown(_) => return Ok(Evidence::Contradicts("is settling: its preimage is out")),
        Seen::InFlight => return Ok(Evidence::Contradicts("is on its way")),
        Seen::Unknown(problem) => return Err(problem),
        Seen::Failed(_) => "the node says that it failed".to_owned(),
        Seen::NotFound | Seen::Unwitnessed if intent.accepted() => {
            "the node knew it and does not know it any more".to_owned()
        }
        Seen::NotFound => "the node does not know it".to_owned(),
        Seen::Unwitnessed => "the node does not know it, and nothing shows that it has kept its history".to_owned(),
        Seen::Forgot(words) | Seen::OtherNode(words) => words,
    };
    Ok(match proof {
        Some(proof) => Evidence::Proven(proof, words),
        None => Evidence::Unproven(words),
    })
}
