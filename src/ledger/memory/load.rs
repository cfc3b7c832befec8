//! What records depend on, looked up in the maps.

use url::Url;

use crate::l402::{Network, PaymentHash};
use crate::ledger::decide::{
    Admission, Against, Alike, Answer, BegunAt, Buyer, DeliveryFacts, EndpointFacts, EndpointKey, Facts, Held, IN_ALL,
    Intent, IntentFacts, Job, Keys, NextKeys, OriginSum, OriginSums, Payment, PaymentState, PeriodKind, Refund,
    Refusal, Rejected, ReusablePayment, Store, Take, TakePayment, TokenStanding, Undelivered, Used, Word, Write,
    may_be_delivered, used_of,
};
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, Caps, JobKey, LedgerError, NewIntent, PaymentKey, PeriodCap, endpoint_and_origin,
};
use crate::money::Msat;
use crate::purchase::JobState;
use crate::time::UnixMs;

use super::{AnswerRow, MemoryLedger, next};

impl Store for MemoryLedger {
    type Error = LedgerError;

    fn load(&mut self, keys: &[Keys<'_>]) -> Result<Vec<Facts>, LedgerError> {
        Ok(keys.iter().map(|keys| self.facts(keys)).collect())
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), LedgerError> {
        self.check_sums(writes)?;
        for write in writes {
            self.write(write);
        }
        Ok(())
    }
}

impl MemoryLedger {
    fn facts(&self, keys: &Keys<'_>) -> Facts {
        let payment = keys.payment.and_then(|key| self.payment(key));
        let job = keys.job.or(payment.as_ref().map(|payment| payment.job));
        let of_payment = |wanted: bool| keys.payment.filter(|_| wanted);
        let job = job.and_then(|key| self.job(key));
        Facts {
            takes: job.as_ref().filter(|_| keys.takes).map_or_else(Vec::new, |job| self.takes(job)),
            intent: payment.as_ref().and_then(|payment| self.intent(payment.key)),
            answer: keys.answer.and_then(|key| self.answer(key)),
            refusals: of_payment(keys.refusals).map_or_else(Vec::new, |key| self.refusals(key)),
            refund: of_payment(keys.refund)
                .and_then(|key| self.refunds.get(&key).map(|refund| Refund { standing: refund.standing })),
            is_invoice_of_another: payment
                .as_ref()
                .zip(keys.refund_invoice)
                .is_some_and(|(payment, hash)| self.is_invoice_of_another(payment.key, hash)),
            origin: payment
                .as_ref()
                .filter(|_| keys.delivers.is_some())
                .map(|payment| self.delivery(payment))
                .unwrap_or_default(),
            undelivered: keys.job.filter(|_| keys.undelivered).map_or_else(Vec::new, |key| self.undelivered(key)),
            is_result_of_another: payment
                .as_ref()
                .zip(keys.result)
                .is_some_and(|(payment, url)| self.is_result_of_another(payment, url)),
            has_kept_settlement: keys.kept_settlement.is_some_and(|node| self.kept_settlements.contains_key(&node.0)),
            intending: keys.intent.zip(job.as_ref()).map(|(intent, job)| Box::new(self.intending(job, intent))),
            next: NextKeys {
                job: JobKey(next(self.jobs.keys().last().map(|key| key.0))),
                payment: PaymentKey(next(self.payments.keys().last().map(|key| key.0))),
                answer: AnswerKey(next(self.answers.keys().last().map(|key| key.0))),
            },
            payment,
            job,
        }
    }

    fn job(&self, key: JobKey) -> Option<Job> {
        self.jobs.get(&key).map(|row| row.job.clone())
    }

    pub(in crate::ledger) fn payment(&self, key: PaymentKey) -> Option<Payment> {
        let mut payment = self.payments.get(&key)?.clone();
        payment.redeeming.heard = match payment.redeeming.heard_at {
            Some(at) => self.first_success(key, at),
            None => AnswerKey(0),
        };
        Some(payment)
    }

