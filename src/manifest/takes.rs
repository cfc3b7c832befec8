//! What a parameter takes of a file, by its content: a file's name says nothing.

use crate::catalog::ImageKind;
use crate::{first_bytes, media};

/// The type of words of which nobody says more.
const WORDS: &str = "text/plain";
/// What else a file may be that begins so: one kind of box holds several things.
const ALSO: [(&str, &[&str]); 4] = [
    ("video/mp4", &["audio/mp4", "audio/x-m4a", "audio/m4a", "video/quicktime"]),
    ("video/webm", &["audio/webm", "video/x-matroska", "audio/x-matroska"]),
    ("audio/ogg", &["audio/opus", "audio/vorbis", "video/ogg"]),
    ("image/tiff", &["image/x-tiff"]),
];

/// What a file's first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Its media type.
    Known(&'static str),
    /// Words, in whatever format.
    Words,
    /// Bytes.
    Bytes,
}

impl Content {
    pub(super) fn of(start: &[u8]) -> Self {
        match media::recognise(start) {
            Some(media_type) => Self::Known(media_type),
            None if first_bytes::are_words(start) => Self::Words,
            None => Self::Bytes,
        }
    }
}

/// What a parameter takes.
#[derive(Clone, Copy)]
pub(super) enum Takes<'a> {
    /// A png, jpeg or webp image.
    Image,
    /// A file of one of these media types; of any where there are none.
    File(&'a [String]),
}

impl Takes<'_> {
    pub(super) const fn is_image(self) -> bool {
        match self {
            Self::Image => true,
            Self::File(_) => false,
        }
    }

    /// What a file of that content is for it; nothing where it is none that it takes.
    pub(super) fn kind(self, content: Content) -> Option<ImageKind> {
        let types = match (self, content) {
            (Self::Image, Content::Known(media_type)) => {
                return match ImageKind::of(media_type)? {
                    kind @ (ImageKind::Png | ImageKind::Jpeg | ImageKind::Webp) => Some(kind),
                    ImageKind::Other(_) => None,
                };
            }
            (Self::Image, Content::Words | Content::Bytes) => return None,
            (Self::File(types), _) => types,
        };
        let is_taken = |media_type: &str| {
            let is_it = |taken: &String| {
                taken.strip_suffix('*').map_or(taken == media_type, |family| media_type.starts_with(family))
            };
            types.is_empty() || types.iter().any(is_it)
        };
        let taken = |all: &[&'static str]| all.iter().copied().find(|media_type| is_taken(media_type));
        let media_type = match content {
            Content::Known(media_type) => taken(&[media_type])
                .or_else(|| ALSO.iter().find(|(known, _)| *known == media_type).and_then(|(_, also)| taken(also))),
            Content::Words => {
                let is_words = |media_type: &&str| media::ending_of(media_type).is_some_and(media::is_text);
                let named = types.iter().map(String::as_str).find(is_words).and_then(media::known_type);
                named.or_else(|| taken(&[WORDS]))
            }
            Content::Bytes => taken(&[media::OCTETS]),
        };
        ImageKind::of(media_type?)
    }

    /// `one of audio/*, application/pdf`
    pub(super) fn one_of(self) -> String {
        match self {
            Self::Image => "a png, jpeg or webp image".to_owned(),
            Self::File(types) => format!("a file of {}", types.join(", ")),
        }
    }

    /// The same for a file that is none.
    pub(super) fn none_of(self) -> String {
        match self {
            Self::Image => "not a png, jpeg or webp image".to_owned(),
            Self::File(types) => format!("none of {} by its content", types.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_content_says_among_what_is_taken() {
        let of = |types: &[&str], bytes: &[u8]| {
            let types: Vec<String> = types.iter().map(|taken| (*taken).to_owned()).collect();
            Takes::File(&types).kind(Content::of(bytes)).map(ImageKind::media_type)
        };
        let (pdf, mp4, ogg) = (b"%PDF-1.7".as_slice(), b"\0\0\0\x20ftypM4A ".as_slice(), b"OggS\0\x02".as_slice());
        assert_eq!(of(&[], pdf), Some("application/pdf"));
        assert_eq!(of(&["application/pdf"], pdf), Some("application/pdf"));
        assert_eq!(of(&["audio/*"], pdf), None);
        assert_eq!(of(&["audio/*"], mp4), Some("audio/mp4"));
        assert_eq!(of(&["audio/*", "video/*"], mp4), Some("video/mp4"));
        assert_eq!(of(&["audio/opus"], ogg), Some("audio/opus"));
        assert_eq!(of(&[], b"a,b\n1,2\n"), Some("text/plain"));
        assert_eq!(of(&["application/pdf", "text/csv"], b"a,b\n1,2\n"), Some("text/csv"));
        assert_eq!(of(&["application/pdf"], b"a,b\n1,2\n"), None);
        assert_eq!(of(&[], b"\x00\x01\x02\xff"), Some(media::OCTETS));
        assert_eq!(of(&["text/*"], b"\x00\x01\x02\xff"), None);
        assert_eq!(Takes::Image.kind(Content::of(pdf)), None);
        let kind = ImageKind::of("application/pdf").unwrap();
        let json = serde_json::to_string(&[kind, ImageKind::Png]).unwrap();
        assert_eq!(json, r#"[{"other":"application/pdf"},"png"]"#);
        assert_eq!(serde_json::from_str::<[ImageKind; 2]>(&json).unwrap(), [kind, ImageKind::Png]);
        assert!(serde_json::from_str::<ImageKind>(r#"{"other":"x/y"}"#).is_err());
    }
}
