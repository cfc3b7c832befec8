//! Results that come in the answer itself: a data URI, or base64 alone, where the result's address would stand. The answer
//! is in the ledger as it came, so the address that is recorded only says so, and the content stays there. It
//! names the content by its digest, so that two results are told apart by their addresses, wherever they stand.

use std::borrow::Cow;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER};
use sha2::{Digest, Sha256};
use url::Url;

use super::answer_envelope::Envelope;
use super::coding::Coding;
use super::url_policy::BadAddress;
use crate::catalog::ResultRule;
use crate::purchase::{HttpAnswer, INCOMPLETE};
use crate::{first_bytes, media};

/// What stands for the content in a recorded address: no base64, so that nobody takes it for some.
const ELSEWHERE: &str = "...";
/// So much of the content's SHA-256 tells it from every other.
const DIGEST_BYTES: usize = 16;
/// Base64 without a data URI around it is at least this long; shorter words are addresses.
const BARE_CHARS_MIN: usize = 64;
const MEDIA_CHARS_MAX: usize = 100;
/// The type of text that is a result itself.
const TEXT: &str = "text/plain";

/// A result that came in the answer itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline {
    /// Its content type, in lower case; empty where nobody says.
    pub media_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Whether a recorded address stands for a result in the answer itself.
#[must_use]
pub fn is_inline(url: &Url) -> bool {
    url.scheme() == "data"
}

/// Why the answer that delivered a result does not hold it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoResult {
    /// Nothing stands where the result should be named.
    #[error("the answer holds no result")]
    Nowhere,
    /// What stands there is no result itself.
    #[error("the answer holds no result in itself")]
    Elsewhere,
    /// It is meant to be one, and cannot be read.
    #[error(transparent)]
    Unreadable(#[from] BadAddress),
}

/// The result in the answer that delivered it, by the address that is recorded of it: a part of the answer, or all of it. Of several results
/// it is the one with that number, from 0.
///
/// # Errors
/// Where the answer holds none.
pub fn inline_result(answer: &HttpAnswer, rule: &ResultRule, url: &Url, number: usize) -> Result<Inline, NoResult> {
    if url.fragment() == Some(digest(&answer.body).as_str()) {
        let media_type = url.path().split(';').next().unwrap_or_default().to_owned();
        return Ok(Inline { media_type, bytes: answer.body.clone() });
    }
    let said = Envelope::of(answer);
    let is_it = |text: &&str| url.fragment() == Some(digest(text.as_bytes()).as_str());
    if let Some(text) = said.texts_at(&rule.text).get(number).copied().filter(is_it) {
        return Ok(Inline { media_type: TEXT.to_owned(), bytes: text.as_bytes().to_vec() });
    }
    let text = said.texts_at(&rule.url).get(number).copied().ok_or(NoResult::Nowhere)?;
    Ok(read(text).ok_or(NoResult::Elsewhere)??)
}

/// The addresses under which texts in the answer are recorded that are the results themselves; none where the rule's pointers lead to none,
/// or it says that something went wrong: errors are text as well.
pub(super) fn texts(answer: &HttpAnswer, said: &Envelope, rule: &ResultRule) -> Vec<Url> {
    if !is_whole(answer) || said.has_failed() {
        return Vec::new();
    }
    said.texts_at(&rule.text).into_iter().filter_map(|text| recorded(TEXT, text.as_bytes()).ok()).collect()
}

/// The address that is recorded of a result which stands in the answer itself; none where the text is something else.
///
/// # Errors
/// Where it is a data URI that cannot be read.
pub(super) fn address(text: &str) -> Option<Result<Url, BadAddress>> {
    let read = read(text)?;
    Some(read.and_then(|found| Ok(recorded(&found.media_type, &found.bytes)?)))
}

fn recorded(media_type: &str, bytes: &[u8]) -> Result<Url, url::ParseError> {
    Url::parse(&format!("data:{media_type};base64,{ELSEWHERE}#{}", digest(bytes)))
}

fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(Sha256::digest(bytes).get(..DIGEST_BYTES).unwrap_or_default())
}

/// The address that is recorded where the whole answer is the result; none where it is empty.
pub(super) fn whole(answer: &HttpAnswer) -> Option<Url> {
    let said = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let said = said.trim().to_ascii_lowercase();
    let media_type = if said.is_empty() || !is_media_type(&said) {
        media::recognise(&answer.body).unwrap_or_default()
    } else {
        &said
    };
    if answer.body.is_empty() { None } else { recorded(media_type, &answer.body).ok() }
}

/// Whether a content type is that of a result itself, and of no words about one.
pub(super) fn is_media(content_type: &str) -> bool {
    let of = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = of.split('/').next().unwrap_or_default();
    matches!(kind, "video" | "audio" | "image") || of == "application/pdf"
}

/// The address under which an answer is recorded that is the result itself; none where it is words about one.
pub(super) fn result(answer: &HttpAnswer) -> Option<Url> {
    let said = answer.header("content-type").unwrap_or_default();
    // Of what was asked for as a whole a part is no result, and neither are words under another name.
    let is_part = answer.status == 206 || answer.header("content-range").is_some();
    let is_message = first_bytes::are_words(&answer.body)
        && (first_bytes::is_page(&answer.body) || !media::may_be_text(&media::essence(said), &answer.body));
    if is_part || is_message || is_encoded(answer) {
        return None;
    }
    let is_unsaid = said.is_empty() || said.starts_with("application/octet-stream");
    if is_media(said) || (is_unsaid && media::recognise(&answer.body).is_some()) { whole(answer) } else { None }
}

/// The address under which an answer is recorded that is the result itself where its endpoint's rule says that such an answer is; none where
/// it is a part, still encoded or empty, says that something went wrong, is a page, or is not what its type says. Of films, pictures and
/// sounds [`result`] decides alone.
pub(super) fn sold(answer: &HttpAnswer, said: &Envelope, rule: &ResultRule) -> Option<Url> {
    let kind = media::essence(answer.header("content-type").unwrap_or_default());
    let is_broken = kind.ends_with("json") && !said.is_json();
    let is_other = is_media(&kind) || first_bytes::is_page(&answer.body) || is_broken;
    let is_it = rule.body && is_whole(answer) && !is_encoded(answer) && !said.has_failed() && !is_other;
    if is_it { whole(answer) } else { None }
}

/// Whether it is a success that came to its end, and no part of anything.
fn is_whole(answer: &HttpAnswer) -> bool {
    let is_part = answer.status == 206 || answer.header("content-range").is_some();
    matches!(answer.status, 200..=299) && !is_part && answer.header(INCOMPLETE).is_none()
}

/// Whether its content is still encoded: then only a person takes it, as it is.
fn is_encoded(answer: &HttpAnswer) -> bool {
    let words = answer.headers_named("content-encoding").flat_map(|line| line.split(','));
    matches!(Coding::of(words.map(|word| word.trim().to_ascii_lowercase())), Coding::Other(_))
}

fn is_media_type(text: &str) -> bool {
    text.len() <= MEDIA_CHARS_MAX && text.chars().all(|c| c.is_ascii_alphanumeric() || "/.+-_".contains(c))
}

fn read(text: &str) -> Option<Result<Inline, BadAddress>> {
    let text = text.trim();
    let is_uri = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"));
    if is_uri { Some(read_uri(text.get(5..).unwrap_or_default())) } else { read_bare(text).map(Ok) }
}

