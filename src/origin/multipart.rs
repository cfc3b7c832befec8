//! A multipart body (RFC 7578). Its boundary follows from what stands between, so that the same job gives the same bytes; and no part can hold
//! it, since it is a digest of that part.

use data_encoding::HEXLOWER;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::catalog::{ImageRef, Value};
use crate::media;
use crate::purchase::BOUNDARY_MARK;

/// Gives a file's bytes in pieces, of which each but the last is a multiple of three bytes long.
pub(super) type Pieces<'a> = &'a mut dyn FnMut(&[u8]);

/// So much of the digest is the boundary.
const BOUNDARY_BYTES: usize = 20;

/// A part's content.
pub(super) enum Part<'a> {
    /// As text.
    Text(String),
    /// A file, byte for byte.
    File(&'a ImageRef),
}

impl<'a> From<&'a Value> for Part<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) => {
                Self::Text(value.to_string())
            }
            Value::Image(image) => Self::File(image),
        }
    }
}

impl From<&Json> for Part<'_> {
    fn from(constant: &Json) -> Self {
        Self::Text(constant.as_str().map_or_else(|| constant.to_string(), str::to_owned))
    }
}

/// Writes the body of these parts, each with its name.
///
/// # Errors
/// What `read_file` says where a file's bytes are not to be had.
pub(super) fn write<E>(
    parts: &[(&str, Part<'_>)],
    read_file: &impl Fn(&ImageRef, Pieces<'_>) -> Result<(), E>,
    body: Pieces<'_>,
) -> Result<(), E> {
    let boundary = boundary(parts);
    for (name, part) in parts {
        let name = quoted(name);
        body(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        match part {
            Part::Text(text) => body(format!("\r\n\r\n{text}").as_bytes()),
            Part::File(file) => {
                let kind = file.kind.media_type();
                // The name of a person's file is nobody's business; some servers read a type off its ending.
                let ending = media::ending_of(kind).unwrap_or("bin");
                body(format!("; filename=\"file.{ending}\"\r\nContent-Type: {kind}\r\n\r\n").as_bytes());
                read_file(file, body)?;
            }
        }
        body(b"\r\n");
    }
    body(format!("--{boundary}--\r\n").as_bytes());
    Ok(())
}

fn boundary(parts: &[(&str, Part<'_>)]) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    for (name, part) in parts {
        add(name.as_bytes());
        match part {
            Part::Text(text) => add(text.as_bytes()),
            Part::File(file) => {
                add(file.kind.media_type().as_bytes());
                add(file.sha256.as_bytes());
            }
        }
    }
    let digest = hash.finalize();
    format!("{BOUNDARY_MARK}{}", HEXLOWER.encode(digest.get(..BOUNDARY_BYTES).unwrap_or_default()))
}

/// A name as browsers write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
