//! `l402-batch export`.

use super::config::ExportOptions;
use super::{ExitCode, Failure};

pub(super) fn execute(_options: ExportOptions) -> Result<ExitCode, Failure> {
    Err(Failure::not_yet("export"))
}
