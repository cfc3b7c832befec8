//! The node's certificate, pinned, and what is wrong with one that is not the given.

use std::error::Error as _;

use rustls::{CertificateError, ClientConfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::LndConfigError;

/// The most that is read of a certificate, in bytes.
pub const CERTIFICATE_BYTES_MAX: u64 = 1 << 20;

/// The node's certificate as PEM, from PEM or from the base64 of its binary form. `source` names where it came from, for
/// the message.
///
/// # Errors
/// Where it is no certificate.
pub fn certificate_pem(bytes: &[u8], source: &str) -> Result<Vec<u8>, LndConfigError> {
    let pem = match bare_base64(bytes) {
        None => bytes.to_vec(),
        Some(binary) => {
            let text = data_encoding::BASE64.encode(&binary);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
        }
    };
    certificates(&pem, source).map(|_| pem)
}

/// A certificate without its PEM frame, as `lndconnect` addresses carry it.
fn bare_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    /// What the binary form of a certificate begins with: a sequence whose length takes two bytes.
    const BEGINNING: [u8; 2] = [0x30, 0x82];
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    let decoded =
        [data_encoding::BASE64_NOPAD, data_encoding::BASE64URL_NOPAD].iter().find_map(|e| e.decode(&text).ok());
    // An elliptic-curve certificate is always longer than 255 bytes, and never longer than 65,535.
    decoded.filter(|binary| binary.starts_with(&BEGINNING))
}

fn certificates(pem: &[u8], source: &str) -> Result<Vec<CertificateDer<'static>>, LndConfigError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| {
        LndConfigError::Certificate {
            source_name: source.to_owned(),
            why: crate::harmless::harmless(&error.to_string()),
        }
    })?;
    if certificates.is_empty() { Err(LndConfigError::NoCertificate(source.to_owned())) } else { Ok(certificates) }
}

/// A client configuration that trusts the certificates of this PEM text and nothing else.
pub(super) fn pinned(pem: &[u8]) -> Result<ClientConfig, LndConfigError> {
    trusting(certificates(pem, "the given certificate")?)
}

/// A client configuration that trusts nobody, for plain HTTP: the system's roots need not be read, nor exist.
pub(super) fn trusting_nobody() -> Result<ClientConfig, LndConfigError> {
    trusting(Vec::new())
}

fn trusting(certificates: Vec<CertificateDer<'static>>) -> Result<ClientConfig, LndConfigError> {
    crate::pinned::trusting(certificates).map_err(|error| LndConfigError::Client(error.to_string()))
}

/// What is wrong with the certificate, where that is why a request failed.
pub(super) fn certificate_problem(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(error) = cause {
        match tls_error(error) {
            Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                return Some("it is not the one that was given; pass the tls.cert of this very node".to_owned());
            }
            Some(problem @ rustls::Error::InvalidCertificate(_)) => {
                let problem = problem.to_string();
                // lnd's own certificate calls itself a CA, which rustls tells before that nobody knows it.
                let own = problem.contains("CaUsedAsEndEntity");
                return Some(format!(
                    "none was given, and the system does not trust the node's ({}); lnd signs its own: pass its tls.cert \
                     with --lnd-cert-file",
                    if own { "it is signed by itself" } else { &problem }
                ));
            }
            Some(_) | None => cause = error.source(),
        }
    }
    None
}

/// The TLS error in an error. An I/O error gives as its source the source of its content and so skips the content
/// itself; the layers of the client put one into another.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut inner = error;
    while let Some(io) = inner.downcast_ref::<std::io::Error>() {
        inner = io.get_ref()?;
    }
    inner.downcast_ref()
}
