//! What loading a plan, or choosing rows of a results file, finds and tells; what loading it would find is told in the same words.

use std::collections::HashSet;

use super::decide::load::{LoadAction, StoredTake};
use super::{JobKey, LedgerError, Original, UNKNOWN_CONTENT, Unmet};
use crate::l402::Network;
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// Ids that a report names at most; more are only counted.
pub(super) const IDS_MAX: usize = 1_000;

/// Ids: all are counted, the first thousand are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdList {
    /// How many there are, named or not.
    pub count: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl IdList {
    /// One more.
    pub fn add(&mut self, id: &str) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < IDS_MAX {
            self.first.push(id.to_owned());
        }
    }

    /// Adds the others.
    pub fn join(&mut self, others: &Self) {
        self.count = self.count.saturating_add(others.count);
        let room = IDS_MAX.saturating_sub(self.first.len());
        self.first.extend(others.first.iter().take(room).cloned());
    }

    /// Those of them that are none of the others, which were all added here as well.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let others_first: HashSet<&String> = others.first.iter().collect();
        let first = self.first.iter().filter(|id| !others_first.contains(id)).cloned().collect();
        Self { count: self.count.saturating_sub(others.count), first }
    }

    /// One that was added is none of them.
    pub(super) fn take_out(&mut self, id: &str) {
        self.count = self.count.saturating_sub(1);
        self.first.retain(|known| known != id);
    }
}

/// What loading a plan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanLoad {
    /// Jobs that the batch did not have.
    pub new: u64,
    /// Jobs that stand as they stood: to buy, bought or open.
    pub unchanged: u64,
    /// Jobs that had ended without spending, and are pending again.
    pub again: u64,
    /// Not bought yet, and of another content now: replaced.
    pub replaced: IdList,
    /// To be bought although a purchase of that id is known by its receipt alone, which does not tell what was asked for then.
    pub by_receipt: IdList,
    /// Open, and of another content now: finished as they were begun.
    pub open_as_begun: IdList,
    /// Delivered, and of another content now: not bought, marked.
    pub changed: IdList,
    /// Of those that are changed or open, and of those bought once more, the ones without an id of their own that the
    /// manifest gives as before: a default of the catalogue is another now.
    pub by_default: IdList,
    /// Bought, as their receipts prove, and nothing proves that the manifest asks for the same: not bought, marked.
    pub unproved: IdList,
    /// Not bought, and gone from the manifest by this load.
    pub withdrawn: IdList,
    /// Above what one job may cost, and refused for that: see `hold_to_job_limit`.
    pub above_limit: IdList,
    /// Bought once more.
    pub retaken: IdList,
    /// Of those bought once more, the ones that wait, and until when: an earlier payment, which a person has given up, may still
    /// settle. The first thousand.
    pub waiting: Vec<(String, UnixMs)>,
    /// Words that buy nothing, and why. The first thousand.
    pub unmet: Vec<(String, Unmet)>,
    /// New ids that differ from older ones of the batch only by case or leading zeros: (new, old). A spreadsheet turns
    /// 010 into 10. The first hundred.
    pub alike: Vec<(String, String)>,
}

/// Why a plan was not loaded. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    /// The plan itself ended with an error.
    #[error("the plan has errors")]
    Plan(E),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(LedgerError),
}

/// Rows that say something else than the ledger that are named at most; more are only counted.
const EDITED_MAX: usize = 100;
/// Columns that are ignored that are named at most.
pub(super) const IGNORED_MAX: usize = 100;

/// What a results file chooses of its batch.
#[derive(Clone, Debug, Default)]
pub struct ChosenRows {
    /// Its jobs as they are stored.
    pub ids: Vec<String>,
    /// Rows that say something else than the ledger: a cell was edited, or the file is older than the job's latest take.
    pub edited: EditedRows,
    /// Jobs with such a row that are delivered, and were not changed before.
    pub changed: u64,
    /// Rows of jobs that were withdrawn since the file was written: no run buys them.
    pub withdrawn: IdList,
    /// Rows of delivered jobs of which nothing tells what was bought.
    pub unproved: IdList,
    /// The first row with an id that the batch does not have: its line, and the id.
    pub unknown: Option<(u64, String)>,
    /// Rows of jobs that stand in the file already.
    pub repeated: u64,
    /// Columns that are neither the tool's own nor of the batch's jobs. The first hundred.
    pub ignored: Vec<String>,
    /// Every job with a row of which the ledger knows what it asks for, and the row's line.
    pub(super) jobs: Vec<(JobKey, u64)>,
    /// Jobs that had ended without spending, and are pending again.
    pub(super) again: Vec<Again>,
}

/// Rows that say something else than the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditedRows {
    /// How many there are, named or not.
    pub count: u64,
    /// The first hundred of them.
    pub first: Vec<EditedRow>,
}

/// A row that says something else than the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditedRow {
    /// The line on which it begins.
    pub line: u64,
    /// Its job.
    pub id: String,
    /// The column in which it differs.
    pub column: String,
    /// What the file has there.
    pub here: String,
    /// What the ledger has there.
    pub stored: String,
}

/// A job that had ended without spending, and is pending again once it is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    pub(super) key: JobKey,
    pub(super) from: JobState,
}

