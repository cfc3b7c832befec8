//! Writes what is decided into the maps, and decides nothing.

use crate::ledger::decide::{
    AnswerWrite, Charged, Endpoint, EndpointKey, Join, Moved, PeriodKind, RefundWrite, Undelivered, Write,
};
use crate::ledger::{BatchKey, FetchMark, FurtherResult, JobKey, LedgerError, PaymentKey, RefundStanding};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::{AnswerRow, JobRow, MemoryLedger, RefundRow, Said};

impl MemoryLedger {
    /// That no sum becomes less than nothing: the last assertion, before anything is written.
    pub(super) fn check_sums(&self, writes: &[Write<'_>]) -> Result<(), LedgerError> {
        let mut batches = self.batches.clone();
        for write in writes {
            let Write::Money(batch, _, _, moved) = write else { continue };
            let row = batches.get_mut(batch).and_then(|row| row.sums.after(*moved).map(|sums| (row, sums)));
            let Some((row, sums)) = row else {
                return Err(LedgerError::Contradiction(format!("the money of batch {} does not fit", batch.0)));
            };
            row.sums = sums;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, write: &Write<'_>) {
        match write {
            Write::Job(job) => {
                if let Some(row) = self.jobs.get_mut(&job.key) {
                    row.job = (**job).clone();
                }
            }
            Write::Transition { job, at, from, to, reason } => {
                self.transitions.push((*job, *at, *from, *to, *reason));
            }
            Write::MoreResults(job, urls) => self.set_more(*job, urls),
            Write::Fetching(job, number, mark) => self.set_mark(*job, *number, mark),
            Write::File(job, file) => {
                if let Some(row) = self.jobs.get_mut(job) {
                    (row.mark, row.file) = (None, Some((*file).clone()));
                }
            }
            Write::FurtherTake { of, key, take, moved } => self.add_take(*of, (*key, *take), *moved),
            Write::Unreplace { of, next } => self.unreplace(*of, *next),
            Write::JoinTakes(join) => self.join(join),
            Write::Intend(payment, intent) => {
                self.payments.insert(payment.key, (**payment).clone());
                self.intents.insert(payment.key, (*intent).clone());
            }
            Write::Payment(_, is) => drop(self.payments.insert(is.key, (**is).clone())),
            Write::Money(batch, charged, _, moved) => self.move_money(*batch, charged, *moved),
            Write::Period(kind, name) => drop(self.periods.entry((*kind, name.clone())).or_default()),
            // It is summed up whenever it is asked for.
            Write::OriginPeriod { .. } => {}
            Write::Endpoint { key, url, origin } => {
                let endpoint = Endpoint { key: *key, origin: origin.clone(), delivered_at: None };
                self.endpoints.insert(*key, (url.clone(), endpoint));
            }
            Write::Delivers(endpoint, at) => self.deliver(*endpoint, *at),
            Write::AcceptsAgain(origin) => {
                let endpoints = self.endpoints.clone();
                let is_there = |at| endpoints.get(&at).is_some_and(|(_, endpoint)| endpoint.origin == *origin);
                let there = self.payments.values_mut().filter(|payment| payment.endpoint.is_some_and(is_there));
                there.for_each(|payment| payment.redeeming.rejected = false);
            }
            Write::Word { origin, number, .. } => *self.said(origin, *number) = Said::default(),
            Write::UseWord { origin, number, payment } => {
                self.said(origin, *number).payment = Some(*payment);
            }
            Write::LapseWord { origin, number, at: _ } => self.said(origin, *number).has_lapsed = true,
            Write::KeptSettlement { node, hash, at } => {
                self.kept_settlements.insert(node.0.clone(), (*hash, *at));
            }
            Write::Served(served, at) => {
                self.served.insert(served.job, ((*served).clone(), *at));
            }
            Write::Answer(write) => self.write_answer(write),
            Write::Keep(job) => self.keep_as_it_is(*job),
            // Why a person decided is for whoever reads it later.
            Write::Decision { job, decision, .. } => self.decisions.push((*job, decision)),
            // Bodies stand in the intents, and go with the process.
            Write::BodyUnneeded(_) => {}
            Write::Refund(payment, write) => self.write_refund(*payment, write),
        }
    }

    fn set_more(&mut self, job: JobKey, urls: &[String]) {
        if let Some(row) = self.jobs.get_mut(&job) {
            row.more = urls.iter().map(|url| FurtherResult { url: url.clone(), mark: None }).collect();
        }
    }

    fn set_mark(&mut self, job: JobKey, number: usize, mark: &FetchMark) {
        let Some(row) = self.jobs.get_mut(&job) else { return };
        let place = match number.checked_sub(1) {
            None => Some(&mut row.mark),
            Some(at) => row.more.get_mut(at).map(|one| &mut one.mark),
        };
        place.into_iter().for_each(|place| *place = Some(mark.clone()));
    }

    /// An endpoint that delivers owes nothing any more.
    fn deliver(&mut self, endpoint: EndpointKey, at: UnixMs) {
        if let Some((_, known)) = self.endpoints.get_mut(&endpoint) {
            known.delivered_at = Some(at);
        }
        let here = self.payments.values_mut().filter(|payment| payment.endpoint == Some(endpoint));
        here.for_each(|payment| payment.redeeming.undelivered = Undelivered::No);
    }

    fn said(&mut self, origin: &str, number: u32) -> &mut Said {
        self.words.entry((origin.to_owned(), number)).or_default()
    }

    fn move_money(&mut self, batch: BatchKey, charged: &Charged, moved: Moved) {
        let periods = [(PeriodKind::Day, &charged.day), (PeriodKind::Month, &charged.month)];
        let of_periods = periods.into_iter().filter_map(|(kind, name)| Some((kind, name.clone()?)));
        for key in of_periods {
            let sums = self.periods.entry(key).or_default();
            *sums = sums.after(moved).unwrap_or(*sums);
        }
        if let Some(row) = self.batches.get_mut(&batch) {
            row.sums = row.sums.after(moved).unwrap_or(row.sums);
        }
    }

    /// All others of the same job are replaced by it.
    fn add_take(&mut self, of: JobKey, (key, take): (JobKey, u32), moved: u32) {
        let Some(own) = self.jobs.get(&of).cloned() else { return };
        let same = self.jobs.values_mut().filter(|row| row.job.batch == own.job.batch && row.id == own.id);
        same.for_each(|row| row.job.superseded = true);
        let mut job = own.job.clone();
        (job.key, job.superseded) = (key, false);
        (job.state, job.reason, job.error) = (JobState::Pending, Reason::None, None);
        (job.wait_until, job.url, job.attempts, job.started_at, job.finished_at) = (None, None, 0, None, None);
        let row = JobRow {
            job,
            take,
            params: own.endpoint.moved(moved, own.params),
            merged: false,
            kept: None,
            first_load: 0,
            mark: None,
            more: Vec::new(),
            file: None,
            ..own
        };
        self.jobs.insert(key, row);
    }

    fn keep_as_it_is(&mut self, job: JobKey) {
        if let Some(row) = self.jobs.get_mut(&job) {
            row.job.reason = Reason::None;
            row.kept = row.row_content.or(Some(row.content));
        }
    }

    fn unreplace(&mut self, of: JobKey, next: JobKey) {
        let Some(gone) = self.jobs.remove(&next) else { return };
        self.transitions.retain(|(job, ..)| *job != next);
        self.decisions.retain(|(job, _)| *job != next);
        if let Some(row) = self.jobs.get_mut(&of) {
            (row.seq, row.extra, row.last_load) = (gone.seq, gone.extra, gone.last_load);
        }
    }

    fn join(&mut self, join: &Join) {
        let Some(gone) = self.jobs.remove(&join.gone) else { return };
        let of_gone = self.payments.values_mut().filter(|payment| payment.job == join.gone);
        of_gone.for_each(|payment| payment.job = join.stays);
        let told = self.transitions.iter_mut().filter(|(job, ..)| *job == join.gone);
        told.for_each(|(job, ..)| *job = join.stays);
        let decided = self.decisions.iter_mut().filter(|(job, _)| *job == join.gone);
        decided.for_each(|(job, _)| *job = join.stays);
        if let Some(of_gone) = self.served.remove(&join.gone) {
            self.served.entry(join.stays).or_insert(of_gone);
        }
        if let Some(of_gone) = self.marks.remove(&join.gone) {
            self.marks.entry(join.stays).or_insert(of_gone);
        }
        if let Some(row) = self.jobs.get_mut(&join.stays) {
            (row.take, row.merged) = (join.take, join.merged);
        }
        let same = self.jobs.values_mut().filter(|row| row.job.batch == gone.job.batch && row.id == gone.id);
        same.for_each(|row| row.job.superseded = row.take < join.latest);
    }

    fn write_answer(&mut self, write: &AnswerWrite<'_>) {
        match write {
            AnswerWrite::New { key, payment, kind, at, answer, is_read } => {
                let (payment, kind, at, answer) = (*payment, *kind, *at, (*answer).clone());
                self.answers.insert(*key, AnswerRow { payment, kind, at, is_interpreted: *is_read, answer });
            }
            AnswerWrite::Cut(key, bytes) => {
                if let Some(row) = self.answers.get_mut(key) {
                    row.answer.body.truncate(usize::try_from(*bytes).unwrap_or(usize::MAX));
                }
            }
            AnswerWrite::Drop(key) => drop(self.answers.remove(key)),
            AnswerWrite::Interpreted(payment, last) => {
                let read = self.answers.range_mut(..=*last).filter(|(_, row)| row.payment == *payment);
                read.for_each(|(_, row)| row.is_interpreted = true);
            }
        }
    }

    fn write_refund(&mut self, payment: PaymentKey, write: &RefundWrite<'_>) {
        let refund = self.refunds.entry(payment).or_insert(RefundRow {
            standing: RefundStanding::Offered,
            link: None,
            invoice: None,
            made_at: UnixMs(0),
            handovers: 0,
            words: None,
            received: None,
        });
        match write {
            RefundWrite::Offered { link, .. } => refund.link = link.map(str::to_owned).or(refund.link.take()),
            RefundWrite::Invoiced { invoice, at } => {
                refund.made_at = *at;
                (refund.standing, refund.handovers, refund.words) = (RefundStanding::Invoiced, 1, None);
                refund.invoice = Some((*invoice).clone());
            }
            RefundWrite::HandedOver { .. } => refund.handovers = refund.handovers.saturating_add(1),
            RefundWrite::Said { words, .. } => refund.words = Some((*words).to_owned()),
            RefundWrite::Ends { standing, received } => {
                (refund.standing, refund.received) = (*standing, received.map(|(received, _)| received));
            }
        }
    }
}
