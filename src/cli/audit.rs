//! `audit`: the ledger beside the node's own list of payments: what agrees, and what does not.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::l402::PaymentHash;
use crate::ledger::Standing;
use crate::ledger::sqlite::{AuditRow, Books};
use crate::money::{Msat, counted, thousands};
use crate::payer::{Listed, ListedStatus, LndPayer, Payer};

use super::config::AuditOptions;
use super::run::World;
use super::{ExitCode, Failure, Format, target, terminal};

/// Differences that are named; the rest is counted.
const NAMED_MAX: usize = 1_000;
/// Pages of the node's list that are read at most.
const PAGES_MAX: usize = 1_000_000;

/// Compares, prints, and ends with 7 where the books differ.
pub(super) fn execute(options: &AuditOptions) -> Result<ExitCode, Failure> {
    let books = target::open(&options.ledger)?;
    books.check_money(None)?;
    let world = World::of_node(options.node.as_ref(), &options.ledger)?;
    let Some(payer) = &world.payer else {
        return Err(Failure::Usage("name the node: --lnd-url and --lnd-macaroon-file".to_owned()));
    };
    let audit = super::runtime()?.block_on(compare(&books, payer))?;
    let code = if audit.differing_count == 0 { ExitCode::Done } else { ExitCode::Ledger };
    if options.output.quiet && code == ExitCode::Done {
        return Ok(code);
    }
    match terminal::print(|out| audit.write(out, options.output.format)) {
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

async fn compare(books: &Books, payer: &LndPayer) -> Result<Audit, Failure> {
    let node = payer.node().await?;
    let rows = books.payments_at(&node.id)?;
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
        differences: Vec::new(),
    };
    let mut after = 0;
    for _ in 0..PAGES_MAX {
        let page = payer.list(after).await?;
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
    Ok(audit)
}

fn of_listed(row: &AuditRow, listed: &Listed) -> Verdict {
    match (listed.status, row.standing) {
        (ListedStatus::Settled, Standing::Posted) => same_amounts(row, listed),
        (ListedStatus::Settled, Standing::Paid | Standing::Open) => Verdict::Differs(
            "the node has settled it, and the ledger does not know that yet: `l402-batch recover --all`".to_owned(),
        ),
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
                    let cost = super::money::sum([self.settled_msat, row.amount, row.fee.unwrap_or(Msat::ZERO)])?;
                    self.settled_msat = cost;
                }
            }
            Verdict::Open => self.open_count += 1,
            Verdict::Differs(what) => {
                self.differing_count += 1;
                if self.differences.len() < NAMED_MAX {
                    self.differences.push(Difference {
                        batch: row.batch.clone(),
                        job: row.job.clone(),
                        take: row.take,
                        payment_hash: row.hash.hex(),
                        what,
                    });
                }
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        match format {
            Format::Json => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            Format::Table | Format::Csv => self.write_lines(out),
        }
    }

    fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "node     {}", self.node)?;
        let settled = thousands(self.settled_msat.sats_ceil().get());
        let count = |payments: u64| counted(payments, "payment");
        writeln!(out, "agree    {}: {settled} sats settled, fees included", count(self.agreeing_count))?;
        writeln!(out, "open     {}: settled neither here nor at the node", count(self.open_count))?;
        writeln!(out, "differ   {}", count(self.differing_count))?;
        writeln!(out, "others   {} of the node that this ledger has not asked for", count(self.other_count))?;
        for difference in &self.differences {
            let Difference { batch, job, take, payment_hash, what } = difference;
            let (batch, job) = (crate::harmless::harmless(batch), crate::harmless::harmless(job));
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
    fn a_settlement_that_the_node_has_forgotten_is_a_difference() {
        assert!(matches!(of_unlisted(&row(Standing::Posted, Some(7))), Verdict::Differs(_)));
        assert!(matches!(of_unlisted(&row(Standing::Dead, None)), Verdict::Agrees));
        assert!(matches!(of_unlisted(&row(Standing::Open, None)), Verdict::Open));
    }
}
