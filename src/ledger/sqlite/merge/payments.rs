//! Payments brought in, each with its intent, answers and refund, and with what it makes of its job.

use rusqlite::{OptionalExtension, params};

use super::tables::{ANSWERS, INTENTS, JOBS, PAYMENTS, REFUNDS};
use super::{Doubled, Merge};
use crate::ledger::JobKey;
use crate::ledger::decide::{JobUpdate, PaymentState};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::sqlite::store::{self, append_transition, give_way};
use crate::purchase::{JobState, Reason};

/// How one ledger knows a payment.
pub(super) struct Side {
    pub(super) payment: i64,
    pub(super) job: i64,
    state: PaymentState,
    has_preimage: bool,
    redeems: i64,
    pub(super) job_state: JobState,
    sends: Sends,
    /// Its intent is gone: a receipt is all that is left.
    by_receipt: bool,
}

/// What one ledger knows of a payment's POSTs, and of its death.
struct Sends {
    begun: u32,
    answered: u32,
    last_at: i64,
    accepted: bool,
    proof: Option<String>,
}

impl Sends {
    /// Whether what these prove dead is dead for a ledger that knows `live` of it: no POST that the proof did not count may
    /// still arrive.
    fn prove_dead(&self, live: &Self) -> bool {
        let by_expiry = match self.proof.as_deref() {
            Some("failed_and_expired") => return true,
            Some("not_found_and_expired") => true,
            Some("failed_and_answered" | "not_found_and_answered") => false,
            // A person's word proves nothing.
            Some(_) | None => return false,
        };
        let is_known = self.proof.as_deref() == Some("failed_and_answered") || !live.accepted;
        let same = (self.begun, self.last_at) == (live.begun, live.last_at);
        // The first POST is the intent's own, so that both know of the same one.
        is_known && live.begun <= self.begun && (by_expiry || same || live.begun == 1 || live.begun == live.answered)
    }
}

/// A payment of the other ledger, by its keys there.
struct Theirs {
    side: Side,
    hash: Vec<u8>,
    /// The job here of the same batch, id and take.
    target: i64,
}

const SIDE: &str = "p.id, p.job, p.state, p.preimage IS NOT NULL, p.redeems, j.state, p.sends_begun, p.sends_answered,
    p.sent_at, p.accepted, p.dead_proof, i.token = ''";
/// Columns of [`SIDE`].
const SIDE_COLUMNS: usize = 12;

fn side_of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Side> {
    Ok(Side {
        payment: row.get(0)?,
        job: row.get(1)?,
        state: row.get(2)?,
        has_preimage: row.get(3)?,
        redeems: row.get(4)?,
        job_state: row.get(5)?,
        sends: Sends {
            begun: row.get(6)?,
            answered: row.get(7)?,
            last_at: row.get(8)?,
            accepted: row.get(9)?,
            proof: row.get(10)?,
        },
        by_receipt: row.get(11)?,
    })
}

impl Side {
    fn is_dead(&self) -> bool {
        self.state == PaymentState::Dead
    }

    /// How far the purchase came: where both ledgers go on with it, the one that came further tells how its job stands.
    fn reached(&self) -> (bool, u8, i64) {
        let state = match self.job_state {
            JobState::Pending | JobState::Refused | JobState::Failed => 0,
            JobState::Running => 1,
            JobState::InDoubt => 2,
            JobState::Paid => 3,
            JobState::Lost => 4,
            JobState::RefundOffered => 5,
            JobState::Refunded => 6,
            JobState::Delivered => 7,
            JobState::Downloaded => 8,
        };
        (self.has_preimage, state, self.redeems)
    }
}

