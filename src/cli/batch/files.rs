//! Results and receipts that follow a run: made from ledger rows alone, replaced whole, rebuilt at the start.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cli::options::config;
use crate::cli::{CommandError, Failure};
use crate::error::Hinted;
use crate::event::{Event, Listener};
use crate::ledger::port::{Batches, Views as _, WrittenFiles};
use crate::ledger::{
    Batch, BatchKey, Layout, LedgerAddress, LedgerError, OpenLedger, OpenMode, OutputFile, OutputKind, Outputs,
    Remembered,
};
use crate::manifest::PLAY_LEDGER;
use crate::report::{
    Dialect, FiatColumns, FileForm, Output, OutputPaths, ReceiptsFile, ResultsFile, Rewritten, TableForm, Views,
    WorkbookOf, batch_paths, check_outputs, default_paths, form_of,
};
use crate::run::{Clock, SystemClock};

use crate::cli::batch::own;
use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::sidecars::Sidecars;

/// The name that stands for standard output.
pub(in crate::cli) const STDOUT: &str = "-";
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The files of one batch.
pub(in crate::cli) struct Files {
    ledger: LedgerAddress,
    batch: BatchKey,
    layout: Layout,
    views: Views,
    /// What stands beside downloaded files, where that is wanted.
    sidecars: Option<Sidecars>,
    /// How the files were written before is known.
    are_known: bool,
}

impl Files {
    /// The files at these paths, laid out as the batch remembers.
    pub(in crate::cli) fn new(ledger: &LedgerAddress, batch: BatchKey, layout: &Layout, paths: &OutputPaths) -> Self {
        Self::at(ledger, batch, layout, paths.iter().map(|(kind, path)| (kind, path.clone())).collect())
    }

    fn at(ledger: &LedgerAddress, batch: BatchKey, layout: &Layout, paths: Vec<(OutputKind, PathBuf)>) -> Self {
        let (ledger, layout) = (ledger.clone(), layout.clone());
        Self { ledger, batch, layout, views: Views::new(paths), sidecars: None, are_known: false }
    }

    /// Those that a batch has written before, and sidecars where those are wanted: with nothing else where it has written none.
    pub(in crate::cli) fn of_batch(ledger: &LedgerAddress, batch: &Batch, sidecars: bool) -> Option<Self> {
        let none = || sidecars.then(|| Self::at(ledger, batch.key, &batch.remembered.layout, Vec::new()));
        Some(Self::remembered(ledger, batch).or_else(none)?.with_sidecars(sidecars))
    }

    /// With sidecars, where those are wanted.
    pub(in crate::cli) fn with_sidecars(self, are_wanted: bool) -> Self {
        let sidecars = are_wanted.then(|| Sidecars::new(self.batch));
        Self { sidecars, ..self }
    }

    /// The files that a batch has written before, if it has: an earlier version knew fewer kinds.
    pub(in crate::cli) fn remembered(ledger: &LedgerAddress, batch: &Batch) -> Option<Self> {
        let Remembered { outputs, layout, .. } = &batch.remembered;
        let written = |(kind, file): (OutputKind, &OutputFile)| Some((kind, PathBuf::from(file.written_path()?)));
        let paths: Vec<_> = outputs.files.iter().filter_map(written).collect();
        (!paths.is_empty()).then(|| Self::at(ledger, batch.key, layout, paths))
    }

