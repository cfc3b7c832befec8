//! Reads the answer to an unpaid request: a challenge, or why there is none.

use super::answer_envelope::Envelope;
use crate::catalog::{AuthScheme, Endpoint, Treatment};
use crate::error::Hinted;
use crate::l402::{Challenge, ChallengeError, Refusal, Scheme};
use crate::purchase::{HttpAnswer, Reason};

/// What an unpaid request brought. Nothing is spent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChallengeResponse {
    /// The origin asks for payment.
    Challenge(Challenge),
    /// It will not sell this; the same request would be answered so again.
    Refused {
        /// The reason, as results and events name it.
        reason: Reason,
        /// In words, with what to do; harmless, without secrets.
        message: String,
    },
    /// It may sell it later.
    Retry {
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// The reason, as results and events name it.
        reason: Reason,
        /// In words; harmless, without secrets.
        message: String,
    },
}

/// The schemes in which an endpoint's challenge is taken, the preferred first.
const fn taken(endpoint: &Endpoint) -> &'static [Scheme] {
    match endpoint.terms.scheme {
        // A charge of the Payment scheme is one charge.
        None if endpoint.is_reusable() => &[Scheme::L402, Scheme::Lsat],
        None => Scheme::ALL,
        Some(AuthScheme::L402) => &[Scheme::L402, Scheme::Lsat],
        Some(AuthScheme::Payment) => &[Scheme::Payment],
    }
}

/// The scheme in which an endpoint is asked for a challenge.
#[must_use]
pub const fn challenged_in(endpoint: &Endpoint) -> Scheme {
    match endpoint.terms.scheme {
        None | Some(AuthScheme::L402) => Scheme::L402,
        Some(AuthScheme::Payment) => Scheme::Payment,
    }
}

/// Reads the answer to an unpaid request: a challenge, else what the endpoint's table says of its error code, else by
/// its status.
#[must_use]
pub fn read_ask(answer: &HttpAnswer, endpoint: &Endpoint) -> ChallengeResponse {
    let challenge = || Challenge::read_of(taken(endpoint), answer.headers_named("www-authenticate"));
    // What such an answer says besides is not looked at.
    if answer.status == 402
        && let Ok(challenge) = challenge()
    {
        return ChallengeResponse::Challenge(challenge);
    }
    let said = Envelope::of(answer);
    if answer.status == 402 || said.status == 402 {
        return match challenge() {
            Ok(challenge) => ChallengeResponse::Challenge(challenge),
            Err(error) => refused(Reason::ChallengeInvalid, &told_by_body(error, &said).told()),
        };
    }
    match said.before(endpoint) {
        Treatment::ContentFiltered => refused(Reason::ContentFiltered, &said.message),
        Treatment::InvalidInput => refused(Reason::InvalidInput, &said.message),
        Treatment::Never => refused(Reason::OriginError, &said.message),
        Treatment::NotForSale => refused(Reason::NotForSale, &not_for_sale(&said)),
        Treatment::RateLimited => retry(Reason::RateLimited, said),
        Treatment::Retry => retry(Reason::OriginError, said),
        Treatment::Cached => ChallengeResponse::Retry {
            after_ms: said.after_window_ms(endpoint),
            reason: Reason::AnsweredFromCache,
            message: format!("{}; the origin answered from its cache, which is no purchase", said.message),
        },
        Treatment::RedeemAgain | Treatment::Refund | Treatment::ByStatus => by_status(said),
    }
}

fn not_for_sale(said: &Envelope) -> String {
    format!("{}; the origin answered without asking for payment, so nothing is bought here", said.message)
}

fn by_status(said: Envelope) -> ChallengeResponse {
    match said.status {
        200..=299 => refused(Reason::NotForSale, &not_for_sale(&said)),
        400 | 413 | 414 | 415 | 422 => refused(Reason::InvalidInput, &said.message),
        429 => retry(Reason::RateLimited, said),
        408 | 425 | 500..=599 => retry(Reason::OriginError, said),
        status => refused(Reason::OriginError, &format!("{}; {}", said.message, what_to_do(status))),
    }
}

const fn what_to_do(status: u16) -> &'static str {
    match status {
        404 | 410 => "check the endpoint's url",
        405 => "check the endpoint's method",
        401 | 403 => "the origin turns the request away before any payment; ask its operator",
        _ => "check the endpoint's url and method",
    }
}

/// A missing invoice that stands in the body is told so.
fn told_by_body(error: ChallengeError, said: &Envelope) -> ChallengeError {
    let in_body = |name: &str| said.text_at(&[format!("/{name}")]).is_some();
    let fields = ["invoice", "payment_request", "paymentRequest", "bolt11", "pr"];
    match error {
        ChallengeError::Missing | ChallengeError::NoInvoice if fields.into_iter().any(in_body) => {
            ChallengeError::InvoiceInBody
        }
        other => other,
    }
}

fn refused(reason: Reason, message: &str) -> ChallengeResponse {
    ChallengeResponse::Refused { reason, message: message.to_owned() }
}

fn retry(reason: Reason, said: Envelope) -> ChallengeResponse {
    ChallengeResponse::Retry { after_ms: said.after_ms, reason, message: said.message }
}

