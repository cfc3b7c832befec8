//! What the ledger does for each job that is bought: statements and durable commits.

use std::process::Command;

use crate::far_side::FarSide;
use crate::ours::Buyer;
use crate::row::{Row, print_left_out};
use crate::{Effort, Outcome, count};

/// Whoever is watched is slow.
const SHARE: u32 = 20;

/// SQL statements a job.
pub(crate) fn statements(effort: &Effort) -> Outcome<()> {
    rows(effort, "gdb", "SQL statements a job, without BEGIN and COMMIT", count::statements, ["≤ 20", "≤ 20"])
}

/// Durable commits a job.
pub(crate) fn commits(effort: &Effort) -> Outcome<()> {
    rows(effort, "strace", "durable commits a job", count::commits, ["", "≤ 3"])
}

/// What is counted, for 64 jobs in flight and for one.
fn rows(effort: &Effort, tool: &str, what: &str, count: fn(&Command) -> Outcome<u32>, aims: [&str; 2]) -> Outcome<()> {
    if !count::is_there(tool) {
        return print_left_out(what, &format!("no {tool} is installed"));
    }
    let jobs = effort.jobs.div_ceil(SHARE);
    for (in_flight, aim) in [64, 1].into_iter().zip(aims) {
        let each = each_job(jobs, in_flight, count)?;
        let work = format!("{what}: {jobs} payments of 0 ms, {in_flight} in flight");
        Row { work: &work, unit: "", ours: &[each], beside: &[], what: "", aim }.print()?;
    }
    Ok(())
}

/// How much more is counted where as many jobs again are bought of the same manifest: loading it is on both sides.
fn each_job(jobs: u32, in_flight: u32, count: fn(&Command) -> Outcome<u32>) -> Outcome<f64> {
    let counted = |bought: u32| -> Outcome<f64> {
        let far_side = FarSide::start(0, &[])?;
        let buyer = Buyer::of_videos(&far_side, 2 * jobs)?;
        let mut run = buyer.fast_run(in_flight, in_flight);
        run.args(["--quiet", "--limit", &bought.to_string()]);
        let counted = count(&run)?;
        far_side.has_delivered(bought)?;
        Ok(f64::from(counted))
    };
    Ok((counted(2 * jobs)? - counted(jobs)?) / f64::from(jobs))
}
