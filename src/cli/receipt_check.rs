//! Whether receipts contradict themselves, or what the ledger knows of the same payments: then nothing of them is merged.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::l402::{Invoice, PaymentHash};
use crate::ledger::port::{Batches, Views};
use crate::ledger::{OpenLedger, ReceiptKind, ReceiptRow};
use crate::manifest::id_problem;
use crate::money::Msat;

use crate::cli::{CommandError, Failure};

/// A receipt, and the line on which it begins.
pub(super) type Placed = (u64, ReceiptRow);

/// What is wrong with a record: the column, and why.
type Wrong = (&'static str, String);

/// The receipts of a file, by what they are of.
#[derive(Default)]
struct KnownReceipts<'r> {
    payments: HashMap<PaymentHash, &'r Placed>,
    purchases: HashMap<(&'r str, &'r str, u32), &'r Placed>,
    refunds: HashMap<(&'r str, &'r str, u32), &'r Placed>,
}

/// What the ledger knows of the payments and refunds of a file.
#[derive(Default)]
struct Ours {
    by_hash: HashMap<PaymentHash, ReceiptRow>,
    /// Payments of which the file has refunds alone.
    payments: HashMap<(String, String, u32), ReceiptRow>,
    /// The hashes of payments for which money was offered back.
    offered: HashSet<PaymentHash>,
    /// The names of the file's batches that it has.
    batches: HashSet<String>,
}

/// Refuses receipts of that file of which one contradicts another, itself, or the ledger. Gives the ledger's own receipts of payments
/// of which the file has refunds alone.
pub(super) fn check(file: &Path, rows: &[Placed], ledger: &OpenLedger) -> Result<Vec<ReceiptRow>, Failure> {
    let ours = Ours::of(ledger, rows)?;
    let mut known = KnownReceipts::default();
    let (payments, refunds): (Vec<&Placed>, Vec<&Placed>) =
        rows.iter().partition(|(_, row)| row.kind == ReceiptKind::Payment);
    let refused = |line: u64, (column, why): Wrong| {
        CommandError::usage(format!("{}:{line}: {column}: {why}; nothing was merged", file.display()))
            .hint("restore that record as `run` has written it, or merge the file without it")
    };
    for placed in payments {
        known.payment(placed, &ours).map_err(|wrong| refused(placed.0, wrong))?;
    }
    for placed in refunds {
        known.refund(placed, &ours).map_err(|wrong| refused(placed.0, wrong))?;
    }
    for (line, row) in rows {
        known.beside(row, &ours).map_err(|wrong| refused(*line, wrong))?;
    }
    Ok(ours.payments.into_values().collect())
}

impl Ours {
    fn of(ledger: &OpenLedger, rows: &[Placed]) -> Result<Self, Failure> {
        let mut ours = Self::default();
        let names: HashSet<&str> = rows.iter().map(|(_, row)| row.batch.as_str()).collect();
        for batch in names.into_iter().filter_map(|name| ledger.batch(name).transpose()) {
            let batch = batch?;
            ours.offered.extend(ledger.refunds(Some(batch.key))?.into_iter().map(|refund| refund.payment_hash));
            ours.batches.insert(batch.name);
        }
        let payments = rows.iter().filter(|(_, row)| row.kind == ReceiptKind::Payment);
        let paid: HashSet<_> = payments.map(|(_, row)| purchase(row)).collect();
        for (_, row) in rows {
            if let Some(known) = ledger.receipt(&row.hash)? {
                ours.by_hash.insert(row.hash, known);
            }
            if !paid.contains(&purchase(row))
                && let Some(payment) = ledger.payment_receipt(&row.batch, &row.id, row.take)?
            {
                ours.payments.insert((row.batch.clone(), row.id.clone(), row.take), payment);
            }
        }
        Ok(ours)
    }

    /// The payment of what the row is a refund of, where the file has none.
    fn payment(&self, row: &ReceiptRow) -> Option<&ReceiptRow> {
        self.payments.get(&(row.batch.clone(), row.id.clone(), row.take))
    }
}

