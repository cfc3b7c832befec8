//! A body on its way: it may take its time, but it has to come.

use bytes::Bytes;

use crate::origin::{FetchBody, FetchFailure};
use crate::run::Clock;

/// What has to come within the idle time, in bytes: a drip is no flow.
const FLOW_BYTES_MIN: usize = 16 * 1024;

/// What came of waiting for more of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Piece(Bytes),
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

/// Smaller pieces are copied together: each that is kept by itself costs as much again.
const SMALL_BYTES: usize = 4 * 1024;

/// Pieces that came and are not written yet. All but small ones go to the disk as they came.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pieces: Vec<Bytes>,
    /// Small pieces behind them.
    small: Vec<u8>,
    bytes: usize,
}

impl Gathered {
    pub(super) fn add(&mut self, piece: Bytes) {
        self.bytes = self.bytes.saturating_add(piece.len());
        if piece.len() < SMALL_BYTES {
            self.small.extend_from_slice(&piece);
        } else {
            self.end_small();
            self.pieces.push(piece);
        }
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(std::mem::take(&mut self.small).into());
        }
    }

    /// How many bytes they are together.
    pub(super) const fn len(&self) -> usize {
        self.bytes
    }

    /// The pieces, in order; then there are none.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.end_small();
        std::mem::take(self).pieces
    }

    /// All of them as one.
    pub(super) fn joined(&self) -> Vec<u8> {
        [self.pieces.concat(), self.small.clone()].concat()
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
        async fn piece(&mut self) -> Result<Option<Bytes>, FetchFailure> {
            tokio::time::sleep(Duration::from_millis(self.0)).await;
            Ok(Some(vec![0; self.1].into()))
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

    #[test]
    fn what_is_gathered_is_what_came() {
        let (mut gathered, mut came) = (Gathered::default(), Vec::new());
        for size in [1, 3, 0, SMALL_BYTES, 2, SMALL_BYTES - 1, 5 * SMALL_BYTES, 0, 7] {
            let piece = vec![u8::try_from(size % 251).unwrap(); size];
            came.extend_from_slice(&piece);
            gathered.add(piece.into());
            assert_eq!((gathered.len(), gathered.joined()), (came.len(), came.clone()));
        }
        let pieces = gathered.take();
        assert_eq!((pieces.len(), pieces.concat()), (5, came));
        assert_eq!((gathered.len(), gathered.take().len()), (0, 0));
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
