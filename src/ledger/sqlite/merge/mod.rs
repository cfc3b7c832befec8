//! Another ledger's rows brought into this one, in one transaction: of a copy that was rescued from under a run, or that
//! knows what a restored one does not. Nothing that either has paid is lost, and nothing counts as dead that may settle.
//!
//! It can be repeated: what is known by its batch, job and take, and each payment by its hash, is not brought in again.

mod batches;
mod payments;
mod receipts;
mod tables;

use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempPath;

use self::payments::Payments;
use self::tables::{
    DECISIONS, ENDPOINT_URLS, ENDPOINTS, JOBS, LEDGER_ID, MARKS, MERGES, PERIODS, SERVED, TRANSITIONS, TRUSTS,
    WITNESSES,
};
use super::SqliteLedger;
use super::convert::uint;
use super::core::configure;
use super::error::Fault;
use super::gap::ledger_of_rescued;
use super::load::Loading;
use super::lock::BatchLock;
use super::{file, schema};
use crate::catalog::Endpoint;
use crate::ledger::load::withdraw_gone;
use crate::ledger::merge::{leave_to_a_person, merge_payments};
use crate::ledger::port::{self, Batches, Merging};
use crate::ledger::{KnownParams, LedgerAddress, LedgerError, LockError, Merged, ReceiptRow, TakeId};
use crate::purchase::Reason;
use crate::safe_open::{self, Opened};
use crate::time::UnixMs;

/// The first bytes of every database of SQLite's.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Another ledger, copied so that nobody changes it meanwhile, and brought to this version's schema.
#[derive(Debug)]
pub struct MergeSource {
    file: PathBuf,
    copy: TempPath,
    /// Its batches' names.
    batches: Vec<String>,
    of_receipts: bool,
}

/// Whether what is there is a database of SQLite's.
///
/// # Errors
/// Where it cannot be read, or is a pipe.
pub fn is_database(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    match safe_open::open(path)? {
        // Nothing of this process has it open, so that closing it drops no lock of ours.
        Opened::File(opened) => opened.take(MAGIC.len() as u64).read_to_end(&mut head)?,
        Opened::Pipe(_) => return Err(std::io::Error::other("is a pipe")),
    };
    Ok(head.starts_with(MAGIC))
}

impl MergeSource {
    /// Copies the ledger at that path beside the one that it is to be brought into.
    ///
    /// # Errors
    /// Where it is no ledger, is damaged or of a newer version, or cannot be copied.
    pub fn open(file: &Path, into: &SqliteLedger) -> Result<Self, LedgerError> {
        let beside = into.path().and_then(Path::parent).unwrap_or(Path::new("."));
        Self::copy(file, beside).map_err(|fault| file::named(fault, file))
    }

    fn copy(path: &Path, folder: &Path) -> Result<Self, Fault> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(file::foreign(path).into());
        }
        let conn = file::connect_to_read(path)?;
        configure(&conn)?;
        file::check_whole(&conn, path)?;
        schema::check_ours(&conn, &path.display().to_string())?;
        let copy = tempfile::Builder::new().prefix(".merge-").tempfile_in(folder)?.into_temp_path();
        conn.execute("VACUUM INTO ?1", [copy.display().to_string()])?;
        drop(conn);
        let mut conn =
            Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        configure(&conn)?;
        schema::create_or_migrate(&mut conn, &path.display().to_string())?;
        Ok(Self { file: path.to_owned(), copy, batches: receipts::names(&conn)?, of_receipts: false })
    }
}

impl port::MergeSource for MergeSource {
    type Lock = BatchLock;

    fn batches(&self) -> &[String] {
        &self.batches
    }

    fn lock(&self, now: UnixMs) -> Result<Vec<BatchLock>, LockError> {
        // Where nobody has ever run a batch there is nobody to keep out.
        if self.of_receipts || !file::beside(&self.file, ".locks").is_dir() {
            return Ok(Vec::new());
        }
        self.batches.iter().map(|name| BatchLock::take(&self.file, name, now)).collect()
    }
}

impl Merging for SqliteLedger {
    type Source = MergeSource;

    fn source(&self, other: &LedgerAddress) -> Result<MergeSource, LedgerError> {
        MergeSource::open(other.file(), self)
    }

