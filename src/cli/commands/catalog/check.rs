//! `catalog check`: holds the catalogue against the service's own free listing and against live quotes. A quote is the
//! challenge to a request without payment; nothing is paid.

use std::collections::HashMap;

use serde_json::Value as Json;
use url::Url;

use crate::catalog::{Endpoint, Listed, listed};
use crate::cli::commands::catalog::finding::{self, EndpointFacts, ListingFacts, QuoteFacts, Verdict};
use crate::cli::commands::catalog::layers::Layers;
use crate::cli::commands::catalog::trial::{Trial, trials};
use crate::cli::live_price::{LivePrice, LivePrices, elsewhere, expected_network};
use crate::cli::options::config::CatalogOptions;
use crate::cli::options::tables::Tables;
use crate::cli::{ExitCode, Failure, node, terminal};
use crate::l402::Network;
use crate::manifest::image;
use crate::purchase::Request;

/// Checks, prints, and ends as what was found says.
pub(super) fn execute(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    let found = survey(&Layers::read(options)?.endpoints(&options.endpoints)?, options.network, &options.tables)?;
    terminal::print(options.output.format, |out| {
        finding::write(&found, out, options.output.format, options.output.quiet)
    })?;
    Ok(finding::exit(&found))
}

/// Asks about every endpoint, one request after the other. `network`: the one that the user's node is said to be on.
pub(super) fn survey(
    endpoints: &[std::sync::Arc<Endpoint>],
    network: Option<Network>,
    tables: &Tables,
) -> Result<Vec<EndpointFacts>, Failure> {
    let prices = LivePrices::new(tables)?;
    crate::cli::runtime()?.block_on(async {
        let mut service = Service { prices, network, listings: HashMap::new() };
        let mut found = Vec::new();
        for endpoint in endpoints {
            found.push(service.endpoint(endpoint).await);
        }
        Ok(found)
    })
}

struct Service {
    prices: LivePrices,
    network: Option<Network>,
    /// Several endpoints share a listing.
    listings: HashMap<Url, Result<Json, String>>,
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
            Ok(request) => self.prices.ask(endpoint, &request).await,
            Err(problem) => LivePrice::Unknown(problem.to_string()),
        };
        let job = job_words(endpoint, &trial);
        let expected = expected_network(endpoint, self.network);
        let (asked_msat, verdict, message) = match (asked, trial.price) {
            (LivePrice::Asked(price, network), _) if expected.is_some_and(|expected| expected != network) => {
                (None, Verdict::Differs, format!("{price} for {job}, {}", elsewhere(network, self.network)))
            }
            (LivePrice::Asked(price, _), None) => {
                (Some(price), Verdict::Unknown, format!("{price} for {job}; the catalogue does not know the price"))
            }
            (LivePrice::Asked(price, _), Some(cap)) if trial.is_cap && price <= cap => {
                (Some(price), Verdict::Agrees, format!("{price} for {job}, within the cap of {cap}"))
            }
            (LivePrice::Asked(price, _), Some(cap)) if trial.is_cap => {
                (Some(price), Verdict::Differs, format!("{price} for {job}, above the cap of {cap}"))
            }
            (LivePrice::Asked(price, _), Some(known)) if price == known => {
                (Some(price), Verdict::Agrees, format!("{price} for {job}"))
            }
            (LivePrice::Asked(price, _), Some(known)) => {
                let message = format!("{price} for {job}; the catalogue says {known}");
                (Some(price), Verdict::Differs, message)
            }
            (LivePrice::Refused(why), _) => (None, Verdict::Differs, format!("{job} is refused: {why}")),
            (LivePrice::Unknown(why), _) => (None, Verdict::Unknown, format!("{job}: {why}")),
        };
        let Trial { rate_index, chosen_by, quantity, price, .. } = trial;
        QuoteFacts { rate_index, chosen_by, quantity, catalog_msat: price, asked_msat, verdict, message }
    }

    async fn listing(&mut self, endpoint: &Endpoint, url: Url) -> ListingFacts {
        if !self.listings.contains_key(&url) {
            let fetched = fetch(&self.prices, &url).await;
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

async fn fetch(prices: &LivePrices, url: &Url) -> Result<Json, String> {
    let answer = prices.read(url).await.map_err(|failure| failure.to_string())?;
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
        Listed::Sats(sats) if endpoint.price.is_unknown() => {
            let message =
                format!("the listing at {place} names {} sats; the catalogue does not know the price", words(&sats));
            facts(Verdict::Unknown, sats, message)
        }
        Listed::Sats(sats) if endpoint.price.is_cap => {
            let is_held = sats.iter().all(|named| ours.iter().all(|cap| named <= cap));
            let (verdict, stands) = if is_held { (Verdict::Agrees, "within") } else { (Verdict::Differs, "above") };
            let message =
                format!("the listing at {place} names {} sats, {stands} the cap of {}", words(&sats), words(&ours));
            facts(verdict, sats, message)
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
