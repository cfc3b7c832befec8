//! What a person's words depend on, in the maps.

use crate::ledger::decide::{self, BegunByWord, OriginFacts, PersonFacts, ReopeningFacts, Take, WordSaid};
use crate::ledger::desk::{Desk, Desks};
use crate::ledger::{AnswerKey, AnswerKind, BatchKey, JobKey, LedgerError, PaymentKey, Served, Undecided};
use crate::purchase::HttpAnswer;

use super::{JobRow, MemoryLedger, next};

impl Desks for MemoryLedger {
    type Error = LedgerError;

    /// In a copy, so that nothing stays of what fails.
    fn at_desk<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Desk<Error = LedgerError>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut changed = self.clone();
        let done = work(&mut changed)?;
        *self = changed;
        Ok(done)
    }

    fn find_undecided(&self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError> {
        let is_it = |row: &&JobRow| {
            row.job.batch == batch && row.id == id && take.map_or(!row.job.superseded, |take| row.take == take)
        };
        let Some(row) = self.jobs.values().find(is_it) else { return Ok(None) };
        let open = self
            .payments
            .values()
            .find(|payment| payment.job == row.job.key && payment.fate.state == decide::PaymentState::Intended);
        let intent = open.and_then(|payment| Some(payment.durable(&self.intent(payment.key)?)));
        Ok(Some(Undecided { job: row.job.key, state: row.job.state, reason: row.job.reason, intent }))
    }
}

impl Desk for MemoryLedger {
    fn person(&mut self, key: JobKey) -> Result<PersonFacts, LedgerError> {
        let job = self.row(key)?.job.clone();
        let takes = self.takes(&job);
        let own = takes.iter().find(|take| take.job.key == key);
        let live = own.and_then(Take::live_payment).and_then(|key| self.payment(key));
        let next = JobKey(next(self.jobs.keys().last().map(|key| key.0)));
        Ok(PersonFacts { job, takes, live, next })
    }

    fn reopening(&mut self, key: JobKey) -> Result<ReopeningFacts, LedgerError> {
        let of = self.person(key)?;
        let live = of.live.as_ref().map(|payment| payment.key);
        let answers = self.answers.iter().filter(|(_, row)| Some(row.payment) == live);
        let was_begun = |take: &&Take| self.was_begun(take.job.key);
        Ok(ReopeningFacts {
            intent: live.and_then(|key| self.intent(key)),
            asked: live
                .and_then(|key| self.intents.get(&key))
                .map_or_else(String::new, |intent| intent.request.url.to_string()),
            has_refund: live.is_some_and(|key| self.refunds.contains_key(&key)),
            successes: live.map_or_else(Vec::new, |key| self.successes(key)),
            last_answer: answers.map(|(key, _)| *key).next_back(),
            origin: of.live.as_ref().map(|payment| self.delivery(payment)).unwrap_or_default(),
            never_begun: of.takes.iter().filter(|take| !was_begun(take)).map(|take| take.job.key).collect(),
            is_taken: self.is_taken(key),
            served: self.served.get(&key).map(|(Served { by, answer, .. }, _)| {
                let asked = self.intents.get(by).map(|intent| intent.request.url.to_string());
                (answer.clone(), asked.unwrap_or_default())
            }),
            of,
        })
    }

    fn kept(&mut self, answer: AnswerKey) -> Result<HttpAnswer, LedgerError> {
        let missing = || LedgerError::Contradiction(format!("there is no answer {}", answer.0));
        self.answers.get(&answer).map(|row| row.answer.clone()).ok_or_else(missing)
    }

    fn origin(&mut self, origin: &str) -> Result<OriginFacts, LedgerError> {
        let of_origin = self.words.iter().filter(|((of, _), _)| of == origin);
        let words = of_origin.map(|((_, number), said)| WordSaid {
            number: *number,
            has_lapsed: said.has_lapsed,
            by: said.payment.and_then(|key| self.begun_by_word(key)),
        });
        let urls = self.endpoints.values().filter(|(_, endpoint)| endpoint.origin == origin);
        let endpoints = urls.map(|(url, _)| self.endpoint(url.clone(), origin.to_owned()));
        Ok(OriginFacts { words: words.collect(), endpoints: endpoints.collect() })
    }
}

impl MemoryLedger {
    /// The successes among the answers of a payment.
    pub(super) fn successes(&self, payment: PaymentKey) -> Vec<(AnswerKey, AnswerKind)> {
        let found = self.answers.iter().filter(|(_, row)| row.payment == payment && row.is_success());
        found.map(|(key, row)| (*key, row.kind)).collect()
    }

    /// Whether a person has taken what there is for that job's result.
    pub(super) fn is_taken(&self, key: JobKey) -> bool {
        self.decisions.iter().any(|(job, said)| *job == key && decide::TAKEN_BY.contains(said))
    }

    fn begun_by_word(&self, key: PaymentKey) -> Option<BegunByWord> {
        let payment = self.payments.get(&key)?;
        Some(BegunByWord {
            batch_name: self.name(payment.batch),
            id: self.jobs.get(&payment.job)?.id.clone(),
            state: payment.fate.state,
            death: payment.fate.death,
            undelivered: payment.redeeming.undelivered,
        })
    }
}
