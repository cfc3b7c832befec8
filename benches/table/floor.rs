//! The floor: the same three requests with the same HTTP client, as little else as can be. It checks nothing, writes
//! nothing, and believes whatever it is told. And the payments of it alone, at a real node.

use std::cell::Cell;
use std::fs;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use reqwest::Client;
use tokio::task::LocalSet;

use crate::Outcome;
use crate::far_side::{FarSide, Node, text};
use crate::measure::{self, Sample};

/// What both clients buy.
pub(crate) const ENDPOINT: &str = "generate-video";
/// How many seconds each video lasts.
pub(crate) const DURATION: u32 = 5;
/// What such a video costs, in sats.
const PRICE_SATS: u32 = 1_500;

/// The prompt of the n-th job: none is like another.
pub(crate) fn prompt(number: u32) -> String {
    format!("shot {number} of a long film: a lighthouse at dusk and gulls over a quiet sea")
}

/// Runs this very program as the floor client, and measures it.
pub(crate) fn measure(far_side: &FarSide, jobs: u32, in_flight: u32) -> Outcome<Sample> {
    let payer = &far_side.payer;
    let mut floor = Command::new(std::env::current_exe()?);
    floor
        .env_clear()
        .args(["floor", &far_side.origin, &payer.url, text(&payer.macaroon)?])
        .args([jobs.to_string(), in_flight.to_string()]);
    measure::run(&mut floor)
}

/// What every worker of the floor shares.
struct Floor {
    origin: Client,
    node: Client,
    ask_url: String,
    node_url: String,
    macaroon: String,
    jobs: u32,
    taken: Cell<u32>,
}

/// The floor client's own process.
pub(crate) fn main(order: &[&str]) -> Outcome<()> {
    let [origin, node, macaroon, jobs, workers] = order else { return Err("floor takes five words".into()) };
    let floor = Floor::new(origin, node, &fs::read(macaroon)?, jobs.parse()?)?;
    together(workers.parse()?, || Rc::clone(&floor).work())
}

/// Pays so many invoices of the payee's, so many at once and each by one bare `POST /v2/router/send`: how many seconds that
/// takes. The payee makes each while another one is paid, as it does for whoever buys: no payment waits for its invoice, but the
/// nodes share the machine with the making of it.
pub(crate) fn pay_bare(payer: &Node, payee: &Node, payments: u32, in_flight: u32) -> Outcome<f64> {
    let floor = Floor::new("", &payer.url, &fs::read(&payer.macaroon)?, payments)?;
    let mint = Floor::new("", &payee.url, &fs::read(&payee.macaroon)?, payments)?;
    let begun = Instant::now();
    together(in_flight, || {
        let (floor, mint) = (Rc::clone(&floor), Rc::clone(&mint));
        async move {
            let mut made = mint.invoice().await?;
            while let Some(invoice) = made {
                let (paid, next) = tokio::join!(floor.pay(&invoice), mint.invoice());
                paid?;
                made = next?;
            }
            Ok(())
        }
    })?;
    Ok(begun.elapsed().as_secs_f64())
}

/// So many workers on one thread, until all of them are done.
fn together<F: Future<Output = Outcome<()>> + 'static>(workers: u32, work: impl Fn() -> F) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let workers: Vec<_> = (0..workers).map(|_| tokio::task::spawn_local(work())).collect();
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
    fn new(origin: &str, node: &str, macaroon: &[u8], jobs: u32) -> Outcome<Rc<Self>> {
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Rc::new(Self {
            origin: client().build()?,
            node: client().tls_danger_accept_invalid_certs(true).build()?,
            ask_url: format!("{origin}api/l402/{ENDPOINT}"),
            node_url: node.trim_end_matches('/').to_owned(),
            macaroon: HEXLOWER.encode(macaroon),
            jobs,
            taken: Cell::new(0),
        }))
    }

    /// The number of the next job; none once all are taken.
    fn take(&self) -> Option<u32> {
        let number = self.taken.get();
        (number < self.jobs).then(|| self.taken.replace(number + 1))
    }

    async fn work(self: Rc<Self>) -> Outcome<()> {
        while let Some(number) = self.take() {
            self.exchange(number).await?;
        }
        Ok(())
    }

    async fn exchange(&self, number: u32) -> Outcome<()> {
        let body = format!(
            r#"{{"prompt":"{}","duration":{DURATION},"mode":"standard","generate_audio":false}}"#,
            prompt(number)
        );
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
        let post = self
            .node
            .post(format!("{}/v2/router/send", self.node_url))
            .header("grpc-metadata-macaroon", &self.macaroon);
        let stream = post.header("content-type", "application/json").body(body).send().await?.text().await?;
        let at = stream.rfind(MARK).ok_or("no preimage")? + MARK.len();
        if !stream.contains(r#""SUCCEEDED""#) {
            return Err("a payment did not succeed".into());
        }
        Ok(stream.get(at..at + 64).ok_or("half a preimage")?.to_owned())
    }

    /// An invoice of the node's for as much as a job costs; none once all are made.
    async fn invoice(&self) -> Outcome<Option<String>> {
        if self.take().is_none() {
            return Ok(None);
        }
        let post = self.node.post(format!("{}/v1/invoices", self.node_url));
        let post = post.header("grpc-metadata-macaroon", &self.macaroon).body(format!(r#"{{"value":"{PRICE_SATS}"}}"#));
        let made: serde_json::Value = serde_json::from_str(&post.send().await?.text().await?)?;
        let invoice = made.get("payment_request").and_then(serde_json::Value::as_str);
        Ok(Some(invoice.ok_or("the node made no invoice")?.to_owned()))
    }
}
