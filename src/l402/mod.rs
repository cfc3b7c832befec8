//! The L402 exchange as types: challenge, invoice, token, preimage, credential. Bytes to types, no I/O.

mod challenge;
mod check;
mod header;
mod invoice;
pub mod macaroon;
#[cfg(feature = "sandbox")]
pub mod mint;
mod mpp;
mod receipt;
#[cfg(test)]
mod samples;
mod types;

pub use challenge::{Challenge, ChallengeError, INVOICE_BYTES_MAX, TOKEN_BYTES_MAX};
pub use check::{CheckedChallenge, Expected, Refusal, check, check_body};
pub use invoice::{Invoice, InvoiceError};
pub(crate) use mpp::{PAYMENT_AUTHORIZATION, credential as payment_credential, has_own_header, secrets_of};
pub use receipt::PaymentReceipt;
pub use types::{Network, PaymentHash, Preimage, Scheme, Token, WrongPreimage};
