//! Results and receipts that follow a run: made from ledger rows alone, replaced whole, rebuilt at the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cli::options::config;
use crate::cli::{CommandError, Failure};
use crate::ledger::port::{Batches, Views as _};
use crate::ledger::{Batch, BatchKey, Layout, LedgerAddress, LedgerError, OpenLedger, OpenMode, Outputs};
use crate::manifest::PLAY_LEDGER;
use crate::report::{
    Dialect, Output, OutputPaths, ReceiptsFile, ResultsFile, Rewritten, Views, batch_paths, check_outputs,
    default_paths,
};
use crate::run::{Clock, SystemClock};

use crate::cli::batch::own;
use crate::cli::batch::reporter::Reporter;

/// The name that stands for standard output.
pub(in crate::cli) const STDOUT: &str = "-";
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The files of one batch.
pub(in crate::cli) struct Files {
    ledger: LedgerAddress,
    batch: BatchKey,
    views: Views,
}

impl Files {
    /// The files at these paths, laid out as the batch remembers.
    pub(in crate::cli) fn new(ledger: &LedgerAddress, batch: BatchKey, layout: &Layout, paths: OutputPaths) -> Self {
        let (results, receipts) = laid_out(layout);
        Self { ledger: ledger.clone(), batch, views: Views::new(paths, results, receipts) }
    }

    /// The files that a batch has written before, if it has.
    pub(in crate::cli) fn remembered(ledger: &LedgerAddress, batch: &Batch) -> Option<Self> {
        let outputs = &batch.remembered.outputs;
        let paths = OutputPaths {
            results: PathBuf::from(outputs.results.as_ref().filter(|_| outputs.results_written)?),
            receipts: PathBuf::from(outputs.receipts.as_ref().filter(|_| outputs.receipts_written)?),
        };
        Some(Self::new(ledger, batch.key, &batch.remembered.layout, paths))
    }

    /// Writes both, and gives what a person should know.
    pub(in crate::cli) fn rewrite(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.rewrite_now()?.warnings)
    }

    fn rewrite_now(&mut self) -> Result<Rewritten, Failure> {
        let ledger = crate::ledger::open(&self.ledger, OpenMode::Read)?;
        Ok(self.rewrite_from(&ledger))
    }

    fn rewrite_from(&mut self, ledger: &OpenLedger) -> Rewritten {
        let batch = self.batch;
        // Where the ledger cannot be read, neither can its rows, and that is told.
        if let Ok((name, id)) = ledger.name_of(batch).and_then(|name| Ok((name.clone(), ledger_of(ledger, &name)?))) {
            self.views.stamp(name, id);
        }
        let broken = std::io::Error::other::<crate::ledger::LedgerError>;
        self.views.rewrite(
            &|| SystemClock.now(),
            &mut |each| ledger.results(batch, each).map_err(broken)?,
            &mut |each| ledger.receipts(batch, each).map_err(broken)?,
        )
    }

    /// Follows a run on a thread of its own, so that a slow disk stalls no payment.
    pub(in crate::cli) fn follow(mut self, changed: Arc<AtomicBool>) -> Result<Following, Failure> {
        let ledger = crate::ledger::open(&self.ledger, OpenMode::Read)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("files".to_owned()).spawn(move || {
            let mut warnings = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                if changed.swap(false, Ordering::Relaxed) {
                    self.views.changed();
                }
                if self.views.due(SystemClock.now()) {
                    warnings.extend(self.rewrite_from(&ledger).warnings);
                }
                std::thread::park_timeout(LOOK_EVERY);
            }
            (self, warnings)
        });
        let thread = thread.map_err(|error| CommandError::internal("no thread for the files").because(error))?;
        Ok(Following { thread, stop })
    }
}

/// Results and receipts as a batch remembers them to be laid out.
pub(in crate::cli) fn laid_out(layout: &Layout) -> (ResultsFile, ReceiptsFile) {
    let delimiter = u8::try_from(layout.delimiter).unwrap_or(b',');
    let dialect = Dialect { delimiter, bom: layout.bom };
    let results = ResultsFile::new(layout.params.clone(), layout.extra.clone(), dialect);
    (results, ReceiptsFile::new(layout.extra.clone(), dialect))
}

