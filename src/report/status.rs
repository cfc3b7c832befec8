//! `status`: where a batch stands, the jobs that need something, and one job with all that is known of it.

mod job;
#[cfg(test)]
pub(super) mod tests;
mod waiting;

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::command::{about_batch, command};
use crate::event::SpentBy;
use crate::fiat::Rate;
use crate::ledger::{Counts, LockedBy, PaymentRow, ResultRow, TakeRecord};
use crate::money::{Msat, counted, thousands, with_caps};
use crate::purchase::Next;
use crate::screen::table;
use crate::terminal_text::{printable, printable_json};
use crate::time::UnixMs;

use super::csv_out::Rows;
use super::format::{FORMAT_VERSION, Format};
use super::labels::{amount, held_words, is_without_file, refunded_words, sats, state_words, whole_line};
use super::next_commands::{command_about, node_needed};
use super::sums::write_sums;
use super::table_out::Dialect;
use super::table_row::Cells;
pub(super) use job::value_json;
use job::{takes_json, write_job};
#[cfg(test)]
pub(super) use tests::row;
pub use waiting::OpenPayments;
use waiting::{Waiting, payment_json};

/// Jobs in one table. More come in further tables, so that memory does not grow with the batch.
const TABLE_JOBS_MAX: usize = 1_000;

/// Jobs that need something and are listed without `--all`; the rest is counted.
const LISTED_JOBS_MAX: u64 = 1_000;

/// When a command works that ends at once as long as somebody is at work on the batch.
const ONCE_ALONE: &str = "once nobody is at work on the batch";

/// Which batch it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusHead {
    /// The batch's name.
    pub batch: String,
    /// Its manifest's path, where it has one.
    pub manifest: Option<String>,
    /// The ledger's path.
    pub ledger: String,
    /// Whoever is at work on the batch: nobody else can bring it on meanwhile.
    pub at_work: Option<LockedBy>,
    /// It is of play money, whose API and node ended with its run: nothing brings it on.
    pub is_play: bool,
}

impl StatusHead {
    /// The command that brings a job on, or shows what there is to decide.
    fn command_about(&self, row: &ResultRow) -> Option<String> {
        command_about(&self.batch, &row.id, row.state, row.reason).filter(|_| !self.has_ended(row))
    }

    /// What that command needs besides, in words.
    fn needed(&self, row: &ResultRow) -> Option<String> {
        if row.next != Next::Rerun || self.command_about(row).is_none() {
            return None;
        }
        let alone = self.at_work.as_ref().map(|_| ONCE_ALONE);
        let node = node_needed(row.state);
        let words: Vec<&str> = alone.into_iter().chain(node).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// What a job waits for. Nothing comes any more where only those could bring it who have ended.
    fn waits(&self, row: &ResultRow, payment: Option<&PaymentRow>, zone: &TimeZone) -> Option<String> {
        if self.has_ended(row) { None } else { waiting::waits(row, payment, zone) }
    }

    fn has_ended(&self, row: &ResultRow) -> bool {
        self.is_play && row.next == Next::Rerun
    }
}

/// Its money.
#[derive(Debug)]
pub struct StatusMoney<'a> {
    /// The batch's sums.
    pub counts: &'a Counts,
    /// What groups of its jobs have come to, where that is asked for.
    pub sums: Option<&'a SpentBy>,
    /// What a bitcoin costs in another currency, where that is known.
    pub rate: Option<Rate>,
}

/// How it is shown.
#[derive(Clone, Debug)]
pub struct StatusStyle {
    /// For people or for programs.
    pub format: Format,
    /// Every job, instead of those whose next step is not `none`.
    pub all: bool,
    /// Only jobs that need a person, instead of those too that the next run brings on.
    pub quiet: bool,
    /// The terminal's columns, to which the table is folded; none where it is not.
    pub columns: Option<u16>,
    /// The zone in which the table shows times. JSON and CSV are in UTC, with their offset.
    pub zone: TimeZone,
    /// Invoice and preimage of the chosen jobs, too.
    pub proof: bool,
}

