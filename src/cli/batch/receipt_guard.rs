//! What speaks against a ledger before anything is bought with it: receipts of payments that it does not know, a copy that
//! was rescued from under a run, or a newer intent than its own. It is an older one then (restored from a backup, deleted,
//! another one), and would buy again what has been bought since. No flag silences that.

use crate::error::Hinted;
use crate::ledger::port::{Audit, Locks, WrittenFiles};
use crate::ledger::{Batch, Gap, LedgerAddress, OpenLedger, OutputKind, gap_of_new};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::options::config;
use crate::cli::receipts::Receipts;
use crate::cli::{CommandError, Failure};
use crate::command::{command, file, node_command};
use crate::l402::PaymentHash;
use crate::manifest::Manifest;
use crate::money::counted;
use crate::report::{batch_paths, default_paths, file_mark};

use crate::cli::batch::files::absolute;
use crate::cli::batch::session::output_paths;

/// Names that a file which is kept may get.
const KEPT_MAX: u32 = 1_000;

/// A manifest whose batch is to be bought, and what is said of where its files go.
pub(in crate::cli) struct BatchFiles<'a> {
    pub(in crate::cli) manifest: &'a Manifest,
    /// Its batch.
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) files: &'a config::Files,
}

/// Whatever stops a ledger from buying: every command that buys, that foretells a purchase or advises one asks this. `ledger` is
/// the one at `address`, where there is one; `known` is the batch, where there is one; `place` is where its files go, where a
/// manifest says that and it is no play money.
pub(in crate::cli) fn stop(
    address: &LedgerAddress,
    ledger: Option<&OpenLedger>,
    known: Option<&Batch>,
    place: Option<&BatchFiles<'_>>,
) -> Result<(), Failure> {
    let gap = match ledger {
        Some(ledger) => ledger.gap()?,
        None => gap_of_new(address)?,
    };
    gap.map_or(Ok(()), |gap| Err(lacking(gap)))?;
    if let Some((ledger, batch)) = ledger.zip(known) {
        check(ledger, batch)?;
    }
    place.map_or(Ok(()), |place| place.check(ledger, known))
}

/// Refuses a ledger that is older than the receipts that this batch wrote last. A receipts file that is gone, or is none
/// any more, says nothing.
pub(in crate::cli) fn check(ledger: &OpenLedger, batch: &Batch) -> Result<(), Failure> {
    if batch.is_damaged {
        return Err(CommandError::books_differ(format!(
            "the ledger is damaged in what it remembers of the batch {}: where its receipts stand is not known; nothing was \
             bought",
            batch.name
        ))
        .hint(format!(
            "put a backup of the ledger in its place, and bring this one in with {}",
            merging("FILE")
        )).into());
    }
    let outputs = &batch.remembered.outputs;
    let Some(path) = outputs.files[OutputKind::Receipts].written_path() else { return Ok(()) };
    match unknown(Some(ledger), Path::new(path))?.first {
        None => Ok(()),
        Some(hash) => Err(CommandError::books_differ(format!(
            "the receipts {path} hold the payment {}, of which the ledger knows nothing: it seems to be an older copy, \
             restored from a backup, and would buy again what was bought since; nothing was bought",
            hash.hex()
        ))
        .hint(format!(
            "put the newest ledger in its place, or bring it in with {}; where there is none, {} takes over what the \
             receipts prove",
            merging("FILE"),
            merging(path),
        ))
        .into()),
    }
}

/// Refuses to say of a manifest's batch that there is no ledger of it where its receipts stand beside it: one is gone.
pub(in crate::cli) fn beside(manifest: &Path, batch: Option<&str>) -> Result<(), Failure> {
    let usual = default_paths(manifest, false)[OutputKind::Receipts].clone();
    let own = batch.map(|batch| batch_paths(manifest, batch, false)[OutputKind::Receipts].clone());
    let bought = Bought { names: Vec::new(), usual: &usual };
    own.iter().chain([&usual]).try_for_each(|receipts| check_place(None, receipts, &bought, false))
}

