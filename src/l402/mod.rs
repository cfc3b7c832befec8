//! The L402 exchange as types: challenge, invoice, token, preimage, credential. Bytes to types, no I/O.

mod challenge;
mod check;
mod header;
mod invoice;
pub mod macaroon;
#[cfg(feature = "sandbox")]
pub mod mint;
mod mpp;
#[cfg(test)]
mod samples;
mod types;

pub use challenge::{Challenge, ChallengeError, INVOICE_BYTES_MAX, TOKEN_BYTES_MAX};
pub use check::{CheckedChallenge, Expected, Refusal, check};
pub use invoice::{Invoice, InvoiceError};
pub(crate) use mpp::credential as payment_credential;
pub use types::{Network, PaymentHash, Preimage, Scheme, Token, WrongPreimage};
