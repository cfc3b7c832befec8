//! `audit`: the ledger beside the node's own list of payments, and its invoices for refunds: what agrees, and what does
//! not.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::command::node_command;
use crate::l402::PaymentHash;
use crate::ledger::port::{Audit as _, Batches, Views};
use crate::ledger::{AuditRow, OpenLedger, RefundInvoiceRow, RefundRow, RefundStanding, Standing};
use crate::money::{Msat, counted, thousands};
use crate::payer::{InvoiceState, Listed, ListedStatus, NodeProblem, Payer, PaymentHistory, ProblemKind, Receiver};
use crate::terminal_text::write_json;

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::options::config::AuditOptions;
use crate::cli::{CommandError, ExitCode, Failure, Format, target, terminal};

/// Differences that are named; the rest is counted.
const NAMED_MAX: usize = 1_000;
/// Pages of the node's list that are read at most.
const PAGES_MAX: usize = 1_000_000;

/// Compares, prints, and ends with 7 where the books differ.
pub(in crate::cli) fn execute(options: &AuditOptions) -> Result<ExitCode, Failure> {
    let ledger = target::open(&options.ledger)?;
    ledger.check_money(None)?;
    let counterparties = Counterparties::of_node(options.node.as_ref(), &options.ledger)?;
    let Some(payer) = &counterparties.payer else {
        return Err(CommandError::usage("name the node: --lnd-url and --lnd-macaroon-file").into());
    };
    let audit = crate::cli::runtime()?.block_on(compare(&ledger, payer))?;
    let code = if audit.differing_count == 0 { ExitCode::Done } else { ExitCode::Ledger };
    if options.output.quiet && code == ExitCode::Done {
        return Ok(code);
    }
    match terminal::print(options.output.format, |out| audit.write(out, options.output.format)) {
        Ok(()) => Ok(code),
        // What was found weighs more than whether anybody read it.
        Err(unread) => Ok(code.or_worse(unread.report())),
    }
}

/// What an audit found.
#[derive(Debug, Serialize)]
struct Audit {
    format_version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    node: String,
    /// Payments of the ledger that the node lists the same.
    agreeing_count: u64,
    /// Those settled, in msat, fees included.
    settled_msat: Msat,
    /// Payments of the ledger whose fate is open here and at the node.
    open_count: u64,
    differing_count: u64,
    /// Payments of the node that are none of this ledger's.
    other_count: u64,
    /// Refunds that came, here as at the node.
    refunds_agreeing_count: u64,
    /// What came with them, in msat.
    refunded_msat: Msat,
    /// Refunds that were claimed and have come neither here nor at the node.
    refunds_open_count: u64,
    /// Refunds that could not be compared: the macaroon does not let invoices be looked up, or the wallet has none.
    refunds_unseen_count: u64,
    /// Why refunds could not be compared, in words; empty where all could.
    #[serde(skip)]
    unseen_why: String,
    /// The first thousand.
    differences: Vec<Difference>,
}

/// One payment on which the books differ.
#[derive(Debug, Serialize)]
struct Difference {
    batch: String,
    job: String,
    take: u32,
    payment_hash: String,
    what: String,
}

/// What came of one comparison.
enum Verdict {
    Agrees,
    Open,
    Differs(String),
}

