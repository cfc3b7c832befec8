//! What the node of an intent says of its payment. "Not found" counts only from the same node with its history intact
//! (rule 5), so that is asked here, every time.

use crate::l402::PaymentHash;
use crate::ledger::{DurableIntent, HistoryCheck, Ledger, LedgerError};
use crate::payer::{Found, LookUp, NodeProblem, Payer};
use crate::purchase::WalletId;
use crate::time::UnixMs;

use crate::life::{PaymentFate, PaymentLookup};

/// Looks a payment up, or follows it for `track_ms` where that is given.
pub(super) async fn look_up<L: Ledger, P: Payer>(
    ledger: &L,
    payer: &P,
    intent: &DurableIntent,
    track_ms: Option<u64>,
) -> Result<PaymentLookup, LedgerError> {
    let (said, node_time) = ask(payer, intent, track_ms).await;
    let seen = match said {
        Ok(seen) => seen,
        Err(said) => {
            let history_check = ledger.history_check(intent.node(), intent.payment()).await?;
            weighed(payer, intent, said, &history_check).await
        }
    };
    Ok(PaymentLookup { fate: seen, node_time })
}

/// As [`sight`], once, with the history check at hand.
pub(super) async fn look_up_with<P: Payer>(
    payer: &P,
    intent: &DurableIntent,
    history_check: &HistoryCheck,
) -> PaymentLookup {
    let (said, node_time) = ask(payer, intent, None).await;
    let seen = match said {
        Ok(seen) => seen,
        Err(said) => weighed(payer, intent, said, history_check).await,
    };
    PaymentLookup { fate: seen, node_time }
}

/// What counts as it is said; as an error, what counts only where the node has forgotten nothing. And the node's clock.
async fn ask<P: Payer>(
    payer: &P,
    intent: &DurableIntent,
    track_ms: Option<u64>,
) -> (Result<PaymentFate, PaymentFate>, Option<UnixMs>) {
    // The identity is asked for before the hash: an answer of another node says nothing about ours.
    let node = match payer.node().await {
        Ok(node) => node,
        Err(problem) => return (Ok(PaymentFate::Unknown(problem)), None),
    };
    if node.id != *intent.node() {
        return (Ok(PaymentFate::OtherNode(other_node(intent.node(), &node.id))), node.node_time);
    }
    let LookUp { found, node_time } = match track_ms {
        None => payer.look_up(intent.hash()).await,
        Some(patience_ms) => payer.track(intent.hash(), patience_ms).await,
    };
    let said = match found {
        Found::Settled(settled) => Ok(PaymentFate::Settled(settled)),
        Found::PreimageKnown(preimage) => Ok(PaymentFate::PreimageKnown(preimage)),
        // With several POSTs a FAILED is as little as "not found": a node that has forgotten that the first one settled fails when a
        // later one arrives.
        Found::Failed(failure) if intent.sends_begun() > 1 => Err(PaymentFate::Failed(failure)),
        Found::Failed(failure) => Ok(PaymentFate::Failed(failure)),
        Found::InFlight => Ok(PaymentFate::InFlight),
        Found::Unknown(problem) => Ok(PaymentFate::Unknown(problem)),
        Found::NotFound => Err(PaymentFate::NotFound),
    };
    (said, node_time.or(node.node_time))
}

fn other_node(intended: &WalletId, found: &WalletId) -> String {
    format!(
        "node {} was asked to pay, and node {} answers; connect the first one, it alone knows",
        short(&intended.0),
        short(&found.0)
    )
}

fn short(key: &str) -> &str {
    key.get(..16).unwrap_or(key)
}

/// What a node says against a payment is news only where it still knows what it settled before.
async fn weighed<P: Payer>(
    payer: &P,
    intent: &DurableIntent,
    said: PaymentFate,
    history_check: &HistoryCheck,
) -> PaymentFate {
    // Whoever does not promise to remember is not tested by what it would have to know.
    if !payer.promises().remembers() {
        return PaymentFate::Untestable;
    }
    if let Err(instead) = tested(payer, intent.node(), history_check).await {
        return instead;
    }
    let all_failed = matches!(said, PaymentFate::Failed(_)) && intent.sends_answered() >= intent.sends_begun();
    if history_check.is_earlier || all_failed { said } else { PaymentFate::Untestable }
}

/// Whether the node still knows what it settled; else what is to be said instead.
async fn tested<P: Payer>(payer: &P, intended: &WalletId, history_check: &HistoryCheck) -> Result<(), PaymentFate> {
    let remembers = remembers(payer, history_check).await.map_err(PaymentFate::Unknown)?;
    // Another node may have taken the address over between the first question and the answers: then it was that one which
    // knows nothing, and ours has not forgotten.
    match payer.node().await {
        Ok(node) if node.id == *intended && remembers => Ok(()),
        Ok(node) if node.id == *intended => Err(PaymentFate::Forgot(forgot())),
        Ok(node) => Err(PaymentFate::OtherNode(other_node(intended, &node.id))),
        Err(problem) => Err(PaymentFate::Unknown(problem)),
    }
}

/// Whether the answering node still knows all that the ledger knows to have settled.
async fn remembers<P: Payer>(payer: &P, history_check: &HistoryCheck) -> Result<bool, NodeProblem> {
    for settled in &history_check.settled {
        if !still_known(payer, settled).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn forgot() -> String {
    "the node has forgotten a payment that it had settled: it was restored or its payments were deleted, so it cannot say what it \
     paid"
        .to_owned()
}

async fn still_known<P: Payer>(payer: &P, hash: &PaymentHash) -> Result<bool, NodeProblem> {
    match payer.look_up(hash).await.found {
        Found::Settled(_) | Found::InFlight | Found::PreimageKnown(_) => Ok(true),
        Found::NotFound | Found::Failed(_) => Ok(false),
        Found::Unknown(problem) => Err(problem),
    }
}
