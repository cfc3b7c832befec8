//! Our own results file as a manifest: whose results it holds, and its rows as they were written.
//!
//! Its cells are complete: no default is applied to them, and no catalogue is needed to compare them with what the ledger holds.

use std::path::Path;

use super::names::{EXTRA_PREFIX, PARAMS_PREFIX, RESULTS_COLUMNS, fold, normal_id};
use super::notes::Notes;
use super::open::Manifest;
use super::problems::Problems;
use super::records::TableRecords;
use super::row::Row;
use super::rows::{Rows, Source};
use super::stand::{BATCH_COLUMN, LEDGER_COLUMN};
use super::values::Wrong;
use crate::csv_escape::lf;
use crate::diagnostic::Diagnostic;

/// What stands in the place of the ledger in results of play money, whose ledger is gone with its run.
pub const PLAY_LEDGER: &str = "sandbox";
/// How such a file is called where nobody names it.
const PLAY_NAME: &str = ".sandbox.results.csv";

/// Whose results a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsOf {
    /// The id of the ledger, in hex; [`PLAY_LEDGER`] where they are of play money.
    pub ledger: String,
    /// The batch's name.
    pub batch: String,
}

/// One row of a results file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultsRow {
    /// The physical line on which it begins; 0 where it is of no file.
    pub line: u64,
    /// The job's id.
    pub id: String,
    /// Its take, where the file says it.
    pub take: Option<u32>,
    /// The file itself says that it was withdrawn.
    pub is_withdrawn: bool,
    /// Its endpoint; empty where the file has no such column.
    pub endpoint: String,
    /// The cells of all other columns that are not the results' own, by name as headers are compared: parameters, and what else
    /// there is.
    pub params: Vec<(String, String)>,
}

impl ResultsRow {
    /// The row with these cells, each with its column's name.
    #[must_use]
    pub fn of<'c>(cells: impl IntoIterator<Item = (&'c str, &'c str)>) -> Self {
        let mut row = Self::default();
        for (name, cell) in cells {
            match fold(name).as_str() {
                "id" => row.id = normal_id(cell).into_owned(),
                // A take that is no number is none that the job has.
                "take" => match cell.parse() {
                    Ok(take) => row.take = Some(take),
                    Err(_) => row.params.extend((!cell.is_empty()).then(|| ("take".to_owned(), cell.to_owned()))),
                },
                "endpoint" => row.endpoint = cell.to_owned(),
                "reason" => row.is_withdrawn = cell == "withdrawn",
                name if name.is_empty() || RESULTS_COLUMNS.contains(&name) || name.starts_with(EXTRA_PREFIX) => {}
                name => row.params.push((name.strip_prefix(PARAMS_PREFIX).unwrap_or(name).to_owned(), cell.to_owned())),
            }
        }
        row
    }
}

impl ResultsOf {
    /// Whether they are of play money.
    #[must_use]
    pub fn is_play(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.ledger == PLAY_LEDGER || name.ends_with(PLAY_NAME)
    }
}

impl Manifest {
    /// Whose results it holds; none where it is no results file, or one of a version that did not say it. Rows that are not whole say
    /// nothing here: [`Self::results_rows`] tells of them.
    ///
    /// # Errors
    /// Where it holds rows of more than one batch, or rows that name none beside rows that do.
    pub fn results_of(&self) -> Result<Option<ResultsOf>, Vec<Diagnostic>> {
        let Some(rows) = self.own_rows() else { return Ok(None) };
        let position = |name: &str| rows.names.iter().position(|known| known == name);
        let (Some(batch_at), Some(ledger_at)) = (position(BATCH_COLUMN), position(LEDGER_COLUMN)) else {
            return Ok(None);
        };
        let mut found: Option<ResultsOf> = None;
        let mut pass = ResultsPass::new(rows);
        let (mut mixed, mut is_torn) = (None, false);
        while mixed.is_none()
            && pass.next_row(&mut |row, problems| {
                let id = row.cell(ledger_at);
                if !id.is_empty() && !is_ledger_id(id) {
                    let wrong = Wrong::new(format!("{LEDGER_COLUMN}: not the id of a ledger: the row is not whole"));
                    row.problem(problems, ledger_at, wrong.help(TORN));
                    is_torn = true;
                    return;
                }
                let of = ResultsOf { ledger: row.cell(ledger_at).to_owned(), batch: row.cell(batch_at).to_owned() };
                match &found {
                    Some(first) if *first != of => mixed = Some(self.mixed(first, &of)),
                    Some(_) => {}
                    None => found = Some(of),
                }
            })
        {}
        if is_torn {
            return Err(pass.problems.finish(&rows.file));
        }
        match mixed {
            Some(error) => Err(vec![error]),
            None => Ok(found.filter(|of| !of.ledger.is_empty() && !of.batch.is_empty())),
        }
    }

