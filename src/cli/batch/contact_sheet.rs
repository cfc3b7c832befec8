//! The contact sheet of a batch, written from its ledger.

use std::path::Path;

use crate::ledger::port::{Batches, Views};
use crate::ledger::{Batch, LedgerError, OpenLedger};
use crate::money::counted_are;
use crate::report::{ContactFacts, ContactFolder, Written};
use crate::run::{Clock, SystemClock};

use crate::cli::batch::files::ledger_of;
use crate::cli::{CommandError, Failure, terminal};

/// The folder at that path, where a contact sheet of that batch may be written into it. `known`: its ledger, where there is one.
pub(in crate::cli) fn folder(
    path: &Path,
    known: Option<(&OpenLedger, &str)>,
    overwrite: bool,
) -> Result<ContactFolder, Failure> {
    let owner = known.map(|(ledger, batch)| Ok::<_, LedgerError>(format!("{} {batch}", ledger_of(ledger, batch)?)));
    Ok(ContactFolder::at(path, owner.transpose()?.as_deref(), overwrite)?)
}

/// Writes it, and gives what is to be told of it.
pub(in crate::cli) fn write(folder: &ContactFolder, ledger: &OpenLedger, batch: &Batch) -> Result<String, Failure> {
    let facts = ContactFacts {
        batch: batch.name.clone(),
        ledger: ledger.id()?,
        owner: ledger_of(ledger, &batch.name)?,
        is_play: batch.sandbox,
        made_at: SystemClock.now(),
        zone: terminal::zone(),
    };
    let broken = std::io::Error::other::<LedgerError>;
    let written = folder.write(&facts, &mut |each| ledger.all_takes(batch.key, each).map_err(broken)?);
    let Written { page, left } = written.map_err(|error| {
        CommandError::unwritten(format!("the contact sheet of {} cannot be written", batch.name)).because(error)
    })?;
    let stays = match left {
        0 => String::new(),
        left => format!("; {} not in it, and must stay where they lie", counted_are(left, "file")),
    };
    Ok(format!("{}{stays}", page.display()))
}
