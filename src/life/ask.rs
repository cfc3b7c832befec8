//! From nothing to the intent: a challenge, or why the job is not bought now.

use crate::ledger::{IntentRefusal, Record};
use crate::life::{Asked, Effect, Moment, State, Step, Then, Tries, commit, served, stop, wait};
use crate::money::{Msat, sum_in_sats};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// What came of asking.
pub(super) fn asked(mut tries: Tries, asked: Asked, moment: &Moment<'_>) -> Step {
    match asked {
        // A challenge without an intent may be dropped: a run that drains buys nothing more.
        Asked::Ready(_) | Asked::Retry { .. } if moment.draining => stop(),
        Asked::Ready(intent) if !moment.promises.fee_ceiling.keeps_to(intent.fee_limit, intent.amount) => {
            let message = format!(
                "the wallet takes no limit for routing fees and may take more than {}, the job's ceiling: raise that, or pay \
                 with a wallet that takes one",
                intent.fee_limit
            );
            moment.end(JobState::Refused, Reason::JobLimit, message)
        }
        Asked::Ready(intent) => commit(Record::Intend(intent), Then::Pay(tries)),
        Asked::Served(sent, answer) => served::answered(sent, tries, answer, moment),
        Asked::Refused(reason, message) => moment.end(JobState::Refused, reason, message),
        Asked::Retry { after_ms, reason, message } => {
            tries.asks += 1;
            if tries.asks >= moment.bounds.asks {
                return moment.end(JobState::Failed, reason, message);
            }
            wait(State::Planned(tries), moment.later(tries.asks, after_ms))
        }
        Asked::NotAdmitted => stop(),
        Asked::Later => (State::Done, Effect::SetAside(tries)),
        Asked::Pending(reason, message) => moment.end(JobState::Pending, reason, message),
    }
}

/// The ledger refused the intent.
pub(super) fn intent_refused(mut tries: Tries, refusal: &IntentRefusal, moment: &Moment<'_>) -> Step {
    match refusal {
        IntentRefusal::HashKnown => {
            if moment.draining {
                return stop();
            }
            if tries.hash_reused {
                let message = "the origin hands out an invoice that already belongs to another purchase".to_owned();
                return moment.end(JobState::Refused, Reason::InvoiceReused, message);
            }
            tries.hash_reused = true;
            let until = moment.now.plus_ms(moment.facts.endpoint.window_ms()).max(moment.later(1, None));
            wait(State::Planned(tries), until)
        }
        IntentRefusal::IdenticalKnown => {
            tries.asks += 1;
            if moment.draining || tries.asks >= moment.bounds.asks {
                // The next run buys it.
                let message = "another purchase of the identical request is under way, or was a moment ago".to_owned();
                return moment.end(JobState::Pending, Reason::IdenticalRequest, message);
            }
            wait(State::Planned(tries), moment.later(tries.asks, None))
        }
        IntentRefusal::Duplicate(original) => moment.end(JobState::Refused, Reason::Duplicate, original.words()),
        IntentRefusal::EarlierTake { until } => {
            moment.end(JobState::Pending, Reason::EarlierTake, earlier_words(*until))
        }
        IntentRefusal::HeldBack(_) => (State::Done, Effect::SetAside(tries)),
        IntentRefusal::TokenKnown => {
            tries.asks += 1;
            if moment.draining || tries.asks >= moment.bounds.asks {
                let message = "another job buys the token that serves this one as well".to_owned();
                return moment.end(JobState::Pending, Reason::AwaitingToken, message);
            }
            // It is asked with that one, once its own job is delivered.
            (State::Done, Effect::SetAside(tries))
        }
        IntentRefusal::OriginJobLimit { cost, most } => {
            moment.end(JobState::Refused, Reason::JobLimit, origin_job_limit_words(*cost, *most))
        }
        IntentRefusal::BatchLimit { cost, used, most } => wait_for_room(moment, Limit::Batch, *cost, *used, *most),
        IntentRefusal::DayLimit { cost, used, most } => wait_for_room(moment, Limit::Day, *cost, *used, *most),
        IntentRefusal::MonthLimit { cost, used, most } => wait_for_room(moment, Limit::Month, *cost, *used, *most),
    }
}

/// That a purchase may cost more than one may at its origin.
#[must_use]
pub fn origin_job_limit_words(cost: Msat, most: Msat) -> String {
    format!(
        "it may cost {}, above the most for one job at its origin, {} (max_sats_per_job)",
        cost.sats_ceil(),
        most.sats_ceil()
    )
}

fn wait_for_room(moment: &Moment<'_>, limit: Limit, cost: Msat, used: Msat, most: Msat) -> Step {
    moment.end(JobState::Pending, limit.reason(), limit_words(limit, cost, used, most))
}

fn earlier_words(until: Option<UnixMs>) -> String {
    match until {
        None => {
            "an earlier purchase of this job is open: nothing is bought in its place before it has ended".to_owned()
        }
        Some(until) => format!(
            "an earlier payment for this job may still settle until {until}: nothing is bought in its place before that, or before \
             the node that was asked to pay says that it never will"
        ),
    }
}

/// What may not be spent beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// By a batch, over all its runs.
    Batch,
    /// In a day, by the whole ledger.
    Day,
    /// In a month, by the whole ledger.
    Month,
}

impl Limit {
    /// Why a job is not bought that it has no room for.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Batch => Reason::BatchLimit,
            Self::Day => Reason::DayLimit,
            Self::Month => Reason::MonthLimit,
        }
    }
}

/// That a limit has no room for what may cost so much, where so much is used of it.
pub fn limit_words(limit: Limit, cost: Msat, used: Msat, most: Msat) -> String {
    let (whose, counted) = match limit {
        Limit::Batch => ("batch", "in the batch so far"),
        Limit::Day => ("day", "today in the whole ledger"),
        Limit::Month => ("month", "this month in the whole ledger"),
    };
    let missing = used.checked_add(cost).and_then(|needed| needed.checked_sub(most));
    let missing = missing.map_or_else(|| "far".to_owned(), |missing| missing.sats_ceil().to_string());
    // A cost rounds up. Fees are hardly ever whole sats.
    let most = most.sats_ceil();
    let [used, cost] = sum_in_sats(used, cost)
        .map_or_else(|| [used, cost].map(|amount| amount.sats_ceil()), |[_, used, cost]| [used, cost]);
    format!(
        "the {whose}'s limit of {most} has no room for the next job: {used} are spent or held {counted}, and it may cost \
         {cost}, which is {missing} too much"
    )
}
