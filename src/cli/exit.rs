//! Exit codes: one number for how a command ended, and the one map from a batch's state to it.

use std::process;

use crate::ledger::{Counts, StateCount};
use crate::purchase::Reason::{BatchLimit, DayLimit, MonthLimit, NewOriginLimit, OriginDayLimit, OriginMonthLimit};
use crate::purchase::{JobState, Next, Reason};
use crate::run::signals::Stopped;

/// How the process ends. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// All done.
    Done = 0,
    /// A defect of this program.
    Internal = 1,
    /// The command line, the configuration or the manifest is wrong. Nothing was asked, nothing spent.
    Usage = 2,
    /// Unfinished: the same command later may finish it.
    Unfinished = 3,
    /// A job ended without its result, and only a person can change that.
    Person = 4,
    /// A payment is in doubt.
    InDoubt = 5,
    /// Not as planned: price or content changed, a price could not be had, another manifest.
    NotAsPlanned = 6,
    /// The ledger is unusable, or its books differ from the node's.
    Ledger = 7,
    /// A limit was reached.
    Limit = 8,
    /// The node is unusable (unreachable, locked, wrong network, not synced, too little balance); nothing spent.
    Node = 9,
    /// The deadline has passed.
    Deadline = 10,
    /// The batch is locked by another run.
    Locked = 11,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl ExitCode {
    /// The process's exit status.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl ExitCode {
    /// Every code, by number.
    pub const ALL: [Self; 14] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::Unfinished,
        Self::Person,
        Self::InDoubt,
        Self::NotAsPlanned,
        Self::Ledger,
        Self::Limit,
        Self::Node,
        Self::Deadline,
        Self::Locked,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What it says, in the words of the manual.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "all done",
            Self::Internal => "internal error, or standard output could not be written",
            Self::Usage => "usage or manifest; nothing was asked or spent",
            Self::Unfinished => {
                "unfinished, results or receipts could not be written, the question was answered with no, or another command \
                 changed again and again what it was about; the same command later may finish it"
            }
            Self::Person => "a job ended without its result, and only a person can change that",
            Self::InDoubt => "a payment is in doubt",
            Self::NotAsPlanned => "not as planned: price or content changed, another manifest",
            Self::Ledger => "the ledger is unusable, or its books differ from the node's",
            Self::Limit => "a limit was reached",
            Self::Node => "the node is unusable or has too little balance; nothing was spent",
            Self::Deadline => "the deadline has passed",
            Self::Locked => "the batch is locked by another run",
            Self::Interrupted => "ended by SIGINT",
            Self::Terminated => "ended by SIGTERM, or by SIGHUP: the terminal was closed",
        }
    }

    /// When several apply, the first of these.
    const ORDER: [Self; 13] = [
        Self::Ledger,
        Self::InDoubt,
        Self::Person,
        Self::NotAsPlanned,
        Self::Interrupted,
        Self::Terminated,
        Self::Node,
        Self::Limit,
        Self::Deadline,
        Self::Unfinished,
        Self::Locked,
        Self::Internal,
        Self::Usage,
    ];

    /// This code, or the other where that comes first.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        Self::ORDER.into_iter().find(|code| *code == self || *code == other).unwrap_or(Self::Done)
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// What a run met that no job's state tells. All unset for a command that only looks at a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// A commit failed, the ledger could not be read, or its books differ from the node's.
    pub ledger_unusable: bool,
    /// The run was asked to end.
    pub signal: Option<Stopped>,
    /// The node could not be used when it was needed.
    pub node_unusable: bool,
    /// A limit kept jobs from being bought.
    pub limit_reached: bool,
    /// The deadline stopped admission.
    pub deadline: bool,
    /// Results or receipts could not be written, or a person's word cannot be carried out yet: the same command later may
    /// do it.
    pub unfinished: bool,
    /// A price or a content is not the plan's, as the run itself found before any job (the manifest is another).
    pub not_as_planned: bool,
}

