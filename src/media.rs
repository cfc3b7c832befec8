//! Kinds of media: their types (RFC 6838), how their files end and how they begin.

mod stream;

/// Media types and the ending of their files. What follows in them is text where [`TEXTS`] has the ending.
const TYPES: [(&str, &str); 128] = [
    ("video/mp4", "mp4"),
    ("video/x-mp4", "mp4"),
    ("video/mpeg4", "mp4"),
    ("video/webm", "webm"),
    ("video/x-webm", "webm"),
    ("video/quicktime", "mov"),
    ("video/x-quicktime", "mov"),
    ("video/x-m4v", "m4v"),
    ("video/m4v", "m4v"),
    ("video/x-matroska", "mkv"),
    ("video/matroska", "mkv"),
    ("video/x-msvideo", "avi"),
    ("video/msvideo", "avi"),
    ("video/avi", "avi"),
    ("video/vnd.avi", "avi"),
    ("video/mpeg", "mpg"),
    ("video/x-mpeg", "mpg"),
    ("video/mp2t", "ts"),
    ("video/x-flv", "flv"),
    ("video/flv", "flv"),
    ("video/x-ms-wmv", "wmv"),
    ("video/x-ms-asf", "asf"),
    ("video/3gpp", "3gp"),
    ("video/3gpp2", "3g2"),
    ("video/ogg", "ogv"),
    ("video/x-ogg", "ogv"),
    ("image/png", "png"),
    ("image/x-png", "png"),
    ("image/apng", "apng"),
    ("image/jpeg", "jpg"),
    ("image/jpg", "jpg"),
    ("image/pjpeg", "jpg"),
    ("image/webp", "webp"),
    ("image/x-webp", "webp"),
    ("image/gif", "gif"),
    ("image/avif", "avif"),
    ("image/heic", "heic"),
    ("image/heif", "heif"),
    ("image/jxl", "jxl"),
    ("image/tiff", "tiff"),
    ("image/x-tiff", "tiff"),
    ("image/bmp", "bmp"),
    ("image/x-bmp", "bmp"),
    ("image/x-ms-bmp", "bmp"),
    ("image/x-icon", "ico"),
    ("image/vnd.microsoft.icon", "ico"),
    ("image/jp2", "jp2"),
    ("image/x-tga", "tga"),
    ("image/x-exr", "exr"),
    ("image/vnd.adobe.photoshop", "psd"),
    ("image/svg+xml", "svg"),
    ("image/svg", "svg"),
    ("image/x-eps", "eps"),
    ("image/eps", "eps"),
    ("image/x-portable-pixmap", "ppm"),
    ("image/x-portable-graymap", "pgm"),
    ("image/x-portable-bitmap", "pbm"),
    ("image/x-portable-anymap", "pnm"),
    ("image/x-xpixmap", "xpm"),
    ("image/x-xbitmap", "xbm"),
    ("image/vnd.dxf", "dxf"),
    ("image/x-dxf", "dxf"),
    ("image/fits", "fits"),
    ("image/vnd.radiance", "hdr"),
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/x-mp3", "mp3"),
    ("audio/x-mpeg", "mp3"),
    ("audio/mpeg3", "mp3"),
    ("audio/x-mpeg-3", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/x-m4a", "m4a"),
    ("audio/m4a", "m4a"),
    ("audio/mp4a-latm", "m4a"),
    ("audio/aac", "aac"),
    ("audio/x-aac", "aac"),
    ("audio/aacp", "aac"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/vnd.wave", "wav"),
    ("audio/x-pn-wav", "wav"),
    ("audio/ogg", "ogg"),
    ("audio/x-ogg", "ogg"),
    ("audio/vorbis", "ogg"),
    ("audio/opus", "opus"),
    ("audio/webm", "weba"),
    ("audio/flac", "flac"),
    ("audio/x-flac", "flac"),
    ("audio/aiff", "aiff"),
    ("audio/x-aiff", "aiff"),
    ("audio/midi", "mid"),
    ("audio/x-midi", "mid"),
    ("audio/amr", "amr"),
    ("audio/x-ms-wma", "wma"),
    ("audio/x-caf", "caf"),
    ("audio/x-matroska", "mka"),
    ("audio/3gpp", "3gp"),
    ("audio/basic", "au"),
    ("audio/mpegurl", "m3u8"),
    ("audio/x-mpegurl", "m3u8"),
    ("video/vnd.mpegurl", "m3u8"),
    ("application/vnd.apple.mpegurl", "m3u8"),
    ("application/x-mpegurl", "m3u8"),
    ("audio/x-scpls", "pls"),
    ("application/dash+xml", "mpd"),
    ("application/pdf", "pdf"),
    ("application/postscript", "eps"),
    ("application/zip", "zip"),
    ("application/gzip", "gz"),
    ("application/rtf", "rtf"),
    ("application/x-subrip", "srt"),
    ("application/json", "json"),
    ("application/x-ndjson", "ndjson"),
    ("application/yaml", "yaml"),
    ("application/xml", "xml"),
    ("model/obj", "obj"),
    ("model/stl", "stl"),
    ("model/gltf+json", "gltf"),
    ("model/gltf-binary", "glb"),
    ("text/plain", "txt"),
    ("text/html", "html"),
    ("text/xml", "xml"),
    ("text/csv", "csv"),
    ("text/tab-separated-values", "tsv"),
    ("text/markdown", "md"),
    ("text/vtt", "vtt"),
    ("text/srt", "srt"),
];
/// Bytes of which nobody says more.
pub const OCTETS: &str = "application/octet-stream";
/// What else a file of media may end in.
const MORE_ENDINGS: [&str; 4] = ["jpeg", "tif", "mpeg", "oga"];
/// Endings of files that are text.
const TEXTS: [&str; 42] = [
    "txt", "text", "md", "csv", "tsv", "srt", "vtt", "ass", "lrc", "json", "jsonl", "ndjson", "yaml", "yml", "xml",
    "html", "htm", "xhtml", "log", "tex", "rtf", "gltf", "obj", "mtl", "stl", "ply", "dae", "m3u", "m3u8", "mpd",
    "svg", "eps", "ppm", "pgm", "pbm", "pnm", "xpm", "xbm", "dxf", "fits", "hdr", "pls",
];
/// Types that say no more than how the bytes are written, or nothing at all.
const GENERAL: [&str; 7] = [
    "",
    "text/plain",
    "application/octet-stream",
    "binary/octet-stream",
    "application/json",
    "application/xml",
    "text/xml",
];
/// How files begin: first, and at a place further on where that does not tell; the media type.
const BEGINNINGS: [(&[u8], usize, &[u8], &str); 27] = [
    (b"\x1a\x45\xdf\xa3", 0, b"", "video/webm"),
    (b"FLV\x01", 0, b"", "video/x-flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, b"", "video/x-ms-wmv"),
    (b"\x00\x00\x01\xba", 0, b"", "video/mpeg"),
    (b"\x00\x00\x01\xb3", 0, b"", "video/mpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, b"", "image/png"),
    (b"\xff\xd8\xff", 0, b"", "image/jpeg"),
    (b"GIF87a", 0, b"", "image/gif"),
    (b"GIF89a", 0, b"", "image/gif"),
    (b"II*\x00", 0, b"", "image/tiff"),
    (b"MM\x00*", 0, b"", "image/tiff"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", 0, b"", "image/jxl"),
    (b"%!PS-", 0, b"", "image/x-eps"),
    (b"\xc5\xd0\xd3\xc6", 0, b"", "image/x-eps"),
    (b"/* XPM */", 0, b"", "image/x-xpixmap"),
    (b"fLaC\x00", 0, b"", "audio/flac"),
    (b"OggS\x00", 0, b"", "audio/ogg"),
    (b"MThd\x00\x00\x00\x06", 0, b"", "audio/midi"),
    (b"#!AMR", 5, b"\n", "audio/amr"),
    (b"#!AMR-WB", 8, b"\n", "audio/amr"),
    (b"FORM", 8, b"AIF", "audio/aiff"),
    (b"BM", 6, b"\x00\x00\x00\x00", "image/bmp"),
    (b"#EXTM3U", 0, b"", "application/vnd.apple.mpegurl"),
    (b"\xef\xbb\xbf#EXTM3U", 0, b"", "application/vnd.apple.mpegurl"),
    (b"%PDF-", 0, b"", "application/pdf"),
    (b"glTF", 5, b"\x00\x00\x00", "model/gltf-binary"),
    (b"PK\x03\x04", 0, b"", "application/zip"),
];
/// What a RIFF file is of.
const RIFFS: [(&[u8], &str); 3] = [(b"WEBP", "image/webp"), (b"WAVE", "audio/wav"), (b"AVI ", "video/x-msvideo")];
/// How a RIFF file begins; one that is longer than 4 GiB begins with one of the other two.
const RIFF_MARKS: [&[u8]; 3] = [b"RIFF", b"RF64", b"BW64"];
/// As many bytes of a RIFF file tell what it is of: its head, and name and length of its first chunk.
const RIFF_HEAD_BYTES: usize = 20;
/// The first box of an MP4 or QuickTime file.
const BOXES: [&[u8]; 7] = [b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip"];
/// What media that are XML are one element of.
const ROOTS: [(&[u8], &str); 2] = [(b"svg", "image/svg+xml"), (b"MPD", "application/dash+xml")];
/// Words may hold the name of a box where a file has it. Then letters stand in the place of the length, and the highest byte of a
/// length is lower than any letter as long as it is below 512 MiB.
const LENGTH_FIRST_BYTE_MAX: u8 = 0x1f;

/// `video/mp4` of `Video/MP4; codecs=…`.
#[must_use]
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The media type of a file that begins so, where these bytes tell: a signature alone may be the beginning of words, so what
/// has to follow it counts too.
#[must_use]
pub fn recognise(bytes: &[u8]) -> Option<&'static str> {
    let begins = |first: &[u8], at: usize, then: &[u8]| {
        bytes.starts_with(first) && bytes.get(at..).is_some_and(|rest| rest.starts_with(then))
    };
    BEGINNINGS
        .iter()
        .find(|(first, at, then, _)| begins(first, *at, then))
        .map(|(_, _, _, media_type)| *media_type)
        .or_else(|| of_boxes(bytes))
        .or_else(|| of_riff(bytes))
        .or_else(|| is_tagged(bytes).then_some("audio/mpeg"))
        .or_else(|| stream::recognise(bytes))
        .or_else(|| of_netpbm(bytes))
        .or_else(|| of_xml(bytes))
}

/// By its first box, which is no longer than a file is.
fn of_boxes(bytes: &[u8]) -> Option<&'static str> {
    let (length, name) = (bytes.first()?, bytes.get(4..8)?);
    (*length <= LENGTH_FIRST_BYTE_MAX && BOXES.contains(&name)).then_some("video/mp4")
}

fn of_riff(bytes: &[u8]) -> Option<&'static str> {
    let form = bytes.get(8..12)?;
    let of = RIFFS.iter().find(|(known, _)| *known == form)?.1;
    // Two lengths are in it, before and behind the form: in words, letters stand in their place.
    let head = bytes.get(..RIFF_HEAD_BYTES).unwrap_or(bytes);
    (RIFF_MARKS.iter().any(|mark| bytes.starts_with(mark)) && stream::is_no_text(head)).then_some(of)
}

/// Whether an ID3v2 tag is first: version, revision, flags, and a length of four times seven bits.
fn is_tagged(bytes: &[u8]) -> bool {
    let Some([b'I', b'D', b'3', version, revision, flags, length @ ..]) = bytes.first_chunk::<10>() else {
        return false;
    };
    (2..=4).contains(version) && *revision < 0xff && flags & 0x0f == 0 && length.iter().all(|byte| *byte < 0x80)
}

/// `P3`, white space, and a number or a comment.
fn of_netpbm(bytes: &[u8]) -> Option<&'static str> {
    let [b'P', kind @ b'1'..=b'7', space, next] = bytes.first_chunk::<4>()? else { return None };
    let follows = next.is_ascii_digit() || matches!(next, b'#' | b'W' | b'\r' | b'\n');
    (space.is_ascii_whitespace() && follows).then_some(match kind {
        b'1' | b'4' => "image/x-portable-bitmap",
        b'2' | b'5' => "image/x-portable-graymap",
        b'3' | b'6' => "image/x-portable-pixmap",
        _ => "image/x-portable-anymap",
    })
}

/// By the name of the root element.
fn of_xml(bytes: &[u8]) -> Option<&'static str> {
    let element = markup(bytes).strip_prefix(b"<")?;
    let end = element.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))?;
    let name = element.get(..end)?;
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    ROOTS.iter().find(|(root, _)| *root == local).map(|(_, media_type)| *media_type)
}

