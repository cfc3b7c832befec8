//! Whom a TLS client trusts: a server whose very certificate is known, as LND's own one is self-signed and marked as a CA,
//! which no ordinary check accepts; or whom the system trusts.

use std::sync::{Arc, LazyLock, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier as SystemVerifier;

/// Which certificates are accepted. That the server holds the key is proven by the handshake's signature in either case.
#[derive(Debug)]
enum Trusted {
    /// These very ones, whatever they say of names, dates or issuers, and no other.
    These(Vec<CertificateDer<'static>>),
    /// Those that the system vouches for. Its roots are read at the first handshake: hundreds of files, for which a command
    /// that opens no https connection does not wait.
    Systems(OnceLock<Result<SystemVerifier, rustls::Error>>),
}

#[derive(Debug)]
struct Verifier {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trusted {
            Trusted::These(known) if known.iter().any(|known| known.as_ref() == end_entity.as_ref()) => {
                Ok(ServerCertVerified::assertion())
            }
            Trusted::These(_) => {
                Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            Trusted::Systems(verifier) => {
                let verifier = verifier.get_or_init(|| SystemVerifier::new(Arc::clone(&self.provider)));
                let verifier = verifier.as_ref().map_err(Clone::clone)?;
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
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

/// A client configuration that trusts these certificates and nothing else; with none of them, nobody.
///
/// # Errors
/// Where the TLS library takes no such configuration.
pub fn trusting(certificates: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    config(Trusted::These(certificates))
}

/// A client configuration for HTTP/1.1 that trusts whom the system trusts. All clients of the process share its roots. Where
/// the system has none, each handshake fails and says so: plain http to loopback needs none.
///
/// # Errors
/// Where the TLS library takes no such configuration.
pub fn as_the_system() -> Result<ClientConfig, rustls::Error> {
    static CONFIG: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
        let mut config = config(Trusted::Systems(OnceLock::new()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    });
    CONFIG.clone()
}

fn config(trusted: Trusted) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier { trusted, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}
