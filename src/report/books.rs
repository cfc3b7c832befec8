//! Books: what was paid and what came back, for programs that keep accounts. Nothing in them proves or buys anything: no preimage, no
//! invoice, no credential.

use std::io::{self, Write};

use rust_decimal::Decimal;

use crate::ledger::{ReceiptKind, ReceiptRow};
use crate::money::Msat;
use crate::time::UnixMs;

use super::csv_out::Rows;
use super::fiat_columns::{FIAT_COLUMNS, FiatColumns};
use super::table_out::TableForm;
use super::table_row::Cells;

/// Columns of the books, in order; then come `fiat` with how it came about, and `x_*`.
const BOOKS_COLUMNS: [&str; 12] = [
    "date",
    "at",
    "batch",
    "id",
    "take",
    "kind",
    "amount_msat",
    "sats",
    "seller",
    "endpoint",
    "network",
    "payment_hash",
];
/// The word for a payment's routing fee, beside those of receipts.
const FEE: &str = "fee";
/// What stands in the place of the network where it was play money.
const PLAY: &str = "sandbox";

/// The books of a batch as a table: a row a movement of money.
#[derive(Clone, Debug)]
pub struct BooksFile<'r> {
    extra: Vec<String>,
    form: TableForm,
    fiat: Option<FiatColumns<'r>>,
}

impl<'r> BooksFile<'r> {
    /// With a column for each `x_*` column, in that order; with figures where there are rates.
    #[must_use]
    pub const fn new(extra: Vec<String>, form: TableForm, fiat: Option<FiatColumns<'r>>) -> Self {
        Self { extra, form, fiat }
    }

    /// Writes the whole file.
    ///
    /// # Errors
    /// Where `out` cannot be written or `rows` cannot be read.
    pub fn write(&self, out: &mut dyn Write, rows: Rows<'_, ReceiptRow>) -> io::Result<()> {
        let names = BOOKS_COLUMNS.iter().copied().chain(["fiat"]).chain(FIAT_COLUMNS);
        let names = names.chain(self.extra.iter().map(String::as_str));
        self.form.write(out, "books", names, &mut |put| {
            rows(&mut |row| movements(&row).try_for_each(|(kind, amount)| self.row(put, &row, kind, amount)))
        })
    }

    fn row(&self, put: &mut Cells<'_>, row: &ReceiptRow, kind: &str, amount: Msat) -> io::Result<()> {
        put.word(&date(row.paid_at))?;
        put.time(Some(row.paid_at))?;
        put.text(&row.batch)?;
        put.text(&row.id)?;
        put.number(row.take)?;
        put.word(kind)?;
        put.msat(Some(amount))?;
        put.decimal(Some(sats(amount)))?;
        put.text(&row.seller)?;
        put.text(&row.endpoint)?;
        put.word(network(row))?;
        put.word(&row.hash.hex())?;
        match &self.fiat {
            Some(fiat) => fiat.put(put, row.paid_at, Some(amount))?,
            None => (0..=FIAT_COLUMNS.len()).try_for_each(|_| put.word(""))?,
        }
        put.extra(&self.extra, &row.extra)?;
        put.end()
    }
}

/// What a settlement moved: the amount, and the routing fee once it is known, where there was any.
fn movements(row: &ReceiptRow) -> impl Iterator<Item = (&'static str, Msat)> {
    let fee = match row.kind {
        ReceiptKind::Payment => row.fee.filter(|fee| *fee > Msat::ZERO),
        // Whoever receives pays no fee.
        ReceiptKind::Refund => None,
    };
    std::iter::once((row.kind.as_str(), row.amount)).chain(fee.map(|fee| (FEE, fee)))
}

/// The day, in UTC.
pub(super) fn date(at: UnixMs) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).ok();
    at.map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// The exact number of sats.
pub(super) fn sats(amount: Msat) -> Decimal {
    const MSAT_DIGITS: u32 = 3;
    Decimal::from_i128_with_scale(amount.get().into(), MSAT_DIGITS).normalize()
}

/// The network of a settlement.
pub(super) fn network(row: &ReceiptRow) -> &'static str {
    row.network.map_or(PLAY, |network| network.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fiat::{Currency, Rates};
    use crate::report::Dialect;
    use crate::report::testing::receipt;
    use std::cell::RefCell;
    use std::time::Duration;

    fn text(fiat: Option<FiatColumns<'_>>, rows: &[ReceiptRow]) -> String {
        let file = BooksFile::new(vec!["x_client".to_owned()], TableForm::Csv(Dialect::default()), fiat);
        let mut out = Vec::new();
        file.write(&mut out, &mut |each| rows.iter().cloned().try_for_each(each)).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// A payment with its fee, one whose fee is not known yet, and a refund.
    fn rows() -> [ReceiptRow; 3] {
        let paid = ReceiptRow { extra: vec![("x_client".into(), "=Acme".into())], ..receipt() };
        let unposted = ReceiptRow { fee: None, id: "shot-002".into(), paid_at: UnixMs(1_790_100_000_000), ..receipt() };
        let refund = ReceiptRow { kind: ReceiptKind::Refund, fee: Some(Msat::ZERO), ..receipt() };
        [paid, unposted, refund]
    }

    #[test]
    fn a_row_is_a_movement() {
        insta::assert_snapshot!(text(None, &rows()));
    }

    #[test]
    fn figures_are_exact_and_blank_where_no_rate_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.csv");
        std::fs::write(&path, "2026-09-21,95000.50\n").unwrap();
        let currency = Currency::of("EUR").unwrap();
        let rates = Rates::read(&path, Some(&currency), Duration::from_secs(86_400)).unwrap();
        let lacks = RefCell::default();
        let books = text(Some(FiatColumns::new(&rates, &lacks)), &rows());
        let figures: Vec<String> =
            books.lines().skip(1).map(|line| line.split(',').skip(12).take(3).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            figures,
            ["2.6125137500 EUR 95000.50", "0.0014250075 EUR 95000.50", "  ", "2.6125137500 EUR 95000.50"]
                .map(|figure| figure.replace("37500 ", "375 "))
        );
        let lack = lacks.borrow().clone().unwrap();
        assert_eq!((lack.count, lack.why.to_string().contains("older than max_rate_age")), (1, true));
    }
}