impl From<&Refusal> for Reason {
    /// The word under which a refused challenge is shown.
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::InvoiceInvalid(_) => Self::InvoiceInvalid,
            Refusal::ChallengeInvalid | Refusal::OtherBody | Refusal::UncheckedBody => Self::ChallengeInvalid,
            Refusal::WrongNetwork { .. } => Self::WrongNetwork,
            Refusal::PriceChanged { .. } | Refusal::AboveCap { .. } => Self::PriceChanged,
            Refusal::InvoiceExpired { .. } => Self::InvoiceExpired,
            Refusal::InvoiceLife { .. } => Self::InvoiceLife,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::samples::{answer, endpoint};
    use proptest::prelude::*;

    fn read_ask(answer: &HttpAnswer) -> ChallengeResponse {
        super::read_ask(answer, &endpoint("https://sats.example/api/l402/generate-video"))
    }

    #[test]
    fn a_402_gives_its_challenge() {
        let headers = [
            ("content-type", "application/json"),
            ("www-authenticate", "LSAT macaroon=\"m\", invoice=\"lnbc1\""),
            ("www-authenticate", "L402 macaroon=\"m\", invoice=\"lnbc1\""),
        ];
        let ChallengeResponse::Challenge(challenge) = read_ask(&answer(402, &headers, "")) else {
            panic!("no challenge")
        };
        assert_eq!((challenge.token.reveal(), challenge.invoice.as_str()), ("m", "lnbc1"));
    }

    #[test]
    fn a_402_without_a_usable_challenge_is_refused_with_the_reason() {
        for (headers, body, words) in [
            (&[][..], "", "no L402 challenge"),
            (&[], r#"{"invoice":"lnbc1"}"#, "only in the body"),
            (&[("www-authenticate", "L402 token=\"t\"")], r#"{"paymentRequest":"lnbc1"}"#, "only in the body"),
            (&[("www-authenticate", "L402 token=\"t\"")], "{}", "no invoice"),
            (&[("www-authenticate", "Payment id=\"x\", method=\"card\"")], "", "only the Payment scheme"),
        ] {
            let ChallengeResponse::Refused { reason, message } = read_ask(&answer(402, headers, body)) else {
                panic!("{words}")
            };
            assert_eq!(reason, Reason::ChallengeInvalid);
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn every_other_answer_is_told_apart() {
        let coded = |code: &str| format!(r#"{{"error":"e","error_code":"{code}","retry_after_seconds":3}}"#);
        let later = Some(3_000);
        let table = [
            (200, r#"{"videoUrl":"https://x.example/y"}"#.to_owned(), None, Reason::NotForSale),
            (200, coded("L402_ESTIMATE_ONLY"), None, Reason::NotForSale),
            (400, String::new(), None, Reason::InvalidInput),
            (422, String::new(), None, Reason::InvalidInput),
            (413, String::new(), None, Reason::InvalidInput),
            (500, coded("INVALID_INPUT"), None, Reason::InvalidInput),
            (409, coded("L402_INVALID_PARAMS"), None, Reason::InvalidInput),
            (400, coded("CONTENT_FILTERED"), None, Reason::ContentFiltered),
            (403, coded("CONTENT_FILTERED"), None, Reason::ContentFiltered),
            (400, coded("RATE_LIMITED"), Some(later), Reason::RateLimited),
            (400, coded("TIMEOUT"), Some(later), Reason::OriginError),
            (503, coded("SERVICE_ERROR"), Some(later), Reason::OriginError),
            // What is said after a payment says nothing before it, and neither does a code that nobody knows.
            (500, coded("L402_UPSTREAM_FAILED"), Some(later), Reason::OriginError),
            (400, coded("L402_REFUND_ISSUED"), None, Reason::InvalidInput),
            (500, coded("NEVER_HEARD_OF"), Some(later), Reason::OriginError),
            (422, coded("NEVER_HEARD_OF"), None, Reason::InvalidInput),
            // From the cache: after the window, which is longer than what was asked for.
            (200, coded("L402_DEDUP_HIT"), Some(Some(30_000)), Reason::AnsweredFromCache),
            (409, coded("l402_dedup_hit"), Some(Some(30_000)), Reason::AnsweredFromCache),
            (429, String::new(), Some(None), Reason::RateLimited),
            (408, String::new(), Some(None), Reason::OriginError),
            (425, String::new(), Some(None), Reason::OriginError),
            (503, String::new(), Some(None), Reason::OriginError),
            (502, "<html>bad gateway".to_owned(), Some(None), Reason::OriginError),
            (401, String::new(), None, Reason::OriginError),
            (403, String::new(), None, Reason::OriginError),
            (404, String::new(), None, Reason::OriginError),
            (405, String::new(), None, Reason::OriginError),
            (418, String::new(), None, Reason::OriginError),
        ];
        for (status, body, wait, expected) in table {
            match (read_ask(&answer(status, &[], &body)), wait) {
                (ChallengeResponse::Refused { reason, message }, None) => {
                    assert_eq!(reason, expected, "{status} {body}");
                    assert!(message.starts_with(&format!("HTTP {status}")), "{message}");
                }
                (ChallengeResponse::Retry { after_ms, reason, .. }, Some(wait)) => {
                    assert_eq!((reason, after_ms), (expected, wait), "{status} {body}");
                }
                (other, _) => panic!("{status} {body}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(status in 100_u16..600, body in any::<Vec<u8>>(), header in any::<String>()) {
            let headers = vec![("www-authenticate".to_owned(), header)];
            let _ = read_ask(&HttpAnswer { status, headers, body });
        }
    }
}
