//! What the answer to a fetch means, before its body.

use url::Url;

use super::name::media_type;
use crate::ledger::Resume;
use crate::origin::FetchHead;

/// Types of pages and messages: a result's address that has expired likes to answer with one. Taken where the address
/// itself ends so.
const PAGES: [(&str, &[&str]); 6] = [
    ("text/html", &["html", "htm"]),
    ("application/xhtml+xml", &["xhtml", "html"]),
    ("application/json", &["json"]),
    ("application/problem+json", &["json"]),
    ("application/xml", &["xml"]),
    ("text/xml", &["xml"]),
];

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The whole follows.
    Whole {
        /// Its length, where it is said.
        total: Option<u64>,
    },
    /// What follows belongs to the end of the part.
    Rest,
    /// The part is of no use: ask for the whole.
    Anew,
    /// Later perhaps; the host wants to be left alone where `slower`.
    Again { words: String, slower: bool },
    /// The address does not serve the result, now or any more.
    Gone(String),
    /// No other try would change it.
    Never(String),
}

/// Judges an answer; `part` is what was asked to go on with, and from where.
pub(super) fn judge(head: &FetchHead, url: &Url, part: Option<(u64, &Resume)>, bytes_max: u64) -> Verdict {
    let total = match (head.status, part) {
        (206, Some((from, resume))) => {
            // An ETag has to be repeated (RFC 9110 15.3.7), a date need not: where one is left out, the server may not have
            // compared it either.
            let is_tag = resume.version.starts_with('"');
            let same = head.version.as_ref().map_or(!is_tag, |version| *version == resume.version);
            if head.range != Some((from, resume.total)) || !same {
                return Verdict::Anew;
            }
            Some(resume.total)
        }
        (416, Some(_)) => return Verdict::Anew,
        (200 | 203, _) => head.length,
        (status @ (408 | 425 | 429 | 500..=599), _) => {
            return Verdict::Again { words: format!("HTTP {status}"), slower: matches!(status, 429 | 503) };
        }
        (status @ 400..=499, _) => {
            return Verdict::Gone(format!("HTTP {status}: its address does not serve it; it may have expired"));
        }
        (status, _) => return Verdict::Again { words: format!("HTTP {status} without the result"), slower: false },
    };
    if let Some(words) = is_no_result(head, url) {
        return Verdict::Gone(words);
    }
    if let Some(encoding) = &head.encoding {
        let words = format!("it comes encoded ({}), which was not asked for", crate::harmless::harmless(encoding));
        return Verdict::Never(words);
    }
    if total.is_some_and(|total| total > bytes_max) {
        return Verdict::Never(too_large(bytes_max));
    }
    if !head.ends_marked {
        let words = "the server does not say how long it is: a broken connection could not be told from its end";
        return Verdict::Never(words.to_owned());
    }
    if head.status == 206 { Verdict::Rest } else { Verdict::Whole { total } }
}

/// In words, a file beyond the limit.
pub(super) fn too_large(bytes_max: u64) -> String {
    format!("it is larger than {} MiB (--max-file-mib)", crate::money::thousands(bytes_max / (1 << 20)))
}

fn is_no_result(head: &FetchHead, url: &Url) -> Option<String> {
    let media = media_type(head.content_type.as_deref().unwrap_or_default());
    let (_, endings) = PAGES.iter().find(|(page, _)| *page == media)?;
    let meant =
        url.path().rsplit_once('.').is_some_and(|(_, last)| endings.iter().any(|end| last.eq_ignore_ascii_case(end)));
    (!meant).then(|| format!("the address answers with a page ({media}) and not with the result"))
}