    /// The first success to a redeem of that payment at that very time.
    fn first_success(&self, payment: PaymentKey, at: crate::time::UnixMs) -> AnswerKey {
        let is_it = |row: &AnswerRow| {
            row.payment == payment && row.kind == AnswerKind::Redeem && row.at == at && row.is_success()
        };
        self.answers.iter().find(|(_, row)| is_it(row)).map_or(AnswerKey(0), |(key, _)| *key)
    }

    pub(super) fn intent(&self, payment: PaymentKey) -> Option<Intent> {
        self.intents.get(&payment).map(|intent| Intent {
            invoice: intent.invoice.clone(),
            invoice_expires_at: intent.invoice_expires_at,
            credential_expires_at: intent.credential_expires_at,
            scheme: intent.scheme,
            token: intent.token.reveal().to_owned(),
            headers: intent.request.headers().to_vec(),
        })
    }

    /// Every take of the same job, in their order, with their payments that are not dead by proof.
    pub(super) fn takes(&self, job: &Job) -> Vec<Take> {
        let Some(own) = self.jobs.get(&job.key) else { return Vec::new() };
        let same = self.jobs.values().filter(|row| row.job.batch == own.job.batch && row.id == own.id);
        let mut takes: Vec<Take> = same
            .map(|row| Take {
                job: row.job.clone(),
                take: row.take,
                merged: row.merged,
                content: row.content,
                bought: 1,
                edition: row.edition.clone(),
                meant: row.meant,
                is_answered: self.served.contains_key(&row.job.key),
                payments: self.payments_of(row.job.key),
            })
            .collect();
        takes.sort_by_key(|take| take.take);
        takes
    }

    pub(super) fn payments_of(&self, job: JobKey) -> Vec<TakePayment> {
        let of_job = self.payments.values().filter(|payment| payment.job == job);
        of_job
            .map(|payment| TakePayment {
                key: payment.key,
                state: payment.fate.state,
                death: payment.fate.death,
                invoice_expires_at: self.intents.get(&payment.key).map(|intent| intent.invoice_expires_at),
                cltv_limit: payment.cltv_limit,
            })
            .collect()
    }

    fn undelivered(&self, job: JobKey) -> Vec<Payment> {
        let is_undelivered = |payment: &&Payment| {
            payment.job == job && payment.fate.preimage.is_some() && payment.redeeming.delivered_at.is_none()
        };
        self.payments.values().filter(is_undelivered).cloned().collect()
    }

    fn answer(&self, key: AnswerKey) -> Option<Answer> {
        self.answers.get(&key).map(|row| Answer {
            key,
            payment: row.payment,
            kind: row.kind,
            at: row.at,
            first_success: self.first_success(row.payment, row.at),
        })
    }

    fn refusals(&self, payment: PaymentKey) -> Vec<Refusal> {
        let of_payment = self.answers.iter().filter(|(_, row)| row.payment == payment && !row.is_success());
        of_payment
            .map(|(key, row)| Refusal { key: *key, bytes: u64::try_from(row.answer.body.len()).unwrap_or(u64::MAX) })
            .collect()
    }

    pub(super) fn delivery(&self, payment: &Payment) -> DeliveryFacts {
        let endpoint = payment.endpoint.and_then(|key| self.endpoints.get(&key)).map(|(_, endpoint)| endpoint.clone());
        let origin = endpoint.as_ref().map_or("", |endpoint| endpoint.origin.as_str());
        let at_origin = self.payments.values().filter_map(|one| one.endpoint.map(|at| (one, at)));
        let against = at_origin
            .filter(|(_, at)| self.is_of(*at, origin))
            .filter(|(one, _)| one.redeeming.rejected || one.redeeming.undelivered == Undelivered::Taken)
            .map(|(one, endpoint)| Against {
                payment: one.key,
                endpoint,
                undelivered: one.redeeming.undelivered,
                rejected: one.redeeming.rejected,
            })
            .collect();
        DeliveryFacts { words: self.words(origin), against, endpoint }
    }

    pub(super) fn is_of(&self, endpoint: EndpointKey, origin: &str) -> bool {
        self.endpoints.get(&endpoint).is_some_and(|(_, endpoint)| endpoint.origin == origin)
    }

