//! One job with all that the ledger knows of it: for a person who has to decide, or to complain.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::catalog;
use crate::ledger::{AnswerKind, AnswerRow, PaymentReceipt, PaymentRecord, ServedRow, TakeRecord};
use crate::money::{counted, thousands};
use crate::purchase::Reason;
use crate::report::labels::{amount, state_words, whole_line};
use crate::report::next_commands::choices;
use crate::report::refunds::{refund_json, refund_lines};
use crate::terminal_text::printable;
use crate::time::UnixMs;

use super::waiting::{money, offered, payment_json, said, sends};
use super::{StatusHead, StatusStyle, local};

/// Characters of an answer's body in the table; JSON has more.
const BODY_CHARS_MAX: usize = 300;
/// Answers and transitions of a table: the latest. JSON has them all.
const LINES_MAX: usize = 30;

/// Writes every take of one job, the latest last, and what may be done about it.
pub(super) fn write_job(
    out: &mut dyn Write,
    head: &StatusHead,
    takes: &[TakeRecord],
    style: &StatusStyle,
) -> io::Result<()> {
    for (place, take) in takes.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        write_take(out, head, take, style)?;
    }
    let Some(latest) = takes.last() else { return Ok(()) };
    let row = &latest.row;
    let choices = choices(&head.batch, row, latest.is_taken(), head.is_play);
    if !choices.is_empty() {
        writeln!(out)?;
        if let Some(by) = &head.at_work {
            let by = printable(&by.to_string());
            writeln!(out, "{by} is at work on the batch: until it has ended, all but `status` ends at once (11)")?;
        }
    }
    let width = choices.iter().map(|(words, _)| words.len()).max().unwrap_or(0);
    for (words, command) in choices.iter().filter(|(_, command)| !(style.proof && command.contains(" --proof"))) {
        writeln!(out, "{words:<width$}  {}", whole_line(command))?;
    }
    Ok(())
}

fn write_take(out: &mut dyn Write, head: &StatusHead, take: &TakeRecord, style: &StatusStyle) -> io::Result<()> {
    let (row, zone) = (&take.row, &style.zone);
    let mut lines = Lines(out);
    // Receipts tell neither where a job stood in its manifest nor how much its routing might have cost.
    let by_receipt = take.payments.iter().any(|payment| payment.by_receipt);
    let line = if row.line == 0 { String::new() } else { format!(" (line {})", row.line) };
    lines.put("job", &format!("{}, take {}, of {}{line}", printable(&row.id), row.take, printable(&head.batch)))?;
    let reason = if row.reason == Reason::None { String::new() } else { format!(", {}", row.reason.as_str()) };
    lines.put("state", &format!("{}{reason}", state_words(row.state)))?;
    lines.maybe("", row.error.as_deref().map(printable))?;
    let open = take.payments.last().map(|payment| &payment.row);
    lines.maybe("waits", head.waits(row, open, zone))?;
    lines.maybe("result", row.url.as_deref().map(whole_line))?;
    lines.maybe("file", row.file.as_deref().map(whole_line))?;
    lines.maybe("", row.sha256.as_deref().map(|sha256| format!("sha256 {sha256}")))?;
    for (one, file) in row.more.iter().zip(row.more_files().into_iter().map(Some).chain(std::iter::repeat(None))) {
        lines.put("result", &whole_line(&one.url))?;
        lines.maybe("file", file.map(whole_line))?;
    }
    let most = take.max_cost.map(|most| format!("; its own limit {}", amount(most))).unwrap_or_default();
    let fees = match by_receipt {
        true => String::new(),
        false => format!(", plus at most {} routing fees", amount(take.fee_ceiling)),
    };
    let cap = if row.is_capped { "at most " } else { "" };
    lines.put("price", &format!("{cap}{}{fees}{most}", amount(row.price)))?;
    lines.put("endpoint", &printable(&row.endpoint))?;
    for (name, value) in &row.params {
        lines.put("", &format!("{} = {}", printable(name), value_words(value)))?;
    }
    for payment in &take.payments {
        write_payment(&mut lines, payment, style)?;
    }
    if let Some(served) = &take.served {
        write_served(&mut lines, served, zone)?;
    }
    if let Some(refund) = &take.refund {
        lines.gap("refund")?;
        for (label, text) in refund_lines(refund, zone, style.proof) {
            lines.put(label, &text)?;
        }
    }
    if !take.transitions.is_empty() {
        lines.gap("history")?;
    }
    for change in latest(&take.transitions) {
        let (at, from, to) = (second(change.at, zone), state_words(change.from), state_words(change.to));
        lines.put("", format!("{at}  {from} → {to}  {}", change.reason.as_str()).trim_end())?;
    }
    for decision in &take.decisions {
        let (at, what) = (second(decision.at, zone), printable(&decision.decision));
        lines.put("decided", &format!("{at}  {what}: {}", printable(&decision.note)))?;
        lines.put("", &printable(&decision.evidence))?;
    }
    Ok(())
}

