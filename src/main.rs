//! The program: parse, run, exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;

use l402_batch::cli::{self, ExitCode};

fn main() -> process::ExitCode {
    dump_nothing();
    open_many();
    // A defect ends with the documented code. The ledger is whole at any instant, so the next run goes on from it.
    catch_unwind(AssertUnwindSafe(|| cli::run(std::env::args_os()))).unwrap_or(ExitCode::Internal).into()
}

/// Each purchase under way may have a connection and a file open, and the usual limit is meant for programs that cannot do with more.
fn open_many() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where a system does not admit it, the limit stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Memory holds preimages and the macaroon: no crash writes it to a disk, and no other process of the same user reads it.
fn dump_nothing() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Neither fails for a process that lowers its own; where a system does not know one, the other holds.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
