//! CPU and wall time of a child process.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Outcome;

/// `/proc` counts CPU time in ticks of this many a second, on every architecture of Linux.
const TICKS_PER_S: f64 = 100.0;
/// Where, after the program's name, the user and system time of children that have ended stand.
const CHILDREN_USER: usize = 13;
const CHILDREN_SYSTEM: usize = 14;

/// What one process took, from its start to its end.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) wall_s: f64,
    /// User and system time of all its threads.
    pub(crate) cpu_s: f64,
}

/// Runs a command to its end, without output, and measures it. No other child may end meanwhile.
pub(crate) fn run(command: &mut Command) -> Outcome<Sample> {
    let cpu_before = children_cpu_s()?;
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let wall_s = begun.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(
            format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(Sample { wall_s, cpu_s: children_cpu_s()? - cpu_before })
}

/// CPU time of every child that has ended and was waited for.
fn children_cpu_s() -> Outcome<f64> {
    let stat =
        fs::read_to_string("/proc/self/stat").map_err(|error| format!("CPU time is read from /proc: {error}"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("/proc/self/stat is not understood")?;
    let field =
        |at: usize| -> Outcome<f64> { Ok(fields.split(' ').nth(at).ok_or("/proc/self/stat is too short")?.parse()?) };
    Ok((field(CHILDREN_USER)? + field(CHILDREN_SYSTEM)?) / TICKS_PER_S)
}

/// The middle one of what `of` finds in the samples.
pub(crate) fn median(samples: &mut [Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    samples.sort_by(|a, b| of(a).total_cmp(&of(b)));
    samples.get(samples.len() / 2).map_or(f64::NAN, of)
}