    /// Writes all that is not as it would be written, and gives what a person should know.
    pub(in crate::cli) fn rewrite(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.rewrite_now()?.warnings)
    }

    fn rewrite_now(&mut self) -> Result<Rewritten, Failure> {
        let ledger = crate::ledger::open(&self.ledger, OpenMode::Read)?;
        Ok(self.rewrite_from(&ledger))
    }

    fn rewrite_from(&mut self, ledger: &OpenLedger) -> Rewritten {
        if !self.are_known {
            self.views.know(ledger.written(self.batch).unwrap_or_default());
            self.are_known = true;
        }
        // Read before the rows are: what changes meanwhile makes the file an older one.
        self.views.made_of(self.made_of(ledger).ok());
        let of = (self.batch, &self.layout);
        self.views.rewrite(&|| SystemClock.now(), &mut |kind, out| write(kind, ledger, of, &Manner::default(), out))
    }

    /// Writes the sidecars, and gives what a person should know.
    fn write_sidecars(&mut self, ledger: &OpenLedger) -> Vec<String> {
        let written = self.sidecars.as_mut().map_or(Ok(Vec::new()), |sidecars| sidecars.write(ledger));
        written.unwrap_or_else(|error| vec![format!("sidecars cannot be written: {}", error.told())])
    }

    /// All on which the files depend.
    fn made_of(&self, ledger: &OpenLedger) -> Result<String, LedgerError> {
        let name = ledger.name_of(self.batch)?;
        let id = ledger_of(ledger, &name)?;
        let all = (env!("CARGO_PKG_VERSION"), ledger.changes()?, name, id, &self.layout);
        serde_json::to_string(&all).map_err(|error| LedgerError::failed("its files cannot be described", error))
    }

    /// Notes how they were written. What cannot be noted is written once more by the next run.
    fn note(&self) -> Result<(), LedgerError> {
        let written = self.views.written();
        let ledger = crate::ledger::open(&self.ledger, OpenMode::Read)?;
        if ledger.written(self.batch)? != written {
            drop(ledger);
            crate::ledger::open(&self.ledger, OpenMode::Write)?.note_written(self.batch, &written)?;
        }
        Ok(())
    }

    /// Follows a run on a thread of its own, so that a slow disk stalls no payment: first of all it writes what is not as it would be.
    pub(in crate::cli) fn follow(mut self, reporter: &Reporter) -> Result<Following, Failure> {
        let (changed, listener) = reporter.for_files();
        let ledger = crate::ledger::open(&self.ledger, OpenMode::Read)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("files".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if changed.swap(false, Ordering::Relaxed) {
                    self.views.changed();
                    self.sidecars.iter_mut().for_each(Sidecars::changed);
                }
                if self.views.due(SystemClock.now()) {
                    for words in self.rewrite_from(&ledger).warnings {
                        listener.hear(&Event::Warning { message: tried_again(&words) });
                    }
                }
                if self.sidecars.as_ref().is_some_and(|sidecars| sidecars.due(SystemClock.now())) {
                    for message in self.write_sidecars(&ledger) {
                        listener.hear(&Event::Warning { message });
                    }
                }
                std::thread::park_timeout(LOOK_EVERY);
            }
            self
        });
        let thread = thread.map_err(|error| CommandError::internal("no thread for the files").because(error))?;
        Ok(Following { thread, stop })
    }
}

/// How a file of a batch is written, where it is not as a run writes it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Manner<'r> {
    /// As a workbook, which tells of that batch.
    pub(in crate::cli) workbook: Option<&'r WorkbookOf>,
    /// Every take of a job has a row, and not only what was bought of it.
    pub(in crate::cli) every_take: bool,
    /// With what the amounts were worth.
    pub(in crate::cli) fiat: Option<FiatColumns<'r>>,
}

impl Manner<'_> {
    /// A table of that batch.
    pub(in crate::cli) fn form(&self, layout: &Layout) -> TableForm {
        let dialect = Dialect { delimiter: u8::try_from(layout.delimiter).unwrap_or(b','), bom: layout.bom };
        self.workbook.map_or(TableForm::Csv(dialect), |of| TableForm::Workbook(of.clone()))
    }
}

/// Writes one file of a batch from its rows in the ledger, laid out as the batch remembers.
pub(in crate::cli) fn write(
    kind: OutputKind,
    ledger: &OpenLedger,
    (batch, layout): (BatchKey, &Layout),
    manner: &Manner<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let broken = io::Error::other::<LedgerError>;
    let form = manner.form(layout);
    match kind {
        OutputKind::Results => {
            let mut results = ResultsFile::new(layout.params.clone(), layout.extra.clone(), form);
            let name = ledger.name_of(batch).map_err(broken)?;
            let id = ledger_of(ledger, &name).map_err(broken)?;
            results.stamp(name, id);
            results.write(out, &mut |each| match manner.every_take {
                true => ledger.all_takes(batch, &mut |take| each(take.row)).map_err(broken)?,
                false => ledger.results(batch, each).map_err(broken)?,
            })
        }
        OutputKind::Receipts => {
            let mut receipts = ReceiptsFile::new(layout.extra.clone(), form);
            receipts.worth(manner.fiat);
            receipts.write(out, &mut |each| ledger.receipts(batch, each).map_err(broken)?)
        }
    }
}

