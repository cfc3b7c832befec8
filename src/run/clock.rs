//! The run's clock: a port, so that a simulation can have its own.

use std::cell::Cell;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::UnixMs;

/// Tells the time and waits.
pub trait Clock {
    /// The time now, in milliseconds since 1970 (UTC).
    fn now(&self) -> UnixMs;

    /// Waits for so many milliseconds.
    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()>;
}

/// The machine's clock, and tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        UnixMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// Another clock's time, without its steps back. A run whose clock is set back by an hour must not wait an hour for what
/// was due in a second: a host's turn, a pause, a paid redeem. What the run writes down is by this time too.
#[derive(Debug)]
pub(crate) struct SteadyClock<'a, C> {
    clock: &'a C,
    /// What the clock showed last.
    shown: Cell<UnixMs>,
    /// How far it was set back so far, in milliseconds.
    set_back_ms: Cell<i64>,
}

impl<'a, C: Clock> SteadyClock<'a, C> {
    pub(crate) fn new(clock: &'a C) -> Self {
        Self { clock, shown: Cell::new(clock.now()), set_back_ms: Cell::new(0) }
    }
}

impl<C: Clock> Clock for SteadyClock<'_, C> {
    fn now(&self) -> UnixMs {
        let now = self.clock.now();
        let back_ms = self.shown.replace(now).since_ms(now).max(0);
        self.set_back_ms.set(self.set_back_ms.get().saturating_add(back_ms));
        now.plus_ms(self.set_back_ms.get())
    }

    async fn sleep_ms(&self, ms: u64) {
        self.clock.sleep_ms(ms).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Set(Cell<i64>);

    impl Clock for Set {
        fn now(&self) -> UnixMs {
            UnixMs(self.0.get())
        }
        async fn sleep_ms(&self, _: u64) {}
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let clock = Set(Cell::new(1_000));
        let steady = SteadyClock::new(&clock);
        for (shown, expected) in [(1_500, 1_500), (200, 1_500), (300, 1_600), (100, 1_600), (5_000, 6_500)] {
            clock.0.set(shown);
            assert_eq!(steady.now(), UnixMs(expected), "it shows {shown}");
        }
    }
}
