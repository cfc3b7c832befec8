//! The contact sheet of a batch, written from its ledger.

use std::path::Path;

use crate::ledger::port::{Batches, Views};
use crate::ledger::{Batch, LedgerError, OpenLedger};
use crate::manifest::PLAY_LEDGER;
use crate::money::counted_are;
use crate::report::{ContactFacts, ContactFolder, Written};
use crate::run::{Clock, SystemClock};

use crate::cli::batch::files::ledger_of;
use crate::cli::{CommandError, Failure, terminal};

/// The folder at that path, where a contact sheet of that batch may be written into it. `known`: its ledger, where there is one. Play money's
/// comes and goes.
pub(in crate::cli) fn folder(
    path: &Path,
    (known, is_play): (Option<&OpenLedger>, bool),
    batch: &str,
    overwrite: bool,
) -> Result<ContactFolder, Failure> {
    let ledger = match known {
        Some(ledger) => Some(ledger_of(ledger, batch)?),
        None => is_play.then(|| PLAY_LEDGER.to_owned()),
    };
    let owner = ledger.map(|ledger| format!("{ledger} {batch}"));
    Ok(ContactFolder::at(path, owner.as_deref(), overwrite)?)
}

/// Refuses files, or a folder of them, that stand where the sheet's page or what it links would stand.
pub(in crate::cli) fn keep_apart<'p>(sheet: &Path, others: impl Iterator<Item = &'p Path>) -> Result<(), Failure> {
    for other in others {
        if ContactFolder::covers(sheet, other) {
            return Err(CommandError::usage(format!(
                "--report {}: {} would stand in the contact sheet's place; nothing was bought",
                sheet.display(),
                other.display()
            ))
            .hint("name a folder for the sheet alone")
            .into());
        }
    }
    Ok(())
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
    let mut broken: Option<LedgerError> = None;
    let written = folder.write(&facts, &mut |each| match ledger.all_takes(batch.key, each) {
        Ok(written) => written,
        Err(error) => Err(std::io::Error::other(broken.insert(error).to_string())),
    });
    if let Some(error) = broken {
        return Err(error.into());
    }
    let Written { page, left } = written.map_err(|error| {
        CommandError::unwritten(format!("the contact sheet of {} cannot be written", batch.name)).because(error)
    })?;
    let stays = match left {
        0 => String::new(),
        left => format!("; {} not in it, and only shown from where it lies now", counted_are(left, "file")),
    };
    Ok(format!("{}{stays}", page.display()))
}
