//! Whether there is room for the files that are still to come to a disk: while there is none, nothing is bought whose file would wait too.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::cli::{CommandError, Failure};
use crate::command::{about_batch, command};
use crate::download::{Feed, file};
use crate::ledger::port::Downloads as _;
use crate::ledger::{BatchKey, ComingFile, DownloadTo, LedgerHandle, OpenLedger};
use crate::money::{counted, thousands};
use crate::run::{Clock, SystemClock};

/// So much of the disk is left to others, the ledger among them.
pub(super) const ROOM_BYTES_MIN: u64 = 64 << 20;
/// Other batches that are named.
const NAMED_MAX: usize = 3;
/// So often a run looks whether there is room; more seldom, where that takes long: it spends so small a part of its time on it.
const LOOK_MS: u64 = 250;
const LOOK_PART: u64 = 50;
const LOOK_MS_MAX: u64 = 10_000;
/// What was seen once is looked at again so soon.
const AGAIN_MS: u64 = 50;

/// Files that are still to come to a disk, and what room there is for them.
#[derive(Default)]
struct Coming {
    files: u64,
    /// Bytes that they lack.
    bytes: u64,
    /// The length of the batch's own longest, in bytes.
    longest: u64,
    /// Other batches of which some are.
    others: Vec<String>,
    /// Some are the batch's own.
    has_own: bool,
    /// Bytes that are free.
    free: u64,
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

/// That what is still to come to the folder, or to another one on its disk, of whatever batch of the ledger, needs more room than there
/// is, as far as the ledger knows how long it is: what is paid for goes before what is not bought yet, whoever else is in the way of the
/// files. What is to come of other batches counts where the run `buys`.
///
/// # Errors
/// Where the ledger or the folder cannot be read.
pub(in crate::cli) fn lacking(
    folder: &str,
    ledger: &OpenLedger,
    batch: Option<BatchKey>,
    buys: bool,
) -> Result<Option<String>, Failure> {
    let files = ledger.coming_files()?;
    let counts = files.iter().filter(|file| buys || Some(file.batch) == batch);
    let coming = Coming::of(folder, batch, counts).map_err(|error| unusable(folder, error))?;
    let waits = if coming.files == 1 { "waits" } else { "wait" };
    let what = format!("{} from before {waits} for room", counted(coming.files, "file"));
    Ok(coming.lacks(0).then(|| coming.words(folder, &what, 0)))
}

/// The same while the run beside `feed` buys, with what it has bought and nobody knows the length of: it counts as long as the longest of
/// the batch that is known. Nothing more is bought then. Where nothing is left to buy, nothing is looked at. Never returns.
pub(super) async fn while_there_is_room(folder: &str, ledger: &LedgerHandle, batch: BatchKey, feed: &Feed) {
    let (mut files, mut pause_ms, mut lacked) = (None, LOOK_MS, false);
    while !feed.is_over() && feed.blocked().is_none() {
        SystemClock.sleep_ms(if lacked { AGAIN_MS } else { pause_ms }).await;
        if !feed.has_left() {
            lacked = false;
            continue;
        }
        let began = SystemClock.now();
        let is_news = feed.take_recorded();
        // Another process may have fetched what was still to come.
        let known = match files.take().filter(|_| !is_news && !lacked) {
            Some(known) => known,
            None => match ledger.coming_files().await {
                Ok(asked) => Arc::new(asked),
                // What cannot be read ends the run elsewhere.
                Err(_) => break,
            },
        };
        let look = look(folder.to_owned(), batch, Arc::clone(&known)).await;
        files = Some(known);
        let took_ms = u64::try_from(SystemClock.now().since_ms(began)).unwrap_or(0);
        pause_ms = took_ms.saturating_mul(LOOK_PART).clamp(LOOK_MS, LOOK_MS_MAX);
        // A disk that does not say is no obstacle.
        let Ok(coming) = look else {
            lacked = false;
            continue;
        };
        let bought = feed.unmeasured().saturating_mul(coming.longest.max(feed.longest()));
        // Once may be between a file and the word of it.
        let lacks = coming.lacks(bought) && feed.has_left();
        if lacks && lacked && !feed.is_over() {
            let what = match coming.files {
                0 => "files to come".to_owned(),
                files => format!("{} to come", counted(files, "file")),
            };
            feed.block(&coming.words(folder, &what, bought));
        }
        lacked = lacks;
    }
    std::future::pending().await
}

/// What of the files goes to the disk of the folder. Each of them is looked at there: that takes a thread of its own.
async fn look(folder: String, batch: BatchKey, files: Arc<Vec<ComingFile>>) -> std::io::Result<Coming> {
    let look = move || Coming::of(&folder, Some(batch), files.iter());
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

impl Coming {
    /// What of the files goes to the disk of the folder, into which those of the batch go.
    fn of<'f>(
        folder: &str,
        batch: Option<BatchKey>,
        files: impl IntoIterator<Item = &'f ComingFile>,
    ) -> std::io::Result<Self> {
        // Before the parts are looked at: what is written meanwhile counts as free, and not as lacking.
        let (path, free) = (Path::new(folder), file::look(Path::new(folder))?);
        let device = file::device(path)?;
        let (mut all, mut are_here) = (Self { free, ..Self::default() }, HashMap::new());
        for file in files {
            let is_own = Some(file.batch) == batch;
            let Some(to) = (if is_own { Some(folder) } else { file.to.as_ref().map(|to| to.folder.as_str()) }) else {
                continue;
            };
            let is_here = || is_own || file.to.as_ref().is_some_and(|to| is_on(to, path, device));
            if !*are_here.entry(file.batch).or_insert_with(is_here) {
                continue;
            }
            all.files += 1;
            all.bytes = all.bytes.saturating_add(lacks(file, to));
            all.has_own |= is_own;
            if is_own {
                all.longest = all.longest.max(file.total);
            } else if all.others.last() != Some(&file.name) {
                all.others.push(file.name.clone());
            }
        }
        Ok(all)
    }

    /// Whether they lack room, with so many bytes beside them.
    const fn lacks(&self, beside: u64) -> bool {
        self.free.saturating_sub(ROOM_BYTES_MIN) < self.bytes.saturating_add(beside)
    }

    /// The same in words.
    fn words(&self, folder: &str, what: &str, beside: u64) -> String {
        // What is needed is rounded up, and what there is down.
        let (needed, there) = (|bytes: u64| thousands(bytes.div_ceil(1 << 20)), |bytes: u64| thousands(bytes >> 20));
        let with = if beside == 0 { "" } else { " with what is bought meanwhile, each as long as the longest" };
        format!(
            "{what}{}: {} MiB{with}, and the disk of {folder} has {} MiB free, of which {} MiB are left to others",
            others_words(if self.has_own { "also " } else { "" }, &self.others),
            needed(self.bytes.saturating_add(beside)),
            there(self.free),
            there(ROOM_BYTES_MIN)
        )
    }
}

/// Whether files go to that disk, or into that folder: as their folder stands now, else, where nothing stands there, as it stood.
fn is_on(to: &DownloadTo, path: &Path, device: i64) -> bool {
    let folder = Path::new(&to.folder);
    let now = file::device(folder).ok();
    let has_gone = to.device.is_some() && to.device != now && file::is_bare(folder).unwrap_or(true);
    file::is_same(folder, path) || if has_gone { to.device == Some(device) } else { now == Some(device) }
}

/// Bytes that are still to come of a file, where that goes on in the folder; what has begun in another, or under another name of it, is
/// fetched anew from its beginning.
fn lacks(file: &ComingFile, folder: &str) -> u64 {
    let goes_on = Path::new(&file.file).parent() == Some(Path::new(folder));
    let has = if goes_on { file::bytes_of(Path::new(&file.file)) } else { 0 };
    file.total.saturating_sub(has)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_not_said_to_be_more_than_it_is_nor_need_less() {
        let coming = Coming { files: 1, bytes: 300 << 10, free: ROOM_BYTES_MIN + (92 << 10), ..Coming::default() };
        assert!(coming.lacks(0));
        assert_eq!(
            coming.words("videos", "1 file to come", 0),
            "1 file to come: 1 MiB, and the disk of videos has 64 MiB free, of which 64 MiB are left to others"
        );
    }
}
