//! A person's word for an origin that gets no more payments: it lets one purchase begin there, once.

use crate::ledger::{Asking, BatchKey, IntentBounds, Trusted};
use crate::time::UnixMs;

use super::{Death, EndpointFacts, PaymentState, Undelivered, Write, endpoint_is_held, next_word};

/// What a word for an origin depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginFacts {
    /// The words that were said for it.
    pub words: Vec<WordSaid>,
    /// Its endpoints at which anything was bought.
    pub endpoints: Vec<EndpointFacts>,
}

/// A word as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordSaid {
    pub number: u32,
    pub has_lapsed: bool,
    /// The purchase that it let begin.
    pub by: Option<BegunByWord>,
}

/// A purchase that began by a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunByWord {
    pub batch_name: String,
    pub id: String,
    pub state: PaymentState,
    pub death: Option<Death>,
    pub undelivered: Undelivered,
}

impl WordSaid {
    /// The purchase that it let begin, unless that was never paid for.
    fn purchase(&self) -> Option<&BegunByWord> {
        self.by.as_ref().filter(|by| by.state != PaymentState::Dead || by.death == Some(Death::Decided))
    }
}

/// What becomes of a word: it is to be recorded, or why not.
pub fn trusted(known: &OriginFacts, now: UnixMs, batch: BatchKey, number: u32, bounds: IntentBounds) -> Trusted {
    let next = next_word(known.words.iter().map(|word| word.number));
    let of_number = |number: u32| known.words.iter().find(|word| word.number == number);
    if let Some(word) = of_number(number) {
        return match word.purchase() {
            None if !word.has_lapsed => Trusted::InForce,
            by => Trusted::UsedUp { by: by.map(|by| (by.batch_name.clone(), by.id.clone())), next },
        };
    }
    if number != next {
        return Trusted::OutOfTurn(next);
    }
    if let Some(before) = of_number(next.saturating_sub(1)) {
        match before.purchase() {
            Some(by) if by.undelivered == Undelivered::Begun => {
                return Trusted::UnderWay(by.batch_name.clone(), by.id.clone());
            }
            None if !before.has_lapsed => return Trusted::InForce,
            Some(_) | None => {}
        }
    }
    let is_held = |endpoint| endpoint_is_held(now, batch, bounds, &Asking::default(), endpoint).is_some();
    if known.endpoints.iter().any(is_held) { Trusted::Recorded } else { Trusted::NotNeeded }
}

/// The same, and what is written of it.
pub fn trust<'a>(
    known: &OriginFacts,
    now: UnixMs,
    batch: BatchKey,
    (origin, number): (&str, u32),
    bounds: IntentBounds,
) -> (Trusted, Vec<Write<'a>>) {
    let trusted = trusted(known, now, batch, number, bounds);
    let word =
        (trusted == Trusted::Recorded).then(|| Write::Word { origin: origin.to_owned(), number, batch, at: now });
    (trusted, word.into_iter().collect())
}
