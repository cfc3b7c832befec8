//! The table of performance: what `l402-batch` takes, each row beside something that does the least that can be done, in turns.
//! Sandbox and clients are separate processes, so that each one's CPU time is its own. No time is asserted; a job that
//! is not delivered is an error.
//!
//! ```text
//! cargo bench --bench table                                     # the whole table, some fifteen minutes
//! cargo bench --bench table -- --row busy                       # one of its rows
//! cargo bench --bench table -- --jobs 400 --batch 4000 --rounds 1   # shorter
//! ```
//!
//! `docs/performance.md` says what each row means and how it is got.

mod count;
mod far_side;
mod floor;
mod measure;
mod ours;
mod row;
mod rows;

use std::error::Error;
use std::process::ExitCode;

/// What goes wrong in a bench ends it.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much of everything is done.
struct Effort {
    /// Jobs of a row that is about each job.
    jobs: u32,
    /// Jobs of a row that is about a large batch.
    batch: u32,
    /// How often each side is measured.
    rounds: u32,
}

/// By name, what prints a row or a few that are measured together.
type Measured = (&'static str, fn(&Effort) -> Outcome<()>);

const ROWS: [Measured; 11] = [
    ("busy", rows::exchange::busy),
    ("single", rows::exchange::single),
    ("steady", rows::exchange::steady),
    ("lnd", rows::lnd::real_payments),
    ("statements", rows::ledger::statements),
    ("commits", rows::ledger::commits),
    ("batch", rows::batch::large),
    ("memory", rows::pictures::memory),
    ("pictures", rows::pictures::many),
    ("files", rows::files::downloads),
    ("peers", rows::peers::clients),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["floor", order @ ..] => floor::main(order),
        words if words.contains(&"--bench") => table(words),
        // `cargo test --all-targets` starts it too: that it still builds is all there is to see then.
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn table(words: &[&str]) -> Outcome<()> {
    let effort = Effort {
        jobs: number(words, "--jobs", 8_000)?,
        batch: number(words, "--batch", 100_000)?,
        rounds: number(words, "--rounds", 3)?,
    };
    let wanted = given(words, "--row")?;
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)).collect();
    if rows.is_empty() {
        let names: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
        return Err(format!("rows are {}", names.join(", ")).into());
    }
    row::print_head()?;
    for (name, measured) in rows {
        measured(&effort).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// At least 1: nothing is measured of nothing.
fn number(words: &[&str], name: &str, otherwise: u32) -> Outcome<u32> {
    let number = given(words, name)?.map_or(Ok(otherwise), str::parse)?;
    if number > 0 { Ok(number) } else { Err(format!("{name} is at least 1").into()) }
}

fn given<'w>(words: &[&'w str], name: &str) -> Outcome<Option<&'w str>> {
    match words.iter().position(|word| *word == name) {
        None => Ok(None),
        Some(at) => Ok(Some(words.get(at + 1).ok_or_else(|| format!("{name} needs a value"))?)),
    }
}
