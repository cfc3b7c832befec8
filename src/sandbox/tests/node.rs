//! The stand-in node: what lnd answers, it answers.

use sha2::{Digest, Sha256};

use super::*;
use crate::sandbox::NodeFault;

const FEE_OF_2750_SATS_MSAT: &str = "1275";

#[tokio::test]
async fn a_payment_from_its_start_to_its_books() {
    let bench = Bench::new(quick()).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    let updates = bench.pay(&challenge.invoice).await;
    assert_eq!(
        updates.iter().map(|update| update["status"].as_str().unwrap()).collect::<Vec<_>>(),
        ["IN_FLIGHT", "SUCCEEDED"]
    );
    assert_eq!(updates[0]["payment_preimage"], "0".repeat(64));
    let last = &updates[1];
    assert_eq!(
        (&last["payment_hash"], &last["value_msat"], &last["payment_index"]),
        (&json!(challenge.hash), &json!("2750000"), &json!("1"))
    );
    assert_eq!(last["fee_msat"], FEE_OF_2750_SATS_MSAT);
    let (_, balance) = bench.node("v1/balance/channels").await;
    assert_eq!(balance["local_balance"]["msat"], (10_000_000_000_u64 - 2_750_000 - 1_275).to_string());
    let tracked = results(bench.node_request("GET", &challenge.track_path()).send().await.unwrap()).await;
    assert_eq!(tracked.as_slice(), std::slice::from_ref(last));
    let (_, listed) = bench.node("v1/payments?include_incomplete=true&reversed=true&max_payments=1").await;
    assert_eq!((&listed["payments"][0], &listed["last_index_offset"]), (last, &json!("1")));
    let (_, after) = bench.node("v1/payments?include_incomplete=true&index_offset=1").await;
    assert_eq!(after["payments"], json!([]));
}

#[tokio::test]
async fn sending_again() {
    let bench = Bench::new(SandboxOptions { pay_ms: 60_000, ..quick() }).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    let _open = bench.send(&challenge.invoice).await;
    let (status, answer) = read(bench.send(&challenge.invoice).await).await;
    assert_eq!((status, answer), (409, json!({"error":{"code":6,"message":"payment is in transition","details":[]}})));

    let bench = Bench::new(quick()).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    bench.preimage(&challenge.invoice).await;
    let (status, answer) = read(bench.send(&challenge.invoice).await).await;
    assert_eq!((status, answer), (409, json!({"error":{"code":6,"message":"invoice is already paid","details":[]}})));
    assert_eq!(bench.sandbox.books().payments.len(), 1);
}

#[tokio::test]
async fn a_failed_payment_may_be_sent_again() {
    let bench = Bench::new(SandboxOptions { fail_pay_percent: 100, ..quick() }).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    for index in ["1", "2"] {
        let last = bench.pay(&challenge.invoice).await.pop().unwrap();
        assert_eq!((&last["status"], &last["failure_reason"]), (&json!("FAILED"), &json!("FAILURE_REASON_TIMEOUT")));
        assert_eq!((&last["payment_index"], &last["payment_preimage"]), (&json!(index), &json!("0".repeat(64))));
    }
    assert_eq!(bench.sandbox.books().balance_msat.get(), 10_000_000_000);
    assert_eq!(bench.node("v1/payments").await.1["payments"], json!([]));
}

#[tokio::test]
async fn too_little_balance_and_too_high_a_fee_end_as_failed() {
    let poor = SandboxOptions { balance_sats: 2_750, ..quick() };
    let dear = SandboxOptions { fee_msat: Some(50_001), ..quick() };
    for (options, reason) in [(poor, "FAILURE_REASON_INSUFFICIENT_BALANCE"), (dear, "FAILURE_REASON_NO_ROUTE")] {
        let bench = Bench::new(options).await;
        let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
        let updates = bench.pay(&challenge.invoice).await;
        assert_eq!((&updates[0]["status"], &updates[1]["status"]), (&json!("IN_FLIGHT"), &json!("FAILED")));
        assert_eq!(updates[1]["failure_reason"], reason);
    }
}

#[tokio::test]
async fn an_expired_invoice_is_refused_before_the_hash_is_looked_up() {
    let bench = Bench::new(SandboxOptions { invoice_expiry_s: 0, ..quick() }).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    pause(1_001).await;
    let (status, answer) = read(bench.send(&challenge.invoice).await).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert_eq!((status, &answer["error"]["code"]), (500, &json!(2)));
    assert!(message.starts_with("invoice expired. Valid until 20") && message.ends_with(" +0000 UTC"), "{message}");
    assert!(bench.sandbox.books().payments.is_empty());
}

#[tokio::test]
async fn a_payment_goes_on_without_its_client_and_after_a_restart() {
    let bench = Bench::new(SandboxOptions { drop_percent: 0, ..quick() }).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    drop(bench.send(&challenge.invoice).await);
    let tracked = results(bench.node_request("GET", &challenge.track_path()).send().await.unwrap()).await;
    assert_eq!(tracked.last().unwrap()["status"], "SUCCEEDED");

    let state = tempfile::tempdir().unwrap();
    let slow = SandboxOptions { pay_ms: 600_000, ..quick() };
    let first = Bench::of(start(&slow, Some(state.path())).await.unwrap());
    let challenge = first.ask(VIDEO, VIDEO_BODY).await;
    drop(first.send(&challenge.invoice).await);
    drop(first.http);
    first.sandbox.stop().await;
    let second = Bench::at(state.path()).await;
    let tracked = results(second.node_request("GET", &challenge.track_path()).send().await.unwrap()).await;
    assert_eq!(tracked.last().unwrap()["status"], "SUCCEEDED");
}

