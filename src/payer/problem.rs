//! Why a wallet cannot be used now: what went wrong is told apart here, for all of them alike; what to do about it is the
//! wallet's own to say.

use std::borrow::Cow;

use crate::error::Hinted;
use crate::tls::Distrust;

/// Why a wallet cannot be used now, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct NodeProblem {
    /// What went wrong.
    #[source]
    pub kind: ProblemKind,
    /// What to do, as the implementation knows it; none where it has nothing to say.
    pub hint: Option<&'static str>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// No connection, or none that lasted.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    /// The TLS certificate is not accepted.
    #[error("the node's TLS certificate is not accepted")]
    Certificate(#[source] Untrusted),
    /// The wallet is locked.
    #[error("the node's wallet is locked")]
    Locked,
    /// It is starting up.
    #[error("the node is starting up")]
    Starting,
    /// What authorises us is missing, malformed, another node's, expired, or allows too little; what that is, and why.
    #[error("the node refuses {0}")]
    Denied(String),
    /// It is not synced to the chain.
    #[error("the node is not synced to the chain")]
    NotSynced,
    /// Anything else, in the wallet's words.
    #[error("the node answered in a way that was not understood: {0}")]
    Other(String),
}

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is another one than was given.
    #[error("it is not the one that was given")]
    Other,
    /// None was given, and the system does not trust the wallet's.
    #[error("none was given, and the system does not trust the node's")]
    Unknown(#[source] Distrust),
}

impl Hinted for NodeProblem {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.map(Cow::Borrowed)
    }
}

/// Without a hint.
impl From<ProblemKind> for NodeProblem {
    fn from(kind: ProblemKind) -> Self {
        Self { kind, hint: None }
    }
}
