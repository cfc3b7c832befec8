//! `status`: where a batch stands, and the jobs that need something.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::harmless::harmless;
use crate::ledger::{Counts, Next, ResultRow};
use crate::money::{Msat, thousands};
use crate::time::UnixMs;

use super::csv_out::{Cells, Dialect, Rows};
use super::format::{FORMAT_VERSION, Format, table};
use super::words::{sats, state_words, whole_line};

/// Jobs in one table. More come in further tables, so that memory does not grow with the batch.
const TABLE_JOBS_MAX: usize = 1_000;

/// Jobs that need something and are listed without `--all`; the rest is counted.
const LISTED_JOBS_MAX: u64 = 1_000;

/// Which batch it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusHead {
    /// The batch's name.
    pub batch: String,
    /// Its manifest's path, where it has one.
    pub manifest: Option<String>,
    /// The ledger's path.
    pub ledger: String,
}

/// How it is shown.
#[derive(Clone, Debug)]
pub struct StatusStyle {
    /// The form.
    pub format: Format,
    /// Every job, instead of those whose next step is not `none`.
    pub all: bool,
    /// The terminal's width in columns, for the table.
    pub width: u16,
    /// The zone in which the table shows times. JSON and CSV are in UTC, with their offset.
    pub zone: TimeZone,
}

/// Writes where a batch stands: counts and money (table and JSON), then its jobs.
///
/// # Errors
/// Where `out` cannot be written or `rows` cannot be read.
pub fn write_status(
    out: &mut dyn Write,
    head: &StatusHead,
    counts: &Counts,
    rows: Rows<'_, ResultRow>,
    style: &StatusStyle,
) -> io::Result<()> {
    match style.format {
        Format::Table => {
            write_counts(out, head, counts)?;
            write_tables(out, rows, style)
        }
        Format::Json => write_json(out, head, counts, rows, style),
        Format::Csv => write_csv(out, rows, style),
    }
}

impl StatusStyle {
    fn shows(&self, row: &ResultRow) -> bool {
        self.all || row.next != Next::None
    }
}

fn write_counts(out: &mut dyn Write, head: &StatusHead, counts: &Counts) -> io::Result<()> {
    writeln!(out, "batch   {}", harmless(&head.batch))?;
    if let Some(manifest) = &head.manifest {
        writeln!(out, "from    {}", whole_line(manifest))?;
    }
    writeln!(out, "ledger  {}\n", whole_line(&head.ledger))?;
    writeln!(out, "{:<14}  {}", "jobs", thousands(counts.all_jobs()))?;
    for count in counts.by_state.iter().filter(|count| count.jobs > 0) {
        let jobs = thousands(count.jobs);
        let line = format!("{:<14}  {jobs:<7} {}", state_words(count.state), count.reason.as_str());
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(
        out,
        "{:<14}  {} sats of {} planned, plus {} sats routing fees",
        "spent",
        sats(counts.spent),
        sats(counts.planned),
        sats(counts.fees)
    )?;
    if counts.held > Msat::ZERO {
        writeln!(out, "{:<14}  {} sats for payments that are not settled", "held", sats(counts.held))?;
    }
    match counts.to_buy_worst_case {
        Msat::ZERO => Ok(()),
        most => writeln!(out, "{:<14}  at most {} sats, fees included", "left to buy", sats(most)),
    }
}

fn write_tables(out: &mut dyn Write, rows: Rows<'_, ResultRow>, style: &StatusStyle) -> io::Result<()> {
    let mut page: Vec<[String; 5]> = Vec::new();
    let (mut shown, mut unshown) = (0_u64, 0_u64);
    rows(&mut |row| {
        if !style.shows(&row) {
            return Ok(());
        }
        if !style.all && shown >= LISTED_JOBS_MAX {
            unshown += 1;
            return Ok(());
        }
        shown += 1;
        page.push(table_row(&row, &style.zone));
        if page.len() >= TABLE_JOBS_MAX {
            write_page(out, &mut page, style.width)?;
        }
        Ok(())
    })?;
    write_page(out, &mut page, style.width)?;
    if unshown > 0 {
        writeln!(out, "and {} more; --all or --format csv shows them", thousands(unshown))?;
    }
    Ok(())
}

fn write_page(out: &mut dyn Write, page: &mut Vec<[String; 5]>, width: u16) -> io::Result<()> {
    if page.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table(out, &["id", "state", "reason", "next", "detail"], &[], page.drain(..), width)
}

fn table_row(row: &ResultRow, zone: &TimeZone) -> [String; 5] {
    let wait = row.wait_until.map(|until| format!("waiting until {}", local(until, zone)));
    let words = row.error.as_deref().map(harmless).or_else(|| row.url.as_deref().map(whole_line));
    let detail: Vec<String> = [words, wait].into_iter().flatten().collect();
    [
        harmless(&row.id),
        state_words(row.state).to_owned(),
        row.reason.as_str().to_owned(),
        row.next.as_str().to_owned(),
        detail.join("; "),
    ]
}

/// A time as the person's clock shows it: `2026-09-21 16:13 CEST`.
pub(super) fn local(at: UnixMs, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => at.rfc3339(),
    }
}

