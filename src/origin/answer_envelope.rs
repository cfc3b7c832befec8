//! What every answer may say beside its result: an error code, words, when to come back, a refund.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};
use url::Url;

use super::lnurl::LINKS;
use crate::catalog::{Endpoint, Treatment};
use crate::first_bytes;
use crate::money::whole_number;
use crate::purchase::HttpAnswer;
use crate::terminal_text::printable;
use crate::time::UnixMs;

/// A `Retry-After` beyond this counts as this.
pub const RETRY_AFTER_MS_MAX: u64 = 60 * 60 * 1_000;

/// A body of more values is not read: each takes a hundred bytes of memory, and may be written in two.
const JSON_VALUES_MAX: usize = 100_000;

/// A run of so many characters of base64 or hex in an origin's words may be a credential that it echoes.
const SECRET_CHARS_MIN: usize = 40;

/// An answer, read as far as it means the same to asking, redeeming and polling.
pub(super) struct Envelope {
    /// The status, of the wrapped answer where there is one.
    pub(super) status: u16,
    /// The whole body; nothing where it is no JSON.
    json: Option<Json>,
    /// The body holds the answer proper: `{"status":202,"body":{…}}`.
    wrapped: bool,
    /// The error code in upper case, if any.
    pub(super) code: Option<String>,
    /// A refund is offered.
    pub(super) refund: bool,
    /// It says that it was answered from a cache of identical requests.
    pub(super) from_cache: bool,
    /// How long to wait before asking again, at most [`RETRY_AFTER_MS_MAX`].
    pub(super) after_ms: Option<u64>,
    /// In words for a person: harmless, without secrets.
    pub(super) message: String,
}

impl Envelope {
    pub(super) fn of(answer: &HttpAnswer) -> Self {
        let json = parsed(&answer.body);
        let inner_status = json.as_ref().and_then(wrapped_status);
        let status = inner_status.unwrap_or(answer.status);
        let inner = inner(json.as_ref(), inner_status.is_some());
        let wrapped = inner_status.is_some();
        let roots = || [inner, json.as_ref().filter(|_| wrapped)].into_iter().flatten();
        let code = code_word(answer, roots());
        let refund = roots().filter_map(|root| root.get("refund")).any(is_an_offer);
        let from_cache = answer.header("x-dedup").is_some_and(is_yes);
        let after_ms = retry_after_header(answer).or_else(|| retry_after_body(inner));
        let text = plain_text(answer).filter(|_| json.is_none() && !(200..300).contains(&status));
        let words = words(status, inner, code.as_deref(), text);
        let mut said = Self { status, code, refund, from_cache, after_ms, message: String::new(), wrapped, json };
        let link = said.refund_link();
        // Written out it does not look like a secret, and some repeat it in what they suggest.
        let words = link.map_or_else(|| words.clone(), |link| words.replace(link.trim(), "…"));
        let words = masked(&words) + &redirect_words(answer).unwrap_or_default();
        (said.refund, said.message) = (refund || link.is_some(), printable(&words));
        said
    }

    /// The link with which the money is offered back, as it stands there.
    pub(super) fn refund_link(&self) -> Option<&str> {
        self.text_at(&LINKS.map(str::to_owned))
    }

    /// How the endpoint's table treats the answer to an unpaid request.
    pub(super) fn before(&self, endpoint: &Endpoint) -> Treatment {
        self.treated(self.code.as_ref().and_then(|code| endpoint.error_rule(code)).map(|rule| rule.before))
    }

    /// How it treats the answer to what is paid.
    pub(super) fn after(&self, endpoint: &Endpoint) -> Treatment {
        self.treated(self.code.as_ref().and_then(|code| endpoint.error_rule(code)).map(|rule| rule.after))
    }

    fn treated(&self, by_code: Option<Treatment>) -> Treatment {
        match by_code.unwrap_or(Treatment::ByStatus) {
            Treatment::ByStatus if self.from_cache => Treatment::Cached,
            found => found,
        }
    }