    /// The rows of a results file, one after the other; none where it is no table. Its last item holds all errors: of rows that are not
    /// whole or name no job.
    pub fn results_rows(&self) -> impl Iterator<Item = Result<ResultsRow, Vec<Diagnostic>>> + '_ {
        let pass = self.own_rows().map(|rows| {
            let mut pass = ResultsPass::new(rows);
            if let Source::Sheet(sheet) = &rows.source {
                self.note_sheet(sheet);
                sheet.wrong.iter().for_each(|wrong| pass.problems.push(wrong.clone()));
            }
            pass
        });
        pass.into_iter().flatten()
    }

    fn mixed(&self, first: &ResultsOf, other: &ResultsOf) -> Diagnostic {
        // Two ledgers may each have a batch of that name.
        let are_alike = first.batch == other.batch;
        let words = |of: &ResultsOf| {
            let batch = if of.batch.is_empty() { "none".to_owned() } else { format!("\"{}\"", of.batch) };
            match of.ledger.as_str() {
                _ if !are_alike => batch,
                "" => format!("{batch} of no ledger"),
                ledger => format!("{batch} of the ledger {ledger}"),
            }
        };
        let message = format!("rows of more than one batch: {} and {}", words(first), words(other));
        let help = format!(
            "keep the rows of one batch in a file and run each; a new job belongs into the manifest; without the columns \
             {BATCH_COLUMN} and {LEDGER_COLUMN} the file is a manifest like any other"
        );
        Diagnostic::error(self.path.display().to_string(), message).help(help)
    }
}

/// One reading of a results file's rows.
pub(super) struct ResultsPass<'m> {
    rows: &'m Rows,
    records: TableRecords<'m>,
    problems: Problems,
    notes: Notes,
    is_done: bool,
}

impl<'m> ResultsPass<'m> {
    pub(super) fn new(rows: &'m Rows) -> Self {
        let records = TableRecords::new(rows);
        Self { rows, records, problems: Problems::default(), notes: Notes::default(), is_done: false }
    }

    /// Shows the next whole row. False at the end.
    pub(super) fn next_row(&mut self, see: &mut dyn FnMut(&Row<'_>, &mut Problems)) -> bool {
        let Self { records, problems, notes, .. } = self;
        records.next(problems, notes, |row, problems, _| see(row, problems)).is_some()
    }
}

impl ResultsPass<'_> {
    /// What is wrong with rows that are not whole.
    pub(super) fn into_problems(self) -> Vec<Diagnostic> {
        self.problems.finish(&self.rows.file)
    }
}

impl Iterator for ResultsPass<'_> {
    type Item = Result<ResultsRow, Vec<Diagnostic>>;

    fn next(&mut self) -> Option<Self::Item> {
        let names = &self.rows.names;
        while !self.is_done {
            let mut found = None;
            self.is_done = !self.next_row(&mut |row, problems| {
                if has_unfit(row, names, problems) {
                    return;
                }
                let cells: Vec<String> = (0..names.len()).map(|index| lf(row.cell(index)).into_owned()).collect();
                let of = ResultsRow::of(names.iter().map(String::as_str).zip(cells.iter().map(String::as_str)));
                if of.id.is_empty() {
                    let at = names.iter().position(|name| name == "id").unwrap_or_default();
                    row.problem(problems, at, Wrong::new("the row of a results file names no job").help(NO_ID));
                    return;
                }
                found = Some(ResultsRow { line: row.line(), ..of });
            });
            if let Some(row) = found {
                return Some(Ok(row));
            }
        }
        let errors = std::mem::take(&mut self.problems).finish(&self.rows.file);
        (!errors.is_empty()).then_some(Err(errors))
    }
}

/// Whether a cell by which jobs are chosen holds no value: a date, or what a formula ended with.
fn has_unfit(row: &Row<'_>, names: &[String], problems: &mut Problems) -> bool {
    let mut is_unfit = false;
    for (index, name) in names.iter().enumerate().filter(|(_, name)| chooses(name)) {
        if let Some(unfit) = row.unfit(index) {
            row.problem(problems, index, unfit.wrong(name, row.cell(index)));
            is_unfit = true;
        }
    }
    is_unfit
}

/// Whether what stands in the column of that name, as [`ResultsRow::of`] reads it, has to do with which job a row is, or what it buys.
fn chooses(name: &str) -> bool {
    let is_own = RESULTS_COLUMNS.contains(&name) || name.starts_with(EXTRA_PREFIX) || name.is_empty();
    !is_own || ["take", "reason", BATCH_COLUMN, LEDGER_COLUMN].contains(&name)
}

const TORN: &str = "take the file from where it was made once more, or take that row out";

/// Whether that is how a ledger is named: 32 digits in lower-case hex, or play money's word.
fn is_ledger_id(id: &str) -> bool {
    id == PLAY_LEDGER || id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

const NO_ID: &str =
    "results choose among the jobs of their batch by the column id: a new job belongs into the manifest";
