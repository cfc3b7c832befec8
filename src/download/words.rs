//! Whether what comes is words where a video, a picture or a sound was bought: an address that has expired likes to answer
//! with a page or a message, under any status and any type. What may be the result is taken: it was paid for.

use url::Url;

use crate::catalog::ResultRule;
use crate::{first_bytes, media};

/// Types of pages and messages, and how results of theirs end.
const PAGES: [(&str, &[&str]); 7] = [
    ("text/html", &["html", "htm", "xhtml"]),
    ("application/xhtml+xml", &["html", "htm", "xhtml"]),
    ("application/json", &["json", "gltf"]),
    ("application/problem+json", &[]),
    ("application/xml", &["xml", "svg", "mpd", "dae"]),
    ("application/problem+xml", &[]),
    ("text/xml", &["xml", "svg", "mpd", "dae"]),
];
/// Names of what is no text, in the pointers of a catalogue: `/videoUrl`, `/image/url`.
const MEDIA_NAMES: [&str; 10] =
    ["video", "movie", "film", "clip", "image", "picture", "photo", "audio", "music", "song"];
/// What such a name may end in.
const ADDRESS_NAMES: [&str; 9] = ["", "s", "url", "urls", "uri", "link", "src", "href", "file"];

/// Whether what begins so is a page or a message and no result.
///
/// Where a film, a picture or a sound is sold, as a pointer of the `rule`, the ending of the address or the type says, words
/// are none, in whatever encoding. Elsewhere they may well be what was bought: there a page alone is none, and only where
/// its address ends as something else does.
pub(super) fn is_message(bytes: &[u8], content_type: &str, url: &Url, rule: &ResultRule) -> bool {
    if media::recognise(bytes).is_some() {
        return false;
    }
    let (kind, ending) = (media::essence(content_type), ending_of(url));
    let is_page = first_bytes::is_page(bytes);
    let page = if is_page { "text/html" } else { &*kind };
    let endings = PAGES.iter().find(|(page_type, _)| *page_type == page).map(|(_, endings)| *endings);
    let is_told = media::known_ending(&ending).is_some();
    let is_of_media = if is_told { !media::is_text(&ending) } else { media::is_media(&kind) };
    if is_of_media || sells_media(rule) {
        return (endings.is_some() || first_bytes::are_words(bytes)) && (is_page || !media::may_be_text(&kind, bytes));
    }
    is_told && endings.is_some_and(|endings| !endings.contains(&&*ending))
}