    /// How long to wait for what was answered from a cache: the window, or what the origin says if that is longer.
    pub(super) fn after_window_ms(&self, endpoint: &Endpoint) -> Option<u64> {
        let window_ms = u64::try_from(endpoint.window_ms()).unwrap_or(0);
        Some(self.after_ms.unwrap_or(0).max(window_ms).min(RETRY_AFTER_MS_MAX))
    }

    /// The code, for a refund's record.
    pub(super) fn printable_code(&self) -> Option<String> {
        self.code.as_deref().map(|word| printable(&masked(word)))
    }

    /// Its body is JSON.
    pub(super) const fn is_json(&self) -> bool {
        self.json.is_some()
    }

    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// It says that something went wrong, whatever its status: by a code, a refund, an error, or that it is no success.
    pub(super) fn has_failed(&self) -> bool {
        let roots = [inner(self.json.as_ref(), self.wrapped), self.json.as_ref()];
        let is_no = |root: &Json, name| root.get(name) == Some(&Json::Bool(false));
        let is_error = |root: &Json| {
            ["error", "errors"].iter().filter_map(|name| root.get(name)).any(says_something)
                || is_no(root, "success")
                || is_no(root, "ok")
        };
        self.code.is_some() || self.refund || roots.into_iter().flatten().any(is_error)
    }

    /// The first text that one of these JSON pointers leads to; a blank one does not count.
    pub(super) fn text_at(&self, pointers: &[String]) -> Option<&str> {
        self.values_at(pointers).filter_map(Json::as_str).find(|text| !text.trim().is_empty())
    }

    /// The texts that the first of these JSON pointers leads to which leads to any: several where a step of it is `*`. Blank ones do not
    /// count.
    pub(super) fn texts_at(&self, pointers: &[String]) -> Vec<&str> {
        let found = self.roots().flat_map(|root| pointers.iter().map(move |pointer| each_at(root, pointer)));
        let texts = found.map(|values| {
            let texts = values.into_iter().filter_map(Json::as_str);
            texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>()
        });
        texts.into_iter().find(|texts| !texts.is_empty()).unwrap_or_default()
    }

    /// Whether the texts at these pointers stand in a list.
    pub(super) fn has_list(&self, pointers: &[String]) -> bool {
        self.roots().any(|root| pointers.iter().any(|pointer| list_at(root, pointer).is_some()))
    }

    /// The first whole number that one of these JSON pointers leads to.
    pub(super) fn number_at(&self, pointers: &[String]) -> Option<u64> {
        self.values_at(pointers).find_map(whole_number)
    }

    /// Everything that the pointers lead to, from the answer proper, then from the whole body.
    fn values_at(&self, pointers: &[String]) -> impl Iterator<Item = &Json> {
        self.roots().flat_map(move |root| pointers.iter().filter_map(|pointer| root.pointer(pointer)))
    }

    /// The answer proper, then the whole body.
    fn roots(&self) -> impl Iterator<Item = &Json> {
        let whole = self.json.as_ref();
        [inner(whole, self.wrapped), whole.filter(|_| self.wrapped)].into_iter().flatten()
    }
}

/// What a pointer leads to: from each element, where a list stands at its step `*`.
fn each_at<'a>(root: &'a Json, pointer: &str) -> Vec<&'a Json> {
    match list_at(root, pointer) {
        Some((all, rest)) => all.iter().filter_map(|one| one.pointer(rest)).collect(),
        None => root.pointer(pointer).into_iter().collect(),
    }
}

/// The list at a pointer's step `*`, and where it leads from each element.
fn list_at<'a, 'p>(root: &'a Json, pointer: &'p str) -> Option<(&'a Vec<Json>, &'p str)> {
    let mut steps = pointer.match_indices("/*").map(|(at, step)| pointer.split_at(at + step.len()));
    let (list, rest) = steps.find(|(_, rest)| rest.is_empty() || rest.starts_with('/'))?;
    Some((root.pointer(list.strip_suffix("/*")?)?.as_array()?, rest))
}

/// Whether a value is more than a place that is left empty.
fn says_something(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Bool(true) => true,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.trim().is_empty(),
        Json::Array(all) => !all.is_empty(),
        Json::Object(all) => !all.is_empty(),
    }
}

