//! Writes what is decided, and decides nothing.

use std::collections::BTreeMap;

use rusqlite::{Connection, ToSql, params};

use crate::ledger::decide::{AnswerWrite, Charged, EndpointKey, IN_ALL, Job, Moved, RefundWrite, Write};
use crate::ledger::sqlite::bodies::{Bodies, Kept};
use crate::ledger::sqlite::convert::{Json, hex, int, kind_word};
use crate::ledger::sqlite::error::{Fault, contradiction};
use crate::ledger::{
    BatchKey, DownloadedFile, FetchMark, FurtherResult, JobKey, NewIntent, PaymentKey, RefundInvoice, RefundStanding,
    Served,
};
use crate::purchase::JobState;
use crate::time::UnixMs;

use super::jobs::append_transition;
use super::{Tx, origin_periods, rows, takes, write_payment};

/// What money moves in: a batch, the periods to which a payment is charged, and the origin of its endpoint.
type Purse<'w> = (BatchKey, &'w Charged, Option<EndpointKey>);

/// What many writes of a group come to, each written once.
#[derive(Default)]
struct Gathered<'w> {
    transitions: Vec<(i64, i64, &'static str, &'static str, &'static str)>,
    money: BTreeMap<Purse<'w>, Moved>,
    unneeded: Vec<i64>,
}

/// Writes these, as if in their order.
pub(super) fn all(tx: &mut Tx<'_>, writes: &[Write<'_>]) -> Result<(), Fault> {
    let mut gathered = Gathered::default();
    for (place, write) in writes.iter().enumerate() {
        match write {
            Write::Intend(payment, intent) => {
                write_payment::insert(tx.conn, payment)?;
                insert_intent(tx.conn, tx.bodies, payment.key, intent)?;
                tx.intents = tx.intents.saturating_add(1);
            }
            Write::BodyUnneeded(payment) => gathered.unneeded.push(payment.0),
            Write::Transition { job, at, from, to, reason } => {
                gathered.transitions.push((job.0, at.0, from.as_str(), to.as_str(), reason.as_str()));
            }
            Write::Money(batch, charged, endpoint, moved) => {
                gathered.move_money((*batch, charged, *endpoint), *moved)?
            }
            Write::OriginPeriod { .. } => {
                // It is the sum over the payments as they stand: what moved before is in it, and moves into it no more.
                gathered.write_money(tx.conn)?;
                row(tx.conn, write)?;
            }
            // A later one says all that this one says.
            Write::Delivers(endpoint, _) if delivers_again(writes, place, *endpoint) => {}
            Write::JoinTakes(_) => {
                // The history of the take that goes is told of the other one.
                append_transitions(tx.conn, &std::mem::take(&mut gathered.transitions))?;
                row(tx.conn, write)?;
            }
            other => row(tx.conn, other)?,
        }
    }
    gathered.write(tx)
}

