//! What a run and its downloads ask of the maps.

use std::cmp::Reverse;
use std::sync::Arc;

use url::Url;

use crate::catalog::RedeemRule;
use crate::l402::{Network, PaymentHash};
use crate::ledger::decide::{self, Payment, PaymentState, SETTLED_MAX, Settled, Stored, StoredAnswer, Unfit};
use crate::ledger::port::{Downloads, RECORD_IN_PART, Records};
use crate::ledger::{
    AnswerKey, BatchKey, ComingFile, DamagedJob, DeliveredJob, DurableInvoice, FetchMark, HeldBack, HistoryCheck,
    IdenticalRequest, JobKey, LedgerError, NewIntent, OpenJob, OpenRefund, OpenStage, Original, PaidPurchase,
    PaymentKey, PendingJob, Prospect, Record, Recorded, TokenAt, Undownloaded,
};
use crate::money::Msat;
use crate::purchase::{Credential, HttpAnswer, JobState, Reason, Request, WalletId};
use crate::time::UnixMs;

use super::{JobRow, MemoryLedger};

impl Records for MemoryLedger {
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Vec<Result<Recorded, LedgerError>>, LedgerError> {
        if self.is_part {
            return Err(LedgerError::Contradiction(RECORD_IN_PART.to_owned()));
        }
        let mut tried = self.clone();
        match decide::commit_all(&mut tried, &records) {
            Ok(outcomes) => {
                *self = tried;
                Ok(outcomes.into_iter().map(|outcome| outcome.map_err(LedgerError::from)).collect())
            }
            Err(_) => Ok(records.iter().map(|record| decide::commit_one(self, record)).collect()),
        }
    }

    fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        let mut open = Vec::new();
        for is_abandoned in [false, true] {
            let of_kind = |payment: &&Payment| (payment.fate.state == PaymentState::Dead) == is_abandoned;
            let mut found: Vec<OpenJob> = Vec::new();
            for payment in self.open_payments(batch).iter().filter(of_kind) {
                found.extend(self.open_job(payment)?);
            }
            found.sort_by_key(|job| (job.batch, self.jobs.get(&job.key).map(|row| row.seq), job.key));
            open.extend(found);
        }
        Ok(open)
    }

    fn damaged_jobs(&self, _: Option<BatchKey>) -> Result<Vec<DamagedJob>, LedgerError> {
        Ok(Vec::new())
    }

    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        let is_free = |row: &&JobRow| {
            let is_alive = |one: &Payment| one.job == row.job.key && one.fate.state != PaymentState::Dead;
            row.job.batch == batch
                && row.job.state == JobState::Pending
                && !row.job.superseded
                && after.is_none_or(|after| row.seq > after)
                && !self.payments.values().any(is_alive)
        };
        let mut found: Vec<&JobRow> = self.jobs.values().filter(is_free).collect();
        found.sort_by_key(|row| (row.seq, row.job.key));
        Ok(found.into_iter().take(limit).map(JobRow::pending).collect())
    }

    fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        Ok(self.kept(payment)?.request.repeated())
    }

    fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        let of = self.payments.get(&payment).ok_or_else(|| no_payment(payment))?;
        let kept = self.kept_settlements.get(&node.0).filter(|(_, at)| *at <= of.intended_at).map(|(hash, _)| *hash);
        decide::history_check(|which| Ok(self.settled(node, of, which)), || Ok(kept))
    }

    fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        let has_settled = |one: &Payment| one.node == *node && one.fate.preimage.is_some();
        Ok(self.kept_settlements.contains_key(&node.0) || self.payments.values().any(has_settled))
    }

    fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        let row = self.row(job)?;
        Ok(decide::identical_request(job, &self.alike(&row.job, digest)))
    }

    fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        let row = self.row(job)?;
        let (buyer, takes) = (self.buyer(&row.job), self.takes(&row.job));
        Ok(decide::bought_elsewhere(&buyer, &takes, network, &self.alike(&row.job, digest)))
    }

    fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        let known = self.admission(&prospect.url, &prospect.node.0, &prospect.caps);
        Ok(decide::admit(now, prospect, &known).err())
    }

    fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        decide::token_at(self.token_payment(&self.row(job)?.job, url, network), |payment| self.paid_purchase(payment))
    }

    fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        let is_open = |key: &PaymentKey| -> Option<bool> {
            let (refund, payment) = (self.refunds.get(key)?, self.payments.get(key)?);
            let state = self.jobs.get(&payment.job)?.job.state;
            let is_of_batch = batch.is_none_or(|batch| payment.batch == batch);
            Some(is_of_batch && refund.standing.is_open(refund.link.is_some(), state))
        };
        Ok(self.refunds.keys().copied().filter(|key| is_open(key).unwrap_or(false)).collect())
    }

    fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        let Some(refund) = self.refunds.get(&payment) else { return Ok(None) };
        let Some(link) = refund.link.clone().filter(|_| !refund.standing.is_at_its_end()) else { return Ok(None) };
        let (paid, intent) = (self.payments.get(&payment).ok_or_else(|| no_payment(payment))?, self.kept(payment)?);
        let row = self.row(paid.job)?;
        let made_at = refund.made_at;
        Ok(Some(OpenRefund {
            payment,
            id: row.id.clone(),
            take: row.take,
            endpoint: Arc::clone(&row.endpoint),
            seller: intent.request.url.clone(),
            state: row.job.state,
            reason: row.job.reason,
            words: refund.words.clone(),
            price: row.job.price,
            paid: paid.amount,
            hash: paid.hash,
            network: intent.network,
            node: paid.node.clone(),
            link,
            invoice: refund.invoice.as_ref().map(|invoice| DurableInvoice {
                invoice: invoice.invoice.clone(),
                hash: invoice.hash,
                amount: invoice.amount,
                expires_at: invoice.expires_at,
                node: invoice.node.clone(),
                made_at,
            }),
        }))
    }
}