/// The body as JSON, where it is that and not built to fill memory. Each value but the first has a comma or a bracket
/// before it, which bounds what the tree takes before it is made; depth is bounded by the parser.
pub(super) fn parsed(body: &[u8]) -> Option<Json> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let values = body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if values > JSON_VALUES_MAX { None } else { serde_json::from_slice(body).ok() }
}

/// How long an answer asks to wait, in milliseconds; an hour at most.
#[must_use]
pub fn retry_after_ms(answer: &HttpAnswer) -> Option<u64> {
    Envelope::of(answer).after_ms
}

/// The status that `{"status":202,"body":{…}}` wraps.
fn wrapped_status(json: &Json) -> Option<u16> {
    json.get("body").filter(|body| body.is_object())?;
    let status = u16::try_from(whole_number(json.get("status")?)?).ok()?;
    (100..600).contains(&status).then_some(status)
}

fn inner(json: Option<&Json>, wrapped: bool) -> Option<&Json> {
    if wrapped { json?.get("body") } else { json }
}

/// The code in the answer proper, else beside it, else in the header; a blank one does not count.
fn code_word<'a>(answer: &'a HttpAnswer, mut roots: impl Iterator<Item = &'a Json>) -> Option<String> {
    let said = |word: &'a str| Some(word.trim()).filter(|word| !word.is_empty());
    let in_body = roots.find_map(|root| said(root.get("error_code")?.as_str()?));
    in_body.or_else(|| said(answer.header("x-error-code")?)).map(str::to_ascii_uppercase)
}

/// A header that is there and does not say no.
fn is_yes(value: &str) -> bool {
    let value = value.trim();
    !["", "0", "false", "no", "miss"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

/// `"refund"` is an offer where it names the money, a link to it or the charge: what else may stand there, that none is due
/// for instance, is no reason to give up what is paid.
fn is_an_offer(refund: &Json) -> bool {
    let names = |name: &str| match refund.get(name) {
        Some(Json::String(text)) => !text.trim().is_empty(),
        Some(number @ Json::Number(_)) => whole_number(number) != Some(0),
        Some(Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_)) | None => false,
    };
    ["lnurl_withdraw", "charge_id", "refund_amount"].into_iter().any(names)
}

fn retry_after_header(answer: &HttpAnswer) -> Option<u64> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(bounded_ms(seconds));
    }
    // A date is measured by the origin's own clock, not by ours.
    let now = UnixMs::from_http_date(answer.header("date")?)?;
    let wait_ms = UnixMs::from_http_date(text)?.since_ms(now);
    Some(u64::try_from(wait_ms).unwrap_or(0).min(RETRY_AFTER_MS_MAX))
}

fn retry_after_body(json: Option<&Json>) -> Option<u64> {
    whole_number(json?.get("retry_after_seconds")?).map(bounded_ms)
}

const fn bounded_ms(seconds: u64) -> u64 {
    let ms = seconds.saturating_mul(1_000);
    if ms < RETRY_AFTER_MS_MAX { ms } else { RETRY_AFTER_MS_MAX }
}

/// `HTTP 429 (RATE_LIMITED): too many requests; wait a little`.
fn words(status: u16, json: Option<&Json>, code: Option<&str>, text: Option<String>) -> String {
    let mut out = format!("HTTP {status}");
    if let Some(code) = code {
        out.push_str(&format!(" ({code})"));
    }
    let names = if (200..300).contains(&status) { &SAID_WITH_SUCCESS[..] } else { &REASONS[..] };
    let reasons = json.map_or_else(Vec::new, |json| reasons(json, names));
    let reasons = if reasons.is_empty() { text.into_iter().collect() } else { reasons };
    for (n, reason) in reasons.iter().enumerate() {
        out.push_str(if n == 0 { ": " } else { "; " });
        out.push_str(reason);
    }
    out
}

/// Under which names origins give their reason: what they write in their own APIs, RFC 9457 (`title`, `detail`), RFC 6749
/// (`error_description`), as one word in small letters; each once, in this order.
const REASONS: [&str; 13] = [
    "error",
    "message",
    "title",
    "detail",
    "details",
    "errors",
    "reason",
    "description",
    "errordescription",
    "errormessage",
    "errormsg",
    "msg",
    "suggestion",
];
/// Beside a success the other names are those of its content.
const SAID_WITH_SUCCESS: [&str; 3] = ["error", "message", "suggestion"];
/// So many reasons of one answer are told.
const REASONS_MAX: usize = 4;

