//! What an answer to what is paid says of how far the job is: its status word, when to look again, and what is told where it
//! holds no result that is used.

use super::answer_envelope::Envelope;
use super::url_policy::BadAddress;
use crate::catalog::ResultRule;
use crate::error::chain;
use crate::purchase::HttpAnswer;

/// The shortest and the longest pause between polls, and the pause where the origin names none, in milliseconds.
pub(super) const POLL_MS_MIN: u64 = 250;
pub(super) const POLL_MS_MAX: u64 = 60_000;
pub(super) const POLL_MS_DEFAULT: u64 = 5_000;

/// Words that mean: not done yet. A result's URL that stands beside one of them, and a poll address, is not there yet.
const PENDING: [&str; 10] = [
    "accepted",
    "created",
    "queued",
    "pending",
    "starting",
    "started",
    "processing",
    "running",
    "in_progress",
    "in-progress",
];

/// What the status word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Done,
    Failed,
    Pending,
    /// A word that neither the catalogue nor this program knows.
    Unknown,
    Missing,
}

impl Word {
    pub(super) fn of(said: &Envelope, rule: &ResultRule) -> Self {
        let Some(word) = said.text_at(&rule.status).map(str::trim) else { return Self::Missing };
        let among = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        if among(&rule.failed) {
            Self::Failed
        } else if among(&rule.done) {
            Self::Done
        } else if PENDING.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            Self::Pending
        } else {
            Self::Unknown
        }
    }
}

impl Word {
    /// Whether more may come to what is named beside it, where that is polled: the elements of a list are filled one after the other.
    pub(super) fn may_grow(self, said: &Envelope, rule: &ResultRule) -> bool {
        !self.may_be_done(rule) && said.has_list(&rule.url)
    }

    /// Whether what stands beside it may be all of the result: a word that nobody knows may mean anything, where words for "done" are known.
    pub(super) const fn may_be_done(self, rule: &ResultRule) -> bool {
        match self {
            Self::Done | Self::Missing => true,
            Self::Unknown => rule.done.is_empty(),
            Self::Failed | Self::Pending => false,
        }
    }
}

/// The pause that the answer names, in its body or a header, within bounds.
pub(super) fn interval_ms(answer: &HttpAnswer, said: &Envelope, rule: &ResultRule) -> Option<u64> {
    let in_header = || answer.header("x-poll-interval-ms")?.trim().parse().ok();
    let named = said.number_at(&rule.poll_interval_ms).or_else(in_header).or(said.after_ms);
    named.map(|ms| ms.clamp(POLL_MS_MIN, POLL_MS_MAX))
}

pub(super) fn no_result(said: &Envelope, rule: &ResultRule) -> String {
    let looked_at = rule.url.iter().chain(&rule.text).map(String::as_str).collect::<Vec<_>>().join(", ");
    let at = if looked_at.is_empty() { String::new() } else { format!(" at {looked_at}") };
    format!("{}; the answer holds no result{at}; it is kept in the ledger", said.message)
}

pub(super) fn misplaced(what: &str, why: &BadAddress) -> String {
    format!("the {what} address is not used: {}; the answer is kept in the ledger", chain(why))
}
