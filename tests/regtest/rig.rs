//! The network: three nodes, and the script that boots, kills and mines.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::lnd::Lnd;

/// How long the network may take to get where it is wanted.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a channel cannot send besides its reserve: fees on the chain, and a buffer for them.
const SLACK_SATS: u64 = 50_000;

/// A regtest network that is up.
pub struct Rig {
    pub payer: Lnd,
    pub hub: Lnd,
    pub payee: Lnd,
    /// Of lnd: `0.21`.
    pub release: String,
    folder: PathBuf,
}

impl Rig {
    /// The network that the environment names.
    pub fn from_env() -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os("L402_BATCH_REGTEST").filter(|value| !value.is_empty())?);
        let papers = folder.join("env");
        let text = std::fs::read_to_string(&papers).unwrap_or_else(|error| panic!("{}: {error}", papers.display()));
        let papers: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('\'')))
            .collect();
        let node = |name: &str| {
            let of = |what: &str| papers[format!("{name}_{what}").as_str()];
            Lnd::at(of("URL"), Path::new(of("MACAROON_FILE")), Path::new(of("CERT_FILE")))
        };
        let release = papers["REGTEST_LND"].to_owned();
        Some(Self { payer: node("PAYER"), hub: node("HUB"), payee: node("PAYEE"), release, folder })
    }

    /// A command of the rig's script.
    pub fn run(&self, words: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regtest/rig");
        let output = Command::new(script).args(["--lnd", &self.release]).args(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rig {words:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A file or folder of the network.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where all that is kept beyond one network stands.
    pub fn kept(&self) -> &Path {
        self.folder.parent().unwrap()
    }

    /// Where the payee speaks gRPC: host and port.
    pub fn payee_grpc(&self) -> String {
        format!("127.0.0.1:{}", std::fs::read_to_string(self.file("payee/port-rpc")).unwrap().trim())
    }

    /// What kills a node at once.
    pub fn killer(&self, node: &str) -> impl FnOnce() + Send + use<> {
        let pid = self.pid(node);
        move || rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap()
    }

    /// A node's process.
    pub fn pid(&self, node: &str) -> rustix::process::Pid {
        let pid = std::fs::read_to_string(self.file(&format!("{node}/pid"))).unwrap();
        rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
    }

    pub fn mine(&self, blocks: u32) {
        self.run(&["mine", &blocks.to_string()]);
    }

    /// What an earlier test left behind must not be this one's trouble: a young tip, a payer without grudges but with
    /// money, and a way; and it is an ordinary payer, that has paid for somebody before, whichever tests are run.
    pub fn settle_down(&self) {
        self.mine(1);
        let state = self.payer.ask_with("", "GET", "/v1/state", None, usize::MAX);
        if !state.is_ok_and(|answer| answer.text().contains("SERVER_ACTIVE")) {
            self.run(&["stop", "payer"]);
            self.run(&["start", "payer"]);
        }
        self.run(&["wait", "payer"]);
        self.payer.post("/v2/router/mc/reset", &json!({}));
        if self.payer.get("/v1/channels")["channels"].as_array().is_none_or(Vec::is_empty) {
            self.run(&["open", "payer", "hub"]);
            wait_for("the payer's channel is open", || self.payer.balance_sats() > 0);
        }
        let beyond = self.payer.remote_balance_sats();
        if beyond > self.payer.balance_sats() {
            self.hub.pay(&self.payer.invoice(beyond - self.payer.reserve_sats() - SLACK_SATS));
        }
        let far = self.payee.balance_sats();
        if far > self.payer.balance_sats() {
            self.payee.pay(&self.payer.invoice(far - self.payee.reserve_sats() - SLACK_SATS));
        }
        self.wait_for_way();
        if !self.payer.payments(0).iter().any(|payment| payment.status == "SUCCEEDED") {
            let paid = self.payer.pay(&self.payee.invoice(50));
            assert_eq!(paid["status"], "SUCCEEDED", "{paid}");
        }
    }

    /// Waits until a payment would find its way.
    pub fn wait_for_way(&self) {
        wait_for("a way from payer to payee", || self.leads_there());
    }

    pub fn leads_there(&self) -> bool {
        let path = format!("/v1/graph/routes/{}/1000", self.payee.id());
        let active = |node: &Lnd| {
            let channels = node.get("/v1/channels?active_only=true");
            channels["channels"].as_array().map_or(0, Vec::len)
        };
        self.payer.ask("GET", &path, None).status == 200
            && active(&self.payer) >= 1
            && active(&self.hub) >= 2
            && active(&self.payee) >= 1
    }
}

/// Waits until it is so.
#[track_caller]
pub fn wait_for(what: &str, so: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < give_up, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
