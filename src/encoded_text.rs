//! Macaroons and certificates as text: what editors, shells and configuration files put around them is taken off.

const BOM_UTF_8: &[u8] = b"\xef\xbb\xbf";
type Unit = fn([u8; 2]) -> u16;
const BOM_UTF_16: [(&[u8], Unit); 2] = [(b"\xff\xfe", u16::from_le_bytes), (b"\xfe\xff", u16::from_be_bytes)];

/// The text without what PowerShell writes it as (UTF-16, or a mark before UTF-8), and without quotes around it. What is no text
/// stays as it is.
#[must_use]
pub fn plain(bytes: &[u8]) -> Vec<u8> {
    let text = decoded(bytes);
    let mut text = text.trim_ascii();
    for quote in [b"\"", b"'"] {
        text = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)).unwrap_or(text);
    }
    text.to_vec()
}

/// The text as [`plain`] gives it, on one line, as a decoder takes it: without the blanks that `xxd -p` and
/// `base64` wrap it with, and without `0x`.
#[must_use]
pub fn one_line(bytes: &[u8]) -> Vec<u8> {
    let mut text = plain(bytes);
    text.retain(|byte| !byte.is_ascii_whitespace());
    // As other tools write hex. In base64 no macaroon begins so.
    if text.starts_with(b"0x") || text.starts_with(b"0X") {
        text.drain(..2);
    }
    text
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    for (mark, unit) in BOM_UTF_16 {
        if let Some(rest) = bytes.strip_prefix(mark) {
            let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
            return char::decode_utf16(units)
                .collect::<Result<String, _>>()
                .map_or_else(|_| bytes.to_vec(), String::into_bytes);
        }
    }
    bytes.strip_prefix(BOM_UTF_8).unwrap_or(bytes).to_vec()
}
