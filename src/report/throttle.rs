//! How often a view may be written again.

use crate::time::UnixMs;

/// Between the end of one writing and the begin of the next, at least.
const PAUSE_MS_MIN: i64 = 3_000;

/// A writing that took long is followed by a pause of this many times its length, so that views of a large batch take
/// a small share of the disk's time.
const PAUSE_PER_WRITING: i64 = 10;

/// Allows a repeated work at most every few seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throttle {
    /// When the last work ended, and how long to wait from there, in milliseconds.
    last: Option<(UnixMs, i64)>,
}

impl Throttle {
    /// Nothing was done yet: the first time is due.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Whether the work may be done at `now`. A clock that was set back makes it due.
    #[must_use]
    pub fn due(&self, now: UnixMs) -> bool {
        self.last.is_none_or(|(ended, pause_ms)| now.since_ms(ended) >= pause_ms || now < ended)
    }

    /// The work was done.
    pub fn done(&mut self, began: UnixMs, ended: UnixMs) {
        let took_ms = ended.since_ms(began).max(0);
        self.last = Some((ended, took_ms.saturating_mul(PAUSE_PER_WRITING).max(PAUSE_MS_MIN)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_work_waits_seconds_and_a_long_one_longer() {
        let mut throttle = Throttle::new();
        assert!(throttle.due(UnixMs(0)));
        throttle.done(UnixMs(0), UnixMs(5));
        assert_eq!([3_004, 3_005].map(|now| throttle.due(UnixMs(now))), [false, true]);
        throttle.done(UnixMs(10_000), UnixMs(12_000));
        assert_eq!([31_999, 32_000].map(|now| throttle.due(UnixMs(now))), [false, true]);
        assert!(throttle.due(UnixMs(11_999)), "a clock set back does not stop the views");
    }
}
