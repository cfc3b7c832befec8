//! What to do about a problem where the wallet is an lnd.

use crate::payer::{NodeProblem, ProblemKind, Untrusted};
use crate::tls::Distrust;

/// The problem, with what to do about it.
pub(super) const fn advised(kind: ProblemKind) -> NodeProblem {
    let hint = match &kind {
        ProblemKind::Unreachable(_) => Some("is lnd running, and is the URL its REST address?"),
        ProblemKind::Locked => Some("unlock it with `lncli unlock`"),
        ProblemKind::Starting => Some("wait until `lncli state` says SERVER_ACTIVE"),
        ProblemKind::Denied(_) => Some("bake one with the permissions in the README"),
        ProblemKind::NotSynced => Some("wait until `lncli getinfo` says synced_to_chain"),
        ProblemKind::Certificate(Untrusted::Other) => Some("pass the tls.cert of this very node"),
        ProblemKind::Certificate(Untrusted::Unknown(why)) => Some(unknown(why)),
        ProblemKind::Other(_) => None,
    };
    NodeProblem { kind, hint }
}

/// No certificate was given.
const fn unknown(why: &Distrust) -> &'static str {
    match why {
        Distrust::Other | Distrust::BySelf | Distrust::Issuer(_) | Distrust::NoAuthorities(_) | Distrust::Else(_) => {
            "lnd signs its own: pass its tls.cert with --lnd-cert-file"
        }
        Distrust::Expired(_) | Distrust::NotYet => {
            "is this machine's clock right? Else have it renewed, or pass it with --lnd-cert-file if it is the node's own"
        }
        Distrust::Name(_) => {
            "name the node in --lnd-url as its certificate does, or pass its tls.cert with --lnd-cert-file"
        }
    }
}

/// The macaroon is missing, malformed, of another node, expired, or allows too little.
pub(super) fn denied(why: &str) -> NodeProblem {
    advised(ProblemKind::Denied(format!("the macaroon: {why}")))
}

/// A problem of no known kind, in the words for it.
pub(super) const fn other(words: String) -> NodeProblem {
    advised(ProblemKind::Other(words))
}

/// A problem of no known kind, in the words for it, and what to do about it.
pub(super) const fn other_with(words: String, hint: &'static str) -> NodeProblem {
    NodeProblem { kind: ProblemKind::Other(words), hint: Some(hint) }
}

/// There is no wallet behind the node.
pub(super) fn no_wallet() -> NodeProblem {
    other_with("it has no wallet yet".to_owned(), "create one with `lncli create`")
}

/// No connection, or none that lasted.
pub(super) const fn unreachable(words: String) -> NodeProblem {
    advised(ProblemKind::Unreachable(words))
}
