//! The floor: the same three requests with the same HTTP client, as little else as can be. It checks nothing, writes
//! nothing, and believes whatever it is told.

use std::cell::Cell;
use std::fs;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use reqwest::Client;
use tokio::task::LocalSet;

use crate::far_side::{FarSide, text};
use crate::measure::{self, Sample};
use crate::{Outcome, Setting};

/// What both clients buy.
pub(crate) const ENDPOINT: &str = "generate-video";

/// The prompt of the n-th job: none is like another.
pub(crate) fn prompt(number: u32) -> String {
    format!("shot {number} of a long film: a lighthouse at dusk and gulls over a quiet sea")
}

/// Runs this very program as the floor client, and measures it.
pub(crate) fn measure(far_side: &FarSide, setting: &Setting) -> Outcome<Sample> {
    let mut floor = Command::new(std::env::current_exe()?);
    floor
        .env_clear()
        .args(["floor", &far_side.origin, &far_side.node, text(&far_side.file("admin.macaroon"))?])
        .args([setting.jobs.to_string(), setting.in_flight.to_string()]);
    measure::run(&mut floor)
}

/// What every worker of the floor shares.
struct Floor {
    origin: Client,
    node: Client,
    ask_url: String,
    send_url: String,
    macaroon: String,
    jobs: u32,
    taken: Cell<u32>,
}

/// The floor client's own process.
pub(crate) fn main(order: &[&str]) -> Outcome<()> {
    let [origin, node, macaroon, jobs, workers] = order else { return Err("floor takes five words".into()) };
    drop(rustls::crypto::ring::default_provider().install_default());
    let floor = Rc::new(Floor {
        origin: client().build()?,
        node: client().tls_danger_accept_invalid_certs(true).build()?,
        ask_url: format!("{origin}api/l402/{ENDPOINT}"),
        send_url: format!("{node}v2/router/send"),
        macaroon: HEXLOWER.encode(&fs::read(macaroon)?),
        jobs: jobs.parse()?,
        taken: Cell::new(0),
    });
    let workers: u32 = workers.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let workers: Vec<_> = (0..workers).map(|_| tokio::task::spawn_local(Rc::clone(&floor).work())).collect();
        for worker in workers {
            worker.await?.map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

/// The settings of our own clients.
fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(256)
        .connect_timeout(Duration::from_secs(10))
}

impl Floor {
    async fn work(self: Rc<Self>) -> Outcome<()> {
        loop {
            let number = self.taken.get();
            if number >= self.jobs {
                return Ok(());
            }
            self.taken.set(number + 1);
            self.exchange(number).await?;
        }
    }

    async fn exchange(&self, number: u32) -> Outcome<()> {
        let body =
            format!(r#"{{"prompt":"{}","duration":5,"mode":"standard","generate_audio":false}}"#, prompt(number));
        let ask = || {
            let post = self.origin.post(&self.ask_url).header("content-type", "application/json");
            post.header("accept", "application/json").body(body.clone())
        };
        let asked = ask().send().await?;
        let challenge = asked.headers().get("www-authenticate").ok_or("no challenge")?.to_str()?.to_owned();
        asked.bytes().await?;
        let mut quoted = challenge.split('"');
        let (token, invoice) = (quoted.nth(1).ok_or("no macaroon")?, quoted.nth(1).ok_or("no invoice")?);
        let preimage = self.pay(invoice).await?;
        let redeemed = ask().header("authorization", format!("L402 {token}:{preimage}")).send().await?;
        if redeemed.status() != 200 {
            return Err(format!("redeemed with {}", redeemed.status()).into());
        }
        redeemed.bytes().await?;
        Ok(())
    }

    /// Pays, and takes the preimage from the stream's last message.
    async fn pay(&self, invoice: &str) -> Outcome<String> {
        const MARK: &str = r#""payment_preimage":""#;
        let body = format!(
            r#"{{"payment_request":"{invoice}","timeout_seconds":60,"fee_limit_msat":"1000000","max_parts":16,"no_inflight_updates":false}}"#
        );
        let post = self.node.post(&self.send_url).header("grpc-metadata-macaroon", &self.macaroon);
        let stream = post.header("content-type", "application/json").body(body).send().await?.text().await?;
        let at = stream.rfind(MARK).ok_or("no preimage")? + MARK.len();
        Ok(stream.get(at..at + 64).ok_or("half a preimage")?.to_owned())
    }
}
