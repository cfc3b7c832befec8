//! `l402-batch status`.

use super::config::StatusOptions;
use super::{ExitCode, Failure};

pub(super) fn execute(_options: StatusOptions) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("status"))
}
