//! What a child process took: time, CPU time, bytes written, memory. All of it as Linux tells it in `/proc`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Outcome;
use crate::far_side::folder;

/// `/proc` counts CPU time in ticks of this many a second, on every architecture of Linux.
const TICKS_PER_S: f64 = 100.0;
/// Where, after the program's name, the CPU time of the process begins: user, system, and the same of its children.
const CPU_TIMES: usize = 11;
/// How often a process is asked how much memory it has had.
const LOOK: Duration = Duration::from_millis(5);
const KIB_A_MIB: f64 = 1_024.0;
const BYTES_A_KB: f64 = 1_000.0;

/// What one process took, from its start to its end.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) wall_s: f64,
    /// User and system time of all its threads, and of the children that it waited for.
    pub(crate) cpu_s: f64,
    /// What it gave the disk to write, in thousands of bytes.
    pub(crate) written_kb: f64,
    /// The most memory that it had at once (its high-water mark, as last seen).
    pub(crate) peak_mib: f64,
}

/// Runs a command to its good end, without output, and measures it.
pub(crate) fn run(command: &mut Command) -> Outcome<Sample> {
    run_to(command, 0)
}

/// The same for one that ends with this code.
pub(crate) fn run_to(command: &mut Command, code: i32) -> Outcome<Sample> {
    watched(command.stdout(Stdio::null()), code, |_| ())
}

/// The same for one that prints lines: also how many seconds after its start the first one came that holds `mark`.
pub(crate) fn heard(command: &mut Command, mark: &'static str) -> Outcome<(Sample, f64)> {
    let mut listener = None;
    let begun = Instant::now();
    let sample = watched(command.stdout(Stdio::piped()), 0, |child| {
        let said = child.stdout.take();
        listener = Some(std::thread::spawn(move || {
            let mut first = None;
            for line in BufReader::new(said?).lines() {
                if first.is_none() && line.ok()?.contains(mark) {
                    first = Some(begun.elapsed().as_secs_f64());
                }
            }
            first
        }));
    })?;
    let first = listener.and_then(|listener| listener.join().ok().flatten());
    Ok((sample, first.ok_or_else(|| format!("no line with {mark}"))?))
}

fn watched(command: &mut Command, code: i32, started: impl FnOnce(&mut Child)) -> Outcome<Sample> {
    let folder = folder()?;
    let complaints = folder.path().join("stderr");
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stderr(File::create(&complaints)?).spawn()?;
    started(&mut child);
    let pid = Pid::from_child(&child);
    let mut peak_kib = 0.0;
    // It is asked before it is buried.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), options)?.is_none() {
        peak_kib = f64::max(peak_kib, field(pid, "status", "VmHWM:").unwrap_or_default());
        std::thread::sleep(LOOK);
    }
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu_s = cpu_s(pid)?;
    let written_kb = field(pid, "io", "write_bytes:").ok_or("/proc tells no bytes written")? / BYTES_A_KB;
    let status = child.wait()?;
    if status.code() == Some(code) {
        return Ok(Sample { wall_s, cpu_s, written_kb, peak_mib: peak_kib / KIB_A_MIB });
    }
    Err(format!("{command:?} ended with {status}: {}", fs::read_to_string(complaints)?).into())
}

/// A number of a process, by its name in one of its files.
fn field(pid: Pid, file: &str, name: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn cpu_s(pid: Pid) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("/proc/PID/stat is not understood")?;
    let times = fields.split(' ').skip(CPU_TIMES).take(4).map(str::parse::<f64>);
    Ok(times.sum::<Result<f64, _>>()? / TICKS_PER_S)
}