impl Downloads for MemoryLedger {
    fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        let is_wanted = |row: &&JobRow| {
            let reason = row.job.reason;
            let is_new = reason == Reason::None;
            let is_meant = match which {
                Undownloaded::All => true,
                Undownloaded::New => is_new,
                Undownloaded::Left => !is_new && !matches!(reason, Reason::UrlGone | Reason::RowDamaged),
            };
            let is_after = after.is_none_or(|after| (row.seq, row.job.key) > after);
            row.job.batch == batch && row.job.state == JobState::Delivered && is_meant && is_after
        };
        let mut found: Vec<&JobRow> = self.jobs.values().filter(is_wanted).collect();
        found.sort_by_key(|row| (row.seq, row.job.key));
        Ok(found.into_iter().take(limit).filter_map(|row| self.delivered(row)).collect())
    }

    fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError> {
        let key = |file: &str| file.to_lowercase();
        let has_it = |row: &JobRow| {
            let marks = row.mark.iter().chain(row.more.iter().filter_map(|one| one.mark.as_ref()));
            let mut files = row.file.iter().map(|whole| &whole.file).chain(marks.map(|mark| &mark.file));
            row.job.key != job && files.any(|known| key(known) == key(file))
        };
        Ok(self.jobs.values().any(has_it))
    }

    fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        let is_it = |one: &&Payment| one.job == job && one.redeeming.delivered_at.is_some();
        let Some(payment) = self.payments.values().find(is_it) else {
            return Ok(self.served.get(&job).map(|(served, _)| served.answer.clone()));
        };
        let is_taken = self.decisions.iter().any(|(of, decision)| *of == job && *decision == "delivered");
        if is_taken {
            let kept = decide::kept_answer(&self.successes(payment.key), payment.redeeming.poll.is_some());
            return Ok(kept.and_then(|key| self.answers.get(&key)).map(|row| row.answer.clone()));
        }
        // Nothing is kept after the answer that delivered.
        let latest = self.answers.values().rev().find(|row| row.payment == payment.key);
        Ok(latest.map(|row| row.answer.clone()))
    }

    fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError> {
        let is_it = |one: &&Payment| one.job == job && one.redeeming.delivered_at.is_some();
        let Some(payment) = self.payments.values().find(is_it) else {
            let by = self.served.get(&job).map(|(served, _)| served.by);
            return by.map(|by| Ok(self.paid_purchase(by)?.credential().clone())).transpose();
        };
        let intent = self.intent(payment.key).ok_or_else(|| no_payment(payment.key))?;
        Ok(Some(payment.purchase(&intent, (Reason::None, None))?.credential().clone()))
    }

    fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError> {
        let is_coming = |row: &&JobRow| {
            row.job.state == JobState::Delivered && !matches!(row.job.reason, Reason::UrlGone | Reason::RowDamaged)
        };
        let mut coming: Vec<&JobRow> = self.jobs.values().filter(is_coming).collect();
        coming.sort_by_key(|row| (row.job.batch, row.seq, row.job.key));
        let file_of = |row: &JobRow, mark: &FetchMark| {
            Some(ComingFile {
                batch: row.job.batch,
                name: self.batches.get(&row.job.batch)?.name.clone(),
                to: None,
                id: row.id.clone(),
                take: row.take,
                file: mark.file.clone(),
                total: mark.resume.as_ref()?.total,
            })
        };
        let files = coming.into_iter().filter(|row| row.mark.is_some()).flat_map(|row| {
            let marks = row.mark.iter().chain(row.more.iter().filter_map(|one| one.mark.as_ref()));
            marks.filter_map(move |mark| file_of(row, mark))
        });
        Ok(files.collect())
    }

    fn explain_undownloaded(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        let said = self.jobs.values_mut().map(|row| &mut row.job).filter(|job| {
            job.batch == batch && job.state == JobState::Delivered && job.reason == Reason::None && !job.superseded
        });
        said.for_each(|job| job.reason = Reason::NotDownloaded);
        Ok(())
    }

    fn forget_missing_files(&mut self, now: UnixMs, batch: BatchKey, only: &[String]) -> Result<u64, LedgerError> {
        let is_gone = |file: &str| std::fs::exists(file).is_ok_and(|is_there| !is_there);
        let mut missing = 0_u64;
        for row in self.jobs.values_mut() {
            let is_meant = row.job.batch == batch && (only.is_empty() || only.contains(&row.id));
            let further = || row.more.iter().filter_map(|one| one.mark.as_ref()).any(|mark| is_gone(&mark.file));
            let has_lost = row.file.as_ref().is_some_and(|whole| is_gone(&whole.file)) || further();
            if !is_meant || row.job.state != JobState::Downloaded || !has_lost {
                continue;
            }
            let (state, reason) = decide::without_file(row.job.reason);
            (row.job.state, row.job.reason) = (state, reason);
            let whole = row.file.take().filter(|_| !row.more.is_empty());
            row.mark = whole.map(|whole| FetchMark { file: whole.file, resume: None, sha256: Some(whole.sha256) });
            self.transitions.push((row.job.key, now, JobState::Downloaded, state, reason));
            missing = missing.saturating_add(1);
        }
        Ok(missing)
    }
}

