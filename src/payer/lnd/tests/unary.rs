//! The node itself, its balance, its history; and the options.

use crate::error::Hinted;
use crate::l402::Network;
use crate::purchase::WalletId;

use super::*;

const KEY: &str = "02c0ffee00000000000000000000000000000000000000000000000000c0ffee00";

fn state(word: &str) -> Vec<Act> {
    http(200, &format!(r#"{{"state":"{word}"}}"#))
}

fn getinfo() -> Vec<Act> {
    let body = format!(
        r#"{{"identity_pubkey":"{KEY}","version":"0.21.2-beta commit=","synced_to_chain":false,
            "chains":[{{"chain":"bitcoin","network":"regtest"}}]}}"#
    );
    http(200, &body)
}

#[tokio::test]
async fn the_state_is_asked_first_and_without_the_macaroon() {
    let server = Replay::start(vec![state("SERVER_ACTIVE"), getinfo()]).await;
    let info = payer_at(&server.url).node().await.unwrap();
    assert_eq!((info.id, info.network, info.synced), (WalletId(KEY.to_owned()), Network::Regtest, false));
    assert_eq!(info.node_time, Some(NODE_TIME));
    let requests = server.requests();
    assert!(requests[0].starts_with("get /v1/state ") && !requests[0].contains("macaroon"));
    assert!(requests[1].starts_with("get /v1/getinfo ") && requests[1].contains("macaroon: 0201c0ffee"));
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_why() {
    for (word, problem) in
        [("LOCKED", hint::advised(ProblemKind::Locked)), ("RPC_ACTIVE", hint::advised(ProblemKind::Starting))]
    {
        let server = Replay::start(vec![state(word)]).await;
        assert_eq!(payer_at(&server.url).node().await, Err(problem));
        assert_eq!(server.requests().len(), 1, "nothing else is asked");
    }
}

#[tokio::test]
async fn a_wrong_address_is_named() {
    for (status, body, word) in [
        (404, r#"{"code":5,"message":"Not Found","details":[]}"#, "URL"),
        (502, "<html>", "proxy"),
        (400, "Client sent an HTTP request to an HTTPS server.\n", "https://"),
    ] {
        let server = Replay::start(vec![http(status, body)]).await;
        let Err(problem @ NodeProblem { kind: ProblemKind::Other(_), .. }) = payer_at(&server.url).node().await else {
            panic!("{body}")
        };
        assert!(problem.told().contains(word), "{problem}");
    }
}

#[tokio::test]
async fn balance_and_history_are_read() {
    let balance = http(200, r#"{"local_balance":{"sat":"12","msat":"12345"}}"#);
    let payments = http(
        200,
        &format!(
            r#"{{"payments":[{{"payment_hash":"{}","status":"SUCCEEDED","htlcs":[]}}],"last_index_offset":"77"}}"#,
            hash().hex()
        ),
    );
    let server = Replay::start(vec![balance, payments, http(200, r#"{"payments":[]}"#)]).await;
    let payer = payer_at(&server.url);
    assert_eq!(payer.balance().await, Ok(Msat::new(12_345)));
    assert_eq!(payer.newest_settled().await, Ok(Some(hash())));
    assert_eq!(payer.newest_settled().await, Ok(None));
    let asked = "get /v1/payments?include_incomplete=false&reversed=true&max_payments=1 ";
    assert!(server.requests()[1].starts_with(asked));
}

#[tokio::test]
async fn invoices_are_made_and_looked_up() {
    let r_hash = data_encoding::BASE64.encode(&hash().0);
    let made = http(200, &format!(r#"{{"r_hash":"{r_hash}","payment_request":"lnbcrt1own","add_index":"1"}}"#));
    let settled = http(200, &format!(r#"{{"r_hash":"{r_hash}","state":"SETTLED","amt_paid_msat":"498000"}}"#));
    let gone = http(404, r#"{"code":5,"message":"unable to locate invoice","details":[]}"#);
    let older = http(500, r#"{"code":2,"message":"there are no existing invoices","details":[]}"#);
    let denied = http(500, r#"{"code":2,"message":"permission denied","details":[]}"#);
    let server = Replay::start(vec![made, settled, gone, older, denied.clone(), denied]).await;
    let payer = payer_at(&server.url);
    let order = InvoiceOrder { amount: Msat::new(498_000), memo: "refund".to_owned(), expiry_s: 600 };
    let made = payer.add_invoice(&order).await.unwrap();
    assert_eq!((made.hash, made.invoice.as_str()), (hash(), "lnbcrt1own"));
    assert_eq!(payer.invoice(&hash()).await, Ok(InvoiceState::Settled { received: Msat::new(498_000) }));
    assert_eq!(payer.invoice(&hash()).await, Ok(InvoiceState::Unknown));
    assert_eq!(payer.invoice(&hash()).await, Ok(InvoiceState::Unknown));
    assert!(matches!(payer.invoice(&hash()).await, Err(NodeProblem { kind: ProblemKind::Denied(_), .. })));
    assert!(matches!(payer.add_invoice(&order).await, Err(NodeProblem { kind: ProblemKind::Denied(_), .. })));
    let requests = server.requests();
    assert!(requests[0].starts_with("post /v1/invoices ") && requests[0].contains("macaroon: 0201c0ffee"));
    assert!(requests[1].starts_with(&format!("get /v1/invoice/{} ", hash().hex())), "{}", requests[1]);
}

#[tokio::test]
async fn an_answer_without_bound_is_given_up() {
    let mut acts = vec![Act::Head(200)];
    acts.extend(std::iter::repeat_n(Act::Chunk(vec![b' '; 1 << 20]), 5));
    let server = Replay::start(vec![acts]).await;
    assert!(matches!(payer_at(&server.url).balance().await, Err(NodeProblem { kind: ProblemKind::Other(_), .. })));
}

#[tokio::test]
async fn the_url_may_end_in_a_path() {
    let server = Replay::start(vec![http(200, r#"{"payments":[]}"#)]).await;
    assert_eq!(payer_at(&format!("{}/lnd-rest/btc/", server.url)).newest_settled().await, Ok(None));
    assert!(server.requests()[0].starts_with("get /lnd-rest/btc/v1/payments?"));
}

#[test]
fn only_an_encrypted_or_local_address_is_taken() {
    assert_eq!(base("https://node.example:8080/").unwrap(), "https://node.example:8080");
    for local in ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"] {
        assert_eq!(base(local).unwrap(), local);
    }
    for open in ["http://node.example:8080", "http://192.168.1.2:8080", "http://localhost.example", "ftp://127.0.0.1"] {
        assert!(matches!(base(open), Err(LndConfigError::NotHttps)), "{open}");
    }
    for more in
        ["https://user@node.example", "https://u:p@node.example", "https://node.example/?a=1", "https://n.example/#x"]
    {
        assert!(matches!(base(more), Err(LndConfigError::Superfluous)), "{more}");
    }
    for none in ["", "node.example", "127.0.0.1:8080", "unix:/run/lnd"] {
        assert!(matches!(base(none), Err(LndConfigError::Url(_) | LndConfigError::NoHost)), "{none}");
    }
}

#[test]
fn a_certificate_file_without_certificate_is_named() {
    let macaroon = Macaroon::from_text("0201c0ffee", "test").unwrap();
    for (pem, damaged) in
        [("", false), ("hello", false), ("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", true)]
    {
        let options = LndOptions {
            url: "https://127.0.0.1:8080".to_owned(),
            macaroon: macaroon.clone(),
            certificate_pem: Some(pem.as_bytes().to_vec()),
        };
        let error = LndPayer::new(&options).unwrap_err();
        assert_eq!(matches!(error, LndConfigError::Certificate { .. }), damaged, "{pem}");
        assert_eq!(matches!(error, LndConfigError::NoCertificate(_)), !damaged, "{pem}");
        let named = certificate_pem(pem.as_bytes(), "tls.cert").unwrap_err().to_string();
        assert!(named.starts_with("tls.cert: "), "{named}");
    }
}

#[test]
fn nothing_shows_the_macaroon() {
    let macaroon = Macaroon::from_text("0201c0ffee", "test").unwrap();
    let options = LndOptions { url: "http://127.0.0.1:1".to_owned(), macaroon, certificate_pem: None };
    let payer = LndPayer::new(&options).unwrap();
    assert!(!format!("{options:?} {payer:?}").contains("c0ffee"));
}

/// Whoever gives the key for the certificate is told so, and none of it is repeated.
#[test]
fn a_private_key_in_place_of_the_certificate_is_called_that() {
    let body = data_encoding::BASE64.encode(&[&[0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13][..], &[0x5e; 100]].concat());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let in_base64 = data_encoding::BASE64.encode(pem.as_bytes());
    for key in [&pem, &pem.replace('\n', " "), &pem.replace('\n', "\\n"), &body, &in_base64, &pem[..90].to_owned()] {
        let error = certificate_pem(key.as_bytes(), "k").unwrap_err();
        let told = error.told();
        assert_eq!(told, "k: this is a private key (tls.key); the certificate (tls.cert) is meant", "{key}");
    }
    let one_line = "-----BEGIN CERTIFICATE----- MIIB8 -----";
    let told = certificate_pem(one_line.as_bytes(), "k").unwrap_err().told();
    assert!(told.contains("the line -----END CERTIFICATE----- is missing") && !told.contains("MIIB8"), "{told}");
}