#[tokio::test]
async fn unknown_hashes_and_paths() {
    let bench = Bench::new(quick()).await;
    let unknown = bench.node(&track_path(&[1; 32])).await;
    assert_eq!(unknown, (404, json!({"error":{"code":5,"message":"payment isn't initiated","details":[]}})));
    assert_eq!(bench.node("v2/nothing").await, (404, json!({"code":5,"message":"Not Found","details":[]})));
    let in_hex = bench.node(&format!("v2/router/track/{}", "ab".repeat(32))).await;
    assert_eq!((in_hex.0, &in_hex.1["error"]["message"]), (500, &json!("invalid hash length of 48, want 32")));
}

#[tokio::test]
async fn macaroons_are_checked_in_lnds_words() {
    let bench = Bench::new(quick()).await;
    let url = bench.sandbox.node.as_ref().unwrap().url.join("v1/getinfo").unwrap();
    let other = bench.sandbox.node.as_ref().unwrap().macaroon.replace('0', "1").replacen("12", "02", 1);
    for (macaroon, words) in [
        (None, "expected 1 macaroon, got 0"),
        (Some("zz"), "encoding/hex: invalid byte: U+007A 'z'"),
        (Some(other.as_str()), "verification failed: signature mismatch after caveat verification"),
    ] {
        let request =
            macaroon.into_iter().fold(bench.http.get(url.clone()), |r, m| r.header("Grpc-Metadata-macaroon", m));
        let (status, answer) = read(request.send().await.unwrap()).await;
        assert_eq!((status, answer), (500, json!({"code":2,"message":words,"details":[]})));
    }
    let state =
        bench.http.get(bench.sandbox.node.as_ref().unwrap().url.join("v1/state").unwrap()).send().await.unwrap();
    assert_eq!(read(state).await, (200, json!({"state":"SERVER_ACTIVE"})));
}

#[tokio::test]
async fn who_the_node_is_and_what_an_invoice_says() {
    let bench = Bench::new(quick()).await;
    let response = bench.node_request("GET", "v1/getinfo").send().await.unwrap();
    assert!(response.headers().contains_key("date"), "the node's clock");
    let (_, info) = read(response).await;
    assert_eq!(
        (&info["identity_pubkey"], &info["chains"][0]["network"]),
        (&json!(bench.sandbox.world.keys.node_id()), &json!("regtest"))
    );
    assert_eq!(info["synced_to_chain"], true);
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    let (_, decoded) = bench.node(&format!("v1/payreq/{}", challenge.invoice)).await;
    assert_eq!((&decoded["payment_hash"], &decoded["num_msat"]), (&json!(challenge.hash), &json!("2750000")));
    assert_eq!(bench.node("v1/payreq/nonsense").await.0, 500);
}

#[tokio::test]
async fn without_updates_the_answer_is_the_end() {
    let bench = Bench::new(quick()).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    let body = json!({ "payment_request": challenge.invoice, "fee_limit_sat": 50, "no_inflight_updates": true });
    let request = bench.node_request("POST", "v2/router/send").body(body.to_string());
    let updates = results(request.send().await.unwrap()).await;
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0]["status"], "SUCCEEDED");
}

#[tokio::test]
async fn a_dropped_answer_does_not_drop_the_payment() {
    let lossy = Bench::new(SandboxOptions { drop_percent: 100, ..quick() }).await;
    let world = &lossy.sandbox.world;
    let number = world.books().take_number();
    let bill = crate::sandbox::keys::Bill {
        number,
        amount: crate::money::Msat::new(1_000),
        description: String::new(),
        at: crate::sandbox::now(),
        expiry_s: 60,
    };
    let minted = world.keys.challenge(bill).unwrap();
    let sent = lossy
        .node_request("POST", "v2/router/send")
        .body(json!({ "payment_request": minted.invoice }).to_string())
        .send()
        .await;
    assert!(match sent {
        Err(_) => true,
        Ok(response) => response.text().await.is_err(),
    });
    assert_eq!(lossy.sandbox.books().payments.len(), 1);
}

/// The newest settled payment of a node is somebody else's, until it has settled one of ours; it stands in no list of ours.
#[tokio::test]
async fn somebody_has_paid_with_the_node_before() {
    let newest = "v1/payments?include_incomplete=false&reversed=true&max_payments=1";
    let fresh = Bench::new(SandboxOptions { node_faults: vec![NodeFault::NoHistory], ..quick() }).await;
    assert_eq!(fresh.node(newest).await.1["payments"], json!([]));

    let bench = Bench::new(quick()).await;
    let (_, list) = bench.node(newest).await;
    let earlier = &list["payments"][0];
    let hash = HEXLOWER.decode(earlier["payment_hash"].as_str().unwrap().as_bytes()).unwrap();
    let preimage = HEXLOWER.decode(earlier["payment_preimage"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(Sha256::digest(preimage).as_slice(), hash);
    let track = bench.node_request("GET", &track_path(&hash)).send().await.unwrap();
    assert_eq!(&results(track).await[0], earlier);
    assert_eq!(bench.node("v1/payments?include_incomplete=true").await.1["payments"], json!([]));
    assert!(bench.sandbox.books().payments.is_empty());

    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    bench.pay(&challenge.invoice).await;
    assert_eq!(bench.node(newest).await.1["payments"][0]["payment_hash"], json!(challenge.hash));
}
