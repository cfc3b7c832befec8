//! `ledger`: what cares for the ledger itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::catalog::Catalog;
use crate::error::Hinted;
use crate::ledger::port::{Batches, Locks, MergeSource, Merging};
use crate::ledger::{
    Doubled, Gap, IdList, KnownParams, LedgerAddress, LedgerError, LockHere, Merged, OpenLedger, OpenMode, ReceiptKind,
    ReceiptRow, SourceHere, holds_ledger,
};
use crate::manifest::{self, PLAY_LEDGER};
use crate::money::counted;
use crate::run::{Clock, SystemClock};

use crate::cli::options::config::LedgerMergeOptions;
use crate::cli::receipt_check;
use crate::cli::receipts::{Receipts, Results, ResultsLine};
use crate::cli::{CommandError, ExitCode, Failure, Format, terminal};

/// Brings a file's purchases into the ledger, or records that they are given up.
pub(in crate::cli) fn merge(options: &LedgerMergeOptions) -> Result<ExitCode, Failure> {
    let mut ledger = crate::ledger::open(&options.ledger, OpenMode::Write)?;
    if options.discard { discard(&mut ledger, options) } else { bring_in(&mut ledger, options) }
}

/// A command that is still to come.
pub(in crate::cli) fn later(name: &str) -> Failure {
    CommandError::usage(format!("the command `ledger {name}` is not there yet")).hint("there is `ledger merge`").into()
}

fn bring_in(ledger: &mut OpenLedger, options: &LedgerMergeOptions) -> Result<ExitCode, Failure> {
    let file = options.file.file();
    let (source, _) = source(ledger, &options.file)?;
    let _locks = lock_all(ledger, &source)?;
    // What somebody wrote into it before its locks were held is in it as well.
    let (source, told) = self::source(ledger, &options.file)?;
    told.iter().for_each(|words| terminal::say(&format!("warning: {words}\n")));
    let merged = ledger.merge(SystemClock.now(), &source)?;
    let set_aside = match ledger.gap()? {
        Some(Gap::Rescued(copies)) if is_one_of(&copies, file) => Some(set_aside(file, "merged")?),
        _ => None,
    };
    let text = words(&merged, file, set_aside.as_deref());
    terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))?;
    if let Some(gap) = crate::cli::batch::receipt_guard::gap_words(ledger)? {
        terminal::say(&format!("note: {gap}\n"));
    }
    Ok(ExitCode::Done)
}

/// What is to be merged, and what a person should know of it.
fn source(ledger: &OpenLedger, address: &LedgerAddress) -> Result<(SourceHere, Vec<String>), Failure> {
    let unread = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => CommandError::usage(format!("there is no file {address}"))
            .hint("name another ledger, or a file of receipts"),
        _ => CommandError::usage(format!("{address} cannot be read")).because(error),
    };
    if holds_ledger(address).map_err(unread)? {
        return Ok((ledger.source(address)?, Vec::new()));
    }
    match Receipts::open(address.file()) {
        Some(receipts) => {
            let (rows, told) = receipts.rows(address.file())?;
            let paid = receipt_check::check(address.file(), &rows, ledger)?;
            let rows: Vec<ReceiptRow> = paid.into_iter().chain(rows.into_iter().map(|(_, row)| row)).collect();
            Ok((of_receipts(ledger, address, &rows)?, told))
        }
        None => Err(neither(address).into()),
    }
}

/// What is to be merged, and cannot be.
fn neither(address: &LedgerAddress) -> CommandError {
    if std::fs::metadata(address.file()).is_ok_and(|file| file.len() == 0) {
        return CommandError::no_ledger(format!(
            "{address} is empty: it is neither a ledger nor its receipts, or is damaged"
        ))
        .hint("name another file, or restore it from a backup");
    }
    if Results::open(address.file()).is_some() {
        return CommandError::no_ledger(format!("{address} holds results, and only receipts prove what was paid"))
            .hint("merge the receipts that were written beside it (NAME.receipts.csv)");
    }
    CommandError::no_ledger(format!("{address} is neither a ledger of l402-batch nor its receipts, or is damaged"))
        .hint("name another file, or restore it from a backup")
}

