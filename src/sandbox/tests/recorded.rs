//! The stand-in node beside real ones: asked the same, it answers as was recorded from them, with the same status, words and
//! fields.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::sandbox::NodeFault;

const SEND: &str = "v2/router/send";

/// A real node's answer.
#[derive(Deserialize)]
struct Exchange {
    name: String,
    status: u16,
    pieces: Vec<String>,
}

/// What must be alike: the status, and of each message its frame, and its words up to the first number.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    status: u16,
    lines: Vec<String>,
}

fn recorded(name: &str) -> [Exchange; 2] {
    let of = |text| {
        let exchanges: Vec<Exchange> = serde_json::from_str(text).unwrap();
        exchanges
            .into_iter()
            .find(|exchange| exchange.name == name)
            .unwrap_or_else(|| panic!("no recording of `{name}`"))
    };
    [
        of(include_str!("../../payer/lnd/tests/recorded/lnd-0.21.json")),
        of(include_str!("../../payer/lnd/tests/recorded/lnd-0.20.json")),
    ]
}

impl Shape {
    fn of(status: u16, text: &str) -> Self {
        let words = |line: Value| {
            let (frame, inner) = match &line {
                _ if line["error"].is_object() => ("error", &line["error"]),
                _ if line["result"].is_object() => ("result", &line["result"]),
                _ => ("", &line),
            };
            match inner["message"].as_str() {
                Some(message) => {
                    // protobuf's own words have one space or the other, from build to build.
                    let message = message.replace('\u{a0}', " ");
                    let message = message.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
                    format!("{frame} {} {message}", inner["code"])
                }
                None => format!("{frame} {} {} {}", inner["state"], inner["status"], inner["failure_reason"]),
            }
        };
        let mut lines: Vec<String> = messages(text).into_iter().map(words).collect();
        // How many updates come on the way is chance.
        lines.dedup();
        Self { status, lines }
    }
}

fn messages(text: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().unwrap()
}

/// Every field with its type; of a list what its first member is.
fn fields(value: &Value, path: &str, into: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(members) => {
            members.first().into_iter().for_each(|member| fields(member, &format!("{path}[]"), into));
            "array"
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| fields(member, &format!("{path}.{name}"), into));
            "object"
        }
    };
    into.insert(path.to_owned(), kind);
}

/// The stand-in's answer against those of the real nodes.
#[track_caller]
fn is_alike(name: &str, status: u16, text: &str) {
    for real in recorded(name) {
        let real_text = real.pieces.concat();
        assert_eq!(Shape::of(status, text), Shape::of(real.status, &real_text), "{name}");
        let (Some(ours), Some(theirs)) = (messages(text).pop(), messages(&real_text).pop()) else { panic!("{name}") };
        let (mut our_fields, mut their_fields) = (BTreeMap::new(), BTreeMap::new());
        fields(&ours, "", &mut our_fields);
        fields(&theirs, "", &mut their_fields);
        for (field, kind) in &our_fields {
            assert_eq!(their_fields.get(field), Some(kind), "{name}: {field}");
        }
        // The stand-in's payments have no parts.
        let payment =
            |field: &&String| field.starts_with(".result.") && !field.contains("[]") && field.matches('.').count() == 2;
        let missing: Vec<_> = their_fields.keys().filter(payment).filter(|f| !our_fields.contains_key(*f)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?} is missing");
    }
}

/// The same, of a response to its end.
async fn answers(name: &str, response: Response) {
    let status = response.status().as_u16();
    is_alike(name, status, &response.text().await.unwrap());
}

impl Bench {
    async fn gets(&self, name: &str, path: &str) {
        answers(name, self.node_request("GET", path).send().await.unwrap()).await;
    }

    async fn sends(&self, name: &str, invoice: &str) {
        answers(name, self.send(invoice).await).await;
    }

    async fn orders(&self, name: &str, invoice: &str, more: (&str, Value)) {
        let mut order = json!({ "payment_request": invoice });
        order[more.0] = more.1;
        let request = self.node_request("POST", SEND).body(order.to_string());
        answers(name, request.send().await.unwrap()).await;
    }
}