impl Merge<'_> {
    /// Every payment of the other ledger, in the order of intents.
    pub(super) fn payments(&mut self) -> Result<(), Fault> {
        let sql = format!(
            "SELECT {SIDE}, p.payment_hash, t.ours FROM other.payments p JOIN other.jobs j ON j.id = p.job
                 JOIN other.intents i ON i.payment = p.id JOIN of_job t ON t.theirs = j.id ORDER BY p.id"
        );
        let mut statement = self.tx.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let theirs =
                Theirs { side: side_of_row(row)?, hash: row.get(SIDE_COLUMNS)?, target: row.get(SIDE_COLUMNS + 1)? };
            match self.known(&theirs)? {
                None => self.bring_in(&theirs)?,
                Some(mut ours) => {
                    let completes = ours.by_receipt && !theirs.side.by_receipt;
                    if completes {
                        ours.job_state = self.complete(&ours, &theirs.side)?;
                    }
                    let tells = ours.by_receipt && theirs.side.by_receipt && self.learn_cells(&ours, &theirs.side)?;
                    let otherwise = self.compare(&ours, &theirs)? || completes || tells;
                    self.merged.changed = self.merged.changed.saturating_add(otherwise.into());
                }
            }
        }
        Ok(())
    }

    fn known(&self, theirs: &Theirs) -> Result<Option<Side>, Fault> {
        let sql = format!(
            "SELECT {SIDE} FROM main.payments p JOIN main.jobs j ON j.id = p.job JOIN main.intents i ON i.payment = p.id
             WHERE p.payment_hash = ?1"
        );
        Ok(self.tx.prepare_cached(&sql)?.query_row([&theirs.hash], side_of_row).optional()?)
    }

    /// A payment that is not here.
    fn bring_in(&mut self, theirs: &Theirs) -> Result<(), Fault> {
        let side = &theirs.side;
        let job = if side.is_dead() { theirs.target } else { self.place(theirs, theirs.target)? };
        let (columns, values) = (PAYMENTS.list(""), PAYMENTS.list("o."));
        self.tx
            .prepare_cached(&format!(
                "INSERT INTO main.payments (job, batch, {columns})
                 SELECT ?2, (SELECT batch FROM main.jobs WHERE id = ?2), {values} FROM other.payments o WHERE o.id = ?1"
            ))?
            .execute([side.payment, job])?;
        let payment = self.tx.last_insert_rowid();
        self.intent(payment, side.payment)?;
        self.answers(payment, side.payment)?;
        self.refund(payment, side.payment)?;
        if !side.is_dead() {
            self.prevail(job, side)?;
        }
        if side.by_receipt {
            self.forget_content(job, side.job)?;
        }
        self.merged.payments = self.merged.payments.saturating_add(1);
        Ok(())
    }

    pub(super) fn intent(&self, ours: i64, theirs: i64) -> Result<(), Fault> {
        let intent = INTENTS.list("");
        self.tx
            .prepare_cached(&format!(
                "INSERT INTO main.intents (payment, {intent}) SELECT ?1, {intent} FROM other.intents WHERE payment = ?2"
            ))?
            .execute([ours, theirs])?;
        Ok(())
    }

    /// A payment that both ledgers know. Gives whether it stands otherwise now.
    fn compare(&mut self, ours: &Side, theirs: &Theirs) -> Result<bool, Fault> {
        let side = &theirs.side;
        let mut job = ours.job;
        let revived = ours.is_dead() && !side.is_dead();
        if revived && !side.has_preimage && ours.sends.prove_dead(&side.sends) {
            return Ok(false);
        }
        if revived {
            job = self.place(theirs, ours.job)?;
            self.tx.prepare_cached("UPDATE main.payments SET job = ?2 WHERE id = ?1")?.execute([ours.payment, job])?;
        }
        self.combine(&PAYMENTS, ours.payment, side.payment)?;
        if side.is_dead() && ours.state == PaymentState::Intended && side.sends.prove_dead(&ours.sends) {
            self.died(ours, side)?;
        }
        self.answers(ours.payment, side.payment)?;
        self.refund(ours.payment, side.payment)?;
        let is_further = !ours.is_dead() && !side.is_dead() && side.reached() > ours.reached();
        if revived || is_further {
            self.prevail(job, side)?;
        }
        let state: PaymentState = self
            .tx
            .prepare_cached("SELECT state FROM main.payments WHERE id = ?1")?
            .query_row([ours.payment], |row| row.get(0))?;
        Ok(is_further || state != ours.state)
    }

    /// The other ledger proves dead what is open here. What it bought the job with instead comes with its own payment.
    fn died(&self, ours: &Side, side: &Side) -> Result<(), Fault> {
        self.tx
            .prepare_cached(
                "UPDATE main.payments SET (state, dead_proof, dead_at, undelivered) =
                     (SELECT state, dead_proof, dead_at, 0 FROM other.payments WHERE id = ?2) WHERE id = ?1",
            )?
            .execute([ours.payment, side.payment])?;
        let job = store::job(self.tx, JobKey(ours.job))?;
        let (state, reason) = match job.is_gone {
            true => (JobState::Refused, Reason::Withdrawn),
            false => (JobState::Pending, Reason::PaymentFailed),
        };
        store::change(self.tx, self.now, &job, &JobUpdate::to(state, reason))?;
        if let Some(survivor) = give_way(self.tx, job.key)? {
            self.tx
                .prepare_cached("UPDATE of_job SET ours = ?2 WHERE ours = ?1")?
                .execute(params![job.key, survivor])?;
        }
        Ok(())
    }

    /// Where a live payment of the other ledger stands: with its job, unless that was bought here by another payment. Then
    /// both were paid for, or may have been: the second stands as a take of its own, or, where it was for something else,
    /// as a job of its own.
    fn place(&mut self, theirs: &Theirs, job: i64) -> Result<i64, Fault> {
        if !self.has_live_payment(job)? {
            return Ok(job);
        }
        let (batch, id): (i64, String) =
            self.tx.query_row("SELECT batch, job FROM main.jobs WHERE id = ?1", [job], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let (latest, take): (i64, u32) = self.tx.query_row(
            "SELECT id, take FROM main.jobs WHERE batch = ?1 AND job = ?2 ORDER BY take DESC LIMIT 1",
            params![batch, id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (second_id, (placed, take)) = if self.is_another_purchase(theirs, job)? {
            let free = self.free_id(batch, &id)?;
            let placed = self.take_of_its_own(theirs, batch, &free, 0, false)?;
            (free, placed)
        } else if latest == job || self.has_live_payment(latest)? {
            (id.clone(), self.take_of_its_own(theirs, batch, &id, take, true)?)
        } else {
            // A take that was wanted once more, and not bought so far, has been bought by this.
            (id.clone(), (latest, take))
        };
        let both_paid = theirs.side.has_preimage
            && self
                .tx
                .prepare_cached("SELECT 1 FROM main.payments WHERE job = ?1 AND preimage IS NOT NULL")?
                .exists([job])?;
        let name = self.tx.query_row("SELECT name FROM main.batches WHERE id = ?1", [batch], |row| row.get(0))?;
        self.merged.doubled.push(Doubled { batch: name, id, second_id, take, both_paid });
        Ok(placed)
    }

    /// Whether what the other ledger bought under that id is not what was bought here, as far as both tell.
    fn is_another_purchase(&self, theirs: &Theirs, job: i64) -> Result<bool, Fault> {
        Ok(self
            .tx
            .prepare_cached(
                "SELECT 1 FROM main.jobs m, other.jobs o WHERE m.id = ?1 AND o.id = ?2 AND m.content <> o.content
                     AND zeroblob(32) NOT IN (m.content, o.content)",
            )?
            .exists([job, theirs.side.job])?)
    }

    /// An id that neither ledger has in that batch.
    fn free_id(&self, batch: i64, id: &str) -> Result<String, Fault> {
        let mut known = self.tx.prepare_cached(
            "SELECT 1 FROM main.jobs WHERE batch = ?1 AND job = ?2 UNION ALL
             SELECT 1 FROM other.jobs o JOIN of_batch b ON b.theirs = o.batch WHERE b.ours = ?1 AND o.job = ?2",
        )?;
        let mut free = format!("{id}-merged");
        while known.exists(params![batch, free])? {
            free.push_str("-merged");
        }
        Ok(free)
    }

    fn has_live_payment(&self, job: i64) -> Result<bool, Fault> {
        Ok(self.tx.prepare_cached("SELECT 1 FROM main.payments WHERE job = ?1 AND state <> 'dead'")?.exists([job])?)
    }

    fn take_of_its_own(
        &self,
        theirs: &Theirs,
        batch: i64,
        id: &str,
        latest: u32,
        beside: bool,
    ) -> Result<(i64, u32), Fault> {
        // Takes of the other ledger that are still to come keep their numbers.
        let there: Option<u32> = self.tx.query_row(
            "SELECT max(o.take) FROM other.jobs o JOIN of_batch b ON b.theirs = o.batch WHERE b.ours = ?1 AND o.job = ?2",
            params![batch, id],
            |row| row.get(0),
        )?;
        let take = latest.max(there.unwrap_or(0)).saturating_add(1);
        let (columns, values) = (JOBS.list(""), JOBS.list("o.").replacen("o.job,", "?5,", 1));
        self.tx
            .prepare_cached(&format!(
                "INSERT INTO main.jobs (batch, take, superseded, merged, endpoint, {columns})
                 SELECT ?2, ?3, 0, ?4, (SELECT ours FROM of_endpoint WHERE theirs = o.endpoint), {values}
                 FROM other.jobs o WHERE o.id = ?1"
            ))?
            .execute(params![theirs.side.job, batch, take, beside, id])?;
        let placed = self.tx.last_insert_rowid();
        if !beside {
            // No row of the manifest here asks for it.
            self.tx.execute("UPDATE main.jobs SET first_load = 0, last_load = 0 WHERE id = ?1", [placed])?;
        }
        Ok((placed, take))
    }

    /// The job stands as the other ledger knows it.
    fn prevail(&self, job: i64, side: &Side) -> Result<(), Fault> {
        let before: JobState =
            self.tx.prepare_cached("SELECT state FROM main.jobs WHERE id = ?1")?.query_row([job], |row| row.get(0))?;
        self.combine(&JOBS, job, side.job)?;
        self.tx
            .prepare_cached(
                "UPDATE main.jobs SET endpoint = (SELECT e.ours FROM other.jobs o JOIN of_endpoint e ON e.theirs = o.endpoint
                     WHERE o.id = ?2)
                 WHERE id = ?1 AND (SELECT content FROM other.jobs WHERE id = ?2) <> zeroblob(32)",
            )?
            .execute([job, side.job])?;
        if before != side.job_state {
            let reason: Reason =
                self.tx.query_row("SELECT reason FROM main.jobs WHERE id = ?1", [job], |row| row.get(0))?;
            append_transition(self.tx, self.now, JobKey(job), before, side.job_state, reason)?;
        }
        Ok(())
    }

    /// The answers of both, in the order in which they came.
    fn answers(&self, ours: i64, theirs: i64) -> Result<(), Fault> {
        let columns = ANSWERS.list("");
        self.tx
            .prepare_cached(
                "UPDATE main.answers AS m SET interpreted = 1 FROM other.answers o
                 WHERE m.payment = ?1 AND o.payment = ?2 AND o.interpreted = 1
                     AND (m.kind, m.at, m.status, m.body) = (o.kind, o.at, o.status, o.body)",
            )?
            .execute([ours, theirs])?;
        let missing = self
            .tx
            .prepare_cached(&format!(
                "INSERT INTO main.answers (payment, {columns})
                 SELECT ?1, {columns} FROM other.answers o WHERE o.payment = ?2 AND NOT EXISTS (
                     SELECT 1 FROM main.answers m WHERE m.payment = ?1
                         AND (m.kind, m.at, m.status, m.body) = (o.kind, o.at, o.status, o.body)) ORDER BY o.id"
            ))?
            .execute([ours, theirs])?;
        if missing == 0 {
            return Ok(());
        }
        // The last one counts as the latest, also where this ledger had one already.
        let mut all = self.tx.prepare_cached("SELECT id FROM main.answers WHERE payment = ?1 ORDER BY at, id")?;
        let ids: Vec<i64> = all.query_map([ours], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut next: i64 = self.tx.query_row("SELECT max(id) FROM main.answers", [], |row| row.get(0))?;
        let mut renumber = self.tx.prepare_cached("UPDATE main.answers SET id = ?2 WHERE id = ?1")?;
        for id in ids {
            next = next.saturating_add(1);
            renumber.execute([id, next])?;
        }
        Ok(())
    }

    /// The refund that went further.
    fn refund(&self, ours: i64, theirs: i64) -> Result<(), Fault> {
        const FURTHER: &str = "CASE state WHEN 'offered' THEN 1 WHEN 'claimed' THEN 2 WHEN 'expired' THEN 3 ELSE 4 END";
        let reached = |schema: &str, payment: i64| -> Result<i64, Fault> {
            let sql = format!("SELECT {FURTHER} FROM {schema}.refunds WHERE payment = ?1");
            Ok(self.tx.prepare_cached(&sql)?.query_row([payment], |row| row.get(0)).optional()?.unwrap_or(0))
        };
        let (here, there) = (reached("main", ours)?, reached("other", theirs)?);
        if there == 0 {
            return Ok(());
        }
        if there <= here {
            return self.combine(&REFUNDS, ours, theirs);
        }
        self.tx.prepare_cached("DELETE FROM main.refunds WHERE payment = ?1")?.execute([ours])?;
        let columns = REFUNDS.list("");
        self.tx
            .prepare_cached(&format!(
                "INSERT INTO main.refunds (payment, batch, {columns})
                 SELECT ?2, (SELECT batch FROM main.payments WHERE id = ?2), {columns} FROM other.refunds WHERE payment = ?1"
            ))?
            .execute([theirs, ours])?;
        Ok(())
    }
}
