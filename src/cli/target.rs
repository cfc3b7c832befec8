//! Finds the batch that a command is about.

use std::path::Path;

use crate::ledger::sqlite::{Batch, Books, OpenMode};

use super::Failure;
use super::config::Target;

/// The ledger for reading, and the batch in it.
pub(super) fn find(ledger: &Path, target: &Target) -> Result<(Books, Batch), Failure> {
    let books = open(ledger)?;
    let batch = match (&target.batch, &target.manifest) {
        (Some(name), _) => by_name(&books, name)?,
        (None, Some((path, _))) => by_manifest(&books, path)?,
        (None, None) => return Err(Failure::Usage("name a manifest, or a batch with --batch NAME".to_owned())),
    };
    Ok((books, batch))
}

/// The ledger for reading.
pub(super) fn open(ledger: &Path) -> Result<Books, Failure> {
    if !ledger.exists() {
        return Err(Failure::Usage(format!(
            "there is no ledger at {} yet: `run` begins one; another one is named with --ledger",
            ledger.display()
        )));
    }
    Ok(Books::open(ledger, OpenMode::Read)?)
}

fn by_name(books: &Books, name: &str) -> Result<Batch, Failure> {
    books.batch(name)?.ok_or_else(|| {
        Failure::Usage(format!("the ledger has no batch named {name}; `l402-batch batches` lists those it has"))
    })
}

/// The batch that was last begun from the manifest at that path.
fn by_manifest(books: &Books, path: &Path) -> Result<Batch, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::Usage(error.to_string()))?;
    // A manifest that has been moved away is still known by where it was.
    let canonical = path.canonicalize().unwrap_or_else(|_| absolute.clone());
    for path in [absolute, canonical] {
        if let Some(batch) = books.batches_at(&path.display().to_string())?.into_iter().next() {
            return Ok(batch);
        }
    }
    Err(Failure::Usage(format!(
        "the ledger has no batch of {}; `l402-batch batches` lists those it has, and --batch NAME names one",
        path.display()
    )))
}
