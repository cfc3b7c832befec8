//! The `Payment` scheme, also called MPP (draft-httpauth-payment, and its lightning charge, draft-lightning-charge): read where a
//! server offers no L402. All that has to be echoed is kept as one JSON object, in the place of the token; `request` and
//! `opaque` in it are the text that came, never encoded anew.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::challenge::ChallengeError;
use super::header::Offer;
use super::{Challenge, Invoice, PaymentHash, Preimage, Scheme, Token, macaroon};
use crate::money::Msat;
use crate::time::UnixMs;

/// What has to be echoed may be this long: as base64, with the preimage, it has to fit into one request header.
pub(super) const ECHO_BYTES_MAX: usize = 5 * 1024;

/// The one header that a challenge may name for its credential, in lower case; without a name it is `Authorization`.
pub(crate) const PAYMENT_AUTHORIZATION: &str = "payment-authorization";

const UNREADABLE_REQUEST: ChallengeError = ChallengeError::UnreadableCharge("its request is not read");

/// The part of a lightning charge's `request` that is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    amount: Option<Value>,
    currency: Option<String>,
    method_details: Option<Details>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    invoice: Option<String>,
    payment_hash: Option<String>,
    network: Option<String>,
}

/// Whether the offer is a charge that is paid by Lightning; what it does not say does not speak against it.
pub(super) fn is_lightning_charge(offer: &Offer<'_>) -> bool {
    let says = |name, word: &str| parameter(offer, name).is_none_or(|value| value.eq_ignore_ascii_case(word));
    says("method", "lightning") && says("intent", "charge")
}

/// What has to be echoed, and the invoice.
///
/// # Errors
/// Where there is no invoice, or a parameter that cannot be echoed without guessing.
pub(super) fn read(offer: &Offer<'_>) -> Result<(Token, String), ChallengeError> {
    let request = parameter(offer, "request").map(request_of).transpose()?;
    let invoices = [request.and_then(|request| request.method_details?.invoice), owned(parameter(offer, "invoice"))];
    let mut invoices = invoices.into_iter().flatten().filter(|invoice| !invoice.is_empty());
    let invoice = invoices.next().ok_or(ChallengeError::NoInvoice)?;
    if invoices.any(|other| other != invoice) {
        return Err(ChallengeError::TwoInvoices);
    }
    if parameter(offer, "id").is_none_or(str::is_empty) {
        return Err(ChallengeError::UnreadableCharge("it has no id"));
    }
    if parameter(offer, "header").is_some_and(|name| !name.eq_ignore_ascii_case(PAYMENT_AUTHORIZATION)) {
        return Err(ChallengeError::UnreadableCharge("it wants its credential in a header that nobody knows"));
    }
    if parameter(offer, "expires").is_some_and(|expires| UnixMs::from_rfc3339(expires).is_none()) {
        return Err(ChallengeError::UnreadableCharge("its expires is no time"));
    }
    Ok((Token::new(echo(offer)?), invoice))
}

/// Every parameter as it came, as RFC 8785 writes an object of texts: sorted, without blanks.
fn echo(offer: &Offer<'_>) -> Result<String, ChallengeError> {
    let mut echo = Map::new();
    for (name, value) in &offer.params {
        if echo.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(ChallengeError::UnreadableCharge("a parameter stands in it twice"));
        }
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(ChallengeError::UnreadableCharge("it has bytes that are no text, and cannot be echoed"));
        }
        echo.insert((*name).to_owned(), Value::from(value.as_ref()));
    }
    echo.sort_keys();
    let echo = Value::Object(echo).to_string();
    if echo.len() > ECHO_BYTES_MAX {
        return Err(ChallengeError::Overlong("the Payment challenge"));
    }
    Ok(echo)
}

/// Whether what a charge says of itself is what its invoice says: the amount, where it is in sats, payment hash and network.
pub(super) fn agrees(challenge: &Challenge, invoice: &Invoice) -> bool {
    let Some(request) = param(challenge, "request") else { return true };
    let Ok(request) = request_of(request) else { return false };
    let (hash, network) =
        request.method_details.map_or((None, None), |details| (details.payment_hash, details.network));
    hash.is_none_or(|hash| PaymentHash::from_hex(&hash) == Some(invoice.hash))
        && network.is_none_or(|network| network.eq_ignore_ascii_case(invoice.network.as_str()))
        && match (request.currency.as_deref().map(str::to_ascii_lowercase).as_deref(), &request.amount) {
            (Some("sat" | "sats"), Some(amount)) => sats(amount) == Some(invoice.amount),
            _ => true,
        }
}

