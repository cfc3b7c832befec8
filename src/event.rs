//! What happened in a run, in the order in which it was committed. Events carry no preimage, token or invoice.

use serde::Serialize;

use crate::ledger::{ByKind, Transition};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason};
use crate::time::UnixMs;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run knows its ledger and its batch.
    RunStarted {
        /// The batch's name.
        batch: String,
        /// The ledger's path.
        ledger: String,
        /// Whether the batch begins with this run.
        new_batch: bool,
        /// Whether the ledger begins with this run.
        new_ledger: bool,
        /// The tool's version.
        tool_version: String,
    },
    /// What there is to do, after recovery and planning.
    Planned {
        /// Jobs of the batch.
        job_count: u64,
        /// Jobs to buy.
        to_buy_count: u64,
        /// The price of those, in msat.
        to_buy_msat: Msat,
        /// Of that, what is the most that it may be, in msat; the rest is exact.
        to_buy_capped_msat: Msat,
        /// The most that routing them may cost, in msat.
        fee_ceiling_msat: Msat,
        /// A price of the batch is the most that it may be: the sums of delivered and open ones are no more exact.
        has_caps: bool,
        /// Jobs at their good end.
        delivered_count: u64,
        /// Their prices together, in msat.
        delivered_msat: Msat,
        /// Jobs paid or being paid, and not at their end: those in doubt among them.
        open_count: u64,
        /// Their prices together, in msat.
        open_msat: Msat,
        /// Jobs whose payment's fate is unknown.
        in_doubt_count: u64,
        /// Their prices together, in msat.
        in_doubt_msat: Msat,
        /// Jobs that were delivered and are of another content in the manifest now.
        changed_count: u64,
        /// Jobs that have gone from the manifest before they were bought.
        gone_count: u64,
        /// Where files go, with the template of their names; none where none are fetched.
        download: Option<String>,
        /// Delivered before, and their files still to be fetched.
        to_download_count: u64,
    },
    /// A job stands otherwise than before.
    Job(JobEvent),
    /// Admission pauses, for a cause that concerns more than one job.
    Paused {
        /// The cause, in words, with what to do.
        cause: String,
    },
    /// Admission goes on.
    Resumed,
    /// Something a person should know, that stops nothing.
    Warning {
        /// What it is, in words for a person.
        message: String,
    },
    /// A signal or a deadline: nothing new is admitted, what is open is brought to a safe place.
    Draining {
        /// The cause, in words for a person.
        cause: String,
    },
    /// The last event of a run.
    RunEnded(Box<RunEnded>),
}

/// A job's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobEvent {
    /// Its id.
    pub id: String,
    /// Which purchase of it.
    pub take: u32,
    /// Its endpoint's name.
    pub endpoint: String,
    /// The state before.
    pub from: JobState,
    /// The state now.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// What has to happen next.
    pub next: Next,
    /// Its price by the plan, in msat.
    pub price_msat: Msat,
    /// That is the most that it may be.
    pub price_is_cap: bool,
    /// What the seller was paid in msat, once it is: the price, or less.
    pub amount_msat: Option<Msat>,
    /// The actual routing fee in msat, once posted.
    pub fee_msat: Option<Msat>,
    /// What came back in msat, where this change is its coming.
    pub refunded_msat: Option<Msat>,
    /// The result's URL, once delivered.
    pub url: Option<String>,
    /// The file, once downloaded.
    pub file: Option<String>,
    /// Further results of the same answer, where it held several.
    #[serde(flatten)]
    pub further: Option<Box<Further>>,
    /// What went wrong, in words for a person; none where nothing did.
    pub error: Option<String>,
    /// The moment, in milliseconds since 1970 (UTC).
    pub at: UnixMs,
}

/// Results beside the first one of the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Further {
    /// Their URLs.
    pub more_urls: Vec<String>,
    /// Their files, once downloaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_files: Vec<String>,
}

/// The job that a change is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changing<'a> {
    /// Its id.
    pub id: &'a str,
    /// Which purchase of it.
    pub take: u32,
    /// Its endpoint's name.
    pub endpoint: &'a str,
    /// The state before.
    pub from: JobState,
    /// Its price by the plan, in msat.
    pub price: Msat,
    /// That is the most that it may be.
    pub is_capped: bool,
    /// What the seller was paid in msat, where it was known before.
    pub amount: Option<Msat>,
    /// The actual routing fee, where it was known before.
    pub fee: Option<Msat>,
}