    fn words(&self, origin: &str) -> Vec<Word> {
        let of_origin = self.words.iter().filter(|((of, _), _)| of == origin);
        of_origin
            .map(|((_, number), said)| Word {
                number: *number,
                has_lapsed: said.has_lapsed,
                payment: said.payment.and_then(|key| {
                    self.payments.get(&key).map(|payment| (key, payment.fate.state, payment.fate.death))
                }),
            })
            .collect()
    }

    fn is_result_of_another(&self, payment: &Payment, url: &str) -> bool {
        let Some(own) = self.intents.get(&payment.key).map(|intent| intent.request.digest()) else { return false };
        let has_result = |job| self.jobs.get(&job).is_some_and(|row| row.job.url.as_deref() == Some(url));
        self.intents.iter().filter(|(_, intent)| intent.request.digest() == own).any(|(key, _)| {
            let other = self.payments.get(key).filter(|other| other.job != payment.job);
            other.is_some_and(|other| has_result(other.job))
        }) || self.served.values().any(|(one, _)| one.request == own && one.job != payment.job && has_result(one.job))
    }

    fn is_invoice_of_another(&self, payment: PaymentKey, hash: PaymentHash) -> bool {
        let mut others = self.refunds.iter().filter(|(key, _)| **key != payment);
        others.any(|(_, refund)| refund.invoice.as_ref().is_some_and(|invoice| invoice.hash == hash))
    }

    fn intending(&self, job: &Job, intent: &NewIntent) -> IntentFacts {
        IntentFacts {
            buyer: self.buyer(job),
            knows_hash: self.payments.values().any(|payment| payment.hash == intent.hash),
            alike: self.alike(job, &intent.request.digest()),
            admission: self.admission(&intent.endpoint_url, &intent.node.0, &intent.caps),
            used: Used {
                batch: self.batches.get(&job.batch).map(|batch| batch.sums.used()).unwrap_or_default(),
                day: self.newest(PeriodKind::Day),
                month: self.newest(PeriodKind::Month),
            },
            token: intent.reuse.and_then(|_| self.token_payment(job, &intent.endpoint_url, intent.network)),
            next_endpoint: EndpointKey(next(self.endpoints.keys().last().map(|key| key.0))),
        }
    }

    /// The purchase on which the token of an endpoint depends: one that is open, else the newest.
    pub(super) fn token_payment(&self, job: &Job, url: &Url, network: Network) -> Option<ReusablePayment> {
        let (url, _) = endpoint_and_origin(url);
        let is_play = |batch| self.batches.get(&batch).is_some_and(|batch| batch.is_play);
        let is_there = |one: &Payment| {
            let at = one.endpoint.and_then(|key| self.endpoints.get(&key));
            one.fate.state != PaymentState::Dead
                && at.is_some_and(|(of, _)| *of == url)
                && self.intents.get(&one.key).is_some_and(|intent| intent.network == network)
                && is_play(one.batch) == is_play(job.batch)
        };
        let there = self.payments.values().filter(|one| is_there(one)).filter_map(|one| {
            let row = self.jobs.get(&one.job)?;
            Some(ReusablePayment {
                payment: one.key,
                batch_name: self.name(one.batch),
                id: row.id.clone(),
                job_state: row.job.state,
                job_reason: row.job.reason,
                is_delivered: one.redeeming.delivered_at.is_some(),
                token_at: one.token_at?,
            })
        });
        there.max_by_key(|one| (one.standing() == TokenStanding::Open, one.token_at, one.payment))
    }

    /// What is known where a purchase would begin.
    pub(super) fn admission(&self, url: &Url, node: &str, caps: &Caps) -> Admission {
        let (url, origin) = endpoint_and_origin(url);
        let of_origin = self.origin_sums(&origin, caps);
        Admission { held: self.held(node), endpoint: EndpointFacts { of_origin, ..self.endpoint(url, origin) } }
    }

