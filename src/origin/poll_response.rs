//! Reads the answers of a poll address. Nothing here is ever a reason to pay again.

use url::Url;

use super::answer_envelope::Envelope;
use super::job_status::{POLL_MS_MIN, Word, interval_ms, no_result};
use super::secret_headers::{COVERED_RESULT, is_covered_at};
use super::{ANSWERED_AT, answered_at, inline, results, url_policy};
use crate::catalog::{Endpoint, ResultRule, Treatment};
use crate::first_bytes;
use crate::purchase::{HttpAnswer, Reason};

/// A poll's `Retry-After` beyond this counts as this.
pub const POLL_RETRY_AFTER_MS_MAX: u64 = 10 * 60 * 1_000;

/// What a poll brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollResponse {
    /// The result is there.
    Delivered {
        /// Its absolute URL; of several results the first one's.
        url: Url,
        /// Those of the others, in the answer's order.
        more: Vec<Url>,
    },
    /// Not done yet.
    Pending {
        /// How long to wait now, in milliseconds, where the origin says so; within the bounds of an interval.
        after_ms: Option<u64>,
    },
    /// The origin will not deliver, and offers the money back.
    RefundOffered {
        /// Its error code, if any.
        code: Option<String>,
        /// In words; harmless, without the withdraw link.
        message: String,
    },
    /// It says that it failed, or that there is nothing here: one such word is not its last.
    Failed {
        /// `origin_failed`, or why it says that it will not be made.
        reason: Reason,
        /// How long to wait at least, in milliseconds, where the origin says so; ten minutes at most.
        after_ms: Option<u64>,
        /// In words; harmless.
        message: String,
    },
    /// The poll itself did not succeed; again.
    Retry {
        /// How long to wait at least, in milliseconds, where the origin says so; ten minutes at most.
        after_ms: Option<u64>,
        /// In words; harmless.
        message: String,
    },
    /// Success in a shape that holds neither a result nor a status; again.
    UnknownShape {
        /// In words; harmless.
        message: String,
    },
}

/// Reads the answer of a poll address.
#[must_use]
pub fn read_poll(answer: &HttpAnswer, endpoint: &Endpoint) -> PollResponse {
    match read(answer, endpoint) {
        PollResponse::Delivered { url, more } if more.iter().chain([&url]).any(|url| is_covered_at(answer, url)) => {
            PollResponse::UnknownShape { message: COVERED_RESULT.to_owned() }
        }
        read => read,
    }
}

fn read(answer: &HttpAnswer, endpoint: &Endpoint) -> PollResponse {
    let (said, rule) = (Envelope::of(answer), &endpoint.result);
    let word = Word::of(&said, rule);
    if said.is_success() && !matches!(word, Word::Failed | Word::Pending) && !word.may_grow(&said, rule) {
        let at = answered_at(answer, &endpoint.url);
        let is_done = said.status != 202 && word.may_be_done(rule);
        let texts = || if is_done { inline::texts(answer, &said, rule) } else { Vec::new() };
        match results::named(&said.texts_at(&rule.url), &at, &endpoint.url) {
            Ok(Some((url, more))) => return PollResponse::Delivered { url, more },
            Ok(None) => match results::bounded(texts()) {
                Ok(Some((url, more))) => return PollResponse::Delivered { url, more },
                Ok(None) => {
                    if let Some(url) = itself_at(answer, endpoint).or_else(|| done(answer, &said, word, rule)) {
                        return PollResponse::Delivered { url, more: Vec::new() };
                    }
                }
                Err(why) => return PollResponse::UnknownShape { message: why.message() },
            },
            Err(why) if !said.refund => return PollResponse::UnknownShape { message: why.message() },
            Err(_) => {}
        }
    }
    if said.refund {
        return PollResponse::RefundOffered { code: said.printable_code(), message: said.message };
    }
    match said.after(endpoint) {
        Treatment::ContentFiltered => poll_failed(said, Reason::ContentFiltered),
        Treatment::InvalidInput => poll_failed(said, Reason::InvalidInput),
        Treatment::Never | Treatment::RedeemAgain => poll_failed(said, Reason::OriginFailed),
        Treatment::Refund => PollResponse::RefundOffered { code: said.printable_code(), message: said.message },
        Treatment::RateLimited | Treatment::Retry if word != Word::Failed => again(said),
        Treatment::RateLimited | Treatment::Retry | Treatment::Cached | Treatment::NotForSale | Treatment::ByStatus => {
            polled_by_status(answer, said, word, rule)
        }
    }
}

