//! Reads the `WWW-Authenticate` headers of a `402` answer (RFC 9110 section 11.6.1, the L402 specification) into one
//! challenge, in every form that is seen in the wild, or says why there is none.

use std::borrow::Cow;

use crate::error::Hinted;
use std::fmt;

use super::header::{self, Offer, Scan};
use super::{Scheme, Token, mpp};

/// The longest token that is taken: it has to fit into one request header, and common servers stop at 8 KiB.
pub const TOKEN_BYTES_MAX: usize = 7 * 1024;

/// The longest invoice that is taken; BOLT11's checksum covers 7,089 characters at most.
pub const INVOICE_BYTES_MAX: usize = 7_089;

/// What the origin asks for: an invoice to pay, and the token that the payment makes valid.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme name, which the credential echoes.
    pub scheme: Scheme,
    /// The token, byte for byte.
    pub token: Token,
    /// The BOLT11 invoice, as received.
    pub invoice: String,
    /// Every parameter, token and invoice included, names and values as received (quotes removed).
    pub params: Vec<(String, String)>,
}

/// Why no challenge can be read. Messages follow "the challenge cannot be used: " and hold no token and no invoice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// No `WWW-Authenticate` header names L402 or LSAT.
    #[error("the answer has no L402 challenge in its WWW-Authenticate header")]
    Missing,
    /// Only the `Payment` scheme is offered, and no charge by Lightning.
    #[error("the origin offers only the Payment scheme, and no charge that is paid by Lightning")]
    OnlyPayment,
    /// A charge of the `Payment` scheme that cannot be echoed, or not without guessing.
    #[error("the Payment challenge cannot be used: {0}")]
    UnreadableCharge(&'static str),
    /// A challenge is there, and none of the scheme that the endpoint names.
    #[error("the origin offers no challenge of the scheme that the endpoint names (`scheme`)")]
    NotOffered,
    /// Schemes are offered, and none of them is L402.
    #[error("the origin asks for another kind of authentication ({0}) and offers no L402")]
    OtherScheme(String),
    /// It names neither a `token` nor a `macaroon`.
    #[error("the challenge has no token")]
    NoToken,
    /// It names no `invoice`.
    #[error("the challenge has no invoice")]
    NoInvoice,
    /// The header has no invoice, and the body seems to hold one, which nothing binds to the token.
    #[error("the invoice stands only in the body, not in the WWW-Authenticate header; it is not paid")]
    InvoiceInBody,
    /// `token` and `macaroon` differ, or one of them is there twice with different values.
    #[error("the challenge names two different tokens")]
    TwoTokens,
    /// `invoice` is there twice with different values.
    #[error("the challenge names two different invoices")]
    TwoInvoices,
    /// Several challenges of the same scheme that differ.
    #[error("the answer holds several different {} challenges, and nothing says which one to pay", .0.as_str())]
    TwoChallenges(Scheme),
    /// A character in the token would break `Authorization: L402 token:preimage`.
    #[error("the token holds a character that would break the Authorization header")]
    TokenCharacters,
    /// The header, the token or the invoice is longer than any that is read.
    #[error("the challenge is too long: {0}")]
    Overlong(&'static str),
    /// A quoted value has no end.
    #[error("the WWW-Authenticate header breaks off inside a quoted value")]
    Malformed,
}

impl Hinted for ChallengeError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        matches!(self, Self::Missing).then(|| "is the URL an L402 endpoint?".into())
    }
}

