//! A listener behind a thread, so that a stalled terminal or pipe cannot stall a payment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::event::{Event, Listener};

use super::sink::locked;

/// Events that wait for a reader. When they are that many, further ones are counted instead of kept.
const WAITING_EVENTS_MAX: usize = 16_384;

/// The thread rests so long after it has told what there was: waking it for each single event would cost the run more
/// than the telling, and nobody reads faster.
const REST: Duration = Duration::from_millis(20);

/// Hands events to another listener on a thread of its own. Hearing never blocks; where the other side has stalled and
/// the queue is full, events are not shown, and a warning says how many once it moves again. The ledger has them all.
pub struct Background {
    /// None once closed.
    queue: Mutex<Option<mpsc::Sender<Entry>>>,
    unshown: Arc<AtomicU64>,
    /// The end of the run, where the queue had no room for it: it alone must not be missed.
    last: Arc<Mutex<Option<Event>>>,
    /// Closes when the thread has told everything.
    ended: Mutex<Receiver<()>>,
}

/// What waits for the thread.
enum Entry {
    Heard(Event),
    /// Everything before it is told: whoever waits for that is told so.
    Told(SyncSender<()>),
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn new(listener: Arc<dyn Listener + Send + Sync>) -> std::io::Result<Self> {
        // Takes memory for what waits, not for all that may.
        let (queue, mut events) = mpsc::channel(WAITING_EVENTS_MAX);
        let (done, ended) = sync_channel::<()>(1);
        let unshown = Arc::new(AtomicU64::new(0));
        let last = Arc::new(Mutex::new(None));
        let (missed, kept) = (Arc::clone(&unshown), Arc::clone(&last));
        thread::Builder::new().name("report".to_owned()).spawn(move || {
            // Dropped at the end of the thread, which is what `close` waits for.
            let _done = done;
            while let Some(first) = events.blocking_recv() {
                for entry in std::iter::once(first).chain(std::iter::from_fn(|| events.try_recv().ok())) {
                    tell_missed(&*listener, &missed);
                    match entry {
                        Entry::Heard(event) => listener.hear(&event),
                        // Nobody waits any more where patience has ended.
                        Entry::Told(waiting) => drop(waiting.try_send(())),
                    }
                }
                thread::sleep(REST);
            }
            tell_missed(&*listener, &missed);
            if let Some(event) = locked(&kept).take() {
                listener.hear(&event);
            }
        })?;
        Ok(Self { queue: Mutex::new(Some(queue)), unshown, last, ended: Mutex::new(ended) })
    }

    /// Waits until everything heard so far is told, at most `patience`.
    pub fn settle(&self, patience: Duration) {
        let (told, waiting) = sync_channel(1);
        let queue = locked(&self.queue).clone();
        if queue.is_some_and(|queue| queue.try_send(Entry::Told(told)).is_ok()) {
            let _ = waiting.recv_timeout(patience);
        }
    }

    /// Waits until everything heard so far is told, at most `patience`; hears nothing more. False where the other side
    /// did not take it all in that time.
    pub fn close(&self, patience: Duration) -> bool {
        drop(locked(&self.queue).take());
        matches!(locked(&self.ended).recv_timeout(patience), Err(RecvTimeoutError::Disconnected))
    }
}

impl Listener for Background {
    fn hear(&self, event: &Event) {
        let queue = locked(&self.queue);
        let Some(queue) = queue.as_ref() else { return };
        match queue.try_send(Entry::Heard(event.clone())) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(Entry::Heard(event @ Event::RunEnded(_)))) => *locked(&self.last) = Some(event),
            Err(TrySendError::Full(_)) => {
                self.unshown.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn tell_missed(listener: &dyn Listener, missed: &AtomicU64) {
    let count = missed.swap(0, Ordering::Relaxed);
    if count > 0 {
        let message = format!("the reader was too slow: {count} events were not shown");
        listener.hear(&Event::Warning { message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Lines;
    use crate::report::testing::{Shared, ended, story};

    /// Hears nothing until it is let go.
    struct Stalled {
        gate: Mutex<()>,
        heard: Mutex<Vec<Event>>,
    }

    impl Listener for Stalled {
        fn hear(&self, event: &Event) {
            let _gate = locked(&self.gate);
            locked(&self.heard).push(event.clone());
        }
    }

    #[test]
    fn everything_is_told_in_order() {
        let (direct, behind) = (Shared::default(), Shared::default());
        let plain = Lines::new(direct.clone());
        let background = Background::new(Arc::new(Lines::new(behind.clone()))).unwrap();
        for event in &story() {
            plain.hear(event);
            background.hear(event);
        }
        background.settle(Duration::from_secs(60));
        assert_eq!(behind.text(), direct.text());
        assert!(background.close(Duration::from_secs(60)));
        background.settle(Duration::from_secs(60));
        assert_eq!(behind.text(), direct.text());
    }

    #[test]
    fn a_stalled_reader_blocks_nobody_and_learns_what_it_missed() {
        let stalled = Arc::new(Stalled { gate: Mutex::default(), heard: Mutex::default() });
        let background = Background::new(Arc::clone(&stalled) as Arc<dyn Listener + Send + Sync>).unwrap();
        let gate = locked(&stalled.gate);
        // Returns although nobody reads: one may be in the thread's hand, the queue is full, the rest is counted.
        for _ in 0..WAITING_EVENTS_MAX + 100 {
            background.hear(&Event::Resumed);
        }
        background.hear(&Event::RunEnded(Box::new(ended())));
        assert!(!background.close(Duration::ZERO));
        drop(gate);
        assert!(background.close(Duration::from_secs(60)));
        let heard = locked(&stalled.heard);
        assert!(heard.iter().any(|event| matches!(event, Event::Warning { .. })));
        // One in the thread's hand, the end, and a warning before and after that one was taken out.
        assert!(heard.len() <= WAITING_EVENTS_MAX + 4);
        assert!(matches!(heard.last(), Some(Event::RunEnded(_))), "the end is not missed");
    }
}