impl BatchFiles<'_> {
    fn check(&self, ledger: Option<&OpenLedger>, known: Option<&Batch>) -> Result<(), Failure> {
        let receipts =
            output_paths(ledger, known, self.files, self.manifest, self.name, false)?[OutputKind::Receipts].clone();
        // Those that the batch itself wrote last are checked before everything else.
        let before = known.and_then(|batch| batch.remembered.outputs.files[OutputKind::Receipts].written_path());
        if before == Some(&*absolute(&receipts)) {
            return Ok(());
        }
        let (stem, usual) =
            (self.manifest.fallback_name(), default_paths(&self.manifest.path, false)[OutputKind::Receipts].clone());
        let names = [Some(self.name), self.manifest.name.as_deref(), stem.as_deref()].into_iter().flatten().collect();
        let bought = Bought { names, usual: &usual };
        check_place(ledger, &receipts, &bought, self.files.overwrite)?;
        if self.files.paths[OutputKind::Receipts].is_none() && absolute(&receipts) != absolute(&usual) {
            // What stands in the manifest's own place speaks of its jobs, whatever the batch is called now.
            check_place(ledger, &usual, &bought, false)?;
        }
        // Results of a batch that this ledger does not have: what stands beside them tells what another one bought of it.
        if let Some(of) = self.manifest.results_of().map_err(Failure::Input)? {
            let manifest = self.manifest.path.with_file_name(format!("{}.csv", of.batch));
            check_place(ledger, &default_paths(&manifest, false)[OutputKind::Receipts], &bought, false)?;
        }
        Ok(())
    }
}

/// Refuses a batch in whose place stand receipts of payments that the ledger knows nothing of: it was deleted, or is
/// another one. The same jobs would be bought again. Only those of other manifests' batches may be replaced, by the user's word.
fn check_place(
    ledger: Option<&OpenLedger>,
    receipts: &Path,
    manifest: &Bought<'_>,
    overwrite: bool,
) -> Result<(), Failure> {
    let found = unknown(ledger, receipts)?;
    match found.first {
        None => Ok(()),
        Some(_) if overwrite && !manifest.may_have(&found, receipts) => Ok(()),
        Some(hash) => Err(CommandError::books_differ(format!(
            "the receipts {} hold the payment {}, of which the ledger knows nothing: was it \
             deleted, or is another one meant? going on would buy again what they hold; nothing was bought",
            receipts.display(),
            hash.hex(),
        ))
        .hint(format!(
            "name the ledger that knows it with --ledger, or put it back; where there is none, {} takes over what the \
             receipts prove",
            merging(&receipts.display().to_string()),
        ))
        .into()),
    }
}

/// By what receipts tell that they are of a manifest's own jobs, whatever the batch is called now.
#[derive(Debug)]
struct Bought<'a> {
    /// What its batch is called, and what it may have been called: by the manifest itself, by its file.
    names: Vec<&'a str>,
    /// Where its receipts stand by default.
    usual: &'a Path,
}

impl Bought<'_> {
    fn may_have(&self, found: &Unknown, receipts: &Path) -> bool {
        let stem = receipts.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once(".receipts."));
        let is_name = |name: &String| self.names.contains(&name.as_str()) || stem.is_some_and(|(stem, _)| name == stem);
        absolute(receipts) == absolute(self.usual) || found.batches.iter().any(is_name)
    }
}

/// What a ledger lacks, and what to do, where it lacks anything.
pub(in crate::cli) fn gap_words(ledger: &OpenLedger) -> Result<Option<String>, Failure> {
    Ok(ledger.gap()?.map(|gap| lacking(gap).told()))
}

