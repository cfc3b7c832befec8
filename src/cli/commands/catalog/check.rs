//! `catalog check`: holds the catalogue against the service's own free listing and against live quotes. A quote is the
//! challenge to a request without payment; nothing is paid.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value as Json;
use url::Url;

use crate::catalog::{Endpoint, Listed, listed};
use crate::cli::commands::catalog::finding::{self, EndpointFacts, ListingFacts, QuoteFacts, Verdict};
use crate::cli::commands::catalog::layers::Layers;
use crate::cli::commands::catalog::trial::{Trial, trials};
use crate::cli::options::config::CatalogOptions;
use crate::cli::{CommandError, ExitCode, Failure, node, terminal};
use crate::l402::{Invoice, Network};
use crate::loopback::is_loopback;
use crate::manifest::image;
use crate::money::Msat;
use crate::origin::{
    ChallengeResponse, HttpFailure, HttpOptions, HttpOrigin, Origin, challenged_in, read_ask, retry_after_ms,
};
use crate::purchase::{Reason, Request};

/// Between two requests, in milliseconds.
const PAUSE_MS: u64 = 100;
/// A host that wants to be left alone is asked again after its wish, if that is no longer than this, so many times.
const WAIT_MS_MAX: u64 = 60_000;
const WAIT_MS_UNASKED: u64 = 2_000;
const TRIES_MAX: u32 = 4;

/// Checks, prints, and ends as what was found says.
pub(super) fn execute(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    let found = survey(&Layers::read(options)?.endpoints(&options.endpoints)?, options.network)?;
    terminal::print(options.output.format, |out| {
        finding::write(&found, out, options.output.format, options.output.quiet)
    })?;
    Ok(finding::exit(&found))
}

/// Asks about every endpoint, one request after the other. `network`: the one that the user's node is said to be on.
pub(super) fn survey(
    endpoints: &[std::sync::Arc<Endpoint>],
    network: Option<Network>,
) -> Result<Vec<EndpointFacts>, Failure> {
    let origin = HttpOrigin::new(HttpOptions::default())
        .map_err(|error| CommandError::internal("no client for the web").because(error))?;
    crate::cli::runtime()?.block_on(async {
        let mut service = Service { origin, network, listings: HashMap::new(), silent: HashMap::new() };
        let mut found = Vec::new();
        for endpoint in endpoints {
            found.push(service.endpoint(endpoint).await);
        }
        Ok(found)
    })
}

struct Service {
    origin: HttpOrigin,
    network: Option<Network>,
    /// Several endpoints share a listing.
    listings: HashMap<Url, Result<Json, String>>,
    /// Hosts that did not answer, or wanted to be left alone to the end: none is asked for anything more.
    silent: HashMap<String, String>,
}

impl Service {
    async fn endpoint(&mut self, endpoint: &Endpoint) -> EndpointFacts {
        let mut quotes = Vec::new();
        for trial in trials(endpoint) {
            quotes.push(self.quote(endpoint, trial).await);
        }
        let listing = match endpoint.listing_url() {
            Some(url) => Some(self.listing(endpoint, url).await),
            None => None,
        };
        EndpointFacts { endpoint: endpoint.name.clone(), url: node::place(&endpoint.url), listing, quotes }
    }

    async fn quote(&mut self, endpoint: &Endpoint, trial: Trial) -> QuoteFacts {
        let asked = match Request::build(endpoint, &trial.params, image::read) {
            Ok(request) => self.ask_unless_silent(endpoint, &request).await,
            Err(problem) => Answer::Unknown(problem.to_string()),
        };
        let job = job_words(endpoint, &trial);
        let expected = expected_network(endpoint, self.network);
        let (asked_msat, verdict, message) = match asked {
            Answer::Price(price, network) if expected.is_some_and(|expected| expected != network) => {
                (None, Verdict::Differs, format!("{price} for {job}, {}", elsewhere(network, self.network)))
            }
            Answer::Price(price, _) if price == trial.price => {
                (Some(price), Verdict::Agrees, format!("{price} for {job}"))
            }
            Answer::Price(price, _) => {
                let message = format!("{price} for {job}; the catalogue says {}", trial.price);
                (Some(price), Verdict::Differs, message)
            }
            Answer::Refused(why) => (None, Verdict::Differs, format!("{job} is refused: {why}")),
            Answer::Unknown(why) | Answer::Silent(why) => (None, Verdict::Unknown, format!("{job}: {why}")),
        };
        let Trial { rate_index, chosen_by, quantity, price, .. } = trial;
        QuoteFacts { rate_index, chosen_by, quantity, catalog_msat: price, asked_msat, verdict, message }
    }

    /// A host that keeps every question waiting would keep the check alive for hours.
    async fn ask_unless_silent(&mut self, endpoint: &Endpoint, request: &Request) -> Answer {
        let host = request.url.authority().to_owned();
        if let Some(why) = self.silent.get(&host) {
            return Answer::Unknown(format!("not asked any more: {why}"));
        }
        let answer = self.ask(endpoint, request).await;
        match answer {
            Answer::Silent(why) => {
                self.silent.insert(host, why.clone());
                Answer::Unknown(why)
            }
            answer => answer,
        }
    }