/// Whether a file begins as a page does, whatever its type was said to be. One whose address ends so may.
pub(super) fn begins_as_page(bytes: &[u8], url: &Url) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start: Vec<u8> =
        bytes.iter().skip_while(|byte| byte.is_ascii_whitespace()).take(14).map(u8::to_ascii_lowercase).collect();
    let is_page = start.starts_with(b"<!doctype html") || start.starts_with(b"<html");
    let path = url.path().to_ascii_lowercase();
    is_page && ![".html", ".htm", ".xhtml"].iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn head(status: u16) -> FetchHead {
        FetchHead { status, length: Some(100), ends_marked: true, ..FetchHead::default() }
    }

    fn judged(head: &FetchHead) -> Verdict {
        judge(head, &url("https://cdn.example/a.mp4"), None, 1_000)
    }

    fn continued(range: Option<(u64, u64)>, version: Option<&str>) -> Verdict {
        continued_of("\"a\"", range, version)
    }

    fn continued_of(known: &str, range: Option<(u64, u64)>, version: Option<&str>) -> Verdict {
        let resume = Resume { version: known.to_owned(), total: 100, synced: 40, sha256: None };
        let head = FetchHead { range, version: version.map(str::to_owned), ..head(206) };
        judge(&head, &url("https://cdn.example/a.mp4"), Some((40, &resume)), 1_000)
    }

    #[test]
    fn a_part_is_gone_on_with_where_it_fits() {
        assert_eq!(continued(Some((40, 100)), Some("\"a\"")), Verdict::Rest);
        assert_eq!(continued_of("Sun, 06 Nov 1994 08:49:37 GMT", Some((40, 100)), None), Verdict::Rest);
        assert_eq!(continued(Some((40, 100)), None), Verdict::Anew, "its tag is left out");
        for (range, version) in
            [(None, "\"a\""), (Some((0, 100)), "\"a\""), (Some((40, 101)), "\"a\""), (Some((40, 100)), "\"b\"")]
        {
            assert_eq!(continued(range, Some(version)), Verdict::Anew, "{range:?} {version}");
        }
        assert!(matches!(judged(&head(206)), Verdict::Again { .. }), "a part that nobody asked for");
    }

    #[test]
    fn statuses() {
        assert_eq!(judged(&head(200)), Verdict::Whole { total: Some(100) });
        for gone in [400, 401, 403, 404, 410, 451] {
            assert!(matches!(judged(&head(gone)), Verdict::Gone(_)), "{gone}");
        }
        for again in [100, 204, 300, 304, 408, 425, 500, 502, 504] {
            assert!(matches!(judged(&head(again)), Verdict::Again { slower: false, .. }), "{again}");
        }
        for slower in [429, 503] {
            assert!(matches!(judged(&head(slower)), Verdict::Again { slower: true, .. }), "{slower}");
        }
    }

    #[test]
    fn what_is_no_result_is_told_apart() {
        let typed = |media: &str| FetchHead { content_type: Some(media.to_owned()), ..head(200) };
        for page in ["text/html; charset=utf-8", "Application/JSON", "text/xml"] {
            assert!(matches!(judged(&typed(page)), Verdict::Gone(_)), "{page}");
        }
        let at = |address: &str, media: &str| judge(&typed(media), &url(address), None, 1_000);
        assert!(matches!(at("https://a.example/report.HTML", "text/html"), Verdict::Whole { .. }));
        assert!(matches!(at("https://a.example/words.json", "application/json"), Verdict::Whole { .. }));
        assert!(matches!(at("https://a.example/", "video/mp4"), Verdict::Whole { .. }));
        assert!(begins_as_page(b"\n <!DOCTYPE HTML><title>", &url("https://a.example/a.mp4")));
        assert!(begins_as_page(b"\xef\xbb\xbf<html>", &url("https://a.example/a.mp4")));
        assert!(!begins_as_page(b"<html>", &url("https://a.example/a.html")));
        assert!(!begins_as_page(b"\x00\x00\x00\x20ftyp", &url("https://a.example/a.mp4")));
    }

    #[test]
    fn what_cannot_be_checked_is_not_taken() {
        assert!(matches!(judged(&FetchHead { encoding: Some("gzip".to_owned()), ..head(200) }), Verdict::Never(_)));
        assert!(matches!(judged(&FetchHead { ends_marked: false, length: None, ..head(200) }), Verdict::Never(_)));
        assert!(matches!(judged(&FetchHead { length: Some(1_001), ..head(200) }), Verdict::Never(_)));
        assert_eq!(judged(&FetchHead { length: None, ..head(200) }), Verdict::Whole { total: None });
    }
}
