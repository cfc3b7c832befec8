//! Receipts read back: ours, also as a spreadsheet has saved them.

use std::path::Path;

use crate::cells::restore;
use crate::l402::{Network, PaymentHash};
use crate::ledger::{ReceiptKind, ReceiptRow};
use crate::money::Msat;
use crate::opening::{self, Opened};
use crate::time::UnixMs;

use super::Failure;

/// Our own delimiter, and those in which a spreadsheet may have saved the file.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A file of receipts, line by line.
pub(super) struct Receipts {
    reader: csv::Reader<Box<dyn std::io::Read>>,
    columns: Vec<String>,
    record: csv::StringRecord,
}

impl Receipts {
    /// The file, where it is there and has a column of payment hashes.
    pub(super) fn open(path: &Path) -> Option<Self> {
        DELIMITERS.iter().find_map(|delimiter| Self::with(path, *delimiter))
    }

    fn with(path: &Path, delimiter: u8) -> Option<Self> {
        let Ok(Opened::File(file)) = opening::open(path) else { return None };
        let read: Box<dyn std::io::Read> = Box::new(file);
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(read);
        let columns: Vec<String> = reader.headers().ok()?.iter().map(str::to_owned).collect();
        let is_ours = columns.iter().any(|name| name == "payment_hash");
        is_ours.then(|| Self { reader, columns, record: csv::StringRecord::new() })
    }

    /// Goes to the next line. Where one cannot be read, somebody has written into the file: what follows is no word of
    /// ours.
    pub(super) fn next(&mut self) -> bool {
        self.reader.read_record(&mut self.record).unwrap_or(false)
    }

    fn cell(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column);
        restore(at.and_then(|at| self.record.get(at)).unwrap_or_default().trim())
    }

    /// The line's payment hash.
    pub(super) fn hash(&self) -> Option<PaymentHash> {
        PaymentHash::from_hex(self.cell("payment_hash"))
    }

    /// The batch that the line is of.
    pub(super) fn batch(&self) -> &str {
        self.cell("batch")
    }

    /// The whole line as the ledger tells a settlement.
    fn row(&self) -> Option<ReceiptRow> {
        let kind = match self.cell("kind") {
            "payment" => ReceiptKind::Payment,
            "refund" => ReceiptKind::Refund,
            _ => return None,
        };
        let network = match self.cell("network") {
            "sandbox" => None,
            name => Some(Network::from_name(name)?),
        };
        let fee = Some(self.cell("fee_msat")).filter(|fee| !fee.is_empty());
        let x_columns = self.columns.iter().filter(|name| name.starts_with("x_"));
        let extra = x_columns.map(|name| (name.clone(), self.cell(name).to_owned()));
        Some(ReceiptRow {
            batch: self.batch().to_owned(),
            id: self.cell("id").to_owned(),
            take: self.cell("take").parse().ok()?,
            kind,
            paid_at: UnixMs::from_rfc3339(self.cell("paid_at"))?,
            seller: self.cell("seller").to_owned(),
            endpoint: self.cell("endpoint").to_owned(),
            network,
            amount: Msat::new(self.cell("amount_msat").parse().ok()?),
            fee: fee.map(|fee| fee.parse().map(Msat::new)).transpose().ok()?,
            hash: self.hash()?,
            preimage: self.cell("preimage").to_owned(),
            invoice: self.cell("invoice").to_owned(),
            payee_node: self.cell("payee_node").to_owned(),
            payer_node: self.cell("payer_node").to_owned(),
            url: Some(self.cell("url").to_owned()).filter(|url| !url.is_empty()),
            extra: extra.filter(|(_, value)| !value.is_empty()).collect(),
        })
    }

    /// Every line.
    pub(super) fn rows(mut self, path: &Path) -> Result<Vec<ReceiptRow>, Failure> {
        let mut rows = Vec::new();
        while self.next() {
            let line = self.reader.position().line();
            let Some(row) = self.row() else {
                return Err(Failure::Usage(format!(
                    "{}: the record that ends on line {line} is no receipt as `run` writes it; nothing was merged",
                    path.display()
                )));
            };
            rows.push(row);
        }
        Ok(rows)
    }
}
