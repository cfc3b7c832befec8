//! Whether receipts contradict themselves, or what the ledger knows of the same payments: then nothing of them is merged.

use std::collections::HashMap;
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
struct Known<'r> {
    payments: HashMap<PaymentHash, &'r Placed>,
    purchases: HashMap<(&'r str, &'r str, u32), &'r Placed>,
    refunds: HashMap<(&'r str, &'r str, u32), &'r Placed>,
}

/// Refuses receipts of that file of which one contradicts another, itself, or the ledger.
pub(super) fn check(file: &Path, rows: &[Placed], ledger: &OpenLedger) -> Result<(), Failure> {
    let mut known = Known::default();
    let (payments, refunds): (Vec<&Placed>, Vec<&Placed>) =
        rows.iter().partition(|(_, row)| row.kind == ReceiptKind::Payment);
    let refused = |line: u64, (column, why): Wrong| {
        CommandError::usage(format!("{}:{line}: {column}: {why}; nothing was merged", file.display()))
            .hint("restore that record as `run` has written it, or merge the file without it")
    };
    for placed in payments {
        known.payment(placed).map_err(|wrong| refused(placed.0, wrong))?;
    }
    for placed in refunds {
        known.refund(placed).map_err(|wrong| refused(placed.0, wrong))?;
    }
    let ours = of_ledger(ledger, rows)?;
    for (line, row) in rows {
        known.beside(row, &ours).map_err(|wrong| refused(*line, wrong))?;
    }
    Ok(())
}

/// What the ledger itself has receipts of, by hash: of those in the file, and of what they came back for.
fn of_ledger(ledger: &OpenLedger, rows: &[Placed]) -> Result<HashMap<PaymentHash, ReceiptRow>, Failure> {
    let mut ours: HashMap<PaymentHash, Option<ReceiptRow>> = rows.iter().map(|(_, row)| (row.hash, None)).collect();
    for (batch, _) in ledger.batches()? {
        let read = ledger.receipts(batch.key, &mut |row| {
            if let Some(known) = ours.get_mut(&row.hash) {
                *known = Some(row);
            }
            Ok(())
        })?;
        read.map_err(|error| CommandError::internal("the ledger's receipts cannot be read").because(error))?;
    }
    Ok(ours.into_iter().filter_map(|(hash, row)| Some((hash, row?))).collect())
}

impl<'r> Known<'r> {
    fn payment(&mut self, placed: &'r Placed) -> Result<(), Wrong> {
        let row = &placed.1;
        check_names(row)?;
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
    fn refund(&mut self, placed: &'r Placed) -> Result<(), Wrong> {
        let row = &placed.1;
        check_names(row)?;
        if !row.preimage.is_empty() || self.payments.contains_key(&row.hash) {
            let why =
                "it says refund, and the rest of the record is of a payment: money that came back has no preimage";
            return Err(("kind", why.to_owned()));
        }
        let Some((line, paid)) = self.purchases.get(&purchase(row)).copied() else {
            let why = format!("it says refund, and no record of the file is of the payment of {}", of(row));
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
            return Err(wrong(format!(
                "it is over {back} msat, and {paid} were paid (line {line}): no more is claimed"
            )));
        }
        Ok(())
    }

    /// Held against the ledger's own.
    fn beside(&self, row: &ReceiptRow, ours: &HashMap<PaymentHash, ReceiptRow>) -> Result<(), Wrong> {
        let known = ours.get(&row.hash);
        if let Some(other) = known.filter(|other| other.kind != row.kind) {
            let (said, is) = (word(row.kind), word(other.kind));
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
                let paid = self.purchases.get(&purchase(row)).and_then(|(_, paid)| ours.get(&paid.hash));
                match paid.filter(|paid| paid.url.is_some()) {
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

/// Names stand in commands and files.
fn check_names(row: &ReceiptRow) -> Result<(), Wrong> {
    for (column, name) in [("batch", &row.batch), ("id", &row.id)] {
        if let Some(expected) = id_problem(name) {
            return Err((column, format!("expected {expected}, got {name:?}")));
        }
    }
    Ok(())
}

fn purchase(row: &ReceiptRow) -> (&str, &str, u32) {
    (&row.batch, &row.id, row.take)
}

fn of(row: &ReceiptRow) -> String {
    format!("take {} of {} ({})", row.take, row.id, row.batch)
}

const fn word(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Payment => "payment",
        ReceiptKind::Refund => "refund",
    }
}