/// Whether the batch remembers to have written what stands there.
fn wrote(before: &OutputFile, path: &Path) -> bool {
    before.written_path() == Some(&*absolute(path))
}

/// A batch whose files are written, and what is known of them.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Owner<'a> {
    /// Its ledger and its name.
    pub(in crate::cli) of: Option<(&'a OpenLedger, &'a str)>,
    /// What it remembers to have written.
    pub(in crate::cli) before: &'a Outputs,
    /// It is of play money.
    pub(in crate::cli) is_play: bool,
    /// What is said of where its files go.
    pub(in crate::cli) asked: &'a config::Files,
}

impl Owner<'_> {
    /// Whether what stands there is its own. With play money each run has a ledger of its own, and replaces what the last one left in its
    /// place.
    ///
    /// # Errors
    /// Where it cannot be read; and where it is of play money and what stands there is not known to be: the proof of a payment keeps
    /// it from being made again, and no word replaces it.
    pub(in crate::cli) fn is_ours(&self, kind: OutputKind, path: &Path) -> Result<bool, Failure> {
        if self.is_play && own::is_in_earnest(kind, path) {
            return Err(in_earnest(kind, path).into());
        }
        // What the batch has written last it knows; what it took over, or wrote before under its usual name, the file itself tells.
        // Elsewhere a file may be somebody's copy of it.
        let (before, is_usual) = (&self.before.files[kind], self.asked.paths[kind].is_none());
        if (self.is_play && is_usual) || wrote(before, path) {
            return Ok(true);
        }
        let tells = self.of.filter(|_| !before.written || is_usual);
        tells.map_or(Ok(false), |of| own::is_own(kind, of, path, before.written))
    }
}

/// Refuses paths of a run that would replace something else, and names by which others take its files for what they are not.
pub(in crate::cli) fn check(paths: &OutputPaths, owner: &Owner<'_>, inputs: &[(&str, &Path)]) -> Result<(), Failure> {
    let mut outputs = Vec::new();
    for (kind, path) in paths.iter() {
        if path == Path::new(STDOUT) {
            let message = "a run's files are replaced as it goes on: `-` is for `export`, later";
            return Err(CommandError::usage(message).into());
        }
        if owner.asked.paths[kind].is_some() && form_of(path) != Some(FileForm::Text) {
            let message =
                format!("--{kind} {}: a run writes a CSV, and its name says that it is a workbook", path.display());
            return Err(CommandError::usage(message)
                .hint("name a file that ends in .csv; `export` makes a workbook of it, later")
                .into());
        }
        outputs.push(Output { option: kind.into(), path, ours: owner.is_ours(kind, path)? });
    }
    Ok(check_outputs(&outputs, inputs, owner.asked.overwrite)?)
}

fn in_earnest(kind: OutputKind, path: &Path) -> CommandError {
    CommandError::usage(format!(
        "--{kind} {} holds {kind} that are not known to be of play money, which replaces no others",
        path.display()
    ))
    .hint("leave them there, as they tell what is bought already, and give another path")
}

