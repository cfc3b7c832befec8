//! Payments of the other ledger, as they are looked up and written: the rules stand in `ledger::decide::merge`.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::tables::{ANSWERS, INTENTS, JOBS, PAYMENTS, REFUNDS};
use crate::l402::PaymentHash;
use crate::ledger::decide::merge::{JobName, MergeLookup, MergeWrite, Side};
use crate::ledger::decide::{Payment, Refund, Take, Write};
use crate::ledger::merge::MergeDesk;
use crate::ledger::sqlite::convert::{int, text_or_what_is_left};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::sqlite::store::{self, JOB, JOB_COLUMNS, PAYMENT, PAYMENT_COLUMNS, job_of_row, payment_of_row};
use crate::ledger::{BatchKey, JobKey, PaymentKey};

/// Both ledgers, in the transaction of a merge.
pub(super) struct Payments<'a>(pub(super) &'a Connection);

/// What a [`Side`] is read from: the payments of that ledger.
fn sides(ledger: &str) -> String {
    let payment = PAYMENT.replace("FROM answers", &format!("FROM {ledger}.answers"));
    format!(
        "SELECT {payment}, {JOB}, j.content, j.params <> '[]', i.token = '', r.state
         FROM {ledger}.payments p JOIN {ledger}.jobs j ON j.id = p.job JOIN {ledger}.batches b ON b.id = j.batch
             JOIN {ledger}.intents i ON i.payment = p.id LEFT JOIN {ledger}.refunds r ON r.payment = p.id"
    )
}

/// Words and addresses decide nothing here: damaged ones keep nothing from being brought in.
fn side_of_row(row: &Row<'_>) -> rusqlite::Result<Side> {
    const AT: usize = PAYMENT_COLUMNS + JOB_COLUMNS;
    Ok(Side {
        payment: payment_of_row(row, text_or_what_is_left)?,
        job: job_of_row(row, PAYMENT_COLUMNS, text_or_what_is_left)?,
        content: row.get(AT)?,
        has_params: row.get(AT + 1)?,
        by_receipt: row.get(AT + 2)?,
        refund: row.get::<_, Option<_>>(AT + 3)?.map(|standing| Refund { standing }),
    })
}