fn write_payment(lines: &mut Lines<'_>, payment: &PaymentRecord, style: &StatusStyle) -> io::Result<()> {
    let (row, zone) = (&payment.row, &style.zone);
    lines.gap("payment")?;
    lines.put("hash", &row.hash.hex())?;
    lines.put("state", &money(row))?;
    lines.maybe("", row.dead_proof.as_deref().map(|proof| proof_words(proof).to_owned()))?;
    let bytes = payment.body_bytes.map(|bytes| format!("{} bytes, ", thousands(bytes))).unwrap_or_default();
    if payment.by_receipt {
        lines.put("request", BY_RECEIPT)?;
    } else {
        lines.put("request", &format!("{} {}", payment.method.as_str(), whole_line(&payment.url)))?;
        lines.put("", &format!("body: {bytes}sha256 {}", payment.body_sha256))?;
    }
    lines.put("payee", &format!("{} ({})", printable(&payment.payee), payment.network.as_str()))?;
    lines.put("node", &printable(&row.node))?;
    if payment.by_receipt {
        lines.maybe("paid", row.paid_at.map(|at| local(at, zone)))?;
    } else {
        lines.put("asked", &sends(row, zone))?;
        lines.maybe("", said(row, zone))?;
        let (invoice, credential) = (local(row.invoice_expires_at, zone), local(row.credential_expires_at, zone));
        lines.put("valid", &format!("invoice until {invoice}, credential until {credential}"))?;
        lines.maybe("origin", offered(row, zone))?;
    }
    match (style.proof, &payment.preimage) {
        (true, preimage) => {
            lines.put("invoice", &whole_line(&payment.invoice))?;
            lines.put("preimage", preimage.as_deref().unwrap_or("not known: the node has not given one"))?;
        }
        (false, Some(_)) => lines.put("proof", "invoice and preimage: --proof shows them; so do the receipts")?,
        (false, None) => lines.put("invoice", "--proof shows it")?,
    }
    if !payment.answers.is_empty() {
        lines.gap(&counted(payment.answers.len() as u64, "answer"))?;
    }
    for answer in latest(&payment.answers) {
        lines.put("", &answer_words(answer, kind_words(answer.kind), zone))?;
        lines.maybe("", answer.receipt.as_ref().map(receipt_words))?;
    }
    Ok(())
}

/// Another job's token has served it.
fn write_served(lines: &mut Lines<'_>, served: &ServedRow, zone: &TimeZone) -> io::Result<()> {
    lines.gap("served")?;
    let buyer = format!("{} of {}", printable(&served.id), printable(&served.batch));
    lines.put("by", &format!("the token that job {buyer} has bought: nothing was paid for this one"))?;
    lines.put("hash", &served.hash.hex())?;
    lines.put("answer", &answer_words(&served.answer, "with that token", zone))
}

fn answer_words(answer: &AnswerRow, to: &str, zone: &TimeZone) -> String {
    let body: String = answer.body.chars().take(BODY_CHARS_MAX).collect();
    format!("{}  {to}  {}  {}", second(answer.at, zone), answer.status, printable(&body))
}

/// What is said of a purchase where the ledger that knew request and answer is gone.
const BY_RECEIPT: &str =
    "known by its receipt alone: what was asked for, and what was answered, stood in the ledger that is gone";
/// What of a payment no receipt tells.
const UNTOLD: [&str; 8] = [
    "request",
    "intended_at",
    "invoice_expires_at",
    "credential_expires_at",
    "sends_begun",
    "sends_answered",
    "sent_at",
    "send_answered_at",
];

/// Labelled lines.
struct Lines<'a>(&'a mut dyn Write);

impl Lines<'_> {
    fn put(&mut self, label: &str, text: &str) -> io::Result<()> {
        writeln!(self.0, "{}", format!("{label:<9} {text}").trim_end())
    }

    fn maybe(&mut self, label: &str, text: Option<String>) -> io::Result<()> {
        text.map_or(Ok(()), |text| self.put(label, &text))
    }

    fn gap(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.0, "\n{title}")
    }
}

fn latest<T>(all: &[T]) -> &[T] {
    &all[all.len().saturating_sub(LINES_MAX)..]
}

/// A time to the second: what happens to one job happens fast.
fn second(at: UnixMs, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => at.rfc3339(),
    }
}

/// What the seller says of the payment.
fn receipt_words(receipt: &PaymentReceipt) -> String {
    let PaymentReceipt { status, method, timestamp, is_of_payment } = receipt;
    let of = if *is_of_payment { "for this payment" } else { "under another reference" };
    format!("its receipt says {status}, by {method}, at {timestamp}, {of}")
}

const fn kind_words(kind: AnswerKind) -> &'static str {
    match kind {
        AnswerKind::Redeem => "redeem",
        AnswerKind::Poll => "poll",
    }
}

