//! What the run reads: open purchases, pending jobs, stored requests, history checks, identical requests.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};
use url::Url;

use super::convert::{Json, int, uint};
use super::error::{Fault, of_row};
use super::schema::OPEN_PAYMENT;
use super::store::{Rows, alike, buyer, paid_purchase, token, with_intent};
use super::{SqliteLedger, bounds, duplicates, history_check, refund};
use crate::catalog::{Endpoint, Header, RedeemRule, Value};
use crate::l402::Network;
use crate::ledger::decide::{self, Stored, StoredAnswer};
use crate::ledger::port::Records;
use crate::ledger::{
    AnswerKey, BatchKey, DamagedJob, HeldBack, HistoryCheck, IdenticalRequest, JobKey, Lack, LedgerError, OpenJob,
    OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, TokenAt,
};
use crate::manifest::image;
use crate::plan::ContentHash;
use crate::purchase::{BodyFolder, HttpAnswer, JobState, Reason, Request, WalletId};
use crate::time::UnixMs;

/// Endpoints kept in memory; a ledger of many catalogues reads some of them again.
const ENDPOINTS_MAX: usize = 1_024;

/// An open job as its row stands, before its stage is read.
struct OpenRow {
    key: JobKey,
    batch: BatchKey,
    id: String,
    take: u32,
    endpoint: i64,
    content: ContentHash,
    state: JobState,
    reason: Reason,
    payment: PaymentKey,
}

impl Records for SqliteLedger {
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Vec<Result<Recorded, LedgerError>>, LedgerError> {
        self.make_durable(records)
    }

    fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        self.read(|ledger| Ok(ledger.sound_and_damaged(batch)?.0))
    }

    fn damaged_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<DamagedJob>, LedgerError> {
        self.read(|ledger| Ok(ledger.sound_and_damaged(batch)?.1))
    }

    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.read(|ledger| {
            let after = after.map_or(Ok(-1), int)?;
            // One with a live payment is damaged: see `damaged_jobs`.
            let mut statement = ledger.conn.prepare_cached(
                "SELECT id, seq, job, take, endpoint, params, content, price_msat, fee_ceiling_msat, max_cost_msat, attempts
                 FROM jobs INDEXED BY jobs_unsettled
                 WHERE batch = ?1 AND state = 'pending' AND seq > ?2 AND superseded = 0
                     AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.job = jobs.id AND p.state <> 'dead')
                 ORDER BY seq, id",
            )?;
            let mut rows = statement.query(params![batch, after])?;
            let mut pending = Vec::new();
            while pending.len() < limit
                && let Some(row) = rows.next()?
            {
                match ledger.pending_of_row(row) {
                    Ok(job) => pending.push(job),
                    // Loading the manifest writes it anew.
                    Err(Fault::Fatal(LedgerError::OfJob { .. })) => {}
                    Err(fault) => return Err(fault),
                }
            }
            Ok(pending)
        })
    }

    fn body_folder(&self) -> Option<BodyFolder> {
        self.bodies.folder()
    }

    fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        self.read(|ledger| {
            let (method, url, body, body_sha256, digest, headers) = ledger
                .conn
                .prepare_cached(
                    "SELECT method, url, body, body_sha256, request_digest, headers FROM intents WHERE payment = ?1",
                )?
                .query_row([payment], |row| {
                    let (url, body): (String, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
                    let file: Option<[u8; 32]> = row.get(3)?;
                    let Json(headers): Json<Vec<Header>> = row.get(5)?;
                    Ok((row.get(0)?, url, body, file, row.get::<_, [u8; 32]>(4)?, headers))
                })?;
            let url = stored_url(&url)?;
            let kept = match body_sha256.filter(|_| body.is_none()) {
                Some(file) => ledger.bodies.request(method, url, &file),
                None => Ok(Request::new(method, url, body.unwrap_or_default())),
            };
            let why = match kept.map(|request| request.heading(&headers)) {
                Ok(request) => {
                    if request.digest() == digest {
                        return Ok(request);
                    }
                    if body_sha256.is_none() {
                        return Err(of_row("the request is not the one that was kept").into());
                    }
                    Lack::OtherBody.into()
                }
                Err(error) => error,
            };
            match ledger.made_anew(payment, headers)?.filter(|request| request.digest() == digest) {
                Some(request) => Ok(request),
                None => Err(why.into()),
            }
        })
    }

    fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        self.read(|ledger| history_check::needed(ledger, node, payment))
    }

    fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        self.read(|ledger| history_check::knows_settlement(&ledger.conn, node))
    }

    fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        self.read(|ledger| {
            let alike = alike(&ledger.conn, (Some(job), *digest, None), Rows::Loaded)?;
            Ok(decide::identical_request(job, &alike))
        })
    }

    fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        self.read(|ledger| duplicates::bought_elsewhere(&ledger.conn, job, digest, network))
    }

    fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        self.read(|ledger| bounds::held_back(&ledger.conn, now, prospect))
    }

    fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        self.read(|ledger| {
            let is_play = buyer(&ledger.conn, job)?.is_play;
            let found = token(&ledger.conn, url, network, is_play)?;
            let read = |payment| paid_purchase(&ledger.conn, payment).map_err(Fault::into_error);
            Ok(decide::token_at(found, read)?)
        })
    }

    fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.read(|ledger| refund::open(&ledger.conn, batch))
    }

    fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.read(|ledger| refund::find(ledger, payment))
    }
}

