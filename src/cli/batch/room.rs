//! Whether there is room for the files that wait for a disk: while there is none, nothing is bought whose file would wait too.

use std::path::Path;

use crate::cli::{CommandError, Failure};
use crate::command::{about_batch, command};
use crate::download::file;
use crate::ledger::port::{Batches, Downloads as _};
use crate::ledger::{BatchKey, FilesOf, OpenLedger, Undownloaded};
use crate::money::{counted, thousands};

/// So much of the disk is left to others, the ledger among them.
pub(super) const ROOM_BYTES_MIN: u64 = 64 << 20;
/// Jobs that are read at once.
const PAGE: usize = 64;
/// Other batches that are named.
const NAMED_MAX: usize = 3;

/// Files that wait, and the bytes that they lack.
#[derive(Clone, Copy, Default)]
struct Waiting {
    files: u64,
    bytes: u64,
}

/// That a folder for files cannot be used.
pub(super) fn unusable(folder: &str, error: std::io::Error) -> Failure {
    let there = Path::new(folder).ancestors().find(|path| path.exists());
    let refused = CommandError::usage(format!("--download {folder} cannot be used, and nothing was fetched or bought"));
    let refused = match there.filter(|path| !path.is_dir()) {
        Some(path) => refused.because(format!("{} is no folder", path.display())),
        None => refused.because(error),
    };
    refused.hint("name a folder, or a place where one can be made").into()
}

/// That what waits for the folder, or for another one on its disk, of whatever batch of the ledger, needs more room than there is,
/// as far as the ledger knows how long it is: a run buys nothing until there is room, whoever else is in the way of the files. What waits
/// of other batches counts where the run `buys`.
///
/// # Errors
/// Where the ledger or the folder cannot be read.
pub(in crate::cli) fn lacking(
    folder: &str,
    ledger: &OpenLedger,
    batch: Option<BatchKey>,
    buys: bool,
) -> Result<Option<String>, Failure> {
    let unusable = |error| unusable(folder, error);
    let (path, device) = (Path::new(folder), file::device(Path::new(folder)).map_err(unusable)?);
    let mut all = match batch {
        Some(batch) => waiting(ledger, batch, folder)?,
        None => Waiting::default(),
    };
    let is_there = |files: &FilesOf| {
        buys && Some(files.batch) != batch
            && (files.to.device == Some(device) || file::is_same(Path::new(&files.to.folder), path))
    };
    let (mut others, also) = (Vec::new(), if all.files > 0 { "also " } else { "" });
    for files in ledger.files()?.into_iter().filter(is_there) {
        let theirs = waiting(ledger, files.batch, &files.to.folder)?;
        all = Waiting { files: all.files + theirs.files, bytes: all.bytes.saturating_add(theirs.bytes) };
        others.extend((theirs.files > 0).then_some(files.name));
    }
    let room = file::look(path).map_err(unusable)?;
    if room.saturating_sub(ROOM_BYTES_MIN) >= all.bytes {
        return Ok(None);
    }
    let mib = |bytes: u64| thousands(bytes.div_ceil(1 << 20));
    Ok(Some(format!(
        "{} from before {} for room{}: {} MiB, and the disk of {folder} has {} MiB free, of which {} MiB are left to others",
        counted(all.files, "file"),
        if all.files == 1 { "waits" } else { "wait" },
        others_words(also, &others),
        mib(all.bytes),
        mib(room),
        mib(ROOM_BYTES_MIN)
    )))
}

/// What waits of a batch for that folder. What has begun in another, or under another name of it, is fetched anew from its beginning.
fn waiting(ledger: &OpenLedger, batch: BatchKey, folder: &str) -> Result<Waiting, Failure> {
    let (mut all, mut after) = (Waiting::default(), None);
    loop {
        let page = ledger.to_download(batch, Undownloaded::Left, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some((last.seq, last.key));
        for mark in page.iter().filter_map(|job| job.mark.as_ref()) {
            let Some(resume) = &mark.resume else { continue };
            let goes_on = Path::new(&mark.file).parent() == Some(Path::new(folder));
            let bytes = resume.total.saturating_sub(if goes_on { resume.synced } else { 0 });
            all = Waiting { files: all.files + 1, bytes: all.bytes.saturating_add(bytes) };
        }
    }
}

/// Whose files they are, where others' are among them, and how those are had elsewhere.
fn others_words(also: &str, names: &[String]) -> String {
    let Some(first) = names.first() else { return String::new() };
    let named = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if names.len() > NAMED_MAX { ", …" } else { "" };
    let what = if names.len() == 1 { "the batch" } else { "the batches" };
    let elsewhere = command(&format!("{} --download DIR", about_batch("download", first)));
    format!(" ({also}of {what} {named}{more}; `{elsewhere}` fetches them to another disk)")
}