/// From the first element on: without white space, comments, declarations, and what tells the encoding.
#[must_use]
pub fn markup(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    loop {
        let end = if rest.starts_with(b"<!--") {
            after(rest, b"-->")
        } else if rest.starts_with(b"<?") {
            after(rest, b"?>")
        } else if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype")) {
            after_doctype(rest)
        } else {
            None
        };
        let Some(next) = end else { return rest };
        rest = next.trim_ascii_start();
    }
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(mark.len()).position(|there| there == mark)?;
    bytes.get(at.saturating_add(mark.len())..)
}

/// What a document's type declares of its own stands in brackets.
fn after_doctype(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, b'>' | b'['))?;
    if bytes.get(end) == Some(&b'[') {
        after(bytes.get(end..)?, b"]").and_then(|rest| after(rest, b">"))
    } else {
        bytes.get(end + 1..)
    }
}

/// That media type, where its files have an ending here or it says of bytes no more than that.
#[must_use]
pub fn known_type(media_type: &str) -> Option<&'static str> {
    types().find(|known| *known == media_type)
}

/// Every media type that is known here.
pub fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(known, _)| *known).chain([OCTETS])
}

/// Whether any of them is of that family: `audio`.
#[must_use]
pub fn is_family(family: &str) -> bool {
    types().any(|known| known.split('/').next() == Some(family))
}

