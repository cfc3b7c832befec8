//! Identity, version 1: what makes a job that job. It is written down in the ledger, so none of this may ever change; a
//! second version would get its own tags.
//!
//! A job's content is its endpoint's name and its parameters after all defaults; an image counts by the digest of its bytes.
//! The id, `x_*`, the job's own limit, its place, and paths do not count. The content hash is SHA-256 over
//!
//! ```text
//! "l402-batch content 1"                                 the version tag
//! length, bytes                                          the endpoint's name
//! count                                                  of the parameters
//! for each parameter, by name in byte order:
//!     length, bytes                                      its name
//!     "t" length, bytes | "i" integer | "b" 0 or 1 | "m" length, lower-case hex of the image's SHA-256
//!     | "d" length, a decimal in its shortest form | "j" length, compact JSON with its keys in order
//! ```
//!
//! Lengths and counts are 64-bit, integers 64-bit two's complement, all big-endian. A made id is `j` and the first 16
//! characters of the hash in lower-case base32 (RFC 4648, no padding); the second job of the same made id has `-2` after it.

use std::borrow::Cow;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use super::ContentHash;
use crate::catalog::Value;

const CONTENT_TAG: &[u8] = b"l402-batch content 1";
/// The part of a content hash that a made id shows, in bytes: 16 base32 characters.
const MADE_BYTES: usize = 10;
const MADE_CHARS: usize = 16;

/// The hash of what is bought. A pure function: the order of `params` does not matter.
#[must_use]
pub fn content_hash(endpoint: &str, params: &[(String, Value)]) -> ContentHash {
    content_hash_of(endpoint, params, |_, _| true)
}

/// The same for those of the parameters alone that are `counted`.
#[must_use]
pub fn content_hash_of(
    endpoint: &str,
    params: &[(String, Value)],
    counted: impl Fn(&str, &Value) -> bool,
) -> ContentHash {
    let encoding = Encoding::new(endpoint, params.iter().map(|(name, _)| name.as_str()));
    let mut content = Vec::new();
    encoding
        .put(&mut content, |at| params.get(at).filter(|(name, value)| counted(name, value)).map(|(_, value)| value));
    hash(&content)
}

/// The hash of a content that [`Encoding::put`] has put together.
pub(super) fn hash(content: &[u8]) -> ContentHash {
    ContentHash(Sha256::digest(content).into())
}

/// What the contents of all jobs of one endpoint have in common, put together once.
pub(super) struct Encoding {
    /// The tag and the endpoint's name.
    head: Vec<u8>,
    /// By name in byte order: the position of a parameter in its endpoint, and its name as it is encoded.
    names: Vec<(usize, Vec<u8>)>,
}

impl Encoding {
    /// For an endpoint's name and its parameters' names, in its order.
    pub(super) fn new<'p>(endpoint: &str, params: impl Iterator<Item = &'p str>) -> Self {
        let mut head = CONTENT_TAG.to_vec();
        put_bytes(&mut head, endpoint.as_bytes());
        let mut names: Vec<(usize, &str)> = params.enumerate().collect();
        names.sort_by_key(|(_, name)| *name);
        let encoded = |(at, name): (usize, &str)| {
            let mut bytes = Vec::new();
            put_bytes(&mut bytes, name.as_bytes());
            (at, bytes)
        };
        Self { head, names: names.into_iter().map(encoded).collect() }
    }

    /// Adds a content to a buffer, from the values by their parameter's position.
    pub(super) fn put<'v>(&self, buffer: &mut Vec<u8>, value_of: impl Fn(usize) -> Option<&'v Value>) {
        buffer.extend_from_slice(&self.head);
        put_length(buffer, self.names.iter().filter(|(at, _)| value_of(*at).is_some()).count());
        for (at, name) in &self.names {
            if let Some(value) = value_of(*at) {
                buffer.extend_from_slice(name);
                put_value(buffer, value);
            }
        }
    }
}