/// Where the result stands that a poll's answer is itself.
fn itself_at(answer: &HttpAnswer, endpoint: &Endpoint) -> Option<Url> {
    let at = answer.header(ANSWERED_AT).filter(|_| answer.header("content-type").is_some_and(inline::is_media));
    at.map_or_else(|| inline::result(answer), |at| url_policy::result_url(at, &endpoint.url, &endpoint.url).ok())
}

/// Where the whole answer is the result by the endpoint's rule. Words without a status may say anything of how far the job is.
fn done(answer: &HttpAnswer, said: &Envelope, word: Word, rule: &ResultRule) -> Option<Url> {
    let is_done = match word {
        Word::Done => said.status != 202,
        Word::Missing => said.status != 202 && !said.is_json() && !first_bytes::are_words(&answer.body),
        Word::Failed | Word::Pending | Word::Unknown => false,
    };
    inline::sold(answer, said, rule).filter(|_| is_done)
}

fn polled_by_status(answer: &HttpAnswer, said: Envelope, word: Word, rule: &ResultRule) -> PollResponse {
    match (said.status, word) {
        (_, Word::Failed) => poll_failed(said, Reason::OriginFailed),
        (200..=299, Word::Pending | Word::Unknown) | (202, Word::Done | Word::Missing) => {
            let interval_ms = interval_ms(answer, &said, rule);
            PollResponse::Pending { after_ms: interval_ms.max(poll_after_ms(&said)) }
        }
        (200..=299, Word::Done | Word::Missing) => PollResponse::UnknownShape { message: no_result(&said, rule) },
        // A redirect that is not followed is an answer, and no word of the job.
        (300..=399 | 408 | 425 | 429 | 500..=599, Word::Done | Word::Pending | Word::Unknown | Word::Missing) => {
            again(said)
        }
        (_, Word::Done | Word::Pending | Word::Unknown | Word::Missing) => poll_failed(said, Reason::OriginFailed),
    }
}

fn poll_failed(said: Envelope, reason: Reason) -> PollResponse {
    PollResponse::Failed { reason, after_ms: poll_after_ms(&said), message: said.message }
}

/// How long a poll asks to wait, within its own bound.
fn poll_after_ms(said: &Envelope) -> Option<u64> {
    said.after_ms.map(|ms| ms.clamp(POLL_MS_MIN, POLL_RETRY_AFTER_MS_MAX))
}

