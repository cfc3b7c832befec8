//! The L402 exchange as types: challenge, invoice, token, preimage, credential. Bytes to types, no I/O.

mod types;

pub use types::{Network, PaymentHash, Preimage, Scheme, Token, WrongPreimage};
