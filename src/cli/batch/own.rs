//! Files that are a batch's own although the ledger does not remember having written them: it took over what they tell (another
//! ledger's rows, or receipts), so that replacing them loses nothing.

use crate::ledger::{Batch, OpenLedger};
use std::path::Path;

use crate::cli::Failure;
use crate::cli::receipts::{Receipts, Results};
use crate::ledger::port::{Audit, Batches};

use crate::cli::batch::files::{absolute, ledger_of};

/// Whether every row there is a result of that batch, and the ledger knows of a payment for each that says it was paid for, or
/// may be. Where the batch `has_written` elsewhere, it took over nothing there: this ledger itself must have written each row.
pub(in crate::cli) fn results(
    ledger: &OpenLedger,
    batch: &str,
    path: &Path,
    has_written: bool,
) -> Result<bool, Failure> {
    let Some(mut lines) = Results::open(path) else { return Ok(false) };
    let own = if has_written { Some(ledger_of(ledger, batch)?) } else { None };
    let mut rows = 0_u64;
    for line in &mut lines {
        let take = line.row.take.unwrap_or(1);
        if line.batch.as_deref() != Some(batch)
            || (own.is_some() && line.ledger != own)
            || !(line.is_unpaid || ledger.knows_purchase(batch, &line.row.id, take)?)
        {
            return Ok(false);
        }
        rows = rows.saturating_add(1);
    }
    Ok(rows > 0 && lines.is_whole())
}

/// Whether every row there is a receipt of that batch, and of a payment that the ledger knows; or there is no row (an export before
/// the first purchase), and no other batch writes there.
pub(in crate::cli) fn receipts(ledger: &OpenLedger, batch: &str, path: &Path) -> Result<bool, Failure> {
    Ok(match known_rows(ledger, batch, path)? {
        Some(0) => !is_of_another(ledger, batch, path)?,
        Some(_) => true,
        None => false,
    })
}

/// Whether there are receipts there, all of them of that batch, and of payments that the ledger knows.
pub(in crate::cli) fn tells_of(ledger: &OpenLedger, batch: &str, path: &Path) -> Result<bool, Failure> {
    Ok(known_rows(ledger, batch, path)?.is_some_and(|rows| rows > 0))
}

/// How many receipts are there; none where one of them is another batch's, or of a payment that the ledger does not know.
fn known_rows(ledger: &OpenLedger, batch: &str, path: &Path) -> Result<Option<u64>, Failure> {
    let Some(mut lines) = Receipts::open(path) else { return Ok(None) };
    let mut rows = 0_u64;
    while lines.next() {
        let Some(hash) = lines.hash().filter(|_| lines.batch() == batch) else { return Ok(None) };
        if !ledger.knows(&hash)? {
            return Ok(None);
        }
        rows = rows.saturating_add(1);
    }
    Ok(lines.is_whole().then_some(rows))
}

/// Whether another batch of the ledger writes its receipts there.
fn is_of_another(ledger: &OpenLedger, batch: &str, path: &Path) -> Result<bool, Failure> {
    let path = absolute(path);
    let is_its = |other: &Batch| other.name != batch && other.remembered.outputs.receipts.as_ref() == Some(&path);
    Ok(ledger.batches()?.iter().any(|(other, _)| is_its(other)))
}