    async fn ask(&self, endpoint: &Endpoint, request: &Request) -> Answer {
        let mut tries = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
            tries += 1;
            let answer = match self.origin.ask(request, challenged_in(endpoint)).await {
                Ok(answer) => answer,
                Err(failure) => return Answer::Silent(unreachable_words(&failure)),
            };
            match read_ask(&answer, endpoint) {
                ChallengeResponse::Challenge(challenge) => return of_invoice(&challenge.invoice),
                ChallengeResponse::Refused { reason: Reason::OriginError, message } => return Answer::Unknown(message),
                ChallengeResponse::Refused { message, .. } => return Answer::Refused(message),
                ChallengeResponse::Retry { after_ms, message, .. } => {
                    let wait_ms = after_ms.or_else(|| retry_after_ms(&answer)).unwrap_or(WAIT_MS_UNASKED);
                    if tries >= TRIES_MAX || wait_ms > WAIT_MS_MAX {
                        return Answer::Silent(message);
                    }
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
            }
        }
    }

    async fn listing(&mut self, endpoint: &Endpoint, url: Url) -> ListingFacts {
        if !self.listings.contains_key(&url) {
            let fetched = fetch(&self.origin, &url).await;
            self.listings.insert(url.clone(), fetched);
        }
        let place = node::place(&url);
        let facts = |verdict, listed_sats, message| ListingFacts { url: place.clone(), verdict, listed_sats, message };
        match self.listings.get(&url) {
            Some(Ok(listing)) => compare(endpoint, listed(listing, endpoint), &place, facts),
            Some(Err(why)) => facts(Verdict::Unknown, Vec::new(), format!("the listing at {place}: {why}")),
            None => facts(Verdict::Unknown, Vec::new(), format!("the listing at {place} was not read")),
        }
    }
}

enum Answer {
    /// On that network.
    Price(Msat, Network),
    Refused(String),
    Unknown(String),
    /// So the next question would end, too.
    Silent(String),
}

fn of_invoice(invoice: &str) -> Answer {
    match Invoice::read(invoice) {
        Ok(invoice) => Answer::Price(invoice.amount, invoice.network),
        Err(error) => Answer::Refused(error.to_string()),
    }
}

/// The network on which an endpoint's invoices are expected: the node's, where that is said, else the one of real money. What
/// stands on this machine may play on any.
fn expected_network(endpoint: &Endpoint, node: Option<Network>) -> Option<Network> {
    node.or_else(|| (!is_loopback(&endpoint.url)).then_some(Network::Mainnet))
}

fn elsewhere(found: Network, node: Option<Network>) -> String {
    match node {
        Some(node) => format!("but its invoice is on {found}, and lnd_network is {node}: no node there can pay it"),
        None => {
            format!("but its invoice is on {found}, not on mainnet: ask its operator, or set lnd_network to {found}")
        }
    }
}

fn unreachable_words(failure: &HttpFailure) -> String {
    format!("cannot be asked: {failure}")
}

async fn fetch(origin: &HttpOrigin, url: &Url) -> Result<Json, String> {
    let answer = origin.poll(url, None).await.map_err(|failure| failure.to_string())?;
    if !(200..300).contains(&answer.status) {
        return Err(format!("HTTP {}", answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|_| "it is no JSON".to_owned())
}

/// Whether the listing names the catalogue's rates and no others.
fn compare(
    endpoint: &Endpoint,
    listed: Listed,
    place: &str,
    facts: impl Fn(Verdict, Vec<u64>, String) -> ListingFacts,
) -> ListingFacts {
    let mut ours: Vec<u64> = endpoint.price.rates.iter().map(|rate| rate.rate.sats_ceil().get()).collect();
    ours.sort_unstable();
    ours.dedup();
    let words = |sats: &[u64]| sats.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    match listed {
        Listed::Missing => facts(Verdict::Unknown, Vec::new(), format!("the listing at {place} does not name it")),
        Listed::Priceless => {
            facts(Verdict::Unknown, Vec::new(), format!("the listing at {place} names no price of it in sats"))
        }
        Listed::Sats(sats) if sats == ours => {
            let message = format!("the listing at {place} names {} sats", words(&sats));
            facts(Verdict::Agrees, sats, message)
        }
        Listed::Sats(sats) => {
            let message =
                format!("the listing at {place} names {} sats; the catalogue has {}", words(&sats), words(&ours));
            facts(Verdict::Differs, sats, message)
        }
    }
}

fn job_words(endpoint: &Endpoint, trial: &Trial) -> String {
    let quantity = match &endpoint.price.quantity {
        Some(name) => format!("{name}={}", trial.quantity),
        None => "a job".to_owned(),
    };
    if trial.chosen_by.is_empty() { quantity } else { format!("{quantity}, {}", trial.chosen_by) }
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
