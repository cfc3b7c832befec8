//! The program: parse, run, exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;

use l402_batch::cli::{self, ExitCode};

fn main() -> process::ExitCode {
    // Chosen here, once: with more than one provider in the dependency tree, rustls would not choose by itself. An error
    // says only that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();

    // A defect ends with the documented code. The ledger is whole at any instant, so the next run goes on from it.
    catch_unwind(AssertUnwindSafe(|| cli::run(std::env::args_os()))).unwrap_or(ExitCode::Internal).into()
}