/// Where results and receipts of a manifest's batch go where nobody says: beside the manifest, and with the batch's name where
/// they would be another batch's.
pub(in crate::cli) fn usual_paths(
    ledger: Option<&OpenLedger>,
    known: Option<&Batch>,
    manifest: &Path,
    name: &str,
    sandbox: bool,
) -> Result<OutputPaths, Failure> {
    let (usual, own) = (default_paths(manifest, sandbox), batch_paths(manifest, name, sandbox));
    let has_written = |batch: &Batch, paths: &OutputPaths| -> Result<bool, Failure> {
        let before = &batch.remembered.outputs.files;
        if paths.iter().any(|(kind, path)| wrote(&before[kind], path)) {
            return Ok(true);
        }
        let Some(ledger) = ledger else { return Ok(false) };
        // Its files went elsewhere since; or a merge took over what receipts tell, and its results are gone.
        for (kind, path) in paths.iter() {
            if own::tells_of(kind, (ledger, &batch.name), path, before[kind].written)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    for paths in [&own, &usual] {
        if known.map_or(Ok(false), |batch| has_written(batch, paths))? {
            return Ok(paths.clone());
        }
    }
    let of_manifest = ledger.map(|ledger| ledger.batches_at(&manifest.display().to_string())).transpose()?;
    for other in of_manifest.into_iter().flatten().filter(|batch| batch.name != name) {
        if has_written(&other, &usual)? {
            return Ok(own);
        }
    }
    Ok(usual)
}

/// What stands for the ledger in the results of that batch.
pub(in crate::cli) fn ledger_of(ledger: &OpenLedger, batch: &str) -> Result<String, LedgerError> {
    match ledger.batch(batch)? {
        Some(batch) if batch.sandbox => Ok(PLAY_LEDGER.to_owned()),
        Some(_) | None => ledger.id(),
    }
}

/// Why a file of a run is not whole, to a person who watches that run.
fn tried_again(words: &str) -> String {
    format!("{words}; it is tried again, and `export` writes it elsewhere")
}

/// A path as the ledger remembers it.
pub(in crate::cli) fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Files that follow a run.
pub(in crate::cli) struct Following {
    thread: JoinHandle<Files>,
    stop: Arc<AtomicBool>,
}

impl Following {
    /// Ends the following and writes both files as the ledger now is. Says whether that could be done.
    pub(in crate::cli) fn finish(self, reporter: &Reporter) -> Result<bool, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let mut files = self.thread.join().map_err(|_| CommandError::internal("the thread of the files has failed"))?;
        let rewritten = files.rewrite_now()?;
        let _written_once_more = files.note();
        if files.sidecars.is_some() {
            let ledger = crate::ledger::open(&files.ledger, OpenMode::Read)?;
            files.write_sidecars(&ledger).into_iter().for_each(|words| reporter.warn(words));
        }
        let is_new = |words: &String| rewritten.warnings.contains(words);
        for words in rewritten.warnings.iter().filter(|words| !rewritten.failing.contains(words)) {
            reporter.warn(tried_again(words));
        }
        // Why a file is not whole at the end is what the next steps point at.
        for words in &rewritten.failing {
            if is_new(words) { reporter.insist(&tried_again(words)) } else { reporter.remind(&tried_again(words)) }
        }
        Ok(rewritten.failing.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ByKind;
    use crate::time::UnixMs;

    #[test]
    fn those_files_follow_that_the_batch_has_written() {
        let folder = tempfile::tempdir().unwrap();
        let address = LedgerAddress::of_file(folder.path().join("ledger.db"));
        for written in [&[][..], &[OutputKind::Results], &[OutputKind::Receipts], OutputKind::ALL] {
            let at = |kind| folder.path().join(format!("{kind}-{}", written.len()));
            let file = |kind| OutputFile { path: Some(absolute(&at(kind))), written: written.contains(&kind) };
            let outputs = Outputs { files: ByKind::of(file), ..Outputs::default() };
            let batch = Batch {
                key: BatchKey(1),
                name: "june".to_owned(),
                manifest: "/jobs/june.csv".to_owned(),
                sandbox: false,
                created_at: UnixMs(0),
                last_run_at: UnixMs(0),
                remembered: Remembered { outputs, ..Remembered::default() },
                is_damaged: false,
            };
            if let Some(mut files) = Files::remembered(&address, &batch) {
                files.views.rewrite(&|| UnixMs(0), &mut |kind, out| write!(out, "{kind}"));
            }
            for kind in OutputKind::ALL {
                assert_eq!(at(*kind).exists(), written.contains(kind), "{kind} of {written:?}");
                let _ = std::fs::remove_file(at(*kind));
            }
        }
    }
}