/// Until when the charge may be paid, where it says so.
pub(super) fn expires_at(challenge: &Challenge) -> Option<UnixMs> {
    let expires = param(challenge, "expires").filter(|_| challenge.scheme == Scheme::Payment)?;
    UnixMs::from_rfc3339(expires)
}

/// The credential that proves the payment of what is echoed: base64url of a JSON object.
pub(crate) fn credential(echo: &Token, preimage: &Preimage) -> String {
    credential_text(echo.reveal(), &preimage.reveal_hex())
}

fn credential_text(echo: &str, preimage: &str) -> String {
    let json = format!(r#"{{"challenge":{echo},"payload":{{"preimage":"{preimage}"}}}}"#);
    BASE64URL_NOPAD.encode(json.as_bytes())
}

/// What of such a purchase nobody may be shown beside its token and preimage (in hex), though its origin may repeat it: the
/// credential as it was sent, and what the origin has put into `opaque`. Nothing of another scheme's token.
pub(crate) fn secrets_of(token: &str, preimage: Option<&str>) -> Vec<String> {
    let Ok(echo) = serde_json::from_str::<Map<String, Value>>(token) else { return Vec::new() };
    let opaque = echo.iter().filter(|(name, _)| name.eq_ignore_ascii_case("opaque"));
    let opaque = opaque.filter_map(|(_, value)| value.as_str()).map(str::to_owned);
    preimage.map(|preimage| credential_text(token, preimage)).into_iter().chain(opaque).collect()
}

/// What a charge says of the body that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Nothing, or that it is this one.
    Fits,
    /// Another one: a server turns the credential away with it.
    Other,
    /// Something that cannot be checked.
    Unchecked,
}

/// Whether a charge is for a request with a body of that SHA-256. Other challenges say nothing of it.
pub(super) fn fits_body(challenge: &Challenge, sha256: impl FnOnce() -> [u8; 32]) -> Fit {
    let Some(digest) = param(challenge, "digest").filter(|_| challenge.scheme == Scheme::Payment) else {
        return Fit::Fits;
    };
    // RFC 9530: `sha-256=:…:`, and others beside it; some leave the colons out.
    let told = digest.split(',').filter_map(|member| member.trim().split_once('='));
    let mut told = told.filter(|(name, _)| name.eq_ignore_ascii_case("sha-256")).map(|(_, value)| value);
    let (Some(value), None) = (told.next(), told.next()) else { return Fit::Unchecked };
    match macaroon::any_base64(value.trim_matches(':')).and_then(|told| <[u8; 32]>::try_from(told).ok()) {
        None => Fit::Unchecked,
        Some(told) if told == sha256() => Fit::Fits,
        Some(_) => Fit::Other,
    }
}

/// Whether the credential of what is echoed goes in `Payment-Authorization`, as its challenge said. A ledger of an older version
/// may hold another name, which that version has not heeded.
pub(crate) fn has_own_header(echo: &Token) -> bool {
    let echo: Option<Map<String, Value>> = serde_json::from_str(echo.reveal()).ok();
    let is_own = |value: &Value| value.as_str().is_some_and(|name| name.eq_ignore_ascii_case(PAYMENT_AUTHORIZATION));
    echo.is_some_and(|echo| echo.iter().any(|(name, value)| name.eq_ignore_ascii_case("header") && is_own(value)))
}

fn request_of(text: &str) -> Result<Request, ChallengeError> {
    let json = macaroon::any_base64(text).ok_or(UNREADABLE_REQUEST)?;
    serde_json::from_slice(&json).map_err(|_| UNREADABLE_REQUEST)
}

/// A number of sats, as digits or as a number.
fn sats(amount: &Value) -> Option<Msat> {
    let sats = amount.as_u64().or_else(|| amount.as_str()?.parse().ok())?;
    sats.checked_mul(1_000).map(Msat::new)
}

fn parameter<'a>(offer: &'a Offer<'_>, name: &str) -> Option<&'a str> {
    offer.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
}

