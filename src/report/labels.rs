//! How amounts, durations and jobs read.

use crate::event::JobEvent;
use crate::money::{Msat, thousands};
use crate::purchase::{JobState, Next, Reason};
use crate::terminal_text::{printable, printable_char};

/// Longest of our own lines, in characters: room for a signed URL, a deep path, a command.
const WHOLE_CHARS_MAX: usize = 8_192;

/// A text that is only of use whole (a URL, a path, a command), on one line and harmless to a terminal.
pub(super) fn whole_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(WHOLE_CHARS_MAX));
    for c in text.chars().take(WHOLE_CHARS_MAX) {
        if c == ' ' || c.is_ascii_graphic() {
            out.push(c);
        } else {
            // A blank of another kind than a space stays what it is: in a command it names another file.
            out.push(printable_char(c));
        }
    }
    out
}

/// A cost in whole sats, rounded up, without its unit: `1,234`.
pub(super) fn sats(cost: Msat) -> String {
    thousands(cost.sats_ceil().get())
}

/// A cost in whole sats, rounded up: `1 sat`, `1,234 sats`.
pub(super) fn amount(cost: Msat) -> String {
    cost.sats_ceil().to_string()
}

/// `42 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`; rounded down to what is shown.
pub(super) fn duration(ms: u64) -> String {
    let secs = ms / 1_000;
    let (mins, hours, days) = (secs / 60, secs / 3_600, secs / 86_400);
    match (days, hours, mins) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) => format!("{mins} min {} s", secs % 60),
        (0, _, _) => format!("{hours} h {} min", mins % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

/// `500 sats came back: 7,750 sats spent on balance`.
pub(super) fn refunded_words(refunded: Msat, net: Msat) -> String {
    format!("{} came back: {} spent on balance", amount(refunded), amount(net))
}

/// `554 sats for payments whose end or fee the node has not told so far`
pub(super) fn held_words(held: Msat) -> String {
    format!("{} for payments whose end or fee the node has not told so far", amount(held))
}

/// A state as people read it.
pub(super) const fn state_words(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "pending",
        JobState::Running => "running",
        JobState::InDoubt => "in doubt",
        JobState::Paid => "paid",
        JobState::Delivered => "delivered",
        JobState::Downloaded => "downloaded",
        JobState::Refused => "refused",
        JobState::Failed => "failed",
        JobState::RefundOffered => "refund offered",
        JobState::Refunded => "refunded",
        JobState::Lost => "lost",
    }
}

/// Whether a job in that state has come to its end, as far as a run can bring it.
pub(super) const fn is_end(state: JobState) -> bool {
    match state {
        JobState::Pending | JobState::Running | JobState::InDoubt | JobState::Paid => false,
        JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => true,
    }
}

/// Whether money went out for a job in that state.
pub(super) const fn is_settled(state: JobState) -> bool {
    match state {
        JobState::Pending | JobState::Running | JobState::InDoubt | JobState::Refused | JobState::Failed => false,
        JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => true,
    }
}

/// Whether a person should see this change even where a bar shows the rest.
pub(super) const fn needs_attention(job: &JobEvent) -> bool {
    match job.state {
        JobState::Paid => is_undelivered(job),
        JobState::Pending | JobState::Running => false,
        JobState::Delivered | JobState::Downloaded => !matches!(job.next, Next::None),
        JobState::InDoubt
        | JobState::Refused
        | JobState::Failed
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => true,
    }
}

/// Whether that is why a delivered job has no file.
pub(super) const fn is_without_file(reason: Reason) -> bool {
    matches!(reason, Reason::NotDownloaded | Reason::UrlGone)
}

/// Whether the origin was offered what was paid, and has not delivered so far. Each try is told: they are few, with
/// growing pauses, and somebody waits for them.
const fn is_undelivered(job: &JobEvent) -> bool {
    matches!(job.state, JobState::Paid) && !matches!(job.reason, Reason::None | Reason::Processing)
}

