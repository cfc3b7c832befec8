//! Signals: the first drains, the second leaves; one that ends the machine's session drains with a deadline.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use super::{Controller, DrainCause};

/// Told to end by something other than a person's key, a run leaves after this long.
const TERMINATION_PATIENCE: Duration = Duration::from_secs(60);

/// Which signal a run was told to stop by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// SIGINT: Ctrl-C was pressed.
    Interrupted,
    /// SIGTERM, or SIGHUP: the terminal has gone.
    Terminated,
}

/// The signals of one command, from the first time that it listens to its end: none that comes between two pieces of its
/// work is lost.
#[derive(Debug, Default)]
pub struct Signals {
    streams: OnceCell<Mutex<Streams>>,
    stopped: Cell<Option<Stopped>>,
}

#[derive(Debug)]
struct Streams {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// The first signal that was heeded.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped.get()
    }

    /// Heeds signals for as long as it is polled, those too that came since it was polled last, and never ends by itself.
    ///
    /// # Errors
    /// Where the signals cannot be listened for.
    pub async fn listen(&self, controller: &Controller) -> std::io::Result<()> {
        let mut streams = self.streams()?.lock().await;
        if let Some(stopped) = self.stopped.get() {
            controller.drain(stopped.cause());
        }
        loop {
            let patience = async {
                match self.stopped.get() {
                    Some(Stopped::Terminated) => tokio::time::sleep(TERMINATION_PATIENCE).await,
                    Some(Stopped::Interrupted) | None => std::future::pending().await,
                }
            };
            let came = tokio::select! {
                came = streams.next() => came,
                () = patience => {
                    controller.leave();
                    std::future::pending::<Stopped>().await
                }
            };
            if self.stopped.get().is_some() {
                controller.leave();
            } else {
                self.stopped.set(Some(came));
                controller.drain(came.cause());
            }
        }
    }

    /// Returns at the first signal of any kind.
    ///
    /// # Errors
    /// Where the signals cannot be listened for.
    pub async fn first(&self) -> std::io::Result<Stopped> {
        let mut streams = self.streams()?.lock().await;
        match self.stopped.get() {
            Some(stopped) => Ok(stopped),
            None => {
                let came = streams.next().await;
                self.stopped.set(Some(came));
                Ok(came)
            }
        }
    }

    fn streams(&self) -> std::io::Result<&Mutex<Streams>> {
        if let Some(streams) = self.streams.get() {
            return Ok(streams);
        }
        let streams = Streams {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        };
        Ok(self.streams.get_or_init(|| Mutex::new(streams)))
    }
}

impl Streams {
    async fn next(&mut self) -> Stopped {
        tokio::select! {
            _ = self.interrupt.recv() => Stopped::Interrupted,
            _ = self.terminate.recv() => Stopped::Terminated,
            _ = self.hangup.recv() => Stopped::Terminated,
        }
    }
}

impl Stopped {
    const fn cause(self) -> DrainCause {
        match self {
            Self::Interrupted => DrainCause::Interrupted,
            Self::Terminated => DrainCause::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one process there is one set of signals, so this is one test.
    #[tokio::test]
    async fn a_signal_between_two_pieces_of_work_is_heeded_by_the_second() {
        let signals = Signals::default();
        let (controller, control) = Controller::new();
        let listening = async {
            tokio::select! {
                result = signals.listen(&controller) => result,
                () = tokio::task::yield_now() => Ok(()),
            }
        };
        listening.await.unwrap();
        assert!(!control.draining());
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        // The second piece of work, with a controller of its own.
        let (controller, control) = Controller::new();
        tokio::select! {
            result = signals.listen(&controller) => result.unwrap(),
            () = control.until_draining() => {}
        }
        assert_eq!(control.drain_cause(), Some(DrainCause::Terminated));
        assert_eq!(signals.stopped(), Some(Stopped::Terminated));
        // A third begins drained, and a question ends at once.
        let (controller, control) = Controller::new();
        tokio::select! {
            result = signals.listen(&controller) => result.unwrap(),
            () = control.until_draining() => {}
        }
        assert_eq!(signals.first().await.unwrap(), Stopped::Terminated);
        // Another one leaves at once.
        rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
        tokio::select! {
            result = signals.listen(&controller) => result.unwrap(),
            () = control.until_leaving() => {}
        }
    }
}
