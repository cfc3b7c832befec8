//! Receipts as a ledger of their own, so that what they prove is merged by the same rules as any other ledger's rows.
//! What a receipt proves stands in `ledger::decide::merge`.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::MergeSource;
use crate::catalog::Endpoint;
use crate::l402::{Network, PaymentHash};
use crate::ledger::decide::merge::{Proof, stands_twice};
use crate::ledger::sqlite::convert::Json;
use crate::ledger::sqlite::core::configure;
use crate::ledger::sqlite::error::Fault;
use crate::ledger::sqlite::{SqliteLedger, schema};
use crate::ledger::{
    FurtherResult, KNOWN_BY_RECEIPT, KnownParams, LedgerError, ReceiptKind, ReceiptRow, UNKNOWN_CONTENT,
};
use crate::purchase::Reason;

impl MergeSource {
    /// The receipts of that file, of batches that were begun from `manifest`. An endpoint that the
    /// ledger does not know is taken for one like `stranger`. What was asked for is known where `asked` tells: cells by
    /// parameter, as results have them.
    ///
    /// # Errors
    /// Where a row proves nothing (its preimage does not belong to its hash), or no ledger can be made of them.
    pub fn of_receipts(
        file: &Path,
        manifest: &str,
        rows: &[ReceiptRow],
        asked: &KnownParams,
        stranger: &Endpoint,
        into: &SqliteLedger,
    ) -> Result<Self, LedgerError> {
        let beside = into.path().and_then(Path::parent).unwrap_or(Path::new("."));
        let make = || -> Result<Self, Fault> {
            let copy = tempfile::Builder::new().prefix(".merge-").tempfile_in(beside)?.into_temp_path();
            let mut conn = Connection::open(&copy)?;
            configure(&conn)?;
            schema::create_or_migrate(&mut conn, "receipts")?;
            let tx = conn.transaction()?;
            for row in rows {
                match row.kind {
                    ReceiptKind::Payment => {
                        let cells = asked.get(&(row.batch.clone(), row.id.clone(), row.take));
                        let asked = cells.map(Vec::as_slice).unwrap_or_default();
                        payment(&tx, manifest, row, asked, &endpoint(into, row, stranger)?)?;
                    }
                    ReceiptKind::Refund => refund(&tx, row)?,
                }
            }
            tx.commit()?;
            Ok(Self { file: file.to_owned(), copy, batches: names(&conn)?, of_receipts: true })
        };
        make().map_err(Fault::into_error)
    }
}

