//! Whether the receipts know of a payment that the ledger does not: then the ledger is older than its papers (restored from
//! a backup), and would buy again what has been bought since.

use std::path::Path;

use crate::cli::Failure;
use crate::l402::PaymentHash;
use crate::ledger::sqlite::{Batch, Books};

/// Refuses a ledger that is older than the receipts that this batch wrote last. A receipts file that is gone, or is none
/// any more, says nothing.
pub(in crate::cli) fn check(books: &Books, batch: &Batch) -> Result<(), Failure> {
    let outputs = &batch.remembered.outputs;
    let Some(path) = outputs.receipts.as_ref().filter(|_| outputs.receipts_written) else { return Ok(()) };
    match unknown(books, Path::new(path), batch.remembered.layout.delimiter)? {
        None => Ok(()),
        Some(hash) => Err(Failure::BooksDiffer(format!(
            "the receipts {path} hold the payment {}, of which the ledger knows nothing: it seems to be an older copy, \
             restored from a backup, and would buy again what was bought since; nothing was bought; put the newest \
             ledger in its place; where there is none, keep a copy of the receipts, take out of the manifest what they \
             hold, and run with --overwrite",
            hash.hex()
        ))),
    }
}

/// The first payment of the receipts that the ledger does not know.
fn unknown(books: &Books, path: &Path, delimiter: char) -> Result<Option<PaymentHash>, Failure> {
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let opened = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_path(path);
    let Ok(mut reader) = opened else { return Ok(None) };
    let column = reader.headers().ok().and_then(|headers| headers.iter().position(|name| name == "payment_hash"));
    let Some(column) = column else { return Ok(None) };
    let mut record = csv::StringRecord::new();
    // Where a line cannot be read, somebody has written into it: what follows is no word of ours.
    while reader.read_record(&mut record).unwrap_or(false) {
        if let Some(hash) = record.get(column).and_then(PaymentHash::from_hex)
            && !books.knows(&hash)?
        {
            return Ok(Some(hash));
        }
    }
    Ok(None)
}
