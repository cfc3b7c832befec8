//! In which schemes the stand-in API asks for payment: L402, the `Payment` scheme (MPP), or both.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;

use super::keys::Minted;
use super::options::OfferedScheme;
use crate::money::Msat;

/// What a credential shows.
pub(super) struct Shown {
    pub token: String,
    pub preimage: String,
}

/// The lines of `WWW-Authenticate` of one challenge.
pub(super) fn challenges(scheme: OfferedScheme, minted: &Minted, price: Msat) -> Vec<String> {
    let l402 = || format!("L402 macaroon=\"{}\", invoice=\"{}\"", minted.token, minted.invoice);
    match scheme {
        OfferedScheme::L402 => vec![l402()],
        OfferedScheme::Payment => vec![payment(minted, price)],
        OfferedScheme::Both => vec![payment(minted, price), l402()],
        OfferedScheme::Mpp => vec![l402().replacen("L402", "LSAT", 1), l402(), payment(minted, price)],
    }
}

/// The token travels in what the client has to echo.
fn payment(minted: &Minted, price: Msat) -> String {
    let request = json!({
        "amount": price.sats_ceil().get().to_string(),
        "currency": "sat",
        "methodDetails": {
            "invoice": minted.invoice, "paymentHash": minted.hash.hex(), "network": "regtest",
        },
    });
    let request = BASE64URL_NOPAD.encode(request.to_string().as_bytes());
    format!(
        "Payment id=\"{}\", realm=\"sandbox\", method=\"lightning\", intent=\"charge\", request=\"{request}\", opaque=\"{}\"",
        id(minted),
        minted.token
    )
}

fn id(minted: &Minted) -> String {
    minted.hash.hex().chars().take(16).collect()
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
    opaque: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    preimage: String,
}

/// What the credential of a `Payment` challenge shows, where it echoes all of that challenge.
pub(super) fn read_credential(text: &str) -> Option<Shown> {
    let Credential { challenge, payload } =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
    let request: serde_json::Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(challenge.request.as_bytes()).ok()?).ok()?;
    let hash = request.pointer("/methodDetails/paymentHash")?.as_str()?;
    let fits = (challenge.realm.as_str(), challenge.method.as_str(), challenge.intent.as_str())
        == ("sandbox", "lightning", "charge")
        && hash.starts_with(&challenge.id);
    fits.then_some(Shown { token: challenge.opaque, preimage: payload.preimage })
}