fn of_receipts(ledger: &OpenLedger, address: &LedgerAddress, rows: &[ReceiptRow]) -> Result<SourceHere, Failure> {
    let file = address.file();
    let builtin = Catalog::builtin().map_err(Failure::Input)?;
    let stranger = builtin.iter().next();
    let stranger = stranger.ok_or_else(|| CommandError::internal("the catalogue is empty"))?;
    let asked = asked(file, rows);
    ledger.source_of_receipts(address, &manifest_of(file), rows, &asked, stranger).map_err(|error| match error {
        LedgerError::Receipt(bad) => {
            let refused = CommandError::usage(format!("{address}: {bad}; nothing was merged"));
            match bad.hint() {
                Some(hint) => refused.hint(hint).into(),
                None => refused.into(),
            }
        }
        error => error.into(),
    })
}

/// What was asked for by the purchases of these receipts, as far as the results beside them tell: of the same batch, id, take and
/// result. Those of play money tell nothing of what was paid in earnest.
fn asked(receipts: &Path, rows: &[ReceiptRow]) -> KnownParams {
    let Some(results) = Results::beside(receipts).and_then(|path| Results::open(&path)) else {
        return KnownParams::new();
    };
    let purchase = |row: &ReceiptRow| (row.id.clone(), row.take);
    let payments = rows.iter().filter(|row| row.kind == ReceiptKind::Payment);
    let by_id: HashMap<_, &ReceiptRow> = payments.map(|row| (purchase(row), row)).collect();
    let mut asked = KnownParams::new();
    let is_paid = |line: &ResultsLine| !line.is_unpaid && line.ledger.as_deref() != Some(PLAY_LEDGER);
    for line in results.filter(is_paid) {
        let Some(take) = line.row.take else { continue };
        let Some(receipt) = by_id.get(&(line.row.id.clone(), take)) else { continue };
        let url = receipt.url.as_deref().unwrap_or_default();
        let is_its_own = match &line.batch {
            Some(batch) => *batch == receipt.batch && (line.url == url || line.url.is_empty() || url.is_empty()),
            None => line.url == url && !url.is_empty(),
        };
        if is_its_own && line.row.endpoint == receipt.endpoint {
            asked.insert((receipt.batch.clone(), line.row.id, take), line.row.params);
        }
    }
    asked
}

/// The manifest beside whose results these receipts were written, as far as names tell.
fn manifest_of(receipts: &Path) -> String {
    let name = receipts.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((stem, _)) = name.split_once(".receipts.") else { return "-".to_owned() };
    // A second batch of a manifest has its name behind that one's.
    let stems = [Some(stem), stem.rsplit_once('.').map(|(manifest, _)| manifest)];
    let beside =
        |stem: &str| manifest::Format::ENDINGS.map(|(ending, _)| receipts.with_file_name(format!("{stem}.{ending}")));
    let mut beside = stems.into_iter().flatten().flat_map(beside);
    let found = beside.find(|path| path.is_file()).and_then(|path| std::path::absolute(path).ok());
    found.map_or_else(|| "-".to_owned(), |path| path.display().to_string())
}

/// The right to run each batch of both ledgers: nobody buys meanwhile.
fn lock_all(ledger: &OpenLedger, source: &SourceHere) -> Result<Vec<LockHere>, Failure> {
    let mut ours: Vec<String> = ledger.uncounted()?.into_iter().map(|batch| batch.name).collect();
    ours.extend(source.batches().iter().cloned());
    ours.sort();
    ours.dedup();
    let now = SystemClock.now();
    let mut locks = ours.iter().map(|name| ledger.lock(name, now)).collect::<Result<Vec<_>, _>>()?;
    locks.extend(source.lock(now)?);
    Ok(locks)
}

/// By a person's word what the file holds is given up: recorded first, so that the word is never forgotten.
fn discard(ledger: &mut OpenLedger, options: &LedgerMergeOptions) -> Result<ExitCode, Failure> {
    let file = options.file.file();
    let awaited = match ledger.gap()? {
        Some(Gap::Rescued(copies)) => copies,
        Some(Gap::Behind { mark, .. }) => vec![mark],
        None => Vec::new(),
    };
    if !is_one_of(&awaited, file) {
        return Err(CommandError::usage(format!(
            "{} is nothing that the ledger waits for; nothing was discarded",
            file.display()
        ))
        .into());
    }
    ledger.discard(SystemClock.now(), &options.file)?;
    let aside = set_aside(file, "discarded")?;
    let text = format!("{} is given up, and kept as {}\n", file.display(), aside.display());
    terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::Done)
}

