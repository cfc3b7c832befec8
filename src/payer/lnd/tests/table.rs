//! What a real node of version 0.21 answered, row by row.

use crate::error::Hinted;
use crate::payer::{PayFailure, PayRefusal, SendOutcome};

use super::replay::stream;
use super::*;

fn refused(status: u16, body: &str, refusal: PayRefusal) -> (u16, String, PayRefusal) {
    (status, body.to_owned(), refusal)
}

fn wrapped(code: u8, message: &str) -> String {
    format!(r#"{{"error":{{"code":{code},"message":"{message}","details":[]}}}}"#)
}

fn unwrapped(code: u8, message: &str) -> String {
    format!(r#"{{"code":{code},"message":"{message}","details":[]}}"#)
}

#[tokio::test]
async fn a_normal_send_settles() {
    let report = sent(stream(&[in_flight(), in_flight(), succeeded()])).await;
    let expected = SendReport { answered: true, outcome: SendOutcome::Settled(settled()), node_time: Some(NODE_TIME) };
    assert_eq!(report, expected);
}

#[tokio::test]
async fn the_request_is_what_lnd_takes() {
    let server = Replay::start(vec![stream(&[succeeded()])]).await;
    for (fee_limit, patience_ms, fee, timeout) in
        [(0, 90_000, "0", 60), (1_234_567, 30_000, "1234567", 25), (5, 5_900, "5", 1)]
    {
        pay(&payer_at(&server.url), fee_limit, patience_ms).await;
        let requests = server.requests();
        let (head, body) = requests.last().unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("post /v2/router/send http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\ngrpc-metadata-macaroon: 0201c0ffee"), "{head}");
        let expected = format!(
            r#"{{"payment_request":"lnbcrt1invoice","timeout_seconds":{timeout},"fee_limit_msat":"{fee}","max_parts":16,"cltv_limit":1008,"no_inflight_updates":false}}"#
        );
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_fee_above_the_limit_is_reported_as_it_is() {
    let server = Replay::start(vec![stream(&[succeeded()])]).await;
    assert_eq!(pay(&payer_at(&server.url), 0, PATIENT_MS).await.outcome, SendOutcome::Settled(settled()));
}

#[tokio::test]
async fn refusals_of_a_send_are_answers() {
    let other = |words: &str| PayRefusal::Other(words.to_owned());
    let starting = "the RPC server is in the process of starting up, but not yet ready to accept calls";
    let expired = "invoice expired. Valid until 2026-11-20 17:36:35 +0000 UTC";
    let amount = "amount must not be specified when paying a non-zero amount invoice";
    let account = "payment does not belong to this account";
    let rows = [
        refused(409, &wrapped(6, "invoice is already paid"), PayRefusal::AlreadyKnown),
        refused(409, &wrapped(6, "payment already exists"), PayRefusal::AlreadyKnown),
        refused(409, &wrapped(6, "payment is in transition"), PayRefusal::AlreadyKnown),
        refused(500, &wrapped(2, expired), PayRefusal::InvoiceExpired),
        refused(500, &wrapped(2, "invalid index of 1"), other("invalid index of 1")),
        refused(400, &unwrapped(3, "proto: (line 1:328): unknown field"), other("proto: (line 1:328): unknown field")),
        refused(500, &wrapped(2, amount), other(amount)),
        refused(500, &wrapped(2, account), other(account)),
        refused(500, &wrapped(2, starting), PayRefusal::Node(hint::advised(ProblemKind::Starting))),
        refused(
            500,
            &wrapped(2, "wallet locked, unlock it to enable full RPC access"),
            PayRefusal::Node(hint::advised(ProblemKind::Locked)),
        ),
    ];
    for (status, body, refusal) in rows {
        let report = sent(http(status, &body)).await;
        let expected =
            SendReport { answered: true, outcome: SendOutcome::Refused(refusal), node_time: Some(NODE_TIME) };
        assert_eq!(report, expected, "{body}");
    }
}

#[tokio::test]
async fn a_macaroon_that_does_not_serve_is_the_nodes_problem() {
    for words in [
        "expected 1 macaroon, got 0",
        "encoding/hex: invalid byte: U+007A 'z'",
        "verification failed: signature mismatch after caveat verification",
        "permission denied",
        "macaroon has expired",
    ] {
        let problem = hint::denied(words);
        let body = wrapped(2, words);
        let refusal = SendOutcome::Refused(PayRefusal::Node(problem.clone()));
        assert_eq!(sent(http(500, &body)).await.outcome, refusal);
        assert_eq!(looked_up(http(500, &body)).await.found, Found::Unknown(problem));
    }
}

#[tokio::test]
async fn every_failure_comes_in_a_200() {
    for (reason, why) in [
        ("FAILURE_REASON_TIMEOUT", PayFailure::Timeout),
        ("FAILURE_REASON_NO_ROUTE", PayFailure::NoRoute),
        ("FAILURE_REASON_ERROR", PayFailure::Error),
        ("FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", PayFailure::IncorrectPaymentDetails),
        ("FAILURE_REASON_INSUFFICIENT_BALANCE", PayFailure::InsufficientBalance),
        ("FAILURE_REASON_CANCELED", PayFailure::Canceled),
    ] {
        let report = sent(stream(&[in_flight(), failed(reason)])).await;
        assert_eq!((report.answered, report.outcome), (true, SendOutcome::Failed(why)));
        assert_eq!(looked_up(stream(&[failed(reason)])).await.found, Found::Failed(why));
    }
}

#[tokio::test]
async fn a_reason_while_in_flight_is_no_failure() {
    let update = update("IN_FLIGHT", ZEROS, "FAILURE_REASON_TIMEOUT");
    assert_eq!(sent(stream(&[update.clone(), succeeded()])).await.outcome, SendOutcome::Settled(settled()));
    assert_eq!(looked_up(stream(&[update])).await.found, Found::InFlight);
}

#[tokio::test]
async fn a_look_up_asks_for_the_hash_in_padded_base64url() {
    let server = Replay::start(vec![stream(&[succeeded()])]).await;
    let found = payer_at(&server.url).look_up(&PaymentHash([0xfb; 32])).await.found;
    assert!(matches!(found, Found::Unknown(_)), "another hash's answer must not be believed: {found:?}");
    let path = "get /v2/router/track/-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s=?no_inflight_updates=false http/1.1";
    assert_eq!(server.requests()[0].lines().next().unwrap(), path);
}

#[tokio::test]
async fn a_settled_hash_is_found_with_the_nodes_time() {
    let found = looked_up(stream(&[succeeded()])).await;
    assert_eq!(found, LookUp { found: Found::Settled(settled()), node_time: Some(NODE_TIME) });
}

#[tokio::test]
async fn an_unknown_hash_is_told_apart_from_a_wrong_path() {
    let found = looked_up(http(404, &wrapped(5, "payment isn't initiated"))).await;
    assert_eq!(found, LookUp { found: Found::NotFound, node_time: Some(NODE_TIME) });
    let Found::Unknown(problem @ NodeProblem { kind: ProblemKind::Other(_), .. }) =
        looked_up(http(404, &unwrapped(5, "Not Found"))).await.found
    else {
        panic!("a wrong path is not an unknown hash");
    };
    assert!(problem.told().contains("URL"), "{problem}");
}

#[tokio::test]
async fn what_says_nothing_of_the_hash_is_unknown() {
    for (status, body) in [
        (500, wrapped(2, "invalid hash length of 48, want 32")),
        (500, wrapped(2, "payment does not belong to this account")),
        (404, "<html>404</html>".to_owned()),
        (404, r#"{"error":"not found"}"#.to_owned()),
    ] {
        let found = looked_up(http(status, &body)).await;
        assert!(matches!(found.found, Found::Unknown(NodeProblem { kind: ProblemKind::Other(_), .. })), "{body}");
        assert_eq!(found.node_time, None);
    }
}

/// A node may allow shorter time locks than ours (`max-cltv-expiry`): what it allows is learnt from its refusal, and asked for from
/// then on, by every clone of the payer.
#[tokio::test]
async fn the_time_lock_that_a_node_allows_is_learnt() {
    let refusal = r#"{"error":{"code":2,"message":"total time lock of 1008 exceeds max allowed 600","details":[]}}"#;
    let server = Replay::start(vec![http(500, refusal), stream(&[succeeded()]), stream(&[succeeded()])]).await;
    let payer = payer_at(&server.url);
    let first = pay(&payer, 1_000, PATIENT_MS).await;
    assert!(matches!(first.outcome, SendOutcome::Refused(_)), "nothing was begun: {first:?}");
    for payer in [payer.clone(), payer] {
        assert_eq!(pay(&payer, 1_000, PATIENT_MS).await.outcome, SendOutcome::Settled(settled()));
    }
    let limits: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.split_once("\"cltv_limit\":").unwrap().1.split_once(',').unwrap().0.to_owned())
        .collect();
    assert_eq!(limits, ["1008", "600", "600"]);
}
