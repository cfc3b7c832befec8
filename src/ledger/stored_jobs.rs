//! The stored jobs that a results file names, as a manifest would give them: what they ask for is what the ledger holds, and neither
//! the file's cells nor a catalogue.

use super::port::Foresee;
use super::{ChosenRows, JobKey, OpenLedger};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::{JobSource, JobSpec};

/// The jobs of a batch that stand in a results file, each on its row's line.
pub struct StoredJobs<'a> {
    ledger: &'a OpenLedger,
    file: &'a dyn JobSource,
    jobs: Vec<(JobKey, u64)>,
}

impl<'a> StoredJobs<'a> {
    /// Those of which the ledger knows what they ask for, whether or not their rows were edited; in the file's order.
    #[must_use]
    pub fn of(ledger: &'a OpenLedger, file: &'a dyn JobSource, chosen: &ChosenRows) -> Self {
        Self { ledger, file, jobs: chosen.jobs.clone() }
    }

    fn read(&self, key: JobKey, line: u64) -> Result<JobSpec, Vec<Diagnostic>> {
        let job = self.ledger.stored_spec(key, line);
        job.map_err(|error| vec![Diagnostic::error(self.file.file(), error.to_string())])
    }
}

impl JobSource for StoredJobs<'_> {
    fn jobs(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        Box::new(self.jobs.iter().map(|(key, line)| self.read(*key, *line)))
    }

    fn file(&self) -> &str {
        self.file.file()
    }

    fn place_of_line(&self, line: u64) -> Place {
        self.file.place_of_line(line)
    }
}
