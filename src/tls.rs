//! Whom a TLS client trusts: a server whose very certificate is known, as LND's own one is self-signed and marked as a CA,
//! which no ordinary check accepts; or whom the system trusts. And why a certificate is not accepted.

use std::borrow::Cow;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier as SystemVerifier;

use crate::error::Hinted;
use crate::terminal_text::printable;
use crate::time::UnixMs;

/// By these a person names the authorities to trust in the place of the system's: a file, and folders.
const AUTHORITIES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Why a server's certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// It is another one than was given.
    #[error("it is not the one that was given")]
    Other,
    /// It calls itself an authority, as lnd's own does.
    #[error("it is signed by itself")]
    BySelf,
    /// No authority that this machine trusts has signed it; what is amiss with those, in words behind a blank.
    #[error("it is signed by no authority that this machine trusts{0}")]
    Issuer(String),
    /// This machine trusts no authority; why, in words behind a blank.
    #[error("this machine has no certificates of authorities{0}")]
    NoAuthorities(String),
    /// Its time is over: when, in words behind a blank, where that is known.
    #[error("it has expired{0}")]
    Expired(String),
    /// Its time has not begun.
    #[error("it is not valid yet by this machine's clock")]
    NotYet,
    /// It is for another host: for whom, in words behind a blank.
    #[error("it is for another name than the address has{0}")]
    Name(String),
    /// Anything else, in the words of the TLS library.
    #[error("it is not in order: {0}")]
    Else(String),
}

impl Hinted for Distrust {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::BySelf | Self::Issuer(_) => {
                "is the address right? An authority of your own goes into the system's certificates, or into the file that \
                 SSL_CERT_FILE names"
            }
            Self::NoAuthorities(_) => {
                "install the system's certificates (ca-certificates), or name a file of them in SSL_CERT_FILE"
            }
            Self::Expired(_) => "its operator has to renew it; or is this machine's clock wrong?",
            Self::NotYet => "is this machine's clock right?",
            Self::Name(_) => "is the address right? It has to name the host as its certificate does",
            Self::Other | Self::Else(_) => return None,
        };
        Some(hint.into())
    }
}

/// Why the certificate is not accepted, where that is why a request failed.
#[must_use]
pub fn distrust(error: &(dyn Error + 'static)) -> Option<Distrust> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(problem)) = tls_error(error) {
            return Some(told(problem));
        }
        next = error.source();
    }
    None
}

/// The TLS error in an error. An I/O error gives as its source the source of its content and so skips the content
/// itself; the layers of the client put one into another.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut inner = error;
    while let Some(io) = inner.downcast_ref::<std::io::Error>() {
        inner = io.get_ref()?;
    }
    inner.downcast_ref()
}

fn told(problem: &CertificateError) -> Distrust {
    let on = |time: &UnixTime| {
        i64::try_from(time.as_secs()).map_or_else(|_| String::new(), |secs| format!(" ({})", UnixMs(secs * 1_000)))
    };
    match problem {
        CertificateError::ApplicationVerificationFailure => Distrust::Other,
        CertificateError::UnknownIssuer => Distrust::Issuer(amiss()),
        CertificateError::Expired => Distrust::Expired(String::new()),
        CertificateError::ExpiredContext { not_after, .. } => Distrust::Expired(on(not_after)),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Distrust::NotYet,
        CertificateError::NotValidForName => Distrust::Name(String::new()),
        CertificateError::NotValidForNameContext { presented, .. } => Distrust::Name(names(presented)),
        CertificateError::Other(other) => match other.0.downcast_ref::<Distrust>() {
            Some(ours) => ours.clone(),
            None if other.to_string().contains("CaUsedAsEndEntity") => Distrust::BySelf,
            None => Distrust::Else(other.to_string()),
        },
        other => Distrust::Else(other.to_string()),
    }
}

/// Some of the names that a certificate is for, which a stranger has written.
fn names(presented: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let shown: Vec<&str> = presented.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let more = if presented.len() > SHOWN_MAX { ", …" } else { "" };
    if shown.is_empty() { String::new() } else { printable(&format!(" (for {}{more})", shown.join(", "))) }
}

/// What is amiss with the authorities that a person names.
fn amiss() -> String {
    let missing = AUTHORITIES.iter().filter_map(|name| {
        let paths = std::env::var_os(name)?;
        let missing = std::env::split_paths(&paths).find(|path| !path.exists())?;
        Some(missing_words(name, &missing))
    });
    missing.collect()
}

fn missing_words(variable: &str, path: &Path) -> String {
    format!(" ({variable} names {}, which is not there)", path.display())
}

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
                let verifier = verifier.as_ref().map_err(|_| {
                    let none = OtherError(Arc::new(Distrust::NoAuthorities(amiss())));
                    rustls::Error::InvalidCertificate(CertificateError::Other(none))
                })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(problem: CertificateError) -> String {
        // As the client hands it on.
        let error = std::io::Error::other(std::io::Error::other(rustls::Error::InvalidCertificate(problem)));
        distrust(&error).unwrap().told()
    }

    #[test]
    fn each_reason_has_its_own_help() {
        let past = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_700_000_000));
        let presented = ["a.example", "b.example", "c.example", "d.example"].map(str::to_owned).to_vec();
        let expected = ServerName::try_from("x.example").unwrap();
        for (problem, words, help) in [
            (CertificateError::UnknownIssuer, "no authority that this machine trusts", "SSL_CERT_FILE"),
            (CertificateError::Expired, "it has expired; ", "renew"),
            (CertificateError::ExpiredContext { time: past, not_after: past }, "(2023-11-14 22:13 UTC)", "renew"),
            (CertificateError::NotValidYet, "not valid yet", "clock right"),
            (CertificateError::NotValidForName, "another name than the address has; ", "address right"),
            (
                CertificateError::NotValidForNameContext { expected, presented },
                "(for a.example, b.example, c.example, …)",
                "address right",
            ),
            (
                CertificateError::Other(OtherError(Arc::new(Distrust::NoAuthorities(String::new())))),
                "no certificates of authorities",
                "ca-certificates",
            ),
        ] {
            let told = of(problem);
            assert!(told.contains(words) && told.contains(help), "{told}");
        }
        assert_eq!(distrust(&std::io::Error::other("reset")), None);
        assert!(distrust(&rustls::Error::DecryptError).is_none());
        let missing = missing_words("SSL_CERT_FILE", Path::new("/nowhere/ca.pem"));
        assert_eq!(missing, " (SSL_CERT_FILE names /nowhere/ca.pem, which is not there)");
    }
}