    /// What the limits of an origin are held against.
    pub(super) fn origin_sums(&self, origin: &str, caps: &Caps) -> Option<OriginSums> {
        let of = caps.origin.has_sums().then_some(&caps.origin)?;
        let sum = |period: String| {
            let used = self.used_at(origin, &period);
            OriginSum { period, used, is_kept: false }
        };
        let of_period = |kind, most: Option<Msat>, cap: &Option<PeriodCap>| {
            most.and(cap.as_ref()).map(|cap| sum(used_of(self.newest(kind).as_ref(), cap).0))
        };
        let has_delivered = self.endpoints.values().any(|(_, at)| at.origin == origin && at.delivered_at.is_some());
        let is_new = of.new.is_some() && !has_delivered;
        if !is_new && of.day.is_none() && of.month.is_none() {
            return None;
        }
        let there = self.endpoints.values().filter(|(_, at)| at.origin == origin);
        Some(OriginSums {
            day: of_period(PeriodKind::Day, of.day, &caps.day),
            month: of_period(PeriodKind::Month, of.month, &caps.month),
            new: is_new.then(|| sum(IN_ALL.to_owned())),
            is_open: is_new && self.is_open(origin),
            endpoints: there.map(|(_, at)| at.key).collect(),
        })
    }

    /// Whether a purchase at an origin may still be delivered.
    fn is_open(&self, origin: &str) -> bool {
        self.payments.values().any(|payment| {
            let begun = payment.fate.state != PaymentState::Dead && payment.redeeming.undelivered != Undelivered::No;
            let job = self.jobs.get(&payment.job).map(|row| &row.job);
            begun
                && payment.endpoint.is_some_and(|at| self.is_of(at, origin))
                && job.is_some_and(|job| may_be_delivered(job.state, job.reason))
        })
    }

    /// What an origin has of us in a period.
    fn used_at(&self, origin: &str, period: &str) -> Msat {
        let there = self.payments.values().filter(|payment| {
            let of = &payment.charged;
            let is_in = period == IN_ALL || [&of.day, &of.month].into_iter().flatten().any(|name| name == period);
            is_in && payment.endpoint.is_some_and(|at| self.is_of(at, origin))
        });
        let used = there.fold(0u64, |sum, payment| {
            let more = match payment.fate.state {
                PaymentState::Intended | PaymentState::Paid => payment.fee_limit,
                PaymentState::Posted => payment.fate.fee.unwrap_or_default(),
                PaymentState::Dead => return sum,
            };
            let received = self.refunds.get(&payment.key).and_then(|refund| refund.received).unwrap_or_default();
            let back = received.min(payment.amount);
            sum.saturating_add(payment.amount.get()).saturating_add(more.get()).saturating_sub(back.get())
        });
        Msat::new(used)
    }

    fn newest(&self, kind: PeriodKind) -> Option<(String, Msat)> {
        let mut of_kind = self.periods.iter().filter(|((of, _), _)| *of == kind);
        of_kind.next_back().map(|((_, name), sums)| (name.clone(), sums.used()))
    }

    pub(super) fn held(&self, node: &str) -> Vec<Held> {
        let held = self.payments.values().filter(|one| one.node.0 == node && one.fate.state == PaymentState::Intended);
        held.filter_map(|payment| {
            Some(Held {
                payment: payment.key,
                job: payment.job,
                batch: payment.batch,
                job_state: self.jobs.get(&payment.job)?.job.state,
                invoice_expires_at: self.intents.get(&payment.key)?.invoice_expires_at,
                cltv_limit: payment.cltv_limit,
            })
        })
        .collect()
    }

    pub(super) fn buyer(&self, job: &Job) -> Buyer {
        Buyer {
            job: job.key,
            batch: job.batch,
            id: self.jobs.get(&job.key).map(|row| row.id.clone()).unwrap_or_default(),
            is_play: self.batches.get(&job.batch).is_some_and(|batch| batch.is_play),
        }
    }

