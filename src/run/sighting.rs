//! What the node of an intent says of its payment. "Not found" counts only from the same node with its history intact
//! (rule 5), so that is asked here, every time.

use crate::l402::PaymentHash;
use crate::ledger::{DurableIntent, Ledger, LedgerError, Witness};
use crate::payer::{Found, LookUp, NodeId, NodeProblem, Payer};

use super::job::{Seen, Sighting};

/// Looks a payment up, or follows it for `track_ms` where that is given.
pub(super) async fn sight<L: Ledger, P: Payer>(
    ledger: &L,
    payer: &P,
    intent: &DurableIntent,
    track_ms: Option<u64>,
) -> Result<Sighting, LedgerError> {
    // The identity is asked for before the hash: an answer of another node says nothing about ours.
    let node = match payer.node().await {
        Ok(node) => node,
        Err(problem) => return Ok(Sighting { seen: Seen::Unknown(problem), node_time: None }),
    };
    if node.id != *intent.node() {
        let seen = Seen::OtherNode(other_node(intent.node(), &node.id));
        return Ok(Sighting { seen, node_time: node.node_time });
    }
    let LookUp { found, node_time } = match track_ms {
        None => payer.look_up(intent.hash()).await,
        Some(patience_ms) => payer.track(intent.hash(), patience_ms).await,
    };
    let seen = match found {
        Found::Settled(settled) => Seen::Settled(settled),
        Found::PreimageKnown(preimage) => Seen::PreimageKnown(preimage),
        // With several POSTs a FAILED is as little as "not found": a node that has forgotten that the first one settled
        // fails when a later one arrives.
        Found::Failed(failure) if intent.sends_begun() > 1 => {
            remembered(ledger, payer, intent).await?.unwrap_or(Seen::Failed(failure))
        }
        Found::Failed(failure) => Seen::Failed(failure),
        Found::InFlight => Seen::InFlight,
        Found::Unknown(problem) => Seen::Unknown(problem),
        Found::NotFound => remembered(ledger, payer, intent).await?.unwrap_or(Seen::NotFound),
    };
    Ok(Sighting { seen, node_time: node_time.or(node.node_time) })
}

fn other_node(intended: &NodeId, found: &NodeId) -> String {
    format!(
        "node {} was asked to pay, and node {} answers; connect the first one, it alone knows",
        short(&intended.0),
        short(&found.0)
    )
}

fn short(key: &str) -> &str {
    key.get(..16).unwrap_or(key)
}

/// What a node says against a payment is news only where it still knows what it settled before. Nothing where it does.
async fn remembered<L: Ledger, P: Payer>(
    ledger: &L,
    payer: &P,
    intent: &DurableIntent,
) -> Result<Option<Seen>, LedgerError> {
    let witness = ledger.witness(intent.node(), intent.payment()).await?;
    Ok(tested(payer, intent.node(), &witness).await.err())
}

/// Whether the node still knows what it settled; else what is to be said instead.
pub(super) async fn tested<P: Payer>(payer: &P, intended: &NodeId, witness: &Witness) -> Result<(), Seen> {
    let forgotten = forgotten(payer, witness).await.map_err(Seen::Unknown)?;
    // Another node may have taken the address over between the first question and the answers: then it was that one which
    // knows nothing, and ours has not forgotten.
    match payer.node().await {
        Ok(node) if node.id == *intended => forgotten.map_or(Ok(()), |what| Err(Seen::Forgot(forgot(what)))),
        Ok(node) => Err(Seen::OtherNode(other_node(intended, &node.id))),
        Err(problem) => Err(Seen::Unknown(problem)),
    }
}

/// What the answering node does not know any more of what the ledger knows to have settled.
async fn forgotten<P: Payer>(payer: &P, witness: &Witness) -> Result<Option<&'static str>, NodeProblem> {
    for settled in witness.newest_settled.iter().chain(&witness.around) {
        if !still_known(payer, settled).await? {
            return Ok(Some("a payment that it had settled"));
        }
    }
    let newest = payer.newest_payment_index().await?;
    Ok(witness.payment_index.is_some_and(|seen| newest < seen).then_some("its latest payments"))
}

fn forgot(what: &str) -> String {
    format!(
        "the node has forgotten {what}: it was restored or its payments were deleted, so it cannot say what it paid"
    )
}

async fn still_known<P: Payer>(payer: &P, hash: &PaymentHash) -> Result<bool, NodeProblem> {
    match payer.look_up(hash).await.found {
        Found::Settled(_) | Found::InFlight | Found::PreimageKnown(_) => Ok(true),
        Found::NotFound | Found::Failed(_) => Ok(false),
        Found::Unknown(problem) => Err(problem),
    }
}
