//! The columns and cells of results and receipts.

use std::io::{self, Write};

use crate::ledger::{ReceiptRow, ResultRow};

use super::fiat_columns::{FIAT_COLUMNS, FiatColumns};
use super::table_out::TableForm;
use super::table_row::Cells;

/// Streams rows from the ledger, one at a time and in order, into a closure.
pub type Rows<'a, T> = &'a mut dyn FnMut(&mut dyn FnMut(T) -> io::Result<()>) -> io::Result<()>;

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
    form: TableForm,
    /// Batch and ledger, which stand in every row.
    of: Option<(String, String)>,
}

impl ResultsFile {
    /// With a column for each parameter and for each `x_*` column (their names as the manifest has them), in that order.
    #[must_use]
    pub const fn new(params: Vec<String>, extra: Vec<String>, form: TableForm) -> Self {
        Self { params, extra, form, of: None }
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
        let params: Vec<String> = self.params.iter().map(|name| param_column(name)).collect();
        let names = RESULT_COLUMNS.iter().copied().chain(params.iter().map(String::as_str));
        let names = names.chain(RESULT_COLUMNS_AFTER).chain(self.extra.iter().map(String::as_str));
        let names = names.chain(FURTHER_COLUMNS).chain(self.of.iter().flat_map(|_| STAMP_COLUMNS));
        self.form.write(out, "results", names, &mut |put| rows(&mut |row| self.row(put, &row)))
    }

    fn row(&self, put: &mut Cells<'_>, row: &ResultRow) -> io::Result<()> {
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
pub struct ReceiptsFile<'r> {
    extra: Vec<String>,
    form: TableForm,
    /// By which rates they tell what each settlement was worth.
    fiat: Option<FiatColumns<'r>>,
}

impl<'r> ReceiptsFile<'r> {
    /// With a column for each `x_*` column, in that order.
    #[must_use]
    pub const fn new(extra: Vec<String>, form: TableForm) -> Self {
        Self { extra, form, fiat: None }
    }

    /// With what each settlement was worth, fee included, after all other columns.
    pub const fn worth(&mut self, fiat: Option<FiatColumns<'r>>) {
        self.fiat = fiat;
    }

    /// Writes the whole file.
    ///
    /// # Errors
    /// Where `out` cannot be written or `rows` cannot be read.
    pub fn write(&self, out: &mut dyn Write, rows: Rows<'_, ReceiptRow>) -> io::Result<()> {
        let names = RECEIPT_COLUMNS.iter().copied().chain(self.extra.iter().map(String::as_str));
        let names = names.chain(self.fiat.iter().flat_map(|_| ["total_fiat"].into_iter().chain(FIAT_COLUMNS)));
        self.form.write(out, "receipts", names, &mut |put| rows(&mut |row| self.row(put, &row)))
    }

    fn row(&self, put: &mut Cells<'_>, row: &ReceiptRow) -> io::Result<()> {
        put.text(&row.batch)?;
        put.text(&row.id)?;
        put.number(row.take)?;
        put.word(row.kind.as_str())?;
        put.time(Some(row.paid_at))?;
        put.text(&row.seller)?;
        put.text(&row.endpoint)?;
        put.word(row.network.map_or("sandbox", |network| network.as_str()))?;
        put.number(row.amount.get())?;
        let total = row.fee.and_then(|fee| row.amount.checked_add(fee));
        put.msat(row.fee)?;
        put.msat(total)?;
        put.number(row.amount.sats_ceil().get())?;
        put.word(&row.hash.hex())?;
        put.text(&row.preimage)?;
        put.text(&row.invoice)?;
        put.text(&row.payee_node)?;
        put.text(&row.payer_node)?;
        put.maybe(row.url.as_deref())?;
        put.extra(&self.extra, &row.extra)?;
        if let Some(fiat) = &self.fiat {
            fiat.put(put, row.paid_at, total)?;
        }
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

#[cfg(test)]
mod tests;
