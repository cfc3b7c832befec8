//! Payments that are not at their end: what was asked of the node, when, what it said, and until when they wait.

use std::collections::HashMap;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ledger::{KNOWN_BY_RECEIPT, PaymentRow, ResultRow, Standing};
use crate::money::thousands;
use crate::purchase::{JobState, Reason};
use crate::report::labels::{amount, sats, state_words, whole_line};
use crate::report::next_commands::waits_for;
use crate::terminal_text::printable;
use crate::time::UnixMs;

use super::{StatusHead, local};

/// Open payments by the job's id.
pub type OpenPayments = HashMap<String, PaymentRow>;

/// Jobs that are shown with their payment; the rest is counted.
const BLOCKS_MAX: usize = 20;

/// Collects the jobs of a table whose payment is open, to be shown below it.
pub(super) struct Waiting<'a> {
    payments: &'a OpenPayments,
    blocks: Vec<ResultRow>,
    unshown: u64,
}

impl<'a> Waiting<'a> {
    pub(super) const fn new(payments: &'a OpenPayments) -> Self {
        Self { payments, blocks: Vec::new(), unshown: 0 }
    }

    pub(super) fn note(&mut self, row: &ResultRow) {
        if !self.payments.contains_key(&row.id) || row.reason == Reason::Decided {
            return;
        }
        if self.blocks.len() < BLOCKS_MAX {
            self.blocks.push(row.clone());
        } else {
            self.unshown += 1;
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write, head: &StatusHead, zone: &TimeZone) -> io::Result<()> {
        for row in &self.blocks {
            let Some(payment) = self.payments.get(&row.id) else { continue };
            let reason = if row.reason == Reason::None { String::new() } else { format!(", {}", row.reason.as_str()) };
            writeln!(out, "\n{}: {}{reason}", printable(&row.id), state_words(row.state))?;
            for (label, text) in block(head, row, payment, zone) {
                writeln!(out, "  {label:<8} {text}")?;
            }
        }
        match self.unshown {
            0 => Ok(()),
            more => writeln!(out, "\nand {} more with an open payment; --job ID shows one", thousands(more)),
        }
    }
}

fn block(head: &StatusHead, row: &ResultRow, payment: &PaymentRow, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("payment", format!("{}, {}", short(&payment.hash.hex()), money(payment))),
        ("asked", format!("node {}, {}", short(&payment.node), sends(payment, zone))),
    ];
    lines.extend(said(payment, zone).map(|text| ("node", text)));
    lines.extend(offered(payment, zone).map(|text| ("origin", text)));
    if let Some(error) = row.error.as_deref().filter(|_| row.state != JobState::InDoubt) {
        lines.push(("last", printable(error)));
    }
    lines.extend(head.waits(row, Some(payment), zone).map(|text| ("waits", text)));
    let needed = head.needed(row).map_or_else(String::new, |words| format!("{words}: "));
    lines.extend(head.command_about(row).map(|command| ("do", format!("{needed}{}", whole_line(&command)))));
    lines
}

/// The beginning of a hash or a key, enough to tell it from others by eye.
pub(super) fn short(hex: &str) -> String {
    match hex.char_indices().nth(12) {
        Some((cut, _)) => format!("{}…", &hex[..cut]),
        None => hex.to_owned(),
    }
}

/// What it costs, or may cost.
pub(super) fn money(payment: &PaymentRow) -> String {
    let price = amount(payment.amount);
    match (payment.standing, payment.fee) {
        (Standing::Open, _) => {
            format!(
                "{} held ({} and at most {} fees)",
                amount(payment.held),
                sats(payment.amount),
                sats(payment.fee_limit)
            )
        }
        (Standing::Paid, _) => {
            format!("{price} paid, {} held until the node has posted the fee", sats(payment.held))
        }
        (Standing::Posted, fee) => {
            format!("{price} paid, plus {} routing fees", amount(fee.unwrap_or(crate::money::Msat::ZERO)))
        }
        (Standing::Dead, _) => format!("{price}, never paid"),
    }
}