fn write_json(
    out: &mut dyn Write,
    head: &StatusHead,
    counts: &Counts,
    rows: Rows<'_, ResultRow>,
    style: &StatusStyle,
) -> io::Result<()> {
    // Written piece by piece, as the jobs may be too many for memory.
    let mut top = json!({
        "format_version": FORMAT_VERSION,
        "type": "status",
        "batch": head.batch,
        "manifest": head.manifest,
        "ledger": head.ledger,
        "job_count": counts.all_jobs(),
        "counts": counts.by_state.iter().map(|count| json!({
            "state": count.state,
            "reason": count.reason,
            "jobs": count.jobs,
            "price_msat": count.price,
        })).collect::<Vec<_>>(),
        "spent_msat": counts.spent,
        "fees_msat": counts.fees,
        "held_msat": counts.held,
        "planned_msat": counts.planned,
        "to_buy_worst_case_msat": counts.to_buy_worst_case,
    })
    .to_string();
    top.pop();
    write!(out, "{top},\"jobs\":[")?;
    let mut separator = "";
    rows(&mut |row| {
        if style.shows(&row) {
            write!(out, "{separator}\n{}", job_json(&row))?;
            separator = ",";
        }
        Ok(())
    })?;
    writeln!(out, "\n]}}")
}

fn job_json(row: &ResultRow) -> Value {
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
        "fee_msat": row.fee,
        "url": row.url,
        "attempts": row.attempts,
        "wait_until": row.wait_until.map(UnixMs::rfc3339),
        "error": row.error,
    })
}

fn write_csv(out: &mut dyn Write, rows: Rows<'_, ResultRow>, style: &StatusStyle) -> io::Result<()> {
    let mut csv = Dialect::default().begin(out)?;
    csv.write_record(["id", "line", "take", "state", "reason", "next", "endpoint", "url", "wait_until", "error"])?;
    rows(&mut |row| {
        if !style.shows(&row) {
            return Ok(());
        }
        let mut put = Cells(&mut csv);
        put.standing(&row)?;
        put.maybe(row.url.as_deref())?;
        put.time(row.wait_until)?;
        put.maybe(row.error.as_deref())?;
        put.end()
    })?;
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{JobState, Reason, StateCount};
    use crate::money::Msat;

    fn row(id: &str, state: JobState, reason: Reason) -> ResultRow {
        ResultRow {
            id: id.into(),
            line: 3,
            take: 1,
            state,
            reason,
            next: Next::of(state, reason),
            endpoint: "generate-video".into(),
            params: Vec::new(),
            price: Msat::new(550_000),
            fee: None,
            url: None,
            file: None,
            sha256: None,
            attempts: 1,
            started_at: None,
            finished_at: None,
            wait_until: None,
            error: None,
            extra: Vec::new(),
        }
    }

    fn batch() -> (StatusHead, Counts, Vec<ResultRow>) {
        let head = StatusHead {
            batch: "june-trailers".into(),
            manifest: Some("/jobs/june.toml".into()),
            ledger: "/home/ada/ledger.db".into(),
        };
        let count = |state, reason, jobs| StateCount { state, reason, jobs, price: Msat::new(550_000 * jobs) };
        let counts = Counts {
            by_state: vec![
                count(JobState::InDoubt, Reason::WaitingForExpiry, 1),
                count(JobState::Delivered, Reason::None, 1),
                count(JobState::Refused, Reason::PriceChanged, 1),
            ],
            spent: Msat::new(550_000),
            fees: Msat::new(1_500),
            held: Msat::new(553_000),
            planned: Msat::new(1_650_000),
            to_buy_worst_case: Msat::new(555_000),
        };
        let mut done = row("shot-001", JobState::Delivered, Reason::None);
        done.url = Some("https://cdn.example/one.mp4".into());
        let mut doubt = row("shot-002", JobState::InDoubt, Reason::WaitingForExpiry);
        doubt.wait_until = Some(UnixMs(1_790_000_000_123));
        let mut refused = row("=shot\u{1b}[2J", JobState::Refused, Reason::PriceChanged);
        refused.error = Some("the origin asks 600 sats, the plan says 550 sats".into());
        (head, counts, vec![done, doubt, refused])
    }

    fn shown(format: Format, all: bool, width: u16) -> String {
        let (head, counts, rows) = batch();
        let style = StatusStyle { format, all, width, zone: TimeZone::fixed(jiff::tz::offset(2)) };
        let mut out = Vec::new();
        write_status(&mut out, &head, &counts, &mut |each| rows.iter().cloned().try_for_each(each), &style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_batch_in_a_table() {
        let text = shown(Format::Table, false, 100);
        assert!(!text.contains('\u{1b}') && !text.contains("shot-001"), "{text:?}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn every_job_in_a_narrow_table() {
        let text = shown(Format::Table, true, 60);
        assert!(text.lines().skip(12).all(|line| line.chars().count() <= 60), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_batch_in_json() {
        let text = shown(Format::Json, false, 80);
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["jobs"].as_array().map(Vec::len), Some(2));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_batch_in_csv() {
        insta::assert_snapshot!(shown(Format::Csv, true, 80));
    }

    #[test]
    fn a_batch_without_jobs_to_show_is_whole_json() {
        let (head, counts, _) = batch();
        let style = StatusStyle { format: Format::Json, all: true, width: 80, zone: TimeZone::UTC };
        let mut out = Vec::new();
        write_status(&mut out, &head, &counts, &mut |_| Ok(()), &style).unwrap();
        let parsed: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(parsed["jobs"], json!([]));
    }

    #[test]
    fn long_lists_are_bounded() {
        let (head, counts, _) = batch();
        let style = StatusStyle { format: Format::Table, all: false, width: 80, zone: TimeZone::UTC };
        let mut out = Vec::new();
        let many = |each: &mut dyn FnMut(ResultRow) -> io::Result<()>| {
            (0..1_500).try_for_each(|n| each(row(&format!("job-{n}"), JobState::Failed, Reason::NoRoute)))
        };
        write_status(&mut out, &head, &counts, &mut { many }, &style).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("job-999") && !text.contains("job-1000"));
        assert!(text.ends_with("and 500 more; --all or --format csv shows them\n"));
    }
}
