//! `run FILE.plan`: buys exactly what a saved plan says, in one batch.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::cli::options::config::{Frozen, ManifestSource, Payment, RunOptions};
use crate::cli::options::values::{ManifestFormat, Pair};
use crate::cli::{CommandError, Failure};
use crate::ledger::port::Batches;
use crate::ledger::{Batch, LedgerAddress, OpenMode};
use crate::manifest::{Duplicates, Format, Manifest, SheetChoice, TableOptions};
use crate::money::counted_are;
use crate::plan::Plan;
use crate::plan::saved::{Drift, SavedError, SavedHead, SavedPlan, SavedReading};

/// A saved plan that is run.
pub(super) struct Saved {
    path: PathBuf,
    head: SavedHead,
}

/// Reads the saved plan that is named, where one is, and gives the run that it says: the plan is the yes.
///
/// # Errors
/// Where the file cannot be read, or is for another ledger or wallet than the run's.
pub(super) fn open(options: &RunOptions) -> Result<Option<(RunOptions, Saved)>, Failure> {
    let Some(path) = &options.saved_plan else { return Ok(None) };
    let Payment::Node(node, ledger) = &options.payment else {
        return Err(CommandError::usage("a saved plan is of real money, and this run is for play money").into());
    };
    let SavedPlan { head, endpoints } = read(path, |text| SavedPlan::read(text))?;
    if let Some(url) = head.wallet.url.as_ref().filter(|url| **url != node.url.to_string()) {
        let words =
            format!("{} was made for the node at {url}, and this run pays through {}", path.display(), node.url);
        return Err(CommandError::not_as_planned(words).hint("name that node, or save a plan for this one").into());
    }
    let batch = begun(path, &head, ledger)?;
    let mut run = options.clone();
    let manifest = &mut run.manifest;
    manifest.source = ManifestSource::File(PathBuf::from(&head.manifest.path), format(&head)?);
    manifest.batch = Some(batch.unwrap_or_else(|| head.batch.clone()));
    let pair = |(key, value): &(String, String)| Pair { key: key.clone(), value: value.clone() };
    manifest.defaults = head.reading.defaults.iter().map(pair).collect();
    manifest.columns = head.reading.columns.iter().map(pair).collect();
    let SavedReading { delimiter, sheet, header_row, hidden_rows, .. } = &head.reading;
    manifest.table = TableOptions {
        delimiter: delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()),
        sheet: sheet.as_deref().map(SheetChoice::from),
        header_row: *header_row,
        hidden_rows: *hidden_rows,
    };
    let endpoints = endpoints.into_iter().map(|saved| saved.endpoint).collect();
    manifest.frozen = Some(Frozen { endpoints, limits: head.limits.clone() });
    run.buying.choice.yes = true;
    // What the plan does not say of duplicates is bought by no variable that is left set.
    run.buying.choice.duplicates = run.buying.choice.duplicates.filter(|word| *word != Duplicates::Buy);
    Ok(Some((run, Saved { path: path.clone(), head })))
}

/// The name of the batch that the plan has begun; none where it has begun none. It is asked of the ledger for which it was made, and of no
/// other: in another one it would begin a second batch.
fn begun(path: &Path, head: &SavedHead, ledger: &LedgerAddress) -> Result<Option<String>, Failure> {
    let made_for = &head.ledger;
    let open = ledger.exists().then(|| crate::ledger::open(ledger, OpenMode::Read)).transpose()?;
    let id = open.as_ref().map(Batches::id).transpose()?;
    let is_it = match &made_for.id {
        Some(made_for) => Some(made_for) == id.as_ref(),
        None => std::path::absolute(ledger.file()).is_ok_and(|file| file == Path::new(&made_for.address)),
    };
    if !is_it {
        let words = format!(
            "{} was made for the ledger at {}, and {ledger} is another one: a plan begins one batch, ever",
            path.display(),
            made_for.address
        );
        let hint = "name that ledger with --ledger, or save a plan for this one";
        return Err(CommandError::not_as_planned(words).hint(hint).into());
    }
    let all = open.map(|ledger| ledger.uncounted()).transpose()?.unwrap_or_default();
    Ok(all.into_iter().find(|batch| batch.remembered.plan.as_ref() == Some(&head.id)).map(|batch| batch.name))
}

