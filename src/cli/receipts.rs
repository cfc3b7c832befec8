//! Receipts and results read back: ours, also as a spreadsheet has saved them.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::csv_escape::restore;
use crate::l402::{Invoice, Network, PaymentHash, Preimage};
use crate::ledger::{ReceiptKind, ReceiptRow};
use crate::manifest::{BATCH_COLUMN, LEDGER_COLUMN, ResultsRow, first_line};
use crate::money::Msat;
use crate::safe_open::{self, Opened};
use crate::time::UnixMs;

use crate::cli::receipt_check::Placed;
use crate::cli::{CommandError, Failure};

/// Our own delimiter, and those in which a spreadsheet may have saved the file.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// What stands in the place of the network in receipts of play money.
const PLAY: &str = "sandbox";

/// A file of ours, line by line.
struct Lines {
    reader: csv::Reader<Box<dyn std::io::Read>>,
    columns: Vec<String>,
    record: csv::StringRecord,
    /// On which line of the file it begins.
    line: u64,
    is_broken: bool,
}

impl Lines {
    /// The file, where it is there and has that column.
    fn open(path: &Path, column: &str) -> Option<Self> {
        // Where lines end in CR alone, all is one line else.
        let with = |end| DELIMITERS.iter().find_map(|delimiter| Self::with(path, column, *delimiter, end));
        with(b'\n').or_else(|| with(b'\r'))
    }

    fn with(path: &Path, column: &str, delimiter: u8, end: u8) -> Option<Self> {
        let Ok(Opened::File(file)) = safe_open::open(path) else { return None };
        let read: Box<dyn std::io::Read> = Box::new(file);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            // The CR of a CR LF is trimmed from the last cell.
            .terminator(csv::Terminator::Any(end))
            .flexible(true)
            .from_reader(read);
        let columns: Vec<String> = reader.headers().ok()?.iter().map(|name| name.trim_end().to_owned()).collect();
        let is_ours = columns.iter().any(|name| name == column) && !columns.iter().any(|name| name.contains('\r'));
        is_ours.then(|| Self { reader, columns, record: csv::StringRecord::new(), line: 0, is_broken: false })
    }

    /// Goes to the next line. Where one cannot be read, somebody has written into the file: what follows is no word of
    /// ours.
    fn next(&mut self) -> bool {
        loop {
            let before = self.reader.position().line();
            match self.reader.read_record(&mut self.record) {
                // An empty line of CR LF holds its CR.
                Ok(true) if self.record.len() == 1 && self.record.as_slice().trim().is_empty() => {}
                Ok(is_there) => {
                    let after = self.reader.position().line();
                    self.line = first_line(before, after, self.record.as_slice().as_bytes());
                    return is_there;
                }
                Err(_) => {
                    self.is_broken = true;
                    return false;
                }
            }
        }
    }

    fn cell(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column);
        restore(at.and_then(|at| self.record.get(at)).unwrap_or_default().trim())
    }

    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }
}

/// A file of receipts, line by line.
pub(super) struct Receipts(Lines);

impl Receipts {
    /// The file, where it is there and has a column of payment hashes.
    pub(super) fn open(path: &Path) -> Option<Self> {
        Lines::open(path, "payment_hash").map(Self)
    }

    /// Goes to the next line; see [`Lines::next`].
    pub(super) fn next(&mut self) -> bool {
        self.0.next()
    }

    /// Whether every line so far could be read.
    pub(super) const fn is_whole(&self) -> bool {
        !self.0.is_broken
    }

    /// Whether it has what proves a payment, or tells what was paid: books have hashes, too, and nothing more.
    pub(super) fn has_proofs(&self) -> bool {
        ["preimage", "invoice"].iter().any(|column| self.0.has(column))
    }

    /// The line's payment hash.
    pub(super) fn hash(&self) -> Option<PaymentHash> {
        PaymentHash::from_hex(self.0.cell("payment_hash"))
    }

    /// Whether the line tells of play money, which proves nothing: by its cell, and by the invoice that was paid.
    pub(super) fn is_of_play(&self) -> bool {
        let in_earnest = || Invoice::read(self.0.cell("invoice")).is_ok_and(|paid| paid.network != Network::Regtest);
        self.0.cell("network") == PLAY && !in_earnest()
    }

    /// The batch that the line is of.
    pub(super) fn batch(&self) -> &str {
        self.0.cell("batch")
    }

