//! The files that a batch writes, by kind, and what is remembered of them.

use std::ops::Index;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// A kind of file that a batch writes. Its word is the option that names the file, and the key under which its path is stored and
/// printed. Whoever adds one says what the file is called (`report/outputs.rs`), how it is written (`cli/batch/files.rs`) and by what
/// it is known to be the batch's own (`cli/batch/own.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum OutputKind {
    /// A row a job.
    Results,
    /// A row a settlement.
    Receipts,
}

impl OutputKind {
    /// Every one, in the order in which they are written and told.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

/// One of each kind. As JSON an object with a key for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByKind<T>([T; OutputKind::ALL.len()]);

impl<T> ByKind<T> {
    /// What `each` gives for each kind.
    pub fn of(mut each: impl FnMut(OutputKind) -> T) -> Self {
        Self(std::array::from_fn(|at| each(OutputKind::ALL[at])))
    }

    /// Each kind with what is there for it.
    pub fn iter(&self) -> impl Iterator<Item = (OutputKind, &T)> {
        OutputKind::ALL.iter().copied().zip(&self.0)
    }
}

impl<T> Index<OutputKind> for ByKind<T> {
    type Output = T;

    fn index(&self, kind: OutputKind) -> &T {
        &self.0[kind as usize]
    }
}

impl<T: Serialize> Serialize for ByKind<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(kind, of)| (kind.to_string(), of)))
    }
}

/// Where a file goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputFile {
    /// Its absolute path.
    pub path: Option<String>,
    /// This batch wrote what stands there.
    pub written: bool,
}

impl OutputFile {
    /// The path, where the batch wrote what stands there.
    #[must_use]
    pub fn written_path(&self) -> Option<&str> {
        self.path.as_deref().filter(|_| self.written)
    }
}

/// A file of a batch, as it was written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its absolute path.
    pub path: String,
    /// What it was made of: what the ledger then held, and how the file is laid out.
    pub of: String,
    /// By what it is known to stand there untouched since.
    pub mark: String,
}

/// Where a batch's files go, and whether it has written them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Outputs {
    /// The files, by kind.
    pub files: ByKind<OutputFile>,
    /// What a later version remembers of kinds that this one does not know: kept as it is.
    pub unknown: Map<String, Value>,
}

impl From<Outputs> for Map<String, Value> {
    fn from(outputs: Outputs) -> Self {
        let known = outputs.files.iter().flat_map(|(kind, file)| {
            [(kind.to_string(), file.path.clone().into()), (format!("{kind}_written"), file.written.into())]
        });
        known.chain(outputs.unknown).collect()
    }
}

impl TryFrom<Map<String, Value>> for Outputs {
    type Error = serde_json::Error;

    fn try_from(mut unknown: Map<String, Value>) -> Result<Self, Self::Error> {
        let mut files = ByKind::<OutputFile>::default();
        for (kind, file) in OutputKind::ALL.iter().zip(&mut files.0) {
            let mut taken = |key: String| unknown.shift_remove(&key);
            file.path = serde_json::from_value(taken(kind.to_string()).unwrap_or_default())?;
            file.written = serde_json::from_value(taken(format!("{kind}_written")).unwrap_or(false.into()))?;
        }
        Ok(Self { files, unknown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_as_it_ever_was() {
        let stored = [
            r#"{"results":null,"results_written":false,"receipts":null,"receipts_written":false}"#,
            r#"{"results":"/a.results.csv","results_written":true,"receipts":"/a.receipts.csv","receipts_written":false}"#,
            r#"{"results":"/a","results_written":true,"receipts":null,"receipts_written":false,"z":1,"html":"/a.html"}"#,
        ];
        for text in stored {
            let outputs: Outputs = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&outputs).unwrap(), text);
        }
        let outputs: Outputs = serde_json::from_str(stored[1]).unwrap();
        let told: Vec<_> = outputs.files.iter().map(|(kind, file)| (kind, file.written_path())).collect();
        assert_eq!(told, [(OutputKind::Results, Some("/a.results.csv")), (OutputKind::Receipts, None)]);
        assert_eq!(outputs.files[OutputKind::Receipts].path.as_deref(), Some("/a.receipts.csv"));

        assert_eq!(serde_json::from_str::<Outputs>("{}").unwrap(), Outputs::default());
        for damaged in [r#"{"results":7}"#, r#"{"receipts_written":"yes"}"#, r#"{"results_written":null}"#, "0"] {
            assert!(serde_json::from_str::<Outputs>(damaged).is_err(), "{damaged}");
        }
    }
}
