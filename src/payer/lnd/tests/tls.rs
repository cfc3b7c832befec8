//! The pinned certificate, against a server whose certificate is made as LND makes its own: self-signed, and a CA.

use std::sync::Arc;

use rustls_pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::replay::read_request;
use super::*;

struct Own {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

fn own_certificate() -> Own {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["lnd.example".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    Own { certificate: params.self_signed(&key).unwrap(), key }
}

/// The address of a server with this certificate and key that says its balance to everyone.
async fn serve(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            while read_request(&mut stream).await.is_some() {
                let [Act::Write(answer)] = &http(200, r#"{"local_balance":{"msat":"5"}}"#)[..] else { panic!() };
                stream.write_all(answer).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    url
}

async fn balance(url: String, pem: Option<String>) -> Result<Msat, NodeProblem> {
    let macaroon = Macaroon::from_text("0201c0ffee", "test").unwrap();
    let certificate_pem = pem.map(String::into_bytes);
    LndPayer::new(&LndOptions { url, macaroon, certificate_pem }).unwrap().balance().await
}

#[tokio::test]
async fn the_given_certificate_is_accepted_though_it_is_a_ca() {
    let own = own_certificate();
    let url = serve(&own.certificate, &own.key).await;
    assert_eq!(balance(url, Some(own.certificate.pem())).await, Ok(Msat::new(5)));
}

#[tokio::test]
async fn any_other_certificate_is_refused() {
    let (own, other) = (own_certificate(), own_certificate());
    let url = serve(&own.certificate, &own.key).await;
    let problem = balance(url.clone(), Some(other.certificate.pem())).await;
    assert!(
        matches!(&problem, Err(NodeProblem { kind: ProblemKind::Certificate(crate::payer::Untrusted::Other), .. })),
        "{problem:?}"
    );
    let order = Order { hash: &hash(), invoice: "lnbcrt1invoice", fee_limit: Msat::ZERO, cltv_limit: Some(1_008) };
    let macaroon = Macaroon::from_text("0201c0ffee", "test").unwrap();
    let certificate_pem = Some(other.certificate.pem().into_bytes());
    let report = LndPayer::new(&LndOptions { url, macaroon, certificate_pem }).unwrap().pay(&order, PATIENT_MS).await;
    assert!(!report.answered && matches!(report.outcome, crate::payer::SendOutcome::InDoubt(_)), "{report:?}");
}

#[tokio::test]
async fn the_certificate_alone_does_not_serve_without_its_key() {
    let (own, thief) = (own_certificate(), own_certificate());
    let url = stolen(&own.certificate, &thief.key).await;
    assert!(balance(url, Some(own.certificate.pem())).await.is_err());
}

/// A server that shows a certificate whose key it does not hold.
async fn stolen(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> String {
    #[derive(Debug)]
    struct Shows(Arc<rustls::sign::CertifiedKey>);
    impl rustls::server::ResolvesServerCert for Shows {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let shown = Shows(Arc::new(rustls::sign::CertifiedKey::new(vec![certificate.der().clone()], key)));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(acceptor.accept(stream).await);
        }
    });
    url
}

#[tokio::test]
async fn without_a_pin_only_what_the_system_trusts_is_accepted() {
    let own = own_certificate();
    let url = serve(&own.certificate, &own.key).await;
    let problem = balance(url, None).await;
    assert!(
        matches!(
            &problem,
            Err(NodeProblem { kind: ProblemKind::Certificate(crate::payer::Untrusted::Unknown(_)), .. })
        ),
        "{problem:?}"
    );
}

#[tokio::test]
async fn a_certificate_without_its_frame_is_one_too() {
    let own = own_certificate();
    let url = serve(&own.certificate, &own.key).await;
    let binary = own.certificate.der();
    let pem = own.certificate.pem();
    let wrapped =
        |text: String| text.as_bytes().chunks(76).flat_map(|line| [line, b"\n"].concat()).collect::<Vec<u8>>();
    let in_one_line = pem.replace(['\r', '\n'], "");
    for given in [
        data_encoding::BASE64.encode(binary).into_bytes(),
        data_encoding::BASE64URL_NOPAD.encode(binary).into_bytes(),
        binary.to_vec(),
        wrapped(data_encoding::BASE64.encode(binary)),
        wrapped(data_encoding::BASE64.encode(pem.as_bytes())),
        wrapped(data_encoding::HEXLOWER.encode(binary)),
        wrapped(data_encoding::HEXLOWER.encode(pem.as_bytes())),
        in_one_line.clone().into_bytes(),
        in_one_line.replace("-----M", "----- M").into_bytes(),
        pem.trim().replace("\r", "").replace('\n', "\\n").into_bytes(),
        format!("\u{feff}{pem}").into_bytes(),
        format!("\u{feff}{pem}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        pem.lines().map(|line| format!("    {line}\r\n")).collect::<String>().into_bytes(),
        format!("\"{in_one_line}\"").into_bytes(),
        pem.clone().into_bytes(),
    ] {
        let pem = certificate_pem(&given, "here").unwrap();
        assert_eq!(balance(url.clone(), Some(String::from_utf8(pem).unwrap())).await, Ok(Msat::new(5)));
    }
}