impl Challenge {
    /// Reads the challenge from the values of all `WWW-Authenticate` header lines, in order of arrival. L402 is
    /// preferred over its old name LSAT, and both over `Payment`; other schemes are passed over.
    ///
    /// # Errors
    /// Where there is no challenge that could be paid and redeemed without guessing.
    pub fn read<'a>(header_lines: impl IntoIterator<Item = &'a str>) -> Result<Self, ChallengeError> {
        Self::read_of(Scheme::ALL, header_lines)
    }

    /// The same of these schemes alone, the first that is offered.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_of<'a>(
        schemes: &[Scheme],
        header_lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ChallengeError> {
        let offers = match header::scan(header_lines) {
            Scan::Offers(offers) => offers,
            Scan::Overlong => return Err(ChallengeError::Overlong("the WWW-Authenticate header")),
            Scan::Unterminated => return Err(ChallengeError::Malformed),
        };
        for scheme in schemes.iter().copied() {
            let mut readings =
                offers.iter().filter(|offer| is_of(scheme, offer)).map(|offer| Self::from_offer(scheme, offer));
            if let Some(first) = readings.next() {
                let first = first?;
                for other in readings {
                    let other = other?;
                    if other.token != first.token || other.invoice != first.invoice {
                        return Err(ChallengeError::TwoChallenges(scheme));
                    }
                }
                return Ok(first);
            }
        }
        let another = |scheme: &Scheme| !schemes.contains(scheme) && offers.iter().any(|offer| is_of(*scheme, offer));
        if Scheme::ALL.iter().any(another) { Err(ChallengeError::NotOffered) } else { Err(without_l402(&offers)) }
    }

    /// Whether these header lines offer that scheme.
    pub fn offers<'a>(scheme: Scheme, header_lines: impl IntoIterator<Item = &'a str>) -> bool {
        match header::scan(header_lines) {
            Scan::Offers(offers) => offers.iter().any(|offer| is_of(scheme, offer)),
            Scan::Overlong | Scan::Unterminated => false,
        }
    }

    fn from_offer(scheme: Scheme, offer: &Offer<'_>) -> Result<Self, ChallengeError> {
        let (token, invoice) = match scheme {
            Scheme::L402 | Scheme::Lsat => token_and_invoice(offer)?,
            Scheme::Payment => mpp::read(offer)?,
        };
        let invoice = without_scheme(invoice);
        if invoice.len() > INVOICE_BYTES_MAX {
            return Err(ChallengeError::Overlong("the invoice"));
        }
        let params =
            offer.params.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_owned())).collect();
        Ok(Self { scheme, token, invoice, params })
    }
}

/// The invoice alone, where it is written as a link (`lightning:lnbc…`).
fn without_scheme(invoice: String) -> String {
    const SCHEME: &str = "lightning:";
    match invoice.trim().split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest.trim_start_matches('/').to_owned(),
        Some(_) | None => invoice,
    }
}

/// Whether that offer is one of this scheme, and paid by Lightning as far as it says.
fn is_of(scheme: Scheme, offer: &Offer<'_>) -> bool {
    offer.scheme.eq_ignore_ascii_case(scheme.as_str()) && (scheme != Scheme::Payment || mpp::is_lightning_charge(offer))
}

fn token_and_invoice(offer: &Offer<'_>) -> Result<(Token, String), ChallengeError> {
    let token = the_only(offer, &["token", "macaroon"], ChallengeError::TwoTokens)?;
    let invoice = the_only(offer, &["invoice"], ChallengeError::TwoInvoices)?;
    let token = token.ok_or(ChallengeError::NoToken)?;
    let invoice = invoice.ok_or(ChallengeError::NoInvoice)?;
    if token.len() > TOKEN_BYTES_MAX {
        return Err(ChallengeError::Overlong("the token"));
    }
    if !token.bytes().all(fits_credential) {
        return Err(ChallengeError::TokenCharacters);
    }
    Ok((Token::new(token.to_owned()), invoice.to_owned()))
}

/// The one value that the offer has under any of these names; a blank one counts as none.
fn the_only<'a>(
    offer: &'a Offer<'_>,
    names: &[&str],
    differ: ChallengeError,
) -> Result<Option<&'a str>, ChallengeError> {
    let mut values = offer
        .params
        .iter()
        .filter(|(name, _)| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
        .map(|(_, value)| value.as_ref())
        .filter(|value| !value.is_empty());
    let first = values.next();
    if values.any(|other| Some(other) != first) { Err(differ) } else { Ok(first) }
}

/// Whether a token's byte can stand in `L402 token:preimage`: printable ASCII; no quotes, comma or colon, which servers
/// split at.
const fn fits_credential(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b',' | b':')
}

