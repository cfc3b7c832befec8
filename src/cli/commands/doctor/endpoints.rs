//! Asks each endpoint once for its cheapest job, without payment: that costs nothing, and the answer shows the live price.

use crate::cli::exit::of_job;
use crate::cli::options::tables::Tables;
use crate::cli::{CommandError, ExitCode, Failure, secrets};
use crate::l402::{Challenge, Expected, Invoice, Network, Refusal, check as check_challenge, check_body};
use crate::manifest::image;
use crate::money::{Msat, counted};
use crate::origin::{ChallengeResponse, HttpOptions, HttpOrigin, Origin, challenged_in, read_ask};
use crate::purchase::{JobState, Reason, Request};
use crate::run::{Clock, SystemClock};

use crate::cli::commands::doctor::finding::{EndpointFacts, Report};
use crate::cli::commands::doctor::survey::{Sample, Survey};

/// So many endpoints are asked at most.
const ENDPOINTS_MAX: usize = 20;
/// What an invoice must live for a run to pay it.
const INVOICE_LIFE_MS_MIN: i64 = 30_000;

/// What invoices are held to, besides the plan.
pub(super) struct HeldTo<'a> {
    /// The node's network, where it is known.
    pub(super) network: Option<Network>,
    /// None may ask less than the plan says.
    pub(super) exact_price: bool,
    /// The tables of the configuration file.
    pub(super) tables: &'a Tables,
}

/// Asks every endpoint of the manifest.
pub(super) async fn check(survey: &Survey, held_to: &HeldTo<'_>, report: &mut Report) -> Result<(), Failure> {
    let origin = HttpOrigin::new(HttpOptions::default())
        .map_err(|error| CommandError::internal("no client for the web").because(error))?
        .bearing(secrets::of(held_to.tables));
    for sample in survey.samples.iter().take(ENDPOINTS_MAX) {
        check_one(&origin, sample, held_to, report).await;
    }
    let rest = survey.samples.len().saturating_sub(ENDPOINTS_MAX) as u64;
    if rest > 0 {
        report.note(
            "endpoint",
            format!("{} were not asked", counted(rest, "more endpoint")),
            "check them with a smaller manifest",
        );
    }
    Ok(())
}

async fn check_one(origin: &HttpOrigin, sample: &Sample, held_to: &HeldTo<'_>, report: &mut Report) {
    let job = &sample.job;
    let (name, place) = (&job.endpoint.name, crate::cli::node::place(&job.endpoint.url));
    let mut facts = EndpointFacts {
        endpoint: name.clone(),
        url: place.clone(),
        job: job.id.clone(),
        planned_msat: job.priced.price,
        asked_msat: None,
        network: None,
    };
    let request = match Request::build(&job.endpoint, &job.params, image::read) {
        Ok(request) => request,
        Err(problem) => {
            report.problem_within(&format!("{name}: "), "endpoint", ExitCode::Usage, &problem);
            return;
        }
    };
    match origin.ask(&request, challenged_in(&job.endpoint)).await.map(|answer| read_ask(&answer, &job.endpoint)) {
        Err(failure) => {
            let mut words = format!("{name}: {place} cannot be reached: {failure}");
            if !words.contains("; ") {
                words.push_str("; check the network, the endpoint's url, and whether its operator knows of it");
            }
            report.problem_in_words("endpoint", ExitCode::Unfinished, &words);
        }
        Ok(ChallengeResponse::Refused { reason, message }) => {
            report.problem_in_words(
                "endpoint",
                of_job(JobState::Refused, reason),
                &format!("{name}: refused: {message}"),
            );
        }
        Ok(ChallengeResponse::Retry { reason, message, .. }) => report.problem(
            "endpoint",
            of_job(JobState::Failed, reason),
            format!("{name}: not now: {message}"),
            "try again later",
        ),
        Ok(ChallengeResponse::Challenge(challenge)) => match check_body(&challenge, || request.body().sha256()) {
            Ok(()) => judge(challenge, sample, held_to, &mut facts, report),
            Err(refusal) => refused(&refusal, name, report),
        },
    }
    report.endpoints.push(facts);
}

fn judge(challenge: Challenge, sample: &Sample, held_to: &HeldTo<'_>, facts: &mut EndpointFacts, report: &mut Report) {
    let (name, price) = (&sample.job.endpoint.name, sample.job.priced.price);
    let invoice = Invoice::read(&challenge.invoice).ok();
    facts.asked_msat = invoice.as_ref().map(|invoice| invoice.amount);
    facts.network = invoice.as_ref().map(|invoice| invoice.network.to_string());
    let expected = Expected {
        price,
        is_cap: sample.job.endpoint.price.is_cap,
        is_exact: held_to.exact_price,
        network: held_to.network.or(invoice.map(|invoice| invoice.network)).unwrap_or(Network::Mainnet),
        now: SystemClock.now(),
        min_lifetime_ms: INVOICE_LIFE_MS_MIN,
        max_lifetime_ms: i64::MAX,
    };
    match check_challenge(challenge, &expected) {
        Ok(checked) => {
            let Invoice { amount, network, .. } = checked.invoice();
            let words = match price.checked_sub(*amount) {
                _ if sample.job.endpoint.price.is_cap => format!("within its cap of {price}"),
                None | Some(Msat::ZERO) => "as planned".to_owned(),
                Some(less) => format!("{less} less than planned"),
            };
            report.ok("endpoint", format!("{name} asks {amount} for {}, {words}, on {network}", sample.job.id));
        }
        Err(refusal) => refused(&refusal, name, report),
    }
}

fn refused(refusal: &Refusal, name: &str, report: &mut Report) {
    let code = match refusal {
        Refusal::WrongNetwork { .. } => ExitCode::Node,
        other => of_job(JobState::Refused, Reason::from(other)),
    };
    report.problem_within(&format!("{name}: "), "endpoint", code, refusal);
}
