//! A bare client of lnd's REST API: what the tests ask the nodes themselves. It shares nothing with the program's own.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use l402_batch::tls;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Enough for everything that the tests do.
const PAGE: u32 = 10_000;

/// A node.
pub struct Lnd {
    pub url: String,
    pub macaroon_file: PathBuf,
    pub certificate_file: PathBuf,
    http: reqwest::Client,
    id: OnceLock<String>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub date: String,
    /// The body in the pieces in which it came.
    pub pieces: Vec<String>,
}

/// A payment in the payer's own list.
#[derive(Clone, Debug)]
pub struct Payment {
    pub hash: String,
    pub status: String,
    pub value_msat: u64,
    pub fee_msat: u64,
    pub preimage: String,
}

/// An invoice in the payee's own list.
#[derive(Clone, Debug)]
pub struct Invoice {
    pub hash: String,
    pub state: String,
    pub paid_msat: u64,
    pub request: String,
}

/// Runs something to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// A POST without a body to an address on loopback: the status.
pub fn post_to(url: &str) -> u16 {
    let tls = tls::trusting(Vec::new()).unwrap();
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
    block_on(async { http.post(url).send().await.unwrap().status().as_u16() })
}

impl Lnd {
    pub fn at(url: &str, macaroon_file: &Path, certificate_file: &Path) -> Self {
        let certificate = CertificateDer::from_pem_file(certificate_file).unwrap();
        let tls = tls::trusting(vec![certificate]).unwrap();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        Self {
            url: url.to_owned(),
            macaroon_file: macaroon_file.to_owned(),
            certificate_file: certificate_file.to_owned(),
            http,
            id: OnceLock::new(),
        }
    }

    pub fn id(&self) -> &str {
        self.id.get_or_init(|| self.get("/v1/getinfo")["identity_pubkey"].as_str().unwrap().to_owned())
    }

    fn macaroon(&self) -> String {
        HEXLOWER.encode(&std::fs::read(&self.macaroon_file).unwrap())
    }