impl SqliteLedger {
    fn sound_and_damaged(&self, batch: Option<BatchKey>) -> Result<(Vec<OpenJob>, Vec<DamagedJob>), Fault> {
        let mut both = (Vec::new(), Vec::new());
        for which in [OPEN_PAYMENT, "p.dead_proof = 'decided'"] {
            self.read_open(batch, which, &mut both)?;
        }
        Ok(both)
    }

    fn read_open(
        &self,
        batch: Option<BatchKey>,
        which: &str,
        (sound, damaged): &mut (Vec<OpenJob>, Vec<DamagedJob>),
    ) -> Result<(), Fault> {
        let of_batch = if batch.is_some() { "p.batch = ?1 AND" } else { "?1 IS NULL AND" };
        let sql = format!(
            "SELECT j.id, j.batch, j.job, j.take, j.endpoint, j.content, j.state, j.reason, p.id
             FROM payments p JOIN jobs j ON j.id = p.job
             WHERE {of_batch} {which} ORDER BY j.batch, j.seq, j.id"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query([batch])?;
        while let Some(row) = rows.next()? {
            match self.open_of_row(row) {
                Ok(job) => sound.extend(job),
                Err(Fault::Fatal(LedgerError::OfJob(lack))) => {
                    damaged.push(DamagedJob { key: row.get(0)?, id: row.get(2)?, lack });
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn open_of_row(&self, row: &Row<'_>) -> Result<Option<OpenJob>, Fault> {
        let row = OpenRow {
            key: row.get(0)?,
            batch: row.get(1)?,
            id: row.get(2)?,
            take: row.get(3)?,
            endpoint: row.get(4)?,
            content: row.get(5)?,
            state: row.get(6)?,
            reason: row.get(7)?,
            payment: row.get(8)?,
        };
        let (payment, job, intent) = with_intent(&self.conn, row.payment)?;
        let stored = StoredOf { ledger: self, payment: row.payment, endpoint: row.endpoint };
        let Some(stage) = decide::stage(&payment, &job, &intent, &stored)? else { return Ok(None) };
        Ok(Some(OpenJob {
            key: row.key,
            batch: row.batch,
            id: row.id,
            take: row.take,
            endpoint: self.endpoint(row.endpoint)?,
            content: row.content,
            price: job.price,
            state: row.state,
            reason: row.reason,
            stage,
        }))
    }

    fn answer(&self, which: &str, bound: impl rusqlite::Params) -> Result<Option<StoredAnswer>, Fault> {
        let sql = format!("SELECT id, kind, status, headers, body FROM answers WHERE {which}");
        let found = self.conn.prepare_cached(&sql)?.query_row(bound, |row| {
            let Json(headers) = row.get(3)?;
            let answer = HttpAnswer { status: row.get(2)?, headers, body: row.get(4)? };
            Ok((row.get(0)?, row.get(1)?, answer))
        });
        Ok(found.optional()?)
    }

    fn pending_of_row(&self, row: &Row<'_>) -> Result<PendingJob, Fault> {
        let Json(params) = row.get(5)?;
        let (take, endpoint) = (row.get(3)?, self.endpoint(row.get(4)?)?);
        Ok(PendingJob {
            key: row.get(0)?,
            seq: uint(row, 1)?,
            id: row.get(2)?,
            take,
            endpoint,
            params,
            content: row.get(6)?,
            price: row.get(7)?,
            fee_ceiling: row.get(8)?,
            max_cost: row.get(9)?,
            attempts: row.get(10)?,
        })
    }

    /// The request of a payment's job as it would be asked for now, with these in its head.
    fn made_anew(&self, payment: PaymentKey, headers: Vec<Header>) -> Result<Option<Request>, Fault> {
        let Json(params): Json<Vec<(String, Value)>> = self
            .conn
            .prepare_cached("SELECT j.params FROM payments p JOIN jobs j ON j.id = p.job WHERE p.id = ?1")?
            .query_row([payment], |row| row.get(0))?;
        let endpoint = Endpoint { headers, ..Endpoint::clone(&*self.endpoint_of(payment)?) };
        Ok(Request::build(&endpoint, &params, image::read).ok())
    }

    /// The endpoint of a payment's job.
    fn endpoint_of(&self, payment: PaymentKey) -> Result<Arc<Endpoint>, Fault> {
        let mut of = self
            .conn
            .prepare_cached("SELECT j.endpoint FROM payments p JOIN jobs j ON j.id = p.job WHERE p.id = ?1")?;
        self.endpoint(of.query_row([payment], |row| row.get(0))?)
    }

    /// An endpoint as it stood when its job was planned.
    pub(super) fn endpoint(&self, row: i64) -> Result<Arc<Endpoint>, Fault> {
        if let Some(known) = self.endpoints.borrow().get(&row) {
            return Ok(Arc::clone(known));
        }
        let Json(endpoint): Json<Endpoint> = self
            .conn
            .prepare_cached("SELECT json FROM endpoints WHERE id = ?1")?
            .query_row([row], |found| found.get(0))?;
        let endpoint = Arc::new(endpoint);
        let mut cache = self.endpoints.borrow_mut();
        if cache.len() >= ENDPOINTS_MAX {
            cache.clear();
        }
        cache.insert(row, Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// Reads. What a read finds never breaks the books: it writes nothing.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Self) -> Result<T, Fault>) -> Result<T, LedgerError> {
        work(self).map_err(Fault::into_error)
    }
}

/// What is stored of one payment.
struct StoredOf<'a> {
    ledger: &'a SqliteLedger,
    payment: PaymentKey,
    endpoint: i64,
}

impl Stored for StoredOf<'_> {
    type Error = Fault;

    fn uninterpreted(&self) -> Result<Option<StoredAnswer>, Fault> {
        self.ledger.answer("payment = ?1 AND interpreted = 0 ORDER BY id DESC LIMIT 1", params![self.payment])
    }

    fn answer(&self, key: AnswerKey) -> Result<Option<StoredAnswer>, Fault> {
        self.ledger.answer("id = ?1", params![key])
    }

    fn rule(&self) -> Result<RedeemRule, Fault> {
        Ok(self.ledger.endpoint(self.endpoint)?.terms.redeem)
    }
}

pub(super) fn stored_url(text: &str) -> Result<Url, Fault> {
    Url::parse(text).map_err(|error| Fault::Fatal(of_row(format!("a stored address is none ({error})"))))
}
