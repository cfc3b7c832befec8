//! `refunds list`: what is offered, claimed and come back.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use url::Url;

use crate::ledger::{RefundRow, RefundStanding};
use crate::money::{Msat, counted, thousands};
use crate::purchase::Next;
use crate::screen::table;
use crate::terminal_text::{printable, printable_json};
use crate::time::UnixMs;

use super::format::{FORMAT_VERSION, Format};
use super::labels::{sats, whole_line};
use super::status::local;
use super::table_out::Dialect;
use super::table_row::Cells;

/// How it is shown.
#[derive(Clone, Debug)]
pub struct RefundsStyle {
    /// For people or for programs.
    pub format: Format,
    /// The terminal's columns, to which the table is folded; none where it is not.
    pub columns: Option<u16>,
    /// The zone in which the table shows times.
    pub zone: TimeZone,
    /// Links and invoices too: whoever has a link can have the money.
    pub proof: bool,
}

/// Writes the refunds of a ledger or of a batch, in their order.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_refunds(out: &mut dyn Write, refunds: &[RefundRow], style: &RefundsStyle) -> io::Result<()> {
    match style.format {
        Format::Table => write_table(out, refunds, style),
        Format::Json => {
            let rows: Vec<Value> = refunds.iter().map(|refund| refund_json(refund, style.proof)).collect();
            let all = json!({ "format_version": FORMAT_VERSION, "type": "refunds", "refunds": rows });
            writeln!(out, "{}", printable_json(&all.to_string()))
        }
        Format::Csv => write_csv(out, refunds, style.proof),
    }
}

fn write_table(out: &mut dyn Write, refunds: &[RefundRow], style: &RefundsStyle) -> io::Result<()> {
    if refunds.is_empty() {
        return writeln!(out, "no refund was offered");
    }
    let rows = refunds.iter().map(|refund| {
        [
            printable(&refund.batch),
            printable(&refund.id),
            refund.take.to_string(),
            refund.standing.as_str().to_owned(),
            sats(refund.paid),
            refund.received.map(sats).unwrap_or_default(),
            host(refund),
            detail(refund, &style.zone),
        ]
    });
    let head = ["batch", "id", "take", "refund", "paid sats", "back sats", "from", "detail"];
    table(out, &head, &[2, 4, 5], rows, style.columns)?;
    for refund in refunds.iter().filter(|_| style.proof) {
        writeln!(out, "\n{}, job {}, take {}", printable(&refund.batch), printable(&refund.id), refund.take)?;
        for (label, text) in proof(refund) {
            writeln!(out, "  {label:<8} {text}")?;
        }
    }
    for refund in refunds.iter().filter(|refund| !is_told(refund)) {
        // A command is of use only whole.
        let words = refund.words.as_deref().unwrap_or_default();
        writeln!(out, "\n{}: {}", printable(&refund.id), whole_line(words))?;
    }
    writeln!(out, "\n{}", sums(refunds))
}

/// Whether the table has room for all that there is to say.
fn is_told(refund: &RefundRow) -> bool {
    refund.words.as_ref().is_none_or(|words| words.chars().count() < crate::terminal_text::PRINTABLE_CHARS_MAX)
}

fn detail(refund: &RefundRow, zone: &TimeZone) -> String {
    match (refund.standing, refund.settled_at, &refund.words) {
        (RefundStanding::Settled, Some(at), _) => local(at, zone),
        (_, _, Some(words)) => printable(words),
        (_, _, None) => format!("offered {}", local(refund.offered_at, zone)),
    }
}

fn host(refund: &RefundRow) -> String {
    let url = Url::parse(&refund.seller).ok();
    url.and_then(|url| url.host_str().map(printable)).unwrap_or_default()
}

fn sums(refunds: &[RefundRow]) -> String {
    let paid = Msat::checked_sum(refunds.iter().map(|refund| refund.paid)).unwrap_or(Msat::ZERO);
    let back = Msat::checked_sum(refunds.iter().filter_map(|refund| refund.received)).unwrap_or(Msat::ZERO);
    let count = thousands(refunds.len() as u64);
    let refunds = if refunds.len() == 1 { "refund" } else { "refunds" };
    format!("{count} {refunds}: {} sats were paid, {} sats came back", sats(paid), sats(back))
}

/// All that claiming one by hand takes, for a person.
fn proof(refund: &RefundRow) -> Vec<(&'static str, String)> {
    let mut lines = vec![("payment", refund.payment_hash.hex())];
    lines.extend(refund.link.as_deref().map(|link| ("link", whole_line(link))));
    lines.extend(refund.invoice.as_ref().map(|invoice| ("invoice", whole_line(&invoice.invoice))));
    lines
}

/// Label and text of each line about the refund of one job.
pub(super) fn refund_lines(refund: &RefundRow, zone: &TimeZone, with_proof: bool) -> Vec<(&'static str, String)> {
    let standing = match refund.received {
        Some(received) => format!("{} sats came back of {} that were paid", sats(received), sats(refund.paid)),
        None => format!("{} for the {} sats that were paid", refund.standing.as_str(), sats(refund.paid)),
    };
    let mut lines = vec![("state", standing), ("offered", local(refund.offered_at, zone))];
    if let Some(invoice) = &refund.invoice {
        let times = counted(u64::from(invoice.handovers), "time");
        let text =
            format!("of {} sats, handed over {times}, until {}", sats(invoice.amount), local(invoice.expires_at, zone));
        lines.push(("invoice", text));
        lines.push(("hash", invoice.hash.hex()));
    }
    lines.extend(refund.settled_at.map(|at| ("came", local(at, zone))));
    lines.extend(refund.words.as_deref().map(|words| ("", whole_line(words))));
    if with_proof {
        lines.extend(proof(refund).into_iter().skip(1));
    }
    lines
}