    /// A request with the admin macaroon and its whole answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask_with(&self.macaroon(), method, path, body, usize::MAX).unwrap()
    }

    /// The same, and of the answer so many pieces only.
    pub fn ask_for(&self, method: &str, path: &str, pieces_max: usize) -> Answer {
        self.ask_with(&self.macaroon(), method, path, None, pieces_max).unwrap()
    }

    /// A request with this macaroon, and its answer up to so many pieces, and to the end of the line in which the last one ends.
    pub fn ask_with(
        &self,
        macaroon: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
        pieces_max: usize,
    ) -> reqwest::Result<Answer> {
        let method = method.parse::<reqwest::Method>().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !macaroon.is_empty() {
            request = request.header("Grpc-Metadata-macaroon", macaroon);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        block_on(async {
            let mut response = request.timeout(Duration::from_secs(180)).send().await?;
            let status = response.status().as_u16();
            let date = response.headers().get("date").map_or("", |date| date.to_str().unwrap()).to_owned();
            let mut pieces = Vec::new();
            // A piece may end within a line: no message is known before its line is whole.
            let is_whole = |pieces: &[String]| pieces.last().is_none_or(|piece| piece.ends_with('\n'));
            while pieces.len() < pieces_max || !is_whole(&pieces) {
                let Some(piece) = response.chunk().await? else { break };
                pieces.push(String::from_utf8(piece.into()).unwrap());
            }
            Ok(Answer { status, date, pieces })
        })
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None).good()
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, Some(body)).good()
    }

    /// Sends a payment, to its end: what the last line says of it.
    #[track_caller]
    pub fn pay(&self, invoice: &str) -> Value {
        let order = json!({ "payment_request": invoice, "timeout_seconds": 30, "fee_limit_msat": "1000000000" });
        let answer = self.ask("POST", "/v2/router/send", Some(&order));
        let last = answer.text().lines().last().map(str::to_owned).unwrap();
        serde_json::from_str::<Value>(&last).unwrap()["result"].clone()
    }

    /// The same without waiting for anything.
    pub fn send_off(&self, invoice: &str) {
        let order = json!({ "payment_request": invoice, "timeout_seconds": 30, "fee_limit_msat": "1000000000" });
        self.ask_with(&self.macaroon(), "POST", "/v2/router/send", Some(&order), 1).unwrap();
    }

    /// A payment as the barest of clients makes it; whether it succeeded.
    pub async fn pays(&self, invoice: &str) -> bool {
        let order = json!({ "payment_request": invoice, "timeout_seconds": 60, "fee_limit_msat": "1000000000" });
        let request = self.http.post(format!("{}/v2/router/send", self.url));
        let request = request.header("Grpc-Metadata-macaroon", self.macaroon()).body(order.to_string());
        request.send().await.unwrap().text().await.unwrap().contains("\"SUCCEEDED\"")
    }

    /// An invoice of this node's.
    pub fn invoice(&self, sats: u64) -> String {
        let added = self.post("/v1/invoices", &json!({ "value": sats.to_string() }));
        added["payment_request"].as_str().unwrap().to_owned()
    }

    /// The newest payment's and the newest invoice's number: marks after which the lists begin.
    pub fn newest_payment(&self) -> u64 {
        let page = self.get("/v1/payments?include_incomplete=true&reversed=true&max_payments=1");
        number(&page["last_index_offset"])
    }

    pub fn newest_invoice(&self) -> u64 {
        number(&self.get("/v1/invoices?reversed=true&num_max_invoices=1")["last_index_offset"])
    }

    /// Every payment after a mark.
    pub fn payments(&self, after: u64) -> Vec<Payment> {
        let path = format!("/v1/payments?include_incomplete=true&index_offset={after}&max_payments={PAGE}");
        let page = self.get(&path);
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let payment = |row: &Value| Payment {
            hash: text(row, "payment_hash"),
            status: text(row, "status"),
            value_msat: number(&row["value_msat"]),
            fee_msat: number(&row["fee_msat"]),
            preimage: text(row, "payment_preimage"),
        };
        page["payments"].as_array().unwrap().iter().map(payment).collect()
    }

    /// Every invoice after a mark.
    pub fn invoices(&self, after: u64) -> Vec<Invoice> {
        let page = self.get(&format!("/v1/invoices?index_offset={after}&num_max_invoices={PAGE}"));
        let invoice = |row: &Value| Invoice {
            hash: HEXLOWER.encode(&BASE64.decode(row["r_hash"].as_str().unwrap().as_bytes()).unwrap()),
            state: row["state"].as_str().unwrap().to_owned(),
            paid_msat: number(&row["amt_paid_msat"]),
            request: row["payment_request"].as_str().unwrap().to_owned(),
        };
        page["invoices"].as_array().unwrap().iter().map(invoice).collect()
    }

    /// A macaroon of this node's with these URIs as its only rights, in hex.
    pub fn bake(&self, uris: &[&str]) -> String {
        let permissions: Vec<Value> = uris.iter().map(|uri| json!({ "entity": "uri", "action": uri })).collect();
        let baked = self.post("/v1/macaroon", &json!({ "permissions": permissions }));
        baked["macaroon"].as_str().unwrap().to_owned()
    }

    /// What the channels can send.
    pub fn balance_sats(&self) -> u64 {
        number(&self.get("/v1/balance/channels")["local_balance"]["sat"])
    }

    /// What the other side of the node's one channel holds.
    pub fn remote_balance_sats(&self) -> u64 {
        number(&self.get("/v1/channels")["channels"][0]["remote_balance"])
    }

    /// Whether nothing is under way in the node's one channel: a payment is known to have succeeded a moment earlier.
    pub fn is_calm(&self) -> bool {
        self.get("/v1/channels")["channels"][0]["pending_htlcs"].as_array().is_some_and(Vec::is_empty)
    }

    /// What the node's one channel keeps back.
    pub fn reserve_sats(&self) -> u64 {
        number(&self.get("/v1/channels")["channels"][0]["local_constraints"]["chan_reserve_sat"])
    }
}

impl Answer {
    pub fn text(&self) -> String {
        self.pieces.concat()
    }

    #[track_caller]
    pub fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_str(&self.text()).unwrap()
    }
}

/// lnd writes 64-bit integers as strings.
#[track_caller]
pub fn number(value: &Value) -> u64 {
    value.as_str().unwrap_or_else(|| panic!("{value} is no number")).parse().unwrap()
}
