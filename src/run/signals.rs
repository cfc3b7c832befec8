//! Signals: the first drains, the second leaves; one that ends the machine's session drains with a deadline.

use std::cell::Cell;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Controller, DrainCause};

/// Told to end by something other than a person's key, a run leaves after this long.
const TERMINATION_PATIENCE: Duration = Duration::from_secs(60);

/// Which signal a run was told to stop by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// SIGINT.
    Interrupted,
    /// SIGTERM, or SIGHUP: the terminal has gone.
    Terminated,
}

/// Listens for signals for as long as it is polled, and never ends by itself. `stopped` tells the first that came.
///
/// # Errors
/// Where the signals cannot be listened for.
pub async fn listen(controller: &Controller, stopped: &Cell<Option<Stopped>>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        let patience = async {
            match stopped.get() {
                Some(Stopped::Terminated) => tokio::time::sleep(TERMINATION_PATIENCE).await,
                Some(Stopped::Interrupted) | None => std::future::pending().await,
            }
        };
        let came = tokio::select! {
            _ = interrupt.recv() => Stopped::Interrupted,
            _ = terminate.recv() => Stopped::Terminated,
            _ = hangup.recv() => Stopped::Terminated,
            () = patience => {
                controller.leave();
                std::future::pending::<Stopped>().await
            }
        };
        match (stopped.get(), came) {
            (None, _) => {
                stopped.set(Some(came));
                controller.drain(match came {
                    Stopped::Interrupted => DrainCause::Interrupted,
                    Stopped::Terminated => DrainCause::Terminated,
                });
            }
            (Some(_), Stopped::Interrupted | Stopped::Terminated) => controller.leave(),
        }
    }
}

/// Returns at the first signal of any kind.
///
/// # Errors
/// Where the signals cannot be listened for.
pub async fn first() -> std::io::Result<Stopped> {
    let (controller, control) = Controller::new();
    let stopped = Cell::new(None);
    tokio::select! {
        result = listen(&controller, &stopped) => result.map(|()| Stopped::Interrupted),
        () = control.until_draining() => Ok(stopped.get().unwrap_or(Stopped::Interrupted)),
    }
}
