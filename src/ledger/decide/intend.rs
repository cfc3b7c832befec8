//! The intent: budget reserved, and all that paying and redeeming need made durable.

use crate::catalog::DedupPolicy;
use crate::ledger::{Asking, CLTV_LIMIT, Committed, IntentRefusal, NewIntent, PaymentKey, Prospect};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::jobs::JobUpdate;
use super::takes::earlier_take;
use super::{
    Admission, Alike, Buyer, Charged, EndpointKey, Facts, Fate, Intent, Job, Payment, Redeeming, ReusablePayment,
    Ruling, Sends, Take, Unfit, Used, Write, admit, alike, budget, contradiction, token,
};

/// What a new intent depends on, besides its job and the takes of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentFacts {
    pub buyer: Buyer,
    /// The payment hash is known already.
    pub knows_hash: bool,
    /// Purchases with the identical request whose payment is not dead, in the order of their payments and jobs.
    pub alike: Vec<Alike>,
    pub admission: Admission,
    pub used: Used,
    /// The purchase on which the token there depends, where the intent buys one.
    pub token: Option<ReusablePayment>,
    /// The key of the next endpoint.
    pub next_endpoint: EndpointKey,
}

/// Decides [`Record::Intend`](crate::ledger::Record::Intend).
pub fn intend<'a>(facts: &Facts, now: UnixMs, intent: &'a NewIntent) -> Result<Ruling<'a>, Unfit> {
    let job = facts.job(intent.job)?;
    let cost = expect_buyable(job, &facts.takes, intent)?;
    let Some(known) = &facts.intending else { return contradiction("an intent of which nothing was looked up") };
    let (word, charged) = match fit(facts, known, now, job, intent, cost) {
        Ok(fits) => fits,
        Err(refusal) => return Ok(Ruling::new(Committed::IntentRefused(refusal))),
    };
    let endpoint = &known.admission.endpoint;
    let endpoint_key = endpoint.known.as_ref().map_or(known.next_endpoint, |endpoint| endpoint.key);
    let payment = new_payment(facts.next.payment, now, job, intent, charged, endpoint_key);
    let payment = Payment { token_at: token::bought_at(now, intent.reuse, known.token.as_ref()), ..payment };
    let kept = Intent {
        invoice: intent.invoice.clone(),
        invoice_expires_at: intent.invoice_expires_at,
        credential_expires_at: intent.credential_expires_at,
        scheme: intent.scheme,
        token: intent.token.reveal().to_owned(),
        headers: intent.request.headers().to_vec(),
    };
    let mut ruling = Ruling::new(Committed::Intent(payment.durable(&kept)));
    let origin = endpoint.origin.clone();
    if endpoint.known.is_none() {
        ruling.write(Write::Endpoint { key: endpoint_key, url: endpoint.url.clone(), origin: origin.clone() });
    }
    budget::begin_periods(&mut ruling, &known.used, &payment.charged);
    budget::keep_origin_sums(&mut ruling, endpoint);
    budget::hold(&mut ruling, &payment)?;
    let key = payment.key;
    ruling.write(Write::Intend(Box::new(payment), intent));
    ruling.writes.extend(word.map(|number| Write::UseWord { origin, number, payment: key }));
    ruling.change(now, job, &JobUpdate { attempt: true, ..JobUpdate::to(JobState::Running, Reason::None) });
    Ok(ruling)
}

/// That the job is still to be bought, for no more than its price; gives the most that this payment can cost.
fn expect_buyable(job: &Job, takes: &[Take], intent: &NewIntent) -> Result<Msat, Unfit> {
    let key = intent.job.0;
    if job.state != JobState::Pending || job.superseded {
        return contradiction(format!("an intent for job {key}, which is {}", job.state.as_str()));
    }
    if intent.amount > job.price || intent.amount == Msat::ZERO {
        return contradiction(format!("an intent of {} for job {key}, whose price is {}", intent.amount, job.price));
    }
    if intent.fee_limit > job.fee_ceiling {
        return contradiction(format!(
            "an intent with a fee limit of {} for job {key}, whose ceiling is {}",
            intent.fee_limit, job.fee_ceiling
        ));
    }
    if takes.iter().any(|take| take.job.key == intent.job && take.has_live_payment()) {
        return contradiction(format!("an intent for job {key}, which has a live payment"));
    }
    match intent.amount.checked_add(intent.fee_limit) {
        Some(cost) if job.max_cost.is_none_or(|most| cost <= most) => Ok(cost),
        Some(_) | None => contradiction(format!("an intent above the own limit of job {key}")),
    }
}

/// The word by which the purchase may begin, if one is needed, and where it is charged; or why it may not be made.
fn fit(
    facts: &Facts,
    known: &IntentFacts,
    now: UnixMs,
    job: &Job,
    intent: &NewIntent,
    cost: Msat,
) -> Result<(Option<u32>, Charged), IntentRefusal> {
    if known.knows_hash {
        return Err(IntentRefusal::HashKnown);
    }
    if let Some(original) = alike::bought_elsewhere(&known.buyer, &facts.takes, intent.network, &known.alike) {
        return Err(IntentRefusal::Duplicate(original));
    }
    if intent.reuse.is_some_and(|reuse| !token::may_buy(reuse, known.token.as_ref())) {
        return Err(IntentRefusal::TokenKnown);
    }
    if has_identical(known, now, intent) {
        return Err(IntentRefusal::IdenticalKnown);
    }
    if let Some(until) = earlier_take(&facts.takes, intent.job, now) {
        return Err(IntentRefusal::EarlierTake { until });
    }
    let prospect = Prospect {
        batch: job.batch,
        url: intent.endpoint_url.clone(),
        node: intent.node.clone(),
        bounds: intent.bounds,
        asking: Asking::default(),
        cost,
        caps: intent.caps.clone(),
    };
    if let Some(most) = intent.caps.origin.job.filter(|most| cost > *most) {
        return Err(IntentRefusal::OriginJobLimit { cost, most });
    }
    let word = admit(now, &prospect, &known.admission).map_err(IntentRefusal::HeldBack)?;
    Ok((word, budget::fit(&known.used, &intent.caps, cost)?))
}

/// Whether an identical request is under way, or was within its window (rule 9). Whoever asked looked before it did; here
/// the looks of two processes, or of two endpoints of one address, cannot cross.
fn has_identical(known: &IntentFacts, now: UnixMs, intent: &NewIntent) -> bool {
    let identical = alike::identical_request(intent.job, &known.alike);
    identical.is_some_and(|identical| {
        intent.dedup != DedupPolicy::Never
            && (identical.is_in_the_way(intent.dedup) || identical.window_left_ms(intent.dedup, now) > 0)
    })
}

fn new_payment(
    key: PaymentKey,
    now: UnixMs,
    job: &Job,
    intent: &NewIntent,
    charged: Charged,
    endpoint: EndpointKey,
) -> Payment {
    Payment {
        key,
        job: job.key,
        batch: job.batch,
        hash: intent.hash,
        amount: intent.amount,
        fee_limit: intent.fee_limit,
        cltv_limit: Some(CLTV_LIMIT),
        node: intent.node.clone(),
        charged,
        intended_at: now,
        endpoint: Some(endpoint),
        token_at: None,
        sends: Sends::first(now),
        fate: Fate::INTENDED,
        redeeming: Redeeming::NOT_BEGUN,
    }
}
