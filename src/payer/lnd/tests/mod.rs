//! The payer against a server that replays what a node answers, byte by byte.

mod contract;
mod faults;
mod hostile;
mod recorded;
mod replay;
mod table;
#[cfg(feature = "sandbox")]
mod tls;
mod unary;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::*;
use replay::{Act, Replay, http};

const PREIMAGE: [u8; 32] = [7; 32];
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const NODE_TIME: UnixMs = UnixMs(1_795_196_195_000);
/// Long enough never to end in a test that does not wait for it.
const PATIENT_MS: u64 = 60_000;

fn hash() -> PaymentHash {
    PaymentHash(Sha256::digest(PREIMAGE).into())
}

fn payer_at(url: &str) -> LndPayer {
    waiting_payer(url, Waits::default())
}

fn waiting_payer(url: &str, waits: Waits) -> LndPayer {
    let macaroon = Macaroon::from_text("0201c0ffee", "test").unwrap();
    LndPayer::waiting(&LndOptions { url: url.to_owned(), macaroon, certificate_pem: None }, waits).unwrap()
}

/// What came of a send to a server that answers so.
async fn sent(acts: Vec<Act>) -> SendReport {
    let server = Replay::start(vec![acts]).await;
    pay(&payer_at(&server.url), 1_000, PATIENT_MS).await
}

async fn pay(payer: &LndPayer, fee_limit: u64, patience_ms: u64) -> SendReport {
    let order =
        Order { hash: &hash(), invoice: "lnbcrt1invoice", fee_limit: Msat::new(fee_limit), cltv_limit: Some(1_008) };
    payer.pay(&order, patience_ms).await
}

/// What a look-up finds at a server that answers so.
async fn looked_up(acts: Vec<Act>) -> LookUp {
    let server = Replay::start(vec![acts]).await;
    payer_at(&server.url).look_up(&hash()).await
}

/// A stream's line as lnd 0.21 writes it, unknown fields included.
fn update(status: &str, preimage: &str, reason: &str) -> String {
    format!(
        concat!(
            r#"{{"result":{{"payment_hash":"{}","value":"2750","creation_date":"1795196195","fee":"1","#,
            r#""payment_preimage":"{}","value_sat":"2750","value_msat":"2750000","payment_request":"lnbcrt1invoice","#,
            r#""status":"{}","fee_sat":"1","fee_msat":"1005","creation_time_ns":"1795196195123456789","#,
            r#""htlcs":[{{"attempt_id":"12","status":"IN_FLIGHT","route":{{"total_time_lock":600,"hops":[]}}}}],"#,
            r#""payment_index":"42","failure_reason":"{}","first_hop_custom_records":{{}}}}}}"#,
            "\n"
        ),
        hash(),
        preimage,
        status,
        reason
    )
}

fn in_flight() -> String {
    update("IN_FLIGHT", ZEROS, "FAILURE_REASON_NONE")
}

fn succeeded() -> String {
    update("SUCCEEDED", &HEXLOWER.encode(&PREIMAGE), "FAILURE_REASON_NONE")
}

fn failed(reason: &str) -> String {
    update("FAILED", ZEROS, reason)
}

fn settled() -> crate::payer::Settled {
    crate::payer::Settled {
        preimage: Preimage::verify(PREIMAGE, &hash()).unwrap(),
        fee: Msat::new(1_005),
        payment_index: Some(42),
    }
}
