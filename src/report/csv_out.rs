//! The columns and cells of results and receipts.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::catalog::{ImageSource, Value};
use crate::csv_escape::neutralise;
use crate::ledger::{ReceiptRow, ResultRow};
use crate::money::Msat;
use crate::time::UnixMs;

/// Streams rows from the ledger, one at a time and in order, into a closure.
pub type Rows<'a, T> = &'a mut dyn FnMut(&mut dyn FnMut(T) -> io::Result<()>) -> io::Result<()>;

/// How a CSV is written: as the manifest was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between two cells: `,`, `;` or a tab.
    pub delimiter: u8,
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', bom: false }
    }
}

impl Dialect {
    /// A writer whose content has begun, mark included.
    pub(super) fn begin(self, out: &mut dyn Write) -> io::Result<csv::Writer<&mut dyn Write>> {
        if self.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        Ok(csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(out))
    }
}

/// Columns of the results before and after the parameters, in order; then come `x_*`.
const RESULT_COLUMNS: [&str; 7] = ["id", "line", "take", "state", "reason", "next", "endpoint"];
const RESULT_COLUMNS_AFTER: [&str; 10] =
    ["price_sats", "price_msat", "fee_msat", "url", "file", "sha256", "attempts", "started_at", "finished_at", "error"];

/// Columns of the results after `x_*`, which are mostly empty.
const FURTHER_COLUMNS: [&str; 2] = ["more_urls", "more_files"];
/// Columns of the results after all others: never empty, as spreadsheets leave out what is at the end of a row.
const STAMP_COLUMNS: [&str; 2] = ["l402_batch", "l402_ledger"];

/// Columns of the receipts, in order; then come `x_*`.
const RECEIPT_COLUMNS: [&str; 18] = [
    "batch",
    "id",
    "take",
    "kind",
    "paid_at",
    "seller",
    "endpoint",
    "network",
    "amount_msat",
    "fee_msat",
    "total_msat",
    "amount_sats",
    "payment_hash",
    "preimage",
    "invoice",
    "payee_node",
    "payer_node",
    "url",
];

/// The job keys of a manifest that are no columns of ours: a parameter of that name needs `params.` to be read back.
const JOB_KEYS: [&str; 6] = ["params", "skip", "repeat", "max_sats", "matrix", "include"];

/// The results of a batch: one row a job. `price_sats` is rounded up, where a price is not a whole number of sats.
#[derive(Clone, Debug)]
pub struct ResultsFile {
    params: Vec<String>,
    extra: Vec<String>,
    dialect: Dialect,
    /// Batch and ledger, which stand in every row.
    of: Option<(String, String)>,
}

impl ResultsFile {
    /// With a column for each parameter and for each `x_*` column (their names as the manifest has them), in that order.
    #[must_use]
    pub const fn new(params: Vec<String>, extra: Vec<String>, dialect: Dialect) -> Self {
        Self { params, extra, dialect, of: None }
    }

    /// With the names of batch and ledger in every row, by which the file can be run as a manifest.
    pub fn stamp(&mut self, batch: String, ledger: String) {
        self.of = Some((batch, ledger));
    }

    /// Writes the whole file.
    ///
    /// # Errors
    /// Where `out` cannot be written or `rows` cannot be read.
    pub fn write(&self, out: &mut dyn Write, rows: Rows<'_, ResultRow>) -> io::Result<()> {
        let mut csv = self.dialect.begin(out)?;
        let params: Vec<String> = self.params.iter().map(|name| param_column(name)).collect();
        let names = RESULT_COLUMNS.iter().copied().chain(params.iter().map(String::as_str));
        let names = names.chain(RESULT_COLUMNS_AFTER).chain(self.extra.iter().map(String::as_str));
        let names = names.chain(FURTHER_COLUMNS).chain(self.of.iter().flat_map(|_| STAMP_COLUMNS));
        csv.write_record(names.map(|name| neutralise(name).into_owned()))?;
        rows(&mut |row| self.row(&mut csv, &row))?;
        csv.flush()
    }

    fn row(&self, csv: &mut csv::Writer<&mut dyn Write>, row: &ResultRow) -> io::Result<()> {
        let mut put = Cells(csv);
        put.standing(row)?;
        for name in &self.params {
            put.value(row.params.iter().find(|(given, _)| given == name).map(|(_, value)| value))?;
        }
        put.number(row.price.sats_ceil().get())?;
        put.number(row.price.get())?;
        put.msat(row.fee)?;
        put.maybe(row.url.as_deref())?;
        put.maybe(row.file.as_deref())?;
        put.maybe(row.sha256.as_deref())?;
        put.number(row.attempts)?;
        put.time(row.started_at)?;
        put.time(row.finished_at)?;
        put.maybe(row.error.as_deref())?;
        put.extra(&self.extra, &row.extra)?;
        put.list(&row.more_urls())?;
        put.list(&row.more_files())?;
        if let Some((batch, ledger)) = &self.of {
            put.text(batch)?;
            put.word(ledger)?;
        }
        put.end()
    }
}

/// The receipts of a batch: one row a settlement. `amount_sats` is rounded up; `total_msat` is amount and fee, and empty
/// until the fee is posted.
#[derive(Clone, Debug)]
pub struct ReceiptsFile {
    extra: Vec<String>,
    dialect: Dialect,
}

