//! A saved plan: everything that a later run buys, as it was planned. A text of lines, each a JSON object, of which the first is the
//! head and the last one says how the others were written; between them are the endpoints, then the jobs. `docs/saved-plans.md` has
//! the fields.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{PlannedJob, Totals};
use crate::catalog::Endpoint;
use crate::manifest::{HiddenRows, Limits};
use crate::money::Msat;

/// The type of the head of a saved plan.
pub const SAVED_TYPE: &str = "l402_batch_saved_plan";
/// What this program writes and reads.
pub const SAVED_VERSION: u32 = 1;
/// Longest line, in bytes: a job's parameters are no longer than its record in a manifest.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Ids that a report names.
const NAMED_MAX: usize = 20;

/// What a saved plan says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHead {
    /// [`SAVED_VERSION`].
    pub format_version: u32,
    /// [`SAVED_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is known by: 32 characters of lower-case hex, drawn when it was made. A ledger remembers which batch it has begun.
    pub id: String,
    /// When it was made (RFC 3339).
    pub made_at: String,
    /// The program that made it.
    pub tool_version: String,
    /// The batch that it begins.
    pub batch: String,
    /// The manifest, by its absolute path and digest.
    pub manifest: SavedManifest,
    /// How the manifest is read, beside what stands in it.
    pub reading: SavedReading,
    /// What the manifest says of purchases that are made already under another name.
    pub duplicates: Option<String>,
    /// Within what its jobs are compared with those.
    pub edition: Option<String>,
    /// The limits of all sources; `max_sats` is no more than the worst case. None is ever loosened.
    pub limits: Limits,
    /// Who pays, as far as it was said.
    pub wallet: SavedWallet,
    /// The ledger in which it begins its batch.
    pub ledger: SavedLedger,
    /// How many jobs.
    pub job_count: u64,
    /// The price of all, in msat.
    pub total_msat: Msat,
    /// Of that, what is the most that it may be, in msat.
    pub capped_msat: Msat,
    /// The most that routing may add, in msat.
    pub fee_ceiling_msat: Msat,
    /// Both together, in msat.
    pub worst_case_msat: Msat,
    /// The plan's fingerprint.
    pub fingerprint: String,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedManifest {
    /// Its absolute path.
    pub path: String,
    /// SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
}

/// How a manifest is read, beside what stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedReading {
    /// `toml`, `csv`, `tsv`, `xlsx` or `ods`.
    pub format: String,
    /// `--default`: keys and values.
    pub defaults: Vec<(String, String)>,
    /// `--column`: headers and names.
    pub columns: Vec<(String, String)>,
    /// `--delimiter`, where it was given.
    pub delimiter: Option<char>,
    /// `--sheet`, where it was given.
    #[serde(default)]
    pub sheet: Option<String>,
    /// `--header-row`, where it was given.
    #[serde(default)]
    pub header_row: Option<u32>,
    /// `--hidden-rows`, where it was given.
    #[serde(default)]
    pub hidden_rows: Option<HiddenRows>,
}

/// Who pays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedWallet {
    /// The network that the node was said to be on.
    pub network: Option<String>,
    /// The node's address, where one was named.
    pub url: Option<String>,
}

/// A ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLedger {
    /// Which it is: the same for every copy of it; none where there was none yet.
    pub id: Option<String>,
    /// Its absolute path.
    pub address: String,
}

/// An endpoint as it is bought from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEndpoint {
    /// All of it.
    pub endpoint: Endpoint,
    /// Of which rates the price is what the seller asked then.
    pub live: Vec<LiveSource>,
}

/// A price that a seller asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSource {
    /// The values that chose the rate; empty where there is one.
    pub chosen_by: String,
    /// What a unit was asked for, in msat.
    pub rate_msat: Msat,
    /// By the catalogue it would have been this, in msat.
    pub catalog_msat: Msat,
    /// When it was asked (RFC 3339).
    pub asked_at: String,
}

/// What a job's line says of what is bought and for how much.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct SavedJob {
    id: String,
    content: String,
    price_msat: Msat,
    price_is_cap: bool,
    max_cost_msat: Option<Msat>,
}

/// The last line.
#[derive(Serialize, Deserialize)]
pub(super) struct End {
    /// How the lines before it were written.
    pub(super) end: EndFacts,
}

/// What tells that a saved plan is whole, and as it was written.
#[derive(Serialize, Deserialize)]
pub(super) struct EndFacts {
    /// SHA-256 of all bytes before this line, in lower-case hex.
    pub(super) sha256: String,
}

/// A saved plan, without its jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPlan {
    /// What it says of itself.
    pub head: SavedHead,
    /// The endpoints of its jobs.
    pub endpoints: Vec<SavedEndpoint>,
}

