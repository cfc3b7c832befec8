//! Other clients that buy from L402 APIs, on the same sandbox. They keep nothing and plan nothing: context, and no aim.

use std::path::PathBuf;
use std::process::Command;

use crate::far_side::{FarSide, text};
use crate::measure::{self, Sample};
use crate::ours::Buyer;
use crate::row::{Row, print_left_out};
use crate::{Effort, Outcome};

const JOBS: u32 = 1_000;
const IN_FLIGHT: u32 = 64;
/// From PyPI.
const PACKAGES: [(&str, &str); 2] = [("l402sdk", "0.1.0"), ("l402-requests", "0.9.0")];

/// The same purchases with each, payments of 0 ms, 64 in flight.
pub(crate) fn clients(effort: &Effort) -> Outcome<()> {
    let jobs = effort.jobs.min(JOBS);
    let work = format!("{jobs} payments of 0 ms, {IN_FLIGHT} in flight");
    let Some(python) = python()? else {
        return print_left_out(&work, "no python3 that can install from PyPI");
    };
    let mut ours = Vec::new();
    let mut theirs = PACKAGES.map(|_| Vec::new());
    for _ in 0..effort.rounds {
        let far_side = FarSide::start(0, &[])?;
        let buyer = Buyer::of_videos(&far_side, jobs)?;
        ours.push(measure::run(&mut buyer.fast_run(IN_FLIGHT, IN_FLIGHT))?);
        far_side.has_delivered(jobs)?;
        for ((package, _), samples) in PACKAGES.iter().zip(&mut theirs) {
            let far_side = FarSide::start(0, &[])?;
            samples.push(measure::run(&mut peer(&python, package, &far_side, jobs)?)?);
            far_side.has_delivered(jobs)?;
        }
    }
    for ((package, version), theirs) in PACKAGES.iter().zip(&theirs) {
        let row = |what: &str, unit, of: fn(&Sample) -> f64| {
            let [ours, theirs] = [&ours, theirs].map(|samples| samples.iter().map(of).collect::<Vec<_>>());
            let (work, beside) = (format!("{what}, {work}"), format!("{package} {version}"));
            Row { work: &work, unit, ours: &ours, beside: &theirs, what: &beside, aim: "" }.print()
        };
        row("time", "s", |sample| sample.wall_s)?;
        row("CPU", "CPU s", |sample| sample.cpu_s)?;
    }
    Ok(())
}

fn peer(python: &PathBuf, package: &str, far_side: &FarSide, jobs: u32) -> Outcome<Command> {
    let payer = &far_side.payer;
    let mut peer = Command::new(python);
    peer.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/table/peers.py"))
        .args([package, &far_side.origin, &payer.url, text(&payer.macaroon)?, text(&payer.certificate)?])
        .args([jobs.to_string(), IN_FLIGHT.to_string()])
        .env("SSL_CERT_FILE", &payer.certificate);
    Ok(peer)
}

/// A Python that has the packages; installed once, beside the build. None where that cannot be.
fn python() -> Outcome<Option<PathBuf>> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("peers");
    let python = folder.join("bin/python");
    let is_done = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let has_all = |python: &PathBuf| is_done(Command::new(python).args(["-c", "import l402, l402_requests"]));
    if !has_all(&python) {
        let packages = PACKAGES.map(|(package, version)| format!("{package}=={version}"));
        let is_made = is_done(Command::new("python3").args(["-m", "venv", text(&folder)?]))
            && is_done(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        if !is_made || !has_all(&python) {
            return Ok(None);
        }
    }
    Ok(Some(python))
}