/// Reads a data URI without its `data:`, such as `image/png;base64,…`.
fn read_uri(uri: &str) -> Result<Inline, BadAddress> {
    let (head, data) = uri.split_once(',').ok_or(BadAddress::Data("without content"))?;
    let Some(("base64", media)) = head.rsplit_once(';').map(|(media, last)| (last.trim(), media)) else {
        return Err(BadAddress::Data("that is not base64"));
    };
    let media_type = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !is_media_type(&media_type) {
        return Err(BadAddress::Data("of no content type"));
    }
    let bytes = decoded(data).filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or(BadAddress::Data("that cannot be decoded"))?;
    Ok(Inline { media_type, bytes })
}

/// Base64 that begins as a file of a known kind does: a relative address could be base64 by chance, but not that.
fn read_bare(text: &str) -> Option<Inline> {
    let start: String = text.chars().filter(|c| !c.is_ascii_whitespace()).take(BARE_CHARS_MIN).collect();
    if start.len() < BARE_CHARS_MIN {
        return None;
    }
    let media_type = media::recognise(&decoded(&start)?)?;
    Some(Inline { media_type: media_type.to_owned(), bytes: decoded(text)? })
}

/// Base64 of either alphabet, padded or not, with line breaks or without.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let is_broken = text.bytes().any(|byte| byte.is_ascii_whitespace());
    let whole: Cow<'_, str> =
        if is_broken { text.split_ascii_whitespace().collect::<String>().into() } else { text.into() };
    let plain = whole.trim_end_matches('=').as_bytes();
    let decode = |encoding: &Encoding| encoding.decode(plain).ok();
    decode(&BASE64_NOPAD).or_else(|| decode(&BASE64URL_NOPAD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::samples::{answer, rule};
    use data_encoding::BASE64;
    use proptest::prelude::*;

    fn video() -> Vec<u8> {
        [b"\x00\x00\x00\x20ftypisom".as_slice(), &[0xfb; 90]].concat()
    }

    fn of(text: &str) -> Option<Result<String, BadAddress>> {
        address(text).map(|found| found.map(|url| url.to_string()))
    }

    #[test]
    fn a_result_in_the_answer_is_found_again() {
        let data = BASE64.encode(&video());
        for text in [format!("data:Video/MP4;codecs=avc1;base64,{data}"), data.clone(), data.replace("++", "+\n+")] {
            let digest = &HEXLOWER.encode(&Sha256::digest(video()))[..32];
            assert_eq!(of(&text), Some(Ok(format!("data:video/mp4;base64,...#{digest}"))), "{text}");
            let body = serde_json::json!({ "videoUrl": text }).to_string();
            let url = address(&text).unwrap().unwrap();
            let found = inline_result(&answer(200, &[], &body), &rule(), &url, 0).unwrap();
            assert_eq!((found.media_type.as_str(), found.bytes), ("video/mp4", video()), "{text}");
        }
        let url_safe = data_encoding::BASE64URL_NOPAD.encode(&video());
        assert!(url_safe.contains(['-', '_']) && of(&url_safe).is_some_and(|found| found.is_ok()));
    }

    #[test]
    fn an_address_is_none() {
        let long = format!("/uploads/{}.mp4", "a".repeat(200));
        for text in ["https://cdn.example/a.mp4", "/videos/a.mp4", "AAAAIGZ0eXBpc29t", &long, &"AAAA".repeat(40)] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_data_uri_that_cannot_be_read_is_refused() {
        for text in [
            "data:",
            "data:video/mp4,plain",
            "data:video/mp4;base64,",
            "data:video/mp4;base64,%%%",
            "DATA:a b;base64,AAAA",
        ] {
            assert!(matches!(of(text), Some(Err(_))), "{text}");
        }
        let nothing = answer(200, &[], r#"{"videoUrl":"https://cdn.example/a.mp4"}"#);
        assert!(inline_result(&nothing, &rule(), &"data:;base64,...#00".parse().unwrap(), 0).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), head in "[dD][aA][tT][aA]:[a-z/;,64+=]{0,40}") {
            let _ = (of(&text), of(&head), of(&format!("{head}{text}")));
        }
    }
}
