//! The same purchase under another name, found in the maps: which counts is decided as in every store.

use crate::ledger::decide::load::{Candidate, SettingAside, Stand, is_set_aside, mean, takes_edition};
use crate::ledger::decide::{Bought, PaymentState, Wanted, is_free};
use crate::ledger::load::LoadDesk;
use crate::ledger::{BatchKey, Compared, Duplicates, JobKey, LedgerError, Likeness, Original};
use crate::plan::ContentHash;
use crate::purchase::JobState;
use crate::time::UnixMs;

use super::loading::OfBatch;
use super::{JobRow, MemoryLedger};

impl JobRow {
    /// It is set aside as a duplicate.
    pub(super) fn is_set_aside(&self) -> bool {
        is_set_aside(self.job.state, self.job.reason)
    }

    /// It is delivered, paid, open or lost. What was refunded is none.
    const fn is_bought(&self) -> bool {
        !self.job.state.has_spent_nothing() && !matches!(self.job.state, JobState::Refunded)
    }
}

impl MemoryLedger {
    /// Latest takes of the batch, by their places.
    pub(super) fn latest(&self, batch: BatchKey) -> Vec<&JobRow> {
        let is_latest = |row: &&JobRow| row.job.batch == batch && !row.job.superseded;
        let mut latest: Vec<&JobRow> = self.jobs.values().filter(is_latest).collect();
        latest.sort_by_key(|row| (row.seq, row.job.key));
        latest
    }

    pub(super) fn set_aside(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        compared: &Compared<'_>,
    ) -> Result<Duplicates, LedgerError> {
        if let Some(edition) = &compared.edition {
            let of_batch = self.jobs.values_mut().filter(|row| row.job.batch == batch && !row.job.superseded);
            let taking = of_batch.filter(|row| takes_edition(row.job.state, row.job.reason));
            taking.for_each(|row| row.edition.clone_from(edition));
        }
        let mut setting = SettingAside::of(compared);
        if self.batches.get(&batch).is_none_or(|of| of.is_play) {
            return Ok(setting.found());
        }
        let mut stands = Vec::new();
        for (row, job) in self.candidates(batch) {
            stands.extend(setting.set(&job, self.repeated(row, compared))?);
        }
        self.stand(batch, now, &stands)?;
        Ok(setting.found())
    }

    /// The duplicates are bought all the same.
    pub(super) fn mean(&mut self, batch: BatchKey, now: UnixMs, only: &[String]) -> Result<(), LedgerError> {
        let jobs: Vec<Candidate> = self.candidates(batch).map(|(_, job)| job).collect();
        self.stand(batch, now, &mean(&jobs, only))
    }

    /// How jobs stand from now on.
    pub(super) fn stand(&mut self, batch: BatchKey, now: UnixMs, stands: &[Stand]) -> Result<(), LedgerError> {
        let mut desk = OfBatch::of(self, batch);
        stands.iter().try_for_each(|stand| desk.apply(&stand.writes(now)))
    }

    /// Latest takes of the batch that are to be bought or are set aside.
    fn candidates(&self, batch: BatchKey) -> impl Iterator<Item = (&JobRow, Candidate)> {
        let (loads, accepted) = self.batches.get(&batch).map_or((0, 0), |of| (of.loads, of.accepted_load));
        let is_one = |row: &&JobRow| row.is_set_aside() || row.job.state == JobState::Pending;
        self.latest(batch).into_iter().filter(is_one).map(move |row| {
            let job = Candidate {
                key: row.job.key,
                id: row.id.clone(),
                take: row.take,
                attempts: row.job.attempts,
                price: row.job.price,
                is_capped: row.endpoint.is_capped(),
                is_aside: row.is_set_aside(),
                is_new_word: row.first_load > accepted,
                is_retaken: row.take > 1 && row.first_load == loads,
            };
            (row, job)
        })
    }

    /// The purchase that the job would repeat: one of the very same content before one that was given alike.
    fn repeated(&self, row: &JobRow, compared: &Compared<'_>) -> Option<Original> {
        let before = self.jobs.values().filter(|one| one.job.batch == row.job.batch && one.id == row.id);
        let had_content = before.into_iter().any(|one| one.take < row.take && one.content == row.content);
        if is_free(row.meant, row.take, had_content) {
            return None;
        }
        let bought = || self.jobs.values().filter(|one| one.is_bought());
        let mut same = bought().filter(|one| one.content == row.content);
        let mut alike = bought().filter(|one| one.given == row.given && one.content != row.content);
        let repeats = |one: &JobRow, is_row: bool| self.repeats(row, one, is_row, compared);
        let of_row = |one: &JobRow| self.manifest_row(row.job.batch, one);
        let same = same.find(|one| repeats(one, of_row(one).is_some_and(|(content, _)| content == one.content)));
        let (one, is) = match same {
            Some(same) => (same, Likeness::Same),
            None => {
                let is_given = |one: &&JobRow| of_row(one).is_some_and(|(_, given)| given == one.given);
                (alike.find(|one| repeats(one, is_given(one)))?, Likeness::OtherDefault)
            }
        };
        let payment = self.live(one.job.key).and_then(|key| self.payments.get(&key));
        let at = payment.map(|payment| payment.fate.paid_at.unwrap_or(payment.intended_at)).or(one.job.started_at);
        Some(Original { batch: self.name(one.job.batch), id: one.id.clone(), at: at.unwrap_or(UnixMs(0)), is })
    }

    fn repeats(&self, row: &JobRow, one: &JobRow, is_row: bool, compared: &Compared<'_>) -> bool {
        let (id, edition) = (row.id.as_str(), row.edition.as_str());
        let (batch, network) = (row.job.batch, compared.network);
        let wanted = Wanted { batch, id, edition, network, is_row: !row.job.is_gone };
        let (batch, id, edition) = (one.job.batch, one.id.as_str(), one.edition.as_str());
        let is_play = self.batches.get(&batch).is_some_and(|of| of.is_play);
        let by = || self.served.get(&one.job.key).map(|(served, _)| served.by);
        let paid = self.live(one.job.key).or_else(by);
        let network = paid.and_then(|key| self.intents.get(&key)).map(|intent| intent.network);
        wanted.repeats(&Bought { batch, id, edition, network, is_play, is_row })
    }

    /// What the row with that purchase's id asks for in the last load of the batch, where it is of that batch; and what it gives.
    fn manifest_row(&self, batch: BatchKey, one: &JobRow) -> Option<(ContentHash, ContentHash)> {
        let loads = self.batches.get(&batch).filter(|_| one.job.batch == batch)?.loads;
        let is_row =
            |row: &&JobRow| row.job.batch == batch && row.id == one.id && !row.job.superseded && row.last_load == loads;
        let row = self.jobs.values().find(is_row)?;
        Some((row.row_content.unwrap_or(row.content), row.row_given.unwrap_or(row.given)))
    }

    /// Whether a payment was ever begun for the job, or a token has answered to it: what is kept of that goes with no word.
    pub(super) fn was_begun(&self, job: JobKey) -> bool {
        self.served.contains_key(&job) || self.payments.values().any(|one| one.job == job)
    }

    /// The payment of a job that is not dead.
    pub(super) fn live(&self, job: JobKey) -> Option<crate::ledger::PaymentKey> {
        let is_it = |one: &&super::Payment| one.job == job && one.fate.state != PaymentState::Dead;
        self.payments.values().find(is_it).map(|one| one.key)
    }
}
