//! What a run builds on, and what it finds there before anything is written or bought. A run acts on it; a plan, a dry run and doctor
//! tell it: all from here.

use crate::cli::Failure;
use crate::cli::options::config::Buying;
use crate::ledger::{Batch, DownloadTo, LedgerAddress, LedgerError, Obstacle, OpenLedger, Retake};
use crate::manifest::Manifest;
use crate::plan::view::LeftToBuy;

use crate::cli::batch::download_setup::{check_template, destination};
use crate::cli::batch::{receipt_guard, room, session};
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::{selection, trust, words};

/// So much of the ledger's disk has to be free before anything is bought: twice the log beside it, which grows to 16 MiB before it is
/// taken over.
const LEDGER_BYTES_MIN: u64 = 32 << 20;
/// And so much for each job.
const JOB_BYTES: u64 = 8 << 10;

/// Refuses to buy so many jobs where the disk of the ledger at that address may not hold what is to be recorded of them: what is paid and
/// cannot be recorded ends a run half way.
pub(in crate::cli) fn check_room(address: &LedgerAddress, jobs: u64) -> Result<(), Failure> {
    let needed = LEDGER_BYTES_MIN.saturating_add(jobs.saturating_mul(JOB_BYTES));
    match crate::ledger::free_bytes(address)? {
        Some(free) if jobs > 0 && free < needed => {
            let short = Obstacle::LittleRoom { free_kib: free >> 10, needed_kib: needed >> 10 };
            Err(LedgerError::Io(short).at(address).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// What a run builds on.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Ground<'a> {
    pub(in crate::cli) manifest: &'a Manifest,
    /// The ledger, where there is one.
    pub(in crate::cli) ledger: Option<&'a OpenLedger>,
    /// The batch, where the ledger knows it.
    pub(in crate::cli) known: Option<&'a Batch>,
    /// The manifest holds that batch's results.
    pub(in crate::cli) of_results: bool,
}

impl<'a> Ground<'a> {
    /// Ledger and batch, where the manifest holds that batch's results: what it is about are their stored jobs.
    pub(in crate::cli) fn of_batch(&self) -> Option<(&'a OpenLedger, &'a Batch)> {
        self.ledger.zip(self.known).filter(|_| self.of_results)
    }

    /// What a run would be refused for before anything is bought, whatever its rows say: another process runs the batch, the batch is
    /// another manifest's, something stops the ledger (it stands at `address`, and is a new one for play money), or its results and receipts cannot be written.
    ///
    /// # Errors
    /// The first of these that is so.
    pub(in crate::cli) fn refusal(
        &self,
        (address, is_play): (&LedgerAddress, bool),
        name: Option<&str>,
        buying: &Buying,
    ) -> Result<(), Failure> {
        let Self { manifest, ledger, known, .. } = *self;
        let Some(name) = name else { return receipt_guard::stop(address, ledger, known, None) };
        let (choice, files) = (&buying.choice, &buying.files);
        session::check_running(ledger, name)?;
        if let Some((ledger, batch)) = self.of_batch() {
            // It goes on with its batch, wherever that one's manifest is.
            session::check_owner(known, name, choice, &batch.manifest, false)?;
            receipt_guard::stop(address, Some(ledger), known, None)?;
            return session::results_paths(ledger, batch, files, address).map(drop);
        }
        // Each run with play money replaces what the last one left.
        let place = receipt_guard::BatchFiles { manifest, name, files };
        let stop = || receipt_guard::stop(address, ledger, known, Some(&place).filter(|_| !is_play));
        // Of a ledger that is gone nobody asks whose its batches were.
        ledger.map_or_else(stop, |_| Ok(()))?;
        session::check_owner(known, name, choice, &manifest.path.display().to_string(), is_play)?;
        stop()?;
        session::check_files(ledger, known, name, files, manifest, (address, is_play)).map(drop)
    }

    /// How it is bought, with the ids that are chosen of these jobs, and the takes that a person's words buy once more.
    ///
    /// # Errors
    /// The first choice or word that says something that there is not.
    pub(in crate::cli) fn chosen(&self, buying: &Buying, planned: &Planned<'_>) -> Result<(Buying, Retake), Failure> {
        let mut buying = buying.clone();
        let choice = &mut buying.choice;
        if self.of_results {
            words::check_of_results(choice)?;
        }
        choice.only = selection::ids(&choice.select, planned)?;
        let retake = match self.of_results {
            true => Retake::default(),
            false => words::read(choice, self.manifest, &planned.plan, self.ledger.zip(self.known))?,
        };
        trust::check(&choice.trust, &planned.plan)?;
        Ok((buying, retake))
    }

    /// Where files go: what a results file goes on with has its folder, what is run anew names its own.
    ///
    /// # Errors
    /// Where their names cannot be made.
    pub(in crate::cli) fn folder(&self, buying: &Buying, planned: &Planned<'_>) -> Result<Option<DownloadTo>, Failure> {
        let before = self.of_batch().and_then(|(_, batch)| batch.remembered.download.as_ref());
        let to = destination(&buying.downloads, before)?;
        to.as_ref().map_or(Ok(()), |to| check_template(to, planned.source(), &planned.plan))?;
        Ok(to)
    }

    /// That files wait for the disk of that folder, which has no room for them: of what is `left` to buy a run buys nothing then.
    ///
    /// # Errors
    /// Where ledger or folder cannot be read.
    pub(in crate::cli) fn lacking(&self, to: Option<&DownloadTo>, left: &LeftToBuy) -> Result<Option<String>, Failure> {
        let Some((ledger, to)) = self.ledger.zip(to) else { return Ok(None) };
        let lacking = room::lacking(&to.folder, ledger, self.known.map(|batch| batch.key), left.jobs > 0)?;
        Ok(lacking.map(|words| format!("{words}; nothing is bought {}", left.until_room())))
    }
}