fn delivers_again(writes: &[Write<'_>], place: usize, endpoint: EndpointKey) -> bool {
    let mut later = writes.iter().skip(place.saturating_add(1));
    later.any(|write| matches!(write, Write::Delivers(of, _) if *of == endpoint))
}

impl<'w> Gathered<'w> {
    fn move_money(&mut self, of: Purse<'w>, moved: Moved) -> Result<(), Fault> {
        let sum = self.money.entry(of).or_default();
        match sum.and(moved) {
            Some(both) => *sum = both,
            None => return contradiction("more money than a ledger can hold"),
        }
        Ok(())
    }

    fn write_money(&mut self, conn: &Connection) -> Result<(), Fault> {
        for (purse, moved) in std::mem::take(&mut self.money) {
            move_money(conn, purse, moved)?;
        }
        Ok(())
    }

    fn write(mut self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        append_transitions(tx.conn, &self.transitions)?;
        self.write_money(tx.conn)?;
        if tx.bodies.exist() {
            tx.unused.extend(rows::<_, _, Vec<[u8; 32]>>(tx.conn, BODY_FILES, &self.unneeded, |row| row.get(0))?);
        }
        Ok(())
    }
}

/// The files of the bodies of the payments ?1.
pub(super) const BODY_FILES: &str = "SELECT body_sha256 FROM intents
    WHERE payment IN (SELECT value FROM json_each(?1)) AND body_sha256 IS NOT NULL";

fn append_transitions(
    tx: &Connection,
    transitions: &[(i64, i64, &'static str, &'static str, &'static str)],
) -> Result<(), Fault> {
    if transitions.is_empty() {
        return Ok(());
    }
    execute(
        tx,
        "INSERT INTO transitions (job, at, from_state, to_state, reason)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) ORDER BY key",
        params![Json(transitions)],
    )
}

/// A settlement that its node must still know.
const WITNESS: &str = "INSERT INTO witnesses (node, hash, at) VALUES (?1, ?2, ?3)";

/// A person's word for an origin.
const WORD: &str = "INSERT INTO trusts (origin, number, batch, at) VALUES (?1, ?2, ?3, ?4)";

/// An endpoint that delivers owes nothing any more.
const DELIVERED: &str = "UPDATE payments SET undelivered = 0 WHERE endpoint_url = ?1 AND undelivered > 0";

/// Writes what concerns rows alone, and no file beside them.
pub(in crate::ledger::sqlite) fn row(tx: &Connection, write: &Write<'_>) -> Result<(), Fault> {
    match write {
        Write::Job(job) => update_job(tx, job),
        Write::Transition { job, at, from, to, reason } => append_transition(tx, *at, *job, *from, *to, *reason),
        Write::MoreResults(job, urls) => set_more(tx, *job, urls),
        Write::Fetching(job, number, mark) => update_mark(tx, *job, *number, mark),
        Write::File(job, file) => update_file(tx, *job, file),
        Write::FurtherTake { of, key, take, moved } => takes::insert_further(tx, *of, (*key, *take), *moved),
        Write::Unreplace { of, next } => takes::unreplace(tx, *of, *next),
        Write::JoinTakes(join) => takes::join(tx, join),
        Write::Decision { job, at, decision, note, evidence } => execute(
            tx,
            "INSERT INTO decisions (job, at, decision, note, evidence) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![job, at, decision, note, evidence],
        ),
        Write::Keep(job) => execute(
            tx,
            "UPDATE jobs SET reason = '', kept = coalesce(row_content, content) WHERE id = ?1",
            params![job],
        ),
        Write::Payment(was, is) => write_payment::update(tx, was, is),
        Write::Money(batch, charged, endpoint, moved) => move_money(tx, (*batch, charged, *endpoint), *moved),
        Write::OriginPeriod { origin, period } => execute(tx, &origin_periods::keep(), params![origin, period]),
        Write::Period(kind, name) => execute(
            tx,
            "INSERT INTO periods (kind, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![<&str>::from(kind), name],
        ),
        Write::Endpoint { key, url, origin } => {
            execute(tx, "INSERT INTO endpoint_urls (id, url, origin) VALUES (?1, ?2, ?3)", params![key, url, origin])
        }
        Write::Delivers(endpoint, at) => {
            execute(tx, "UPDATE endpoint_urls SET delivered_at = ?2 WHERE id = ?1", params![endpoint, at])?;
            execute(tx, DELIVERED, params![endpoint])
        }
        Write::AcceptsAgain(origin) => execute(
            tx,
            "UPDATE payments SET rejected = 0 WHERE rejected = 1
                 AND endpoint_url IN (SELECT id FROM endpoint_urls WHERE origin = ?1)",
            params![origin],
        ),
        Write::Word { origin, number, batch, at } => execute(tx, WORD, params![origin, number, batch, at]),
        Write::UseWord { origin, number, payment } => execute(
            tx,
            "UPDATE trusts SET payment = ?3 WHERE origin = ?1 AND number = ?2",
            params![origin, number, payment],
        ),
        Write::LapseWord { origin, number, at } => execute(
            tx,
            "UPDATE trusts SET lapsed_at = ?3 WHERE origin = ?1 AND number = ?2",
            params![origin, number, at],
        ),
        Write::KeptSettlement { node, hash, at } => execute(tx, WITNESS, params![node.0, hash, at]),
        Write::Served(served, at) => self::served(tx, served, *at),
        Write::Answer(write) => answer(tx, write),
        Write::Refund(payment, write) => refund(tx, *payment, write),
        Write::Intend(..) | Write::BodyUnneeded(_) => contradiction("a body without its folder"),
    }
}

fn execute(tx: &Connection, sql: &str, params: &[&dyn ToSql]) -> Result<(), Fault> {
    tx.prepare_cached(sql)?.execute(params)?;
    Ok(())
}

/// That one row was written: the one that was named.
pub(super) fn expect_one(rows: usize, what: impl FnOnce() -> String) -> Result<(), Fault> {
    if rows == 1 { Ok(()) } else { contradiction(what()) }
}

/// Where something of it may have been bought before, the row says so already, and what is found by that is not touched again.
fn update_job(tx: &Connection, job: &Job) -> Result<(), Fault> {
    let update = |begins: &str, begun: &str| -> Result<usize, Fault> {
        let sql = format!(
            "UPDATE jobs SET state = ?2, reason = ?3, error = ?4, wait_until = ?5, url = ?6, attempts = ?7, started_at = ?8,
                 finished_at = ?9{begins}
             WHERE id = ?1{begun}"
        );
        Ok(tx.prepare_cached(&sql)?.execute(params![
            job.key,
            job.state,
            job.reason,
            job.error,
            job.wait_until,
            job.url,
            job.attempts,
            job.started_at,
            job.finished_at
        ])?)
    };
    if job.state.has_spent_nothing() {
        update("", "")?;
    } else if job.state == JobState::Running || update("", " AND begun = 1")? == 0 {
        update(", begun = 1", "")?;
    }
    Ok(())
}

/// Under which a path is compared with others: two that differ only by case are one on many systems.
pub(in crate::ledger::sqlite) fn file_key(file: &str) -> String {
    file.to_lowercase()
}

fn set_more(tx: &Connection, job: JobKey, urls: &[String]) -> Result<(), Fault> {
    let more: Vec<_> = urls.iter().map(|url| FurtherResult { url: url.clone(), mark: None }).collect();
    execute(tx, "UPDATE jobs SET more = ?2 WHERE id = ?1", params![job, Json(more)])
}

fn update_mark(tx: &Connection, job: JobKey, number: usize, mark: &FetchMark) -> Result<(), Fault> {
    if let Some(at) = number.checked_sub(1) {
        let sql = "UPDATE jobs SET more = json_replace(more, '$[' || ?2 || '].mark', json(?3)) WHERE id = ?1";
        return execute(tx, sql, params![job, i64::try_from(at).unwrap_or(i64::MAX), Json(mark)]);
    }
    let sha256 = mark.sha256.map(|sha| hex(&sha));
    execute(
        tx,
        "UPDATE jobs SET file = ?2, file_key = ?3, resume = ?4, sha256 = ?5 WHERE id = ?1",
        params![job, mark.file, file_key(&mark.file), mark.resume.as_ref().map(Json), sha256],
    )
}

fn update_file(tx: &Connection, job: JobKey, whole: &DownloadedFile) -> Result<(), Fault> {
    execute(
        tx,
        "UPDATE jobs SET file = ?2, file_key = ?3, resume = NULL, sha256 = ?4 WHERE id = ?1",
        params![job, whole.file, file_key(&whole.file), hex(&whole.sha256)],
    )
}

fn move_money(tx: &Connection, (batch, charged, endpoint): Purse<'_>, moved: Moved) -> Result<(), Fault> {
    let rows = tx
        .prepare_cached(
            "UPDATE batches SET held_msat = held_msat + ?2, spent_msat = spent_msat + ?3, fees_msat = fees_msat + ?4,
                 refunded_msat = refunded_msat + ?5
             WHERE id = ?1",
        )?
        .execute(params![batch, moved.held, moved.spent, moved.fees, moved.refunded])?;
    expect_one(rows, || format!("there is no batch {}", batch.0))?;
    let Charged { day, month } = charged;
    let expected = usize::from(day.is_some()).saturating_add(usize::from(month.is_some()));
    if expected > 0 {
        let rows = tx
            .prepare_cached(
                "UPDATE periods SET held_msat = held_msat + ?3, spent_msat = spent_msat + ?4 + ?5,
                     refunded_msat = refunded_msat + ?6
                 WHERE (kind = 'day' AND name = ?1) OR (kind = 'month' AND name = ?2)",
            )?
            .execute(params![day, month, moved.held, moved.spent, moved.fees, moved.refunded])?;
        if rows != expected {
            return contradiction(format!("there is no day {day:?}, or no month {month:?}"));
        }
    }
    let Some(endpoint) = endpoint else { return Ok(()) };
    execute(
        tx,
        origin_periods::MOVE,
        params![
            endpoint,
            charged.day,
            charged.month,
            IN_ALL,
            moved.held,
            moved.spent.saturating_add(moved.fees),
            moved.refunded
        ],
    )
}

fn insert_intent(tx: &Connection, bodies: &Bodies, payment: PaymentKey, intent: &NewIntent) -> Result<(), Fault> {
    let request = &intent.request;
    let (body, body_sha256) = match bodies.keep(request.body())? {
        Kept::Inline(body) => (Some(body), None),
        Kept::File(digest) => (None, Some(digest)),
    };
    execute(
        tx,
        "INSERT INTO intents (payment, request_digest, method, url, scheme, token, challenge, invoice, payee, network,
             invoice_expires_at, credential_expires_at, body_sha256, body, headers)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            payment,
            request.digest(),
            request.method,
            request.url.as_str(),
            intent.scheme,
            intent.token.reveal(),
            Json(besides(intent)),
            intent.invoice,
            intent.payee,
            intent.network,
            intent.invoice_expires_at,
            intent.credential_expires_at,
            body_sha256,
            body,
            Json(request.headers())
        ],
    )
}

/// What stands in a challenge's part: its word, or which column of its own holds that.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum PartValue<'a> {
    Word(&'a str),
    Column { is: &'static str },
}

/// The challenge, without the words that stand in columns of their own.
fn besides(intent: &NewIntent) -> Vec<(&str, PartValue<'_>)> {
    let own = [("token", intent.token.reveal()), ("invoice", intent.invoice.as_str())];
    let value = |value| match own.iter().find(|(_, word)| *word == value) {
        Some((is, _)) => PartValue::Column { is },
        None => PartValue::Word(value),
    };
    intent.challenge.iter().map(|(name, word)| (name.as_str(), value(word.as_str()))).collect()
}

fn answer(tx: &Connection, write: &AnswerWrite<'_>) -> Result<(), Fault> {
    match write {
        AnswerWrite::New { key, payment, kind, at, answer, is_read } => execute(
            tx,
            "INSERT INTO answers (id, payment, kind, at, status, headers, body, interpreted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![key, payment, kind_word(*kind), at, answer.status, Json(&answer.headers), answer.body, is_read],
        ),
        AnswerWrite::Cut(key, bytes) => {
            execute(tx, "UPDATE answers SET body = substr(body, 1, ?2) WHERE id = ?1", params![key, int(*bytes)?])
        }
        AnswerWrite::Drop(key) => execute(tx, "DELETE FROM answers WHERE id = ?1", params![key]),
        AnswerWrite::Interpreted(payment, last) => execute(
            tx,
            "UPDATE answers SET interpreted = 1 WHERE payment = ?1 AND id <= ?2 AND interpreted = 0",
            params![payment, last],
        ),
    }
}

/// A job that ended without its result may be asked for once more, by a person's word: the last answer counts.
fn served(tx: &Connection, served: &Served, at: UnixMs) -> Result<(), Fault> {
    let Served { job, by, request, answer, came: _ } = served;
    execute(
        tx,
        "INSERT OR REPLACE INTO served (job, payment, at, status, headers, body, request_digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![job, by, at, answer.status, Json(&answer.headers), answer.body, request],
    )
}

fn refund(tx: &Connection, payment: PaymentKey, write: &RefundWrite<'_>) -> Result<(), Fault> {
    match write {
        RefundWrite::Offered { batch, link, at } => execute(
            tx,
            "INSERT INTO refunds (payment, batch, state, link, offered_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (payment) DO UPDATE SET link = coalesce(excluded.link, link)",
            params![payment, batch, RefundStanding::Offered, link, at],
        ),
        RefundWrite::Invoiced { invoice, at } => invoiced(tx, payment, invoice, *at),
        RefundWrite::HandedOver { callback, k1, at } => execute(
            tx,
            "UPDATE refunds SET callback = ?2, k1 = ?3, handovers = handovers + 1, handed_at = ?4 WHERE payment = ?1",
            params![payment, callback, k1, at],
        ),
        RefundWrite::Said { words, at } => {
            let sql = "UPDATE refunds SET words = ?2, words_at = ?3 WHERE payment = ?1";
            execute(tx, sql, params![payment, words, at])
        }
        RefundWrite::Ends { standing, received } => {
            let (received, at) = received.unzip();
            let sql = "UPDATE refunds SET state = ?2, received_msat = ?3, settled_at = ?4 WHERE payment = ?1";
            execute(tx, sql, params![payment, standing, received, at])
        }
    }
}

fn invoiced(tx: &Connection, payment: PaymentKey, invoice: &RefundInvoice, at: UnixMs) -> Result<(), Fault> {
    execute(
        tx,
        "UPDATE refunds SET state = ?2, hash = ?3, invoice = ?4, amount_msat = ?5, node = ?6, made_at = ?7,
             expires_at = ?8, callback = ?9, k1 = ?10, handovers = 1, handed_at = ?7, words = NULL, words_at = NULL
         WHERE payment = ?1",
        params![
            payment,
            RefundStanding::Invoiced,
            invoice.hash,
            invoice.invoice,
            invoice.amount,
            invoice.node.0,
            at,
            invoice.expires_at,
            invoice.callback.as_str(),
            invoice.k1
        ],
    )
}
