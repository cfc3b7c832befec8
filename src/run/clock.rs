//! The run's clock: a port, so that a simulation can have its own.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::UnixMs;

/// Tells the time and waits.
pub trait Clock {
    /// Now.
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