fn put_value(buffer: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            buffer.push(b't');
            put_bytes(buffer, text.as_bytes());
        }
        Value::Integer(n) => {
            buffer.push(b'i');
            buffer.extend_from_slice(&n.to_be_bytes());
        }
        Value::Boolean(truth) => buffer.extend_from_slice(&[b'b', u8::from(*truth)]),
        Value::Decimal(number) => {
            buffer.push(b'd');
            put_bytes(buffer, number.to_string().as_bytes());
        }
        Value::Structured(json) => {
            buffer.push(b'j');
            put_bytes(buffer, json.as_str().as_bytes());
        }
        Value::Image(image) => {
            buffer.push(b'm');
            put_bytes(buffer, image.sha256.as_bytes());
        }
    }
}

fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    put_length(buffer, bytes.len());
    buffer.extend_from_slice(bytes);
}

fn put_length(buffer: &mut Vec<u8>, length: usize) {
    buffer.extend_from_slice(&(length as u64).to_be_bytes());
}

/// What a made id is made of. Jobs without an id that share it are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MadeKey([u8; MADE_BYTES]);

impl MadeKey {
    pub(super) fn of(content: &ContentHash) -> Self {
        let mut key = [0; MADE_BYTES];
        key.copy_from_slice(&content.0[..MADE_BYTES]);
        Self(key)
    }

    /// Its first 64 bits.
    pub(super) fn halves(&self) -> [u32; 2] {
        let (parts, _) = self.0.as_chunks::<4>();
        [parts[0], parts[1]].map(u32::from_be_bytes)
    }

    /// A hash for a table: the lower bits, which choose the place in it, hang on each of the first 64 bits and on the factor.
    pub(super) fn spread(&self, factor: u64) -> u64 {
        let first = self.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        first.wrapping_mul(factor).swap_bytes()
    }

    /// The id of the `number`-th job of this key, counted from 1.
    pub(super) fn id(&self, number: u32) -> String {
        let mut id = String::new();
        self.put_id(&mut id, number);
        id
    }

    /// The same, added to a text: of a million jobs each is put into the same one.
    pub(super) fn put_id(&self, text: &mut String, number: u32) {
        let start = text.len();
        text.push('j');
        BASE32_NOPAD.encode_append(&self.0, text);
        text[start..].make_ascii_lowercase();
        if number > 1 {
            text.push('-');
            text.push_str(&number.to_string());
        }
    }
}

/// The id that is made for the first job of that content.
#[must_use]
pub fn made_id(content: &ContentHash) -> String {
    MadeKey::of(content).id(1)
}

/// Whether an id could be a made one: `j`, 16 base32 characters, perhaps a number.
#[must_use]
pub fn looks_made(id: &str) -> bool {
    let Some(rest) = id.strip_prefix('j') else { return false };
    let Some((text, number)) = rest.split_at_checked(MADE_CHARS) else { return false };
    text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
        && (number.is_empty() || number.strip_prefix('-').is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit())))
}

