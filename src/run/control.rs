//! How a run is told to stop: by a signal, a deadline, or its own end.

use tokio::sync::watch;

/// Why nothing new is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainCause {
    /// SIGINT: a person pressed Ctrl-C.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
    /// The deadline has come.
    Deadline,
    /// Only a round of recovery was wanted: each open job once.
    OneRound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Run,
    Drain(DrainCause),
    Leave,
}

/// The side that tells.
#[derive(Debug)]
pub struct Controller {
    mode: watch::Sender<Mode>,
    buying: watch::Sender<bool>,
}

/// The side that listens.
#[derive(Clone, Debug)]
pub struct Control {
    mode: watch::Receiver<Mode>,
    buying: watch::Receiver<bool>,
}

impl Controller {
    /// A run that goes on until it is told otherwise.
    #[must_use]
    pub fn new() -> (Self, Control) {
        Self::begin(Mode::Run)
    }

    /// A run that brings every open job one step on and waits for nothing.
    #[must_use]
    pub fn one_round() -> (Self, Control) {
        Self::begin(Mode::Drain(DrainCause::OneRound))
    }

    fn begin(mode: Mode) -> (Self, Control) {
        let (mode, heard_mode) = watch::channel(mode);
        let (buying, heard_buying) = watch::channel(true);
        (Self { mode, buying }, Control { mode: heard_mode, buying: heard_buying })
    }

    /// Buy nothing more in this run; what is open goes on to its end.
    pub fn stop_buying(&self) {
        self.buying.send_replace(false);
    }

    /// Admit nothing new, let payments end, redeem each once, leave the rest to the next run.
    pub fn drain(&self, cause: DrainCause) {
        self.mode.send_if_modified(|mode| match mode {
            Mode::Run | Mode::Drain(DrainCause::OneRound) => {
                *mode = Mode::Drain(cause);
                true
            }
            // What the deadline lets go on, a person can still stop.
            Mode::Drain(DrainCause::Deadline) if cause != DrainCause::Deadline => {
                *mode = Mode::Drain(cause);
                true
            }
            Mode::Drain(DrainCause::Interrupted | DrainCause::Terminated | DrainCause::Deadline) | Mode::Leave => false,
        });
    }

    /// Leave at once; the ledger is whole.
    pub fn leave(&self) {
        self.mode.send_replace(Mode::Leave);
    }
}

impl Control {
    /// The same as [`Controller::one_round`], of a run that nobody stops.
    #[must_use]
    pub fn one_round() -> Self {
        Controller::one_round().1
    }

    pub(super) fn draining(&self) -> bool {
        !matches!(*self.mode.borrow(), Mode::Run)
    }

    pub(super) fn leaving(&self) -> bool {
        matches!(*self.mode.borrow(), Mode::Leave)
    }

    pub(super) fn drain_cause(&self) -> Option<DrainCause> {
        match *self.mode.borrow() {
            Mode::Drain(cause) => Some(cause),
            Mode::Run | Mode::Leave => None,
        }
    }

    /// Whether nothing more is to be bought, although the run goes on.
    pub(super) fn stopped_buying(&self) -> bool {
        !*self.buying.borrow()
    }

    /// Returns once the run is told to drain or to leave.
    pub async fn until_draining(&self) {
        let mut receiver = self.mode.clone();
        if receiver.wait_for(|mode| !matches!(mode, Mode::Run)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns once nothing more is to be bought.
    pub(super) async fn until_not_buying(&self) {
        let mut receiver = self.buying.clone();
        if receiver.wait_for(|buying| !buying).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns once somebody wants the process to end. Neither a deadline nor a round of recovery is that.
    pub async fn until_stopped(&self) {
        let stops = |mode: &Mode| match mode {
            Mode::Drain(DrainCause::Interrupted | DrainCause::Terminated) | Mode::Leave => true,
            Mode::Run | Mode::Drain(DrainCause::Deadline | DrainCause::OneRound) => false,
        };
        let mut receiver = self.mode.clone();
        if receiver.wait_for(stops).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns once the run is told to leave.
    pub async fn until_leaving(&self) {
        let mut receiver = self.mode.clone();
        if receiver.wait_for(|mode| matches!(mode, Mode::Leave)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
