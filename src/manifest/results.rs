//! Our own results file as a manifest: whose results it holds, and its rows as they were written.
//!
//! Its cells are complete: no default is applied to them, and no catalogue is needed to compare them with what the ledger holds.

use csv::ByteRecord;

use super::bounded_reader::BoundedReader;
use super::names::{PARAMS_PREFIX, RESULTS_COLUMNS, fold, normal_id};
use super::open::Manifest;
use super::rows::Rows;
use crate::csv_escape::{restore, trim};
use crate::diagnostic::Diagnostic;

/// The columns that name a row's batch and ledger.
pub(crate) const BATCH_COLUMN: &str = "l402_batch";
pub(crate) const LEDGER_COLUMN: &str = "l402_ledger";

/// Whose results a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsOf {
    /// The id of the ledger, in hex.
    pub ledger: String,
    /// The batch's name.
    pub batch: String,
}

/// One row of a results file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsRow {
    /// The job's id.
    pub id: String,
    /// Its take, where the file says it.
    pub take: Option<u32>,
    /// Its endpoint; empty where the file has no such column.
    pub endpoint: String,
    /// Its parameters' cells, by name as headers are compared.
    pub params: Vec<(String, String)>,
}

impl ResultsRow {
    /// The row with these cells, each with its column's name.
    #[must_use]
    pub fn of<'c>(cells: impl IntoIterator<Item = (&'c str, &'c str)>) -> Self {
        let mut row = Self { id: String::new(), take: None, endpoint: String::new(), params: Vec::new() };
        for (name, cell) in cells {
            match fold(name).as_str() {
                "id" => row.id = normal_id(cell).into_owned(),
                "take" => row.take = cell.parse().ok(),
                "endpoint" => row.endpoint = cell.to_owned(),
                name if name.is_empty() || RESULTS_COLUMNS.contains(&name) || name.starts_with("x_") => {}
                name => row.params.push((name.strip_prefix(PARAMS_PREFIX).unwrap_or(name).to_owned(), cell.to_owned())),
            }
        }
        row
    }
}

impl Manifest {
    /// Whose results it holds; none where it is no results file, or one of a version that did not say it.
    ///
    /// # Errors
    /// Where it holds rows of more than one batch, or rows that name none beside rows that do.
    pub fn results_of(&self) -> Result<Option<ResultsOf>, Vec<Diagnostic>> {
        let Some(mut pass) = self.results_pass() else { return Ok(None) };
        let (Some(batch_at), Some(ledger_at)) = (pass.position(BATCH_COLUMN), pass.position(LEDGER_COLUMN)) else {
            return Ok(None);
        };
        let mut found: Option<ResultsOf> = None;
        let mut rows = 0;
        while let Some(cells) = pass.next_cells() {
            let cell = |at: usize| cells.get(at).map(String::as_str).unwrap_or_default().to_owned();
            let of = ResultsOf { ledger: cell(ledger_at), batch: cell(batch_at) };
            match &found {
                Some(first) if *first != of => return Err(vec![self.mixed(first, &of)]),
                Some(_) => {}
                None => found = Some(of),
            }
            rows += 1;
        }
        if pass.has_wrong_quotes() {
            // The plan says where; until it is mended, nothing is known of whose results they are.
            return Ok(None);
        }
        Ok(found.filter(|of| rows > 0 && !of.ledger.is_empty() && !of.batch.is_empty()))
    }

    /// The rows of a results file, one after the other; none where it is no CSV.
    pub fn results_rows(&self) -> impl Iterator<Item = ResultsRow> + '_ {
        self.results_pass().into_iter().flatten()
    }

    fn results_pass(&self) -> Option<ResultsPass<'_>> {
        let rows = self.own_rows()?;
        let mut reader = rows.reader();
        reader.get_mut().begin_record();
        let mut header = ByteRecord::new();
        reader.read_byte_record(&mut header).ok().filter(|is_there| *is_there)?;
        let names = header.iter().map(|name| fold(&String::from_utf8_lossy(name))).collect();
        Some(ResultsPass { names, reader })
    }

    fn mixed(&self, first: &ResultsOf, other: &ResultsOf) -> Diagnostic {
        let words = |of: &ResultsOf| if of.batch.is_empty() { "none".to_owned() } else { format!("\"{}\"", of.batch) };
        let message = format!("rows of more than one batch: {} and {}", words(first), words(other));
        let help = format!(
            "keep the rows of one batch in a file and run each; a new job belongs into the manifest; without the columns \
             {BATCH_COLUMN} and {LEDGER_COLUMN} the file is a manifest like any other"
        );
        Diagnostic::error(self.path.display().to_string(), message).help(help)
    }
}

/// One reading of a results file's rows.
struct ResultsPass<'m> {
    names: Vec<String>,
    reader: csv::Reader<BoundedReader<'m>>,
}

impl ResultsPass<'_> {
    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Whether what was read holds quotes that do not stand as they must.
    fn has_wrong_quotes(&self) -> bool {
        let quotes = &self.reader.get_ref().quotes;
        quotes.has_stray() || quotes.left_open().is_some()
    }

    /// The cells of the next row that has any content; none at the end, or where it cannot be read: the plan says why.
    fn next_cells(&mut self) -> Option<Vec<String>> {
        let mut record = ByteRecord::new();
        loop {
            self.reader.get_mut().begin_record();
            if !self.reader.read_byte_record(&mut record).ok()? {
                return None;
            }
            let cell = |cell: &[u8]| restore(trim(&String::from_utf8_lossy(cell))).replace("\r\n", "\n");
            let cells: Vec<String> = record.iter().map(cell).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                return Some(cells);
            }
        }
    }
}

impl Iterator for ResultsPass<'_> {
    type Item = ResultsRow;

    fn next(&mut self) -> Option<Self::Item> {
        let cells = self.next_cells()?;
        Some(ResultsRow::of(self.names.iter().map(String::as_str).zip(cells.iter().map(String::as_str))))
    }
}

/// The columns by which rows of a results file say how their jobs stand; none where it says nothing of that.
#[derive(Debug, Default)]
pub(super) struct StandColumns {
    state: Option<usize>,
    /// The ledger and the batch that a row is of.
    of: [Option<usize>; 2],
}

impl StandColumns {
    /// Those of these rows. A file that names no ledger and no batch holds results only where more than one of the other
    /// columns is ours: `state` may be anybody's.
    pub(super) fn of(rows: &Rows) -> Self {
        let of = [LEDGER_COLUMN, BATCH_COLUMN].map(|name| rows.results_column(name));
        let is_ours = ["take", "reason", "next"].iter().all(|name| rows.results_column(name).is_some());
        let state = rows.results_column("state").filter(|_| is_ours || of.iter().any(Option::is_some));
        Self { state, of }
    }

    /// Whether the row with these cells says that its job is bought, or may be. Of one that names a ledger or a batch that is
    /// not known here, silence says that too.
    pub(super) fn says_bought<'r>(&self, filled: impl Fn(usize) -> Option<&'r str>) -> bool {
        match self.state.and_then(&filled) {
            Some(state) => !matches!(state, "pending" | "refused" | "failed"),
            None => self.of.iter().flatten().any(|column| filled(*column).is_some()),
        }
    }
}
