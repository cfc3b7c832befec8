//! The input is the lines of `WWW-Authenticate`. What is read from them is read again from a header that is made of it.

#![no_main]

use l402_batch::l402::{Challenge, INVOICE_BYTES_MAX, Scheme, TOKEN_BYTES_MAX, macaroon};
use l402_batch_fuzz::assert_harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Challenge::read(text.lines()) {
        Ok(challenge) => {
            holds(&challenge);
            let again = Challenge::read([written(&challenge).as_str()]);
            // Escaping may have made the header longer than any that is read.
            if written(&challenge).len() <= 16 * 1024 {
                assert_eq!(again.as_ref(), Ok(&challenge));
            }
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
});

fn holds(challenge: &Challenge) {
    let token = challenge.token.reveal();
    assert!(!token.is_empty() && token.len() <= TOKEN_BYTES_MAX);
    // It stands in `Authorization: L402 token:preimage` without changing what the line means; of a charge, as base64.
    assert!(
        challenge.scheme == Scheme::Payment || token.bytes().all(|b| b.is_ascii_graphic() && !b"\"',:".contains(&b)),
        "{token:?}"
    );
    assert!(!challenge.invoice.is_empty() && challenge.invoice.len() <= INVOICE_BYTES_MAX);
    assert!(!format!("{challenge:?}").contains(&format!("\"{token}\"")) || is_name(challenge, token));
    let _ = macaroon::payment_hash_of(token);
}

/// `Debug` shows the names of parameters, and one may be the same word as the token.
fn is_name(challenge: &Challenge, word: &str) -> bool {
    challenge.params.iter().any(|(name, _)| name == word)
}

fn written(challenge: &Challenge) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let params: Vec<String> =
        challenge.params.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{} {}", challenge.scheme.as_str(), params.join(", "))
}