impl EditedRows {
    pub(super) fn add(&mut self, row: EditedRow) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < EDITED_MAX {
            self.first.push(row);
        }
    }
}

/// Duplicates that a report names at most; more are only counted.
const NAMED_MAX: usize = 100;

/// Within what the jobs of a load are compared with purchases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared<'a> {
    /// The edition, which is empty where the manifest names none; none where it stays as the last load had it.
    pub edition: Option<String>,
    /// The network of the node that is to pay; none where it is not known, and then every network counts.
    pub network: Option<Network>,
    /// Of these jobs alone the report tells, where any are named; all are set aside.
    pub only: &'a [String],
}

/// Jobs that are bought already under another name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// How many there are, named or not.
    pub count: u64,
    /// Their prices together.
    pub price: Msat,
    /// Of that, what is the most that it may be.
    pub capped: Msat,
    /// The first of them: the job's id, and what it repeats.
    pub first: Vec<(String, Original)>,
    /// Of them, those that a word of this load wanted once more.
    pub retaken: IdList,
}

impl Duplicates {
    /// One more; none where the prices do not fit together.
    pub(super) fn add(
        &mut self,
        id: &str,
        (price, is_capped): (Msat, bool),
        is_retaken: bool,
        original: Original,
    ) -> Option<()> {
        self.count = self.count.saturating_add(1);
        self.price = self.price.checked_add(price)?;
        self.capped = self.capped.checked_add(if is_capped { price } else { Msat::ZERO })?;
        if is_retaken {
            self.retaken.add(id);
        }
        if self.first.len() < NAMED_MAX {
            self.first.push((id.to_owned(), original));
        }
        Some(())
    }
}

/// What of a batch is left to buy.
#[derive(Clone, Debug, Default)]
pub struct Unbought {
    /// How many jobs a run buys by itself.
    pub jobs: u64,
    /// What all that it tries may cost, fees included.
    pub worst_case: Msat,
    /// What stands as if it were to be bought, and is bought already under another name since.
    pub elsewhere: Duplicates,
}

/// A job that running its batch would buy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToBuy {
    /// Its id.
    pub id: String,
    /// Its price, in msat.
    pub price: Msat,
    /// That is the most that it may be, and not exact.
    pub is_capped: bool,
    /// The most that its routing may cost.
    pub fee_ceiling: Msat,
    /// It is set aside: it is bought by a person's word alone.
    pub is_duplicate: bool,
    /// Why it was not bought so far.
    pub reason: Reason,
    /// Where its request goes: the row of its endpoint, or what a foresight calls it.
    pub place: i64,
}

/// How many jobs a batch would have, and how many of them would be gone from its manifest before they were bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobsThen {
    /// Jobs of the batch, whatever their state.
    pub all: u64,
    /// Those that are gone.
    pub gone: u64,
    /// Delivered ones that are bought once more, and are none of the delivered then.
    pub retaken: u64,
    /// Their prices together.
    pub retaken_price: Msat,
}

impl PlanLoad {
    /// Notes what is decided of a row's job. `known` is its take that stood before, where there was one.
    pub(super) fn note(&mut self, action: LoadAction, known: Option<&StoredTake>, job: &PlannedJob) {
        let was_unknown = known.is_some_and(|known| known.content == UNKNOWN_CONTENT);
        let is_otherwise = known.is_some_and(|known| is_open(known.state) && known.content != job.content);
        match action {
            LoadAction::Add => self.new = self.new.saturating_add(1),
            LoadAction::Replace if was_unknown => self.by_receipt.add(&job.id),
            LoadAction::Replace => self.replaced.add(&job.id),
            LoadAction::Mark(Reason::Changed) => self.changed.add(&job.id),
            LoadAction::Mark(Reason::KnownByReceipt) => self.unproved.add(&job.id),
            LoadAction::Withdraw | LoadAction::Discard => self.withdrawn.add(&job.id),
            LoadAction::Retake => self.retaken.add(&job.id),
            LoadAction::Again => self.again = self.again.saturating_add(1),
            LoadAction::Keep | LoadAction::Refresh | LoadAction::Mark(_) => {
                self.unchanged = self.unchanged.saturating_add(1);
            }
        }
        if action == LoadAction::Keep && is_otherwise {
            self.open_as_begun.add(&job.id);
        }
    }

    /// Notes why a word buys nothing.
    pub(super) fn note_unmet(&mut self, id: &str, why: Unmet) {
        if self.unmet.len() < IDS_MAX {
            self.unmet.push((id.to_owned(), why));
        }
    }

    /// Notes that a take is bought once no payment of the job may settle any more. Whether that time is past is for whoever tells it.
    pub(super) fn note_wait(&mut self, id: &str, until: UnixMs) {
        if self.waiting.len() < IDS_MAX {
            self.waiting.push((id.to_owned(), until));
        }
    }

    /// A later row has proved what was bought: the job's own row asks for something else.
    pub(super) fn is_proved(&mut self, id: &str) {
        self.unproved.take_out(id);
        self.changed.add(id);
    }
}

const fn is_open(state: JobState) -> bool {
    matches!(state, JobState::Running | JobState::InDoubt | JobState::Paid | JobState::RefundOffered)
}
