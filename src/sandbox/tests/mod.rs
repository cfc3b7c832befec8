//! The sandbox from outside, over real sockets: a client made by hand, which shares nothing with the tool's own.

mod api;
mod node;
mod recorded;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64URL, HEXLOWER};
use lightning_invoice::Bolt11Invoice;
use reqwest::{Response, StatusCode};
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};

use super::{Sandbox, SandboxOptions, start};

const VIDEO: &str = "/api/l402/generate-video";
const ANIMATION: &str = "/api/l402/animate-image";
const IMAGE_5S: &str =
    r#"{"prompt":"Make the person wave hello","image":"data:image/png;base64,iVBORw0KGgo=","duration":5}"#;
const VIDEO_BODY: &str =
    r#"{"prompt":"A cat walking on the surface of the moon","duration":5,"mode":"pro","generate_audio":true}"#;

/// A sandbox and somebody who talks to it.
struct Bench {
    sandbox: Sandbox,
    http: reqwest::Client,
}

/// A challenge, read by hand.
struct Challenge {
    token: String,
    invoice: String,
    amount_msat: u64,
    hash: String,
}

/// Takes exactly one certificate, as a client of lnd has to.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl Bench {
    async fn new(options: SandboxOptions) -> Self {
        Self::of(start(&options, None).await.unwrap())
    }

    async fn at(state: &Path) -> Self {
        Self::of(start(&quick(), Some(state)).await.unwrap())
    }

    fn of(sandbox: Sandbox) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate =
            CertificateDer::from_pem_slice(sandbox.node.as_ref().unwrap().certificate_pem.as_bytes()).unwrap();
        let pinned = Arc::new(Pinned { certificate, provider: Arc::clone(&provider) });
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(pinned)
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        Self { sandbox, http }
    }

    /// A request to the API; with a credential where one is given.
    async fn post(&self, path: &str, body: &str, credential: Option<&str>) -> Response {
        let url = self.sandbox.origin.join(path).unwrap();
        let request = self.http.post(url).header("content-type", "application/json").body(body.to_owned());
        let request =
            credential.into_iter().fold(request, |request, credential| request.header("authorization", credential));
        request.send().await.unwrap()
    }

    async fn ask(&self, path: &str, body: &str) -> Challenge {
        let response = self.post(path, body, None).await;
        assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
        Challenge::read(&response)
    }

    fn node_request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = self.sandbox.node.as_ref().unwrap().url.join(path).unwrap();
        let method = reqwest::Method::from_str(method).unwrap();
        self.http.request(method, url).header("Grpc-Metadata-macaroon", &self.sandbox.node.as_ref().unwrap().macaroon)
    }

    async fn node(&self, path: &str) -> (u16, Value) {
        read(self.node_request("GET", path).send().await.unwrap()).await
    }

    async fn send(&self, invoice: &str) -> Response {
        let body = json!({ "payment_request": invoice, "timeout_seconds": 60, "fee_limit_msat": "50000" });
        self.node_request("POST", "v2/router/send").body(body.to_string()).send().await.unwrap()
    }

    /// Pays to the end and gives the stream's messages.
    async fn pay(&self, invoice: &str) -> Vec<Value> {
        let response = self.send(invoice).await;
        assert_eq!(response.status(), StatusCode::OK);
        results(response).await
    }

    /// Pays, and gives the preimage.
    async fn preimage(&self, invoice: &str) -> String {
        let last = self.pay(invoice).await.pop().unwrap();
        assert_eq!(last["status"], "SUCCEEDED");
        last["payment_preimage"].as_str().unwrap().to_owned()
    }

    /// The whole exchange up to the credential.
    async fn buy(&self, path: &str, body: &str) -> String {
        let challenge = self.ask(path, body).await;
        let preimage = self.preimage(&challenge.invoice).await;
        format!("L402 {}:{preimage}", challenge.token)
    }
}

impl Challenge {
    fn read(response: &Response) -> Self {
        let header = response.headers()["www-authenticate"].to_str().unwrap();
        let (token, invoice) = header
            .strip_prefix("L402 macaroon=\"")
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(|rest| rest.split_once("\", invoice=\""))
            .unwrap();
        let decoded = Bolt11Invoice::from_str(invoice).unwrap();
        Self {
            token: token.to_owned(),
            invoice: invoice.to_owned(),
            amount_msat: decoded.amount_milli_satoshis().unwrap(),
            hash: decoded.payment_hash().to_string(),
        }
    }

    fn track_path(&self) -> String {
        track_path(&HEXLOWER.decode(self.hash.as_bytes()).unwrap())
    }
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
        assert_eq!(*end_entity, self.certificate);
        Ok(ServerCertVerified::assertion())
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

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn quick() -> SandboxOptions {
    SandboxOptions { pay_ms: 1, ..SandboxOptions::default() }
}

fn track_path(hash: &[u8]) -> String {
    format!("v2/router/track/{}", BASE64URL.encode(hash))
}

/// Status and JSON body.
async fn read(response: Response) -> (u16, Value) {
    (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

/// The `result` of every line of a stream.
async fn results(response: Response) -> Vec<Value> {
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["result"].take()).collect()
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