impl MemoryLedger {
    pub(super) fn row(&self, job: JobKey) -> Result<&JobRow, LedgerError> {
        self.jobs.get(&job).ok_or_else(|| LedgerError::Contradiction(format!("there is no job {}", job.0)))
    }

    fn paid_purchase(&self, payment: PaymentKey) -> Result<PaidPurchase, LedgerError> {
        let (Some(of), Some(intent)) = (self.payments.get(&payment), self.intent(payment)) else {
            return Err(no_payment(payment));
        };
        Ok(of.purchase(&intent, (Reason::None, None))?)
    }

    fn kept(&self, payment: PaymentKey) -> Result<&NewIntent, LedgerError> {
        self.intents.get(&payment).ok_or_else(|| no_payment(payment))
    }

    fn open_payments(&self, batch: Option<BatchKey>) -> Vec<Payment> {
        let keys = self.payments.keys().copied();
        let of_batch = |one: &Payment| batch.is_none_or(|batch| one.batch == batch);
        keys.filter_map(|key| self.payment(key)).filter(|one| of_batch(one) && one.is_open()).collect()
    }

    fn open_job(&self, payment: &Payment) -> Result<Option<OpenJob>, LedgerError> {
        let row = self.row(payment.job)?;
        let intent = self.intent(payment.key).ok_or_else(|| no_payment(payment.key))?;
        let stored = StoredOf { ledger: self, payment: payment.key, row };
        let stage: Option<OpenStage> = decide::stage(payment, &row.job, &intent, &stored)?;
        Ok(stage.map(|stage| OpenJob {
            key: row.job.key,
            batch: row.job.batch,
            id: row.id.clone(),
            take: row.take,
            endpoint: Arc::clone(&row.endpoint),
            content: row.content,
            price: row.job.price,
            state: row.job.state,
            reason: row.job.reason,
            stage,
        }))
    }

