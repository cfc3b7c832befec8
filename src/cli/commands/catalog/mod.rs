//! `catalog`: which endpoints, parameters and prices are in use and where each comes from, whether the service still
//! asks for what they say, and what others publish that they sell.

mod check;
mod finding;
mod import;
mod layers;
mod prices;
mod show;
mod trial;
mod update;

use crate::cli::args::CatalogImportArgs;
use crate::cli::options::config::CatalogOptions;
use crate::cli::{ExitCode, Failure};

/// `catalog show`.
pub(in crate::cli) fn show(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    if options.prices { prices::execute(options) } else { show::execute(options) }
}

/// `catalog check`.
pub(in crate::cli) fn check(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    check::execute(options)
}

/// `catalog update`.
pub(in crate::cli) fn update(
    options: &CatalogOptions,
    file: &crate::cli::options::config::UpdateFile,
) -> Result<ExitCode, Failure> {
    update::execute(options, file)
}

/// `catalog import`.
pub(in crate::cli) fn import(args: &CatalogImportArgs) -> Result<ExitCode, Failure> {
    import::execute(args)
}
