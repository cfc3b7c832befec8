//! `catalog`: which endpoints, parameters and prices are in use and where each comes from, and whether the service still
//! asks for what they say.

mod check;
mod finding;
mod layers;
mod show;
mod trial;
mod update;

use super::config::CatalogOptions;
use super::{ExitCode, Failure};

/// `catalog show`.
pub(super) fn show(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    show::execute(options)
}

/// `catalog check`.
pub(super) fn check(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    check::execute(options)
}

/// `catalog update`.
pub(super) fn update(options: &CatalogOptions, file: &super::config::UpdateFile) -> Result<ExitCode, Failure> {
    update::execute(options, file)
}
