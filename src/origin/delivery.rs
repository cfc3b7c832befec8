//! Reads the answers of what is paid: to the redeeming request, and to the poll address. Nothing here is ever a reason
//! to pay again.

use url::Url;

use super::said::{Code, Said};
use super::{HttpAnswer, place};
use crate::catalog::ResultRule;
use crate::ledger::{Poll, Reason};

/// The shortest and the longest pause between polls, and the pause where the origin names none, in milliseconds.
const POLL_MS_MIN: u64 = 250;
const POLL_MS_MAX: u64 = 60_000;
const POLL_MS_DEFAULT: u64 = 5_000;

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

/// What a redeem brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The result is there.
    Delivered {
        /// Its absolute URL.
        url: Url,
    },
    /// The origin takes its time.
    Accepted {
        /// Where and how often to poll.
        poll: Poll,
    },
    /// The origin will not deliver, and offers the money back.
    RefundOffered {
        /// Its error code, if any.
        code: Option<String>,
        /// In words; harmless, without the withdraw link.
        message: String,
    },
    /// Not now: the same credential and body, again.
    Retry {
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// `processing` or `not_delivered`.
        reason: Reason,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// 401 or 402: the origin does not take the credential, or has not seen the payment yet.
    CredentialRejected {
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// It will never become a delivery.
    Final {
        /// Why.
        reason: Reason,
        /// In words; harmless, without secrets.
        message: String,
    },
    /// Success in a shape that holds no result.
    UnknownShape {
        /// In words; harmless, without secrets.
        message: String,
    },
}

/// What a poll brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// The result is there.
    Delivered {
        /// Its absolute URL.
        url: Url,
    },
    /// Not done yet.
    Pending {
        /// How long to wait now, in milliseconds, where the origin says so; within the bounds of an interval.
        after_ms: Option<u64>,
    },
    /// The origin will not deliver, and offers the money back.
    RefundOffered {
        /// Its error code, if any.
        code: Option<String>,
        /// In words; harmless, without the withdraw link.
        message: String,
    },
    /// The origin says that it failed.
    Failed {
        /// In words; harmless.
        message: String,
    },
    /// The address leads nowhere any more.
    Gone {
        /// In words; harmless.
        message: String,
    },
    /// The poll itself did not succeed; again.
    Retry {
        /// How long to wait at least, in milliseconds, where the origin says so; an hour at most.
        after_ms: Option<u64>,
        /// In words; harmless.
        message: String,
    },
    /// Success in a shape that holds neither a result nor a status.
    UnknownShape {
        /// In words; harmless.
        message: String,
    },
}

/// Reads the answer to a request with a credential.
#[must_use]
pub fn read_redeem(answer: &HttpAnswer, rule: &ResultRule, endpoint_url: &Url) -> Redeemed {
    let said = Said::of(answer);
    let word = Word::of(&said, rule);
    if said.is_success()
        && word != Word::Failed
        && let Some(found) = success(answer, &said, word, rule, endpoint_url)
    {
        return found;
    }
    if said.refund {
        return Redeemed::RefundOffered { code: said.code_word(answer), message: said.message };
    }
    match said.code {
        Some(Code::ContentFiltered) => {
            return Redeemed::Final { reason: Reason::ContentFiltered, message: said.message };
        }
        Some(Code::InvalidInput) => return Redeemed::Final { reason: Reason::InvalidInput, message: said.message },
        Some(Code::RateLimited | Code::Passing | Code::AfterPayment) => return not_delivered(said),
        Some(Code::Other) | None => {}
    }
    match said.status {
        200..=299 if word == Word::Failed => Redeemed::Final { reason: Reason::OriginFailed, message: said.message },
        200..=299 => Redeemed::UnknownShape { message: no_result(&said, rule) },
        401 | 402 => Redeemed::CredentialRejected { after_ms: said.after_ms, message: said.message },
        // An answer without a code may come from a proxy on the way, so no status alone ends a paid purchase.
        _ => not_delivered(said),
    }
}