    fn source_of_receipts(
        &self,
        file: &LedgerAddress,
        manifest: &str,
        rows: &[ReceiptRow],
        asked: &KnownParams,
        stranger: &Endpoint,
    ) -> Result<MergeSource, LedgerError> {
        MergeSource::of_receipts(file.file(), manifest, rows, asked, stranger, self)
    }

    fn merge(&mut self, now: UnixMs, source: &MergeSource) -> Result<Merged, LedgerError> {
        let other = source.copy.display().to_string();
        self.conn.execute("ATTACH ?1 AS other", [other]).map_err(|error| Fault::from(error).into_error())?;
        let merged = self.write(|tx, bodies| {
            let merged = Merge::begin(tx, now, source.of_receipts)?.all()?;
            leave_to_a_person(&mut Payments(tx))?;
            let from = ledger_of_rescued(&source.file).unwrap_or_else(|| source.file.clone());
            bodies.take_over(tx, &from)?;
            // Rows of any batch may ask for what has come in, and files are as old as the ledger that wrote them.
            tx.execute("UPDATE main.batches SET loaded = NULL, written = NULL", [])?;
            note(tx, now, &source.file, if source.of_receipts { "receipts" } else { "merged" })?;
            Ok(merged)
        });
        // What was prepared for the other ledger is of no use to anybody else.
        self.conn.flush_prepared_statement_cache();
        let detached = self.conn.execute("DETACH other", []).map_err(|error| Fault::from(error).into_error());
        let merged = merged?;
        detached?;
        self.endpoints.borrow_mut().clear();
        self.check_money(None)?;
        Ok(merged)
    }

    fn discard(&mut self, now: UnixMs, file: &LedgerAddress) -> Result<(), LedgerError> {
        self.write(|tx, _| note(tx, now, file.file(), "discarded"))
    }
}

fn note(tx: &Connection, now: UnixMs, file: &Path, what: &str) -> Result<(), Fault> {
    tx.prepare_cached("INSERT INTO merges (at, file, what) VALUES (?1, ?2, ?3)")?.execute(params![
        now,
        file.display().to_string(),
        what
    ])?;
    Ok(())
}

/// Which key of the other ledger is which of this one, for the time of one transaction.
const MAPS: &str = "
    CREATE TEMP TABLE IF NOT EXISTS of_batch (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL, is_newer INTEGER NOT NULL);
    CREATE TEMP TABLE IF NOT EXISTS of_endpoint (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL);
    CREATE TEMP TABLE IF NOT EXISTS of_job (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL);
    DELETE FROM of_batch; DELETE FROM of_endpoint; DELETE FROM of_job;";

/// Sums over payments, as [`SqliteLedger::check_money`] compares them.
const SUMS: &str = "
    UPDATE batches SET
        held_msat = coalesce((SELECT sum(p.amount_msat + p.fee_limit_msat) FROM payments p
            WHERE p.batch = batches.id AND p.state IN ('intended', 'paid')), 0),
        spent_msat = coalesce((SELECT sum(p.amount_msat) FROM payments p
            WHERE p.batch = batches.id AND p.state = 'posted'), 0),
        fees_msat = coalesce((SELECT sum(p.fee_msat) FROM payments p
            WHERE p.batch = batches.id AND p.state = 'posted'), 0),
        refunded_msat = coalesce((SELECT sum(min(r.received_msat, p.amount_msat)) FROM refunds r
            JOIN payments p ON p.id = r.payment WHERE r.batch = batches.id AND r.received_msat IS NOT NULL), 0);
    UPDATE periods SET (held_msat, spent_msat, refunded_msat) = (
        SELECT coalesce(sum(CASE WHEN p.state IN ('intended', 'paid') THEN p.amount_msat + p.fee_limit_msat END), 0),
            coalesce(sum(CASE WHEN p.state = 'posted' THEN p.amount_msat + p.fee_msat END), 0),
            coalesce(sum(CASE WHEN r.received_msat IS NOT NULL THEN min(r.received_msat, p.amount_msat) END), 0)
        FROM payments p LEFT JOIN refunds r ON r.payment = p.id
        WHERE periods.name = CASE periods.kind WHEN 'day' THEN p.day ELSE p.month END);
    -- What is not kept is summed up where it is asked for.
    DELETE FROM main.origin_periods;";

/// That a job `o` there, to which a token has answered, needs no purchase: it is delivered, or a person is to look at what came.
fn is_served() -> String {
    let unknown = <&str>::from(Reason::UnknownAnswer);
    format!("(o.state IN ('delivered', 'downloaded') OR (o.state = 'refused' AND o.reason = '{unknown}'))")
}

