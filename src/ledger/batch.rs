//! A batch as the ledger knows it, and what is remembered of it from run to run.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{BatchKey, Outputs};
use crate::money::Msat;
use crate::time::UnixMs;

/// A batch that a command wants to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// Its name.
    pub name: String,
    /// Its manifest's absolute path, or `-`.
    pub manifest: String,
    /// It buys with play money, from the sandbox.
    pub sandbox: bool,
    /// A batch of that name that was begun from another path goes on from this one.
    pub adopt: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchStart {
    /// It begins now.
    New(Batch),
    /// It goes on.
    Existing(Batch),
    /// The name belongs to another manifest, and adopting was not asked for. Nothing was written.
    OtherManifest {
        /// The path it was begun from.
        known: String,
        /// The path given now.
        given: String,
    },
    /// The name belongs to a batch of the other kind of money. Nothing was written.
    OtherMoney {
        /// Whether the known one is of the sandbox.
        known_is_sandbox: bool,
    },
}

/// A batch in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its key.
    pub key: BatchKey,
    /// Its name.
    pub name: String,
    /// Its manifest's absolute path, or `-`.
    pub manifest: String,
    /// It buys with play money.
    pub sandbox: bool,
    /// When it began.
    pub created_at: UnixMs,
    /// When a run of it last began.
    pub last_run_at: UnixMs,
    /// What its last run left to remember.
    pub remembered: Remembered,
    /// The ledger is damaged there: of its files nothing is known any more. Its jobs and its money are whole.
    pub is_damaged: bool,
}

impl Batch {
    /// A batch that begins.
    pub(super) fn begun(key: BatchKey, now: UnixMs, new: &NewBatch) -> Self {
        Self {
            key,
            name: new.name.clone(),
            manifest: new.manifest.clone(),
            sandbox: new.sandbox,
            created_at: now,
            last_run_at: now,
            remembered: Remembered::default(),
            is_damaged: false,
        }
    }

    /// Decides whether the batch of that name goes on, and as what: its manifest and its last run are to be written then.
    pub(super) fn go_on(mut self, now: UnixMs, new: &NewBatch) -> BatchStart {
        if self.sandbox != new.sandbox {
            return BatchStart::OtherMoney { known_is_sandbox: self.sandbox };
        }
        if self.manifest != new.manifest {
            if !new.adopt {
                return BatchStart::OtherManifest { known: self.manifest, given: new.manifest.clone() };
            }
            self.manifest.clone_from(&new.manifest);
        }
        self.last_run_at = now;
        BatchStart::Existing(self)
    }

    /// What it was begun from, in words that follow "the batch". Receipts tell of no manifest.
    #[must_use]
    pub fn origin_words(&self) -> Cow<'_, str> {
        match (self.manifest.as_str(), &self.remembered.fingerprint) {
            ("-", None) => "is known from receipts, which do not say from what it was begun".into(),
            ("-", Some(_)) => "was begun from standard input".into(),
            (path, _) => format!("was begun from {path}").into(),
        }
    }
}

/// What a batch remembers from run to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// How its files are laid out.
    pub layout: Layout,
    /// Where its files are.
    pub outputs: Outputs,
    /// The worst case that was accepted, which bounds the batch where no limit is given.
    pub accepted: Option<Msat>,
    /// The plan's fingerprint.
    pub fingerprint: Option<String>,
    /// Where its files go, where they were asked for.
    pub download: Option<DownloadTo>,
    /// The saved plan that began it, by its own identity; it begins no other.
    pub plan: Option<String>,
}

/// Where files go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadTo {
    /// The folder's absolute path.
    pub folder: String,
    /// The template of their names.
    pub name: String,
    /// The device on which the folder is, by its number; none where no run has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<i64>,
}

/// Where the files of a batch go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesOf {
    /// The batch.
    pub batch: BatchKey,
    /// Its name.
    pub name: String,
    /// Where they go.
    pub to: DownloadTo,
    /// Some are there.
    pub has_files: bool,
}

/// The file of a delivered job that is not here, and is known to be so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComingFile {
    /// The key of its batch.
    pub batch: BatchKey,
    /// The batch's name.
    pub name: String,
    /// Where the batch's files go now; none where nobody knows.
    pub to: Option<DownloadTo>,
    /// Its job's id.
    pub id: String,
    /// Which purchase of it.
    pub take: u32,
    /// Where it was begun, as an absolute path.
    pub file: String,
    /// The whole file's length, in bytes.
    pub total: u64,
}

impl std::fmt::Display for DownloadTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.folder, self.name)
    }
}

/// How results and receipts are laid out: as the manifest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// The delimiter.
    pub delimiter: char,
    /// The file begins with a byte-order mark.
    pub bom: bool,
    /// Columns of parameters, in order.
    pub params: Vec<String>,
    /// Columns of `x_*`, in order.
    pub extra: Vec<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { delimiter: ',', bom: false, params: Vec::new(), extra: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    fn new(manifest: &str, sandbox: bool, adopt: bool) -> NewBatch {
        NewBatch { name: "june".to_owned(), manifest: manifest.to_owned(), sandbox, adopt }
    }

    #[test]
    fn a_batch_goes_on_with_its_own_money_and_manifest_unless_another_is_adopted() {
        let known = Batch::begun(BatchKey(1), NOW, &new("/a", false, false));
        let later = NOW.plus_ms(5);
        let go_on = |given: &NewBatch| known.clone().go_on(later, given);
        let on = Batch { last_run_at: later, ..known.clone() };
        assert_eq!(go_on(&new("/a", false, false)), BatchStart::Existing(on.clone()));
        let (is, given) = ("/a".to_owned(), "/b".to_owned());
        assert_eq!(go_on(&new("/b", false, false)), BatchStart::OtherManifest { known: is, given: given.clone() });
        assert_eq!(go_on(&new("/b", false, true)), BatchStart::Existing(Batch { manifest: given, ..on }));
        assert_eq!(go_on(&new("/a", true, true)), BatchStart::OtherMoney { known_is_sandbox: false });
    }
}
