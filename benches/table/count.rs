//! How often a process does something, counted from outside by a tool that watches it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::far_side::folder;

/// What ends every statement that is carried out, but for those that begin and end transactions: `rusqlite` resets the former
/// and throws the latter away.
const RESET: &str = "sqlite3_reset";

/// Whether a tool is installed.
pub(crate) fn is_there(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// SQL statements, without those that begin and end transactions: gdb counts how often they are reset.
pub(crate) fn statements(command: &Command) -> Outcome<u32> {
    const HIT: &str = "already hit ";
    let mut gdb = under("gdb", command);
    let orders = ["set debuginfod enabled off", "set startup-with-shell off", "set print thread-events off"];
    gdb.args(["-nx", "-q", "-batch"]);
    for order in orders {
        gdb.args(["-iex", order]);
    }
    gdb.args(["-ex", &format!("break {RESET}"), "-ex", "ignore 1 1000000000", "-ex", "run", "-ex", "info breakpoints"]);
    let said = output(gdb.arg("--args"), command)?;
    let count = said.rsplit_once(HIT).and_then(|(_, rest)| rest.split_whitespace().next());
    Ok(count.ok_or_else(|| format!("gdb counts no {RESET}: {said}"))?.parse()?)
}

/// Transactions that were made durable: strace sees how often the ledger's write-ahead log is synced.
pub(crate) fn commits(command: &Command) -> Outcome<u32> {
    let folder = folder()?;
    let log = folder.path().join("strace");
    let mut strace = under("strace", command);
    strace.args(["-f", "-qq", "--seccomp-bpf", "-y", "-e", "trace=fdatasync,fsync", "-e", "signal=none", "-o"]);
    output(strace.arg(&log), command)?;
    syncs(&log)
}

fn syncs(log: &Path) -> Outcome<u32> {
    let syncs = fs::read_to_string(log)?.lines().filter(|line| line.contains("-wal>")).count();
    Ok(u32::try_from(syncs)?)
}

/// The tool, with the environment of the command that it is to watch.
fn under(tool: &str, command: &Command) -> Command {
    let mut watcher = Command::new(tool);
    watcher.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    watcher.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    watcher
}

/// What the tool says of the command, once both are done.
fn output(tool: &mut Command, command: &Command) -> Outcome<String> {
    let output = tool.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