fn lacking(gap: Gap) -> CommandError {
    match gap {
        Gap::Rescued(copies) => {
            let first = copies.first().map_or_else(|| "FILE".to_owned(), ToString::to_string);
            CommandError::books_differ(format!(
                "{} was saved when the ledger was deleted or replaced under a run, and may hold purchases that the ledger \
                 does not know: nothing is bought until {} has brought them in",
                first,
                merging(&first),
            ))
            .hint(
                "whoever accepts that what it holds may be bought again gives it up with --discard (see `ledger merge --help`)",
            )
        }
        Gap::Behind { begun, known, is_here, hash, mark } => CommandError::books_differ(format!(
            "of {} begun with the ledger of this place, the last of them {}, {}; nothing is bought until the newest ledger is back in its place, or {} \
             has brought it in; receipts do not do that, since they tell nothing of what was still on its way",
            counted(begun, "payment"),
            hash.hex(),
            behind(known, is_here),
            merging("FILE"),
        ))
        .hint(format!(
            "where there is no newer ledger, {}; whoever accepts then that what it held may be bought again gives up {} with \
             --discard (see `ledger merge --help`)",
            comparing(known),
            mark,
        )),
    }
}

/// How many payments are known, and why no more.
fn behind(known: u64, is_here: bool) -> String {
    match (is_here, known) {
        (false, _) => "none is known here: the ledger is gone".to_owned(),
        (true, 0) => {
            "the ledger knows 0: it seems to be a new one, or an older copy, restored from a backup".to_owned()
        }
        (true, _) => format!("the ledger knows {known}: it seems to be an older copy, restored from a backup"),
    }
}

/// With what a person learns what was paid for: there is nothing to audit where the ledger is gone, or new.
fn comparing(known: u64) -> String {
    match known {
        0 => "look at the node's own list of payments".to_owned(),
        _ => format!("compare with `{}`", node_command("audit")),
    }
}

fn merging(path: &str) -> String {
    format!("`{}`", command(&format!("ledger merge {}", file(path))))
}

/// Receipts that are about to be replaced and that the ledger does not know are kept under a name of their own. Says so.
pub(in crate::cli) fn keep_unknown(ledger: &OpenLedger, receipts: &Path) -> Result<Option<String>, Failure> {
    if unknown(Some(ledger), receipts)?.first.is_none() {
        return Ok(None);
    }
    let name = |number: u32| receipts.with_extension(format!("kept-{number}.csv"));
    let keep = || -> std::io::Result<PathBuf> {
        for kept in (1..=KEPT_MAX).map(name) {
            match File::options().write(true).create_new(true).mode(0o600).open(&kept) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(mut copy) => {
                    std::io::copy(&mut File::open(receipts)?, &mut copy)?;
                    copy.sync_all()?;
                    return Ok(kept);
                }
            }
        }
        Err(std::io::Error::other("too many kept ones stand there already"))
    };
    let kept = keep().map_err(|error| {
        CommandError::usage(format!("nothing was bought, as the receipts {} cannot be kept", receipts.display()))
            .because(error)
    })?;
    Ok(Some(format!(
        "the receipts that stood at {} are of payments that the ledger does not know: they are kept as {}, and {} takes over \
         what they prove",
        receipts.display(),
        kept.display(),
        merging(&kept.display().to_string()),
    )))
}

/// Payments that receipts hold and the ledger does not.
#[derive(Debug, Default)]
struct Unknown {
    first: Option<PaymentHash>,
    batches: Vec<String>,
}