/// The exit code of a batch that stands so, after a run that met this. Where several apply, the first in the order
/// ledger, doubt, person, not as planned, signal, node, limit, deadline, unfinished.
#[must_use]
pub fn of_batch(counts: &Counts, findings: &Findings) -> ExitCode {
    let stands = |code| counts.by_state.iter().any(|c| c.jobs > 0 && of_job(c.state, c.reason) == code);
    if findings.ledger_unusable {
        return ExitCode::Ledger;
    }
    if stands(ExitCode::InDoubt) {
        return ExitCode::InDoubt;
    }
    if stands(ExitCode::Person) {
        return ExitCode::Person;
    }
    if findings.not_as_planned || stands(ExitCode::NotAsPlanned) {
        return ExitCode::NotAsPlanned;
    }
    match findings.signal {
        Some(Stopped::Interrupted) => return ExitCode::Interrupted,
        Some(Stopped::Terminated) => return ExitCode::Terminated,
        None => {}
    }
    let rest = [
        (ExitCode::Node, findings.node_unusable),
        (ExitCode::Limit, findings.limit_reached),
        (ExitCode::Deadline, findings.deadline),
        (ExitCode::Unfinished, findings.unfinished),
    ];
    rest.into_iter().find(|(code, found)| *found || stands(*code)).map_or(ExitCode::Done, |(code, _)| code)
}

/// Where a batch stands for a command that buys nothing: without the jobs that only a run can bring on.
#[must_use]
pub fn without_unbought(counts: &Counts) -> Counts {
    let mut left = counts.clone();
    left.by_state.retain(|count| !is_to_buy(count));
    left
}

/// Jobs that a run would buy, and nothing else brings on.
#[must_use]
pub fn is_to_buy(count: &StateCount) -> bool {
    matches!(count.state, JobState::Pending | JobState::Failed | JobState::Refused)
        && Next::of(count.state, count.reason) == Next::Rerun
}

/// What one job that stands so would make the exit code, were it alone.
#[must_use]
pub const fn of_job(state: JobState, reason: Reason) -> ExitCode {
    match state {
        // Nothing is asked for again: a person reads what was answered.
        JobState::Paid if matches!(reason, Reason::UnknownAnswer) => ExitCode::Person,
        JobState::InDoubt => ExitCode::InDoubt,
        _ if matches!(reason, Reason::BodyMissing | Reason::RowDamaged) => ExitCode::Person,
        JobState::Running | JobState::Paid => ExitCode::Unfinished,
        JobState::Delivered | JobState::Downloaded if reason.is_of_manifest() => ExitCode::NotAsPlanned,
        JobState::Delivered if matches!(reason, Reason::NotDownloaded) => ExitCode::Unfinished,
        JobState::Delivered if matches!(reason, Reason::UrlGone) => ExitCode::Person,
        JobState::Delivered | JobState::Downloaded => ExitCode::Done,
        // A person has decided, so that nothing is left to do.
        JobState::Lost | JobState::Refunded if matches!(reason, Reason::Decided) => ExitCode::Done,
        JobState::RefundOffered if matches!(reason, Reason::RefundOffered | Reason::RefundPending) => {
            ExitCode::Unfinished
        }
        JobState::RefundOffered | JobState::Refunded | JobState::Lost => ExitCode::Person,
        JobState::Pending if matches!(reason, Reason::PriceChanged) => ExitCode::NotAsPlanned,
        JobState::Pending | JobState::Failed => of_unspent(reason, ExitCode::Unfinished),
        JobState::Refused if matches!(reason, Reason::PriceChanged | Reason::Duplicate) => ExitCode::NotAsPlanned,
        JobState::Refused if matches!(reason, Reason::Withdrawn) => ExitCode::Done,
        JobState::Refused if matches!(reason, Reason::InvoiceExpired) => ExitCode::Unfinished,
        JobState::Refused => of_unspent(reason, ExitCode::Person),
    }
}

