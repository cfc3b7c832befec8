//! Whether a purchase may begin, by what endpoints have taken without delivering and what a node holds (rule 10).

use crate::ledger::{Asking, BatchKey, EndpointCount, HeldBack, IntentBounds, NodeCount, Prospect};
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

use super::takes::settles_until;
use super::{Against, BegunAt, Death, Endpoint, Held, PaymentState, Rejected, Undelivered, Word};

/// What is known of an endpoint that a purchase would go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFacts {
    /// Its URL, without the query.
    pub url: String,
    /// Host, and port where it is not the usual one.
    pub origin: String,
    /// Its row; none where nothing was ever bought there.
    pub known: Option<Endpoint>,
    /// What it has begun since its last delivery.
    pub begun: Vec<BegunAt>,
    /// The newest payment whose credential its origin does not take.
    pub rejected: Option<Rejected>,
    /// What persons have said of its origin, in the order of their numbers.
    pub words: Vec<Word>,
}

/// What is known where a purchase would begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// What the node holds.
    pub held: Vec<Held>,
    pub endpoint: EndpointFacts,
}

/// What a delivery changes of its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFacts {
    pub endpoint: Option<Endpoint>,
    /// What persons have said of its origin, in the order of their numbers.
    pub words: Vec<Word>,
    /// Payments at the origin that are rejected, or taken for nothing; looked for only where there are words.
    pub against: Vec<Against>,
}

/// The word by which a purchase may begin; none where nothing speaks against it. Or else why it may not.
pub fn admit(now: UnixMs, prospect: &Prospect, known: &Admission) -> Result<Option<u32>, HeldBack> {
    let Prospect { batch, url: _, node, bounds, asking } = prospect;
    node_is_full(now, *batch, node, *bounds, asking, &known.held).map_or(Ok(()), Err)?;
    let Some(held) = endpoint_is_held(now, *batch, *bounds, asking, &known.endpoint) else { return Ok(None) };
    match open_word(&known.endpoint.words) {
        Some(number) if asking.origin == 0 => Ok(Some(number)),
        Some(_) | None => Err(held),
    }
}

fn node_is_full(
    now: UnixMs,
    batch: BatchKey,
    node: &WalletId,
    bounds: IntentBounds,
    asking: &Asking,
    held: &[Held],
) -> Option<HeldBack> {
    let mut count = NodeCount::default();
    let mut taken = asking.slots;
    for payment in held {
        let is_followed = matches!(payment.job_state, JobState::Running | JobState::InDoubt);
        // What a person gave up so long ago that no node can make it any more counts no more.
        if !is_followed && settles_until(payment.invoice_expires_at, payment.cltv_limit) <= now {
            continue;
        }
        add(&mut count.held, true);
        add(&mut taken, asking.in_slots.binary_search(&payment.job).is_err());
        add(&mut count.in_doubt, payment.job_state == JobState::InDoubt);
        add(&mut count.held_elsewhere, is_followed && payment.batch != batch);
    }
    let full = !bounds.has_room_at_node(&count, taken);
    full.then(|| HeldBack::Doubt { node: node.clone(), count, bounds })
}

/// Why an endpoint gets no more payments; none where it may have one.
pub fn endpoint_is_held(
    now: UnixMs,
    batch: BatchKey,
    bounds: IntentBounds,
    asking: &Asking,
    known: &EndpointFacts,
) -> Option<HeldBack> {
    let (url, origin) = (&known.url, &known.origin);
    let word = (!bounds.is_play).then(|| next_word(known.words.iter().map(|word| word.number)));
    if let Some(rejected) = &known.rejected {
        return Some(HeldBack::Rejected {
            origin: origin.clone(),
            job: (rejected.batch_name.clone(), rejected.id.clone()),
            at: rejected.at,
            elsewhere: rejected.batch != batch && may_be_delivered(rejected.job_state, rejected.job_reason),
            word,
        });
    }
    let count = count_endpoint(batch, bounds.run_began, known);
    if bounds.has_room_at_endpoint(&count, asking.endpoint, now) {
        return None;
    }
    let (url, origin, most) = (url.clone(), origin.clone(), bounds.max_undelivered);
    Some(HeldBack::Undelivered { url, origin, count, most, word })
}

/// What was given up counts for ever: whoever gave it up takes it for paid, and for nothing.
fn count_endpoint(batch: BatchKey, run_began: UnixMs, known: &EndpointFacts) -> EndpointCount {
    let delivered_at = known.known.as_ref().and_then(|endpoint| endpoint.delivered_at);
    let mut count = EndpointCount { delivered_at, ..EndpointCount::default() };
    for payment in &known.begun {
        let is_open = may_be_delivered(payment.job_state, payment.job_reason);
        add(&mut count.begun, true);
        add(&mut count.undelivered, payment.undelivered == Undelivered::Taken);
        add(&mut count.open, is_open);
        add(&mut count.open_elsewhere, is_open && payment.batch != batch);
        add(&mut count.begun_before, payment.intended_at < run_began);
    }
    count
}

fn add(count: &mut u64, counts: bool) {
    *count = count.saturating_add(u64::from(counts));
}

/// Whether a purchase that stands so may still be delivered.
pub fn may_be_delivered(state: JobState, reason: Reason) -> bool {
    matches!(state, JobState::Running | JobState::InDoubt | JobState::Paid) && reason != Reason::UnknownAnswer
}

/// The word that is not used up: no payment began by it, or one that is dead.
fn open_word(words: &[Word]) -> Option<u32> {
    let is_open = |word: &&Word| {
        !word.has_lapsed
            && word.payment.is_none_or(|(_, state, death)| {
                state == PaymentState::Dead && death.is_some_and(|death| death != Death::Decided)
            })
    };
    words.iter().filter(is_open).map(|word| word.number).min()
}

/// The number that the word after these has.
pub fn next_word(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.max().unwrap_or_default().saturating_add(1)
}