/// `sent once, 2026-09-21 16:13 +02, not answered by the node itself`.
pub(super) fn sends(payment: &PaymentRow, zone: &TimeZone) -> String {
    let times = if payment.sends_begun == 1 { "sent once" } else { "sent" };
    let count = if payment.sends_begun == 1 { String::new() } else { format!(" {} times, last", payment.sends_begun) };
    let answered = match (payment.sends_answered, payment.sends_begun) {
        (0, _) => "not answered by the node itself".to_owned(),
        (answered, begun) if answered == begun => "answered by the node".to_owned(),
        (answered, begun) => format!("{answered} of {begun} answered by the node"),
    };
    format!("{times}{count} {}, {answered}", local(payment.sent_at, zone))
}

/// What the node last said while nothing was certain.
pub(super) fn said(payment: &PaymentRow, zone: &TimeZone) -> Option<String> {
    let words = payment.node_said.as_deref().filter(|_| matches!(payment.standing, Standing::Open | Standing::Dead))?;
    let at = payment.node_said_at.map(|at| format!("{}: ", local(at, zone))).unwrap_or_default();
    Some(format!("{at}{}", printable(words)))
}

/// How often the origin was offered what was paid, and what it answered last.
pub(super) fn offered(payment: &PaymentRow, zone: &TimeZone) -> Option<String> {
    let paid_at = payment.paid_at?;
    let paid = format!("paid {}", local(paid_at, zone));
    Some(match (payment.answered_at, payment.answered_status) {
        (Some(at), Some(status)) => {
            let answers = crate::money::counted(u64::from(payment.redeems), "answer");
            format!("{paid}, {answers} to the credential, last of the origin's: {status} at {}", local(at, zone))
        }
        _ => format!("{paid}, no answer to the credential yet"),
    })
}

/// Until when a job waits, for what, and what then.
pub(super) fn waits(row: &ResultRow, payment: Option<&PaymentRow>, zone: &TimeZone) -> Option<String> {
    let what = match (row.state, row.error.as_deref()) {
        // Nobody here knows what the origin said.
        (JobState::Lost, Some(KNOWN_BY_RECEIPT)) if row.reason != Reason::Decided => {
            "you: paid, as its receipt proves, and nothing tells what the origin delivered".to_owned()
        }
        (state, _) => waits_for(state, row.reason, payment),
    };
    match (row.wait_until, what.is_empty()) {
        (Some(until), false) => Some(format!("until {} for {what}", local(until, zone))),
        (Some(until), true) => Some(format!("until {}", local(until, zone))),
        (None, false) => Some(format!("for {what}")),
        (None, true) => None,
    }
}

/// A payment for programs. Without any secret.
pub(super) fn payment_json(payment: &PaymentRow) -> Value {
    let time = |at: Option<UnixMs>| at.map(UnixMs::rfc3339);
    json!({
        "payment_hash": payment.hash.hex(),
        "state": payment.standing.as_str(),
        "amount_msat": payment.amount,
        "fee_limit_msat": payment.fee_limit,
        "fee_msat": payment.fee,
        "held_msat": payment.held,
        "node": payment.node,
        "intended_at": payment.intended_at.rfc3339(),
        "invoice_expires_at": payment.invoice_expires_at.rfc3339(),
        "credential_expires_at": payment.credential_expires_at.rfc3339(),
        "sends_begun": payment.sends_begun,
        "sends_answered": payment.sends_answered,
        "sent_at": payment.sent_at.rfc3339(),
        "send_answered_at": time(payment.send_answered_at),
        "node_said": payment.node_said,
        "node_said_at": time(payment.node_said_at),
        "paid_at": time(payment.paid_at),
        "posted_at": time(payment.posted_at),
        "redeems": payment.redeems,
        "answered_at": time(payment.answered_at),
        "answered_status": payment.answered_status,
        "delivered_at": time(payment.delivered_at),
        "dead_at": time(payment.dead_at),
        "dead_proof": payment.dead_proof,
    })
}
