//! The service's error codes, in the shape that it documents: the code in body and header, words, and, after a payment
//! that came to nothing, a refund. It documents no statuses; these are what one would expect.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bitcoin::bech32::{self, Bech32, Hrp};
use serde_json::json;
use url::Url;

use super::options::ErrorCode;
use crate::l402::PaymentHash;
use crate::money::Sats;

const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const RETRY_AFTER_S: u64 = 1;

/// A payment for which nothing is delivered.
pub(super) struct Charge {
    pub hash: PaymentHash,
    pub amount: Sats,
    pub origin: Url,
}

/// The answer with that code; a charge where the request is paid.
pub(super) fn answer(code: ErrorCode, charge: Option<&Charge>) -> Response {
    if let Some(answer) = without_code(code) {
        return answer;
    }
    let (status, word, error, suggestion) = words(code);
    let mut body = json!({ "error": error, "error_code": word, "suggestion": suggestion });
    let retry = matches!(code, ErrorCode::Timeout | ErrorCode::RateLimited);
    if retry {
        body["retry_after_seconds"] = RETRY_AFTER_S.into();
    }
    if let (ErrorCode::L402UpstreamFailed | ErrorCode::L402RefundIssued, Some(charge)) = (code, charge) {
        body["refund"] = json!({
            "charge_id": format!("ch_{}", charge.hash),
            "refund_amount": charge.amount,
            "lnurl_withdraw": charge.lnurl(),
            "status": "pending",
        });
    }
    let headers = [(CONTENT_TYPE, "application/json"), (X_ERROR_CODE, word)];
    let mut response = (status, headers, body.to_string()).into_response();
    if retry {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    response
}

/// What services answer that have no codes.
fn without_code(code: ErrorCode) -> Option<Response> {
    let json = |status: StatusCode, body: &'static str| {
        Some((status, [(CONTENT_TYPE, "application/json")], body).into_response())
    };
    match code {
        ErrorCode::NotFound => json(StatusCode::NOT_FOUND, r#"{"error":"no such job"}"#),
        ErrorCode::NotReady => json(StatusCode::BAD_REQUEST, r#"{"error":"not completed yet"}"#),
        ErrorCode::Failed => json(StatusCode::OK, r#"{"status":"failed","error":"the worker was restarted"}"#),
        ErrorCode::Forbidden => {
            let page = "<!DOCTYPE html><title>Forbidden</title>";
            Some((StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/html")], page).into_response())
        }
        _ => None,
    }
}

fn words(code: ErrorCode) -> (StatusCode, &'static str, &'static str, &'static str) {
    match code {
        ErrorCode::Timeout => (StatusCode::GATEWAY_TIMEOUT, "TIMEOUT", "it took too long", "try again"),
        ErrorCode::RateLimited => {
            (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "too many requests", "wait, then try again")
        }
        ErrorCode::ServiceError => {
            (StatusCode::INTERNAL_SERVER_ERROR, "SERVICE_ERROR", "something went wrong", "try again")
        }
        ErrorCode::ContentFiltered => {
            (StatusCode::BAD_REQUEST, "CONTENT_FILTERED", "the content is not allowed", "change the prompt")
        }
        ErrorCode::InvalidInput => {
            (StatusCode::BAD_REQUEST, "INVALID_INPUT", "the request is wrong", "mend the parameters")
        }
        ErrorCode::L402InvalidParams => {
            (StatusCode::BAD_REQUEST, "L402_INVALID_PARAMS", "nothing was charged", "mend the parameters")
        }
        ErrorCode::L402UpstreamFailed => {
            (StatusCode::BAD_GATEWAY, "L402_UPSTREAM_FAILED", "the model failed", "try again")
        }
        ErrorCode::L402RefundIssued => {
            (StatusCode::BAD_GATEWAY, "L402_REFUND_ISSUED", "the model failed", "claim the refund")
        }
        ErrorCode::L402DedupHit => {
            (StatusCode::CONFLICT, "L402_DEDUP_HIT", "an identical request was answered just now", "wait")
        }
        ErrorCode::L402EstimateOnly => {
            (StatusCode::OK, "L402_ESTIMATE_ONLY", "this is only an estimate", "leave out `estimate`")
        }
        ErrorCode::Novelty | ErrorCode::NotFound | ErrorCode::NotReady | ErrorCode::Forbidden | ErrorCode::Failed => {
            (StatusCode::INTERNAL_SERVER_ERROR, "NOVELTY", "this is new", "look it up")
        }
    }
}

impl Charge {
    /// Where the money can be had (LUD-01): the address in bech32, in upper case as codes on screens are.
    fn lnurl(&self) -> String {
        let address = format!("{}api/l402/refund/{}", self.origin, self.hash);
        let hrp = Hrp::parse("lnurl");
        let encoded = hrp.ok().and_then(|hrp| bech32::encode_upper::<Bech32>(hrp, address.as_bytes()).ok());
        encoded.unwrap_or_default()
    }
}
