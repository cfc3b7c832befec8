//! Whether a purchase may begin, by what endpoints have taken without delivering and what a node holds (rule 10).

use crate::ledger::{
    Asking, BatchKey, EndpointCount, HeldBack, IntentBounds, NodeCount, OriginCaps, OriginLimit, OriginUsed, Prospect,
};
use crate::money::Msat;
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

use super::takes::settles_until;
use super::{Against, BegunAt, Death, Endpoint, EndpointKey, Held, PaymentState, Rejected, Undelivered, Word};

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
    /// What its origin has of us; looked up only where that is limited.
    pub of_origin: Option<OriginSums>,
}

/// What an origin has of us, as far as that is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginSums {
    pub day: Option<OriginSum>,
    pub month: Option<OriginSum>,
    /// In all; none where it has ever delivered.
    pub new: Option<OriginSum>,
    /// Where it has not, whether a purchase there is open that may still be delivered.
    pub is_open: bool,
    /// Its endpoints.
    pub endpoints: Vec<EndpointKey>,
}

impl OriginSums {
    /// What is used of each.
    pub fn used(&self) -> OriginUsed {
        let used = |sum: &Option<OriginSum>| sum.as_ref().map(|sum| sum.used);
        OriginUsed {
            day: used(&self.day).unwrap_or_default(),
            month: used(&self.month).unwrap_or_default(),
            new: used(&self.new),
        }
    }
}

/// What an origin has of us in a day, a month, or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginSum {
    /// The period's name; [`IN_ALL`] where it is of all.
    pub period: String,
    /// Spent and held, fees included.
    pub used: Msat,
    /// It is kept, and changes with each payment. Else it was summed up over them.
    pub is_kept: bool,
}

/// The name of the period that never ends.
pub const IN_ALL: &str = "all";

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
    let Prospect { batch, url: _, node, bounds, asking, cost, caps } = prospect;
    node_is_full(now, *batch, node, *bounds, asking, &known.held).map_or(Ok(()), Err)?;
    let held = endpoint_is_held(now, *batch, *bounds, asking, &known.endpoint);
    let word = match (held, open_word(&known.endpoint.words)) {
        (None, _) => None,
        (Some(_), Some(number)) if asking.origin == 0 => Some(number),
        (Some(held), Some(_) | None) => return Err(held),
    };
    // A person's word for an origin raises no limit.
    origin_is_full(*cost, &caps.origin, &known.endpoint).map_or(Ok(word), Err)
}

/// The limit of its origin that does not hold what may cost so much.
fn origin_is_full(cost: Msat, caps: &OriginCaps, known: &EndpointFacts) -> Option<HeldBack> {
    let sums = known.of_origin.as_ref()?;
    let limits = [
        (OriginLimit::New, caps.new, &sums.new),
        (OriginLimit::Day, caps.day, &sums.day),
        (OriginLimit::Month, caps.month, &sums.month),
    ];
    limits.into_iter().find_map(|(limit, most, sum)| {
        let (most, used) = (most?, sum.as_ref()?.used);
        let is_full = used.checked_add(cost).is_none_or(|sum| sum > most);
        is_full.then(|| HeldBack::OriginLimit {
            origin: known.origin.clone(),
            limit,
            cost,
            used,
            most,
            is_open: sums.is_open,
        })
    })
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
    state.is_open() && reason != Reason::UnknownAnswer
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