impl<'r> KnownReceipts<'r> {
    fn payment(&mut self, placed: &'r Placed, ours: &Ours) -> Result<(), Wrong> {
        let row = &placed.1;
        check_names(row, ours)?;
        if let Some((line, other)) = self.payments.insert(row.hash, placed) {
            if purchase(other) != purchase(row) {
                let why = format!("it is the payment of line {line}, which is {}'s: one payment buys once", of(other));
                return Err(("payment_hash", why));
            }
            fees_agree(row.fee, other.fee, || format!("line {line} says"))?;
        }
        match self.purchases.insert(purchase(row), placed) {
            Some((line, other)) if other.hash != row.hash => {
                let why = format!("line {line} has another payment of {}: each has a take of its own", of(row));
                Err(("payment_hash", why))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Held against the payments, which are all known.
    fn refund(&mut self, placed: &'r Placed, ours: &Ours) -> Result<(), Wrong> {
        let row = &placed.1;
        check_names(row, ours)?;
        if !row.preimage.is_empty() || self.payments.contains_key(&row.hash) {
            let why =
                "it says refund, and the rest of the record is of a payment: money that came back has no preimage";
            return Err(("kind", why.to_owned()));
        }
        let in_file = self.purchases.get(&purchase(row)).map(|(line, paid)| (format!("line {line}"), paid));
        let Some((place, paid)) = in_file.or_else(|| Some(("in the ledger".to_owned(), ours.payment(row)?))) else {
            let why = format!("it says refund, and neither the file nor the ledger has the payment of {}", of(row));
            return Err(("kind", why));
        };
        if let Some((line, other)) = self.refunds.insert(purchase(row), placed)
            && other.hash != row.hash
        {
            let why = format!("line {line} has another refund of {}: there is one at most", of(row));
            return Err(("payment_hash", why));
        }
        if row.invoice.is_empty() {
            return Ok(());
        }
        let wrong = |why: String| ("invoice", why);
        let invoice = Invoice::read(&row.invoice).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
        if invoice.hash != row.hash {
            return Err(wrong("it is of another refund than payment_hash".to_owned()));
        }
        if invoice.amount > paid.amount {
            let [back, paid] = [invoice.amount, paid.amount].map(Msat::get);
            return Err(wrong(format!("it is over {back} msat, and {paid} were paid ({place}): no more is claimed")));
        }
        Ok(())
    }

    /// Held against the ledger's own.
    fn beside(&self, row: &ReceiptRow, ours: &Ours) -> Result<(), Wrong> {
        let known = ours.by_hash.get(&row.hash);
        if let Some(other) = known.filter(|other| other.kind != row.kind) {
            let (said, is) = (row.kind.as_str(), other.kind.as_str());
            return Err(("kind", format!("it says {said}, and the ledger knows it as the {is} of {}", of(other))));
        }
        match (row.kind, known) {
            (ReceiptKind::Payment, Some(other)) => {
                fees_agree(row.fee, other.fee, || "the ledger has, as the node said,".to_owned())
            }
            (ReceiptKind::Refund, Some(other)) if other.amount != row.amount => {
                let [said, is] = [row.amount, other.amount].map(Msat::get);
                Err(("amount_msat", format!("it is {said}, and the ledger has {is}")))
            }
            (ReceiptKind::Refund, None) => {
                let in_file = self.purchases.get(&purchase(row)).and_then(|(_, paid)| ours.by_hash.get(&paid.hash));
                // What was offered back may have come, whatever a person said of the job.
                let is_kept = |paid: &&ReceiptRow| paid.url.is_some() && !ours.offered.contains(&paid.hash);
                match in_file.or_else(|| ours.payment(row)).filter(is_kept) {
                    Some(paid) => Err((
                        "kind",
                        format!(
                            "it says refund, and the ledger has the result of {}: nothing came back for it",
                            of(paid)
                        ),
                    )),
                    None => Ok(()),
                }
            }
            (ReceiptKind::Payment, None) | (ReceiptKind::Refund, Some(_)) => Ok(()),
        }
    }
}

/// A fee that both know is one fee.
fn fees_agree(said: Option<Msat>, other: Option<Msat>, whose: impl Fn() -> String) -> Result<(), Wrong> {
    match said.zip(other).filter(|(said, other)| said != other) {
        Some((said, other)) => Err(("fee_msat", format!("it is {}, and {} {}", said.get(), whose(), other.get()))),
        None => Ok(()),
    }
}

/// Names stand in commands and files. How long a batch's may be, nobody says.
fn check_names(row: &ReceiptRow, ours: &Ours) -> Result<(), Wrong> {
    if let Some(expected) = id_problem(&row.id) {
        return Err(("id", format!("expected {expected}, got {:?}", row.id)));
    }
    if row.batch.contains(char::is_control) && !ours.batches.contains(&row.batch) {
        return Err(("batch", format!("expected printable characters, got {:?}", row.batch)));
    }
    Ok(())
}

fn purchase(row: &ReceiptRow) -> (&str, &str, u32) {
    (&row.batch, &row.id, row.take)
}

fn of(row: &ReceiptRow) -> String {
    format!("take {} of {} ({})", row.take, row.id, row.batch)
}