fn is_one_of(files: &[LedgerAddress], file: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    files.iter().any(|known| known.file().canonicalize().is_ok_and(|known| known == file))
}

/// Gives a file that is done with a name by which nobody waits for it.
fn set_aside(file: &Path, what: &str) -> Result<PathBuf, Failure> {
    let name = |number: u32| {
        let mut name = file.as_os_str().to_owned();
        name.push(if number == 1 { format!(".{what}") } else { format!(".{what}-{number}") });
        PathBuf::from(name)
    };
    let aside = (1..).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(1));
    std::fs::rename(file, &aside).map_err(|error| Failure::from(LedgerError::system(error).at(file.display())))?;
    Ok(aside)
}

fn words(merged: &Merged, file: &Path, aside: Option<&Path>) -> String {
    let mut text = format!(
        "merged {}: {} and {} were new, {} stood otherwise\n",
        file.display(),
        counted(merged.jobs, "job"),
        counted(merged.payments, "payment"),
        counted(merged.changed, "payment"),
    );
    for Doubled { batch, id, second_id, take, both_paid, is_served } in &merged.doubled {
        let paid = match (*both_paid, *is_served) {
            (true, _) => "paid by both ledgers",
            (false, true) => "delivered by another job's token in one ledger, and paid for in the other, or it may be",
            (false, false) => "may have been paid by both ledgers",
        };
        text.push_str(&if id == second_id {
            {
                let second = if *is_served { "the" } else { "the second" };
                format!("{paid}: {id} of {batch}; {second} payment stands as take {take}\n")
            }
        } else {
            format!("{paid}, each for something else: {id} of {batch}; the second stands as the job {second_id}\n")
        });
    }
    for (name, here) in &merged.renamed {
        text.push_str(&format!("the batch {name} there was begun from another manifest: it stands here as {here}\n"));
    }
    if merged.unbegun.count > 0 {
        text.push_str(&format!(
            "wanted once more there and never begun, which is not taken over: {}; whoever still wants that says so again\n",
            first_of(&merged.unbegun)
        ));
    }
    if merged.withdrawn.count > 0 {
        let (jobs, first) = (counted(merged.withdrawn.count, "job"), first_of(&merged.withdrawn));
        text.push_str(&format!(
            "not bought, and in no row of the manifest as it was last loaded in the ledger that loaded it more often: {jobs}, withdrawn: {first}\n"
        ));
    }
    if let Some(aside) = aside {
        text.push_str(&format!("kept as {}\n", aside.display()));
    }
    text
}

fn first_of(ids: &IdList) -> String {
    let more = if ids.count > ids.first.len() as u64 { ", …" } else { "" };
    format!("{}{more}", ids.first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l402::PaymentHash;
    use crate::money::Msat;
    use crate::time::UnixMs;

    /// What a run with play money has left beside receipts names the same batch and jobs, and may have asked for something else.
    #[test]
    fn results_of_play_money_tell_nothing_of_what_was_paid() {
        let folder = tempfile::tempdir().unwrap();
        let receipts = folder.path().join("x.receipts.csv");
        let row = ReceiptRow {
            batch: "x".to_owned(),
            id: "a".to_owned(),
            take: 1,
            kind: ReceiptKind::Payment,
            paid_at: UnixMs(0),
            seller: "api.example".to_owned(),
            endpoint: "make".to_owned(),
            network: None,
            amount: Msat::new(1_000),
            fee: None,
            hash: PaymentHash::from_hex(&"ab".repeat(32)).unwrap(),
            preimage: String::new(),
            invoice: String::new(),
            payee_node: String::new(),
            payer_node: String::new(),
            url: None,
            extra: Vec::new(),
        };
        for (ledger, expected) in [("0a".repeat(16), 1), (PLAY_LEDGER.to_owned(), 0)] {
            let header = "id,take,state,reason,next,endpoint,prompt,url,l402_batch,l402_ledger";
            let text = format!("{header}\na,1,paid,paid,rerun,make,a kite,,x,{ledger}\n");
            std::fs::write(folder.path().join("x.results.csv"), text).unwrap();
            assert_eq!(asked(&receipts, std::slice::from_ref(&row)).len(), expected, "{ledger}");
        }
    }
}
