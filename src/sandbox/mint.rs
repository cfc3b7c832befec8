//! Invoices from a real lnd: the stand-in API then sells for whoever pays that node.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use reqwest::header::{HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::SandboxError;
use super::keys::Bill;
use crate::error::SharedError;
use crate::l402::PaymentHash;
use crate::tls;

const MACAROON: HeaderName = HeaderName::from_static("grpc-metadata-macaroon");
/// How long the node may take over one call.
const WAIT: Duration = Duration::from_secs(30);
/// How long it may look for a way to give money back, and what that may cost it.
const PAY_S: u64 = 20;
const FEE_MSAT_MAX: u64 = 100_000;

/// The lnd that mints the invoices. The sandbox then has no node of its own.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Minting at a real node")]
pub struct MintOptions {
    /// Let this lnd mint the invoices (its REST address, https), so that another lnd can pay them.
    #[arg(id = "mint-lnd-url", long = "mint-lnd-url", value_name = "URL", required = false,
        requires_all = ["mint-lnd-macaroon-file", "mint-lnd-cert-file"])]
    pub url: Url,
    /// Its macaroon; with the right to add invoices, to settle and cancel them for `--mint-hold`, and to pay for refunds.
    #[arg(
        id = "mint-lnd-macaroon-file",
        long = "mint-lnd-macaroon-file",
        value_name = "FILE",
        required = false,
        requires = "mint-lnd-url"
    )]
    pub macaroon_file: PathBuf,
    /// Its tls.cert.
    #[arg(
        id = "mint-lnd-cert-file",
        long = "mint-lnd-cert-file",
        value_name = "FILE",
        required = false,
        requires = "mint-lnd-url"
    )]
    pub certificate_file: PathBuf,
    /// Mint hold invoices: a payment stays in flight until somebody POSTs to `sandbox/settle/HASH` or `sandbox/cancel/HASH`.
    #[arg(id = "mint-hold", long = "mint-hold", requires = "mint-lnd-url")]
    pub hold: bool,
}

/// A client of the minting node.
pub(super) struct Mint {
    http: reqwest::Client,
    url: Url,
    macaroon: HeaderValue,
    hold: bool,
}

/// Why the node did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum MintError {
    /// No answer, or one that is not understood.
    #[error("the minting node cannot be used")]
    Unusable(#[from] reqwest::Error),
    /// lnd says no.
    #[error("the minting node refuses: {0}")]
    Refused(String),
}

#[derive(Deserialize)]
struct Added {
    payment_request: String,
}

fn unusable(file: Option<&Path>, error: impl Error + Send + Sync + 'static) -> SandboxError {
    SandboxError::Mint { file: file.map(Path::to_owned), source: SharedError::new(error) }
}

impl Mint {
    pub(super) fn open(options: &MintOptions) -> Result<Self, SandboxError> {
        let certificate = CertificateDer::from_pem_slice(&read(&options.certificate_file)?)
            .map_err(|error| unusable(Some(&options.certificate_file), error))?;
        let tls = tls::trusting(vec![certificate]).map_err(|error| unusable(None, error))?;
        let http = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .timeout(WAIT)
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| unusable(None, error))?;
        let hex = HEXLOWER.encode(&read(&options.macaroon_file)?);
        let mut macaroon = HeaderValue::from_str(&hex).map_err(|error| unusable(None, error))?;
        macaroon.set_sensitive(true);
        if options.url.scheme() != "https" {
            return Err(SandboxError::MintUrl);
        }
        Ok(Self { http, url: options.url.clone(), macaroon, hold: options.hold })
    }

    /// An invoice for this bill, settled by this preimage: at once where it is paid, or on demand.
    pub(super) async fn invoice(&self, bill: &Bill, hash: &PaymentHash, preimage: &[u8]) -> Result<String, MintError> {
        let mut order = json!({
            "memo": bill.description, "value_msat": bill.amount.get().to_string(), "expiry": bill.expiry_s.to_string(),
        });
        let path = if self.hold {
            order["hash"] = BASE64.encode(&hash.0).into();
            "v2/invoices/hodl"
        } else {
            order["r_preimage"] = BASE64.encode(preimage).into();
            "v1/invoices"
        };
        let answer = self.post(path, &order).await?;
        let added: Added = serde_json::from_slice(&answer).map_err(|error| MintError::Refused(error.to_string()))?;
        Ok(added.payment_request)
    }

    /// Takes the money that is held.
    pub(super) async fn settle(&self, preimage: &[u8]) -> Result<(), MintError> {
        self.post("v2/invoices/settle", &json!({ "preimage": BASE64.encode(preimage) })).await.map(drop)
    }

    /// Gives the money back that is held, and takes no more for this hash.
    pub(super) async fn cancel(&self, hash: &PaymentHash) -> Result<(), MintError> {
        self.post("v2/invoices/cancel", &json!({ "payment_hash": BASE64.encode(&hash.0) })).await.map(drop)
    }

    /// Pays an invoice of another node's: a refund.
    pub(super) async fn pay(&self, invoice: &str) -> Result<(), MintError> {
        let order = json!({
            "payment_request": invoice, "timeout_seconds": PAY_S, "fee_limit_msat": FEE_MSAT_MAX.to_string(),
            "no_inflight_updates": true,
        });
        self.post("v2/router/send", &order).await.map(drop)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Vec<u8>, MintError> {
        let url = format!("{}/{path}", self.url.as_str().trim_end_matches('/'));
        let response =
            self.http.post(url).header(MACAROON, self.macaroon.clone()).body(body.to_string()).send().await?;
        let status = response.status();
        let answer = response.bytes().await?;
        if status.is_success() {
            return Ok(answer.into());
        }
        let words = serde_json::from_slice::<Value>(&answer).ok();
        let words = words.as_ref().and_then(|body| body["message"].as_str()).unwrap_or("nothing that lnd would say");
        Err(MintError::Refused(format!("HTTP {status}: {words}")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SandboxError> {
    std::fs::read(path).map_err(|error| unusable(Some(path), error))
}
