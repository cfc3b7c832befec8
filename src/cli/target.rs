//! Finds the batch that a command is about.

use crate::ledger::port::Batches;
use crate::ledger::{Batch, LedgerAddress, OpenLedger, OpenMode};
use std::path::{Path, PathBuf};

use crate::command::{command, file, flag};
use crate::diagnostic::closest;
use crate::manifest::Format;

use crate::cli::batch::receipt_guard::{beside, stop};
use crate::cli::options::config::Target;
use crate::cli::receipts::Results;
use crate::cli::{CommandError, Failure};

/// The ledger for reading, and the batch in it.
pub(super) fn find(ledger: &LedgerAddress, target: &Target) -> Result<(OpenLedger, Batch), Failure> {
    if let Some((path, _)) = target.manifest.as_ref().filter(|_| !ledger.exists()) {
        stop(ledger, None, None, None)?;
        beside(path, target.batch.as_deref())?;
    }
    let ledger = open(ledger)?;
    let batch = match (&target.batch, &target.manifest) {
        (Some(name), _) => by_name(&ledger, name)?,
        (None, Some((path, _))) => by_manifest(&ledger, path)?,
        (None, None) => return Err(CommandError::usage("name a manifest, or a batch with --batch NAME").into()),
    };
    Ok((ledger, batch))
}

/// The ledger for reading.
pub(super) fn open(ledger: &LedgerAddress) -> Result<OpenLedger, Failure> {
    if !ledger.exists() {
        // Where one was, none is begun.
        stop(ledger, None, None, None)?;
        return Err(CommandError::usage(format!("there is no ledger at {}", ledger))
            .hint("another one is named with --ledger")
            .into());
    }
    Ok(crate::ledger::open(ledger, OpenMode::Read)?)
}

/// Of the batches that were begun from the manifest at that path, the one of the manifest's own name; else the one that
/// ran last.
pub(super) fn at_path(ledger: &OpenLedger, path: &Path) -> Result<Option<Batch>, Failure> {
    let mut batches = ledger.batches_at(&path.display().to_string())?;
    let name = own_name(path);
    let own = batches.iter().position(|batch| Some(&batch.name) == name.as_ref());
    let latest = || batches.iter().enumerate().max_by_key(|(_, batch)| batch.last_run_at).map(|(at, _)| at);
    Ok(own.or_else(latest).map(|at| batches.swap_remove(at)))
}

/// What `run` calls the batch of a manifest: the name that it gives itself, else its stem. A manifest that cannot be
/// read any more is known by its stem alone.
fn own_name(path: &Path) -> Option<String> {
    let table = || std::fs::read_to_string(path).ok()?.parse::<toml::Table>().ok();
    let given = match Format::of(path) {
        Some(Format::Toml) => table(),
        Some(Format::Csv | Format::Tsv | Format::Xlsx | Format::Ods) | None => None,
    };
    let given = given.and_then(|table| Some(table.get("name")?.as_str()?.to_owned()));
    given.or_else(|| Some(path.file_stem()?.to_str()?.to_owned()))
}

/// The batch whose results the file holds, as that ledger has written them: as `run` takes it. None where they are of several.
fn of_results(ledger: &str, path: &Path) -> Option<String> {
    let mut of = None;
    for line in Results::open(path)? {
        let batch = line.batch.filter(|_| line.ledger.as_deref() == Some(ledger))?;
        if *of.get_or_insert_with(|| batch.clone()) != batch {
            return None;
        }
    }
    of
}

fn by_name(ledger: &OpenLedger, name: &str) -> Result<Batch, Failure> {
    if let Some(batch) = ledger.batch(name)? {
        return Ok(batch);
    }
    let known: Vec<String> = ledger.uncounted()?.into_iter().map(|batch| batch.name).collect();
    let meant = closest(name, known.iter().map(String::as_str)).map(|known| flag("--batch", known));
    let missing = CommandError::usage(format!("the ledger has no batch named {name}"));
    Err(missing.hint(format!("{}`{}` lists those it has", did_you_mean(meant), command("batches"))).into())
}

fn did_you_mean(meant: Option<String>) -> String {
    meant.map_or_else(String::new, |meant| format!("did you mean {meant}? "))
}

/// The manifest in the same folder that a batch was begun from and whose name is most like that one's.
fn near(ledger: &OpenLedger, path: &Path, absolute: &Path) -> Result<Option<String>, Failure> {
    let manifests = ledger.uncounted()?.into_iter().map(|batch| PathBuf::from(batch.manifest));
    let beside: Vec<PathBuf> = manifests.filter(|known| known.parent() == absolute.parent()).collect();
    let names: Vec<&str> = beside.iter().filter_map(|known| known.file_name()?.to_str()).collect();
    let Some(name) = absolute.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let stem = |name: &str| Path::new(name).file_stem().map(|stem| stem.to_ascii_lowercase());
    let same = names.iter().copied().find(|known| stem(known) == stem(name));
    let known = same.or_else(|| closest(name, names.iter().copied()));
    Ok(known.map(|known| file(&path.with_file_name(known).display().to_string())))
}

/// The batch of the manifest at that path.
fn by_manifest(ledger: &OpenLedger, path: &Path) -> Result<Batch, Failure> {
    let absolute =
        std::path::absolute(path).map_err(|error| CommandError::usage(path.display().to_string()).because(error))?;
    // A manifest that has been moved away is still known by where it was.
    let canonical = path.canonicalize().unwrap_or_else(|_| absolute.clone());
    for path in [&absolute, &canonical] {
        if let Some(batch) = at_path(ledger, path)? {
            return Ok(batch);
        }
    }
    if let Some(batch) = of_results(&ledger.id()?, path).map(|name| ledger.batch(&name)).transpose()?.flatten() {
        return Ok(batch);
    }
    Err(CommandError::usage(format!("the ledger has no batch of {}", path.display()))
        .hint(format!(
            "{}`{}` lists those it has, and --batch NAME names one",
            did_you_mean(near(ledger, path, &absolute)?),
            command("batches")
        ))
        .into())
}
