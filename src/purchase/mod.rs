//! The words of one purchase, which asking, paying and recording share: pure, and below the ports.

mod exchange;
mod state;

pub(crate) use exchange::INCOMPLETE;
pub use exchange::{Credential, HttpAnswer, Poll, Request};
pub use state::{JobState, Next, Reason, tried_again};

/// A node's identity: its public key in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WalletId(pub String);
