//! What a person says of a delivered take that has been looked at: it is picked, or rejected. A mark spends nothing; whether it is followed
//! by a purchase is a word of its own.

use super::{BatchKey, ResultRow, TakeId};
use crate::manifest::planned_take;
use crate::money::Msat;
use crate::plan::ContentHash;
use crate::purchase::JobState;
use crate::time::UnixMs;

/// What is said of a take. Its word is the one of files and of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum TakeMark {
    /// It is the one.
    Pick,
    /// It will not do.
    Reject,
}

impl TakeMark {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a person says now of one take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marking {
    /// The take's batch.
    pub batch: BatchKey,
    /// Which take.
    pub take: TakeId,
    /// None takes back what was said before.
    pub mark: Option<TakeMark>,
    /// Why, in the person's words; none leaves the note as it was.
    pub note: Option<String>,
}

/// What is said of a take by now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// None where it has no mark, or has none any more.
    pub mark: Option<TakeMark>,
    /// The person's words; empty where there are none.
    pub note: String,
    /// When that was said last.
    pub at: Option<UnixMs>,
}

impl Marked {
    /// Whether anything is said.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.mark.is_some() || !self.note.is_empty()
    }
}

/// A take of a job, whichever it is, with what a person says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeRow {
    /// The take, as results tell of one.
    pub row: ResultRow,
    /// What it asked for. Planned takes of one job ask for the same, whatever tells them apart.
    pub content: ContentHash,
    /// What the seller was paid for it, in msat; none where no payment of it has settled.
    pub paid: Option<Msat>,
    /// A later take stands in its place.
    pub is_replaced: bool,
    /// What is said of it.
    pub marked: Marked,
}

impl TakeRow {
    /// The id of the job of which it is a planned take by its own id, and which, from 1: another one's, or its own first. An id may look like
    /// that of a take where there is no such job.
    #[must_use]
    pub fn planned_take(&self) -> (&str, u32) {
        planned_take(&self.row.id).unwrap_or((self.row.id.as_str(), 1))
    }
}

/// Why nothing can be said of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmarkable {
    /// The batch has no job of that id.
    NoJob,
    /// The job has no such take; its latest is this one.
    NoTake(u32),
    /// It is not delivered, and stands so: there is nothing to look at.
    Undelivered(JobState),
}