/// The ending of files of a media type.
#[must_use]
pub fn ending_of(media_type: &str) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == media_type).map(|(_, ending)| *ending)
}

/// An ending that is known, as it is written here.
#[must_use]
pub fn known_ending(ending: &str) -> Option<&'static str> {
    let known = TYPES.iter().map(|(_, ending)| *ending).chain(MORE_ENDINGS).chain(TEXTS);
    known.into_iter().find(|known| ending.eq_ignore_ascii_case(known))
}

/// Whether files of that ending are text.
#[must_use]
pub fn is_text(ending: &str) -> bool {
    TEXTS.iter().any(|text| ending.eq_ignore_ascii_case(text))
}

/// Whether a type says no more than how the bytes are written.
#[must_use]
pub fn is_general(media_type: &str) -> bool {
    GENERAL.contains(&media_type)
}

/// Whether that type is one of films, pictures or sounds.
#[must_use]
pub fn is_media(media_type: &str) -> bool {
    matches!(media_type.split('/').next(), Some("video" | "audio" | "image"))
}

/// Whether a film, a picture or a sound of that type that begins so may be text: as some are, and a picture of a type that is
/// not known where it begins with a mark (`#FIG`, `%TGIF`, a comment) and not as a sentence does.
#[must_use]
pub fn may_be_text(media_type: &str, bytes: &[u8]) -> bool {
    match ending_of(media_type) {
        Some(ending) => is_media(media_type) && is_text(ending),
        None => {
            media_type.starts_with("image/") && matches!(bytes.trim_ascii_start().first(), Some(b'#' | b'%' | b'/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_signature_is_one_with_what_has_to_follow_it() {
        for (bytes, kind) in [
            (b"\x00\x00\x00\x20ftypisom".as_slice(), "video/mp4"),
            (b"\x00\x00\x00\x08wide\x00\x01", "video/mp4"),
            (b"GIF89a\x01\x00\x01\x00", "image/gif"),
            (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
            (b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00", "audio/wav"),
            (b"RIFF\x24\x00\x00\x00AVI LIST", "video/x-msvideo"),
            (b"RIFF\x24\x00\x00\x20WAVEfmt \x10\x00\x00\x00", "audio/wav"),
            (b"RIFF\x24\x00\x00\x7dWAVEbext\x5a\x02\x00\x00", "audio/wav"),
            (b"RIFF\x24\x00\x00\xf0WAVEcue \x1c\x00\x00\x00", "audio/wav"),
            (b"RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00", "audio/wav"),
            (b"RIFF\x24\x00\x00\x40AVI LIST\x7e\x00\x00\x00", "video/x-msvideo"),
            (b"BM\x3a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28", "image/bmp"),
            (b"\xef\xbb\xbf#EXTM3U\n", "application/vnd.apple.mpegurl"),
            (b"ID3\x04\x00\x00\x00\x00\x10\x00", "audio/mpeg"),
            (b"OggS\x00\x02", "audio/ogg"),
            (b"P3\n1 1\n255\n255 0 0\n", "image/x-portable-pixmap"),
            (b"P6\n# made\n", "image/x-portable-pixmap"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/x-eps"),
            (b"#EXTM3U\n", "application/vnd.apple.mpegurl"),
            (b"<svg/>", "image/svg+xml"),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- <Error> --><!DOCTYPE svg [ <!ENTITY a \"<b>\"> ]>\n<s:svg xmlns:s='x'/>", "image/svg+xml"),
            (b"<?xml version=\"1.0\"?><MPD>", "application/dash+xml"),
        ] {
            assert_eq!(recognise(bytes), Some(kind), "{}", String::from_utf8_lossy(bytes));
        }
        for words in [
            b"GIF8 words here".as_slice(),
            b"ID3 not available",
            b"OggS is a word",
            b"the ftyp is gone, sorry",
            b"RIFF is no WAVE file",
            b"RIFF is WAVE no more",
            b"RIFF is WAVE, sorry\n",
            b"RIFF is\nWAVE no more",
            b"RF64 is WAVE no more",
            b"BMW is gone, sorry",
            b"P3 is gone",
            b"<?xml version=\"1.0\"?><Error><Message>see <svg here</Message></Error>",
            b"<svgs>",
            b"<!-- <svg/> -->",
            b"<",
            b"",
        ] {
            assert_eq!(recognise(words), None, "{}", String::from_utf8_lossy(words));
        }
    }

    #[test]
    fn each_ending_is_known_once() {
        let of_types: HashSet<_> = TYPES.iter().map(|(_, ending)| *ending).collect();
        let (more, texts) = (HashSet::from(MORE_ENDINGS), HashSet::from(TEXTS));
        assert_eq!((more.len(), texts.len()), (MORE_ENDINGS.len(), TEXTS.len()));
        assert!(more.is_disjoint(&of_types) && more.is_disjoint(&texts));
        for (media_type, ending) in TYPES {
            let is_written =
                media_type.starts_with("text/") || media_type.ends_with("+xml") || media_type.ends_with("json");
            assert!(!is_written || is_text(ending), "{media_type}");
        }
        let recognised = BEGINNINGS.iter().map(|(.., of)| *of).chain(RIFFS.iter().chain(&ROOTS).map(|(_, of)| *of));
        recognised.for_each(|of| assert!(ending_of(of).is_some(), "{of}"));
        let types: HashSet<_> = TYPES.iter().map(|(media_type, _)| media_type).collect();
        assert_eq!(types.len(), TYPES.len());
        assert!(!may_be_text("video/mp4", b"#") && !may_be_text("text/plain", b"#"));
        assert!(may_be_text("image/svg+xml", b"<svg/>") && may_be_text("image/x-unheard-of", b"\n#"));
        assert!(!may_be_text("image/x-unheard-of", b"gone") && !may_be_text("video/x-unheard-of", b"#"));
    }
}
