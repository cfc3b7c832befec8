//! What a person is shown of a body that an origin answered with: never what could be spent.

use crate::l402::secrets_of;
use crate::purchase::HttpAnswer;

/// Characters of an answer's body that are handed out.
const BODY_CHARS_MAX: usize = 4_096;
/// Bytes of it that are read, so that a secret across the cut is still found.
pub(super) const BODY_BYTES_READ: u32 = 32 * 1_024;
/// What stands in the place of a secret.
const HIDDEN: &str = "[credential]";
/// How a link for a refund begins, in any case.
const LNURL: &str = "lnurl1";

/// What no answer to a payment is shown with, though its origin may have put it there.
pub(super) struct Secrets {
    /// The token of the credential; empty where none is known.
    pub(super) token: String,
    /// The preimage, in hex.
    pub(super) preimage: Option<String>,
    /// Whoever has the link of a refund can have the money.
    pub(super) refund_link: Option<String>,
}

impl Secrets {
    /// The beginning of a body as text, without any of them. `body` holds at most [`BODY_BYTES_READ`] bytes.
    pub(super) fn hide_in(&self, status: u16, body: Vec<u8>) -> String {
        let answer = HttpAnswer { status, headers: Vec::new(), body };
        // What was no refund's record may still name a link.
        let told = answer.refund_link();
        let mut text = self.hide(&String::from_utf8_lossy(&answer.body), told.as_deref());
        if let Some((cut, _)) = text.char_indices().nth(BODY_CHARS_MAX) {
            text.truncate(cut);
            text.push('…');
        }
        text
    }

    /// A text without any of them, nor that link.
    pub(super) fn hide(&self, text: &str, told: Option<&str>) -> String {
        let sent = secrets_of(&self.token, self.preimage.as_deref());
        let known = [Some(self.token.as_str()), self.preimage.as_deref(), self.refund_link.as_deref(), told];
        let mut text = text.to_owned();
        let known = sent.iter().map(String::as_str).chain(known.into_iter().flatten());
        for secret in known.filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, HIDDEN);
            // Many servers write a slash so in JSON.
            text = text.replace(&secret.replace('/', "\\/"), HIDDEN);
        }
        without_lnurl(&text)
    }
}

/// Hides what is written as an LNURL, wherever it stands: also in words, and in a body that is cut off.
fn without_lnurl(text: &str) -> String {
    // Lower case of ASCII leaves every byte where it was.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower.get(from..).and_then(|rest| rest.find(LNURL)).map(|at| from.saturating_add(at)) {
        let rest = lower.get(at..).unwrap_or_default();
        let end = at.saturating_add(rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()));
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(HIDDEN);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(token: &str, body: &[u8]) -> String {
        let secrets = Secrets { token: token.to_owned(), preimage: None, refund_link: Some(String::new()) };
        secrets.hide_in(200, body.to_vec())
    }

    #[test]
    fn a_body_shows_no_credential_and_has_an_end() {
        assert_eq!(shown("to/ken", b"got L402 to/ken:ff \xff"), "got L402 [credential]:ff \u{fffd}");
        assert_eq!(shown("to/ken", br#"{"got":"to\/ken"}"#), r#"{"got":"[credential]"}"#);
        assert_eq!(
            shown("", b"at lnurl1qq7, LNURL1AZ\" \xc3\xa9lnurl1x"),
            "at [credential], [credential]\" é[credential]"
        );
        let long = shown("", "é".repeat(10_000).as_bytes());
        assert_eq!(long.chars().count(), BODY_CHARS_MAX + 1);
    }

    /// Of the `Payment` scheme the credential is no text in which token and preimage stand side by side.
    #[test]
    fn a_body_shows_no_credential_of_the_payment_scheme() {
        let token = r#"{"id":"1","opaque":"bWFjYXJvb24"}"#;
        let hash = crate::l402::PaymentHash(
            sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), [7; 32])).into(),
        );
        let preimage = crate::l402::Preimage::verify([7; 32], &hash).unwrap();
        let sent = crate::l402::payment_credential(&crate::l402::Token::new(token.to_owned()), &preimage);
        let secrets = Secrets { token: token.to_owned(), preimage: Some("07".repeat(32)), refund_link: None };
        let body = format!("got Payment {sent} with bWFjYXJvb24");
        assert_eq!(secrets.hide_in(500, body.into_bytes()), "got Payment [credential] with [credential]");
    }

    #[test]
    fn a_body_shows_neither_preimage_nor_link_of_a_refund() {
        let secrets = Secrets {
            token: String::new(),
            preimage: Some("aa11".to_owned()),
            refund_link: Some("lightning:kept".to_owned()),
        };
        assert_eq!(secrets.hide_in(500, b"aa11 and lightning:kept".to_vec()), "[credential] and [credential]");
    }
}