/// Writes where a batch stands: counts and money (table and JSON), then its jobs.
///
/// # Errors
/// Where `out` cannot be written or `rows` cannot be read.
pub fn write_status(
    out: &mut dyn Write,
    head: &StatusHead,
    money: &StatusMoney<'_>,
    rows: Rows<'_, ResultRow>,
    payments: &OpenPayments,
    style: &StatusStyle,
) -> io::Result<()> {
    match style.format {
        Format::Table => {
            write_counts(out, head, money.counts)?;
            write_fiat(out, money)?;
            money.sums.map_or(Ok(()), |sums| write_sums(out, sums, style.columns))?;
            write_tables(out, head, rows, payments, style)
        }
        Format::Json => {
            let mut list = begin_json(out, head, money)?;
            rows(&mut |row| {
                if style.shows(&row) { list.put(&job_json(head, &row, payments.get(&row.id))) } else { Ok(()) }
            })?;
            list.end()
        }
        Format::Csv => write_csv(out, head, rows, payments, style),
    }
}

/// Writes all that is known of the chosen jobs, each with its takes, the latest last.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_jobs(
    out: &mut dyn Write,
    head: &StatusHead,
    counts: &Counts,
    jobs: &[Vec<TakeRecord>],
    style: &StatusStyle,
) -> io::Result<()> {
    let latest = || jobs.iter().filter_map(|takes| takes.last());
    match style.format {
        Format::Table => jobs.iter().enumerate().try_for_each(|(place, takes)| {
            if place > 0 {
                writeln!(out, "\n")?;
            }
            write_job(out, head, takes, style)
        }),
        Format::Json => {
            let mut list = begin_json(out, head, &StatusMoney { counts, sums: None, rate: None })?;
            for takes in jobs {
                let Some(latest) = takes.last() else { continue };
                let mut job = job_json(head, &latest.row, latest.payments.last().map(|payment| &payment.row));
                job["takes"] = takes_json(takes, style.proof);
                list.put(&job)?;
            }
            list.end()
        }
        Format::Csv => {
            let payment = |take: &TakeRecord| Some((take.row.id.clone(), take.payments.last()?.row.clone()));
            let payments: OpenPayments = latest().filter_map(payment).collect();
            let rows: Rows<'_, ResultRow> = &mut |each| latest().try_for_each(|take| each(take.row.clone()));
            write_csv(out, head, rows, &payments, style)
        }
    }
}

impl StatusStyle {
    fn shows(&self, row: &ResultRow) -> bool {
        self.all
            || match row.next {
                Next::None => false,
                Next::Rerun => !self.quiet,
                Next::Person => true,
            }
    }
}