    /// The whole line as the ledger tells a settlement, or the column that is not as it should be.
    fn row(&self) -> Result<ReceiptRow, &'static str> {
        let cell = |column: &str| self.0.cell(column);
        let kind = ReceiptKind::from_word(cell("kind")).ok_or("kind")?;
        let network = match cell("network") {
            PLAY => None,
            name => Some(Network::from_name(name).ok_or("network")?),
        };
        let fee = Some(cell("fee_msat")).filter(|fee| !fee.is_empty());
        let x_columns = self.0.columns.iter().filter(|name| name.starts_with("x_"));
        let extra = x_columns.map(|name| (name.clone(), cell(name).to_owned()));
        let row = ReceiptRow {
            batch: Some(self.batch()).filter(|batch| !batch.is_empty()).ok_or("batch")?.to_owned(),
            id: Some(cell("id")).filter(|id| !id.is_empty()).ok_or("id")?.to_owned(),
            take: cell("take").parse().map_err(|_| "take")?,
            kind,
            paid_at: UnixMs::from_rfc3339(cell("paid_at")).ok_or("paid_at")?,
            seller: cell("seller").to_owned(),
            endpoint: cell("endpoint").to_owned(),
            network,
            amount: Msat::new(cell("amount_msat").parse().map_err(|_| "amount_msat")?),
            fee: fee.map(|fee| fee.parse().map(Msat::new)).transpose().map_err(|_| "fee_msat")?,
            hash: self.hash().ok_or("payment_hash")?,
            preimage: cell("preimage").to_owned(),
            invoice: cell("invoice").to_owned(),
            payee_node: cell("payee_node").to_owned(),
            payer_node: cell("payer_node").to_owned(),
            url: Some(cell("url").to_owned()).filter(|url| !url.is_empty()),
            extra: extra.filter(|(_, value)| !value.is_empty()).collect(),
        };
        let is_proved = row.kind == ReceiptKind::Refund || proves(&row.preimage, &row.hash);
        if is_proved { Ok(row) } else { Err("preimage") }
    }

    /// Every receipt with its line, and what a person should know of them.
    pub(super) fn rows(mut self, path: &Path) -> Result<(Vec<Placed>, Vec<String>), Failure> {
        let is_cut = is_cut(path).map_err(|error| CommandError::usage(path.display().to_string()).because(error))?;
        let (mut rows, mut told, mut last) = (Vec::new(), Vec::new(), (0, 0));
        while self.next() {
            let line = self.0.line;
            last = (line, self.0.record.len());
            let place = format!("{}:{line}", path.display());
            let mut row = self.row().map_err(|column| self.not_as_written(&place, column))?;
            told.extend(by_invoice(&mut row, &place)?);
            if row.network.is_none() {
                let message = format!("{place}: this is a receipt of play money (run --sandbox), which bought nothing");
                return Err(CommandError::usage(format!("{message}; nothing was merged"))
                    .hint("merge the receipts of a run that paid in earnest")
                    .into());
            }
            rows.push((line, row));
        }
        if is_cut && let Some(column) = self.0.columns.get(last.1.saturating_sub(1)) {
            let message = format!(
                "{}:{}: the file ends within this record's {column}; nothing was merged",
                path.display(),
                last.0
            );
            return Err(CommandError::usage(message)
                .hint(
                    "if that cell is whole, end the line; else merge a whole copy of the file or, where there is none, empty \
                     the cell and end the line: the payment counts all the same",
                )
                .into());
        }
        Ok((rows, told))
    }

    fn not_as_written(&self, place: &str, column: &str) -> Failure {
        if !self.0.has(column) {
            let message = format!("{place}: there is no column {column}; nothing was merged");
            return CommandError::usage(message).hint("name the columns as `run` writes them").into();
        }
        let why = if column == "preimage" {
            "it is not the preimage of payment_hash"
        } else {
            "it is not as `run` writes it"
        };
        CommandError::usage(format!("{place}: {column}: {why}, so this record proves nothing; nothing was merged"))
            .hint("restore it, or merge the file without it")
            .into()
    }
}