async fn compare(ledger: &OpenLedger, payer: &impl Payer) -> Result<Audit, Failure> {
    let Some(history) = payer.history() else {
        return Err(CommandError::usage(
            "this wallet does not list what it has paid, so that there is nothing to compare",
        )
        .into());
    };
    let node = payer.node().await?;
    let rows = ledger.payments_at(&node.id)?;
    let mut ours: HashMap<PaymentHash, &AuditRow> = rows.iter().map(|row| (row.hash, row)).collect();
    let mut audit = Audit {
        format_version: crate::report::FORMAT_VERSION,
        kind: "audit",
        node: node.id.0,
        agreeing_count: 0,
        settled_msat: Msat::ZERO,
        open_count: 0,
        differing_count: 0,
        other_count: 0,
        refunds_agreeing_count: 0,
        refunded_msat: Msat::ZERO,
        refunds_open_count: 0,
        refunds_unseen_count: 0,
        unseen_why: String::new(),
        differences: Vec::new(),
    };
    let mut after = 0;
    for _ in 0..PAGES_MAX {
        let page = history.list(after).await?;
        for listed in &page.payments {
            match ours.remove(&listed.hash) {
                None => audit.other_count += 1,
                Some(row) => audit.note(row, of_listed(row, listed))?,
            }
        }
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    for row in rows.iter().filter(|row| ours.contains_key(&row.hash)) {
        audit.note(row, of_unlisted(row))?;
    }
    compare_refunds(ledger, payer, &mut audit).await?;
    Ok(audit)
}

/// Holds each refund that was claimed against the node's own invoice for it.
async fn compare_refunds(ledger: &OpenLedger, payer: &impl Payer, audit: &mut Audit) -> Result<(), Failure> {
    for refund in ledger.refunds(None)? {
        let Some(invoice) = refund.invoice.as_ref().filter(|invoice| invoice.node == audit.node) else { continue };
        let Some(receiver) = payer.receiver() else {
            audit.refunds_unseen_count += 1;
            audit.unseen_why = "this wallet shows no invoices".to_owned();
            continue;
        };
        match receiver.invoice(&invoice.hash).await {
            Ok(state) => audit.note_refund(&refund, invoice, of_invoice(&refund, state))?,
            Err(NodeProblem { kind: ProblemKind::Denied(_), .. }) => {
                audit.refunds_unseen_count += 1;
                audit.unseen_why = receiver.when_denied(None);
            }
            Err(problem) => return Err(Failure::Node(problem)),
        }
    }
    Ok(())
}

fn of_invoice(refund: &RefundRow, state: InvoiceState) -> Verdict {
    match (state, refund.standing) {
        (InvoiceState::Settled { received }, RefundStanding::Settled) if refund.received == Some(received) => {
            Verdict::Agrees
        }
        (InvoiceState::Settled { received }, RefundStanding::Settled) => {
            let known = refund.received.map_or_else(|| "nothing".to_owned(), |known| known.to_string());
            Verdict::Differs(format!("the node has received {received} for its refund, the ledger holds {known}"))
        }
        (InvoiceState::Settled { .. }, RefundStanding::Offered | RefundStanding::Invoiced) => {
            Verdict::Differs(format!(
                "the node has received its refund, and the ledger does not know that yet: `{}`",
                node_command("refunds claim --all")
            ))
        }
        (InvoiceState::Settled { .. }, RefundStanding::Expired) => {
            Verdict::Differs("the node has received its refund, and the ledger holds that it never can".to_owned())
        }
        (InvoiceState::Open | InvoiceState::Canceled | InvoiceState::Unknown, RefundStanding::Settled) => {
            Verdict::Differs("the ledger holds its refund as received, and the node has not received it".to_owned())
        }
        (InvoiceState::Canceled | InvoiceState::Unknown, RefundStanding::Expired) => Verdict::Agrees,
        (_, RefundStanding::Offered | RefundStanding::Invoiced) | (InvoiceState::Open, RefundStanding::Expired) => {
            Verdict::Open
        }
    }
}

fn of_listed(row: &AuditRow, listed: &Listed) -> Verdict {
    match (listed.status, row.standing) {
        (ListedStatus::Settled, Standing::Posted) => same_amounts(row, listed),
        (ListedStatus::Settled, Standing::Paid | Standing::Open) => Verdict::Differs(format!(
            "the node has settled it, and the ledger does not know that yet: `{}`",
            node_command("recover --all")
        )),
        (ListedStatus::Settled, Standing::Dead) => {
            Verdict::Differs("the node has settled it, and the ledger holds that it never can be".to_owned())
        }
        (ListedStatus::Failed, Standing::Dead) => Verdict::Agrees,
        (ListedStatus::Failed | ListedStatus::Open, Standing::Open) | (ListedStatus::Open, Standing::Paid) => {
            Verdict::Open
        }
        (ListedStatus::Failed, Standing::Paid | Standing::Posted) => {
            Verdict::Differs("the node says that it failed, and the ledger holds its preimage".to_owned())
        }
        (ListedStatus::Open, Standing::Posted) => {
            Verdict::Differs("the node says that it is on its way, and the ledger holds it as settled".to_owned())
        }
        (ListedStatus::Open, Standing::Dead) => Verdict::Differs(
            "the node says that it is on its way, and the ledger holds that it never can be".to_owned(),
        ),
    }
}

fn same_amounts(row: &AuditRow, listed: &Listed) -> Verdict {
    if row.amount != listed.amount {
        return Verdict::Differs(format!("the node says {}, the ledger {}", listed.amount, row.amount));
    }
    if row.fee != Some(listed.fee) {
        let fee = row.fee.map_or_else(|| "no fee".to_owned(), |fee| fee.to_string());
        return Verdict::Differs(format!("the node says {} of routing fees, the ledger {fee}", listed.fee));
    }
    Verdict::Agrees
}

fn of_unlisted(row: &AuditRow) -> Verdict {
    match row.standing {
        Standing::Dead => Verdict::Agrees,
        Standing::Open => Verdict::Open,
        Standing::Paid | Standing::Posted => Verdict::Differs(
            "the ledger holds its preimage, so it was paid, and the node does not list it: the node's payments were \
             deleted, or it was restored from a backup"
                .to_owned(),
        ),
    }
}

impl Audit {
    fn note(&mut self, row: &AuditRow, verdict: Verdict) -> Result<(), Failure> {
        match verdict {
            Verdict::Agrees => {
                self.agreeing_count += 1;
                if row.standing == Standing::Posted {
                    let cost = crate::cli::money::sum([self.settled_msat, row.amount, row.fee.unwrap_or(Msat::ZERO)])?;
                    self.settled_msat = cost;
                }
            }
            Verdict::Open => self.open_count += 1,
            Verdict::Differs(what) => self.differs(Difference {
                batch: row.batch.clone(),
                job: row.job.clone(),
                take: row.take,
                payment_hash: row.hash.hex(),
                what,
            }),
        }
        Ok(())
    }

    fn note_refund(&mut self, refund: &RefundRow, invoice: &RefundInvoiceRow, verdict: Verdict) -> Result<(), Failure> {
        match verdict {
            Verdict::Agrees => {
                if let Some(received) = refund.received {
                    self.refunds_agreeing_count += 1;
                    self.refunded_msat = crate::cli::money::sum([self.refunded_msat, received])?;
                }
            }
            Verdict::Open => self.refunds_open_count += 1,
            Verdict::Differs(what) => self.differs(Difference {
                batch: refund.batch.clone(),
                job: refund.id.clone(),
                take: refund.take,
                payment_hash: invoice.hash.hex(),
                what,
            }),
        }
        Ok(())
    }

    fn differs(&mut self, difference: Difference) {
        self.differing_count += 1;
        if self.differences.len() < NAMED_MAX {
            self.differences.push(difference);
        }
    }

    fn write(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        match format {
            Format::Json => write_json(out, self),
            Format::Table | Format::Csv => self.write_lines(out),
        }
    }

    /// Nothing where no refund was ever claimed through that node.
    fn write_refunds(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.refunds_agreeing_count > 0 {
            let back = thousands(self.refunded_msat.sats_ceil().get());
            writeln!(out, "refunds  {} as at the node: {back} sats came back", thousands(self.refunds_agreeing_count))?;
        }
        if self.refunds_open_count > 0 {
            writeln!(out, "refunds  {} claimed and not received", thousands(self.refunds_open_count))?;
        }
        if self.refunds_unseen_count > 0 {
            writeln!(out, "refunds  {} not compared: {}", thousands(self.refunds_unseen_count), self.unseen_why)?;
        }
        Ok(())
    }

    fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "node     {}", self.node)?;
        let settled = thousands(self.settled_msat.sats_ceil().get());
        let count = |payments: u64| counted(payments, "payment");
        writeln!(out, "agree    {}: {settled} sats settled, fees included", count(self.agreeing_count))?;
        writeln!(out, "open     {}: settled neither here nor at the node", count(self.open_count))?;
        writeln!(out, "differ   {}", count(self.differing_count))?;
        writeln!(out, "others   {} of the node that this ledger has not asked for", count(self.other_count))?;
        self.write_refunds(out)?;
        for difference in &self.differences {
            let Difference { batch, job, take, payment_hash, what } = difference;
            let (batch, job) = (crate::terminal_text::printable(batch), crate::terminal_text::printable(job));
            writeln!(out, "\n{batch}, job {job}, take {take}, payment {payment_hash}:\n  {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMOUNT: Msat = Msat::new(500_000);

    fn row(standing: Standing, fee: Option<u64>) -> AuditRow {
        AuditRow {
            hash: PaymentHash([1; 32]),
            standing,
            amount: AMOUNT,
            fee: fee.map(Msat::new),
            batch: "june".to_owned(),
            job: "a".to_owned(),
            take: 1,
        }
    }

    fn word(standing: Standing, fee: Option<u64>, status: ListedStatus) -> &'static str {
        let listed = Listed { hash: PaymentHash([1; 32]), status, amount: AMOUNT, fee: Msat::new(7) };
        match of_listed(&row(standing, fee), &listed) {
            Verdict::Agrees => "agrees",
            Verdict::Open => "open",
            Verdict::Differs(_) => "differs",
        }
    }

    #[test]
    fn every_pair_of_books_has_its_verdict() {
        use ListedStatus::{Failed, Open, Settled};
        let table = [
            (Standing::Posted, Some(7), [(Settled, "agrees"), (Failed, "differs"), (Open, "differs")]),
            (Standing::Posted, Some(8), [(Settled, "differs"), (Failed, "differs"), (Open, "differs")]),
            (Standing::Paid, None, [(Settled, "differs"), (Failed, "differs"), (Open, "open")]),
            (Standing::Open, None, [(Settled, "differs"), (Failed, "open"), (Open, "open")]),
            (Standing::Dead, None, [(Settled, "differs"), (Failed, "agrees"), (Open, "differs")]),
        ];
        for (standing, fee, expected) in table {
            for (status, verdict) in expected {
                assert_eq!(word(standing, fee, status), verdict, "{standing:?} × {status:?}");
            }
        }
    }

    #[test]
    fn every_refund_is_held_against_its_invoice() {
        use InvoiceState::{Canceled, Open, Settled, Unknown};
        let got = |msat| Settled { received: Msat::new(msat) };
        let states = [got(499_000), got(1), Open, Canceled, Unknown];
        let table = [
            (RefundStanding::Settled, ["agrees", "differs", "differs", "differs", "differs"]),
            (RefundStanding::Invoiced, ["differs", "differs", "open", "open", "open"]),
            (RefundStanding::Expired, ["differs", "differs", "open", "agrees", "agrees"]),
        ];
        for (standing, expected) in table {
            for (state, word) in states.into_iter().zip(expected) {
                let received = (standing == RefundStanding::Settled).then_some(Msat::new(499_000));
                let found = match of_invoice(&refund(standing, received), state) {
                    Verdict::Agrees => "agrees",
                    Verdict::Open => "open",
                    Verdict::Differs(_) => "differs",
                };
                assert_eq!(found, word, "{standing:?} × {state:?}");
            }
        }
    }

    fn refund(standing: RefundStanding, received: Option<Msat>) -> RefundRow {
        RefundRow {
            batch: "june".to_owned(),
            id: "a".to_owned(),
            take: 1,
            state: crate::purchase::JobState::Refunded,
            reason: crate::purchase::Reason::None,
            standing,
            paid: AMOUNT,
            payment_hash: PaymentHash([1; 32]),
            seller: String::new(),
            link: None,
            offered_at: crate::time::UnixMs(0),
            invoice: None,
            received,
            settled_at: None,
            words: None,
            words_at: None,
        }
    }

    #[test]
    fn a_settlement_that_the_node_has_forgotten_is_a_difference() {
        assert!(matches!(of_unlisted(&row(Standing::Posted, Some(7))), Verdict::Differs(_)));
        assert!(matches!(of_unlisted(&row(Standing::Dead, None)), Verdict::Agrees));
        assert!(matches!(of_unlisted(&row(Standing::Open, None)), Verdict::Open));
    }
}