fn write_counts(out: &mut dyn Write, head: &StatusHead, counts: &Counts) -> io::Result<()> {
    writeln!(out, "batch   {}", printable(&head.batch))?;
    if let Some(manifest) = &head.manifest {
        writeln!(out, "from    {}", whole_line(manifest))?;
    }
    writeln!(out, "ledger  {}", whole_line(&head.ledger))?;
    if let Some(by) = &head.at_work {
        // With play money nothing else brings it on anyway.
        let until = if head.is_play { "" } else { ": until it has ended, recover ends at once (11)" };
        writeln!(out, "at work {}{until}", printable(&by.to_string()))?;
    }
    writeln!(out)?;
    writeln!(out, "{:<14}  {}", "jobs", thousands(counts.all_jobs()))?;
    for count in counts.by_state.iter().filter(|count| count.jobs > 0) {
        let jobs = thousands(count.jobs);
        let line = format!("{:<14}  {jobs:<7} {}", state_words(count.state), count.reason.as_str());
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(
        out,
        "{:<14}  {} of {} planned, plus {} routing fees",
        "spent",
        amount(counts.spent),
        with_caps(counts.planned, counts.planned_capped, sats),
        amount(counts.fees)
    )?;
    if counts.refunded > Msat::ZERO {
        writeln!(out, "{:<14}  {}", "refunded", refunded_words(counts.refunded, counts.net_spent()))?;
    }
    if counts.held > Msat::ZERO {
        writeln!(out, "{:<14}  {}", "held", held_words(counts.held))?;
    }
    match counts.to_buy_worst_case {
        Msat::ZERO => Ok(()),
        most => writeln!(out, "{:<14}  at most {}, fees included", "left to buy", amount(most)),
    }
}

/// What was spent is worth at the rate that counts now, whenever it was spent.
fn write_fiat(out: &mut dyn Write, money: &StatusMoney<'_>) -> io::Result<()> {
    let StatusMoney { counts, rate: Some(rate), .. } = money else { return Ok(()) };
    let words = |amount: Msat| rate.words(amount);
    let (spent, fees, held) = (words(counts.spent), words(counts.fees), words(counts.held));
    let how = printable(&rate.to_string());
    writeln!(out, "{:<14}  spent {spent}, plus {fees} routing fees, held {held}; {how}", "in fiat")
}

fn fiat_json(rate: &Rate, counts: &Counts) -> Value {
    let Counts { spent, fees, refunded, held, .. } = *counts;
    rate.json(&[("spent", spent), ("fees", fees), ("refunded", refunded), ("held", held)])
}

fn write_tables(
    out: &mut dyn Write,
    head: &StatusHead,
    rows: Rows<'_, ResultRow>,
    payments: &OpenPayments,
    style: &StatusStyle,
) -> io::Result<()> {
    let mut page: Vec<[String; 5]> = Vec::new();
    let mut waiting = Waiting::new(payments);
    let (mut shown, mut unshown, mut unfetched) = (0_u64, 0_u64, 0_u64);
    rows(&mut |row| {
        if !style.shows(&row) {
            return Ok(());
        }
        waiting.note(&row);
        unfetched += u64::from(is_without_file(row.reason));
        if !style.all && shown >= LISTED_JOBS_MAX {
            unshown += 1;
            return Ok(());
        }
        shown += 1;
        page.push(table_row(&row, &style.zone));
        if page.len() >= TABLE_JOBS_MAX {
            write_page(out, &mut page, style.columns)?;
        }
        Ok(())
    })?;
    write_page(out, &mut page, style.columns)?;
    if unshown > 0 {
        writeln!(out, "and {} more; --all or --format csv shows them", thousands(unshown))?;
    }
    waiting.write(out, head, &style.zone)?;
    match unfetched {
        // There is nobody to fetch them from.
        _ if head.is_play => Ok(()),
        0 => Ok(()),
        files => writeln!(
            out,
            "\n{} that {} not here: `{}` fetches what can be had{}",
            counted(files, "file"),
            if files == 1 { "is" } else { "are" },
            command(&about_batch("download", &head.batch)),
            head.at_work.as_ref().map(|_| format!(", {ONCE_ALONE}")).unwrap_or_default()
        ),
    }
}

fn write_page(out: &mut dyn Write, page: &mut Vec<[String; 5]>, columns: Option<u16>) -> io::Result<()> {
    if page.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table(out, &["id", "state", "reason", "next", "detail"], &[], page.drain(..), columns)
}

fn table_row(row: &ResultRow, zone: &TimeZone) -> [String; 5] {
    let wait = row.wait_until.map(|until| format!("waiting until {}", local(until, zone)));
    let place = row.file.as_deref().or(row.url.as_deref());
    let words = row.error.as_deref().map(printable).or_else(|| place.map(whole_line));
    let detail: Vec<String> = [words, wait].into_iter().flatten().collect();
    [
        printable(&row.id),
        state_words(row.state).to_owned(),
        row.reason.as_str().to_owned(),
        row.next.as_str().to_owned(),
        detail.join("; "),
    ]
}

/// A time as the person's clock shows it: `2026-09-21 16:13 CEST`.
pub(in crate::report) fn local(at: UnixMs, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => at.rfc3339(),
    }
}

/// The jobs of a document, written one by one, as they may be too many for memory.
struct JsonList<'a> {
    out: &'a mut dyn Write,
    separator: &'static str,
}

impl JsonList<'_> {
    fn put(&mut self, job: &Value) -> io::Result<()> {
        write!(self.out, "{}\n{}", self.separator, printable_json(&job.to_string()))?;
        self.separator = ",";
        Ok(())
    }

    fn end(self) -> io::Result<()> {
        writeln!(self.out, "\n]}}")
    }
}

