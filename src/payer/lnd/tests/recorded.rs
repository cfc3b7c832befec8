//! What real nodes answered, recorded by `tests/regtest` and replayed here word for word.

use data_encoding::HEXLOWER;
use serde::Deserialize;

use crate::l402::Network;
use crate::payer::{PayFailure, PayRefusal, SendOutcome};

use super::replay::http;
use super::*;

/// A question and its answer, as recorded.
#[derive(Clone, Deserialize)]
pub(super) struct Exchange {
    name: String,
    hash: String,
    status: u16,
    date: String,
    pieces: Vec<String>,
}

/// A node's answers.
pub(super) struct Recording {
    pub(super) release: &'static str,
    exchanges: Vec<Exchange>,
}

pub(super) fn recordings() -> [Recording; 2] {
    let of = |release, text| Recording { release, exchanges: serde_json::from_str(text).unwrap() };
    [of("0.21", include_str!("recorded/lnd-0.21.json")), of("0.20", include_str!("recorded/lnd-0.20.json"))]
}

impl Recording {
    pub(super) fn named(&self, name: &str) -> &Exchange {
        let found = self.exchanges.iter().find(|exchange| exchange.name == name);
        found.unwrap_or_else(|| panic!("{}: no recording of `{name}`", self.release))
    }

    async fn sent(&self, name: &str) -> SendOutcome {
        let exchange = self.named(name);
        let server = Replay::start(vec![exchange.acts()]).await;
        let hash = exchange.payment_hash();
        let order =
            Order { hash: &hash, invoice: "lnbcrt1invoice", fee_limit: Msat::new(50_000), cltv_limit: Some(1_008) };
        let report = payer_at(&server.url).pay(&order, PATIENT_MS).await;
        assert!(report.answered, "{}: {name}: lnd's own answer", self.release);
        assert_eq!(report.node_time, UnixMs::from_http_date(&exchange.date), "{}: {name}", self.release);
        report.outcome
    }

    async fn found(&self, name: &str) -> Found {
        let exchange = self.named(name);
        let server = Replay::start(vec![exchange.acts()]).await;
        payer_at(&server.url).look_up(&exchange.payment_hash()).await.found
    }
}

impl Exchange {
    pub(super) fn payment_hash(&self) -> PaymentHash {
        PaymentHash::from_hex(&self.hash).unwrap_or(PaymentHash([0xab; 32]))
    }

    /// The answer as it came: a stream in its pieces, an error whole; with its own clock.
    pub(super) fn acts(&self) -> Vec<Act> {
        if self.status != 200 {
            return self.dated(http(self.status, &self.pieces.concat()));
        }
        let pieces = self.pieces.iter().map(|piece| Act::Chunk(piece.clone().into_bytes()));
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
            self.date
        );
        std::iter::once(Act::Write(head.into_bytes())).chain(pieces).chain([Act::End]).collect()
    }

    fn dated(&self, acts: Vec<Act>) -> Vec<Act> {
        let redated = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace("Fri, 20 Nov 2026 17:36:35 GMT", &self.date).into_bytes()
        };
        acts.into_iter().map(|act| if let Act::Write(bytes) = act { Act::Write(redated(bytes)) } else { act }).collect()
    }
}

#[tokio::test]
async fn payments_that_settle() {
    for node in recordings() {
        let SendOutcome::Settled(sent) = node.sent("send settles").await else { panic!("{}", node.release) };
        assert!(sent.fee > Msat::new(1_000) && sent.payment_index.is_some(), "{}: {sent:?}", node.release);
        assert_eq!(node.found("track settled").await, Found::Settled(sent), "{}", node.release);
        assert_eq!(node.found("track in flight").await, Found::InFlight, "{}", node.release);
        for again in ["send what is paid", "send what is in flight"] {
            let refused = SendOutcome::Refused(PayRefusal::AlreadyKnown);
            assert_eq!(node.sent(again).await, refused, "{}: {again}", node.release);
        }
    }
}

#[tokio::test]
async fn payments_that_fail() {
    for node in recordings() {
        for (name, failure) in [
            ("send with too low a limit", PayFailure::NoRoute),
            ("send without a way", PayFailure::NoRoute),
            ("send more than there is", PayFailure::InsufficientBalance),
            ("send what the recipient cancelled", PayFailure::IncorrectPaymentDetails),
        ] {
            assert_eq!(node.sent(name).await, SendOutcome::Failed(failure), "{}: {name}", node.release);
        }
        let cancelled = Found::Failed(PayFailure::IncorrectPaymentDetails);
        assert_eq!(node.found("track cancelled").await, cancelled, "{}", node.release);
        assert_eq!(node.found("track unknown").await, Found::NotFound, "{}", node.release);
    }
}

