//! `l402-batch recover`.

use super::config::RecoverOptions;
use super::{ExitCode, Failure};

pub(super) fn execute(_options: RecoverOptions) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("recover"))
}
