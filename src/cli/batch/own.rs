//! Files that are a batch's own although the ledger does not remember having written them: it took over what they tell (another
//! ledger's rows, or receipts), so that replacing them loses nothing.

use crate::ledger::{Batch, OpenLedger, OutputKind};
use crate::manifest::PLAY_LEDGER;
use std::path::Path;

use crate::cli::Failure;
use crate::cli::receipts::{Receipts, Results};
use crate::ledger::port::{Audit, Batches};

use crate::cli::batch::files::{absolute, ledger_of};

/// A ledger, and the name of a batch of it.
type Of<'a> = (&'a OpenLedger, &'a str);

/// Whether every row there is a result of that batch, and the ledger knows of a payment for each that says it was paid for, or
/// may be. Where the batch `has_written` elsewhere, it took over nothing there: this ledger itself must have written each row.
fn results((ledger, batch): Of<'_>, path: &Path, has_written: bool) -> Result<bool, Failure> {
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

/// Whether the file there is the batch's own: every row is a result, or a receipt, of that batch and of a payment that the ledger
/// knows; or they are receipts without a row (an export before the first purchase), and no other batch writes there.
pub(in crate::cli) fn is_own(kind: OutputKind, of: Of<'_>, path: &Path, has_written: bool) -> Result<bool, Failure> {
    match kind {
        OutputKind::Results => results(of, path, has_written),
        OutputKind::Receipts => match known_rows(of, path)? {
            Some(0) => Ok(!is_of_another(of, path)?),
            rows => Ok(rows.is_some()),
        },
    }
}

/// The same, but receipts without a row tell of no batch.
pub(in crate::cli) fn tells_of(kind: OutputKind, of: Of<'_>, path: &Path, has_written: bool) -> Result<bool, Failure> {
    match kind {
        OutputKind::Results => results(of, path, has_written),
        OutputKind::Receipts => Ok(known_rows(of, path)?.is_some_and(|rows| rows > 0)),
    }
}

/// What of a batch, whoever's it is, the file there holds.
pub(in crate::cli) fn held(path: &Path) -> Option<OutputKind> {
    if Receipts::open(path).is_some_and(|receipts| receipts.has_proofs()) {
        return Some(OutputKind::Receipts);
    }
    Results::open(path).map(|_| OutputKind::Results)
}

/// Whether a row there is not known to be of play money.
pub(in crate::cli) fn is_in_earnest(kind: OutputKind, path: &Path) -> bool {
    match kind {
        OutputKind::Results => {
            Results::open(path).is_some_and(|mut lines| lines.any(|line| line.ledger.as_deref() != Some(PLAY_LEDGER)))
        }
        OutputKind::Receipts => Receipts::open(path).is_some_and(|mut lines| {
            std::iter::from_fn(|| lines.next().then(|| lines.is_of_play())).any(|is_of_play| !is_of_play)
        }),
    }
}

/// How many receipts are there; none where one of them is another batch's, or of a payment that the ledger does not know.
fn known_rows((ledger, batch): Of<'_>, path: &Path) -> Result<Option<u64>, Failure> {
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
fn is_of_another((ledger, batch): Of<'_>, path: &Path) -> Result<bool, Failure> {
    let path = absolute(path);
    let there = |other: &Batch| other.remembered.outputs.files[OutputKind::Receipts].path.as_ref() == Some(&path);
    let is_its = |other: &Batch| other.name != batch && there(other);
    Ok(ledger.uncounted()?.iter().any(is_its))
}