fn again(said: Envelope) -> PollResponse {
    PollResponse::Retry { after_ms: poll_after_ms(&said), message: said.message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::samples::{self, answer};

    fn endpoint() -> Endpoint {
        samples::endpoint("https://sats.example/api/l402/generate-video")
    }

    fn poll(status: u16, headers: &[(&str, &str)], body: &str) -> PollResponse {
        read_poll(&answer(status, headers, body), &endpoint())
    }

    fn at(url: &str) -> Url {
        url.parse().unwrap()
    }

    #[test]
    fn a_poll_brings_the_result_itself_where_its_endpoint_says_so() {
        let mut sold = endpoint();
        (sold.result.body, sold.result.text) = (true, vec!["/output/text".to_owned()]);
        let json = [("content-type", "application/json")];
        let is_here = |headers: &[(&str, &str)], body: &str| {
            matches!(read_poll(&answer(200, headers, body), &sold), PollResponse::Delivered { .. })
        };
        assert!(is_here(&json, r#"{"status":"completed","answer":42}"#));
        assert!(is_here(&json, r#"{"output":{"text":"a kite"}}"#));
        let raw = [("content-type", "application/octet-stream")];
        assert!(is_here(&raw, "\0\u{1}\u{2}\0"));
        assert!(!is_here(&[("content-type", "text/plain")], "processing"));
        for body in [
            r#"{"status":"generating","output":{"text":"a k"}}"#,
            r#"{"error":"no","output":{"text":"a k"}}"#,
            r#"{"progress":0.4}"#,
            r#"{"status":"rendering"}"#,
            r#"{"status":"processing","output":{"text":"a k"}}"#,
            "",
        ] {
            assert!(!is_here(&json, body), "{body}");
        }
    }

    #[test]
    fn every_answer_of_a_poll_is_told_apart() {
        let delivered =
            |path: &str| PollResponse::Delivered { url: at(&format!("https://sats.example{path}")), more: Vec::new() };
        assert_eq!(poll(200, &[], r#"{"status":"COMPLETED","result":{"url":"/a.mp4"}}"#), delivered("/a.mp4"));
        assert_eq!(poll(200, &[], r#"{"status":"completed","videoUrl":"/b.mp4"}"#), delivered("/b.mp4"));
        assert_eq!(poll(200, &[], r#"{"videoUrl":"/c.mp4"}"#), delivered("/c.mp4"));
        assert_eq!(poll(200, &[], r#"{"status":"ok","videoUrl":"/d.mp4"}"#), delivered("/d.mp4"));

        let pending = |after_ms| PollResponse::Pending { after_ms };
        assert_eq!(poll(200, &[], r#"{"status":"processing"}"#), pending(None));
        assert_eq!(poll(200, &[], r#"{"status":"rendering","poll_interval_ms":900}"#), pending(Some(900)));
        assert_eq!(poll(200, &[], r#"{"status":"processing","videoUrl":"/later.mp4"}"#), pending(None));
        assert_eq!(poll(202, &[("retry-after", "0")], ""), pending(Some(POLL_MS_MIN)));
        let busy = r#"{"status":"processing","poll_interval_ms":900}"#;
        assert_eq!(poll(200, &[("retry-after", "300")], busy), pending(Some(300_000)));
        assert_eq!(poll(200, &[("retry-after", "3600")], busy), pending(Some(POLL_RETRY_AFTER_MS_MAX)));
        assert_eq!(poll(200, &[], r#"{"status":202,"body":{"status":"processing"}}"#), pending(None));

        for (status, body) in [
            (200, r#"{"status":"FAILED","error":"x"}"#),
            (500, r#"{"status":"failed"}"#),
            (200, r#"{"status":"FAILED","error_code":"TIMEOUT"}"#),
            (400, r#"{"error_code":"CONTENT_FILTERED"}"#),
            (502, r#"{"error_code":"L402_UPSTREAM_FAILED"}"#),
        ] {
            let PollResponse::Failed { reason, .. } = poll(status, &[], body) else { panic!("{status} {body}") };
            let filtered = body.contains("CONTENT_FILTERED");
            assert_eq!(reason, if filtered { Reason::ContentFiltered } else { Reason::OriginFailed }, "{body}");
        }
        for status in [400, 401, 402, 403, 404, 405, 410] {
            let PollResponse::Failed { reason, after_ms, .. } = poll(status, &[("retry-after", "7200")], "<html>")
            else {
                panic!("{status}")
            };
            assert_eq!((reason, after_ms), (Reason::OriginFailed, Some(POLL_RETRY_AFTER_MS_MAX)), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let found = poll(status, &[("retry-after", "2")], "");
            assert_eq!(found, PollResponse::Retry { after_ms: Some(2_000), message: format!("HTTP {status}") });
        }
        for body in ["", "{}", "[]", r#"{"status":"COMPLETED"}"#, r#"{"videoUrl":"ftp://x/y"}"#] {
            assert!(matches!(poll(200, &[], body), PollResponse::UnknownShape { .. }), "{body}");
        }
    }
}