/// Refuses paths that would replace something else: the batch remembers in `before` what it has written, and `of` is the batch of
/// that name in that ledger. With `play` what stands there was written by an earlier run with play money.
pub(in crate::cli) fn check(
    paths: &OutputPaths,
    of: Option<(&OpenLedger, &str)>,
    before: &Outputs,
    play: bool,
    inputs: &[(&str, &Path)],
    asked: &config::Files,
) -> Result<(), Failure> {
    let ours = |path: &Path, remembered: &Option<String>, written: bool| {
        play || (written && remembered.as_deref() == Some(&*absolute(path)))
    };
    if [&paths.results, &paths.receipts].into_iter().any(|path| path == Path::new(STDOUT)) {
        return Err(CommandError::usage("a run's files are replaced as it goes on: `-` is for `export`, later").into());
    }
    // What the batch has written last it knows; what it took over, or wrote before under its usual name, the file itself tells.
    // Elsewhere a file may be somebody's copy of it.
    let tells = |written: bool, given: &Option<PathBuf>| of.filter(|_| !written || given.is_none());
    let own_results = |(ledger, batch)| own::results(ledger, batch, &paths.results, before.results_written);
    let own_receipts = |(ledger, batch)| own::receipts(ledger, batch, &paths.receipts);
    let outputs = [
        Output {
            name: "--results",
            path: &paths.results,
            ours: ours(&paths.results, &before.results, before.results_written)
                || tells(before.results_written, &asked.results).map_or(Ok(false), own_results)?,
        },
        Output {
            name: "--receipts",
            path: &paths.receipts,
            ours: ours(&paths.receipts, &before.receipts, before.receipts_written)
                || tells(before.receipts_written, &asked.receipts).map_or(Ok(false), own_receipts)?,
        },
    ];
    Ok(check_outputs(&outputs, inputs, asked.overwrite)?)
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
        let Outputs { results, results_written, receipts, receipts_written } = &batch.remembered.outputs;
        let is = |path: &Path, there: &Option<String>| there.as_deref() == Some(&*absolute(path));
        if (*results_written && is(&paths.results, results)) || (*receipts_written && is(&paths.receipts, receipts)) {
            return Ok(true);
        }
        let Some(ledger) = ledger else { return Ok(false) };
        // Its files went elsewhere since; or a merge took over what receipts tell, and its results are gone.
        Ok(own::results(ledger, &batch.name, &paths.results, *results_written)?
            || own::tells_of(ledger, &batch.name, &paths.receipts)?)
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
pub(in crate::cli) fn tried_again(words: &str) -> String {
    format!("{words}; it is tried again, and `export` writes it elsewhere")
}

/// A path as the ledger remembers it.
pub(in crate::cli) fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Files that follow a run.
pub(in crate::cli) struct Following {
    thread: JoinHandle<(Files, Vec<String>)>,
    stop: Arc<AtomicBool>,
}

impl Following {
    /// Ends the following and writes both files as the ledger now is. Says whether that could be done.
    pub(in crate::cli) fn finish(self, reporter: &Reporter) -> Result<bool, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let (mut files, warnings) =
            self.thread.join().map_err(|_| CommandError::internal("the thread of the files has failed"))?;
        let rewritten = files.rewrite_now()?;
        let is_new = |words: &String| warnings.contains(words) || rewritten.warnings.contains(words);
        for words in warnings.iter().chain(&rewritten.warnings).filter(|words| !rewritten.failing.contains(words)) {
            reporter.warn(tried_again(words));
        }
        // Why a file is not whole at the end is what the next steps point at.
        for words in &rewritten.failing {
            if is_new(words) { reporter.insist(&tried_again(words)) } else { reporter.remind(&tried_again(words)) }
        }
        Ok(rewritten.failing.is_empty())
    }
}