/// Why a text is no saved plan that could be run.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// It is none of ours.
    #[error("it is no saved plan")]
    Stranger,
    /// A later version of the program wrote it.
    #[error("it is of format {0}, and this program reads format {SAVED_VERSION}")]
    Newer(u32),
    /// It is cut off, or was edited.
    #[error("it is not as it was written: cut off, or edited")]
    Changed,
}

/// The beginning of a head.
#[derive(Deserialize)]
struct Kind {
    format_version: u32,
    #[serde(rename = "type")]
    kind: String,
}

/// Whether a text begins as a saved plan does, of whatever version.
pub fn is_saved_plan(text: &mut dyn BufRead) -> bool {
    let Ok(Some(line)) = line(text) else { return false };
    serde_json::from_slice::<Kind>(&line).is_ok_and(|head| head.kind == SAVED_TYPE)
}

impl SavedPlan {
    /// Reads one, and holds the whole against its end.
    ///
    /// # Errors
    /// Where it is none, of a later version, or not as it was written.
    pub fn read(text: &mut dyn BufRead) -> Result<Self, SavedError> {
        Self::read_with(text, None)
    }

    /// Reads one, and hands out its jobs where anybody wants them.
    fn read_with(text: &mut dyn BufRead, mut each: Option<&mut dyn FnMut(SavedJob)>) -> Result<Self, SavedError> {
        let mut digest = Sha256::new();
        let first = line(text)?.ok_or(SavedError::Stranger)?;
        match serde_json::from_slice::<Kind>(&first) {
            Ok(head) if head.kind != SAVED_TYPE => return Err(SavedError::Stranger),
            Ok(head) if head.format_version != SAVED_VERSION => return Err(SavedError::Newer(head.format_version)),
            Ok(_) => {}
            Err(_) => return Err(SavedError::Stranger),
        }
        let head: SavedHead = parsed(&first)?;
        digest.update(&first);
        let mut endpoints = Vec::new();
        while let Some(next) = line(text)? {
            if next.starts_with(b"{\"end\"") {
                let End { end } = parsed(&next)?;
                let is_whole = end.sha256 == HEXLOWER.encode(&digest.finalize()) && line(text)?.is_none();
                return if is_whole { Ok(Self { head, endpoints }) } else { Err(SavedError::Changed) };
            }
            digest.update(&next);
            if next.starts_with(b"{\"endpoint\"") {
                endpoints.push(parsed(&next)?);
            } else if let Some(each) = &mut each {
                each(parsed(&next)?);
            }
        }
        Err(SavedError::Changed)
    }
}

fn parsed<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, SavedError> {
    serde_json::from_slice(line).map_err(|_| SavedError::Changed)
}

/// How a manifest differs from what was planned of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Rows that ask for something else; of an image too, whose bytes are others.
    pub changed: Named,
    /// Rows of another price or cap.
    pub priced: Named,
    /// Rows that may cost more than they might.
    pub loosened: Named,
    /// Rows that were not there.
    pub new: Named,
    /// Rows that have gone.
    pub gone: Named,
}

/// Ids, the first of them named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Vec<String>,
}

impl Named {
    fn add(&mut self, id: &str) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < NAMED_MAX {
            self.first.push(id.to_owned());
        }
    }
}

impl Drift {
    /// Nothing differs that is bought.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Compares jobs with those that a saved plan has.
    ///
    /// # Errors
    /// Where the saved plan cannot be read, or the jobs cannot.
    pub fn of<E>(
        text: &mut dyn BufRead,
        jobs: impl Iterator<Item = Result<PlannedJob, E>>,
    ) -> Result<Result<Self, E>, SavedError> {
        let mut saved: HashMap<String, SavedJob> = HashMap::new();
        let mut order = Vec::new();
        let mut each = |job: SavedJob| {
            order.push(job.id.clone());
            saved.insert(job.id.clone(), job);
        };
        SavedPlan::read_with(text, Some(&mut each))?;
        let mut drift = Self::default();
        for job in jobs {
            let job = match job {
                Ok(job) => job,
                Err(error) => return Ok(Err(error)),
            };
            match saved.remove(&job.id) {
                None => drift.new.add(&job.id),
                Some(was) => drift.compare(&was, &job),
            }
        }
        order.iter().filter(|id| saved.contains_key(*id)).for_each(|id| drift.gone.add(id));
        Ok(Ok(drift))
    }

    fn compare(&mut self, was: &SavedJob, is: &PlannedJob) {
        let id = &is.id;
        if was.content != HEXLOWER.encode(&is.content.0) {
            self.changed.add(id);
        } else if (was.price_msat, was.price_is_cap) != (is.priced.price, is.is_capped()) {
            self.priced.add(id);
        } else if was.max_cost_msat.is_some_and(|most| is.max_cost.is_none_or(|now| now > most)) {
            self.loosened.add(id);
        }
    }

