//! A body on its way: it may take its time, but it has to come.

use crate::origin::{FetchBody, FetchFailure};
use crate::run::Clock;

/// What has to come within the idle time, in bytes: a drip is no flow.
const FLOW_BYTES_MIN: usize = 16 * 1024;

/// What came of waiting for more of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Piece(Vec<u8>),
    End,
    Broken(String),
    /// It is not what the address says of it.
    Unfit(String),
}

/// How long has been waited since enough came.
#[derive(Debug, Default)]
pub(super) struct Flow {
    waited_ms: u64,
    came: usize,
}

impl Flow {
    /// The next piece. Only waiting for it counts, not what is done with it.
    pub(super) async fn next<B: FetchBody, C: Clock>(&mut self, body: &mut B, clock: &C, idle_ms: u64) -> Next {
        let began = clock.now();
        let piece = tokio::select! {
            biased;
            piece = body.piece() => piece,
            () = clock.sleep_ms(idle_ms.saturating_sub(self.waited_ms)) => return Next::Broken(idle_words(idle_ms)),
        };
        self.waited_ms = self.waited_ms.saturating_add(u64::try_from(clock.now().since_ms(began)).unwrap_or(0));
        match piece {
            Err(failure @ FetchFailure::NotPacked(_)) => Next::Unfit(failure.to_string()),
            Err(failure) => Next::Broken(failure.to_string()),
            Ok(None) => Next::End,
            Ok(Some(piece)) => {
                self.came = self.came.saturating_add(piece.len());
                if self.came >= FLOW_BYTES_MIN {
                    *self = Self::default();
                }
                Next::Piece(piece)
            }
        }
    }
}

/// That nothing came.
pub(super) fn idle_words(idle_ms: u64) -> String {
    format!("nothing to speak of came for {} s", idle_ms / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::SystemClock;
    use crate::time::UnixMs;
    use std::time::Duration;

    /// A piece of that many bytes each time, after so many milliseconds.
    struct Drip(u64, usize);

    impl FetchBody for Drip {
        async fn piece(&mut self) -> Result<Option<Vec<u8>>, FetchFailure> {
            tokio::time::sleep(Duration::from_millis(self.0)).await;
            Ok(Some(vec![0; self.1]))
        }
    }

    /// The paused time of a test.
    struct Paused(tokio::time::Instant);

    impl Clock for Paused {
        fn now(&self) -> UnixMs {
            UnixMs(i64::try_from(self.0.elapsed().as_millis()).unwrap())
        }
        async fn sleep_ms(&self, ms: u64) {
            SystemClock.sleep_ms(ms).await;
        }
    }

    async fn pieces_of(mut body: Drip) -> usize {
        let (clock, mut flow) = (Paused(tokio::time::Instant::now()), Flow::default());
        for n in 0..1_000 {
            if !matches!(flow.next(&mut body, &clock, 60_000).await, Next::Piece(_)) {
                return n;
            }
        }
        1_000
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_breaks_off_and_a_slow_flow_does_not() {
        assert_eq!(pieces_of(Drip(61_000, 1_000_000)).await, 0, "nothing came for a minute");
        assert_eq!(pieces_of(Drip(1_000, 1)).await, 60, "a byte a second");
        assert_eq!(pieces_of(Drip(50_000, FLOW_BYTES_MIN)).await, 1_000);
    }
}