impl MergeLookup for Payments<'_> {
    type Error = Fault;

    fn takes(&self, job: JobKey) -> Result<Vec<Take>, Fault> {
        store::takes(self.0, job, text_or_what_is_left)
    }

    fn name(&self, job: JobKey) -> Result<JobName, Fault> {
        let sql =
            "SELECT j.batch, b.name, j.job FROM main.jobs j JOIN main.batches b ON b.id = j.batch WHERE j.id = ?1";
        let named = |row: &Row<'_>| Ok(JobName { batch: row.get(0)?, batch_name: row.get(1)?, id: row.get(2)? });
        Ok(self.0.prepare_cached(sql)?.query_row([job], named)?)
    }

    fn id(&self, batch: BatchKey, id: &str) -> Result<(u32, bool), Fault> {
        let sql = "SELECT coalesce(max(o.take), 0), count(o.id) > 0
                 OR EXISTS (SELECT 1 FROM main.jobs m WHERE m.batch = ?1 AND m.job = ?2)
             FROM other.jobs o JOIN of_batch b ON b.theirs = o.batch WHERE b.ours = ?1 AND o.job = ?2";
        Ok(self.0.prepare_cached(sql)?.query_row(params![batch, id], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    fn target(&self, theirs: JobKey) -> Result<JobKey, Fault> {
        let sql = "SELECT ours FROM of_job WHERE theirs = ?1";
        Ok(self.0.prepare_cached(sql)?.query_row([theirs], |row| row.get(0))?)
    }

    fn next(&self) -> Result<(JobKey, PaymentKey), Fault> {
        let sql = "SELECT (SELECT coalesce(max(id), 0) + 1 FROM main.jobs),
                       (SELECT coalesce(max(id), 0) + 1 FROM main.payments)";
        Ok(self.0.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }
}

impl MergeDesk for Payments<'_> {
    fn theirs(&self, after: Option<PaymentKey>, most: usize) -> Result<Vec<Side>, Fault> {
        let sql = format!(
            "{} WHERE p.id > ?1 AND EXISTS (SELECT 1 FROM of_job t WHERE t.theirs = j.id) ORDER BY p.id LIMIT ?2",
            sides("other")
        );
        let (after, most) = (after.unwrap_or(PaymentKey(i64::MIN)), i64::try_from(most).unwrap_or(i64::MAX));
        let mut statement = self.0.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, most], side_of_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn ours(&self, hash: PaymentHash) -> Result<Option<Side>, Fault> {
        let sql = format!("{} WHERE p.payment_hash = ?1", sides("main"));
        Ok(self.0.prepare_cached(&sql)?.query_row([hash], side_of_row).optional()?)
    }

    fn without_credential(&self) -> Result<Vec<Side>, Fault> {
        let sql = format!("{} WHERE j.state = 'paid' AND p.state <> 'dead' AND i.token = ''", sides("main"));
        let mut statement = self.0.prepare_cached(&sql)?;
        let rows = statement.query_map([], side_of_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn apply(&mut self, writes: &[MergeWrite]) -> Result<(), Fault> {
        writes.iter().try_for_each(|write| self.write(write))
    }
}

impl Payments<'_> {
    fn write(&self, write: &MergeWrite) -> Result<(), Fault> {
        match write {
            MergeWrite::Row(write) => {
                store::write(self.0, write)?;
                if let Write::JoinTakes(join) = write {
                    self.execute("UPDATE of_job SET ours = ?2 WHERE ours = ?1", params![join.gone, join.stays])?;
                }
                if let Write::Payment(_, is) = write {
                    self.mend_words(is)?;
                }
                Ok(())
            }
            MergeWrite::Job { theirs, key, batch, id, take, is_beside } => {
                self.add_job(*theirs, (*key, *batch, id, *take), *is_beside)
            }
            MergeWrite::Payment { theirs, key, job } => {
                let (columns, values) = (PAYMENTS.list(""), PAYMENTS.list("o."));
                self.execute(
                    &format!(
                        "INSERT INTO main.payments (id, job, batch, {columns})
                         SELECT ?2, ?3, (SELECT batch FROM main.jobs WHERE id = ?3), {values}
                         FROM other.payments o WHERE o.id = ?1"
                    ),
                    params![theirs, key, job],
                )?;
                self.add_intent(*theirs, *key)
            }
            MergeWrite::Intent { theirs, of } => {
                self.execute("DELETE FROM main.intents WHERE payment = ?1", params![of])?;
                self.add_intent(*theirs, *of)
            }
            MergeWrite::Answers { theirs, of } => self.add_answers(*theirs, *of),
            MergeWrite::Refund { theirs, of, in_its_place: false } => REFUNDS.combine(self.0, of.0, theirs.0),
            MergeWrite::Refund { theirs, of, in_its_place: true } => self.replace_refund(*theirs, *of),
            MergeWrite::Stand { theirs, job } => self.stand(*theirs, *job),
            MergeWrite::Describe { theirs, job } => self.execute(
                "UPDATE main.jobs AS m SET content = o.content, params = o.params, price_msat = o.price_msat,
                     fee_ceiling_msat = o.fee_ceiling_msat, max_cost_msat = o.max_cost_msat, edition = o.edition,
                     endpoint = (SELECT ours FROM of_endpoint WHERE theirs = o.endpoint), error = NULL
                 FROM other.jobs o WHERE m.id = ?2 AND o.id = ?1",
                params![theirs, job],
            ),
            MergeWrite::Forget { theirs, job } => self.execute(
                "UPDATE main.jobs AS m SET content = o.content, params = o.params, given = NULL,
                     endpoint = (SELECT ours FROM of_endpoint WHERE theirs = o.endpoint) FROM other.jobs o
                 WHERE m.id = ?2 AND o.id = ?1",
                params![theirs, job],
            ),
            MergeWrite::Cells { theirs, job } => self.execute(
                "UPDATE main.jobs AS m SET params = o.params FROM other.jobs o WHERE m.id = ?2 AND o.id = ?1",
                params![theirs, job],
            ),
        }
    }

    /// Texts that were damaged were read as what is left of them, so that nothing of them may have changed: what is left stands in their
    /// place all the same, and the payment can be read again by whoever closes its books.
    fn mend_words(&self, is: &Payment) -> Result<(), Fault> {
        let (url, interval_ms) = is.redeeming.poll.clone().unzip();
        self.execute(
            "UPDATE main.payments SET node_said = ?2, poll_url = ?3, poll_interval_ms = ?4 WHERE id = ?1",
            params![is.key, is.sends.said, url, interval_ms.map(int).transpose()?],
        )
    }

    fn execute(&self, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<(), Fault> {
        self.0.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    fn add_job(
        &self,
        theirs: JobKey,
        (key, batch, id, take): (JobKey, BatchKey, &str, u32),
        is_beside: bool,
    ) -> Result<(), Fault> {
        let (columns, values) = (JOBS.list(""), JOBS.list("o.").replacen("o.job,", "?5,", 1));
        self.execute(
            &format!(
                "INSERT INTO main.jobs (id, batch, take, superseded, merged, endpoint, {columns})
                 SELECT ?2, ?3, ?4, 0, ?6, (SELECT ours FROM of_endpoint WHERE theirs = o.endpoint), {values}
                 FROM other.jobs o WHERE o.id = ?1"
            ),
            params![theirs, key, batch, take, id, is_beside],
        )?;
        match is_beside {
            true => Ok(()),
            // No row of the manifest here asks for it.
            false => self.execute("UPDATE main.jobs SET first_load = 0, last_load = 0 WHERE id = ?1", params![key]),
        }
    }

    fn add_intent(&self, theirs: PaymentKey, of: PaymentKey) -> Result<(), Fault> {
        let intent = INTENTS.list("");
        self.execute(
            &format!(
                "INSERT INTO main.intents (payment, {intent}) SELECT ?2, {intent} FROM other.intents WHERE payment = ?1"
            ),
            params![theirs, of],
        )
    }

    fn stand(&self, theirs: JobKey, job: JobKey) -> Result<(), Fault> {
        JOBS.combine(self.0, job.0, theirs.0)?;
        self.execute(
            "UPDATE main.jobs SET endpoint = (SELECT e.ours FROM other.jobs o JOIN of_endpoint e ON e.theirs = o.endpoint
                 WHERE o.id = ?1)
             WHERE id = ?2 AND (SELECT content FROM other.jobs WHERE id = ?1) <> zeroblob(32)",
            params![theirs, job],
        )
    }

    fn add_answers(&self, theirs: PaymentKey, of: PaymentKey) -> Result<(), Fault> {
        let columns = ANSWERS.list("");
        self.execute(
            "UPDATE main.answers AS m SET interpreted = 1 FROM other.answers o
             WHERE m.payment = ?2 AND o.payment = ?1 AND o.interpreted = 1
                 AND (m.kind, m.at, m.status, m.body) = (o.kind, o.at, o.status, o.body)",
            params![theirs, of],
        )?;
        let missing = self
            .0
            .prepare_cached(&format!(
                "INSERT INTO main.answers (payment, {columns})
                 SELECT ?2, {columns} FROM other.answers o WHERE o.payment = ?1 AND NOT EXISTS (
                     SELECT 1 FROM main.answers m WHERE m.payment = ?2
                         AND (m.kind, m.at, m.status, m.body) = (o.kind, o.at, o.status, o.body)) ORDER BY o.id"
            ))?
            .execute(params![theirs, of])?;
        if missing == 0 {
            return Ok(());
        }
        // The last one counts as the latest, also where this ledger had one already.
        let mut all = self.0.prepare_cached("SELECT id FROM main.answers WHERE payment = ?1 ORDER BY at, id")?;
        let ids: Vec<i64> = all.query_map([of], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut next: i64 = self.0.query_row("SELECT max(id) FROM main.answers", [], |row| row.get(0))?;
        for id in ids {
            next = next.saturating_add(1);
            self.execute("UPDATE main.answers SET id = ?2 WHERE id = ?1", params![id, next])?;
        }
        Ok(())
    }

    fn replace_refund(&self, theirs: PaymentKey, of: PaymentKey) -> Result<(), Fault> {
        self.execute("DELETE FROM main.refunds WHERE payment = ?1", params![of])?;
        let columns = REFUNDS.list("");
        self.execute(
            &format!(
                "INSERT INTO main.refunds (payment, batch, {columns})
                 SELECT ?2, (SELECT batch FROM main.payments WHERE id = ?2), {columns}
                 FROM other.refunds WHERE payment = ?1"
            ),
            params![theirs, of],
        )
    }
}