    /// Each kind, with what is said of it.
    pub fn kinds(&self) -> impl Iterator<Item = (&Named, &'static str)> {
        [
            (&self.changed, "of other content (an image counts by its bytes)"),
            (&self.priced, "of another price"),
            (&self.loosened, "of a looser limit of its own"),
            (&self.new, "new"),
            (&self.gone, "gone"),
        ]
        .into_iter()
        .filter(|(ids, _)| ids.count > 0)
    }
}

impl SavedHead {
    /// Its sums.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        Totals {
            job_count: self.job_count,
            price: self.total_msat,
            capped: self.capped_msat,
            fee_ceiling: self.fee_ceiling_msat,
            worst_case: self.worst_case_msat,
        }
    }
}

/// The next line, with its end; none at the end of the text.
fn line(text: &mut dyn BufRead) -> Result<Option<Vec<u8>>, SavedError> {
    let mut line = Vec::new();
    let read = text.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(SavedError::Read)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        // Cut off, or longer than any line of ours.
        Some(_) if read > 0 => Err(SavedError::Changed),
        Some(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Sats;
    use crate::plan::testing::{Rows, capped, named, video};
    use crate::plan::{Plan, Policy};

    fn row(id: &str, prompt: &str) -> crate::manifest::JobSpec {
        named(id, video(2, prompt, 5, "pro", true))
    }

    fn saved(rows: &Rows) -> Vec<u8> {
        let plan = Plan::make(rows, &Policy::default()).unwrap();
        let text = |text: &str| text.to_owned();
        let head = SavedHead {
            format_version: SAVED_VERSION,
            kind: text(SAVED_TYPE),
            id: text("5a"),
            made_at: text("2026-11-30T00:00:00Z"),
            tool_version: text("0"),
            batch: text("june"),
            manifest: SavedManifest { path: text("/june.csv"), sha256: text("00") },
            reading: SavedReading::default(),
            duplicates: None,
            edition: None,
            limits: Limits { max_sats: Some(Sats::new(1)), ..Limits::default() },
            wallet: SavedWallet::default(),
            ledger: SavedLedger { id: None, address: text("/ledger.db") },
            job_count: plan.totals().job_count,
            total_msat: plan.totals().price,
            capped_msat: plan.totals().capped,
            fee_ceiling_msat: plan.totals().fee_ceiling,
            worst_case_msat: plan.totals().worst_case,
            fingerprint: plan.fingerprint().to_owned(),
        };
        let endpoints =
            plan.endpoints().iter().map(|of| SavedEndpoint { endpoint: Endpoint::clone(of), live: Vec::new() });
        let plan_file = SavedPlan { head, endpoints: endpoints.collect() };
        let mut out = Vec::new();
        plan_file.write(&plan, rows, &mut out).unwrap();
        assert_eq!(SavedPlan::read(&mut out.as_slice()).unwrap(), plan_file);
        out
    }

    fn drift(saved: &[u8], now: &Rows) -> Drift {
        let plan = Plan::make(now, &Policy::default()).unwrap();
        Drift::of(&mut &*saved, plan.jobs(now)).unwrap().unwrap()
    }

    #[test]
    fn each_row_that_differs_is_named() {
        let mut limited = row("limited", "a cat");
        limited.max_sats = Some(Sats::new(100));
        let before = Rows::of([
            row("same", "one"),
            row("content", "two"),
            row("price", "three"),
            limited.clone(),
            row("gone", "x"),
        ]);
        let saved = saved(&before);
        assert!(drift(&saved, &before).is_none());
        // A tighter limit of its own is none.
        let mut tighter = limited.clone();
        tighter.max_sats = Some(Sats::new(99));
        let order =
            Rows::of([row("gone", "x"), tighter, row("price", "three"), row("content", "two"), row("same", "one")]);
        assert!(drift(&saved, &order).is_none());
        limited.max_sats = None;
        let now = Rows::of([
            row("same", "one"),
            row("content", "2"),
            capped(row("price", "three"), 2_750),
            limited,
            row("new", "y"),
        ]);
        let found = drift(&saved, &now);
        let told: Vec<String> = found.kinds().map(|(ids, what)| format!("{what}: {}", ids.first.join(","))).collect();
        assert_eq!(
            told,
            [
                "of other content (an image counts by its bytes): content",
                "of another price: price",
                "of a looser limit of its own: limited",
                "new: new",
                "gone: gone"
            ]
        );
    }

    /// Wherever a text breaks off, and whichever byte of it is another, it is not run.
    #[test]
    fn what_is_not_whole_is_not_read() {
        let whole = saved(&Rows::of([row("a", "one"), row("b", "two")]));
        for at in (0..whole.len()).step_by(7) {
            assert!(SavedPlan::read(&mut &whole[..at]).is_err(), "cut at {at}");
            let mut other = whole.clone();
            other[at] ^= 1;
            assert!(SavedPlan::read(&mut other.as_slice()).is_err(), "another byte at {at}");
        }
        assert!(is_saved_plan(&mut whole.as_slice()) && !is_saved_plan(&mut &b"{}\n"[..]));
    }
}