/// One merge, in its transaction.
struct Merge<'a> {
    tx: &'a Connection,
    now: UnixMs,
    /// A batch's name alone says which it is: the other ledger was once the same as this one, or holds receipts, which tell no
    /// manifest for certain.
    by_name: bool,
    merged: Merged,
}

impl<'a> Merge<'a> {
    fn begin(tx: &'a Connection, now: UnixMs, of_receipts: bool) -> Result<Self, Fault> {
        tx.execute_batch(MAPS)?;
        let one = "SELECT 1 FROM main.ledger_id m JOIN other.ledger_id o ON o.id = m.id";
        Ok(Self { tx, now, by_name: of_receipts || tx.prepare(one)?.exists([])?, merged: Merged::default() })
    }

    fn all(mut self) -> Result<Merged, Fault> {
        let was_empty = !self.tx.prepare("SELECT 1 FROM payments")?.exists([])?;
        self.endpoints()?;
        self.batches()?;
        self.jobs()?;
        merge_payments(&mut Payments(self.tx), self.now, &mut self.merged)?;
        self.served()?;
        self.histories()?;
        self.marks()?;
        self.bounds()?;
        self.rest(was_empty)?;
        // Receipts are no intents: what was begun and is in no receipt stays missing.
        self.tx.execute_batch(
            "UPDATE main.ledger_id SET intents = max(intents, (SELECT intents FROM other.ledger_id),
                 (SELECT count(*) FROM main.payments p JOIN main.intents i ON i.payment = p.id WHERE i.token <> ''))",
        )?;
        // The latest take is the one that counts.
        self.tx.execute_batch(
            "UPDATE jobs AS m SET superseded = (m.take < (SELECT max(l.take) FROM jobs l
                 WHERE l.batch = m.batch AND l.job = m.job))
             WHERE m.batch IN (SELECT ours FROM of_batch)",
        )?;
        self.tx.execute_batch(SUMS)?;
        self.withdraw_gone()?;
        Ok(self.merged)
    }

    /// What is not bought and is no row of the manifest as it was loaded most often is withdrawn, as the load itself would have done it:
    /// the same row may be bought there under another id.
    fn withdraw_gone(&mut self) -> Result<(), Fault> {
        let mut batches =
            self.tx.prepare("SELECT DISTINCT b.id, b.loads FROM main.batches b JOIN of_batch o ON o.ours = b.id")?;
        let batches = batches.query_map([], |row| Ok((row.get(0)?, uint(row, 1)?)))?;
        for (batch, loads) in batches.collect::<Result<Vec<_>, _>>()? {
            withdraw_gone(&mut Loading::again(self.tx, batch, loads)?, self.now, &mut self.merged.withdrawn)?;
        }
        Ok(())
    }

    fn endpoints(&self) -> Result<(), Fault> {
        let columns = ENDPOINTS.list("");
        self.tx.execute(
            &format!(
                "INSERT INTO main.endpoints ({columns}) SELECT {columns} FROM other.endpoints WHERE true
                 ON CONFLICT (hash) DO NOTHING"
            ),
            [],
        )?;
        self.tx.execute(
            "INSERT INTO of_endpoint SELECT o.id, m.id FROM other.endpoints o JOIN main.endpoints m ON m.hash = o.hash",
            [],
        )?;
        Ok(())
    }

    /// Jobs that are not here. A take that was wanted once more and never begun is left out: whoever wants it says so again. Where
    /// the manifest was loaded later here, no row of it asks for them.
    fn jobs(&mut self) -> Result<(), Fault> {
        self.leave_unbegun()?;
        let last: i64 = self.tx.query_row("SELECT coalesce(max(id), 0) FROM main.jobs", [], |row| row.get(0))?;
        let (columns, theirs, served) = (JOBS.list(""), JOBS.list("o."), is_served());
        let new = self.tx.execute(
            &format!(
                "INSERT INTO main.jobs (batch, take, superseded, merged, endpoint, {columns})
                 SELECT b.ours, o.take, o.superseded, o.merged, e.ours, {theirs}
                 FROM other.jobs o JOIN of_batch b ON b.theirs = o.batch JOIN of_endpoint e ON e.theirs = o.endpoint
                 WHERE (o.take = 1 OR EXISTS (SELECT 1 FROM other.payments p WHERE p.job = o.id)
                         OR EXISTS (SELECT 1 FROM other.served s WHERE s.job = o.id AND {served}))
                     AND NOT EXISTS (SELECT 1 FROM main.jobs m WHERE m.batch = b.ours AND m.job = o.job AND m.take = o.take)
                 ORDER BY o.id"
            ),
            [],
        )?;
        self.merged.jobs = u64::try_from(new).unwrap_or(u64::MAX);
        self.tx.execute(
            "UPDATE main.jobs SET last_load = 0 WHERE id > ?1 AND batch IN (SELECT ours FROM of_batch WHERE NOT is_newer)",
            [last],
        )?;
        self.tx.execute(
            "INSERT INTO of_job SELECT o.id, m.id FROM other.jobs o JOIN of_batch b ON b.theirs = o.batch
                 JOIN main.jobs m ON m.batch = b.ours AND m.job = o.job AND m.take = o.take",
            [],
        )?;
        Ok(())
    }

    /// Words of a person there that were accepted, and that nothing came of so far.
    fn leave_unbegun(&mut self) -> Result<(), Fault> {
        let mut statement = self.tx.prepare(
            "SELECT o.job, o.take - 1, m.name FROM other.jobs o JOIN other.batches a ON a.id = o.batch
                 JOIN of_batch b ON b.theirs = o.batch JOIN main.batches m ON m.id = b.ours
             WHERE o.take > 1 AND o.superseded = 0 AND o.state IN ('pending', 'failed') AND o.first_load <= a.accepted_load
                 AND NOT EXISTS (SELECT 1 FROM other.payments p WHERE p.job = o.id)
                 AND NOT EXISTS (SELECT 1 FROM main.jobs k WHERE k.batch = b.ours AND k.job = o.job AND k.take >= o.take)
             ORDER BY o.id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, take, batch): (String, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.merged.unbegun.add(&format!("{} of {batch}", TakeId { id, take }));
        }
        Ok(())
    }

    /// Jobs that a token has served, with the answers. Where one is still to be bought here, whatever was tried for it before, and nothing
    /// that was begun for it may still settle, it stands as it does there: it needs no purchase, or waits for a person. What a person has
    /// said here of the very same answer stays.
    fn served(&self) -> Result<(), Fault> {
        let of_both = "FROM other.served s JOIN other.payments q ON q.id = s.payment
                 JOIN main.payments p ON p.payment_hash = q.payment_hash
                 JOIN of_job j ON j.theirs = s.job JOIN other.jobs o ON o.id = s.job JOIN main.jobs m ON m.id = j.ours";
        let is_new = format!(
            "m.state IN ('pending', 'refused', 'failed') AND m.content = o.content AND {}
                 AND (o.state <> 'refused' OR NOT EXISTS (SELECT 1 FROM main.served k WHERE k.job = m.id AND k.at >= s.at))
                 AND NOT EXISTS (SELECT 1 FROM main.payments l
                     WHERE l.job = m.id AND (l.dead_proof IS NULL OR l.dead_proof = 'decided'))",
            is_served()
        );
        let mut statement = self.tx.prepare(&format!("SELECT j.ours, j.theirs {of_both} WHERE {is_new}"))?;
        let new = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (ours, theirs) in new.collect::<Result<Vec<(i64, i64)>, _>>()? {
            JOBS.combine(self.tx, ours, theirs)?;
            self.tx.prepare_cached("DELETE FROM main.served WHERE job = ?1")?.execute([ours])?;
        }
        let (columns, theirs) = (SERVED.list(""), SERVED.list("s."));
        self.tx.execute(
            &format!(
                "INSERT INTO main.served (job, payment, {columns}) SELECT j.ours, p.id, {theirs} {of_both}
                 WHERE m.state = o.state AND m.url IS o.url AND m.content = o.content ON CONFLICT (job) DO NOTHING"
            ),
            [],
        )?;
        Ok(())
    }

    /// Transitions and decisions of either.
    fn histories(&self) -> Result<(), Fault> {
        for table in [&TRANSITIONS, &DECISIONS] {
            let (name, columns, theirs) = (table.name, table.list(""), table.list("o."));
            self.tx.execute(
                &format!(
                    "INSERT INTO main.{name} (job, {columns})
                     SELECT j.ours, {theirs} FROM other.{name} o JOIN of_job j ON j.theirs = o.job
                     EXCEPT SELECT job, {columns} FROM main.{name} ORDER BY at"
                ),
                [],
            )?;
        }
        Ok(())
    }

    /// What persons say of takes: of the take that has the payment here, whatever its number.
    fn marks(&self) -> Result<(), Fault> {
        let (columns, theirs, newer) = (MARKS.list(""), MARKS.list("o."), MARKS.assignments());
        self.tx.execute_batch(&format!(
            "CREATE TEMP TABLE said AS SELECT coalesce((SELECT p.job FROM other.payments q
                     JOIN main.payments p ON p.payment_hash = q.payment_hash WHERE q.job = o.job AND q.dead_proof IS NULL),
                     j.ours) AS job, {theirs}
                 FROM other.marks o LEFT JOIN of_job j ON j.theirs = o.job;
             UPDATE main.marks AS m SET {newer} FROM said o WHERE o.job = m.job;
             INSERT INTO main.marks (job, {columns}) SELECT job, {columns} FROM said WHERE job IS NOT NULL
                 ON CONFLICT DO NOTHING;
             DROP TABLE said;"
        ))?;
        Ok(())
    }

    /// What endpoints have delivered, and a person's words for origins.
    fn bounds(&self) -> Result<(), Fault> {
        let (urls, newest) = (ENDPOINT_URLS.list(""), ENDPOINT_URLS.assignments());
        let (words, theirs, known) = (TRUSTS.list(""), TRUSTS.list("o."), TRUSTS.assignments());
        self.tx.execute_batch(&format!(
            "UPDATE main.endpoint_urls AS m SET {newest} FROM other.endpoint_urls o WHERE o.url = m.url;
             INSERT INTO main.endpoint_urls ({urls}) SELECT {urls} FROM other.endpoint_urls WHERE true
                 ON CONFLICT (url) DO NOTHING;
             UPDATE main.payments SET endpoint_url = e.id FROM other.payments q
                 JOIN other.endpoint_urls o ON o.id = q.endpoint_url JOIN main.endpoint_urls e ON e.url = o.url
                 WHERE q.payment_hash = payments.payment_hash AND payments.endpoint_url IS NULL;
             UPDATE main.payments SET endpoint_url = e.id FROM main.intents i JOIN main.endpoint_urls e
                 ON e.url = substr(i.url, 1, instr(i.url || '?', '?') - 1)
                 WHERE i.payment = payments.id AND endpoint_url IS NULL;
             CREATE TEMP TABLE words AS SELECT o.origin, o.number, b.ours AS batch, p.id AS payment, {theirs}
                 FROM other.trusts o JOIN of_batch b ON b.theirs = o.batch
                     LEFT JOIN other.payments q ON q.id = o.payment
                     LEFT JOIN main.payments p ON p.payment_hash = q.payment_hash;
             UPDATE main.trusts AS m SET payment = coalesce(m.payment, o.payment), {known}
                 FROM words o WHERE o.origin = m.origin AND o.number = m.number;
             INSERT INTO main.trusts (origin, number, batch, payment, {words})
                 SELECT origin, number, batch, payment, {words} FROM words WHERE true ON CONFLICT DO NOTHING;
             DROP TABLE words;"
        ))?;
        Ok(())
    }

    /// History checks, periods, which ledger it is, and what was merged before.
    fn rest(&self, was_empty: bool) -> Result<(), Fault> {
        let (kept, first, periods) = (WITNESSES.list(""), WITNESSES.assignments(), PERIODS.mapped.join(", "));
        let merges = MERGES.list("");
        self.tx.execute_batch(&format!(
            "UPDATE main.witnesses AS m SET {first} FROM other.witnesses o WHERE o.node = m.node;
             INSERT INTO main.witnesses (node, {kept}) SELECT node, {kept} FROM other.witnesses WHERE true
                 ON CONFLICT (node) DO NOTHING;
             INSERT INTO main.periods ({periods}) SELECT {periods} FROM other.periods WHERE true ON CONFLICT DO NOTHING;
             INSERT INTO main.merges ({merges}) SELECT {merges} FROM other.merges
                 EXCEPT SELECT {merges} FROM main.merges;"
        ))?;
        if was_empty {
            let id = LEDGER_ID.assignments();
            self.tx.execute(
                &format!("UPDATE main.ledger_id AS m SET {id} FROM other.ledger_id o WHERE o.only_row = m.only_row"),
                [],
            )?;
        }
        Ok(())
    }
}
