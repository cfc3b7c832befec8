//! `l402-batch plan`.

use super::config::PlanOptions;
use super::{ExitCode, Failure};

pub(super) fn execute(_options: PlanOptions) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("plan"))
}
