//! What a command is about: the jobs of a manifest, or the stored jobs that a results file names. Every command that foretells or buys
//! has it from here.

use crate::cli::options::layer::Layers;
use crate::cli::{CommandError, Failure, input, secrets};
use crate::ledger::port::{Batches, Foresee};
use crate::ledger::{Batch, ChosenRows, EditedRow, LoadError, OpenLedger, StoredJobs};
use crate::manifest::{JobSource, Limits, Manifest, is_job_key};
use crate::money::{counted, counted_are};
use crate::plan::{Plan, Policy};

/// What is said of jobs that are known by their receipts alone.
pub(in crate::cli) const UNPROVED: &str =
    "bought, as receipts prove, and nothing proves that the manifest asks for the same: not bought again";

/// Rows and columns that a message names.
const NAMED_MAX: usize = 5;
/// Characters of a cell that a message shows.
const CELL_CHARS_MAX: usize = 40;

/// A plan, and what it was made from.
pub(in crate::cli) struct Planned<'a> {
    pub(in crate::cli) plan: Plan,
    /// What may be spent: what the manifest limits counts, or, of a results file, what its batch's own manifest does.
    pub(in crate::cli) limits: Limits,
    /// What a results file chooses of its batch.
    pub(in crate::cli) rows: Option<ChosenRows>,
    manifest: &'a Manifest,
    stored: Option<StoredJobs<'a>>,
}

impl<'a> Planned<'a> {
    /// Plans every job of the manifest, or every stored job that a results file of that batch names; all errors come in one go.
    pub(in crate::cli) fn of(
        manifest: &'a Manifest,
        options: &Layers,
        of_results: Option<(&'a OpenLedger, &Batch)>,
    ) -> Result<Self, Failure> {
        let Some((ledger, batch)) = of_results else {
            let (plan, limits) = input::plan(manifest, options)?;
            return Ok(Self { plan, limits, rows: None, manifest, stored: None });
        };
        if manifest.takes_by_default() > 1 {
            let error = CommandError::usage(
                "a results file chooses among jobs that are there: --default repeat=TAKES plans none",
            );
            return Err(error
                .hint(format!("more takes are planned in the batch's manifest: it {}", batch.origin_words()))
                .into());
        }
        let rows = read(ledger, batch, manifest)?;
        let limits = options.with_manifest(&ledger.limits(batch.key)?);
        let policy = Policy::from_limits(&limits)?;
        let stored = StoredJobs::of(ledger, manifest, &rows);
        let plan = Plan::make(&stored, &policy).map_err(Failure::Input)?;
        secrets::check(plan.endpoints(), &secrets::of(&options.all().tables))?;
        Ok(Self { plan, limits, rows: Some(rows), manifest, stored: Some(stored) })
    }

    /// Where its jobs are read from.
    pub(in crate::cli) fn source(&self) -> &dyn JobSource {
        match &self.stored {
            Some(stored) => stored,
            None => self.manifest,
        }
    }
}

/// The rows of a results file, held against the stored jobs of its batch.
fn read(ledger: &OpenLedger, batch: &Batch, manifest: &Manifest) -> Result<ChosenRows, Failure> {
    let rows = ledger.read_rows(batch.key, manifest.results_rows()).map_err(|error| match error {
        LoadError::Plan(found) => Failure::Input(found),
        LoadError::Ledger(error) => error.into(),
    })?;
    match &rows.unknown {
        None => Ok(rows),
        Some((line, id)) => Err(CommandError::usage(format!(
            "line {line}: the batch {} has no job {id}; nothing was bought",
            batch.name
        ))
        .hint(format!("new jobs belong into its manifest: it {}", batch.origin_words()))
        .into()),
    }
}

/// What of a results file's rows is not carried out, and why: a run that leaves that out does not end with 0.
pub(in crate::cli) fn left_alone_words(rows: &ChosenRows) -> Vec<String> {
    let mut said = Vec::new();
    if rows.unproved.count > 0 {
        said.push(format!("{} {UNPROVED}", counted(rows.unproved.count, "job")));
    }
    if rows.edited.count > 0 {
        let named = listed(rows.edited.first.iter().map(edited), rows.edited.count);
        said.push(format!(
            "{} changed against what the ledger holds, and left alone: {named}; what is to be bought otherwise is changed in the \
             manifest",
            counted_are(rows.edited.count, "row")
        ));
    }
    if rows.withdrawn.count > 0 {
        let named = listed(rows.withdrawn.first.iter().cloned(), rows.withdrawn.count);
        let gone = if rows.withdrawn.count == 1 { "its row has" } else { "their rows have" };
        said.push(format!(
            "{} withdrawn, as {gone} gone from the manifest, and bought by no run: {named}; what is to be bought after all is put \
             back there",
            counted_are(rows.withdrawn.count, "job")
        ));
    }
    said
}

/// What else a person may want to know of the rows.
pub(in crate::cli) fn passed_over_words(rows: &ChosenRows) -> Vec<String> {
    let mut said = Vec::new();
    if rows.repeated > 0 {
        said.push(format!(
            "{} for jobs that stand in the file already: each is bought once",
            counted(rows.repeated, "row")
        ));
    }
    let ignored = rows.ignored.len() as u64;
    if ignored > 0 {
        let what = if ignored == 1 { "a column that is" } else { "columns that are" };
        let named = listed(rows.ignored.iter().map(|name| cell(name)), ignored);
        said.push(format!("{what} neither the batch's nor its results' own, and ignored: {named}"));
    }
    said
}

fn edited(row: &EditedRow) -> String {
    let EditedRow { line, id, column, here, stored } = row;
    let what = match (column.as_str(), stored.as_str()) {
        ("", _) => "nothing tells what was asked for".to_owned(),
        (name, "") if is_job_key(name) && name != "take" => {
            format!("{column} is {}, and has to be empty in results", cell(here))
        }
        (_, "") => format!("{column} is {}, and nothing in the ledger", cell(here)),
        (_, _) => format!("{column} is {}, and {} in the ledger", cell(here), cell(stored)),
    };
    format!("{id} (line {line}: {what})")
}

fn cell(text: &str) -> String {
    let mut shown: String = text.chars().take(CELL_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

fn listed(all: impl Iterator<Item = String>, count: u64) -> String {
    let mut named: Vec<String> = all.take(NAMED_MAX).collect();
    if usize::try_from(count).is_ok_and(|count| count > named.len()) {
        named.push("…".to_owned());
    }
    named.join(", ")
}