/// The names of a ledger's batches.
pub(super) fn names(conn: &Connection) -> Result<Vec<String>, Fault> {
    let mut names = conn.prepare("SELECT name FROM batches ORDER BY id")?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The endpoint as the ledger last knew it, in JSON.
fn endpoint(into: &SqliteLedger, row: &ReceiptRow, stranger: &Endpoint) -> Result<String, Fault> {
    let known: Option<String> = into
        .conn
        .prepare_cached("SELECT json FROM endpoints WHERE json_extract(json, '$.name') = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([&row.endpoint], |found| found.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let url = url::Url::parse(&format!("https://{}/", row.seller)).unwrap_or_else(|_| stranger.url.clone());
    let endpoint = Endpoint { name: row.endpoint.clone(), url, ..stranger.clone() };
    serde_json::to_string(&endpoint).map_err(|error| Fault::Contradiction(error.to_string()))
}

fn payment(
    tx: &Connection,
    manifest: &str,
    row: &ReceiptRow,
    asked: &[(String, String)],
    endpoint: &str,
) -> Result<(), Fault> {
    let proof = Proof::of(row, asked).map_err(LedgerError::from)?;
    if is_there(tx, row)? {
        return Ok(());
    }
    let job = job(tx, manifest, row, &proof, endpoint)?;
    tx.execute(
        "INSERT INTO payments (job, batch, payment_hash, state, amount_msat, fee_limit_msat, fee_msat, node, sends_begun,
             sends_answered, sent_at, preimage, intended_at, paid_at, posted_at, delivered_at)
         VALUES (?1, (SELECT batch FROM jobs WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, 1, 1, ?8, ?9, ?8, ?8, ?10, ?11)",
        params![
            job,
            row.hash,
            proof.payment,
            row.amount,
            row.fee.unwrap_or_default(),
            row.fee,
            proof.node,
            row.paid_at,
            proof.preimage,
            proof.posted_at,
            proof.delivered_at
        ],
    )?;
    let payment = tx.last_insert_rowid();
    tx.execute(
        "INSERT INTO intents (payment, request_digest, method, url, scheme, token, challenge, invoice, payee, network,
             invoice_expires_at, credential_expires_at, body)
         VALUES (?1, ?2, 'POST', ?3, 'L402', '', '[]', ?4, ?5, ?6, ?7, ?7, x'')",
        params![
            payment,
            proof.request,
            format!("https://{}/", row.seller),
            row.invoice,
            row.payee_node,
            row.network.unwrap_or(Network::Regtest),
            row.paid_at
        ],
    )?;
    Ok(())
}

/// Whether the row stands twice: in two files that were put together.
fn is_there(tx: &Connection, row: &ReceiptRow) -> Result<bool, Fault> {
    let known: Option<PaymentHash> = tx
        .prepare_cached(
            "SELECT p.payment_hash FROM payments p JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = j.batch
             WHERE b.name = ?1 AND j.job = ?2 AND j.take = ?3",
        )?
        .query_row(params![row.batch, row.id, row.take], |found| found.get(0))
        .optional()?;
    Ok(stands_twice(row, known).map_err(LedgerError::from)?)
}

/// The job of a receipt, with its batch and its endpoint.
fn job(tx: &Connection, manifest: &str, row: &ReceiptRow, proof: &Proof<'_>, endpoint: &str) -> Result<i64, Fault> {
    let remembered = crate::ledger::Remembered::default();
    tx.execute(
        "INSERT INTO batches (name, manifest, sandbox, remembered, created_at, last_run_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (name) DO NOTHING",
        params![
            row.batch,
            manifest,
            row.network.is_none(),
            Json((&remembered.layout, &remembered.outputs, &remembered.download)),
            row.paid_at
        ],
    )?;
    let more: Vec<_> = proof.more.iter().map(|url| FurtherResult { url: (*url).to_owned(), mark: None }).collect();
    let hash: [u8; 32] = Sha256::digest(endpoint).into();
    tx.execute("INSERT INTO endpoints (hash, json) VALUES (?1, ?2) ON CONFLICT DO NOTHING", params![hash, endpoint])?;
    tx.execute(
        "INSERT INTO jobs (batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat, state, reason, error,
             attempts, started_at, finished_at, url, first_load, last_load, params, extra, more)
         VALUES ((SELECT id FROM batches WHERE name = ?1), ?2, ?3, 0, 0, (SELECT id FROM endpoints WHERE hash = ?4), ?5, ?6,
             ?7, ?8, ?9, ?10, 1, ?11, ?11, ?12, 0, 0, ?13, ?14, ?15)",
        params![
            row.batch,
            row.id,
            row.take,
            hash,
            UNKNOWN_CONTENT,
            row.amount,
            row.fee.unwrap_or_default(),
            proof.job,
            Reason::None,
            KNOWN_BY_RECEIPT,
            row.paid_at,
            proof.url,
            Json(&proof.asked),
            Json(&row.extra),
            (!more.is_empty()).then_some(Json(&more))
        ],
    )?;
    Ok(tx.last_insert_rowid())
}

/// Money that came back for one of the payments before it.
fn refund(tx: &Connection, row: &ReceiptRow) -> Result<(), Fault> {
    let paid: Option<(i64, i64)> = tx
        .query_row(
            "SELECT p.id, j.id FROM payments p JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = j.batch
             WHERE b.name = ?1 AND j.job = ?2 AND j.take = ?3",
            params![row.batch, row.id, row.take],
            |found| Ok((found.get(0)?, found.get(1)?)),
        )
        .optional()?;
    let Some((payment, job)) = paid else { return Ok(()) };
    tx.execute(
        "INSERT INTO refunds (payment, batch, state, offered_at, hash, invoice, amount_msat, node, made_at, expires_at,
             callback, k1, handovers, received_msat, settled_at)
         VALUES (?1, (SELECT batch FROM payments WHERE id = ?1), 'settled', ?2, ?3, ?4, ?5, ?6, ?2, ?2, '', '', 1, ?5, ?2)
         ON CONFLICT DO NOTHING",
        params![payment, row.paid_at, row.hash, row.invoice, row.amount, row.payee_node],
    )?;
    tx.execute("UPDATE jobs SET state = 'refunded', url = NULL WHERE id = ?1", [job])?;
    tx.execute("UPDATE payments SET delivered_at = NULL WHERE id = ?1", [payment])?;
    Ok(())
}
