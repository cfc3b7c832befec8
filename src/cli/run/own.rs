//! Files that are a batch's own although the ledger does not remember having written them: it took over what they tell (another
//! ledger's rows, or receipts), so that replacing them loses nothing.

use std::path::Path;

use crate::cli::Failure;
use crate::cli::receipts::{Receipts, Results};
use crate::ledger::sqlite::Books;

/// Whether every row there is a result of that batch, and the ledger knows of a payment for each that says it was paid for, or
/// may be.
pub(super) fn results(books: &Books, batch: &str, path: &Path) -> Result<bool, Failure> {
    let Some(mut lines) = Results::open(path) else { return Ok(false) };
    let mut rows = 0_u64;
    for line in &mut lines {
        let take = line.row.take.unwrap_or(1);
        if line.batch.as_deref() != Some(batch)
            || !(line.is_unpaid || books.knows_purchase(batch, &line.row.id, take)?)
        {
            return Ok(false);
        }
        rows = rows.saturating_add(1);
    }
    Ok(rows > 0 && lines.is_whole())
}

/// Whether every row there is a receipt of that batch, and of a payment that the ledger knows.
pub(super) fn receipts(books: &Books, batch: &str, path: &Path) -> Result<bool, Failure> {
    let Some(mut lines) = Receipts::open(path) else { return Ok(false) };
    let mut rows = 0_u64;
    while lines.next() {
        let Some(hash) = lines.hash().filter(|_| lines.batch() == batch) else { return Ok(false) };
        if !books.knows(&hash)? {
            return Ok(false);
        }
        rows = rows.saturating_add(1);
    }
    Ok(rows > 0 && lines.is_whole())
}
