//! Reads the answers to the redeeming request. Nothing here is ever a reason to pay again.

use url::Url;

use super::answer_envelope::Envelope;
use super::job_status::{POLL_MS_DEFAULT, Word, interval_ms, misplaced, no_result};
use super::results::{self, BadResults, Results};
use super::secret_headers::{COVERED_RESULT, is_covered_at};
use super::{answered_at, inline, url_policy};
use crate::catalog::{Endpoint, ResultRule, Treatment};
use crate::l402::{Challenge, Scheme};
use crate::purchase::{HttpAnswer, INCOMPLETE, Poll, Reason};
use crate::terminal_text::printable;

/// What a redeem brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeemResponse {
    /// The result is there.
    Delivered {
        /// Its absolute URL; of several results the first one's.
        url: Url,
        /// Those of the others, in the answer's order.
        more: Vec<Url>,
    },
    /// The origin takes its time.
    Accepted {
        /// Where and how often to poll.
        poll: Poll,
    },
    /// The origin will not deliver, and offers the money back.
    RefundOffered {
        /// Its error code, if any.
        code: Option<String>,
        /// In words; harmless, without the withdraw link.
        message: String,
    },
    /// Not now: the same credential and body, again.
    Retry {
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// `not_delivered`, `answered_from_cache`, or what it says against the purchase.
        reason: Reason,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// 401 or 402: the origin does not take the credential, or has not seen the payment yet.
    CredentialRejected {
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// 401 or 402, and the origin says that the charge is used up or not known, or that its time is over. A charge of the
    /// `Payment` scheme is consumed once, even where nothing was handed over for it.
    CredentialSpent {
        /// Its time is over. Else another of its servers may know it still.
        is_late: bool,
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// Success that brings nothing: it says that it failed, names no address to poll, or broke off.
    Failed {
        /// `unknown_answer` where a person may find more in it than a program; else why it failed.
        reason: Reason,
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// Success in a shape that holds no result that would be understood.
    UnknownShape {
        /// In words; harmless, without secrets.
        message: String,
    },
}

/// Whether a secret is covered in what that names.
fn is_covered(answer: &HttpAnswer, found: &RedeemResponse) -> bool {
    match found {
        RedeemResponse::Delivered { url, more } => more.iter().chain([url]).any(|url| is_covered_at(answer, url)),
        RedeemResponse::Accepted { poll } => is_covered_at(answer, &poll.url),
        RedeemResponse::RefundOffered { .. }
        | RedeemResponse::Retry { .. }
        | RedeemResponse::CredentialRejected { .. }
        | RedeemResponse::CredentialSpent { .. }
        | RedeemResponse::Failed { .. }
        | RedeemResponse::UnknownShape { .. } => false,
    }
}

/// Reads the answer to a request with a credential.
#[must_use]
pub fn read_redeem(answer: &HttpAnswer, endpoint: &Endpoint) -> RedeemResponse {
    let (said, rule) = (Envelope::of(answer), &endpoint.result);
    let word = Word::of(&said, rule);
    if said.is_success()
        && word != Word::Failed
        && let Some(found) = success(answer, &said, word, rule, &endpoint.url)
        // An address that is not used is no result, and the money that stands beside it is.
        && !(said.refund && matches!(found, RedeemResponse::UnknownShape { .. }))
    {
        return if is_covered(answer, &found) {
            RedeemResponse::UnknownShape { message: COVERED_RESULT.to_owned() }
        } else {
            found
        };
    }
    if said.refund {
        return RedeemResponse::RefundOffered { code: said.printable_code(), message: said.message };
    }
    if let Some(why) = answer.header(INCOMPLETE) {
        let message =
            format!("{}; the answer broke off ({}), and what came of it is kept", said.message, printable(why));
        return RedeemResponse::Failed { reason: Reason::UnknownAnswer, after_ms: said.after_ms, message };
    }
    match said.after(endpoint) {
        Treatment::ContentFiltered => refused(said, Reason::ContentFiltered),
        Treatment::InvalidInput => refused(said, Reason::InvalidInput),
        Treatment::Never => refused(said, Reason::OriginFailed),
        Treatment::Refund => RedeemResponse::RefundOffered { code: said.printable_code(), message: said.message },
        Treatment::RateLimited | Treatment::Retry | Treatment::RedeemAgain => not_delivered(said, Reason::NotDelivered),
        Treatment::Cached => RedeemResponse::Retry {
            after_ms: said.after_window_ms(endpoint),
            reason: Reason::AnsweredFromCache,
            message: said.message,
        },
        Treatment::NotForSale | Treatment::ByStatus => match said.status {
            200..=299 if word == Word::Failed => refused(said, Reason::OriginFailed),
            200..=299 => RedeemResponse::UnknownShape { message: no_result(&said, rule) },
            401 | 402 => {
                let (is_late, is_used) = (says(&said, &LATE_PROBLEMS), says(&said, &USED_PROBLEMS));
                let after_ms = said.after_ms;
                let message = with_other_scheme(said.message, answer, endpoint);
                if is_late || is_used {
                    return RedeemResponse::CredentialSpent { is_late, after_ms, message };
                }
                RedeemResponse::CredentialRejected { after_ms, message }
            }
            // An answer without a code may come from a proxy on the way, so no status alone ends a paid purchase.
            _ => not_delivered(said, Reason::NotDelivered),
        },
    }
}

/// The kinds of problem, by the last words of `type` (RFC 9457), by which the drafts of the `Payment` scheme say that the time of
/// a charge is over.
const LATE_PROBLEMS: [&str; 2] = ["payment-expired", "expired-invoice"];
/// And those by which they say that it is used up or not known, which a server also says of what another one has sold.
const USED_PROBLEMS: [&str; 2] = ["invalid-challenge", "unknown-challenge"];

fn says(said: &Envelope, problems: &[&str]) -> bool {
    let kind = said.text_at(&["/type".to_owned()]);
    let kind = kind.map(|kind| kind.trim_end_matches('/').rsplit(['/', ':', '#']).next().unwrap_or_default());
    kind.is_some_and(|kind| problems.iter().any(|known| kind.eq_ignore_ascii_case(known)))
}

/// A word against the purchase. Said with success it is the answer to it; else the same credential may be shown again.
fn refused(said: Envelope, reason: Reason) -> RedeemResponse {
    if said.is_success() {
        RedeemResponse::Failed { reason, after_ms: said.after_ms, message: said.message }
    } else {
        not_delivered(said, reason)
    }
}

/// A server that lists several schemes may take one of them alone, and nothing in its challenge says which.
fn with_other_scheme(message: String, answer: &HttpAnswer, endpoint: &Endpoint) -> String {
    let offers = |scheme| Challenge::offers(scheme, answer.headers_named("www-authenticate"));
    let offers_both = (offers(Scheme::L402) || offers(Scheme::Lsat)) && offers(Scheme::Payment);
    if endpoint.terms.scheme.is_some() || !offers_both {
        return message;
    }
    format!(
        "{message}; it offers the Payment scheme beside L402 and may take that alone: then new jobs need \
         `scheme = \"payment\"` in the endpoint's entry"
    )
}

/// What a 2xx answer to a redeem holds: a result, a poll address, or the word that it takes time.
fn success(
    answer: &HttpAnswer,
    said: &Envelope,
    word: Word,
    rule: &ResultRule,
    endpoint_url: &Url,
) -> Option<RedeemResponse> {
    let at = answered_at(answer, endpoint_url);
    let named = |name| answer.header(name).filter(|url| !url.trim().is_empty());
    let poll = said.text_at(&rule.poll_url).or_else(|| named("x-poll-url"));
    // It is accepted, and where that is looked at stands where it is usual.
    let poll = poll.or_else(|| named("location").filter(|_| answer.status == 202));
    let may_come = poll.is_some() && (word == Word::Pending || word.may_grow(said, rule));
    let results = if may_come { Vec::new() } else { said.texts_at(&rule.url) };
    if let Some(found) = taken(results::named(&results, &at, endpoint_url)) {
        return Some(found);
    }
    if let Some(text) = poll {
        return Some(match url_policy::poll_url(text, &at, endpoint_url) {
            Ok(url) => {
                let interval_ms = interval_ms(answer, said, rule).unwrap_or(POLL_MS_DEFAULT);
                RedeemResponse::Accepted { poll: Poll { url, interval_ms } }
            }
            Err(why) => RedeemResponse::UnknownShape { message: misplaced("poll", &why) },
        });
    }
    let is_done = said.status != 202 && word.may_be_done(rule);
    if is_done && let Some(found) = taken(results::bounded(inline::texts(answer, said, rule))) {
        return Some(found);
    }
    let own = inline::result(answer).filter(|_| answer.header(INCOMPLETE).is_none());
    if let Some(url) = own.or_else(|| inline::sold(answer, said, rule).filter(|_| is_done)) {
        return Some(RedeemResponse::Delivered { url, more: Vec::new() });
    }
    if said.refund || said.code.is_some() || (said.status != 202 && word != Word::Pending) {
        return None;
    }
    let job = answer.header("x-job-id").map_or_else(String::new, |id| format!(" as {}", printable(id)));
    let message = format!("the origin has accepted the job{job} and names no address to poll; the answer is kept");
    Some(RedeemResponse::Failed { reason: Reason::UnknownAnswer, after_ms: said.after_ms, message })
}

/// What becomes of an answer that names results; none where it names none.
fn taken(found: Result<Option<Results>, BadResults>) -> Option<RedeemResponse> {
    match found {
        Ok(found) => found.map(|(url, more)| RedeemResponse::Delivered { url, more }),
        Err(why) => Some(RedeemResponse::UnknownShape { message: why.message() }),
    }
}

fn not_delivered(said: Envelope, reason: Reason) -> RedeemResponse {
    RedeemResponse::Retry { after_ms: said.after_ms, reason, message: said.message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::job_status::{POLL_MS_MAX, POLL_MS_MIN};
    use crate::origin::samples::{self, answer};
    use crate::origin::{ANSWERED_AT, PollResponse, read_poll};
    use proptest::prelude::*;

    fn delivered((url, more): Results) -> RedeemResponse {
        RedeemResponse::Delivered { url, more }
    }

    fn endpoint() -> Endpoint {
        samples::endpoint("https://sats.example/api/l402/generate-video")
    }

    fn redeem(status: u16, headers: &[(&str, &str)], body: &str) -> RedeemResponse {
        read_redeem(&answer(status, headers, body), &endpoint())
    }

    fn poll(status: u16, headers: &[(&str, &str)], body: &str) -> PollResponse {
        read_poll(&answer(status, headers, body), &endpoint())
    }

    fn at(url: &str) -> Url {
        url.parse().unwrap()
    }

    #[test]
    fn no_address_and_no_text_is_made_of_what_is_covered() {
        let stars = "*".repeat(8);
        let covered = [("x-l402-batch-covered", "body")];
        let body = |key: &str| format!(r#"{{"videoUrl":"https://sats.example/v/1?key={key}"}}"#);
        let not_known = |message: &str| message.contains("repeats the secret");
        assert!(matches!(redeem(200, &[], &body(&stars)), RedeemResponse::Delivered { .. }), "an origin's own stars");
        assert!(matches!(redeem(200, &covered, &body("x")), RedeemResponse::Delivered { .. }), "covered elsewhere");
        let read = redeem(200, &covered, &body(&stars));
        assert!(matches!(&read, RedeemResponse::UnknownShape { message } if not_known(message)), "{read:?}");
        let read = poll(200, &covered, &body(&stars));
        assert!(matches!(&read, PollResponse::UnknownShape { message } if not_known(message)), "{read:?}");
        let accepted = format!(r#"{{"poll_url":"/job?key={stars}"}}"#);
        assert!(matches!(redeem(202, &[], &accepted), RedeemResponse::Accepted { .. }));
        let read = redeem(202, &covered, &accepted);
        assert!(matches!(&read, RedeemResponse::UnknownShape { message } if not_known(message)), "{read:?}");
        let text = selling(&["/text"], false);
        let read = read_redeem(&answer(200, &covered, r#"{"text":"a word"}"#), &text);
        assert!(matches!(&read, RedeemResponse::UnknownShape { message } if not_known(message)), "{read:?}");
    }

    /// What an endpoint sells as the answer itself, or as text within it.
    fn selling(text: &[&str], body: bool) -> Endpoint {
        let mut endpoint = endpoint();
        endpoint.result.text = text.iter().map(|pointer| (*pointer).to_owned()).collect();
        endpoint.result.body = body;
        endpoint
    }

    #[test]
    fn an_answer_is_the_result_where_its_endpoint_says_so() {
        let json = [("content-type", "application/json")];
        let of = |endpoint: &Endpoint, status, headers: &[(&str, &str)], body: &str| match read_redeem(
            &answer(status, headers, body),
            endpoint,
        ) {
            RedeemResponse::Delivered { url, .. } => {
                Some(url.as_str().split('#').next().unwrap_or_default().to_owned())
            }
            RedeemResponse::Accepted { .. } => Some("accepted".to_owned()),
            _ => None,
        };
        let data = |kind: &str| Some(format!("data:{kind};base64,..."));
        let body = selling(&[], true);
        assert_eq!(of(&body, 200, &json, r#"{"answer":42}"#), data("application/json"));
        assert_eq!(of(&body, 200, &[("content-type", "text/plain; charset=utf-8")], "42"), data("text/plain"));
        assert_eq!(
            of(&body, 200, &json, r#"{"videoUrl":"https://cdn.example/a.mp4"}"#),
            Some("https://cdn.example/a.mp4".into())
        );
        let poll = r#"{"status":"processing","poll_url":"/jobs/1"}"#;
        assert_eq!(of(&body, 202, &json, poll), Some("accepted".into()));
        // What may be anything else is none: it says that it is not done, went wrong, broke off, is a part, or nothing.
        for (status, headers, text) in [
            (200, &json[..], r#"{"status":"processing"}"#),
            (200, &json, r#"{"status":"rendering"}"#),
            (200, &json, r#"{"status":202,"body":{"id":"7"}}"#),
            (200, &json, r#"{"data":null,"errors":[{"message":"no"}]}"#),
            (200, &json, r#"{"success":false,"message":"no"}"#),
            (200, &json, r#"{"answer":4"#),
            (200, &[("content-type", "text/html")], "<!doctype html><html><body>busy</body></html>"),
            (200, &[("content-type", "image/png")], "sorry, try later"),
            (200, &json, r#"{"status":"FAILED"}"#),
            (200, &json, r#"{"error":"out of luck"}"#),
            (200, &json, r#"{"error_code":"BUSY","data":1}"#),
            (200, &[(INCOMPLETE, "it broke off")], r#"{"answer":42}"#),
            (206, &json, r#"{"answer":42}"#),
            (200, &[("content-encoding", "zstd")], "????"),
            (202, &json, r#"{"answer":42}"#),
            (500, &json, r#"{"answer":42}"#),
            (200, &json, ""),
        ] {
            assert_eq!(of(&body, status, headers, text), None, "{status} {headers:?} {text}");
        }
        for text in
            [r#"{"error":null,"answer":42}"#, r#"{"error":"","errors":[],"success":true}"#, r#"{"status":"completed"}"#]
        {
            assert_eq!(of(&body, 200, &json, text), data("application/json"), "{text}");
        }
        let chat = selling(&["/choices/0/message/content"], false);
        assert_eq!(of(&chat, 200, &json, r#"{"choices":[{"message":{"content":"a kite"}}]}"#), data("text/plain"));
        for rest in [r#""status":"generating""#, r#""error":"overloaded""#, r#""error_code":"BUSY""#] {
            let text = format!(r#"{{"choices":[{{"message":{{"content":"a k"}}}}],{rest}}}"#);
            assert_eq!(of(&chat, 200, &json, &text), None, "{text}");
        }
        assert_eq!(of(&chat, 200, &json, r#"{"choices":[]}"#), None);
        assert_eq!(of(&endpoint(), 200, &json, r#"{"answer":42}"#), None, "not asked for");
    }

    #[test]
    fn a_result_is_delivered() {
        for (status, body, url) in [
            (200, r#"{"videoUrl":"https://cdn.example/a.mp4"}"#, "https://cdn.example/a.mp4"),
            (201, r#"{"videoUrl":"/uploads/a.mp4","refund":null}"#, "https://sats.example/uploads/a.mp4"),
            (200, r#"{"videoUrl":"","result":{"url":"/b.mp4"},"status":"success"}"#, "https://sats.example/b.mp4"),
            (200, r#"{"status":200,"body":{"videoUrl":"/c.mp4"}}"#, "https://sats.example/c.mp4"),
            (200, r#"{"videoUrl":"/d.mp4","error_code":"L402_DEDUP_HIT"}"#, "https://sats.example/d.mp4"),
        ] {
            assert_eq!(redeem(status, &[], body), delivered((at(url), Vec::new())), "{body}");
        }
    }

    #[test]
    fn an_accepted_job_is_polled_where_and_how_often_it_says() {
        let body = r#"{"requestId":"p","status":"processing","poll_url":"/job?id=p&t=v","poll_interval_ms":1500}"#;
        let wrapped = format!(r#"{{"status":202,"body":{body}}}"#);
        let accepted = |interval_ms| RedeemResponse::Accepted {
            poll: Poll { url: at("https://sats.example/job?id=p&t=v"), interval_ms },
        };
        assert_eq!(redeem(202, &[], body), accepted(1_500));
        assert_eq!(redeem(200, &[], body), accepted(1_500));
        assert_eq!(redeem(200, &[], &wrapped), accepted(1_500));
        let url = ("x-poll-url", "/job?id=p&t=v");
        assert_eq!(redeem(202, &[url, ("x-poll-interval-ms", "700")], ""), accepted(700));
        assert_eq!(redeem(202, &[url, ("retry-after", "2")], ""), accepted(2_000));
        assert_eq!(redeem(202, &[url], "{}"), accepted(POLL_MS_DEFAULT));
        assert_eq!(redeem(202, &[url, ("x-poll-interval-ms", "0")], ""), accepted(POLL_MS_MIN));
        assert_eq!(redeem(202, &[url], r#"{"poll_interval_ms":99999999}"#), accepted(POLL_MS_MAX));
        let early = r#"{"status":"processing","videoUrl":"/later.mp4","poll_url":"/job?id=p&t=v"}"#;
        assert_eq!(redeem(200, &[], early), accepted(POLL_MS_DEFAULT));
    }

    #[test]
    fn an_accepted_job_is_polled_at_its_location() {
        let place = ("location", "/job/7");
        let poll = Poll { url: at("https://sats.example/job/7"), interval_ms: POLL_MS_DEFAULT };
        for body in ["", "{}", r#"{"status":"queued"}"#] {
            assert_eq!(redeem(202, &[place], body), RedeemResponse::Accepted { poll: poll.clone() }, "{body}");
        }
        assert!(
            matches!(redeem(200, &[place], ""), RedeemResponse::UnknownShape { .. }),
            "it is not said to be a poll's"
        );
        assert!(matches!(redeem(202, &[("location", "https://b.example/7")], ""), RedeemResponse::UnknownShape { .. }));
    }

    #[test]
    fn relative_addresses_start_where_the_answer_came_from_and_not_at_the_places_of_its_endpoint() {
        let endpoint = samples::endpoint("https://sats.example/v1/{voice}/speech");
        let came = (ANSWERED_AT, "https://sats.example/v1/alloy/speech");
        let polled_at = |location| match read_redeem(&answer(202, &[came, ("location", location)], ""), &endpoint) {
            RedeemResponse::Accepted { poll } => poll.url.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(polled_at("jobs/7"), "https://sats.example/v1/alloy/jobs/7");
        assert_eq!(polled_at("../jobs/7"), "https://sats.example/v1/jobs/7");
        let made = r#"{"videoUrl":"made/7.mp3","status":"COMPLETED"}"#;
        let url = at("https://sats.example/v1/alloy/made/7.mp3");
        assert_eq!(read_redeem(&answer(200, &[came], made), &endpoint), delivered((url.clone(), Vec::new())));
        assert_eq!(
            read_poll(&answer(200, &[came], made), &endpoint),
            PollResponse::Delivered { url, more: Vec::new() }
        );
        let away = answer(202, &[(ANSWERED_AT, "https://cdn.example/x"), ("location", "jobs/7")], "");
        assert!(
            matches!(read_redeem(&away, &endpoint), RedeemResponse::UnknownShape { .. }),
            "origins are the endpoint's"
        );
    }

    #[test]
    fn an_answer_may_be_the_result_itself() {
        let film = ("content-type", "video/mp4");
        let RedeemResponse::Delivered { url, .. } = redeem(200, &[film], "\0\x01film") else { panic!("no result") };
        let found = inline::inline_result(&answer(200, &[film], "\0\x01film"), &endpoint().result, &url, 0).unwrap();
        assert_eq!((found.bytes.as_slice(), found.media_type.as_str()), (&b"\0\x01film"[..], "video/mp4"));
        let picture = ("content-type", "image/svg+xml");
        assert!(matches!(redeem(200, &[picture], "<svg xmlns='x'/>"), RedeemResponse::Delivered { .. }));
        let octets = ("content-type", "application/octet-stream");
        assert!(matches!(redeem(200, &[octets], "\0\0\0 ftypisom"), RedeemResponse::Delivered { .. }));
        for (status, headers, body) in [
            (200, vec![octets], "what is this"),
            (200, vec![film], ""),
            (200, vec![("content-type", "text/html")], "<html>"),
            (200, vec![film], "<!doctype html><p>sorry"),
            (200, vec![film], "sorry, failed"),
            (200, vec![film], "{\"error\":\"x\"}"),
            (206, vec![film], "\0\x01film"),
            (200, vec![film, ("content-range", "bytes 0-4/200")], "\0\x01film"),
            (200, vec![film, ("content-encoding", "br")], "\0\x01film"),
            (500, vec![film], "\0\x01film"),
        ] {
            assert!(
                !matches!(redeem(status, &headers, body), RedeemResponse::Delivered { .. }),
                "{status} {headers:?}"
            );
        }
        let cut = answer(200, &[film], "\0fil").cut("it broke off");
        assert!(matches!(read_redeem(&cut, &endpoint()), RedeemResponse::Failed { .. }));
        // Of a poll the head alone is taken: the result stands where it was asked for.
        let head = [film, (ANSWERED_AT, "https://sats.example/film/7")];
        assert_eq!(
            poll(200, &head, ""),
            PollResponse::Delivered { url: at("https://sats.example/film/7"), more: Vec::new() }
        );
    }

    #[test]
    fn a_redirect_that_is_not_followed_is_an_answer_and_told() {
        let away = [("location", "https://cdn.example/film/7.mp4?token=abc")];
        for status in [301, 302, 303, 307, 308] {
            let RedeemResponse::Retry { reason: Reason::NotDelivered, message, .. } = redeem(status, &away, "") else {
                panic!("{status}")
            };
            assert!(message.contains("https://cdn.example/film/7.mp4, which"), "{message}");
            let PollResponse::Retry { message, .. } = poll(status, &away, "") else { panic!("{status}") };
            assert!(message.contains("https://cdn.example/film/7.mp4, which"), "{message}");
        }
    }

    #[test]
    fn an_accepted_job_without_an_address_is_not_sent_again() {
        for (status, body) in [(202, ""), (202, "{}"), (200, r#"{"status":"processing"}"#)] {
            let found = redeem(status, &[("x-job-id", "j\u{1b}7"), ("retry-after", "3")], body);
            let RedeemResponse::Failed { after_ms: Some(3_000), reason: Reason::UnknownAnswer, message } = found else {
                panic!("{found:?}")
            };
            assert!(message.contains("as j\u{fffd}7"), "{message}");
        }
    }

    #[test]
    fn a_refund_is_taken_wherever_it_stands_unless_a_result_is_there() {
        let link = r#""lnurl_withdraw":"lnurl1abc""#;
        for (status, body) in [
            (500, format!(r#"{{"error":"no gpu",{link}}}"#)),
            (200, format!(r#"{{"status":500,"body":{{"error":"no gpu"}},"refund":{{{link}}}}}"#)),
            (200, format!(r#"{{"videoUrl":"http://10.0.0.1/a.mp4","refund":{{{link}}}}}"#)),
            (202, format!(r#"{{"poll_url":"https://other.example/job","refund":{{{link}}}}}"#)),
        ] {
            let found = redeem(status, &[], &body);
            assert!(matches!(found, RedeemResponse::RefundOffered { .. }), "{body}: {found:?}");
            assert_eq!(answer(status, &[], &body).refund_link().as_deref(), Some("lnurl1abc"));
        }
        let misplaced =
            format!(r#"{{"status":"COMPLETED","result":{{"url":"http://10.0.0.1/a"}},"refund":{{{link}}}}}"#);
        assert!(matches!(poll(200, &[], &misplaced), PollResponse::RefundOffered { .. }));
        let both = format!(r#"{{"videoUrl":"/a.mp4","refund":{{{link}}}}}"#);
        assert_eq!(redeem(200, &[], &both), delivered((at("https://sats.example/a.mp4"), Vec::new())));
        assert_eq!(
            poll(200, &[], &both),
            PollResponse::Delivered { url: at("https://sats.example/a.mp4"), more: Vec::new() }
        );
        for none in [r#"{"lnurl_withdraw":""}"#, r#"{"lnurl_withdraw":null,"refund":null}"#] {
            assert!(matches!(redeem(500, &[], none), RedeemResponse::Retry { .. }), "{none}");
        }
    }

    #[test]
    fn a_refund_is_told_without_its_link() {
        let refund =
            r#""refund":{"charge_id":"c","refund_amount":2750,"lnurl_withdraw":"lnurl1abc","status":"pending"}"#;
        for (status, body) in [
            (500, format!(r#"{{"error":"no gpu","error_code":"L402_UPSTREAM_FAILED",{refund}}}"#)),
            (200, format!(r#"{{"error":"no gpu","error_code":"L402_REFUND_ISSUED",{refund}}}"#)),
            (402, format!(r#"{{"error":"no gpu",{refund}}}"#)),
            (
                500,
                r#"{"error":"no gpu","suggestion":"claim it at https://p.example/w?i=lnurl1",
                    "refund":{"lnurl_withdraw":"https://p.example/w?i=lnurl1"}}"#
                    .to_owned(),
            ),
            (200, format!(r#"{{"status":"FAILED","videoUrl":"/half.mp4","error":"no gpu",{refund}}}"#)),
        ] {
            let RedeemResponse::RefundOffered { message, .. } = redeem(status, &[], &body) else { panic!("{body}") };
            assert!(message.contains("no gpu") && !message.contains("lnurl1"), "{message}");
            let PollResponse::RefundOffered { .. } = poll(status, &[], &body) else { panic!("{body}") };
        }
        let coded = redeem(500, &[], &format!(r#"{{"error_code":"L402_UPSTREAM_FAILED",{refund}}}"#));
        let RedeemResponse::RefundOffered { code, .. } = coded else { panic!("{coded:?}") };
        assert_eq!(code.as_deref(), Some("L402_UPSTREAM_FAILED"));
    }

    #[test]
    fn a_word_against_it_counts_where_it_is_said_with_success() {
        let coded = |code: &str| format!(r#"{{"error":"e","error_code":"{code}","retry_after_seconds":9}}"#);
        for (status, code, expected) in [
            (400, "CONTENT_FILTERED", Reason::ContentFiltered),
            (200, "CONTENT_FILTERED", Reason::ContentFiltered),
            (422, "INVALID_INPUT", Reason::InvalidInput),
            (400, "L402_INVALID_PARAMS", Reason::InvalidInput),
        ] {
            let reason = match redeem(status, &[], &coded(code)) {
                RedeemResponse::Failed { reason, after_ms: Some(9_000), .. } if status == 200 => reason,
                RedeemResponse::Retry { reason, after_ms: Some(9_000), .. } if status != 200 => reason,
                found => panic!("{status}: {found:?}"),
            };
            assert_eq!(reason, expected, "{status} {code}");
        }
        let failed = redeem(200, &[], r#"{"status":"failed","error":"gone wrong"}"#);
        assert!(matches!(failed, RedeemResponse::Failed { reason: Reason::OriginFailed, .. }), "{failed:?}");
        for (status, code) in [
            (504, "TIMEOUT"),
            (429, "RATE_LIMITED"),
            (500, "SERVICE_ERROR"),
            (502, "L402_UPSTREAM_FAILED"),
            (402, "RATE_LIMITED"),
        ] {
            let found = redeem(status, &[], &coded(code));
            let expected = RedeemResponse::Retry {
                after_ms: Some(9_000),
                reason: Reason::NotDelivered,
                message: format!("HTTP {status} ({code}): e"),
            };
            assert_eq!(found, expected);
        }
        // From the cache and without a result: after the window.
        let found = redeem(409, &[], &coded("L402_DEDUP_HIT"));
        let RedeemResponse::Retry { after_ms: Some(30_000), reason: Reason::AnsweredFromCache, .. } = found else {
            panic!("{found:?}")
        };
        for status in [400, 403, 404, 405, 408, 409, 410, 418, 422, 425, 429, 500, 502, 503, 504, 599] {
            let found = redeem(status, &[], "<html>");
            assert!(matches!(found, RedeemResponse::Retry { reason: Reason::NotDelivered, .. }), "{found:?}");
        }
    }

    #[test]
    fn a_rejected_credential_is_told_apart() {
        for status in [401, 402] {
            let found = redeem(status, &[("retry-after", "1")], r#"{"error":"unknown credential"}"#);
            let message = format!("HTTP {status}: unknown credential");
            assert_eq!(found, RedeemResponse::CredentialRejected { after_ms: Some(1_000), message });
        }
    }

    #[test]
    fn a_charge_that_is_used_up_is_told_apart_from_one_that_is_not_seen_yet() {
        let problem = |status, kind: &str| {
            let fresh = ("www-authenticate", r#"Payment id="2", method="lightning", intent="charge", request="e30""#);
            redeem(status, &[fresh], &format!(r#"{{"type":"{kind}","title":"Invalid Challenge","detail":"used"}}"#))
        };
        for (status, kind, is_late) in [
            (402, "https://paymentauth.org/problems/invalid-challenge", false),
            (401, "https://paymentauth.org/problems/lightning/unknown-challenge", false),
            (402, "https://ietf.org/payment/problems/payment-expired", true),
            (401, "urn:x:expired-invoice", true),
            (402, "Invalid-Challenge", false),
        ] {
            let message = format!("HTTP {status}: Invalid Challenge; used");
            assert_eq!(
                problem(status, kind),
                RedeemResponse::CredentialSpent { is_late, after_ms: None, message },
                "{kind}"
            );
        }
        for kind in
            ["verification-failed", "payment-required", "invalid-preimage", "about:blank", "", "invalid-challenge/x"]
        {
            assert!(matches!(problem(402, kind), RedeemResponse::CredentialRejected { .. }), "{kind}");
        }
        let elsewhere = problem(500, "https://paymentauth.org/problems/invalid-challenge");
        assert!(matches!(elsewhere, RedeemResponse::Retry { .. }), "no other status says so: {elsewhere:?}");
        let nested = redeem(402, &[], r#"{"error":{"type":"invalid-challenge"}}"#);
        assert!(matches!(nested, RedeemResponse::CredentialRejected { .. }), "{nested:?}");
    }

    #[test]
    fn a_rejected_credential_tells_of_the_scheme_that_may_be_the_only_one() {
        let (l402, payment) = (r#"L402 macaroon="m", invoice="i""#, r#"Payment id="1", method="lightning""#);
        let words = |lines: &[&'static str], endpoint: &Endpoint| {
            let headers: Vec<_> = lines.iter().map(|line| ("www-authenticate", *line)).collect();
            match read_redeem(&answer(402, &headers, ""), endpoint) {
                RedeemResponse::CredentialRejected { message, .. } => message.contains("`scheme = \"payment\"`"),
                found => panic!("{found:?}"),
            }
        };
        assert!(words(&[l402, payment], &endpoint()));
        assert!(!words(&[l402], &endpoint()) && !words(&[payment], &endpoint()));
        let mut named = endpoint();
        named.terms.scheme = Some(crate::catalog::AuthScheme::Payment);
        assert!(!words(&[l402, payment], &named), "it is said already");
    }

    #[test]
    fn a_success_that_broke_off_is_read_as_far_as_it_came() {
        let cut = |body: &str, headers: &[(&str, &str)]| {
            read_redeem(&answer(200, headers, body).cut("it broke\u{1b} off"), &endpoint())
        };
        let whole = cut(r#"{"videoUrl":"/a.mp4"}"#, &[]);
        assert_eq!(whole, delivered((at("https://sats.example/a.mp4"), Vec::new())));
        assert!(matches!(cut("", &[("x-poll-url", "/job")]), RedeemResponse::Accepted { .. }));
        for body in ["", r#"{"videoUrl":"/a.m"#] {
            let RedeemResponse::Failed { reason: Reason::UnknownAnswer, message, .. } = cut(body, &[]) else {
                panic!("{body}")
            };
            assert!(message.contains("broke off (it broke\u{fffd} off)"), "{message}");
        }
    }

    #[test]
    fn success_without_a_usable_result_is_unknown() {
        for body in [
            "",
            "null",
            "[]",
            "not json",
            "{}",
            r#"{"videoUrl":null}"#,
            r#"{"videoUrl":7}"#,
            r#"{"videoUrl":"file:///etc/passwd"}"#,
            r#"{"videoUrl":"http://127.0.0.1/x"}"#,
            r#"{"poll_url":"https://evil.example/x"}"#,
            r#"{"error_code":"L402_ESTIMATE_ONLY"}"#,
        ] {
            let found = redeem(200, &[], body);
            assert!(matches!(found, RedeemResponse::UnknownShape { .. }), "{body}: {found:?}");
        }
        let steered = redeem(202, &[("x-poll-url", "http://169.254.169.254/")], "");
        assert!(matches!(steered, RedeemResponse::UnknownShape { .. }), "{steered:?}");
    }

    proptest! {
        #[test]
        fn no_answer_makes_a_reader_panic(status in 100_u16..600, body in any::<Vec<u8>>(), url in any::<String>()) {
            let json = serde_json::json!({ "videoUrl": url, "poll_url": url, "status": url }).to_string().into_bytes();
            for body in [body, json] {
                let answer = HttpAnswer { status, headers: vec![("x-poll-url".to_owned(), url.clone())], body };
                let _ = read_redeem(&answer, &endpoint());
                let _ = read_poll(&answer, &endpoint());
            }
        }
    }
}
