//! Answers of a shape of their own to what is paid, and gates before what is free elsewhere: each as some service has it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::json;

use super::options::AnswerShape;
use super::serve::HangUp;
use crate::l402::PaymentHash;

const JSON: &str = "application/json";

/// How often the handler ran for each purchase: past the gate, whatever it answered; and by which key it was asked first.
#[derive(Default)]
pub(super) struct Handled(Mutex<BTreeMap<PaymentHash, Runs>>);

/// How often, and by which key first.
type Runs = (u64, Option<Vec<u8>>);

impl Handled {
    /// One more; gives how often it ran before.
    pub(super) fn runs(&self, hash: PaymentHash, key: Option<&[u8]>) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, _) = counts.entry(hash).or_insert_with(|| (0, key.map(<[u8]>::to_vec)));
        *count = count.saturating_add(1);
        count.saturating_sub(1)
    }

    pub(super) fn count(&self, hash: &PaymentHash) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).map_or(0, |(count, _)| *count)
    }

    /// Whether it was asked first by that very key.
    pub(super) fn is_by(&self, hash: &PaymentHash, key: Option<&[u8]>) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = counts.get(hash).and_then(|(_, first)| first.as_deref());
        first.is_some() && first == key
    }
}

/// The answer in that shape to a purchase whose video stands at `url`.
pub(super) fn answer(shape: AnswerShape, url: &str) -> Response {
    match shape {
        AnswerShape::Unknown => {
            ([(CONTENT_TYPE, JSON)], json!({ "made": { "film": url } }).to_string()).into_response()
        }
        AnswerShape::Nothing => ([(CONTENT_TYPE, JSON)], r#"{"hello":1}"#).into_response(),
        AnswerShape::Page => {
            ([(CONTENT_TYPE, "text/html; charset=utf-8")], "<!DOCTYPE html><p>Thank you").into_response()
        }
        AnswerShape::Failed => {
            ([(CONTENT_TYPE, JSON)], r#"{"status":"failed","error":"the model failed"}"#).into_response()
        }
        AnswerShape::Unaddressed => {
            (StatusCode::ACCEPTED, [(CONTENT_TYPE, JSON)], r#"{"status":"processing"}"#).into_response()
        }
        AnswerShape::Consumed => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, JSON)], r#"{"error":"the model failed"}"#)
                .into_response()
        }
        AnswerShape::Cut => cut(&json!({ "videoUrl": url }).to_string()),
    }
}

/// 200, and the connection closes half way through the body.
fn cut(body: &str) -> Response {
    let half = Bytes::copy_from_slice(body.as_bytes().get(..body.len() / 2).unwrap_or_default());
    let broken = stream::once(async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(io::Error::other(HangUp))
    });
    let mut response = Response::new(Body::from_stream(stream::once(async move { Ok(half) }).chain(broken)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}