    pub(super) fn endpoint(&self, url: String, origin: String) -> EndpointFacts {
        let known = self.endpoints.values().find(|(of, _)| *of == url).map(|(_, endpoint)| endpoint.clone());
        let here = known.as_ref().map(|endpoint| endpoint.key);
        let mut begun = Vec::new();
        let mut rejected = None;
        for payment in self.payments.values() {
            let Some(row) = self.jobs.get(&payment.job) else { continue };
            let is_dead = payment.fate.state == PaymentState::Dead;
            if here.is_some()
                && payment.endpoint == here
                && !is_dead
                && payment.redeeming.undelivered != Undelivered::No
            {
                begun.push(BegunAt {
                    payment: payment.key,
                    job: payment.job,
                    batch: payment.batch,
                    job_state: row.job.state,
                    job_reason: row.job.reason,
                    undelivered: payment.redeeming.undelivered,
                    intended_at: payment.intended_at,
                });
            }
            if payment.redeeming.rejected && payment.endpoint.is_some_and(|at| self.is_of(at, &origin)) {
                rejected = Some(Rejected {
                    job: payment.job,
                    batch: payment.batch,
                    batch_name: self.name(payment.batch),
                    id: row.id.clone(),
                    at: payment.redeeming.answered_at.unwrap_or(payment.intended_at),
                    job_state: row.job.state,
                    job_reason: row.job.reason,
                });
            }
        }
        let words = self.words(&origin);
        EndpointFacts { url, origin, known, begun, rejected, words, of_origin: None }
    }

    pub(super) fn name(&self, batch: BatchKey) -> String {
        self.batches.get(&batch).map(|batch| batch.name.clone()).unwrap_or_default()
    }

    pub(super) fn alike(&self, job: &Job, digest: &[u8; 32]) -> Vec<Alike> {
        let same = self.intents.iter().filter(|(_, intent)| intent.request.digest() == *digest);
        let bought = same.filter_map(|(key, intent)| {
            let payment = self.payments.get(key).filter(|payment| payment.fate.state != PaymentState::Dead)?;
            Some(Alike {
                is_polled: payment.redeeming.poll.is_some(),
                intended_at: payment.intended_at,
                paid_at: payment.fate.paid_at,
                answered_at: payment.redeeming.answered_at,
                ..self.alike_job(job, payment.job, (*key, intent.network))?
            })
        });
        let same = self.served.values().filter(|(served, _)| served.request == *digest);
        let served = same.filter_map(|(served, at)| {
            let is_delivered = |of: &Alike| matches!(of.state, JobState::Delivered | JobState::Downloaded);
            let network = self.intents.get(&served.by)?.network;
            let alike = self.alike_job(job, served.job, (served.by, network)).filter(is_delivered)?;
            let at = *at;
            self.live(served.job).is_none().then_some(Alike {
                intended_at: at,
                paid_at: Some(at),
                answered_at: Some(at),
                ..alike
            })
        });
        let mut alike: Vec<Alike> = bought.chain(served).filter(|one| one.job != job.key).collect();
        alike.sort_by_key(|one| (one.payment, one.job));
        alike
    }

    /// A job of another purchase, for which that payment on that network has paid, or may.
    fn alike_job(&self, job: &Job, of: JobKey, (payment, network): (PaymentKey, Network)) -> Option<Alike> {
        let row = self.jobs.get(&of)?;
        Some(Alike {
            payment,
            job: of,
            batch: row.job.batch,
            batch_name: self.name(row.job.batch),
            is_play: self.batches.get(&row.job.batch).is_some_and(|batch| batch.is_play),
            id: row.id.clone(),
            edition: row.edition.clone(),
            content: row.content,
            state: row.job.state,
            reason: row.job.reason,
            network,
            is_polled: false,
            intended_at: UnixMs(0),
            paid_at: None,
            answered_at: None,
            row_content: self.row_content(job, row.job.batch, &row.id),
        })
    }

    /// What the manifest asks for under that id, where that batch is the job's own.
    fn row_content(&self, job: &Job, batch: BatchKey, id: &str) -> Option<crate::plan::ContentHash> {
        let loads = self.batches.get(&batch)?.loads;
        let is_row = |row: &&super::JobRow| {
            row.job.batch == batch && row.id == id && !row.job.superseded && row.last_load == loads
        };
        self.jobs.values().filter(|_| batch == job.batch).find(is_row).map(|row| row.row_content.unwrap_or(row.content))
    }
}