/// Whether a refund was claimed, and has not come so far: whoever waits for it is told why.
const fn is_claimed_in_vain(job: &JobEvent) -> bool {
    matches!(job.state, JobState::RefundOffered) && !matches!(job.reason, Reason::RefundOffered) && job.error.is_some()
}

/// The line of a job that has come to its end, into doubt, or is paid and not delivered; none while all goes its way.
pub(super) fn job_line(job: &JobEvent) -> Option<String> {
    // A fee that the node posts after the end changes no state, and is no second end.
    let goes_on = matches!(job.state, JobState::InDoubt) || is_undelivered(job) || is_claimed_in_vain(job);
    let told_anew = job.reason.is_of_manifest() || is_without_file(job.reason);
    let news = job.from != job.state || goes_on || told_anew;
    if !news || !(is_end(job.state) || goes_on) {
        return None;
    }
    let mut line = format!("{} {}", state_words(job.state), printable(&job.id));
    if job.take > 1 {
        line.push_str(&format!(" (take {})", job.take));
    }
    if is_settled(job.state) {
        line.push_str(&format!(" {}", amount(job.amount_msat.unwrap_or(job.price_msat))));
    }
    if let Some(refunded) = job.refunded_msat {
        line.push_str(&format!(", {} came back", amount(refunded)));
    }
    if job.reason != Reason::None {
        line.push_str(&format!(" {}", job.reason.as_str()));
    }
    match (&job.error, job.file.as_ref().or(job.url.as_ref())) {
        (Some(error), _) => line.push_str(&format!(": {}", printable(error))),
        (None, Some(url)) => line.push_str(&format!(" {}", whole_line(url))),
        (None, None) => {}
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::job;

    #[test]
    fn durations_read_well() {
        let shown = [999, 42_000, 192_400, 7_500_000, 273_600_000].map(duration);
        assert_eq!(shown, ["0 s", "42 s", "3 min 12 s", "2 h 5 min", "3 d 4 h"]);
    }

    #[test]
    fn a_late_fee_is_no_second_end() {
        let mut posted = job("a", JobState::Delivered, JobState::Delivered, Reason::None);
        posted.fee_msat = Some(Msat::new(1));
        assert_eq!(job_line(&posted), None);
        assert!(job_line(&job("a", JobState::Paid, JobState::Delivered, Reason::None)).is_some());
    }

    #[test]
    fn each_try_to_redeem_in_vain_is_told() {
        let mut again = job("a", JobState::Paid, JobState::Paid, Reason::NotDelivered);
        (again.error, again.url) = (Some("HTTP 503".into()), None);
        assert_eq!(job_line(&again).as_deref(), Some("paid a 550 sats not_delivered: HTTP 503"));
        assert_eq!(job_line(&job("a", JobState::Paid, JobState::Paid, Reason::Processing)), None);
    }

    #[test]
    fn a_url_stays_whole_and_harmless() {
        let url = format!("https://cdn.example/{}?sig=a%2Fb", "x".repeat(2_000));
        assert_eq!(whole_line(&url), url);
        assert_eq!(whole_line("/tmp/größe 1\n\u{1b}[2J\u{202e}"), "/tmp/größe 1 \u{fffd}[2J\u{fffd}");
        let command = "l402-batch run 'Screenshot 9.41\u{202f}PM\u{a0}b\u{3000}c.csv'";
        assert_eq!(whole_line(command), command);
        assert_eq!(whole_line(&"x".repeat(100_000)).len(), WHOLE_CHARS_MAX);
    }

    #[test]
    fn attention_is_for_what_does_not_end_well() {
        use JobState::{Delivered, InDoubt, Lost, Paid, Running};
        assert!(!needs_attention(&job("a", Paid, Delivered, Reason::None)));
        assert!(needs_attention(&job("a", Delivered, Delivered, Reason::Changed)));
        assert!(needs_attention(&job("a", Running, InDoubt, Reason::PaymentInFlight)));
        assert!(needs_attention(&job("a", Paid, Lost, Reason::OriginFailed)));
        assert!(!needs_attention(&job("a", Paid, Paid, Reason::Processing)));
        assert!(needs_attention(&job("a", Paid, Paid, Reason::NotDelivered)));
    }
}
