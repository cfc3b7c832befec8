//! `l402-batch sandbox`.

use super::args::SandboxArgs;
use super::{ExitCode, Failure};

pub(super) fn execute(_args: SandboxArgs) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("sandbox"))
}
