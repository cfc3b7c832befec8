//! The words of one purchase, which asking, paying and recording share: pure, and below the ports.

mod body;
mod body_folder;
mod exchange;
mod request;
mod state;

pub use body::{Body, BodyFile};
pub use body_folder::{BodyFolder, BodyWriter};
pub(crate) use body_folder::{HELD_BYTES_MAX, ROOM_LEFT_BYTES_MIN, is_abandoned};
pub(crate) use exchange::INCOMPLETE;
pub use exchange::{Credential, HttpAnswer, Poll};
pub use request::{BOUNDARY_MARK, Request};
pub use state::{JobState, Next, Reason, tried_again};

/// A node's identity: its public key in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WalletId(pub String);