/// A refund for programs. Link and invoice only where `proof` asks for them.
pub(super) fn refund_json(refund: &RefundRow, proof: bool) -> Value {
    let time = |at: Option<UnixMs>| at.map(UnixMs::rfc3339);
    let invoice = refund.invoice.as_ref();
    let mut all = json!({
        "batch": refund.batch,
        "id": refund.id,
        "take": refund.take,
        "state": refund.state,
        "reason": refund.reason,
        "next": Next::of(refund.state, refund.reason),
        "refund": refund.standing.as_str(),
        "seller": host(refund),
        "paid_msat": refund.paid,
        "payment_hash": refund.payment_hash.hex(),
        "offered_at": refund.offered_at.rfc3339(),
        "has_link": refund.link.is_some(),
        "invoice_hash": invoice.map(|invoice| invoice.hash.hex()),
        "invoice_msat": invoice.map(|invoice| invoice.amount),
        "invoice_expires_at": time(invoice.map(|invoice| invoice.expires_at)),
        "node": invoice.map(|invoice| invoice.node.as_str()),
        "claimed_at": time(invoice.map(|invoice| invoice.made_at)),
        "handovers": invoice.map_or(0, |invoice| invoice.handovers),
        "refunded_msat": refund.received,
        "settled_at": time(refund.settled_at),
        "words": refund.words,
        "words_at": time(refund.words_at),
    });
    if proof {
        all["link"] = json!(refund.link);
        all["invoice"] = json!(invoice.map(|invoice| invoice.invoice.as_str()));
    }
    all
}

const COLUMNS: [&str; 16] = [
    "batch",
    "id",
    "take",
    "state",
    "reason",
    "next",
    "refund",
    "seller",
    "paid_msat",
    "payment_hash",
    "offered_at",
    "invoice_hash",
    "invoice_msat",
    "refunded_msat",
    "settled_at",
    "words",
];

fn write_csv(out: &mut dyn Write, refunds: &[RefundRow], proof: bool) -> io::Result<()> {
    let mut csv = Dialect::default().begin(out)?;
    let more: &[&str] = if proof { &["link", "invoice"] } else { &[] };
    csv.write_record(COLUMNS.iter().chain(more))?;
    for refund in refunds {
        let invoice = refund.invoice.as_ref();
        let mut put = Cells(&mut csv);
        put.text(&refund.batch)?;
        put.text(&refund.id)?;
        put.number(refund.take)?;
        put.word(refund.state.as_str())?;
        put.word(refund.reason.as_str())?;
        put.word(Next::of(refund.state, refund.reason).as_str())?;
        put.word(refund.standing.as_str())?;
        put.text(&host(refund))?;
        put.msat(Some(refund.paid))?;
        put.word(&refund.payment_hash.hex())?;
        put.time(Some(refund.offered_at))?;
        put.word(&invoice.map(|invoice| invoice.hash.hex()).unwrap_or_default())?;
        put.msat(invoice.map(|invoice| invoice.amount))?;
        put.msat(refund.received)?;
        put.time(refund.settled_at)?;
        put.maybe(refund.words.as_deref())?;
        if proof {
            put.maybe(refund.link.as_deref())?;
            put.maybe(invoice.map(|invoice| invoice.invoice.as_str()))?;
        }
        put.end()?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::refund;

    fn shown(format: Format, proof: bool) -> String {
        let mut settled = refund(RefundStanding::Settled);
        settled.words = None;
        let mut hostile = refund(RefundStanding::Offered);
        hostile.words = Some("no\u{1b}[2J\r\nroute".to_owned());
        hostile.id = "=1+1".to_owned();
        let style = RefundsStyle { format, columns: Some(160), zone: TimeZone::UTC, proof };
        let mut out = Vec::new();
        write_refunds(&mut out, &[refund(RefundStanding::Invoiced), settled, hostile], &style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn refunds_in_every_form() {
        insta::assert_snapshot!(
            [Format::Table, Format::Json, Format::Csv].map(|format| shown(format, false)).join("\n")
        );
    }

    #[test]
    fn the_link_is_shown_only_as_a_proof() {
        for format in [Format::Table, Format::Json, Format::Csv] {
            assert!(!shown(format, false).contains("LNURL1"), "{format:?}");
            assert!(shown(format, true).contains("LNURL1"), "{format:?}");
        }
    }

    #[test]
    fn words_with_a_command_stay_whole() {
        let mut long = refund(RefundStanding::Offered);
        let command = format!("bake one: lncli {}", "uri:/a/b ".repeat(60));
        long.words = Some(command.clone());
        let style = RefundsStyle { format: Format::Table, columns: Some(100), zone: TimeZone::UTC, proof: false };
        let mut out = Vec::new();
        write_refunds(&mut out, &[long], &style).unwrap();
        assert!(String::from_utf8(out).unwrap().contains(&command));
    }
}