impl Changing<'_> {
    /// Tells of the change that a commit made of the job, and of nothing that is not durable.
    pub fn announce(&self, to: Transition, at: UnixMs, listener: &(impl Listener + ?Sized)) {
        listener.hear(&Event::Job(JobEvent::of(self, to, at)));
    }
}

impl JobEvent {
    /// What the ledger says of a job that has changed.
    #[must_use]
    pub fn of(job: &Changing<'_>, to: Transition, at: UnixMs) -> Self {
        let Transition { state, reason, amount, fee, refunded, url, more_urls, file, more_files, error } = to;
        Self {
            id: job.id.to_owned(),
            take: job.take,
            endpoint: job.endpoint.to_owned(),
            from: job.from,
            state,
            reason,
            next: Next::of(state, reason),
            price_msat: job.price,
            price_is_cap: job.is_capped,
            amount_msat: amount.or(job.amount),
            fee_msat: fee.or(job.fee),
            refunded_msat: refunded,
            url,
            file,
            further: (!more_urls.is_empty()).then(|| Box::new(Further { more_urls, more_files })),
            error,
            at,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunEnded {
    /// The process's exit code.
    pub exit_code: u8,
    /// The batch's name.
    pub batch: String,
    /// Jobs by state and reason.
    pub counts: Vec<EndCount>,
    /// The plan's price, in msat.
    pub planned_msat: Msat,
    /// Of that, what is the most that it may be, in msat; the rest is exact.
    pub planned_capped_msat: Msat,
    /// Settled over all runs of the batch, without fees, in msat.
    pub spent_msat: Msat,
    /// Routing fees over all runs, in msat.
    pub fees_msat: Msat,
    /// Jobs of this run that another one's token served: nothing was paid for them.
    pub served_count: u64,
    /// Jobs that were paid in this run with less than the plan says.
    pub cheaper_count: u64,
    /// So much less, in msat.
    pub saved_msat: Msat,
    /// Jobs that were paid in this run with less than their cap.
    pub below_cap_count: u64,
    /// So much less, in msat.
    pub below_cap_msat: Msat,
    /// Of that, what settled in this run, without fees, in msat; none where that is not known.
    pub run_spent_msat: Option<Msat>,
    /// Of the fees, what was posted in this run, in msat; none where that is not known.
    pub run_fees_msat: Option<Msat>,
    /// Of what was spent, so much came back, in msat.
    pub refunded_msat: Msat,
    /// Still held for payments that are not posted, in msat.
    pub held_msat: Msat,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
    /// Jobs that only a person can bring on (the first thousand).
    pub needs_person: Vec<NeedsPerson>,
    /// What to do next, a sentence each.
    pub advice: Vec<String>,
    /// Why nothing was bought, or why the run ended before its time, in words.
    pub error: Option<String>,
    /// What groups of jobs have come to, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sums: Option<SpentBy>,
    /// Where the files stand that are there.
    #[serde(flatten)]
    pub outputs: ByKind<Option<String>>,
}

/// What a batch's jobs have come to, by what stands in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpentBy {
    /// The column, as it was asked for.
    pub by: String,
    /// In the order of their first jobs.
    pub groups: Vec<SpentGroup>,
}

/// What one group has come to, its jobs' earlier takes included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SpentGroup {
    /// What stands in the column; null for jobs that have nothing there.
    pub value: Option<String>,
    /// How many jobs, without those that are withdrawn.
    pub job_count: u64,
    /// How many of them are delivered.
    pub delivered_count: u64,
    /// How many purchases are open.
    pub open_count: u64,
    /// The price of their latest takes by the plan, in msat.
    pub planned_msat: Msat,
    /// Settled payments without fees, in msat.
    pub spent_msat: Msat,
    /// Their routing fees, as far as they are posted, in msat.
    pub fees_msat: Msat,
    /// What came back of them, in msat.
    pub refunded_msat: Msat,
    /// Held for payments that are open, in msat.
    pub held_msat: Msat,
}

/// How many jobs stand how at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndCount {
    /// How these jobs stand.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// How many jobs stand so.
    pub jobs: u64,
}

/// A job that only a person can bring on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeedsPerson {
    /// The job's id.
    pub job: String,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// The command that shows or decides it.
    pub command: String,
}

/// Who hears of events. Hearing never drives the work.
pub trait Listener {
    /// Takes note of one event.
    fn hear(&self, event: &Event);
}