fn begin_json<'a>(out: &'a mut dyn Write, head: &StatusHead, money: &StatusMoney<'_>) -> io::Result<JsonList<'a>> {
    let StatusMoney { counts, sums, rate } = money;
    let mut top = json!({
        "format_version": FORMAT_VERSION,
        "type": "status",
        "batch": head.batch,
        "manifest": head.manifest,
        "ledger": head.ledger,
        "at_work": head.at_work.as_ref().map(|by| json!({
            "pid": by.pid,
            "host": by.host,
            "since": by.since.map(UnixMs::rfc3339),
        })),
        "job_count": counts.all_jobs(),
        "counts": counts.by_state.iter().map(|count| json!({
            "state": count.state,
            "reason": count.reason,
            "jobs": count.jobs,
            "price_msat": count.price,
        })).collect::<Vec<_>>(),
        "spent_msat": counts.spent,
        "fees_msat": counts.fees,
        "refunded_msat": counts.refunded,
        "net_spent_msat": counts.net_spent(),
        "held_msat": counts.held,
        "planned_msat": counts.planned,
        "planned_exact_msat": counts.planned.checked_sub(counts.planned_capped),
        "planned_capped_msat": counts.planned_capped,
        "to_buy_worst_case_msat": counts.to_buy_worst_case,
        "sums": sums,
        "fiat": rate.as_ref().map(|rate| fiat_json(rate, counts)),
    })
    .to_string();
    top.pop();
    write!(out, "{},\"jobs\":[", printable_json(&top))?;
    Ok(JsonList { out, separator: "" })
}

fn job_json(head: &StatusHead, row: &ResultRow, payment: Option<&PaymentRow>) -> Value {
    json!({
        "id": row.id,
        "line": row.line,
        "take": row.take,
        "state": row.state,
        "reason": row.reason,
        "next": row.next,
        "endpoint": row.endpoint,
        "price_sats": row.price.sats_ceil(),
        "price_msat": row.price,
        "price_is_cap": row.is_capped,
        "fee_msat": row.fee,
        "url": row.url,
        "file": row.file,
        "sha256": row.sha256,
        "more_urls": row.more_urls(),
        "more_files": row.more_files(),
        "attempts": row.attempts,
        "wait_until": row.wait_until.map(UnixMs::rfc3339),
        "error": row.error,
        "command": head.command_about(row),
        "command_needs": head.needed(row),
        "payment": payment.map(payment_json),
    })
}

/// Columns of the CSV that tell of the payment, where one is open.
const PAYMENT_COLUMNS: [&str; 9] = [
    "payment_hash",
    "held_msat",
    "node",
    "sends_begun",
    "sends_answered",
    "sent_at",
    "node_said",
    "node_said_at",
    "command",
];

fn write_csv(
    out: &mut dyn Write,
    head: &StatusHead,
    rows: Rows<'_, ResultRow>,
    payments: &OpenPayments,
    style: &StatusStyle,
) -> io::Result<()> {
    let mut csv = Dialect::default().begin(out)?;
    let columns = ["id", "line", "take", "state", "reason", "next", "endpoint", "url", "file", "wait_until", "error"];
    csv.write_record(columns.into_iter().chain(PAYMENT_COLUMNS))?;
    rows(&mut |row| {
        if !style.shows(&row) {
            return Ok(());
        }
        let mut put = Cells(&mut csv);
        put.standing(&row)?;
        put.maybe(row.url.as_deref())?;
        put.maybe(row.file.as_deref())?;
        put.time(row.wait_until)?;
        put.maybe(row.error.as_deref())?;
        let payment = payments.get(&row.id);
        put.word(&payment.map(|payment| payment.hash.hex()).unwrap_or_default())?;
        put.msat(payment.map(|payment| payment.held))?;
        put.maybe(payment.map(|payment| payment.node.as_str()))?;
        put.word(&payment.map(|payment| payment.sends_begun.to_string()).unwrap_or_default())?;
        put.word(&payment.map(|payment| payment.sends_answered.to_string()).unwrap_or_default())?;
        put.time(payment.map(|payment| payment.sent_at))?;
        put.maybe(payment.and_then(|payment| payment.node_said.as_deref()))?;
        put.time(payment.and_then(|payment| payment.node_said_at))?;
        // There is no column for what has to be so before, or to be said besides.
        put.maybe(head.command_about(&row).filter(|_| head.needed(&row).is_none()).as_deref())?;
        put.end()
    })?;
    csv.flush()
}