    /// Hashes that have settled at that node, beside that payment.
    fn settled(&self, node: &WalletId, of: &Payment, which: Settled) -> Vec<PaymentHash> {
        let is_it = |one: &&Payment| {
            let is_asked_for = match which {
                Settled::Before => one.key != of.key && one.fate.paid_at.is_some_and(|paid| paid <= of.intended_at),
                Settled::Others => one.key != of.key,
                Settled::IntendedBefore => one.key < of.key,
                Settled::FirstSince | Settled::LastSince => one.key > of.key,
            };
            one.node == *node && one.fate.preimage.is_some() && is_asked_for
        };
        let mut found: Vec<&Payment> = self.payments.values().filter(is_it).collect();
        match which {
            Settled::Before | Settled::Others | Settled::IntendedBefore => {
                found.sort_by_key(|one| Reverse((one.fate.paid_at, one.key)));
            }
            Settled::FirstSince => {}
            Settled::LastSince => found.reverse(),
        }
        found.into_iter().take(SETTLED_MAX).map(|one| one.hash).collect()
    }

    fn delivered(&self, row: &JobRow) -> Option<DeliveredJob> {
        let of_job = |one: &&Payment| one.job == row.job.key && one.fate.state != PaymentState::Dead;
        let payment = self.payments.values().find(of_job);
        // Of what a token has served.
        let nothing = self.served.contains_key(&row.job.key).then_some(Msat::ZERO);
        Some(DeliveredJob {
            key: row.job.key,
            seq: row.seq,
            id: row.id.clone(),
            take: row.take,
            endpoint: Arc::clone(&row.endpoint),
            params: row.params.clone(),
            extra: row.extra.clone(),
            price: row.job.price,
            amount: payment.map_or(nothing, |payment| Some(payment.amount)),
            fee: payment.map_or(nothing, |payment| payment.fate.fee),
            reason: row.job.reason,
            started_at: row.job.started_at,
            url: row.job.url.clone()?,
            more: row.more.clone(),
            mark: row.mark.clone(),
            is_taken: self.is_taken(row.job.key),
        })
    }
}

impl JobRow {
    fn pending(&self) -> PendingJob {
        PendingJob {
            key: self.job.key,
            seq: self.seq,
            id: self.id.clone(),
            take: self.take,
            endpoint: Arc::clone(&self.endpoint),
            params: self.params.clone(),
            content: self.content,
            price: self.job.price,
            fee_ceiling: self.job.fee_ceiling,
            max_cost: self.job.max_cost,
            attempts: self.job.attempts,
        }
    }
}

/// What is stored of one payment.
struct StoredOf<'a> {
    ledger: &'a MemoryLedger,
    payment: PaymentKey,
    row: &'a JobRow,
}

impl Stored for StoredOf<'_> {
    type Error = LedgerError;

    fn uninterpreted(&self) -> Result<Option<StoredAnswer>, LedgerError> {
        let unread = |(_, row): &(&AnswerKey, &super::AnswerRow)| row.payment == self.payment && !row.is_interpreted;
        Ok(self.ledger.answers.iter().rev().find(unread).map(|(key, row)| (*key, row.kind, row.answer.clone())))
    }

    fn answer(&self, key: AnswerKey) -> Result<Option<StoredAnswer>, LedgerError> {
        Ok(self.ledger.answers.get(&key).map(|row| (key, row.kind, row.answer.clone())))
    }

    fn rule(&self) -> Result<RedeemRule, LedgerError> {
        Ok(self.row.endpoint.terms.redeem)
    }
}

fn no_payment(payment: PaymentKey) -> LedgerError {
    Unfit::Contradiction(format!("there is no payment {}", payment.0)).into()
}