/// An id without what a spreadsheet or a careless hand changes: case and leading zeros. Ids that are equal so, and differ
/// otherwise, draw a warning.
pub fn folded(id: &str) -> Cow<'_, str> {
    let kept = id.trim_start_matches('0');
    let kept = if kept.is_empty() && !id.is_empty() { "0" } else { kept };
    match kept.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(kept),
        false => Cow::Owned(kept.chars().flat_map(char::to_lowercase).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Decimal, ImageKind, ImageRef, ImageSource, Structured};
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_owned(), Value::Text(value.to_owned()))
    }

    fn made(content: &ContentHash, number: u32) -> String {
        MadeKey::of(content).id(number)
    }

    /// These strings stand in people's ledgers: a change of any is a change of identity.
    #[test]
    fn golden_vectors() {
        let image = |path: &str| ImageRef {
            source: ImageSource::File(path.into()),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            kind: ImageKind::Png,
        };
        let video = [
            text("prompt", "A cat walking on the surface of the moon"),
            ("duration".to_owned(), Value::Integer(5)),
            text("mode", "pro"),
            ("generate_audio".to_owned(), Value::Boolean(false)),
        ];
        let animate = [
            text("prompt", "Make the person wave hello"),
            ("image".to_owned(), Value::Image(Box::new(image("/a.png")))),
            ("duration".to_owned(), Value::Integer(-5)),
        ];
        let shaped = [
            ("strength".to_owned(), Value::Decimal(Decimal::parse("0.50").unwrap())),
            ("tags".to_owned(), Value::Structured(Structured::parse(r#"["sea", {"b": 2, "a": 1.5}]"#).unwrap())),
        ];
        let vectors = [
            (
                content_hash("shaped", &shaped),
                "b277b902ff2bb461544cc0a0d5598ee4cdc54d0de602eb0fc67fe149f441a80b",
                "jwj33sax7fo2gcvcm",
            ),
            (
                content_hash("generate-video", &video),
                "794153c8d4464d7b84dd3fd34dbd275a5cbf53caedf076e331a3caabd7833e8d",
                "jpfavhsguizgxxbg5",
            ),
            (
                content_hash("animate-image", &animate),
                "d19188360bc10be4fcc50d32d02207fd28e1a67c032fec70f1ca05023ac66bc4",
                "j2giyqnqlyef6j7gf",
            ),
            (
                content_hash("nothing", &[]),
                "29ecb8a49de8bf5c4d22a97bab0f7b03c53ef29fba506906591b806ea6cbff25",
                "jfhwlrje55c7vytjc",
            ),
        ];
        for (content, hex, id) in vectors {
            assert_eq!((HEXLOWER.encode(&content.0).as_str(), made(&content, 1).as_str()), (hex, id));
            assert_eq!(made(&content, 2), format!("{id}-2"));
        }
        let moved =
            [animate[0].clone(), ("image".to_owned(), Value::Image(Box::new(image("/b.jpg")))), animate[2].clone()];
        assert_eq!(content_hash("animate-image", &moved), content_hash("animate-image", &animate));
    }

    #[test]
    fn everything_that_is_sent_counts() {
        let base = content_hash("e", &[text("a", "1"), text("b", "2")]);
        for other in [
            content_hash("f", &[text("a", "1"), text("b", "2")]),
            content_hash("e", &[text("a", "1")]),
            content_hash("e", &[text("a", "1"), text("b", "3")]),
            content_hash("e", &[text("a", "1"), text("c", "2")]),
            content_hash("e", &[text("a", "1b"), text("", "2")]),
            content_hash("e", &[("a".to_owned(), Value::Integer(1)), text("b", "2")]),
        ] {
            assert_ne!(other, base);
        }
    }

    #[test]
    fn made_ids_are_recognised() {
        let id = made(&content_hash("e", &[]), 12);
        assert!(looks_made(&id) && looks_made(&id[..17]), "{id}");
        for other in
            ["", "j", "job-1", "jaaaaaaaaaaaaaaa", "jaaaaaaaaaaaaaaaaa", "jAaaaaaaaaaaaaaaa", "jüaaaaaaaaaaaaaaa"]
        {
            assert!(!looks_made(other), "{other}");
        }
    }

    #[test]
    fn ids_are_folded_by_case_and_leading_zeros() {
        let fold = |id: &str| folded(id).into_owned();
        assert_eq!(
            (fold("010"), fold("0"), fold("00"), fold("A-01")),
            ("10".into(), "0".into(), "0".into(), "a-01".into())
        );
        assert_eq!((fold("ÄX"), fold("0É")), (fold("äx"), "é".into()));
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            params in proptest::collection::btree_map("[a-c]{1,3}", "[a-c]{0,3}", 0..6),
            turn in 0..6usize,
        ) {
            let mut params: Vec<_> = params.iter().map(|(name, value)| text(name, value)).collect();
            let content = content_hash("e", &params);
            let turn = turn.checked_rem(params.len()).unwrap_or(0);
            params.rotate_left(turn);
            prop_assert_eq!(content_hash("e", &params), content);
            params.reverse();
            prop_assert_eq!(content_hash("e", &params), content);
        }
    }
}
