//! `l402-batch run` as a person would call it, with a manifest of many distinct jobs and a fresh ledger on the disk.

use std::fmt::Write as _;
use std::fs;

use crate::far_side::{FarSide, folder, program};
use crate::measure::{self, Sample};
use crate::{Outcome, Setting, floor};

/// Above any worst case of a bench.
const MAX_SATS: &str = "1000000000";
/// The most that may be asked for.
const REQUESTS_PER_SECOND: &str = "10000";

/// Buys the setting's jobs, and measures the whole process: planning, loading, buying, results and receipts.
pub(crate) fn measure(far_side: &FarSide, setting: &Setting) -> Outcome<Sample> {
    let folder = folder()?;
    let manifest = folder.path().join("big.csv");
    fs::write(&manifest, manifest_of(setting.jobs)?)?;
    let mut run = program();
    run.arg("run")
        .arg(&manifest)
        .arg("--catalog")
        .arg(far_side.file("catalog.toml"))
        .args(["--lnd-url", &far_side.node])
        .arg("--lnd-macaroon-file")
        .arg(far_side.file("admin.macaroon"))
        .arg("--lnd-cert-file")
        .arg(far_side.file("tls.cert"))
        .arg("--ledger")
        .arg(folder.path().join("ledger.db"))
        .args(["--jobs-in-flight", &setting.jobs_in_flight.to_string()])
        .args(["--payments-in-flight", &setting.in_flight.to_string()])
        .args(["--requests-per-second", REQUESTS_PER_SECOND])
        .args(["--yes", "--max-sats", MAX_SATS])
        .env("XDG_CONFIG_HOME", folder.path());
    measure::run(&mut run)
}

fn manifest_of(jobs: u32) -> Result<String, std::fmt::Error> {
    let mut csv = String::from("endpoint,prompt,duration,mode\n");
    for number in 0..jobs {
        writeln!(csv, "{},{},5,standard", floor::ENDPOINT, floor::prompt(number))?;
    }
    Ok(csv)
}
