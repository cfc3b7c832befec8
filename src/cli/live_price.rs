//! What an endpoint asks for a request now: the challenge to a request without payment. Nothing is paid.

use std::collections::HashMap;
use std::time::Duration;

use url::Url;

use crate::catalog::Endpoint;
use crate::cli::options::tables::Tables;
use crate::cli::{CommandError, Failure, secrets};
use crate::l402::{Invoice, Network, check_body};
use crate::loopback::is_loopback;
use crate::manifest::image;
use crate::money::Msat;
use crate::origin::{
    ChallengeResponse, HttpFailure, HttpOptions, HttpOrigin, Origin, challenged_in, read_ask, retry_after_ms,
};
use crate::plan::PlannedJob;
use crate::plan::view::LiveAnswer;
use crate::purchase::{HttpAnswer, Reason, Request};

/// Between two requests, in milliseconds.
const PAUSE_MS: u64 = 100;
/// A host that wants to be left alone is asked again after its wish, if that is no longer than this, so many times.
const WAIT_MS_MAX: u64 = 60_000;
const WAIT_MS_UNASKED: u64 = 2_000;
const TRIES_MAX: u32 = 4;

/// Asks one request after the other.
pub(in crate::cli) struct LivePrices {
    origin: HttpOrigin,
    /// Hosts that did not answer, or wanted to be left alone to the end: none is asked for anything more.
    silent: HashMap<String, String>,
}

/// What an endpoint says of a request.
pub(in crate::cli) enum LivePrice {
    /// That it costs so much, on that network.
    Asked(Msat, Network),
    /// That it is not sold so, and why.
    Refused(String),
    /// Nothing that tells a price.
    Unknown(String),
}

/// Why a host is asked no more.
struct Silent(String);

impl LivePrices {
    /// # Errors
    /// Where there is no client for the web.
    pub(in crate::cli) fn new(tables: &Tables) -> Result<Self, Failure> {
        let origin = HttpOrigin::new(HttpOptions::default())
            .map_err(|error| CommandError::internal("no client for the web").because(error))?;
        Ok(Self { origin: origin.bearing(secrets::of(tables)), silent: HashMap::new() })
    }

    /// Reads a free address of the origin's.
    pub(in crate::cli) async fn read(&self, url: &Url) -> Result<HttpAnswer, HttpFailure> {
        self.origin.poll(url, &[], None).await
    }

    /// Asks once, and again where the host only wants to wait. One that keeps every question waiting would keep the command alive for
    /// hours: it is asked no more.
    pub(in crate::cli) async fn ask(&mut self, endpoint: &Endpoint, request: &Request) -> LivePrice {
        let host = request.url.authority().to_owned();
        if let Some(why) = self.silent.get(&host) {
            return LivePrice::Unknown(format!("not asked any more: {why}"));
        }
        match self.try_to_ask(endpoint, request).await {
            Ok(price) => price,
            Err(Silent(why)) => {
                self.silent.insert(host, why.clone());
                LivePrice::Unknown(why)
            }
        }
    }

    /// What a job's seller asks for it now, where its invoice is on the network that is expected.
    pub(in crate::cli) async fn answer(&mut self, job: &PlannedJob, network: Option<Network>) -> LiveAnswer {
        let endpoint = &job.endpoint;
        let request = match Request::build(endpoint, &job.params, image::read) {
            Ok(request) => request,
            Err(problem) => return LiveAnswer::Unknown(problem.to_string()),
        };
        match self.ask(endpoint, &request).await {
            LivePrice::Asked(price, found)
                if expected_network(endpoint, network).is_some_and(|expected| expected != found) =>
            {
                LiveAnswer::Refuses(format!("{price}, {}", elsewhere(found, network)))
            }
            LivePrice::Asked(price, _) => LiveAnswer::Asks(price),
            LivePrice::Refused(why) => LiveAnswer::Refuses(why),
            LivePrice::Unknown(why) => LiveAnswer::Unknown(why),
        }
    }

    /// An error ends the next question, too.
    async fn try_to_ask(&self, endpoint: &Endpoint, request: &Request) -> Result<LivePrice, Silent> {
        let mut tries = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
            tries += 1;
            let asked = self.origin.ask(request, challenged_in(endpoint)).await;
            let answer = asked.map_err(|failure| Silent(format!("cannot be asked: {failure}")))?;
            match read_ask(&answer, endpoint) {
                ChallengeResponse::Challenge(challenge) => {
                    let fits = check_body(&challenge, || request.body().sha256());
                    return Ok(match fits {
                        Ok(()) => of_invoice(&challenge.invoice),
                        Err(refusal) => LivePrice::Refused(refusal.to_string()),
                    });
                }
                ChallengeResponse::Refused { reason: Reason::OriginError, message } => {
                    return Ok(LivePrice::Unknown(message));
                }
                ChallengeResponse::Refused { message, .. } => return Ok(LivePrice::Refused(message)),
                ChallengeResponse::Retry { after_ms, message, .. } => {
                    let wait_ms = after_ms.or_else(|| retry_after_ms(&answer)).unwrap_or(WAIT_MS_UNASKED);
                    if tries >= TRIES_MAX || wait_ms > WAIT_MS_MAX {
                        return Err(Silent(message));
                    }
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
            }
        }
    }
}

fn of_invoice(invoice: &str) -> LivePrice {
    match Invoice::read(invoice) {
        Ok(invoice) => LivePrice::Asked(invoice.amount, invoice.network),
        Err(error) => LivePrice::Refused(error.to_string()),
    }
}

/// The network on which an endpoint's invoices are expected: the node's, where that is said, else the one of real money. What
/// stands on this machine may play on any.
pub(in crate::cli) fn expected_network(endpoint: &Endpoint, node: Option<Network>) -> Option<Network> {
    node.or_else(|| (!is_loopback(&endpoint.url)).then_some(Network::Mainnet))
}

/// That invoices are on another network than expected.
pub(in crate::cli) fn elsewhere(found: Network, node: Option<Network>) -> String {
    match node {
        Some(node) => format!("but its invoice is on {found}, and lnd_network is {node}: no node there can pay it"),
        None => {
            format!("but its invoice is on {found}, not on mainnet: ask its operator, or set lnd_network to {found}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn invoices_are_expected_on_the_node_s_network_else_on_that_of_real_money() {
        let endpoint = |url: &str| {
            let catalog = Catalog::builtin().unwrap();
            Endpoint { url: url.parse().unwrap(), ..Endpoint::clone(catalog.get("generate-video").unwrap()) }
        };
        let (abroad, home) = (endpoint("https://shop.example/x"), endpoint("http://127.0.0.1:8402/x"));
        assert_eq!(expected_network(&abroad, None), Some(Network::Mainnet));
        assert_eq!(expected_network(&abroad, Some(Network::Signet)), Some(Network::Signet));
        assert_eq!(expected_network(&home, None), None);
        assert_eq!(expected_network(&home, Some(Network::Mainnet)), Some(Network::Mainnet));
    }
}
