//! `sandbox`: the stand-in API and node on loopback, until Ctrl-C.

use crate::cli::args::SandboxArgs;
use crate::cli::{CommandError, ExitCode, Failure};

/// Runs the sandbox and prints how to use it.
#[cfg(feature = "sandbox")]
pub(in crate::cli) fn execute(args: &SandboxArgs) -> Result<ExitCode, Failure> {
    use std::task::Poll;

    use crate::cli::{Format, terminal};
    use crate::command::program;

    crate::cli::runtime()?.block_on(async {
        let (options, state) = (&args.options, args.state.as_deref());
        let started = match &args.mint {
            Some(mint) => crate::sandbox::start_minting_at(mint, options, state).await,
            None => crate::sandbox::start(options, state).await,
        };
        let sandbox = started?;
        let text = format!("{}\nCtrl-C stops it.\n", sandbox.how_to_use(program()));
        let signals = crate::run::signals::Signals::default();
        let mut signal = std::pin::pin!(signals.first());
        // It listens before it says so: a Ctrl-C that comes at once ends it in good order too.
        let came = futures::poll!(signal.as_mut());
        terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))?;
        let came = match came {
            Poll::Ready(came) => came,
            Poll::Pending => signal.await,
        };
        came.map_err(|error| CommandError::internal("signals cannot be listened for").because(error))?;
        sandbox.stop().await;
        Ok(ExitCode::Done)
    })
}

/// Says that this build has none.
#[cfg(not(feature = "sandbox"))]
pub(in crate::cli) fn execute(_: &SandboxArgs) -> Result<ExitCode, Failure> {
    Err(CommandError::usage("this build has no sandbox: build it with the default features").into())
}
