//! What the real node answers, word for word: recorded into the fixtures that the payer's contract suite replays without a
//! node, and held against them ever after. `L402_BATCH_RECORD=1 tests/regtest/rig test record` writes them anew.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64URL, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::lnd::{Answer, Lnd};
use crate::refused::open_the_way;
use crate::rig::{Rig, wait_for};
use crate::shop::Shop;
use crate::unusable::{expired, start_locked};

/// A question and its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Exchange {
    name: String,
    /// The payment that it is about, in hex, or nothing.
    hash: String,
    status: u16,
    date: String,
    /// The body, in the pieces in which it came.
    pieces: Vec<String>,
}

struct Recorder<'a> {
    rig: &'a Rig,
    admin: String,
    exchanges: Vec<Exchange>,
}

const SEND: &str = "/v2/router/send";

pub fn answers(rig: &Rig) {
    let admin = HEXLOWER.encode(&std::fs::read(&rig.payer.macaroon_file).unwrap());
    let mut recorder = Recorder { rig, admin, exchanges: Vec::new() };
    recorder.payments();
    recorder.refusals();
    recorder.macaroons();
    recorder.itself();
    recorder.locked_and_starting();
    let file = fixture(&rig.release);
    if std::env::var_os("L402_BATCH_RECORD").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&recorder.exchanges).unwrap() + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let known: Vec<Exchange> = serde_json::from_str(&text).unwrap();
    let shapes = |exchanges: &[Exchange]| exchanges.iter().map(Exchange::shape).collect::<Vec<_>>();
    for (now, then) in shapes(&recorder.exchanges).iter().zip(shapes(&known)) {
        assert_eq!(*now, then, "the node answers otherwise than was recorded");
    }
    assert_eq!(recorder.exchanges.len(), known.len());
}

fn fixture(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/payer/lnd/tests/recorded/lnd-{release}.json"))
}

impl Exchange {
    /// What must not change from one recording to the next: status, and each message's code, words or state.
    fn shape(&self) -> (String, u16, Vec<String>) {
        let words = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap_or(Value::Null);
            let error = if value["error"].is_object() { &value["error"] } else { &value };
            match (error["code"].as_i64(), error["message"].as_str()) {
                (Some(code), Some(message)) => {
                    // protobuf's own words have one space or the other, from build to build.
                    let message = message.replace('\u{a0}', " ");
                    let message = message.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
                    format!("{code} {message}")
                }
                _ => format!("{} {}", value["result"]["status"], value["result"]["failure_reason"]),
            }
        };
        let mut lines: Vec<String> = self.pieces.concat().lines().map(words).collect();
        // How many updates come on the way is chance.
        lines.dedup();
        (self.name.clone(), self.status, lines)
    }
}