/// Reads the answer of a poll address.
#[must_use]
pub fn read_poll(answer: &HttpAnswer, rule: &ResultRule, endpoint_url: &Url) -> Polled {
    let said = Said::of(answer);
    let word = Word::of(&said, rule);
    if said.is_success()
        && !matches!(word, Word::Failed | Word::Pending)
        && let Some(text) = said.text_at(&rule.url)
    {
        return match place::result_url(text, endpoint_url) {
            Ok(url) => Polled::Delivered { url },
            Err(why) => Polled::UnknownShape { message: misplaced("result", &why) },
        };
    }
    if said.refund {
        return Polled::RefundOffered { code: said.code_word(answer), message: said.message };
    }
    match said.code {
        Some(Code::RateLimited | Code::Passing) if word != Word::Failed => return again(said),
        Some(Code::ContentFiltered | Code::InvalidInput | Code::AfterPayment) => {
            return Polled::Failed { message: said.message };
        }
        Some(Code::RateLimited | Code::Passing | Code::Other) | None => {}
    }
    match (said.status, word) {
        (_, Word::Failed) => Polled::Failed { message: said.message },
        (200..=299, Word::Pending | Word::Unknown) | (202, Word::Done | Word::Missing) => {
            Polled::Pending { after_ms: interval_ms(answer, &said, rule) }
        }
        (200..=299, Word::Done | Word::Missing) => Polled::UnknownShape { message: no_result(&said, rule) },
        (408 | 425 | 429 | 500..=599, Word::Done | Word::Pending | Word::Unknown | Word::Missing) => again(said),
        (_, Word::Done | Word::Pending | Word::Unknown | Word::Missing) => Polled::Gone { message: said.message },
    }
}

/// What the status word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Done,
    Failed,
    Pending,
    /// A word that neither the catalogue nor this program knows.
    Unknown,
    Missing,
}

impl Word {
    fn of(said: &Said, rule: &ResultRule) -> Self {
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

/// What a 2xx answer to a redeem holds: a result, a poll address, or the word that it takes time.
fn success(answer: &HttpAnswer, said: &Said, word: Word, rule: &ResultRule, endpoint_url: &Url) -> Option<Redeemed> {
    let poll =
        said.text_at(&rule.poll_url).or_else(|| answer.header("x-poll-url").filter(|url| !url.trim().is_empty()));
    if let Some(text) = said.text_at(&rule.url)
        && (word != Word::Pending || poll.is_none())
    {
        return Some(match place::result_url(text, endpoint_url) {
            Ok(url) => Redeemed::Delivered { url },
            Err(why) => Redeemed::UnknownShape { message: misplaced("result", &why) },
        });
    }
    if let Some(text) = poll {
        return Some(match place::poll_url(text, endpoint_url) {
            Ok(url) => {
                let interval_ms = interval_ms(answer, said, rule).unwrap_or(POLL_MS_DEFAULT);
                Redeemed::Accepted { poll: Poll { url, interval_ms } }
            }
            Err(why) => Redeemed::UnknownShape { message: misplaced("poll", &why) },
        });
    }
    if said.refund || said.code.is_some() || (said.status != 202 && word != Word::Pending) {
        return None;
    }
    let job = answer.header("x-job-id").map_or_else(String::new, |id| format!(" as {}", crate::harmless::harmless(id)));
    let message = format!("the origin has accepted the job{job} and names no poll address; it is asked again");
    Some(Redeemed::Retry { after_ms: said.after_ms, reason: Reason::Processing, message })
}

/// The pause that the answer names, in its body or a header, within bounds.
fn interval_ms(answer: &HttpAnswer, said: &Said, rule: &ResultRule) -> Option<u64> {
    let in_header = || answer.header("x-poll-interval-ms")?.trim().parse().ok();
    let named = said.number_at(&rule.poll_interval_ms).or_else(in_header).or(said.after_ms);
    named.map(|ms| ms.clamp(POLL_MS_MIN, POLL_MS_MAX))
}

fn not_delivered(said: Said) -> Redeemed {
    Redeemed::Retry { after_ms: said.after_ms, reason: Reason::NotDelivered, message: said.message }
}

fn again(said: Said) -> Polled {
    Polled::Retry { after_ms: said.after_ms, message: said.message }
}

fn no_result(said: &Said, rule: &ResultRule) -> String {
    let looked_at = rule.url.join(", ");
    format!("{}; the answer holds no result at {looked_at}; it is kept in the ledger", said.message)
}

fn misplaced(what: &str, why: &str) -> String {
    format!("the {what} address is not used: {why}; the answer is kept in the ledger")
}