/// The reasons in an answer, each once.
fn reasons(json: &Json, names: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let is_reason_itself = json.is_array() || (json.is_string() && names.len() == REASONS.len());
    let named =
        json.as_object().map_or_else(Vec::new, |object| names.iter().flat_map(|name| named(object, name)).collect());
    for value in named.into_iter().chain(Some(json).filter(|_| is_reason_itself)) {
        let mut said = Vec::new();
        texts(value, &mut said);
        for text in said {
            if found.len() < REASONS_MAX && !found.iter().any(|known| known.contains(text)) {
                found.push(text.to_owned());
            }
        }
    }
    found
}

/// What stands under a name, however it is written: `errorMessage`, `error_message`, `Message`.
fn named<'a>(object: &'a Map<String, Json>, name: &str) -> impl Iterator<Item = &'a Json> {
    let is_named = move |key: &str| {
        let letters = key.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase());
        letters.eq(name.chars())
    };
    object.iter().filter(move |(key, _)| is_named(key)).map(|(_, value)| value)
}

/// What a value says: a text, the message of an object, or of each in a list; of an object by field, each field's.
fn texts<'a>(value: &'a Json, found: &mut Vec<&'a str>) {
    const MESSAGES: [&str; 5] = ["message", "msg", "detail", "description", "reason"];
    match value {
        Json::String(text) if !text.trim().is_empty() => found.push(text.trim()),
        Json::Array(all) => all.iter().take(REASONS_MAX).for_each(|value| texts(value, found)),
        Json::Object(object) => match MESSAGES.iter().find_map(|name| named(object, name).next()) {
            Some(message) => texts(message, found),
            None => {
                let lists = object.values().filter(|value| value.is_array() || value.is_object());
                lists.take(REASONS_MAX).for_each(|value| texts(value, found));
            }
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// What an answer says that is no JSON, where it is words and no page.
fn plain_text(answer: &HttpAnswer) -> Option<String> {
    let kind = answer.header("content-type").unwrap_or("text/plain").trim().to_ascii_lowercase();
    let text = match std::str::from_utf8(&answer.body) {
        Ok(text) => Cow::Borrowed(text),
        // A byte a letter, as ISO-8859-1 has it.
        Err(_) if first_bytes::are_words(&answer.body) => answer.body.iter().copied().map(char::from).collect(),
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    let is_words = kind.starts_with("text/plain") && !text.is_empty() && !text.starts_with(['<', '{', '[']);
    is_words.then(|| text.to_owned())
}

/// That it sends on to another address, and to which: without what may be a secret in it.
fn redirect_words(answer: &HttpAnswer) -> Option<String> {
    let to = answer.header("location").filter(|_| (300..400).contains(&answer.status))?.trim();
    let shown = match Url::parse(to) {
        Ok(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        Err(_) => to.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    let parts: Vec<String> = shown.split('/').map(masked).collect();
    Some(format!("; redirected to {}, which is not followed", parts.join("/")))
}

/// Long runs of base64 or hex become `…`: an origin may echo a token, a preimage, an invoice or a withdraw link.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(1024));
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-') {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() < SECRET_CHARS_MIN { &run } else { "…" });
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::samples::answer;
    use proptest::prelude::*;

    #[test]
    fn words_name_status_code_error_and_suggestion() {
        let body = r#"{"error":"too many\u001b[2J requests","error_code":"RATE_LIMITED","suggestion":"wait","retry_after_seconds":7}"#;
        let said = Envelope::of(&answer(429, &[], body));
        assert_eq!(said.message, "HTTP 429 (RATE_LIMITED): too many\u{fffd}[2J requests; wait");
        assert_eq!((said.code.as_deref(), said.after_ms, said.refund), (Some("RATE_LIMITED"), Some(7_000), false));
        let said = Envelope::of(&answer(500, &[("x-error-code", "timeout")], "<html>"));
        assert_eq!((said.message.as_str(), said.code.as_deref()), ("HTTP 500 (TIMEOUT)", Some("TIMEOUT")));
        let said = Envelope::of(&answer(400, &[], r#"{"error":{"message":"bad prompt"}}"#));
        assert_eq!(said.message, "HTTP 400: bad prompt");
    }

    #[test]
    fn the_reason_is_found_under_whatever_name_it_stands() {
        let json = ("content-type", "application/json");
        let text = ("content-type", "text/plain; charset=utf-8");
        for (kind, body, told) in [
            (json, r#"{"detail":"prompt is too long"}"#, ": prompt is too long"),
            (json, r#"{"detail":[{"loc":["body","duration"],"msg":"not a number","type":"t"}]}"#, ": not a number"),
            (
                ("content-type", "application/problem+json"),
                r#"{"type":"about:blank","title":"No credit","status":422,"detail":"30 are needed"}"#,
                ": No credit; 30 are needed",
            ),
            (json, r#"{"errors":[{"message":"a"},{"message":"b"}]}"#, ": a; b"),
            (json, r#"{"errors":{"prompt":["is missing"]}}"#, ": is missing"),
            (json, r#"{"message":"bad","error":"bad"}"#, ": bad"),
            (json, r#"["no such model"]"#, ": no such model"),
            (json, r#"{"Message":"as AWS has it"}"#, ": as AWS has it"),
            (json, r#"{"errorMessage":"a"}"#, ": a"),
            (json, r#"{"error_message":"a","Error-Description":"b"}"#, ": b; a"),
            (json, r#"{"error":{"cause":{"Message":"deep"}}}"#, ": deep"),
            (json, r#""just a string""#, ": just a string"),
            (json, "\u{feff}{\"error\":\"with a mark\"}", ": with a mark"),
            (text, "No such model.\n", ": No such model."),
            (("server", "x"), "plain", ": plain"),
            (text, "<html>bad gateway", ""),
            (("content-type", "text/html"), "words", ""),
            (json, "{}", ""),
            (json, r#"{"error":" ","detail":null}"#, ""),
        ] {
            assert_eq!(Envelope::of(&answer(422, &[kind], body)).message, format!("HTTP 422{told}"), "{body}");
        }
        assert_eq!(Envelope::of(&answer(200, &[json], r#"{"title":"My film"}"#)).message, "HTTP 200");
        assert_eq!(Envelope::of(&answer(200, &[json], r#""aGVsbG8""#)).message, "HTTP 200");
        let latin = HttpAnswer { body: b"zu gro\xdf, k\xfcrzer".to_vec(), ..answer(413, &[text], "") };
        assert_eq!(Envelope::of(&latin).message, "HTTP 413: zu groß, kürzer");
        let binary = HttpAnswer { body: b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), ..answer(500, &[text], "") };
        assert_eq!(Envelope::of(&binary).message, "HTTP 500");
        let elsewhere = "https://me:word@cdn.example/f/a.mp4?token=abc";
        let sent_on = Envelope::of(&answer(303, &[("location", elsewhere)], "")).message;
        assert_eq!(sent_on, "HTTP 303; redirected to https://cdn.example/f/a.mp4, which is not followed");
        let long = Envelope::of(&answer(422, &[text], &"word ".repeat(10_000))).message;
        assert!(long.chars().count() <= crate::terminal_text::PRINTABLE_CHARS_MAX, "{} characters", long.len());
    }

    #[test]
    fn an_echoed_credential_does_not_show() {
        let preimage = "07".repeat(32);
        let body = format!(r#"{{"error":"preimage {preimage} unknown","suggestion":"use lnurl1{}"}}"#, "q".repeat(60));
        let message = Envelope::of(&answer(401, &[], &body)).message;
        assert_eq!(message, "HTTP 401: preimage … unknown; use …");
        assert_eq!(masked(&"x".repeat(SECRET_CHARS_MIN)), "…");
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let after = |value: &'static str| Envelope::of(&answer(503, &[date, ("retry-after", value)], "")).after_ms;
        assert_eq!(after("0"), Some(0));
        assert_eq!(after("120"), Some(120_000));
        assert_eq!(after("99999999999999999999"), None);
        assert_eq!(after("18446744073709551615"), Some(RETRY_AFTER_MS_MAX));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30_000));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(after("Mon, 07 Nov 1994 08:49:37 GMT"), Some(RETRY_AFTER_MS_MAX));
        assert_eq!(after("-5"), None);
        let undated = answer(503, &[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], "");
        assert_eq!(Envelope::of(&undated).after_ms, None);
    }

    #[test]
    fn a_wrapped_answer_is_taken_out() {
        let said = Envelope::of(&answer(200, &[], r#"{"status":202,"body":{"poll_url":"/x"}}"#));
        assert_eq!((said.status, said.text_at(&["/poll_url".to_owned()])), (202, Some("/x")));
        assert_eq!(said.text_at(&["/body/poll_url".to_owned()]), Some("/x"));
        for plain in [r#"{"status":"done","body":{}}"#, r#"{"status":202,"body":"x"}"#, r#"{"status":7,"body":{}}"#] {
            assert_eq!(Envelope::of(&answer(200, &[], plain)).status, 200, "{plain}");
        }
    }

    #[test]
    fn a_wrapped_answer_s_code_is_found_wherever_it_stands() {
        for (header, body, code) in [
            (None, r#"{"status":502,"body":{"error_code":"timeout"}}"#, Some("TIMEOUT")),
            (
                Some("RATE_LIMITED"),
                r#"{"status":502,"body":{"error_code":"TIMEOUT"},"error_code":"X"}"#,
                Some("TIMEOUT"),
            ),
            (Some("RATE_LIMITED"), r#"{"status":502,"body":{},"error_code":"TIMEOUT"}"#, Some("TIMEOUT")),
            (Some("RATE_LIMITED"), r#"{"status":502,"body":{"error_code":" "}}"#, Some("RATE_LIMITED")),
            (Some(" "), r#"{"status":502,"body":{"error_code":7}}"#, None),
            // Not wrapped: what a result holds is no answer.
            (None, r#"{"status":"done","body":{"error_code":"TIMEOUT"}}"#, None),
        ] {
            let headers: Vec<_> = header.map(|word| ("x-error-code", word)).into_iter().collect();
            assert_eq!(Envelope::of(&answer(200, &headers, body)).code.as_deref(), code, "{body}");
        }
    }

    #[test]
    fn only_a_refund_that_names_something_is_one() {
        for (body, refund) in [
            (r#"{"refund":{"lnurl_withdraw":"x"}}"#, true),
            (r#"{"refund":{"charge_id":"c"}}"#, true),
            (r#"{"refund":{"refund_amount":5}}"#, true),
            (r#"{"refund":{"refund_amount":0,"lnurl_withdraw":null,"status":"none"}}"#, false),
            (r#"{"refund":{"eligible":false,"reason":"already refunded"}}"#, false),
            (r#"{"refund":"not due"}"#, false),
            (r#"{"refund":{}}"#, false),
            (r#"{"refund":null}"#, false),
            (r#"{"refund":false}"#, false),
        ] {
            assert_eq!(Envelope::of(&answer(500, &[], body)).refund, refund, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_built_to_fill_memory_is_not_read() {
        let list = |values: usize| format!(r#"{{"videoUrl":"/a.mp4","x":[{}0]}}"#, "0,".repeat(values));
        let found =
            |body: &str| Envelope::of(&answer(200, &[], body)).text_at(&["/videoUrl".to_owned()]).map(str::to_owned);
        assert_eq!(found(&list(JSON_VALUES_MAX - 10)), Some("/a.mp4".to_owned()));
        assert_eq!(found(&list(JSON_VALUES_MAX)), None);
        let deep = |open: &str| format!(r#"{{"videoUrl":"/a.mp4","x":{}"#, open.repeat(100_000));
        assert_eq!(found(&deep("[")), None);
        assert_eq!(found(&deep(r#"{"a":"#)), None);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in any::<Vec<u8>>(), header in any::<String>()) {
            let headers = vec![("retry-after".to_owned(), header.clone()), ("date".to_owned(), header)];
            let _ = Envelope::of(&HttpAnswer { status: 500, headers, body });
        }
    }
}
