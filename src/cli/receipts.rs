//! Receipts and results read back: ours, also as a spreadsheet has saved them.

use std::path::{Path, PathBuf};

use crate::csv_escape::restore;
use crate::l402::{Network, PaymentHash};
use crate::ledger::{ReceiptKind, ReceiptRow};
use crate::manifest::{BATCH_COLUMN, LEDGER_COLUMN, ResultsRow};
use crate::money::Msat;
use crate::safe_open::{self, Opened};
use crate::time::UnixMs;

use crate::cli::{CommandError, Failure};

/// Our own delimiter, and those in which a spreadsheet may have saved the file.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A file of ours, line by line.
struct Lines {
    reader: csv::Reader<Box<dyn std::io::Read>>,
    columns: Vec<String>,
    record: csv::StringRecord,
    is_broken: bool,
}

impl Lines {
    /// The file, where it is there and has that column.
    fn open(path: &Path, column: &str) -> Option<Self> {
        DELIMITERS.iter().find_map(|delimiter| Self::with(path, column, *delimiter))
    }

    fn with(path: &Path, column: &str, delimiter: u8) -> Option<Self> {
        let Ok(Opened::File(file)) = safe_open::open(path) else { return None };
        let read: Box<dyn std::io::Read> = Box::new(file);
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(read);
        let columns: Vec<String> = reader.headers().ok()?.iter().map(str::to_owned).collect();
        let is_ours = columns.iter().any(|name| name == column);
        is_ours.then(|| Self { reader, columns, record: csv::StringRecord::new(), is_broken: false })
    }

    /// Goes to the next line. Where one cannot be read, somebody has written into the file: what follows is no word of
    /// ours.
    fn next(&mut self) -> bool {
        match self.reader.read_record(&mut self.record) {
            Ok(is_there) => is_there,
            Err(_) => {
                self.is_broken = true;
                false
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

    /// The line's payment hash.
    pub(super) fn hash(&self) -> Option<PaymentHash> {
        PaymentHash::from_hex(self.0.cell("payment_hash"))
    }

    /// The batch that the line is of.
    pub(super) fn batch(&self) -> &str {
        self.0.cell("batch")
    }

    /// The whole line as the ledger tells a settlement.
    fn row(&self) -> Option<ReceiptRow> {
        let cell = |column: &str| self.0.cell(column);
        let kind = match cell("kind") {
            "payment" => ReceiptKind::Payment,
            "refund" => ReceiptKind::Refund,
            _ => return None,
        };
        let network = match cell("network") {
            "sandbox" => None,
            name => Some(Network::from_name(name)?),
        };
        let fee = Some(cell("fee_msat")).filter(|fee| !fee.is_empty());
        let x_columns = self.0.columns.iter().filter(|name| name.starts_with("x_"));
        let extra = x_columns.map(|name| (name.clone(), cell(name).to_owned()));
        Some(ReceiptRow {
            batch: self.batch().to_owned(),
            id: cell("id").to_owned(),
            take: cell("take").parse().ok()?,
            kind,
            paid_at: UnixMs::from_rfc3339(cell("paid_at"))?,
            seller: cell("seller").to_owned(),
            endpoint: cell("endpoint").to_owned(),
            network,
            amount: Msat::new(cell("amount_msat").parse().ok()?),
            fee: fee.map(|fee| fee.parse().map(Msat::new)).transpose().ok()?,
            hash: self.hash()?,
            preimage: cell("preimage").to_owned(),
            invoice: cell("invoice").to_owned(),
            payee_node: cell("payee_node").to_owned(),
            payer_node: cell("payer_node").to_owned(),
            url: Some(cell("url").to_owned()).filter(|url| !url.is_empty()),
            extra: extra.filter(|(_, value)| !value.is_empty()).collect(),
        })
    }

    /// Every line.
    pub(super) fn rows(mut self, path: &Path) -> Result<Vec<ReceiptRow>, Failure> {
        let mut rows = Vec::new();
        while self.next() {
            let Some(row) = self.row() else {
                let line = self.0.record.position().map_or(0, csv::Position::line);
                return Err(CommandError::usage(format!(
                    "{}:{line}: this record is no receipt as `run` writes it; nothing was merged",
                    path.display()
                ))
                .hint("restore it, or merge the file without it")
                .into());
            };
            rows.push(row);
        }
        Ok(rows)
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