fn format(head: &SavedHead) -> Result<ManifestFormat, Failure> {
    let format = head.reading.format.as_str();
    let known = Format::ENDINGS.iter().find(|(ending, _)| *ending == format).map(|(_, format)| *format);
    Ok(known
        .map(ManifestFormat::from)
        .ok_or_else(|| CommandError::usage(format!("a manifest of the kind {format}")))?)
}

fn read<T>(path: &Path, with: impl FnOnce(&mut BufReader<File>) -> Result<T, SavedError>) -> Result<T, Failure> {
    let file = File::open(path).map_err(SavedError::Read);
    let unusable = |error: SavedError| {
        let words = CommandError::usage(format!("{}: {error}", path.display()));
        match error {
            SavedError::Read(cause) => words.because(cause),
            SavedError::Stranger | SavedError::Newer(_) | SavedError::Changed => {
                words.hint("save the plan anew: plan MANIFEST --out FILE.plan")
            }
        }
    };
    Ok(file.and_then(|file| with(&mut BufReader::with_capacity(1 << 16, file))).map_err(unusable)?)
}

impl Saved {
    /// What the ledger remembers of it.
    pub(super) fn id(&self) -> &str {
        &self.head.id
    }

    /// Holds what would be bought against what was planned, and the batch against the plan.
    ///
    /// # Errors
    /// Where anything differs, by the name of each row; nothing was bought.
    pub(super) fn check(&self, manifest: &Manifest, plan: &Plan, known: Option<&Batch>) -> Result<(), Failure> {
        let path = self.path.display();
        if let Some(batch) = known.filter(|batch| batch.remembered.plan.as_ref() != Some(&self.head.id)) {
            let words =
                format!("the batch {} was not begun by {path}: a saved plan begins a batch of its own", batch.name);
            return Err(CommandError::not_as_planned(words)
                .hint("save the plan anew with --batch OTHER; what that batch lacks its own manifest buys")
                .into());
        }
        let edition = manifest.edition.as_ref().map(ToString::to_string);
        let says = manifest.duplicates.map(|word| word.as_str().to_owned());
        if (says.as_ref(), edition.as_ref()) != (self.head.duplicates.as_ref(), self.head.edition.as_ref()) {
            let words = format!("the manifest says otherwise of duplicates or edition than when {path} was made");
            return Err(self.drifted(words));
        }
        let is_same = plan.fingerprint() == self.head.fingerprint
            && manifest.sha256().map_err(Failure::Input)? == self.head.manifest.sha256;
        if is_same {
            return Ok(());
        }
        let drift = read(&self.path, |text| Drift::of(text, plan.jobs(manifest)))?.map_err(Failure::Input)?;
        if drift.is_none() {
            return Ok(());
        }
        let kinds = drift.kinds().map(|(ids, what)| {
            let more = if ids.first.len() as u64 == ids.count { "" } else { ", …" };
            format!("{} {what}: {}{more}", counted_are(ids.count, "row"), ids.first.join(", "))
        });
        let kinds: Vec<String> = kinds.collect();
        Err(self.drifted(format!("{} is no longer as {path} has it: {}", self.head.manifest.path, kinds.join("; "))))
    }

    fn drifted(&self, words: String) -> Failure {
        CommandError::not_as_planned(format!("{words}; nothing was bought"))
            .hint("undo what was changed, or save the plan anew under another batch: plan MANIFEST --batch OTHER --out FILE.plan; `recover` finishes what is open")
            .into()
    }
}