impl Recorder<'_> {
    fn note(&mut self, name: &str, hash: &str, answer: Answer) {
        let Answer { status, date, pieces } = answer;
        self.exchanges.push(Exchange { name: name.to_owned(), hash: hash.to_owned(), status, date, pieces });
    }

    fn payer(&self) -> &Lnd {
        &self.rig.payer
    }

    fn send(&mut self, name: &str, hash: &str, order: &Value) {
        let answer = self.payer().ask("POST", SEND, Some(order));
        self.note(name, hash, answer);
    }

    fn track(&mut self, name: &str, hash: &str, pieces_max: usize) {
        let path = track_path(hash);
        let answer = self.payer().ask_with(&self.admin, "GET", &path, None, pieces_max).unwrap();
        self.note(name, hash, answer);
    }

    /// An invoice of the payee's, and its hash.
    fn invoice(&self, sats: u64) -> (String, String) {
        let payee = &self.rig.payee;
        let before = payee.newest_invoice();
        let request = payee.invoice(sats);
        (request, payee.invoices(before)[0].hash.clone())
    }

    fn payments(&mut self) {
        let (invoice, hash) = self.invoice(1_234);
        self.send("send settles", &hash, &order(&invoice, "50000"));
        self.send("send what is paid", &hash, &order(&invoice, "50000"));
        self.track("track settled", &hash, usize::MAX);
        self.track("track unknown", &"ab".repeat(32), usize::MAX);

        let shop = Shop::open(self.rig, "--mint-hold");
        let client = shop.client();
        client.write("jobs.toml", &crate::shop::one_job("recorded"));
        let run = client.start("run jobs.toml --deadline 20s");
        let hash = shop.wait_held();
        let invoice = shop.lists.invoices()[0].request.clone();
        self.send("send what is in flight", &hash, &order(&invoice, "50000"));
        self.track("track in flight", &hash, 1);
        run.killer()();
        run.end();
        shop.cancel(&hash);
        shop.wait_paid(&hash, "FAILED");
        self.track("track cancelled", &hash, usize::MAX);
        self.send("send what the recipient cancelled", &hash, &order(&invoice, "50000"));
    }

    fn refusals(&mut self) {
        let (invoice, hash) = self.invoice(1_234);
        self.send("send with too low a limit", &hash, &order(&invoice, "0"));
        open_the_way(self.rig, false);
        self.send("send without a way", &hash, &order(&invoice, "50000"));
        open_the_way(self.rig, true);
        let (dear, dear_hash) = self.invoice(9_999_000);
        self.send("send more than there is", &dear_hash, &order(&dear, "50000000"));
        let short = self.rig.payee.post("/v1/invoices", &json!({ "value": "10", "expiry": "1" }));
        std::thread::sleep(std::time::Duration::from_millis(2_500));
        self.send("send expired", "", &order(short["payment_request"].as_str().unwrap(), "50000"));
        self.send("send what is no invoice", "", &order("hello", "1"));
        // Mainnet's, from BOLT11's own examples.
        self.send("send another network's", "", &order(MAINNET, "50000"));
        let mut more = order(&invoice, "50000");
        more["amt"] = "5".into();
        self.send("send with an amount too", &hash, &more);
        let mut more = order(&invoice, "50000");
        more["foo"] = 1.into();
        self.send("send with an unknown field", &hash, &more);
        let path = format!("/v2/router/track/{hash}");
        let answer = self.payer().ask("GET", &path, None);
        self.note("track in hex", &hash, answer);
        let answer = self.payer().ask("GET", "/v2/router/nothing", None);
        self.note("a wrong path", "", answer);
    }

    fn macaroons(&mut self) {
        let (invoice, hash) = self.invoice(1_234);
        let folder = crate::harness::Client::alone();
        let payer = self.payer();
        let balance_only = payer.bake(&["/lnrpc.Lightning/ChannelBalance"]);
        let kinds = [
            ("no macaroon", String::new()),
            ("a macaroon that is not hex", "zz".to_owned()),
            ("another node's macaroon", self.rig.hub.bake(&["/routerrpc.Router/SendPaymentV2"])),
            ("a macaroon that allows too little", balance_only),
            ("a macaroon that has expired", expired(self.rig, &self.admin, &folder)),
        ];
        for (name, macaroon) in kinds {
            let body = order(&invoice, "50000");
            let answer = self.payer().ask_with(&macaroon, "POST", SEND, Some(&body), usize::MAX).unwrap();
            self.note(&format!("send with {name}"), &hash, answer);
            let answer = self.payer().ask_with(&macaroon, "GET", &track_path(&hash), None, usize::MAX).unwrap();
            self.note(&format!("track with {name}"), &hash, answer);
            let answer = self.payer().ask_with(&macaroon, "GET", "/v1/getinfo", None, usize::MAX).unwrap();
            self.note(&format!("getinfo with {name}"), "", answer);
        }
    }

    fn itself(&mut self) {
        for (name, path) in [
            ("state", "/v1/state"),
            ("getinfo", "/v1/getinfo"),
            ("balance", "/v1/balance/channels"),
            ("channels", "/v1/channels"),
            ("newest payment", "/v1/payments?include_incomplete=true&reversed=true&max_payments=1"),
            ("payments", "/v1/payments?include_incomplete=true&index_offset=0&max_payments=2"),
        ] {
            let answer = self.payer().ask("GET", path, None);
            self.note(name, "", answer);
        }
    }

    fn locked_and_starting(&mut self) {
        let (invoice, hash) = self.invoice(1_234);
        let rig = self.rig;
        rig.run(&["stop", "payer"]);
        start_locked(rig);
        self.when("locked", &invoice, &hash);
        rig.run(&["stop", "payer"]);
        rig.run(&["start", "payer"]);
        wait_for("it is starting", || {
            let answer = rig.payer.ask_with(&self.admin, "GET", &track_path(&hash), None, usize::MAX);
            answer.is_ok_and(|answer| answer.text().contains("starting up"))
        });
        self.when("starting", &invoice, &hash);
        rig.run(&["wait", "payer"]);
        rig.wait_for_way();
    }

    fn when(&mut self, state: &str, invoice: &str, hash: &str) {
        self.send(&format!("send when {state}"), hash, &order(invoice, "50000"));
        self.track(&format!("track when {state}"), hash, usize::MAX);
        for (name, path) in [("state", "/v1/state"), ("getinfo", "/v1/getinfo")] {
            let answer = self.payer().ask("GET", path, None);
            self.note(&format!("{name} when {state}"), "", answer);
        }
    }
}

fn track_path(hash: &str) -> String {
    let hash = HEXLOWER.decode(hash.as_bytes()).unwrap();
    format!("/v2/router/track/{}?no_inflight_updates=false", BASE64URL.encode(&hash))
}

/// The order as the program writes it.
fn order(invoice: &str, fee_limit_msat: &str) -> Value {
    json!({
        "payment_request": invoice, "timeout_seconds": 30, "fee_limit_msat": fee_limit_msat, "max_parts": 16,
        "no_inflight_updates": false,
    })
}

const MAINNET: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
