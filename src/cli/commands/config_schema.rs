//! `config schema`: what an editor has to know of the TOML files that a person writes.

use crate::cli::args::SchemaOf;
use crate::cli::{ExitCode, Failure};

use super::manual::print;

/// Prints the schema of that kind of file.
pub(in crate::cli) fn execute(of: SchemaOf) -> Result<ExitCode, Failure> {
    let schema = match of {
        SchemaOf::Manifest => include_str!("../../../docs/schema/manifest.json"),
        SchemaOf::Catalog => include_str!("../../../docs/schema/catalog.json"),
        SchemaOf::Config => include_str!("../../../docs/schema/config.json"),
    };
    print(schema.as_bytes())
}