/// Limits and the node have codes of their own, in whatever state they leave a job that was not bought. A breaker is closed by neither time
/// nor the same command.
const fn of_unspent(reason: Reason, otherwise: ExitCode) -> ExitCode {
    match reason {
        BatchLimit | DayLimit | MonthLimit | OriginDayLimit | OriginMonthLimit | NewOriginLimit => ExitCode::Limit,
        Reason::NodeUnusable | Reason::InsufficientBalance => ExitCode::Node,
        Reason::BreakerOpen => ExitCode::Person,
        Reason::None
        | Reason::EarlierTake
        | Reason::AwaitingDelivery
        | Reason::AwaitingToken
        | Reason::DoubtLimit
        | Reason::IdenticalRequest
        | Reason::PaymentUnknown
        | Reason::PaymentInFlight
        | Reason::OtherNode
        | Reason::NodeForgot
        | Reason::WaitingForExpiry
        | Reason::NoWitness
        | Reason::Processing
        | Reason::NotDelivered
        | Reason::UnknownAnswer
        | Reason::CredentialRejected
        | Reason::OriginFailed
        | Reason::RefundOffered
        | Reason::RefundPending
        | Reason::RefundNotPermitted
        | Reason::RefundFailed
        | Reason::RefundExpired
        | Reason::RefundPartial
        | Reason::PriceChanged
        | Reason::ChallengeInvalid
        | Reason::InvoiceInvalid
        | Reason::WrongNetwork
        | Reason::InvoiceExpired
        | Reason::InvoiceReused
        | Reason::InvoiceLife
        | Reason::JobLimit
        | Reason::NotForSale
        | Reason::InvalidInput
        | Reason::ContentFiltered
        | Reason::ImageChanged
        | Reason::ImageUnreadable
        | Reason::Withdrawn
        | Reason::Duplicate
        | Reason::NoRoute
        | Reason::PaymentTimeout
        | Reason::PaymentRejected
        | Reason::PaymentFailed
        | Reason::OriginUnreachable
        | Reason::OriginError
        | Reason::RateLimited
        | Reason::AnsweredFromCache
        | Reason::Changed
        | Reason::KnownByReceipt
        | Reason::NotDownloaded
        | Reason::UrlGone
        | Reason::Decided
        | Reason::BodyMissing
        | Reason::RowDamaged => otherwise,
    }
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;
    use crate::money::Msat;

    fn counts(jobs: &[(JobState, Reason)]) -> Counts {
        let count = |(state, reason): &(JobState, Reason)| StateCount {
            state: *state,
            reason: *reason,
            jobs: 1,
            price: Msat::new(1_000),
        };
        Counts { by_state: jobs.iter().map(count).collect(), ..Counts::default() }
    }

    /// Every state with every reason that can stand there, and the code that such a job alone brings about.
    pub(in crate::cli) const TABLE: &[(JobState, &[Reason], ExitCode)] = &[
        (
            JobState::Pending,
            &[
                Reason::None,
                Reason::EarlierTake,
                Reason::AwaitingDelivery,
                Reason::AwaitingToken,
                Reason::DoubtLimit,
                Reason::IdenticalRequest,
            ],
            ExitCode::Unfinished,
        ),
        (JobState::Pending, &[Reason::BreakerOpen], ExitCode::Person),
        (JobState::Pending, &[Reason::PriceChanged], ExitCode::NotAsPlanned),
        (
            JobState::Pending,
            &[
                Reason::BatchLimit,
                Reason::DayLimit,
                Reason::MonthLimit,
                Reason::OriginDayLimit,
                Reason::OriginMonthLimit,
                Reason::NewOriginLimit,
            ],
            ExitCode::Limit,
        ),
        (JobState::Pending, &[Reason::NodeUnusable, Reason::InsufficientBalance], ExitCode::Node),
        (JobState::Running, &[Reason::None], ExitCode::Unfinished),
        (
            JobState::InDoubt,
            &[
                Reason::PaymentUnknown,
                Reason::PaymentInFlight,
                Reason::OtherNode,
                Reason::NodeForgot,
                Reason::WaitingForExpiry,
                Reason::NoWitness,
            ],
            ExitCode::InDoubt,
        ),
        (
            JobState::Paid,
            &[
                Reason::None,
                Reason::Processing,
                Reason::NotDelivered,
                Reason::CredentialRejected,
                Reason::OriginFailed,
                Reason::ContentFiltered,
                Reason::InvalidInput,
                Reason::OriginUnreachable,
                Reason::RateLimited,
                Reason::AnsweredFromCache,
            ],
            ExitCode::Unfinished,
        ),
        (JobState::Paid, &[Reason::UnknownAnswer], ExitCode::Person),
        (JobState::Delivered, &[Reason::None], ExitCode::Done),
        (JobState::Delivered, &[Reason::Changed, Reason::KnownByReceipt], ExitCode::NotAsPlanned),
        (JobState::Delivered, &[Reason::NotDownloaded], ExitCode::Unfinished),
        (JobState::Delivered, &[Reason::UrlGone], ExitCode::Person),
        (JobState::Downloaded, &[Reason::None], ExitCode::Done),
        (JobState::Downloaded, &[Reason::Changed, Reason::KnownByReceipt], ExitCode::NotAsPlanned),
        (JobState::Refused, &[Reason::PriceChanged, Reason::Duplicate], ExitCode::NotAsPlanned),
        (JobState::Refused, &[Reason::Withdrawn], ExitCode::Done),
        (JobState::Refused, &[Reason::BatchLimit], ExitCode::Limit),
        (JobState::Refused, &[Reason::InvoiceExpired], ExitCode::Unfinished),
        (
            JobState::Refused,
            &[
                Reason::ChallengeInvalid,
                Reason::InvoiceInvalid,
                Reason::WrongNetwork,
                Reason::InvoiceReused,
                Reason::InvoiceLife,
                Reason::JobLimit,
                Reason::NotForSale,
                Reason::InvalidInput,
                Reason::UnknownAnswer,
                Reason::ContentFiltered,
                Reason::ImageChanged,
                Reason::ImageUnreadable,
            ],
            ExitCode::Person,
        ),
        (
            JobState::Failed,
            &[
                Reason::NoRoute,
                Reason::PaymentTimeout,
                Reason::PaymentRejected,
                Reason::PaymentFailed,
                Reason::OriginUnreachable,
                Reason::OriginError,
                Reason::RateLimited,
                Reason::AnsweredFromCache,
            ],
            ExitCode::Unfinished,
        ),
        (JobState::Paid, &[Reason::BodyMissing, Reason::RowDamaged], ExitCode::Person),
        (JobState::Running, &[Reason::RowDamaged], ExitCode::Person),
        (JobState::InDoubt, &[Reason::RowDamaged], ExitCode::InDoubt),
        (JobState::Failed, &[Reason::Decided], ExitCode::Unfinished),
        (JobState::Failed, &[Reason::InsufficientBalance], ExitCode::Node),
        (JobState::RefundOffered, &[Reason::RefundOffered, Reason::RefundPending], ExitCode::Unfinished),
        (
            JobState::RefundOffered,
            &[Reason::RefundNotPermitted, Reason::RefundFailed, Reason::RefundExpired],
            ExitCode::Person,
        ),
        (JobState::Refunded, &[Reason::None, Reason::RefundPartial], ExitCode::Person),
        (JobState::Refunded, &[Reason::Decided], ExitCode::Done),
        (JobState::Lost, &[Reason::Decided], ExitCode::Done),
        (
            JobState::Lost,
            &[
                Reason::NotDelivered,
                Reason::UnknownAnswer,
                Reason::CredentialRejected,
                Reason::OriginFailed,
                Reason::ContentFiltered,
                Reason::InvalidInput,
                Reason::AnsweredFromCache,
            ],
            ExitCode::Person,
        ),
    ];

    #[test]
    fn the_manual_and_the_document_say_the_same() {
        let document = include_str!("../../docs/exit-codes.md");
        for code in ExitCode::ALL.into_iter().filter(|code| code.number() < 100) {
            assert!(document.contains(&format!("| {} | {} |", code.number(), code.meaning())), "{code:?}");
        }
    }

    #[test]
    fn one_job_alone() {
        for (state, reasons, code) in TABLE {
            for reason in *reasons {
                let alone = counts(&[(*state, *reason)]);
                assert_eq!(of_batch(&alone, &Findings::default()), *code, "{state:?} {reason:?}");
            }
        }
        for &state in JobState::ALL {
            assert!(TABLE.iter().any(|(known, ..)| *known == state), "{state:?} is not in the table");
        }
        for &reason in Reason::ALL {
            assert!(TABLE.iter().any(|(_, reasons, _)| reasons.contains(&reason)), "{reason:?} is not in the table");
        }
    }

    #[test]
    fn what_is_done_needs_nothing_and_what_needs_a_person_is_never_done() {
        for (state, reasons, code) in TABLE {
            for reason in *reasons {
                let next = Next::of(*state, *reason);
                assert_eq!(*code == ExitCode::Done, next == Next::None, "{state:?} {reason:?}");
                assert!(*code != ExitCode::Unfinished || next == Next::Rerun, "{state:?} {reason:?}");
            }
        }
    }

    #[test]
    fn when_several_apply_the_gravest_wins() {
        let mut jobs = vec![
            (JobState::InDoubt, Reason::PaymentUnknown),
            (JobState::Lost, Reason::NotDelivered),
            (JobState::Refused, Reason::PriceChanged),
            (JobState::Delivered, Reason::None),
        ];
        let mut met = Findings {
            ledger_unusable: true,
            signal: Some(Stopped::Terminated),
            node_unusable: true,
            limit_reached: true,
            deadline: true,
            unfinished: true,
            not_as_planned: false,
        };
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Ledger);
        met.ledger_unusable = false;
        for code in [ExitCode::InDoubt, ExitCode::Person, ExitCode::NotAsPlanned] {
            assert_eq!(of_batch(&counts(&jobs), &met), code);
            jobs.remove(0);
        }
        jobs.push((JobState::Pending, Reason::None));
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Terminated);
        met.signal = Some(Stopped::Interrupted);
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Interrupted);
        met.signal = None;
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Node);
        met.node_unusable = false;
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Limit);
        met.limit_reached = false;
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Deadline);
        met.deadline = false;
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Unfinished);
        jobs.pop();
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Unfinished, "the files are not as the ledger is");
        met.unfinished = false;
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::Done);
        met.not_as_planned = true;
        assert_eq!(of_batch(&counts(&jobs), &met), ExitCode::NotAsPlanned);
    }

    #[test]
    fn refunds_and_files_that_are_not_here_are_one_thing_to_do() {
        let open = (JobState::RefundOffered, Reason::RefundPending);
        let unfetched = (JobState::Delivered, Reason::NotDownloaded);
        for (jobs, code) in [
            ([open, unfetched], ExitCode::Unfinished),
            ([open, (JobState::Delivered, Reason::UrlGone)], ExitCode::Person),
            ([(JobState::Refunded, Reason::None), unfetched], ExitCode::Person),
            ([(JobState::Refunded, Reason::Decided), (JobState::Downloaded, Reason::None)], ExitCode::Done),
        ] {
            assert_eq!(of_batch(&counts(&jobs), &Findings::default()), code, "{jobs:?}");
        }
    }

    #[test]
    fn a_state_that_no_job_has_does_not_count() {
        let mut none = counts(&[(JobState::Lost, Reason::NotDelivered)]);
        none.by_state[0].jobs = 0;
        assert_eq!(of_batch(&none, &Findings::default()), ExitCode::Done);
    }

    #[test]
    fn the_numbers_are_those_of_the_interface() {
        let numbers = [
            (ExitCode::Done, 0),
            (ExitCode::Internal, 1),
            (ExitCode::Usage, 2),
            (ExitCode::Unfinished, 3),
            (ExitCode::Person, 4),
            (ExitCode::InDoubt, 5),
            (ExitCode::NotAsPlanned, 6),
            (ExitCode::Ledger, 7),
            (ExitCode::Limit, 8),
            (ExitCode::Node, 9),
            (ExitCode::Deadline, 10),
            (ExitCode::Locked, 11),
            (ExitCode::Interrupted, 130),
            (ExitCode::Terminated, 143),
        ];
        for (code, number) in numbers {
            assert_eq!(code.number(), number);
        }
    }
}
