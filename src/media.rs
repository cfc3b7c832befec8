//! Kinds of media: their types (RFC 6838), how their files end and how they begin.

/// Media types and the ending of their files.
const TYPES: [(&str, &str); 22] = [
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/quicktime", "mov"),
    ("video/x-m4v", "m4v"),
    ("video/x-matroska", "mkv"),
    ("video/matroska", "mkv"),
    ("video/x-msvideo", "avi"),
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/webp", "webp"),
    ("image/gif", "gif"),
    ("image/avif", "avif"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/ogg", "ogg"),
    ("audio/flac", "flac"),
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("application/json", "json"),
    ("text/plain", "txt"),
];
/// What else a file of media may end in.
const MORE_ENDINGS: [&str; 4] = ["jpeg", "aac", "opus", "glb"];
/// How files begin: first, and at a place further on where that does not tell; the media type.
const BEGINNINGS: [(&[u8], usize, &[u8], &str); 10] = [
    (b"", 4, b"ftyp", "video/mp4"),
    (b"\x1a\x45\xdf\xa3", 0, b"", "video/webm"),
    (b"\x89PNG\r\n\x1a\n", 0, b"", "image/png"),
    (b"\xff\xd8\xff", 0, b"", "image/jpeg"),
    (b"GIF8", 0, b"", "image/gif"),
    (b"RIFF", 8, b"WEBP", "image/webp"),
    (b"RIFF", 8, b"WAVE", "audio/wav"),
    (b"ID3", 0, b"", "audio/mpeg"),
    (b"OggS", 0, b"", "audio/ogg"),
    (b"%PDF-", 0, b"", "application/pdf"),
];

/// `video/mp4` of `Video/MP4; codecs=…`.
#[must_use]
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The media type of a file that begins so, where these bytes tell.
#[must_use]
pub fn recognise(bytes: &[u8]) -> Option<&'static str> {
    let begins = |first: &[u8], at: usize, then: &[u8]| {
        bytes.starts_with(first) && bytes.get(at..).is_some_and(|rest| rest.starts_with(then))
    };
    BEGINNINGS.iter().find(|(first, at, then, _)| begins(first, *at, then)).map(|(_, _, _, media_type)| *media_type)
}

/// The ending of files of a media type.
#[must_use]
pub fn ending_of(media_type: &str) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == media_type).map(|(_, ending)| *ending)
}

/// An ending that is known, as it is written here.
#[must_use]
pub fn known_ending(ending: &str) -> Option<&'static str> {
    let known = TYPES.iter().map(|(_, ending)| *ending).chain(MORE_ENDINGS);
    known.into_iter().find(|known| ending.eq_ignore_ascii_case(known))
}