fn without_l402(offers: &[Offer<'_>]) -> ChallengeError {
    const NAMES_MAX: usize = 5;
    let is_payment = |offer: &&Offer<'_>| offer.scheme.eq_ignore_ascii_case("Payment");
    if offers.iter().any(|offer| is_payment(&offer)) {
        return ChallengeError::OnlyPayment;
    }
    let names: Vec<&str> = offers.iter().map(|offer| offer.scheme).take(NAMES_MAX).collect();
    if names.is_empty() {
        ChallengeError::Missing
    } else {
        ChallengeError::OtherScheme(crate::terminal_text::printable(&names.join(", ")))
    }
}

impl fmt::Debug for Challenge {
    /// The parameters' names only: their values are credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Challenge").field("scheme", &self.scheme).field("params", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &str = "AGIAJEemVQUTEyNCR0exk7ek90Cg==";
    const INVOICE: &str = "lnbc1500n1pw5kjhm";

    fn read(lines: &[&str]) -> Result<(Scheme, String, String), ChallengeError> {
        let found = Challenge::read(lines.iter().copied())?;
        Ok((found.scheme, found.token.reveal().to_owned(), found.invoice))
    }

    #[test]
    fn every_form_in_the_wild_is_read() {
        let m = format!("macaroon=\"{TOKEN}\"");
        let t = format!("token=\"{TOKEN}\"");
        let i = format!("invoice=\"{INVOICE}\"");
        let lines = [
            format!("L402 {m}, {i}"),
            format!("L402 version=\"0\", {t}, {i}"),
            format!("l402 {m},{i}"),
            format!("L402 {i}, {m}"),
            format!("L402 {m}, {t}, {i}"),
            format!("L402 {m} {i}"),
            format!("L402   {m}\t,  ,{i} ,"),
            format!("L402 token={TOKEN}, invoice={INVOICE}"),
            format!("L402 token={TOKEN} invoice={INVOICE}"),
            format!("L402 macaroon='{TOKEN}', invoice='{INVOICE}'"),
            format!("L402 Token = \"{TOKEN}\", INVOICE = {INVOICE}"),
            format!("LSAT macaroon=\"old\", invoice=\"lnold\", L402 {m}, {i}, Payment id=\"x\", request=\"eyJ9\""),
            format!("Payment id=\"x\", realm=\"a, L402 b=c\", L402 {m}, {i}"),
            format!("Basic realm=\"it's\", L402 realm=\"say \\\"hi\\\"\", {m}, {i}"),
            format!("Negotiate, L402 {m}, {i}, version=7, nonsense"),
        ];
        for line in &lines {
            let expected = Ok((Scheme::L402, TOKEN.to_owned(), INVOICE.to_owned()));
            assert_eq!(read(&[line]), expected, "{line}");
        }
        assert_eq!(read(&[&format!("LSAT {m}, {i}")]), Ok((Scheme::Lsat, TOKEN.to_owned(), INVOICE.to_owned())));
    }

    #[test]
    fn l402_is_preferred_over_lsat_in_any_order_of_lines() {
        let old = "LSAT macaroon=\"old\", invoice=\"lnold\"";
        let new = "L402 macaroon=\"new\", invoice=\"lnnew\"";
        let expected = Ok((Scheme::L402, "new".to_owned(), "lnnew".to_owned()));
        assert_eq!(read(&[old, new]), expected);
        assert_eq!(read(&[new, old]), expected);
        assert_eq!(read(&[new, new]), expected);
    }

    #[test]
    fn base64url_and_opaque_tokens_are_echoed_byte_for_byte() {
        for token in ["AGIAJEem-_QUTEy", "opaque;token/with+all~kinds|of{}<>signs==", "x"] {
            let line = format!("L402 token=\"{token}\", invoice=\"{INVOICE}\"");
            assert_eq!(read(&[&line]).map(|(_, token, _)| token), Ok(token.to_owned()));
        }
    }

    #[test]
    fn an_invoice_that_is_written_as_a_link_is_read() {
        for link in ["lightning:lnbc1", "LIGHTNING:lnbc1", "lightning://lnbc1", "lnbc1"] {
            let line = format!("L402 token=\"t\", invoice=\"{link}\"");
            assert_eq!(read(&[&line]).map(|(_, _, invoice)| invoice), Ok("lnbc1".to_owned()), "{link}");
        }
    }

    #[test]
    fn every_parameter_is_kept_as_received() {
        let line = "L402 version=\"0\", Token=\"t\", invoice=\"i\", x-Note='a b'";
        let expected = [("version", "0"), ("Token", "t"), ("invoice", "i"), ("x-Note", "a b")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(Challenge::read([line]).unwrap().params, expected);
    }

    #[test]
    fn what_would_be_a_guess_is_refused_with_the_reason() {
        let long = format!("L402 token=\"{}\", invoice=\"i\"", "a".repeat(TOKEN_BYTES_MAX + 1));
        let long_invoice = format!("L402 token=\"t\", invoice=\"{}\"", "a".repeat(INVOICE_BYTES_MAX + 1));
        let huge = "x".repeat(header::HEADER_BYTES_MAX + 1);
        let table: [(&[&str], ChallengeError); 17] = [
            (&[], ChallengeError::Missing),
            (&["", " , "], ChallengeError::Missing),
            (&["Payment id=\"x\", method=\"card\""], ChallengeError::OnlyPayment),
            (&["Basic realm=\"x\", Bearer"], ChallengeError::OtherScheme("Basic, Bearer".to_owned())),
            (&["L402 invoice=\"i\""], ChallengeError::NoToken),
            (&["L402 token=\"\", invoice=\"i\""], ChallengeError::NoToken),
            (&["L402 token=\"t\""], ChallengeError::NoInvoice),
            (&["L402 token=\"t\", invoice="], ChallengeError::NoInvoice),
            (&["L402 token=\"t\", macaroon=\"u\", invoice=\"i\""], ChallengeError::TwoTokens),
            (&["L402 token=\"t\", token=\"u\", invoice=\"i\""], ChallengeError::TwoTokens),
            (&["L402 token=\"t\", invoice=\"i\", invoice=\"j\""], ChallengeError::TwoInvoices),
            (
                &["L402 token=\"t\", invoice=\"i\"", "L402 token=\"t\", invoice=\"j\""],
                ChallengeError::TwoChallenges(Scheme::L402),
            ),
            (&["L402 token=\"t:u\", invoice=\"i\""], ChallengeError::TokenCharacters),
            (&["L402 token=\"t", "x\", invoice=\"i\""], ChallengeError::Malformed),
            (&[&long], ChallengeError::Overlong("the token")),
            (&[&long_invoice], ChallengeError::Overlong("the invoice")),
            (&[&huge], ChallengeError::Overlong("the WWW-Authenticate header")),
        ];
        for (lines, error) in table {
            assert_eq!(read(lines), Err(error.clone()), "{error}");
        }
        for breaking in ["a b", "a,b", "ä", "a\\\"b", "a'b", "\u{7f}"] {
            let line = format!("L402 token=\"{breaking}\", invoice=\"i\"");
            assert_eq!(read(&[&line]), Err(ChallengeError::TokenCharacters), "{breaking}");
        }
    }

    #[test]
    fn credentials_do_not_show() {
        let shown = format!("{:?}", Challenge::read(["L402 token=\"geheim\", invoice=\"lngeheim\""]));
        assert!(!shown.contains("geheim"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(lines in proptest::collection::vec(any::<String>(), 0..4)) {
            let _ = Challenge::read(lines.iter().map(String::as_str));
        }

        #[test]
        fn no_almost_right_header_makes_it_panic(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "L402", "LSAT", "Payment", "token", "macaroon", "invoice", "=", "\"", "'", "\\", ",", " ", "é", "==",
                ]),
                0..40,
            )
        ) {
            let line = words.concat();
            if let Ok(found) = Challenge::read([line.as_str()]) {
                prop_assert!(found.scheme == Scheme::Payment || found.token.reveal().bytes().all(fits_credential));
                prop_assert!(!found.invoice.is_empty());
            }
        }

        #[test]
        fn a_quoted_pair_comes_back(token in "[A-Za-z0-9+/_=-]{1,80}", invoice in "ln[a-z0-9]{1,80}", first in any::<bool>()) {
            let (t, i) = (format!("token=\"{token}\""), format!("invoice={invoice}"));
            let line = if first { format!("L402 {t}, {i}") } else { format!("L402 {i} {t}") };
            prop_assert_eq!(read(&[&line]), Ok((Scheme::L402, token, invoice)));
        }
    }
}