impl ReceiptsFile {
    /// With a column for each `x_*` column, in that order.
    #[must_use]
    pub const fn new(extra: Vec<String>, dialect: Dialect) -> Self {
        Self { extra, dialect }
    }

    /// Writes the whole file.
    ///
    /// # Errors
    /// Where `out` cannot be written or `rows` cannot be read.
    pub fn write(&self, out: &mut dyn Write, rows: Rows<'_, ReceiptRow>) -> io::Result<()> {
        let mut csv = self.dialect.begin(out)?;
        let names = RECEIPT_COLUMNS.iter().copied().chain(self.extra.iter().map(String::as_str));
        csv.write_record(names.map(|name| neutralise(name).into_owned()))?;
        rows(&mut |row| self.row(&mut csv, &row))?;
        csv.flush()
    }

    fn row(&self, csv: &mut csv::Writer<&mut dyn Write>, row: &ReceiptRow) -> io::Result<()> {
        let mut put = Cells(csv);
        put.text(&row.batch)?;
        put.text(&row.id)?;
        put.number(row.take)?;
        put.word(row.kind.as_str())?;
        put.time(Some(row.paid_at))?;
        put.text(&row.seller)?;
        put.text(&row.endpoint)?;
        put.word(row.network.map_or("sandbox", |network| network.as_str()))?;
        put.number(row.amount.get())?;
        put.msat(row.fee)?;
        put.msat(row.fee.and_then(|fee| row.amount.checked_add(fee)))?;
        put.number(row.amount.sats_ceil().get())?;
        put.word(&row.hash.hex())?;
        put.text(&row.preimage)?;
        put.text(&row.invoice)?;
        put.text(&row.payee_node)?;
        put.text(&row.payer_node)?;
        put.maybe(row.url.as_deref())?;
        put.extra(&self.extra, &row.extra)?;
        put.end()
    }
}

/// A parameter's column: its name, or `params.NAME` where the plain name would be read as something else. Names are
/// compared as headers are: without case, with space, `-` and `_` equal.
fn param_column(name: &str) -> String {
    let folded = folded(name);
    let ours = RESULT_COLUMNS
        .iter()
        .chain(&RESULT_COLUMNS_AFTER)
        .chain(&STAMP_COLUMNS)
        .chain(&FURTHER_COLUMNS)
        .chain(&JOB_KEYS)
        .any(|column| *column == folded);
    if ours || folded.starts_with("x_") || folded.starts_with("params.") {
        format!("params.{name}")
    } else {
        name.to_owned()
    }
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

/// Puts one record's cells, by what they hold: only text can be a formula.
pub(super) struct Cells<'a, 'b>(pub(super) &'a mut csv::Writer<&'b mut dyn Write>);

impl Cells<'_, '_> {
    /// Which job it is and how it stands: the columns with which every list of jobs begins.
    pub(super) fn standing(&mut self, row: &ResultRow) -> io::Result<()> {
        self.text(&row.id)?;
        self.number(row.line)?;
        self.number(row.take)?;
        self.word(row.state.as_str())?;
        self.word(row.reason.as_str())?;
        self.word(row.next.as_str())?;
        self.text(&row.endpoint)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.word(&neutralise(text))
    }

    pub(super) fn maybe(&mut self, text: Option<&str>) -> io::Result<()> {
        self.text(text.unwrap_or_default())
    }

    /// A JSON list; nothing where it is empty.
    fn list(&mut self, all: &[&str]) -> io::Result<()> {
        if all.is_empty() { self.word("") } else { self.text(&serde_json::to_string(all)?) }
    }

    /// A word of our own, or a number's digits.
    pub(super) fn word(&mut self, word: &str) -> io::Result<()> {
        Ok(self.0.write_field(word)?)
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> io::Result<()> {
        self.word(&number.into().to_string())
    }

    pub(super) fn msat(&mut self, amount: Option<Msat>) -> io::Result<()> {
        self.word(&amount.map(|amount| amount.get().to_string()).unwrap_or_default())
    }

    pub(super) fn time(&mut self, at: Option<UnixMs>) -> io::Result<()> {
        self.word(&at.map(UnixMs::rfc3339).unwrap_or_default())
    }

    fn value(&mut self, value: Option<&Value>) -> io::Result<()> {
        match value {
            None => self.word(""),
            Some(Value::Text(text)) => self.text(text),
            Some(Value::Integer(number)) => self.word(&number.to_string()),
            Some(Value::Decimal(number)) => self.word(&number.to_string()),
            Some(Value::Structured(json)) => self.text(json.as_str()),
            Some(Value::Boolean(is)) => self.word(if *is { "true" } else { "false" }),
            Some(Value::Image(image)) => match &image.source {
                ImageSource::File(path) => self.text(&path.to_string_lossy()),
                ImageSource::Inline(_) => self.word(&format!("sha256:{}", image.sha256)),
            },
        }
    }

    fn extra(&mut self, columns: &[String], given: &[(String, String)]) -> io::Result<()> {
        for name in columns {
            let text = given.iter().find(|(column, _)| column == name).map(|(_, text)| text.as_str());
            self.maybe(text)?;
        }
        Ok(())
    }

    /// Ends the record.
    pub(super) fn end(&mut self) -> io::Result<()> {
        Ok(self.0.write_record(std::iter::empty::<Cow<'_, [u8]>>())?)
    }
}

#[cfg(test)]
mod tests;
