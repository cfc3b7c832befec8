//! Whether what comes is words where a video, a picture or a sound was bought: an address that has expired likes to answer
//! with a page or a message, under any status and any type.

use url::Url;

use crate::catalog::ResultRule;
use crate::{first_bytes, media};

/// Endings of results that are text themselves.
const TEXTS: [&str; 27] = [
    "txt", "text", "md", "csv", "tsv", "srt", "vtt", "ass", "lrc", "json", "jsonl", "ndjson", "yaml", "yml", "xml",
    "html", "htm", "xhtml", "log", "tex", "gltf", "obj", "mtl", "stl", "ply", "dae", "m3u",
];
/// Names of what is no text, in the pointers of a catalogue: `/videoUrl`, `/image/url`.
const MEDIA_NAMES: [&str; 9] = ["video", "movie", "film", "clip", "image", "picture", "photo", "audio", "music"];
/// What such a name may end in.
const ADDRESS_NAMES: [&str; 5] = ["", "url", "uri", "link", "src"];

/// Whether a file begins as words and is no result then, in whatever encoding and whatever its type was said to be. A
/// result that is text itself is told by the ending of its address, or by a type of its own; a `rule` that names a kind of
/// media says that none is sold.
pub(super) fn begins_as_words(bytes: &[u8], content_type: &str, url: &Url, rule: &ResultRule) -> bool {
    let (kind, ending) = (media::essence(content_type), ending_of(url));
    if first_bytes::is_page(bytes) && !matches!(ending.as_str(), "html" | "htm" | "xhtml") {
        return true;
    }
    first_bytes::are_words(bytes) && !may_be_text(&kind, &ending, rule)
}

/// Whether a result of that type, at an address of that ending, may be text.
fn may_be_text(kind: &str, ending: &str, rule: &ResultRule) -> bool {
    // Films are served as plain text too, by a server that does not know their ending: that type says nothing.
    let is_told = TEXTS.contains(&ending)
        || (!matches!(kind, "" | "text/plain") && media::known_ending(ending).is_none() && !is_media(kind));
    is_told && !sells_media(rule)
}

/// Whether that type is one of media.
pub(super) fn is_media(kind: &str) -> bool {
    matches!(kind.split('/').next(), Some("video" | "audio" | "image"))
}

/// What the address ends in, in lower case.
fn ending_of(url: &Url) -> String {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a pointer to the result names a kind of media.
fn sells_media(rule: &ResultRule) -> bool {
    let is_media = |segment: &str| {
        let name: String = segment.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
        MEDIA_NAMES.iter().any(|media| name.strip_prefix(media).is_some_and(|rest| ADDRESS_NAMES.contains(&rest)))
    };
    rule.url.iter().any(|pointer| pointer.split('/').any(is_media))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins_at(bytes: &[u8], kind: &str, address: &str, pointers: &[&str]) -> bool {
        let mut rule = crate::catalog::Catalog::builtin().unwrap().get("generate-video").unwrap().result.clone();
        rule.url = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
        begins_as_words(bytes, kind, &address.parse().unwrap(), &rule)
    }

    fn begins(bytes: &[u8], kind: &str, address: &str) -> bool {
        begins_at(bytes, kind, address, &["/url"])
    }

    const FILM: &str = "https://a.example/a.mp4";
    const NAMELESS: &str = "https://a.example/v1.2/r";

    #[test]
    fn words_are_no_film_whatever_they_are_called() {
        let utf16 = |mark: bool| {
            let text = if mark { "\u{feff}schön: abgelaufen" } else { "link has expired" };
            text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
        };
        let utf16_of_big_end: Vec<u8> = "\u{feff}gone 🪁".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cut = utf16_of_big_end.len() - 2;
        for words in [
            b"link has expired\n".as_slice(),
            br#"{"error":"expired"}"#,
            b"\xef\xbb\xbf{\"error\":1}",
            b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
            b"\n <!DOCTYPE HTML><title>",
            b"<head><title>x</title></head><body>gone</body>",
            b"<!-- x -->\n<!-- y --><html><body>gone</body></html>",
            b"abgelaufen: sch\xf6n",
            "abgelaufen: schö".as_bytes().split_last().unwrap().1,
            &utf16(true),
            &utf16(false),
            &utf16_of_big_end,
            &utf16_of_big_end[..cut],
        ] {
            for kind in
                ["video/mp4", "application/octet-stream", "binary/octet-stream", "text/plain; charset=utf-8", ""]
            {
                assert!(begins(words, kind, FILM), "{} as {kind}", String::from_utf8_lossy(words));
                let sold = begins_at(words, kind, "https://a.example/r", &["/result/url", "/result/videoUrl"]);
                assert!(sold, "{} as {kind}", String::from_utf8_lossy(words));
            }
            assert!(begins(words, "Video/MP4", NAMELESS), "{}", String::from_utf8_lossy(words));
            assert!(begins(words, "application/vnd.api+json", FILM), "{}", String::from_utf8_lossy(words));
            assert!(begins_at(words, "", "https://a.example/a.txt", &["/image/url"]));
        }
        for kind in ["text/plain", ""] {
            assert!(begins(b"link has expired\n", kind, NAMELESS), "{kind}");
        }
    }

    #[test]
    fn what_may_be_text_is_taken() {
        for (words, kind, address) in [
            (b"link has expired\n".as_slice(), "text/plain", "https://a.example/words.TXT"),
            (b"<html>", "text/plain", "https://a.example/a.html"),
            (br#"{"text":"so it was said"}"#, "application/octet-stream", "https://a.example/said.json"),
            (br#"{"text":"so it was said"}"#, "application/geo+json", NAMELESS),
            (br#"{"text":"so it was said"}"#, "application/octet-stream", NAMELESS),
            (b"o cube\nv 1 1 1\n", "application/octet-stream", "https://a.example/cube.obj"),
            (b"one,two\n", "text/csv", NAMELESS),
            (b"#EXTM3U\n", "application/vnd.apple.mpegurl", NAMELESS),
            (b"<?xml version=\"1.0\"?><!-- made --><svg xmlns='x'/>", "image/svg+xml", NAMELESS),
        ] {
            assert!(!begins(words, kind, address), "{} as {kind} at {address}", String::from_utf8_lossy(words));
        }
        let picture = b"<svg xmlns='x'/>";
        assert!(!begins_at(picture, "text/plain", "https://a.example/r", &["/imageUrl"]));
        // A pointer that only sounds like one.
        for pointer in ["/imageCaptionUrl", "/transcript/of_audio"] {
            assert!(!begins_at(b"a kite", "text/x-caption", NAMELESS, &[pointer]), "{pointer}");
        }
    }

    #[test]
    fn what_is_no_text_is_taken() {
        let film = [b"\x00\x00\x00\x20ftyp".as_slice(), &[b'x'; 2_000]].concat();
        let stars = [b"SIMPLE  =                    T".as_slice(), &[b' '; 4_000], &[0; 100]].concat();
        let silence = [0x80; 4_000];
        for bytes in
            [&film, &stars, silence.as_slice(), b"%PDF-1.4\n%words", b"\xff\xfb\x90\x64", b"glTF\x02\0\0\0", b""]
        {
            for kind in ["video/mp4", "text/plain", "", "application/octet-stream"] {
                assert!(!begins(bytes, kind, FILM), "{} as {kind}", String::from_utf8_lossy(bytes));
            }
        }
    }
}
