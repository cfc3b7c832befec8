//! In which schemes the stand-in API asks for payment: L402, the `Payment` scheme (MPP), or both. The latter as
//! draft-httpauth-payment and draft-lightning-charge have it: every object canonical (RFC 8785) and base64url without
//! padding, the id bound to all that the client has to echo, a charge consumed once.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::keys::{Keys, Minted};
use super::options::OfferedScheme;
use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::time::UnixMs;

const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static("payment-receipt");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a credential shows.
pub(super) struct Shown {
    pub token: String,
    pub preimage: String,
    /// The id of its challenge; L402 has none.
    pub id: Option<String>,
}

/// Why a credential of the `Payment` scheme is not taken: 402 with a fresh challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Problem {
    /// Nothing was shown.
    PaymentRequired,
    /// It is none.
    MalformedCredential,
    /// The charge is not known, or is consumed.
    InvalidChallenge,
    /// It is not paid, or was made for another request.
    VerificationFailed,
    /// Its time is over.
    PaymentExpired,
}

/// One challenge that is handed out.
pub(super) struct Charge<'a> {
    pub minted: &'a Minted,
    pub price: Msat,
    pub expires_at: UnixMs,
    pub body: &'a [u8],
}

/// The lines of `WWW-Authenticate` of one challenge.
pub(super) fn challenges(scheme: OfferedScheme, keys: &Keys, charge: &Charge<'_>) -> Vec<String> {
    let l402 = || format!("L402 macaroon=\"{}\", invoice=\"{}\"", charge.minted.token, charge.minted.invoice);
    match scheme {
        OfferedScheme::L402 => vec![l402()],
        OfferedScheme::Payment => vec![payment(keys, charge)],
        OfferedScheme::Both => vec![payment(keys, charge), l402()],
        OfferedScheme::Mpp => vec![l402().replacen("L402", "LSAT", 1), l402(), payment(keys, charge)],
    }
}

/// The token travels in what the client has to echo.
fn payment(keys: &Keys, charge: &Charge<'_>) -> String {
    let minted = charge.minted;
    let request = encoded(json!({
        "amount": charge.price.sats_ceil().get().to_string(),
        "currency": "sat",
        "methodDetails": {
            "invoice": minted.invoice, "paymentHash": minted.hash.hex(), "network": "regtest",
        },
    }));
    let opaque = encoded(json!({ "token": minted.token }));
    let (expires, digest) = (charge.expires_at.rfc3339(), digest(charge.body));
    let id = id(keys, &request, &expires, &digest, &opaque);
    format!(
        "Payment id=\"{id}\", realm=\"sandbox\", method=\"lightning\", intent=\"charge\", request=\"{request}\", \
         expires=\"{expires}\", digest=\"{digest}\", opaque=\"{opaque}\""
    )
}

/// Binds a challenge to all that its credential has to echo.
fn id(keys: &Keys, request: &str, expires: &str, digest: &str, opaque: &str) -> String {
    let slots = ["sandbox", "lightning", "charge", request, expires, digest, opaque];
    BASE64URL_NOPAD.encode(&keys.bind(slots.join("|").as_bytes()))
}

fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(body)))
}

fn encoded(mut object: Value) -> String {
    object.sort_all_objects();
    BASE64URL_NOPAD.encode(object.to_string().as_bytes())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    challenge: Echo,
    payload: Payload,
}

/// Every parameter, as it was sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    id: String,
    realm: String,
    method: String,
    intent: String,
    request: String,
    expires: String,
    digest: String,
    opaque: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    preimage: String,
}

/// What the credential of a `Payment` challenge shows, where it is canonical and echoes all of that challenge; with the body
/// of its request, where that is told, as the challenge names it.
pub(super) fn read_credential(keys: &Keys, text: &str, body: Option<&[u8]>) -> Result<Shown, Problem> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Problem::MalformedCredential)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| Problem::MalformedCredential)?;
    if encoded(value.clone()) != text {
        return Err(Problem::MalformedCredential);
    }
    let Credential { challenge, payload } = serde_json::from_value(value).map_err(|_| Problem::MalformedCredential)?;
    let words = (challenge.realm.as_str(), challenge.method.as_str(), challenge.intent.as_str());
    let bound = id(keys, &challenge.request, &challenge.expires, &challenge.digest, &challenge.opaque);
    if words != ("sandbox", "lightning", "charge") || bound != challenge.id {
        return Err(Problem::InvalidChallenge);
    }
    if body.is_some_and(|body| digest(body) != challenge.digest) {
        return Err(Problem::VerificationFailed);
    }
    let opaque = BASE64URL_NOPAD.decode(challenge.opaque.as_bytes()).map_err(|_| Problem::InvalidChallenge)?;
    let opaque: Value = serde_json::from_slice(&opaque).map_err(|_| Problem::InvalidChallenge)?;
    let token = opaque.get("token").and_then(Value::as_str).ok_or(Problem::InvalidChallenge)?.to_owned();
    Ok(Shown { token, preimage: payload.preimage, id: Some(challenge.id) })
}

/// The body of a 402 of that scheme, beside what the service says of itself.
pub(super) fn problem(problem: Problem, said: &mut Value) {
    let kind: &'static str = problem.into();
    let (title, detail) = match problem {
        Problem::PaymentRequired => ("Payment Required", "pay the charge, then send the identical request with it"),
        Problem::MalformedCredential => ("Malformed Credential", "the credential cannot be read"),
        Problem::InvalidChallenge => ("Invalid Challenge", "the charge is not known here, or is consumed"),
        Problem::VerificationFailed => ("Verification Failed", "the charge is not paid, or is for another request"),
        Problem::PaymentExpired => ("Payment Expired", "the charge has expired"),
    };
    said["type"] = format!("https://paymentauth.org/problems/{kind}").into();
    (said["title"], said["status"], said["detail"]) = (title.into(), 402.into(), detail.into());
}

/// Marks a 402 as what it is.
pub(super) fn is_problem(response: &mut Response) {
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
}

/// Adds what a success says of the payment. Nobody may keep it for others.
pub(super) fn add_receipt(response: &mut Response, id: &str, hash: &PaymentHash, at: UnixMs) {
    let receipt = encoded(json!({
        "challengeId": id, "method": "lightning", "reference": hash.hex(), "status": "success", "timestamp": at.rfc3339(),
    }));
    if let Ok(receipt) = HeaderValue::try_from(receipt) {
        response.headers_mut().insert(PAYMENT_RECEIPT, receipt);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}
