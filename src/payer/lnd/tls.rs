//! The node's certificate, pinned: LND's own one is self-signed and marked as a CA, which no ordinary check accepts.

use std::error::Error as _;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::LndConfigError;

/// Accepts the very certificates that it was given, whatever they say of names, dates or issuers, and no other. That
/// the server holds the key is still proven by the handshake's signature.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.certificates.iter().any(|known| known.as_ref() == end_entity.as_ref()) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A client configuration that trusts the certificates of this PEM text and nothing else.
pub(super) fn pinned(pem: &[u8]) -> Result<ClientConfig, LndConfigError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| LndConfigError::Certificate(error.to_string()))?;
    if certificates.is_empty() {
        return Err(LndConfigError::NoCertificate);
    }
    trusting(certificates)
}

/// A client configuration that trusts nobody, for plain HTTP: the system's roots need not be read, nor exist.
pub(super) fn trusting_nobody() -> Result<ClientConfig, LndConfigError> {
    trusting(Vec::new())
}

fn trusting(certificates: Vec<CertificateDer<'static>>) -> Result<ClientConfig, LndConfigError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Pinned { certificates, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| LndConfigError::Client(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// What is wrong with the certificate, where that is why a request failed.
pub(super) fn certificate_problem(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(error) = cause {
        match tls_error(error) {
            Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                return Some("it shows another one".to_owned());
            }
            Some(problem @ rustls::Error::InvalidCertificate(_)) => return Some(problem.to_string()),
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
