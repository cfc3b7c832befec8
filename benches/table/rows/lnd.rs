//! Payments of real lnd nodes, beside the same number of bare payments.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::far_side::{FarSide, Node, text};
use crate::ours::Buyer;
use crate::row::{Row, print_left_out};
use crate::{Effort, Outcome, floor, measure};

const JOBS: u32 = 500;
const IN_FLIGHT: u32 = 32;
/// The release that `tests/regtest/rig` takes by itself.
const RELEASE: &str = "0.21";

/// 500 payments, 32 in flight, where the nodes of `tests/regtest/rig` are built.
pub(crate) fn real_payments(effort: &Effort) -> Outcome<()> {
    let jobs = effort.jobs.min(JOBS);
    let work = format!("rate at a real lnd, {jobs} payments, {IN_FLIGHT} in flight");
    let Some(rig) = Rig::boot()? else {
        return print_left_out(&work, "no lnd is built, `tests/regtest/rig build` does that");
    };
    let (payer, payee) = (rig.node("PAYER")?, rig.node("PAYEE")?);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let rate = |took_s: f64| f64::from(jobs) / took_s;
    for _ in 0..effort.rounds {
        bare.push(rate(floor::pay_bare(&payer, &payee, jobs, IN_FLIGHT)?));
        let far_side = FarSide::minting(&payee, &payer)?;
        let buyer = Buyer::of_videos(&far_side, jobs)?;
        // More jobs than payments: while some are paid, others ask and redeem.
        let sample = measure::run(&mut buyer.fast_run(IN_FLIGHT, 2 * IN_FLIGHT))?;
        far_side.has_delivered(jobs)?;
        ours.push(rate(sample.wall_s));
    }
    let what = "bare `POST /v2/router/send`";
    Row { work: &work, unit: "jobs/s", ours: &ours, beside: &bare, what, aim: "≥ 0.95" }.print()
}

/// A network that is up; taken down when dropped, where it was not up before.
struct Rig {
    papers: HashMap<String, String>,
    was_up: bool,
}

impl Rig {
    /// None where it is not built.
    fn boot() -> Outcome<Option<Self>> {
        if !target()?.join(format!("regtest/bin-{RELEASE}/lnd")).exists() {
            return Ok(None);
        }
        let output = rig()?.arg("up").output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("tests/regtest/rig up: {said}").into());
        }
        let was_up = said.contains("it is up already");
        let papers = String::from_utf8(output.stdout)?;
        let papers = papers.lines().filter_map(|line| line.split_once('='));
        let papers = papers.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
        Ok(Some(Self { papers: papers.collect(), was_up }))
    }

    fn node(&self, name: &str) -> Outcome<Node> {
        let paper = |what: &str| {
            let name = format!("{name}_{what}");
            self.papers.get(&name).cloned().ok_or_else(|| format!("the rig tells no {name}"))
        };
        Ok(Node {
            url: paper("URL")?,
            macaroon: paper("MACAROON_FILE")?.into(),
            certificate: paper("CERT_FILE")?.into(),
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !self.was_up {
            let _ = rig().map(|mut rig| rig.arg("down").output());
        }
    }
}

/// Its script, which keeps everything in the folder of this build.
fn rig() -> Outcome<Command> {
    let mut rig = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regtest/rig"));
    rig.env("CARGO_TARGET_DIR", text(&target()?)?);
    Ok(rig)
}

fn target() -> Outcome<PathBuf> {
    Ok(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("a build without a folder")?.to_owned())
}
