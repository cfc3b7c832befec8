//! The pass that compares a plan with all that is bought (the same purchase under another name), as a ratio to loading that plan.
//!
//! ```text
//! cargo bench --bench duplicates
//! cargo bench --bench duplicates -- --rows 100000
//! ```
//!
//! A ledger on the disk has as many purchases as the manifest has rows. Measured are a manifest of which nothing is bought, a
//! copy of which everything is, and that copy once more, when all of it is set aside. A run compares first with purchases on every
//! network and, where there are any, with those on its node's. `foresee` is what `plan` and `run --dry-run` do instead of both.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use l402_batch::l402::Network;
use l402_batch::ledger::port::{Batches, Foresee, Foreseen, Loading};
use l402_batch::ledger::sqlite::SqliteLedger;
use l402_batch::ledger::{BatchKey, BatchStart, Compared, NewBatch, OpenMode, Retake};
use l402_batch::manifest::{Manifest, OpenOptions};
use l402_batch::plan::{Plan, Policy};
use l402_batch::time::UnixMs;

/// What goes wrong in a bench ends it.
type Outcome<T> = Result<T, Box<dyn Error>>;

const ROWS: u64 = 1_000_000;
const NOW: UnixMs = UnixMs(1_790_000_000_000);

/// What every job of the batch `june` came to: paid for on one network, and delivered.
const BOUGHT: &str = "
    UPDATE jobs SET state = 'delivered', url = 'https://seller.example/' || id, attempts = 1, begun = 1;
    INSERT INTO payments (job, batch, payment_hash, state, amount_msat, fee_limit_msat, fee_msat, node, sends_begun,
        sends_answered, sent_at, preimage, intended_at, paid_at, posted_at, delivered_at)
    SELECT id, batch, randomblob(32), 'posted', price_msat, fee_ceiling_msat, 0, '02node', 1, 1, 1, randomblob(32), 1, 1, 1, 1
    FROM jobs;
    UPDATE batches SET spent_msat = (SELECT sum(amount_msat) FROM payments);
    INSERT INTO intents (payment, request_digest, method, url, scheme, token, challenge, invoice, payee, network,
        invoice_expires_at, credential_expires_at, body)
    SELECT id, randomblob(32), 'POST', 'https://seller.example/make', 'L402', 't', '[]', 'lnbc1', '02payee', 'regtest', 1, 1, x''
    FROM payments";

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts it too: that it still builds is all there is to see then.
    if !words.iter().any(|word| word == "--bench") {
        return Ok(());
    }
    let rows = match words.iter().position(|word| word == "--rows") {
        Some(at) => words.get(at + 1).ok_or("--rows needs a number")?.parse()?,
        None => ROWS,
    };
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    for (name, of) in [("june", "june"), ("copy", "june"), ("fresh", "july")] {
        write(&path(&format!("{name}.csv")), of, rows)?;
    }
    let ledger = path("ledger.db");
    let mut books = SqliteLedger::open(&ledger, OpenMode::Write)?;
    let june = Subject::open(path("june.csv"))?;
    let batch = begin(&mut books, "june")?;
    println!("{rows} rows, first load: {:.2} s", june.load(&mut books, batch)?.as_secs_f64());
    drop(books);
    rusqlite::Connection::open(&ledger)?.execute_batch(&format!("BEGIN; {BOUGHT}; COMMIT"))?;

    let mut books = SqliteLedger::open(&ledger, OpenMode::Write)?;
    let (fresh, copy) = (Subject::open(path("fresh.csv"))?, Subject::open(path("copy.csv"))?);
    for (name, subject, found, again) in
        [("fresh", &fresh, 0, false), ("copy", &copy, rows, false), ("copy", &copy, rows, true)]
    {
        let foreseen = subject.foresee(&books, again.then_some(name))?;
        let batch = begin(&mut books, name)?;
        let load = subject.load(&mut books, batch)?;
        let anywhere = pass(&mut books, batch, None, found)?;
        let here = pass(&mut books, batch, Some(Network::Regtest), found)?;
        let name = format!("{name}{}", if again { ", again" } else { "" });
        let ratio = |took: Duration| took.as_secs_f64() / load.as_secs_f64();
        println!(
            "{name}: load {:.2} s; every network {:.2} s ({:.2} of the load); one network {:.2} s ({:.2}); foresee {:.2} s ({:.2})",
            load.as_secs_f64(),
            anywhere.as_secs_f64(),
            ratio(anywhere),
            here.as_secs_f64(),
            ratio(here),
            foreseen.as_secs_f64(),
            ratio(foreseen),
        );
    }
    Ok(())
}

/// A manifest of so many rows, none like another one.
fn write(path: &Path, of: &str, rows: u64) -> Outcome<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "endpoint,prompt,duration,mode")?;
    for row in 0..rows {
        writeln!(
            out,
            "generate-video,\"A paper boat that crosses the {row}th river of {of}, hand-held\",{},",
            3 + row % 13
        )?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}

fn begin(books: &mut SqliteLedger, name: &str) -> Outcome<BatchKey> {
    let manifest = format!("/jobs/{name}.csv");
    let new = NewBatch { name: name.to_owned(), manifest, sandbox: false, adopt: false };
    match books.begin_batch(NOW, &new)? {
        BatchStart::New(batch) | BatchStart::Existing(batch) => Ok(batch.key),
        other => Err(format!("{other:?}").into()),
    }
}

/// The pass, which finds so many duplicates.
fn pass(books: &mut SqliteLedger, batch: BatchKey, network: Option<Network>, found: u64) -> Outcome<Duration> {
    let start = Instant::now();
    let duplicates = books.set_duplicates_aside(batch, NOW, &Compared { network, ..Compared::default() })?;
    let took = start.elapsed();
    if duplicates.count == found { Ok(took) } else { Err(format!("{} duplicates", duplicates.count).into()) }
}

/// A manifest and its plan.
struct Subject {
    manifest: Manifest,
    plan: Plan,
}

impl Subject {
    fn open(path: PathBuf) -> Outcome<Self> {
        let manifest = Manifest::open(&OpenOptions { path, ..OpenOptions::default() }).map_err(words)?;
        let plan = Plan::make(&manifest, &Policy::default()).map_err(words)?;
        Ok(Self { manifest, plan })
    }

    fn load(&self, books: &mut SqliteLedger, batch: BatchKey) -> Outcome<Duration> {
        let start = Instant::now();
        books.load_plan(batch, NOW, &Retake::default(), self.plan.jobs(&self.manifest)).map_err(words)?;
        Ok(start.elapsed())
    }

    fn foresee(&self, books: &SqliteLedger, batch: Option<&str>) -> Outcome<Duration> {
        let batch = batch.map(|name| books.batch(name)).transpose()?.flatten().map(|batch| batch.key);
        let start = Instant::now();
        let jobs = self.plan.jobs(&self.manifest);
        let foreseen = books.foresee(batch, &Retake::default(), "", jobs).map_err(words)?;
        foreseen.compare(&Compared::default())?;
        Ok(start.elapsed())
    }
}

fn words(error: impl std::fmt::Debug) -> Box<dyn Error> {
    format!("{error:?}").into()
}