fn proof_words(proof: &str) -> &'static str {
    match proof {
        "failed_and_answered" => "the node says that it failed, and no send is unanswered",
        "failed_and_expired" => "the node says that it failed, and its invoice has expired",
        "not_found_and_answered" => "the node does not know it, and no send is unanswered",
        "not_found_and_expired" => "the node does not know it, and its invoice has expired",
        _ => "a person decided so",
    }
}

fn value_words(value: &catalog::Value) -> String {
    match value {
        catalog::Value::Text(text) => printable(text),
        catalog::Value::Integer(number) => number.to_string(),
        catalog::Value::Decimal(number) => number.to_string(),
        catalog::Value::Structured(json) => printable(json.as_str()),
        catalog::Value::Boolean(is) => is.to_string(),
        catalog::Value::Image(image) => format!("image, sha256 {}", image.sha256),
    }
}

/// All that is known of a job, for programs: what is added to its entry. Secrets only where `proof` asks for them.
pub(super) fn takes_json(takes: &[TakeRecord], proof: bool) -> Value {
    Value::Array(takes.iter().map(|take| take_json(take, proof)).collect())
}

fn take_json(take: &TakeRecord, proof: bool) -> Value {
    let row = &take.row;
    let params: serde_json::Map<String, Value> =
        row.params.iter().map(|(name, value)| (name.clone(), value_json(value))).collect();
    json!({
        "take": row.take,
        "state": row.state,
        "reason": row.reason,
        "error": row.error,
        "url": row.url,
        "file": row.file,
        "sha256": row.sha256,
        "more_urls": row.more_urls(),
        "more_files": row.more_files(),
        "endpoint": row.endpoint,
        "params": params,
        "price_msat": row.price,
        "price_is_cap": row.is_capped,
        "fee_ceiling_msat": take.fee_ceiling,
        "max_cost_msat": take.max_cost,
        "started_at": row.started_at.map(UnixMs::rfc3339),
        "finished_at": row.finished_at.map(UnixMs::rfc3339),
        "payments": take.payments.iter().map(|payment| record_json(payment, proof)).collect::<Vec<_>>(),
        "served": take.served.as_ref().map(|served| json!({
            "payment_hash": served.hash.hex(),
            "batch": served.batch,
            "job": served.id,
            "answer": answer_json(&served.answer),
        })),
        "refund": take.refund.as_ref().map(|refund| refund_json(refund, proof)),
        "transitions": take.transitions.iter().map(|change| json!({
            "at": change.at.rfc3339(),
            "from": change.from,
            "to": change.to,
            "reason": change.reason,
        })).collect::<Vec<_>>(),
        "decisions": take.decisions.iter().map(|decision| json!({
            "at": decision.at.rfc3339(),
            "decision": decision.decision,
            "note": decision.note,
            "evidence": decision.evidence,
        })).collect::<Vec<_>>(),
    })
}

fn record_json(payment: &PaymentRecord, proof: bool) -> Value {
    let mut all = payment_json(&payment.row);
    let more = json!({
        "request": {
            "method": payment.method.as_str(),
            "url": payment.url,
            "body_sha256": payment.body_sha256,
            "body_bytes": payment.body_bytes,
        },
        "known_by_receipt": payment.by_receipt,
        "payee_node": payment.payee,
        "network": payment.network.as_str(),
        "answers": payment.answers.iter().map(answer_json).collect::<Vec<_>>(),
    });
    let proof = if proof { json!({ "invoice": payment.invoice, "preimage": payment.preimage }) } else { json!({}) };
    if let (Value::Object(all), Value::Object(more), Value::Object(proof)) = (&mut all, more, proof) {
        all.extend(more);
        all.extend(proof);
        if payment.by_receipt {
            all.extend(UNTOLD.map(|field| (field.to_owned(), Value::Null)));
        }
    }
    all
}

fn answer_json(answer: &AnswerRow) -> Value {
    json!({
        "to": kind_words(answer.kind),
        "at": answer.at.rfc3339(),
        "status": answer.status,
        "body": answer.body,
        "body_bytes": answer.body_bytes,
        "receipt": answer.receipt.as_ref().map(|receipt| json!({
            "status": receipt.status,
            "method": receipt.method,
            "timestamp": receipt.timestamp,
            "is_of_payment": receipt.is_of_payment,
        })),
    })
}

/// A parameter's value: an image by its digest.
pub(in crate::report) fn value_json(value: &catalog::Value) -> Value {
    match value {
        catalog::Value::Text(text) => json!(text),
        catalog::Value::Integer(number) => json!(number),
        catalog::Value::Decimal(number) => json!(number),
        catalog::Value::Structured(value) => value.json(),
        catalog::Value::Boolean(is) => json!(is),
        catalog::Value::Image(image) => json!({ "sha256": image.sha256 }),
    }
}
