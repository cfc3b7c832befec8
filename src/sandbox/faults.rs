//! Faults on demand, drawn from the seed: the same seed and the same requests in any order give the same faults.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::options::{DownloadFault, ErrorCode, SandboxOptions};

/// A million counters are forgotten rather than kept: a stand-in must not grow without end.
const TRIES_MAX: usize = 1_000_000;

/// Where a fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum FaultPoint {
    Ask,
    Redeem,
    Poll,
    Pay,
}

/// What goes wrong with a request before it is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    RateLimit,
    Internal,
    Unavailable,
}

/// The faults of one try of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Luck {
    /// The request is refused and nothing is done.
    pub refused: Option<Refusal>,
    /// It is acted on, and the connection is closed instead of an answer.
    pub dropped: bool,
    /// Of a dropped stream: whether its first message still goes out.
    pub late: bool,
}

const GOOD_LUCK: Luck = Luck { refused: None, dropped: false, late: false };

/// Draws every fault.
pub(super) struct Faults {
    options: SandboxOptions,
    tries: Mutex<HashMap<[u8; 32], u32>>,
}

impl FaultPoint {
    fn name(self) -> &'static str {
        self.into()
    }
}

impl Faults {
    pub(super) fn new(options: &SandboxOptions) -> Self {
        Self { options: options.clone(), tries: Mutex::new(HashMap::new()) }
    }

    /// What befalls this request now; asking again is the next try.
    pub(super) fn next(&self, place: FaultPoint, key: &[u8]) -> Luck {
        let o = &self.options;
        if o.drop_percent == 0 && o.fail_origin_percent == 0 && o.rate_limit_percent == 0 {
            return GOOD_LUCK;
        }
        let attempt = self.count(&[place.name()], key);
        let hits = |percent, what| self.hits(percent, &[place.name(), what], key, attempt);
        let refused = match place {
            FaultPoint::Ask | FaultPoint::Redeem if hits(o.rate_limit_percent, "rate") => Some(Refusal::RateLimit),
            FaultPoint::Ask | FaultPoint::Redeem if hits(o.fail_origin_percent, "fail") => {
                Some(if hits(50, "which") { Refusal::Internal } else { Refusal::Unavailable })
            }
            FaultPoint::Ask | FaultPoint::Redeem | FaultPoint::Poll | FaultPoint::Pay => None,
        };
        Luck { refused, dropped: hits(o.drop_percent, "drop"), late: hits(50, "late") }
    }

    /// The error code that this request is answered with now, where there is one.
    pub(super) fn error_code(&self, place: FaultPoint, key: &[u8]) -> Option<ErrorCode> {
        let code = match place {
            FaultPoint::Ask => self.options.ask_error,
            FaultPoint::Redeem => self.options.redeem_error,
            FaultPoint::Poll => self.options.poll_error,
            FaultPoint::Pay => None,
        }?;
        let most = self.options.errors.unwrap_or(u32::MAX);
        (self.count(&["error", place.name()], key) < most).then_some(code)
    }

    /// Whether the `attempt`-th payment of a hash fails.
    pub(super) fn fails_payment(&self, hash: &[u8; 32], attempt: u32) -> bool {
        self.hits(self.options.fail_pay_percent, &["payment"], hash, attempt)
    }

    /// Whether what is paid for this request is given back: the same at every try.
    pub(super) fn refunds(&self, request: &[u8; 32]) -> bool {
        self.hits(self.options.refund_percent, &["refund"], request, 0)
    }

    /// Whether this request's price drifts: the same at every try.
    pub(super) fn drifts(&self, request: &[u8; 32]) -> bool {
        self.hits(self.options.drift_jobs_percent, &["drift"], request, 0)
    }

    /// What goes wrong with the fetches of that video: one of the faults that are asked for, always the same.
    pub(super) fn of_download(&self, video: &[u8]) -> Option<DownloadFault> {
        let faults = &self.options.download_faults;
        let drawn = self.draw(&["download"], video, 0).checked_rem(faults.len() as u64)?;
        faults.get(usize::try_from(drawn).ok()?).copied()
    }

    fn hits(&self, percent: u8, what: &[&str], key: &[u8], attempt: u32) -> bool {
        percent > 0 && self.draw(what, key, attempt) % 100 < u64::from(percent)
    }

    fn draw(&self, what: &[&str], key: &[u8], attempt: u32) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.options.seed.to_be_bytes());
        hash.update(attempt.to_be_bytes());
        for word in what {
            hash.update(word.as_bytes());
            hash.update([0]);
        }
        hash.update(key);
        hash.finalize().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }

    fn count(&self, what: &[&str], key: &[u8]) -> u32 {
        let id = what.iter().fold(Sha256::new(), |hash, word| hash.chain_update(word).chain_update([0]));
        let id = id.chain_update(key).finalize().into();
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= TRIES_MAX {
            tries.clear();
        }
        let count = tries.entry(id).or_insert(0);
        let attempt = *count;
        *count = count.saturating_add(1);
        attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(seed: u64) -> Faults {
        let percents = SandboxOptions {
            drop_percent: 30,
            fail_origin_percent: 30,
            rate_limit_percent: 10,
            seed,
            ..SandboxOptions::default()
        };
        Faults::new(&percents)
    }

    fn story(faults: &Faults) -> Vec<Luck> {
        (0..50).map(|_| faults.next(FaultPoint::Ask, b"a request")).collect()
    }

    #[test]
    fn the_seed_tells_the_story() {
        assert_eq!(story(&faults(1)), story(&faults(1)));
        assert_ne!(story(&faults(1)), story(&faults(2)));
    }

    #[test]
    fn another_request_does_not_change_the_story() {
        let (one, two) = (faults(1), faults(1));
        two.next(FaultPoint::Ask, b"another");
        two.next(FaultPoint::Redeem, b"a request");
        assert_eq!(story(&one), story(&two));
    }

    #[test]
    fn percents_are_near_what_was_asked() {
        let dropped = (0..1_000_u32).filter(|n| faults(1).next(FaultPoint::Poll, &n.to_be_bytes()).dropped).count();
        assert!((200..400).contains(&dropped), "{dropped}");
    }

    #[test]
    fn without_percents_nothing_goes_wrong() {
        let faults = Faults::new(&SandboxOptions::default());
        assert_eq!(faults.next(FaultPoint::Ask, b"a request"), GOOD_LUCK);
        assert!(!faults.fails_payment(&[1; 32], 0));
    }
}
