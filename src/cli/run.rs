//! `l402-batch run`.

use super::config::RunOptions;
use super::{ExitCode, Failure};

pub(super) fn execute(_options: RunOptions) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("run"))
}