/// What the address ends in, in lower case.
fn ending_of(url: &Url) -> String {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a pointer to the result names a kind of media: its last word that means more than "address" does.
fn sells_media(rule: &ResultRule) -> bool {
    let is_address = |name: &String| ADDRESS_NAMES.contains(&name.as_str());
    let is_media = |name: String| {
        MEDIA_NAMES.iter().any(|media| name.strip_prefix(media).is_some_and(|rest| ADDRESS_NAMES.contains(&rest)))
    };
    rule.url.iter().any(|pointer| {
        let words = pointer.rsplit('/').map(letters);
        words.into_iter().find(|name| !is_address(name)).is_some_and(is_media)
    })
}

fn letters(segment: &str) -> String {
    segment.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILM: &str = "https://a.example/a.mp4";
    const NAMELESS: &str = "https://a.example/v1.2/r";
    const GENERAL: [&str; 6] = [
        "application/octet-stream",
        "binary/octet-stream",
        "text/plain; charset=utf-8",
        "application/json",
        "Text/HTML; charset=utf-8",
        "",
    ];

    fn is_message_at(bytes: &[u8], kind: &str, address: &str, pointers: &[&str]) -> bool {
        let mut rule = crate::catalog::Catalog::builtin().unwrap().get("generate-video").unwrap().result.clone();
        rule.url = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
        is_message(bytes, kind, &address.parse().unwrap(), &rule)
    }

    /// Of an endpoint whose pointer names no kind of media.
    fn is_of_none(bytes: &[u8], kind: &str, address: &str) -> bool {
        is_message_at(bytes, kind, address, &["/url"])
    }

    fn messages() -> Vec<Vec<u8>> {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let of_big_end: Vec<u8> = "\u{feff}gone 🪁".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut messages: Vec<Vec<u8>> = [
            b"link has expired\n".as_slice(),
            br#"{"error":"expired"}"#,
            b"\xef\xbb\xbf{\"error\":1}",
            b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
            b"<?xml version=\"1.0\"?><Error><Message>see <svg here, or <MPD</Message></Error>",
            b"\n <!DOCTYPE HTML><title>",
            b"<head><title>x</title></head><body>gone</body>",
            b"<!-- x -->\n<!-- y --><html><body>gone</body></html>",
            b"abgelaufen: sch\xf6n",
            "abgelaufen: schö".as_bytes().split_last().unwrap().1,
            // `リンクは期限切れです` in Shift_JIS, `链接已过期` in GBK, `ссылка истекла` in windows-1251.
            b"\x83\x8a\x83\x93\x83N\x82\xcd\x8a\xfa\x8c\xc0\x90\xd8\x82\xea\x82\xc5\x82\xb7",
            b"\xc1\xb4\xbd\xd3\xd2\xd1\xb9\xfd\xc6\xda",
            b"\xf1\xf1\xfb\xeb\xea\xe0 \xe8\xf1\xf2\xe5\xea\xeb\xe0",
            b"link has expired\0",
            b"\x1b[31mlink has expired\x1b[0m",
            b"the ftyp is gone, sorry",
            b"GIF8 words here",
            b"ID3 not available",
            b"OggS is a word",
            b"RIFF has no WAVE",
        ]
        .map(<[u8]>::to_vec)
        .into();
        messages.extend([utf16("\u{feff}schön: abgelaufen"), utf16("link has expired"), of_big_end.clone()]);
        messages.push(of_big_end.split_at(of_big_end.len() - 2).0.to_vec());
        // What is long is so too, where most of it is plain letters.
        messages.push([b"sch\xf6n \0".as_slice(), &[b'x'; 9_000]].concat());
        messages
    }

    #[test]
    fn words_are_no_film_whatever_they_are_called() {
        for words in messages() {
            let shown = String::from_utf8_lossy(&words);
            for kind in GENERAL.into_iter().chain(["video/mp4", "application/vnd.api+json"]) {
                assert!(is_of_none(&words, kind, FILM), "{shown} as {kind}");
                for pointer in ["/result/videoUrl", "/images/0/url", "/audio_file"] {
                    let is_one = is_message_at(&words, kind, NAMELESS, &["/result/url", pointer]);
                    assert!(is_one, "{shown} as {kind} at {pointer}");
                }
            }
            assert!(is_of_none(&words, "Video/MP4", NAMELESS), "{shown}");
            assert!(is_message_at(&words, "", "https://a.example/a.txt", &["/image/url"]), "{shown}");
        }
    }

    #[test]
    fn words_are_none_of_a_type_that_nobody_knows() {
        for kind in ["video/3gpp", "video/ogg", "video/x-unheard-of", "audio/mp3", "audio/x-m4a", "audio/x-unheard-of"]
            .into_iter()
            .chain(["image/jpg", "image/x-unheard-of"])
        {
            for words in messages() {
                let shown = String::from_utf8_lossy(&words);
                for address in [FILM, NAMELESS, "https://a.example/v.php"] {
                    assert!(is_of_none(&words, kind, address), "{shown} as {kind} at {address}");
                }
                assert!(is_message_at(&words, kind, NAMELESS, &["/image/url"]), "{shown} as {kind}");
            }
        }
    }

    /// Who sells no film may well sell words, and what was paid for is not thrown away for a guess.
    #[test]
    fn what_may_be_text_is_taken() {
        let results: [&[u8]; 7] = [
            b"Once upon a time there was a kite.\n",
            br#"{"text":"so it was said"}"#,
            b"1\n00:00:00,000 --> 00:00:02,000\nHello\n",
            b"<!doctype html><html><body>page sold</body></html>",
            b"<?xml version=\"1.0\"?><gpx/>",
            b"o cube\nv 1 1 1\n",
            b"one,two\n",
        ];
        for result in results {
            let shown = String::from_utf8_lossy(result);
            for kind in GENERAL.into_iter().chain(["text/csv", "application/geo+json"]) {
                for pointers in [&["/url"][..], &["/transcript"], &["/audio/transcript/url"], &["/video/subtitles"]] {
                    for address in [NAMELESS, "https://a.example/r.php", "https://a.example/r.docx"] {
                        assert!(!is_message_at(result, kind, address, pointers), "{shown} as {kind} at {address}");
                    }
                }
            }
        }
        for (words, kind, address) in [
            (results[0], "text/plain", "https://a.example/words.TXT"),
            (results[2], "video/mp4", "https://a.example/words.srt"),
            (results[3], "text/plain", "https://a.example/a.html"),
            (results[1], "application/json", "https://a.example/said.json"),
        ] {
            assert!(!is_of_none(words, kind, address), "{} as {kind} at {address}", String::from_utf8_lossy(words));
        }
    }

    #[test]
    fn a_page_at_an_address_of_something_else_is_none() {
        for (page, kind) in [
            (b"<!doctype html><p>Log in".as_slice(), "text/html"),
            (b"<!doctype html><p>Log in", "text/plain"),
            (br#"{"error":"expired"}"#, "application/json"),
            (br#"{"error":"expired"}"#, "application/problem+json"),
        ] {
            assert!(is_of_none(page, kind, "https://a.example/words.srt"), "{kind}");
        }
        assert!(is_of_none(b"<!doctype html>", "text/html", "https://a.example/a.json"));
    }

    #[test]
    fn pictures_and_playlists_that_are_text_are_taken() {
        let comment = format!("<!-- {} -->", "license ".repeat(2_000));
        for (picture, kind) in [
            ("#EXTM3U\n", "application/vnd.apple.mpegurl"),
            ("<?xml version=\"1.0\"?><MPD/>", "application/dash+xml"),
            ("<?xml version=\"1.0\"?><!-- made --><svg xmlns='x'/>", "image/svg+xml"),
            (&format!("<?xml version=\"1.0\"?>{comment}<!DOCTYPE svg PUBLIC \"x\" \"y\"><svg/>"), "image/svg+xml"),
            ("%!PS-Adobe-3.0 EPSF-3.0\n", "image/x-eps"),
            ("P3\n1 1\n255\n255 0 0\n", "image/x-portable-pixmap"),
            ("/* XPM */\nstatic char * x[] = {\"1 1 1 1\"};\n", "image/x-xpixmap"),
        ] {
            for kind in [kind, "text/plain", "application/octet-stream", "text/xml", ""] {
                for pointer in ["/url", "/image/url", "/videoUrl"] {
                    assert!(!is_message_at(picture.as_bytes(), kind, NAMELESS, &[pointer]), "{picture} as {kind}");
                }
            }
        }
        for (picture, kind) in [
            ("#define x_width 1\n", "image/x-xbitmap"),
            ("  0\nSECTION\n  2\nHEADER\n", "image/vnd.dxf"),
            ("SIMPLE  =                    T / a sky", "image/fits"),
            ("#FIG 3.2\n", "image/x-unheard-of"),
            ("%TGIF 4.1\n", "image/x-unheard-of"),
        ] {
            assert!(!is_message_at(picture.as_bytes(), kind, NAMELESS, &["/image/url"]), "{picture} as {kind}");
        }
        assert!(!is_message_at(b"http://127.0.0.1/a.mp3\n", "audio/x-mpegurl", NAMELESS, &["/audio/url"]));
        assert!(is_message_at(b"<html>", "image/svg+xml", NAMELESS, &["/image/url"]));
    }

    #[test]
    fn what_is_no_text_is_taken() {
        let film = [b"\x00\x00\x00\x20ftyp".as_slice(), &[b'x'; 2_000]].concat();
        let stars = [b"SIMPLE  =                    T".as_slice(), &[b' '; 4_000], &[0; 100]].concat();
        let sound = b"\xff\xfb\x90\x64\x00\x0f\xf0\x00\x00\x69\x00\x00\x00\x08\x00\x00\x0d\x20\x00\x00\x01".repeat(9);
        let silence = [0x80; 5_000];
        let mixed: Vec<u8> = (0..2_000_u32).map(|n| u8::try_from(n * n * 7 % 251).unwrap()).collect();
        for bytes in [&film, &stars, &sound, &mixed, silence.as_slice(), b"%PDF-1.4\n%words", b"glTF\x02\0\0\0", b""] {
            for kind in ["video/mp4", "text/plain", "application/octet-stream", ""] {
                assert!(!is_of_none(bytes, kind, FILM), "{} as {kind}", String::from_utf8_lossy(bytes));
            }
        }
        // A server that knows no better calls a film a page.
        assert!(!is_message_at(&film, "text/html", FILM, &["/videoUrl"]));
    }
}