#[tokio::test]
async fn orders_that_are_refused() {
    for node in recordings() {
        let expired = node.sent("send expired").await;
        assert_eq!(expired, SendOutcome::Refused(PayRefusal::InvoiceExpired), "{}", node.release);
        for name in [
            "send what is no invoice",
            "send another network's",
            "send with an amount too",
            "send with an unknown field",
        ] {
            let outcome = node.sent(name).await;
            assert!(
                matches!(outcome, SendOutcome::Refused(PayRefusal::Other(_))),
                "{}: {name}: {outcome:?}",
                node.release
            );
        }
        for name in ["track in hex", "a wrong path"] {
            let found = node.found(name).await;
            assert!(
                matches!(found, Found::Unknown(NodeProblem { kind: ProblemKind::Other(_), .. })),
                "{}: {name}: {found:?}",
                node.release
            );
        }
    }
}

#[tokio::test]
async fn macaroons_that_do_not_serve() {
    for node in recordings() {
        for kind in [
            "no macaroon",
            "a macaroon that is not hex",
            "another node's macaroon",
            "a macaroon that allows too little",
            "a macaroon that has expired",
        ] {
            let outcome = node.sent(&format!("send with {kind}")).await;
            let refused = matches!(
                outcome,
                SendOutcome::Refused(PayRefusal::Node(NodeProblem { kind: ProblemKind::Denied(_), .. }))
            );
            assert!(refused, "{}: {kind}: {outcome:?}", node.release);
            let found = node.found(&format!("track with {kind}")).await;
            assert!(
                matches!(found, Found::Unknown(NodeProblem { kind: ProblemKind::Denied(_), .. })),
                "{}: {kind}: {found:?}",
                node.release
            );
            let server =
                Replay::start(vec![node.named("state").acts(), node.named(&format!("getinfo with {kind}")).acts()]);
            let asked = payer_at(&server.await.url).node().await;
            assert!(
                matches!(asked, Err(NodeProblem { kind: ProblemKind::Denied(_), .. })),
                "{}: {kind}: {asked:?}",
                node.release
            );
        }
    }
}

#[tokio::test]
async fn a_node_that_is_not_ready() {
    for node in recordings() {
        let locked = SendOutcome::Refused(PayRefusal::Node(hint::advised(ProblemKind::Locked)));
        assert_eq!(node.sent("send when locked").await, locked, "{}", node.release);
        assert_eq!(
            node.found("track when locked").await,
            Found::Unknown(hint::advised(ProblemKind::Locked)),
            "{}",
            node.release
        );
        let starting = SendOutcome::Refused(PayRefusal::Node(hint::advised(ProblemKind::Starting)));
        assert_eq!(node.sent("send when starting").await, starting, "{}", node.release);
        assert_eq!(
            node.found("track when starting").await,
            Found::Unknown(hint::advised(ProblemKind::Starting)),
            "{}",
            node.release
        );
        for (name, problem) in
            [("locked", hint::advised(ProblemKind::Locked)), ("starting", hint::advised(ProblemKind::Starting))]
        {
            let names = [format!("state when {name}"), format!("getinfo when {name}")];
            let server = Replay::start(names.map(|name| node.named(&name).acts()).to_vec()).await;
            assert_eq!(payer_at(&server.url).node().await, Err(problem), "{}", node.release);
        }
    }
}

#[tokio::test]
async fn the_node_itself() {
    for node in recordings() {
        let names = ["state", "getinfo", "balance", "channels", "payments"];
        let server = Replay::start(names.map(|name| node.named(name).acts()).to_vec()).await;
        let payer = payer_at(&server.url);
        let info = payer.node().await.unwrap();
        assert_eq!((info.network, info.synced), (Network::Regtest, true), "{}", node.release);
        assert!(info.version.starts_with(node.release), "{}", info.version);
        assert!(payer.balance().await.unwrap() > Msat::ZERO, "{}", node.release);
        let channels = payer.channels().await.unwrap();
        assert!(
            (channels.active_count, channels.largest_payment) == (1, channels.all_payments),
            "{}: {channels:?}",
            node.release
        );
        let page = payer.list(0).await.unwrap();
        assert!(page.payments.len() == 2 && page.next.is_some(), "{}: {page:?}", node.release);
        assert_eq!(HEXLOWER.encode(&page.payments[0].hash.0).len(), 64);
    }
}
