//! Whether the receipts know of a payment that the ledger does not: then the ledger is older than its papers (restored from
//! a backup), and would buy again what has been bought since.

use std::path::Path;

use crate::cli::Failure;
use crate::l402::PaymentHash;
use crate::ledger::sqlite::{Batch, Books};

/// Our own delimiter, and those in which a spreadsheet may have saved the file.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Refuses a ledger that is older than the receipts that this batch wrote last. A receipts file that is gone, or is none
/// any more, says nothing.
pub(in crate::cli) fn check(books: &Books, batch: &Batch) -> Result<(), Failure> {
    let outputs = &batch.remembered.outputs;
    let Some(path) = outputs.receipts.as_ref().filter(|_| outputs.receipts_written) else { return Ok(()) };
    match unknown(Some(books), Path::new(path))? {
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

/// Refuses a new batch in whose place stand receipts of payments that the ledger knows nothing of: it was deleted, or is
/// another one. The same jobs would be bought again.
pub(super) fn check_new(books: Option<&Books>, receipts: &Path) -> Result<(), Failure> {
    match unknown(books, receipts)? {
        None => Ok(()),
        Some(hash) => Err(Failure::BooksDiffer(format!(
            "the batch would be new, and the receipts {} hold the payment {}, of which the ledger knows nothing: was it \
             deleted, or is another one meant? going on would buy again what they hold; nothing was bought; name the \
             ledger that knows it with --ledger, or put it back; where there is none, keep a copy of the receipts, take \
             out of the manifest what they hold, and run with --overwrite",
            receipts.display(),
            hash.hex()
        ))),
    }
}

/// The first payment of the receipts that the ledger does not know; without a ledger, any.
fn unknown(books: Option<&Books>, path: &Path) -> Result<Option<PaymentHash>, Failure> {
    let Some((mut reader, column)) = DELIMITERS.iter().find_map(|delimiter| open(path, *delimiter)) else {
        return Ok(None);
    };
    let mut record = csv::StringRecord::new();
    // Where a line cannot be read, somebody has written into it: what follows is no word of ours.
    while reader.read_record(&mut record).unwrap_or(false) {
        let hash = record.get(column).and_then(|cell| PaymentHash::from_hex(cell.trim()));
        if let Some(hash) = hash
            && !books.map_or(Ok(false), |books| books.knows(&hash))?
        {
            return Ok(Some(hash));
        }
    }
    Ok(None)
}

/// The file, and where its hashes stand; nothing where it has no such column.
fn open(path: &Path, delimiter: u8) -> Option<(csv::Reader<std::fs::File>, usize)> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_path(path).ok()?;
    let column = reader.headers().ok()?.iter().position(|name| name == "payment_hash")?;
    Some((reader, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_speak_also_as_a_spreadsheet_saves_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receipts.csv");
        let books = Books::in_memory().unwrap();
        let hash = "ab".repeat(32);
        let found = |text: String| {
            std::fs::write(&path, text).unwrap();
            let found = unknown(Some(&books), &path).unwrap().map(|hash| hash.hex());
            assert_eq!(unknown(None, &path).unwrap().map(|hash| hash.hex()), found);
            found
        };
        for delimiter in [",", ";", "\t"] {
            for (mark, quote, end) in [("", "", "\n"), ("\u{feff}", "\"", "\r\n"), ("", "\"", "\r\n")] {
                let line = |cells: [&str; 3]| cells.map(|cell| format!("{quote}{cell}{quote}")).join(delimiter) + end;
                let header = line(["payment_hash", "id", "batch"]);
                let text = format!("{mark}{header}{}{}", line(["", "a", "b"]), line([&hash, "c", "d"]));
                assert_eq!(found(text), Some(hash.clone()), "{delimiter:?} {mark:?} {quote:?}");
                assert_eq!(found(format!("{mark}{header}")), None);
            }
        }
        for nothing in ["", "dear diary\n", "payment_hash\nnone\n", "\u{0}\u{ff}"] {
            assert_eq!(found(nothing.to_owned()), None, "{nothing:?}");
        }
        assert_eq!(unknown(Some(&books), &folder.path().join("gone.csv")).unwrap(), None);
        assert_eq!(unknown(Some(&books), folder.path()).unwrap(), None);
    }
}