fn proves(preimage: &str, hash: &PaymentHash) -> bool {
    let bytes = HEXLOWER_PERMISSIVE.decode(preimage.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.is_some_and(|bytes| Preimage::verify(bytes, hash).is_ok())
}

/// What was paid is taken from the invoice, which its seller has signed. Gives what the line says otherwise.
fn by_invoice(row: &mut ReceiptRow, place: &str) -> Result<Vec<String>, Failure> {
    if row.kind == ReceiptKind::Refund || row.invoice.is_empty() {
        return Ok(Vec::new());
    }
    let refused = |why: &str| {
        let message = format!("{place}: invoice: {why}, so this record proves nothing; nothing was merged");
        CommandError::usage(message).hint("restore it, or merge the file without it")
    };
    let invoice = Invoice::read(&row.invoice).map_err(|error| refused("it cannot be read").because(error))?;
    if invoice.hash != row.hash {
        return Err(refused("it is another payment's").into());
    }
    let mut told = Vec::new();
    let mut tell = |column: &str, said: &str, is: &str| {
        told.push(format!("{place}: {column} is {said}, and the invoice that was paid says {is}, which is taken"));
    };
    if row.amount != invoice.amount {
        tell("amount_msat", &row.amount.get().to_string(), &invoice.amount.get().to_string());
        row.amount = invoice.amount;
    }
    if row.payee_node != invoice.payee {
        tell("payee_node", &row.payee_node, &invoice.payee);
        row.payee_node = invoice.payee;
    }
    // The sandbox's invoices are of regtest.
    let is_another = row.network.map_or(invoice.network != Network::Regtest, |network| network != invoice.network);
    if is_another {
        tell("network", row.network.map_or("sandbox", Network::as_str), invoice.network.as_str());
        row.network = Some(invoice.network);
    }
    Ok(told)
}

/// Whether a file of CSV ends within a record: without a line end, or in an open quote.
fn is_cut(path: &Path) -> io::Result<bool> {
    let Opened::File(file) = safe_open::open(path)? else { return Ok(false) };
    let mut file = BufReader::new(file);
    let (mut last, mut is_quoted) = (b'\n', false);
    loop {
        let bytes = file.fill_buf()?;
        let Some(end) = bytes.last() else { return Ok(is_quoted || !matches!(last, b'\n' | b'\r')) };
        is_quoted ^= bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        last = *end;
        let read = bytes.len();
        file.consume(read);
    }
}

/// A results file, line by line.
pub(super) struct Results(Lines);

/// A line of a results file.
pub(super) struct ResultsLine {
    /// The batch that it says it is of; none where the file has no such column, as version 0.1 wrote it.
    pub(super) batch: Option<String>,
    /// The ledger that wrote it, as it says.
    pub(super) ledger: Option<String>,
    /// Its job, and what was asked for.
    pub(super) row: ResultsRow,
    /// It says that nothing was paid for it.
    pub(super) is_unpaid: bool,
    /// Where the result is.
    pub(super) url: String,
}

impl Results {
    /// The file, where it is there and holds results.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let lines = Lines::open(path, "state")?;
        ["id", "take", "reason", "next"].iter().all(|column| lines.has(column)).then_some(Self(lines))
    }

    /// Whether every line so far could be read.
    pub(super) const fn is_whole(&self) -> bool {
        !self.0.is_broken
    }

    /// Where the results of those receipts stand, as they were named together.
    pub(super) fn beside(receipts: &Path) -> Option<PathBuf> {
        let (stem, _) = receipts.file_name()?.to_str()?.split_once(".receipts.")?;
        Some(receipts.with_file_name(format!("{stem}.results.csv")))
    }
}

impl Iterator for Results {
    type Item = ResultsLine;

    fn next(&mut self) -> Option<ResultsLine> {
        let lines = &mut self.0;
        if !lines.next() {
            return None;
        }
        let cells = lines.columns.iter().map(|name| (name.as_str(), lines.cell(name)));
        Some(ResultsLine {
            batch: lines.has(BATCH_COLUMN).then(|| lines.cell(BATCH_COLUMN).to_owned()),
            ledger: lines.has(LEDGER_COLUMN).then(|| lines.cell(LEDGER_COLUMN).to_owned()),
            row: ResultsRow::of(cells),
            is_unpaid: matches!(lines.cell("state"), "pending" | "refused" | "failed"),
            url: lines.cell("url").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Play money is compared with nothing that is bought: what was paid in earnest is none, whatever a cell says.
    #[test]
    fn a_payment_in_earnest_is_no_play() {
        // "1 cup coffee" of BOLT11's examples.
        let invoice = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";
        let paid = Invoice::read(invoice).unwrap();
        let mut row = ReceiptRow {
            batch: "june".to_owned(),
            id: "a".to_owned(),
            take: 1,
            kind: ReceiptKind::Payment,
            paid_at: paid.created_at,
            seller: "api.example".to_owned(),
            endpoint: "make".to_owned(),
            network: None,
            amount: paid.amount,
            fee: None,
            hash: paid.hash,
            preimage: String::new(),
            invoice: invoice.to_owned(),
            payee_node: paid.payee,
            payer_node: String::new(),
            url: None,
            extra: Vec::new(),
        };
        let told = by_invoice(&mut row, "r.csv:2").unwrap();
        assert_eq!(told, ["r.csv:2: network is sandbox, and the invoice that was paid says mainnet, which is taken"]);
        assert_eq!(row.network, Some(Network::Mainnet));
        assert!(by_invoice(&mut row, "r.csv:2").unwrap().is_empty());
    }
}
