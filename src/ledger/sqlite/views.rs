//! What the views read: counts, results, receipts.

use std::io;
use std::sync::LazyLock;

use rusqlite::types::FromSql;
use rusqlite::{Row, params};
use url::Url;

use super::convert::{Json, hex, states, uint};
use super::error::Fault;
use super::marks::of_word;
use super::store::{CAPPED_ENDPOINTS, Rows};
use super::{SqliteLedger, budget, refund};
use crate::catalog::origin_of;
use crate::l402::PaymentHash;
use crate::ledger::port::Views;
use crate::ledger::shown_take::{LaterTake, gives_way, is_shown_first};
use crate::ledger::{
    BatchKey, Caps, Counts, FurtherResult, LedgerError, Marked, OriginUsed, PeriodsUsed, ReceiptKind, ReceiptRow,
    RefundRow, ResultRow, StateCount, TakeRow,
};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason, tried_again};

/// What a [`ResultRow`] is read from; `j` is the job.
pub(super) const RESULT: &str =
    "j.job, j.line, j.take, j.state, j.reason, j.endpoint, j.params, j.price_msat, j.url,
    CASE WHEN j.state = 'downloaded' THEN j.file END, CASE WHEN j.state = 'downloaded' THEN j.sha256 END, j.attempts, j.started_at, j.finished_at, j.wait_until, j.error, j.extra,
    (SELECT p.fee_msat FROM payments p WHERE p.job = j.id AND p.state <> 'dead'), j.more";

/// Each take `j` of the batch ?1, with what is said of it, what was paid and what it asked for: one that was replaced stands where the manifest has its job now.
pub(super) static ALL_TAKES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {RESULT}, j.superseded, m.mark, m.note, m.at,
             (SELECT p.amount_msat FROM payments p WHERE p.job = j.id AND p.preimage IS NOT NULL), j.content
         FROM jobs l JOIN jobs j ON j.batch = l.batch AND j.job = l.job LEFT JOIN marks m ON m.job = j.id
         WHERE l.batch = ?1 AND l.superseded = 0 ORDER BY l.seq, l.id, j.take"
    )
});

/// The take `j` that shows what was bought of a job whose latest take is `l`: of takes before one that gives way, the last that is
/// shown first.
pub(super) static SHOWN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "coalesce(
    CASE WHEN l.take > 1 AND l.state IN ({}) THEN
        (SELECT d.id FROM jobs d WHERE d.batch = l.batch AND d.job = l.job AND d.take < l.take
             AND d.state IN ({}) ORDER BY d.take DESC LIMIT 1)
    END, l.id)",
        states(gives_way),
        states(is_shown_first)
    )
});

/// Retakes that nobody wants any more stand for nothing: the delivered takes `d` before them count.
const BEFORE_WITHDRAWN: &str = "
    SELECT d.state, d.reason, count(*), sum(d.price_msat), sum(l.price_msat)
    FROM jobs l JOIN jobs d ON d.batch = l.batch AND d.job = l.job AND d.take = (SELECT max(e.take) FROM jobs e
        WHERE e.batch = l.batch AND e.job = l.job AND e.take < l.take AND e.state IN ('delivered', 'downloaded'))
    WHERE l.batch = ?1 AND l.superseded = 0 AND l.state = 'refused' AND l.reason = 'withdrawn' AND l.take > 1
    GROUP BY d.state, d.reason";

