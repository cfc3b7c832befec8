//! The sandbox's books on disk: one JSON line an entry, only ever appended, written before anything is answered.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SandboxError;
use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::time::UnixMs;

/// What happened. Preimages are not written: they follow from the root key and the challenge's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(super) enum Entry {
    /// The node came into being with this much.
    Opened { balance_msat: Msat },
    /// A challenge was made for a request.
    Asked(Asked),
    /// A payment was begun; again, where an earlier one of the hash failed.
    Begun(Begun),
    /// A payment settled: the node's balance, the payee's invoice and the preimage, all at once.
    Settled {
        #[serde(with = "hex_hash")]
        hash: PaymentHash,
        at: UnixMs,
    },
    /// A payment failed and cost nothing.
    Failed {
        #[serde(with = "hex_hash")]
        hash: PaymentHash,
        reason: FailureReason,
        at: UnixMs,
    },
    /// A paid request was taken on, and its video made or begun.
    Bought(Bought),
    /// A credential that serves several requests was shown with another one, and its video handed over.
    Reused {
        #[serde(with = "hex_hash")]
        hash: PaymentHash,
        video: String,
    },
    /// The node made an invoice of its own.
    Invoiced(Invoiced),
    /// Somebody paid it.
    Received {
        #[serde(with = "hex_hash")]
        hash: PaymentHash,
        amount_msat: Msat,
        at: UnixMs,
    },
    /// A refund was claimed with an invoice, and is to be paid.
    Claimed(Claimed),
    /// A video that exists was handed over (again).
    Delivered {
        #[serde(with = "hex_hash")]
        hash: PaymentHash,
    },
}

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    #[serde(with = "hex_hash")]
    pub hash: PaymentHash,
    /// Which challenge of this sandbox: names its preimage.
    pub number: u64,
    pub endpoint: String,
    /// SHA-256 over method, path and body, in hex.
    pub body_sha256: String,
    pub amount_msat: Msat,
    pub at: UnixMs,
}

/// A payment at the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    #[serde(with = "hex_hash")]
    pub hash: PaymentHash,
    pub index: u64,
    /// How many payments of this hash failed before.
    pub attempt: u32,
    pub amount_msat: Msat,
    pub fee_msat: Msat,
    pub invoice: String,
    /// What it will come to, where that is known from the start.
    pub doomed: Option<FailureReason>,
    pub at: UnixMs,
}

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bought {
    #[serde(with = "hex_hash")]
    pub hash: PaymentHash,
    pub video: String,
    /// From the cache of identical requests: another purchase's video.
    pub deduplicated: bool,
    /// Where the request was accepted only: when its video is ready.
    pub ready_at: Option<UnixMs>,
    pub at: UnixMs,
}

/// An invoice of the node's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Invoiced {
    #[serde(with = "hex_hash")]
    pub hash: PaymentHash,
    /// Which invoice of this node: names its preimage.
    pub number: u64,
    pub amount_msat: Msat,
    pub memo: String,
    pub invoice: String,
    pub expiry_s: u64,
    pub at: UnixMs,
}

/// A refund that was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimed {
    /// The hash of the sale that is given back.
    #[serde(with = "hex_hash")]
    pub sale: PaymentHash,
    /// The hash of the invoice that it was claimed with.
    #[serde(with = "hex_hash")]
    pub invoice: PaymentHash,
    /// The invoice itself, which the node that mints is to pay.
    #[serde(default)]
    pub request: String,
    pub amount_msat: Msat,
    /// Whether it will ever be paid.
    pub pays: bool,
    pub at: UnixMs,
}

/// Why a payment failed, by lnd's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FailureReason {
    #[serde(rename = "FAILURE_REASON_TIMEOUT")]
    Timeout,
    #[serde(rename = "FAILURE_REASON_NO_ROUTE")]
    NoRoute,
    #[serde(rename = "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS")]
    IncorrectPaymentDetails,
    #[serde(rename = "FAILURE_REASON_INSUFFICIENT_BALANCE")]
    InsufficientBalance,
}

/// The file, open for appending.
pub(super) struct Journal {
    file: File,
    /// A write failed, and what stands at the end is unknown; or the sandbox has stopped. Nothing more is written.
    closed: bool,
}

impl Journal {
    /// Opens the journal and reads every entry into `apply`. A last line that a kill tore off was never answered to
    /// anybody, and is removed.
    pub(super) fn open(path: &Path, mut apply: impl FnMut(Entry)) -> Result<Self, SandboxError> {
        let unusable = |source| SandboxError::State { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(unusable)?;
        let mut reader = BufReader::new(&file);
        let (mut line, mut number, mut whole) = (Vec::new(), 0, 0_u64);
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(unusable)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            number += 1;
            whole += u64::try_from(read).unwrap_or(u64::MAX);
            apply(serde_json::from_slice(&line).map_err(|_| unreadable(path, number))?);
        }
        file.set_len(whole).map_err(unusable)?;
        Ok(Self { file, closed: false })
    }

    /// Takes no more entries.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Writes one entry, in one call to the system. After a failure, or once closed, every further one fails.
    pub(super) fn append(&mut self, entry: &Entry) -> std::io::Result<()> {
        if self.closed {
            return Err(std::io::Error::other("they are closed: the sandbox stops, or an entry could not be written"));
        }
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line).inspect_err(|_| self.closed = true)
    }
}

fn unreadable(path: &Path, line: usize) -> SandboxError {
    SandboxError::Books { path: PathBuf::from(path), line }
}

/// Payment hashes as hex.
mod hex_hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::l402::PaymentHash;

    pub(super) fn serialize<S: Serializer>(hash: &PaymentHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hash.hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PaymentHash, D::Error> {
        let hex = String::deserialize(deserializer)?;
        PaymentHash::from_hex(&hex).ok_or_else(|| D::Error::custom("a payment hash has 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(n: u8) -> Entry {
        Entry::Settled { hash: PaymentHash([n; 32]), at: UnixMs(5) }
    }

    fn read(path: &Path) -> Vec<Entry> {
        let mut entries = Vec::new();
        Journal::open(path, |entry| entries.push(entry)).unwrap();
        entries
    }

    #[test]
    fn a_torn_last_line_is_removed_and_the_next_entry_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("books.jsonl");
        let mut journal = Journal::open(&path, drop).unwrap();
        journal.append(&settled(1)).unwrap();
        journal.file.write_all(br#"{"entry":"sett"#).unwrap();
        let mut entries = Vec::new();
        Journal::open(&path, |entry| entries.push(entry)).unwrap().append(&settled(2)).unwrap();
        assert_eq!(entries, [settled(1)]);
        assert_eq!(read(&path), [settled(1), settled(2)]);
    }

    #[test]
    fn a_whole_line_that_is_no_entry_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("books.jsonl");
        std::fs::write(&path, "{\"entry\":\"nonsense\"}\n").unwrap();
        assert!(matches!(Journal::open(&path, drop), Err(SandboxError::Books { line: 1, .. })));
    }

    #[test]
    fn a_closed_journal_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("books.jsonl");
        let mut journal = Journal::open(&path, drop).unwrap();
        journal.append(&settled(1)).unwrap();
        journal.close();
        assert!(journal.append(&settled(2)).is_err());
        assert_eq!(read(&path), [settled(1)]);
    }
}
