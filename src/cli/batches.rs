//! `l402-batch batches`.

use super::config::BatchesOptions;
use super::{ExitCode, Failure};

pub(super) fn execute(_options: BatchesOptions) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("batches"))
}