impl Views for SqliteLedger {
    fn counts(&self, batch: BatchKey) -> Result<Counts, LedgerError> {
        self.read(|ledger| {
            let mut counts = Counts::default();
            let mut statement = ledger.conn.prepare_cached(
                "SELECT state, reason, count(*), sum(price_msat), sum(price_msat + fee_ceiling_msat), superseded
                 FROM jobs WHERE batch = ?1 GROUP BY superseded, state, reason",
            )?;
            let mut rows = statement.query([batch])?;
            while let Some(row) = rows.next()? {
                let one =
                    StateCount { state: row.get(0)?, reason: row.get(1)?, jobs: uint(row, 2)?, price: row.get(3)? };
                let earlier_take: bool = row.get(5)?;
                // An earlier take was planned once, and its money went out beside that of the latest.
                if earlier_take || one.reason != Reason::Withdrawn {
                    counts.planned = sum(counts.planned, one.price)?;
                }
                if earlier_take {
                    continue;
                }
                if tried_again(one.state, one.reason) {
                    counts.to_buy_worst_case = sum(counts.to_buy_worst_case, row.get(4)?)?;
                }
                counts.by_state.push(one);
            }
            ledger.count_before_withdrawn(batch, &mut counts)?;
            counts.planned_capped = ledger.planned_capped(batch)?;
            counts.by_state.sort_unstable_by_key(|one| (one.state, one.reason));
            (counts.spent, counts.fees, counts.held, counts.refunded) = ledger
                .conn
                .prepare_cached("SELECT spent_msat, fees_msat, held_msat, refunded_msat FROM batches WHERE id = ?1")?
                .query_row([batch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            Ok(counts)
        })
    }

    fn results(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(ResultRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError> {
        self.read(|ledger| {
            let sql = format!(
                "SELECT {RESULT}, l.line, l.extra, l.take, l.state, l.reason, l.error FROM jobs l JOIN jobs j ON j.id = {}
                 WHERE l.batch = ?1 AND l.superseded = 0 ORDER BY l.seq, l.id",
                *SHOWN
            );
            let mut statement = ledger.conn.prepare_cached(&sql)?;
            let mut rows = statement.query([batch])?;
            while let Some(row) = rows.next()? {
                let mut shown = ledger.result_of_row(row)?;
                if row.get::<_, u32>(21)? != shown.take {
                    shown.stand_beside(later_take(row)?);
                }
                if let Err(error) = each(shown) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
    }

    fn latest_takes(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(ResultRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError> {
        self.takes_where(batch, "j.superseded = 0 ORDER BY j.seq, j.id", each)
    }

    fn all_takes(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(TakeRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(&ALL_TAKES)?;
            let mut rows = statement.query([batch])?;
            while let Some(row) = rows.next()? {
                let (is_replaced, mark): (bool, Option<String>) = (row.get(19)?, row.get(20)?);
                let (note, at): (Option<String>, _) = (row.get(21)?, row.get(22)?);
                let marked = Marked { mark: mark.and_then(|word| of_word(&word)), note: note.unwrap_or_default(), at };
                let (paid, content) = (row.get(23)?, row.get(24)?);
                let take = TakeRow { row: ledger.result_of_row(row)?, content, paid, is_replaced, marked };
                if let Err(error) = each(take) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
    }

    fn receipts(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(ReceiptRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(&receipts_where("p.batch = ?1", "r.batch = ?1"))?;
            let mut rows = statement.query(params![batch])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = each(ledger.receipt_of_row(row)?) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
    }

    fn receipt(&self, hash: &PaymentHash) -> Result<Option<ReceiptRow>, LedgerError> {
        self.receipt_where(("p.payment_hash = ?1", "r.hash = ?1"), params![hash])
    }

    fn payment_receipt(&self, batch: &str, id: &str, take: u32) -> Result<Option<ReceiptRow>, LedgerError> {
        let of_take = "b.name = ?1 AND j.job = ?2 AND j.take = ?3";
        self.receipt_where((of_take, "FALSE"), params![batch, id, take])
    }

    fn refunds(&self, batch: Option<BatchKey>) -> Result<Vec<RefundRow>, LedgerError> {
        self.read(|ledger| refund::refunds(&ledger.conn, batch))
    }

    fn periods_used(&self, caps: &Caps) -> Result<PeriodsUsed, LedgerError> {
        self.read(|ledger| budget::periods_used(&ledger.conn, caps))
    }

    fn origin_used(&self, origin: &str, caps: &Caps) -> Result<OriginUsed, LedgerError> {
        self.read(|ledger| budget::origin_used(&ledger.conn, origin, caps))
    }

    fn origin_at(&self, place: i64) -> Result<String, LedgerError> {
        self.read(|ledger| Ok(origin_of(&ledger.endpoint(place)?.url)))
    }
}

impl SqliteLedger {
    /// Takes of a batch, each for itself.
    fn takes_where(
        &self,
        batch: BatchKey,
        which: &str,
        each: &mut dyn FnMut(ResultRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError> {
        self.read(|ledger| {
            let sql = format!("SELECT {RESULT} FROM jobs j WHERE j.batch = ?1 AND {which}");
            let mut statement = ledger.conn.prepare_cached(&sql)?;
            let mut rows = statement.query([batch])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = each(ledger.result_of_row(row)?) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })
    }

    /// Of the prices that are planned, those that are caps. No index has them: they are looked for only where any endpoint has one.
    fn planned_capped(&self, batch: BatchKey) -> Result<Msat, Fault> {
        if !self.conn.prepare_cached(&format!("SELECT 1 {CAPPED_ENDPOINTS}"))?.exists([])? {
            return Ok(Msat::ZERO);
        }
        let sql = format!(
            "SELECT coalesce(sum(price_msat), 0) FROM jobs
             WHERE batch = ?1 AND (superseded = 1 OR reason <> 'withdrawn') AND {}",
            Rows::Loaded.is_capped()
        );
        Ok(self.conn.prepare_cached(&sql)?.query_row([batch], |row| row.get(0))?)
    }

    /// See [`BEFORE_WITHDRAWN`].
    fn count_before_withdrawn(&self, batch: BatchKey, counts: &mut Counts) -> Result<(), Fault> {
        let mut statement = self.conn.prepare_cached(BEFORE_WITHDRAWN)?;
        let mut rows = statement.query([batch])?;
        while let Some(row) = rows.next()? {
            let (state, reason): (JobState, Reason) = (row.get(0)?, row.get(1)?);
            let (jobs, price, withdrawn): (u64, Msat, Msat) = (uint(row, 2)?, row.get(3)?, row.get(4)?);
            let gone = |count: &&mut StateCount| (count.state, count.reason) == (JobState::Refused, Reason::Withdrawn);
            if let Some(count) = counts.by_state.iter_mut().find(gone) {
                count.jobs = count.jobs.saturating_sub(jobs);
                count.price = count.price.checked_sub(withdrawn).unwrap_or(Msat::ZERO);
            }
            match counts.by_state.iter_mut().find(|count| (count.state, count.reason) == (state, reason)) {
                Some(count) => {
                    count.jobs = count.jobs.saturating_add(jobs);
                    count.price = sum(count.price, price)?;
                }
                None => counts.by_state.push(StateCount { state, reason, jobs, price }),
            }
        }
        counts.by_state.retain(|count| count.jobs > 0);
        Ok(())
    }

    pub(super) fn result_of_row(&self, row: &Row<'_>) -> Result<ResultRow, Fault> {
        let (state, mut reason): (JobState, Reason) = (row.get(3)?, row.get(4)?);
        let mut damaged = false;
        let Json(params) = shown(row, 6, &mut damaged)?;
        let take = row.get(2)?;
        let Json(extra) = shown(row, 16, &mut damaged)?;
        let (url, error) = (shown(row, 8, &mut damaged)?, shown(row, 15, &mut damaged)?);
        let more: Option<Json<Vec<FurtherResult>>> = shown(row, 18, &mut damaged)?;
        let of = self.endpoint(row.get(5)?).map(|endpoint| (endpoint.name.clone(), endpoint.is_capped()));
        let (endpoint, is_capped) = of.or_else(|fault| absent(fault, (String::new(), false), &mut damaged))?;
        if damaged {
            reason = Reason::RowDamaged;
        }
        Ok(ResultRow {
            id: row.get(0)?,
            line: uint(row, 1)?,
            take,
            state,
            reason,
            next: Next::of(state, reason),
            endpoint,
            params,
            price: row.get(7)?,
            is_capped,
            fee: row.get(17)?,
            url,
            file: row.get(9)?,
            sha256: row.get(10)?,
            more: more.map(|Json(more)| more).unwrap_or_default(),
            attempts: row.get(11)?,
            started_at: row.get(12)?,
            finished_at: row.get(13)?,
            wait_until: row.get(14)?,
            error,
            extra,
        })
    }

    fn receipt_where(
        &self,
        (payments, refunds): (&str, &str),
        params: impl rusqlite::Params,
    ) -> Result<Option<ReceiptRow>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(&receipts_where(payments, refunds))?;
            let mut rows = statement.query(params)?;
            rows.next()?.map(|row| ledger.receipt_of_row(row)).transpose()
        })
    }

    fn receipt_of_row(&self, row: &Row<'_>) -> Result<ReceiptRow, Fault> {
        let sandbox: bool = row.get(6)?;
        let network = row.get(7)?;
        let preimage: Option<[u8; 32]> = row.get(11)?;
        let back: bool = row.get(18)?;
        // What proves the payment stands in other columns.
        let mut damaged = false;
        let Json(extra) = shown(row, 16, &mut damaged)?;
        let name = self.endpoint(row.get(5)?).map(|endpoint| endpoint.name.clone());
        let endpoint = name.or_else(|fault| absent(fault, String::new(), &mut damaged))?;
        Ok(ReceiptRow {
            batch: row.get(0)?,
            id: row.get(1)?,
            take: row.get(2)?,
            kind: if back { ReceiptKind::Refund } else { ReceiptKind::Payment },
            paid_at: row.get(3)?,
            seller: host_of(&row.get::<_, String>(4)?),
            endpoint,
            network: if sandbox { None } else { Some(network) },
            amount: row.get(8)?,
            fee: row.get(9)?,
            hash: row.get(10)?,
            preimage: preimage.map(|bytes| hex(&bytes)).unwrap_or_default(),
            invoice: row.get(12)?,
            payee_node: row.get(13)?,
            payer_node: row.get(14)?,
            url: shown(row, 15, &mut damaged)?,
            extra,
        })
    }
}

/// The address of the result; of several, all of them, with blanks between, which no address has.
const URLS: &str = "CASE WHEN json_valid(j.more)
    THEN j.url || (SELECT coalesce(group_concat(' ' || (value ->> '$.url'), ''), '') FROM json_each(j.more)) ELSE j.url END";

/// Settlements in the order of their times: of payments and of refunds of which that is so.
fn receipts_where(payments: &str, refunds: &str) -> String {
    format!(
        "SELECT b.name, j.job, j.take, p.paid_at AS at, i.url, j.endpoint, b.sandbox, i.network, p.amount_msat,
             p.fee_msat, p.payment_hash, p.preimage, i.invoice, i.payee, p.node, {URLS}, j.extra, p.id, 0 AS back
         FROM payments p JOIN intents i ON i.payment = p.id JOIN jobs j ON j.id = p.job
             JOIN batches b ON b.id = p.batch
         WHERE {payments} AND p.preimage IS NOT NULL
         UNION ALL
         SELECT b.name, j.job, j.take, r.settled_at, i.url, j.endpoint, b.sandbox, i.network, r.received_msat,
             0, r.hash, NULL, r.invoice, r.node, '', NULL, j.extra, p.id, 1
         FROM refunds r JOIN payments p ON p.id = r.payment JOIN intents i ON i.payment = p.id
             JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch
         WHERE {refunds} AND r.settled_at IS NOT NULL
         ORDER BY at, 18, back"
    )
}

fn later_take(row: &Row<'_>) -> Result<LaterTake, Fault> {
    let (take, state, mut reason) = (row.get(21)?, row.get(22)?, row.get(23)?);
    let extra = row.get(20).ok().map(|Json(extra)| extra);
    let mut damaged = false;
    let error = shown(row, 24, &mut damaged)?;
    if damaged {
        reason = Reason::RowDamaged;
    }
    Ok(LaterTake { line: uint(row, 19)?, extra, take, state, reason, error })
}

/// A column as a view shows it: nothing where it is [`absent`].
fn shown<T: FromSql + Default>(row: &Row<'_>, column: usize, damaged: &mut bool) -> Result<T, Fault> {
    row.get(column).or_else(|error| absent(error.into(), T::default(), damaged))
}

/// What stands in a view where one column of a job's row cannot be read: the others are shown, and the other jobs.
fn absent<T>(fault: Fault, empty: T, damaged: &mut bool) -> Result<T, Fault> {
    match fault {
        Fault::Fatal(LedgerError::OfJob { .. }) => {
            *damaged = true;
            Ok(empty)
        }
        fault => Err(fault),
    }
}

fn sum(so_far: Msat, more: Msat) -> Result<Msat, Fault> {
    so_far.checked_add(more).ok_or_else(|| Fault::Contradiction("the sums of the batch do not fit".to_owned()))
}

/// The host of an address; empty where it has none.
pub(super) fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