/// The payments of the receipts that the ledger does not know; without a ledger, all. Those of play money prove nothing.
fn unknown(ledger: Option<&OpenLedger>, path: &Path) -> Result<Unknown, Failure> {
    let mut found = Unknown::default();
    // Whoever has written the file has noted it with all that it holds.
    let is_own =
        |ledger: &OpenLedger| file_mark(path).map_or(Ok(false), |mark| ledger.has_written(&absolute(path), &mark));
    if ledger.map_or(Ok(false), is_own)? {
        return Ok(found);
    }
    let Some(mut receipts) = Receipts::open(path) else { return Ok(found) };
    while receipts.next() {
        let Some(hash) = receipts.hash().filter(|_| !receipts.is_of_play()) else { continue };
        if ledger.map_or(Ok(false), |ledger| ledger.knows(&hash))? {
            continue;
        }
        found.first.get_or_insert(hash);
        if !found.batches.iter().any(|name| name == receipts.batch()) {
            found.batches.push(receipts.batch().to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_speak_also_as_a_spreadsheet_saves_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.csv");
        let ledger = crate::ledger::in_memory().unwrap();
        let hash = "ab".repeat(32);
        let found = |text: String| {
            std::fs::write(&path, text).unwrap();
            let found = unknown(Some(&ledger), &path).unwrap().first.map(|hash| hash.hex());
            assert_eq!(unknown(None, &path).unwrap().first.map(|hash| hash.hex()), found);
            found
        };
        for delimiter in [",", ";", "\t"] {
            for (mark, quote, end) in [("", "", "\n"), ("\u{feff}", "\"", "\r\n"), ("", "\"", "\r\n")] {
                let line = |cells: [&str; 3]| cells.map(|cell| format!("{quote}{cell}{quote}")).join(delimiter) + end;
                let header = line(["payment_hash", "id", "batch"]);
                let text = format!("{mark}{header}{}{}", line(["", "a", "b"]), line([&hash, "c", "d"]));
                assert_eq!(found(text), Some(hash.clone()), "{delimiter:?} {mark:?} {quote:?}");
                assert_eq!(found(format!("{mark}{header}")), None);
            }
        }
        for nothing in ["", "dear diary\n", "payment_hash\nnone\n", "\u{0}\u{ff}"] {
            assert_eq!(found(nothing.to_owned()), None, "{nothing:?}");
        }
        assert!(unknown(Some(&ledger), &folder.path().join("gone.csv")).unwrap().first.is_none());
        assert!(unknown(Some(&ledger), folder.path()).unwrap().first.is_none());
    }

    #[test]
    fn the_user_s_word_replaces_other_batches_receipts_alone_and_they_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.receipts.csv");
        let ledger = crate::ledger::in_memory().unwrap();
        let text = format!("batch,payment_hash\nother,{}\n", "ab".repeat(32));
        std::fs::write(&path, &text).unwrap();
        let check = |names: &[&str], usual: &Path, overwrite: bool| {
            check_place(Some(&ledger), &path, &Bought { names: names.to_vec(), usual }, overwrite)
        };
        let elsewhere = folder.path().join("june.receipts.csv");
        assert!(check(&["jobs"], &elsewhere, false).is_err());
        assert!(check(&["other"], &elsewhere, true).is_err(), "they are the batch's own");
        assert!(check(&["again", "other"], &elsewhere, true).is_err(), "the manifest calls itself so");
        assert!(check(&["jobs"], &path, true).is_err(), "they stand where the manifest's own do");
        check(&["jobs"], &elsewhere, true).unwrap();
        let of_stem = text.replace("other,", "jobs,");
        std::fs::write(&path, &of_stem).unwrap();
        assert!(check(&["again"], &elsewhere, true).is_err(), "they are of the same manifest");
        std::fs::write(&path, &text).unwrap();
        for number in 1..=2 {
            let said = keep_unknown(&ledger, &path).unwrap().unwrap();
            let kept = folder.path().join(format!("jobs.receipts.kept-{number}.csv"));
            assert!(said.contains(&kept.display().to_string()), "{said}");
            assert_eq!(std::fs::read_to_string(kept).unwrap(), text);
        }
        // What was paid with play money proves nothing, wherever it stands.
        let of_play = text.replace("payment_hash\n", "payment_hash,network\n").replace("ab\n", "ab,sandbox\n");
        std::fs::write(&path, &of_play).unwrap();
        assert_eq!(keep_unknown(&ledger, &path).unwrap(), None, "{of_play}");
        check(&["other"], &path, false).unwrap();
    }
}