fn param<'a>(challenge: &'a Challenge, name: &str) -> Option<&'a str> {
    challenge.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l402::{Expected, Network, Refusal, check, samples};
    use data_encoding::BASE64;
    use sha2::{Digest, Sha256};

    const PREIMAGE: [u8; 32] = [7; 32];

    fn hash() -> PaymentHash {
        PaymentHash(Sha256::digest(PREIMAGE).into())
    }

    fn encoded(request: &Value) -> String {
        BASE64URL_NOPAD.encode(request.to_string().as_bytes())
    }

    fn request(amount: &str, hash: &str) -> Value {
        let invoice = samples::sats(2_750, self::hash().0);
        serde_json::json!({
            "amount": amount, "currency": "sat",
            "methodDetails": { "invoice": invoice, "paymentHash": hash, "network": "regtest" },
        })
    }

    fn line(request: &str) -> String {
        format!(
            "Payment id=\"i:1\", realm=\"api\", method=\"lightning\", intent=\"charge\", request=\"{request}\", opaque=\"o\""
        )
    }

    fn expected() -> Expected {
        let now = UnixMs::from_secs(1_790_000_000);
        Expected {
            price: Msat::new(2_750_000),
            is_cap: false,
            is_exact: false,
            network: Network::Regtest,
            now,
            min_lifetime_ms: 60_000,
            max_lifetime_ms: i64::MAX,
        }
    }

    #[test]
    fn a_charge_is_read_paid_and_every_parameter_of_it_echoed() {
        let request = encoded(&request("2750", &hash().hex()));
        let challenge = Challenge::read([line(&request).as_str()]).unwrap();
        assert_eq!(challenge.scheme, Scheme::Payment);
        let challenge = check(challenge, &expected()).unwrap().into_parts().0;
        let preimage = Preimage::verify(PREIMAGE, &hash()).unwrap();
        let credential = BASE64URL_NOPAD.decode(credential(&challenge.token, &preimage).as_bytes()).unwrap();
        let credential: Value = serde_json::from_slice(&credential).unwrap();
        let echoed = serde_json::json!({
            "id": "i:1", "realm": "api", "method": "lightning", "intent": "charge", "request": request, "opaque": "o",
        });
        let payload = serde_json::json!({ "preimage": "07".repeat(32) });
        assert_eq!(credential, serde_json::json!({ "challenge": echoed, "payload": payload }));
    }

    #[test]
    fn the_credential_is_canonical_and_what_came_is_echoed_as_it_came() {
        // Padded, not canonical, and with an escape: none of it is written anew.
        let odd = "eyJtZXRob2REZXRhaWxzIjp7Imludm9pY2UiOiJsbmJjMSJ9LCAiYSI6MX0=";
        let line = format!(
            r#"Payment request="{odd}", realm="a \"b\"", opaque="eyJ6IjoiMSIsImEiOiIyIn0", method="lightning", intent="charge", id="1""#
        );
        let challenge = Challenge::read([line.as_str()]).unwrap();
        let preimage = Preimage::verify(PREIMAGE, &hash()).unwrap();
        let credential = BASE64URL_NOPAD.decode(credential(&challenge.token, &preimage).as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(credential).unwrap(),
            format!(
                r#"{{"challenge":{{"id":"1","intent":"charge","method":"lightning","opaque":"eyJ6IjoiMSIsImEiOiIyIn0","realm":"a \"b\"","request":"{odd}"}},"payload":{{"preimage":"{}"}}}}"#,
                "07".repeat(32)
            )
        );
    }

    #[test]
    fn a_charge_is_for_one_body() {
        let body: [u8; 32] = Sha256::digest(b"{}").into();
        let of = |digest: &str| {
            let line = line(&encoded(&request("2750", &hash().hex()))) + &format!(", digest=\"{digest}\"");
            fits_body(&Challenge::read([line.as_str()]).unwrap(), || body)
        };
        let right = BASE64.encode(&body);
        for digest in [
            format!("sha-256=:{right}:"),
            format!("SHA-256={right}"),
            format!("sha-512=:AAAA:, sha-256=:{right}:"),
            format!("sha-256=:{}:", right.trim_end_matches('=')),
            format!("sha-256={}", BASE64URL_NOPAD.encode(&body)),
        ] {
            assert_eq!(of(&digest), Fit::Fits, "{digest}");
        }
        let other = BASE64.encode(&[0; 32]);
        assert_eq!(of(&format!("sha-256=:{other}:")), Fit::Other);
        for digest in [&format!("sha-256=:{right}:, sha-256=:{other}:"), "sha-512=:AAAA:", "sha-256=:AAAA:", "?", ""] {
            assert_eq!(of(digest), Fit::Unchecked, "{digest}");
        }
        let l402 = Challenge::read(["L402 token=\"t\", invoice=\"i\", digest=\"?\""]).unwrap();
        assert_eq!(fits_body(&l402, || body), Fit::Fits, "nothing of another scheme");
    }

    #[test]
    fn the_header_that_the_challenge_names_is_the_credential_s() {
        let line = line(&encoded(&request("2750", &hash().hex())));
        let is_own = |line: &str| has_own_header(&Challenge::read([line]).unwrap().token);
        assert!(!is_own(&line));
        assert!(is_own(&format!("{line}, header=\"Payment-Authorization\"")));
        for older in ["no json", r#"{"header":"Cookie","id":"1"}"#, r#"{"header":1}"#] {
            assert!(!has_own_header(&Token::new(older.to_owned())), "{older}");
        }
    }

    #[test]
    fn l402_is_preferred_in_any_order() {
        let payment = line(&encoded(&request("2750", &hash().hex())));
        let l402 = "L402 token=\"t\", invoice=\"i\"";
        for lines in [[l402, payment.as_str()], [payment.as_str(), l402]] {
            assert_eq!(Challenge::read(lines).unwrap().scheme, Scheme::L402);
        }
        assert_eq!(Challenge::read([format!("{payment}, {l402}").as_str()]).unwrap().scheme, Scheme::L402);
    }

    #[test]
    fn the_invoice_may_be_a_parameter_of_its_own() {
        let challenge = Challenge::read(["Payment id=\"1\", macaroon=\"m\", invoice=\"lnbc1\""]).unwrap();
        assert_eq!(challenge.invoice, "lnbc1");
        let echo: Value = serde_json::from_str(challenge.token.reveal()).unwrap();
        assert_eq!(echo, serde_json::json!({ "id": "1", "invoice": "lnbc1", "macaroon": "m" }));
    }

    #[test]
    fn what_would_be_a_guess_is_refused() {
        let request = encoded(&request("2750", &hash().hex()));
        let read = |line: String| Challenge::read([line.as_str()]).unwrap_err();
        let charge = ChallengeError::UnreadableCharge;
        for (line, error) in [
            (line("%%"), charge("its request is not read")),
            (line(&encoded(&serde_json::json!([1]))), charge("its request is not read")),
            (line(&encoded(&serde_json::json!({}))), ChallengeError::NoInvoice),
            (line(&request) + ", invoice=\"other\"", ChallengeError::TwoInvoices),
            (line(&request) + ", Realm=\"again\"", charge("a parameter stands in it twice")),
            (format!("Payment request=\"{request}\""), charge("it has no id")),
            (line(&request) + ", expires=\"soon\"", charge("its expires is no time")),
            (line(&request) + ", expires=\"\"", charge("its expires is no time")),
            (line(&request) + ", header=\"Cookie\"", charge("it wants its credential in a header that nobody knows")),
            (
                line(&request) + ", description=\"caf\u{fffd}\"",
                charge("it has bytes that are no text, and cannot be echoed"),
            ),
            (
                format!("{}, x=\"{}\"", line(&request), "y".repeat(ECHO_BYTES_MAX)),
                ChallengeError::Overlong("the Payment challenge"),
            ),
            (
                line(&request) + ", " + &line(&request).replace("i:1", "i:2"),
                ChallengeError::TwoChallenges(Scheme::Payment),
            ),
            (line(&request).replace("lightning", "card"), ChallengeError::OnlyPayment),
            (line(&request).replace("charge", "session"), ChallengeError::OnlyPayment),
        ] {
            assert_eq!(read(line.clone()), error, "{line}");
        }
        let card = line("e30").replace("lightning", "card");
        assert_eq!(Challenge::read([card.as_str(), line(&request).as_str()]).unwrap().scheme, Scheme::Payment);
    }

    #[test]
    fn a_charge_that_contradicts_its_invoice_is_not_paid() {
        let asked = |request: &Value, more: &str| {
            check(Challenge::read([(line(&encoded(request)) + more).as_str()]).unwrap(), &expected())
        };
        assert_eq!(asked(&request("2751", &hash().hex()), ""), Err(Refusal::ChallengeInvalid));
        assert_eq!(asked(&request("2750.0", &hash().hex()), ""), Err(Refusal::ChallengeInvalid));
        assert_eq!(asked(&request("2750", &"00".repeat(32)), ""), Err(Refusal::ChallengeInvalid));
        assert_eq!(asked(&request("2750", "?"), ""), Err(Refusal::ChallengeInvalid));
        let mut elsewhere = request("2750", &hash().hex());
        elsewhere["methodDetails"]["network"] = "mainnet".into();
        assert_eq!(asked(&elsewhere, ""), Err(Refusal::ChallengeInvalid));
        let dear = serde_json::json!({ "currency": "usd", "amount": "1.99" });
        let mut other = request("2750", &hash().hex());
        other.as_object_mut().unwrap().extend(dear.as_object().unwrap().clone());
        assert!(asked(&other, "").is_ok());
        let expires_at = expected().now.plus_ms(59_999);
        let soon = format!(", expires=\"{}\"", expires_at.rfc3339());
        assert_eq!(asked(&request("2750", &hash().hex()), &soon), Err(Refusal::InvoiceExpired { expires_at }));
        let later = format!(", expires=\"{}\"", expected().now.plus_ms(60_000).rfc3339());
        assert!(asked(&request("2750", &hash().hex()), &later).is_ok());
    }
}