#[tokio::test]
async fn payments() {
    let bench = Bench::new(quick()).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    bench.gets("track unknown", &challenge.track_path()).await;
    bench.sends("send settles", &challenge.invoice).await;
    bench.sends("send what is paid", &challenge.invoice).await;
    bench.gets("track settled", &challenge.track_path()).await;
    bench.buy(ANIMATION, IMAGE_5S).await;
    bench.gets("newest payment", "v1/payments?include_incomplete=true&reversed=true&max_payments=1").await;
    bench.gets("payments", "v1/payments?include_incomplete=true&index_offset=0&max_payments=2").await;

    let slow = Bench::new(SandboxOptions { pay_ms: 60_000, ..quick() }).await;
    let challenge = slow.ask(VIDEO, VIDEO_BODY).await;
    let _open = slow.send(&challenge.invoice).await;
    slow.sends("send what is in flight", &challenge.invoice).await;
    let mut tracked = slow.node_request("GET", &challenge.track_path()).send().await.unwrap();
    let first = String::from_utf8(tracked.chunk().await.unwrap().unwrap().into()).unwrap();
    is_alike("track in flight", tracked.status().as_u16(), &first);

    let dear = SandboxOptions { fee_msat: Some(50_001), ..quick() };
    let poor = SandboxOptions { balance_sats: 2_750, ..quick() };
    for (name, options) in [("send with too low a limit", dear), ("send more than there is", poor)] {
        let bench = Bench::new(options).await;
        let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
        bench.sends(name, &challenge.invoice).await;
    }
}

#[tokio::test]
async fn refusals() {
    let bench = Bench::new(SandboxOptions { invoice_expiry_s: 0, ..quick() }).await;
    let expired = bench.ask(VIDEO, VIDEO_BODY).await;
    bench.sends("send what is no invoice", "hello").await;
    bench.sends("send another network's", MAINNET).await;
    bench.orders("send with an amount too", &expired.invoice, ("amt", "5".into())).await;
    bench.orders("send with an unknown field", &expired.invoice, ("foo", 1.into())).await;
    bench.gets("track in hex", &format!("v2/router/track/{}", expired.hash)).await;
    bench.gets("a wrong path", "v2/router/nothing").await;
    pause(1_001).await;
    bench.sends("send expired", &expired.invoice).await;
}

#[tokio::test]
async fn macaroons() {
    let (bench, other) = (Bench::new(quick()).await, Bench::new(quick()).await);
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    let url = |path: &str| bench.sandbox.node.as_ref().unwrap().url.join(path).unwrap();
    let reader = HEXLOWER.encode(&std::fs::read(bench.sandbox.directory.join("readonly.macaroon")).unwrap());
    let foreign = other.sandbox.node.as_ref().unwrap().macaroon.clone();
    for (kind, macaroon) in [
        ("no macaroon", None),
        ("a macaroon that is not hex", Some("zz".to_owned())),
        ("another node's macaroon", Some(foreign)),
        ("a macaroon that allows too little", Some(reader)),
    ] {
        let with = |request: reqwest::RequestBuilder| {
            macaroon.iter().fold(request, |request, macaroon| request.header("Grpc-Metadata-macaroon", macaroon)).send()
        };
        let order = json!({ "payment_request": challenge.invoice }).to_string();
        answers(&format!("send with {kind}"), with(bench.http.post(url(SEND)).body(order)).await.unwrap()).await;
        // This one may look.
        if !kind.ends_with("too little") {
            let track = bench.http.get(url(&challenge.track_path()));
            answers(&format!("track with {kind}"), with(track).await.unwrap()).await;
            answers(&format!("getinfo with {kind}"), with(bench.http.get(url("v1/getinfo"))).await.unwrap()).await;
        }
    }
}

#[tokio::test]
async fn the_node_itself() {
    let bench = Bench::new(quick()).await;
    for (name, path) in [
        ("state", "v1/state"),
        ("getinfo", "v1/getinfo"),
        ("balance", "v1/balance/channels"),
        ("channels", "v1/channels"),
    ] {
        bench.gets(name, path).await;
    }
    for (fault, word) in [(NodeFault::Locked, "locked"), (NodeFault::Starting, "starting")] {
        let bench = Bench::new(SandboxOptions { node_faults: vec![fault], ..quick() }).await;
        let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
        bench.gets(&format!("state when {word}"), "v1/state").await;
        bench.gets(&format!("track when {word}"), &challenge.track_path()).await;
        bench.sends(&format!("send when {word}"), &challenge.invoice).await;
        bench.gets(&format!("getinfo when {word}"), "v1/getinfo").await;
    }
}

/// From BOLT11's own examples.
const MAINNET: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
