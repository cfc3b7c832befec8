//! The node's certificate, as it is given, and pinned.

use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};

use super::LndConfigError;
use crate::encoded_text::plain;
use crate::error::SharedError;
use crate::screen::looks_like_private_key;

/// The most that is read of a certificate, in bytes.
pub const CERTIFICATE_BYTES_MAX: u64 = 1 << 20;

/// The node's certificate as PEM: from PEM, also in one line; from its binary form; or from base64 or hex of either, as
/// `lndconnect`, `base64` and `xxd -p` print it. `source` names where it came from, for the message.
///
/// # Errors
/// Where it is no certificate.
pub fn certificate_pem(bytes: &[u8], source: &str) -> Result<Vec<u8>, LndConfigError> {
    // In binary form it begins with neither a mark nor a quote.
    let text = if bytes.starts_with(&BINARY) { bytes.to_vec() } else { unindented(&plain(bytes)) };
    let decoded = decoded(&text);
    let bytes = decoded.as_deref().unwrap_or(&text);
    let pem = if bytes.starts_with(&BINARY) { framed(&data_encoding::BASE64.encode(bytes)) } else { wrapped(bytes) };
    // Whoever takes one file for the other is told so. A file may hold both.
    let as_key =
        |error| if looks_like_private_key(&text) { LndConfigError::PrivateKey(source.to_owned()) } else { error };
    certificates(&pem, source).map(|_| pem.clone()).map_err(as_key)
}

/// What the binary form of a certificate begins with: a sequence whose length takes two bytes. An elliptic-curve
/// certificate is always longer than 255 bytes, and never longer than 65,535.
const BINARY: [u8; 2] = [0x30, 0x82];
const FRAME: [&str; 2] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];

/// As it stands in a YAML file, each line moved in.
fn unindented(text: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    lines.join(&b'\n')
}

fn framed(base64: &str) -> Vec<u8> {
    format!("{}\n{base64}\n{}\n", FRAME[0], FRAME[1]).into_bytes()
}

/// What hex or base64 holds, where that is a certificate in either form.
fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    let is_one =
        |found: &Vec<u8>| found.starts_with(&BINARY) || found.trim_ascii_start().starts_with(FRAME[0].as_bytes());
    // Hex digits are base64 digits too.
    [HEXLOWER_PERMISSIVE, BASE64_NOPAD, BASE64URL_NOPAD].iter().find_map(|e| e.decode(&text).ok().filter(is_one))
}

/// PEM whose line ends were lost, or turned into `\n` in words, gets them back. What is well formed stays as it is.
fn wrapped(pem: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(pem) else { return pem.to_vec() };
    let is_in_one_line = text.trim().lines().count() == 1;
    let mut rest = text;
    let mut found = Vec::new();
    while let Some((_, after)) = rest.split_once(FRAME[0]).filter(|_| is_in_one_line) {
        let Some((body, after)) = after.split_once(FRAME[1]) else { break };
        let body: String = body.replace("\\r", "").replace("\\n", "").split_whitespace().collect();
        found.extend(framed(&body));
        rest = after;
    }
    if found.is_empty() { pem.to_vec() } else { found }
}

/// What is wrong with PEM, its markers as text.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            // Where it is all one line, the marker is the rest of that.
            let marker = String::from_utf8_lossy(end_marker);
            format!("the line -----END {}----- is missing", marker.split("-----").next().unwrap_or_default())
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins it has another form than -----BEGIN CERTIFICATE-----".to_owned()
        }
        other => other.to_string(),
    }
}

fn certificates(pem: &[u8], source: &str) -> Result<Vec<CertificateDer<'static>>, LndConfigError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| {
        LndConfigError::Certificate { origin: source.to_owned(), source: SharedError::new(words(&error)) }
    })?;
    if certificates.is_empty() { Err(LndConfigError::NoCertificate(source.to_owned())) } else { Ok(certificates) }
}

/// A client configuration that trusts the certificates of this PEM text and nothing else.
pub(super) fn pinned(pem: &[u8]) -> Result<ClientConfig, LndConfigError> {
    crate::tls::trusting(certificates(pem, "the given certificate")?).map_err(LndConfigError::Tls)
}

/// A client configuration that trusts whom the system trusts: for a node behind a certificate that an authority signed.
pub(super) fn as_the_system() -> Result<ClientConfig, LndConfigError> {
    crate::tls::as_the_system().map_err(LndConfigError::Tls)
}
