//! `l402-batch` as a person would call it, with a manifest of many distinct jobs and a ledger on the disk.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::far_side::{FarSide, folder, program};
use crate::{Outcome, floor};

/// Above any worst case of a bench.
const MAX_SATS: &str = "1000000000";
/// The most that may be asked for.
const REQUESTS_PER_SECOND: &str = "10000";

/// Somebody with a manifest and a fresh ledger in a folder of their own.
pub(crate) struct Buyer<'a> {
    far_side: &'a FarSide,
    folder: TempDir,
}

impl<'a> Buyer<'a> {
    /// One who wants so many videos.
    pub(crate) fn of_videos(far_side: &'a FarSide, jobs: u32) -> Outcome<Self> {
        let mut csv = b"endpoint,prompt,duration,mode\n".to_vec();
        for number in 0..jobs {
            writeln!(csv, "{},{},{},standard", floor::ENDPOINT, floor::prompt(number), floor::DURATION)?;
        }
        Self::with(far_side, &csv)
    }

    /// One who wants the first so many of the pictures in a folder animated.
    pub(crate) fn of_pictures(far_side: &'a FarSide, pictures: &TempDir, jobs: u32) -> Outcome<Self> {
        let mut csv = b"endpoint,image,prompt,duration\n".to_vec();
        for number in 0..jobs {
            let picture = picture(pictures, number);
            writeln!(csv, "animate-image,{},{},3", picture.display(), floor::prompt(number))?;
        }
        Self::with(far_side, &csv)
    }

    fn with(far_side: &'a FarSide, csv: &[u8]) -> Outcome<Self> {
        let folder = folder()?;
        fs::write(folder.path().join("jobs.csv"), csv)?;
        Ok(Self { far_side, folder })
    }

    /// A file or folder of theirs.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command about the batch, with its ledger.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = program();
        command.arg(name).arg(self.file("jobs.csv")).arg("--ledger").arg(self.file("ledger.db"));
        command.env("XDG_CONFIG_HOME", self.folder.path());
        command
    }

    /// `plan`, beside whatever ledger there is.
    pub(crate) fn plan(&self) -> Command {
        let mut plan = self.command("plan");
        plan.arg("--catalog").arg(self.far_side.file("catalog.toml"));
        plan
    }

    /// `run` with nothing else than it needs.
    pub(crate) fn run(&self) -> Command {
        let payer = &self.far_side.payer;
        let mut run = self.command("run");
        run.arg("--catalog")
            .arg(self.far_side.file("catalog.toml"))
            .args(["--lnd-url", &payer.url])
            .arg("--lnd-macaroon-file")
            .arg(&payer.macaroon)
            .arg("--lnd-cert-file")
            .arg(&payer.certificate)
            .args(["--yes", "--max-sats", MAX_SATS]);
        run
    }

    /// The same, as fast as so many payments and jobs at once allow.
    pub(crate) fn fast_run(&self, payments: u32, jobs: u32) -> Command {
        let mut run = self.run();
        run.args(["--payments-in-flight", &payments.to_string(), "--jobs-in-flight", &jobs.to_string()])
            .args(["--requests-per-second", REQUESTS_PER_SECOND]);
        run
    }

    /// How many thousands of bytes stand beside the manifest: the ledger, results and receipts.
    pub(crate) fn kept_kb(&self) -> Outcome<f64> {
        let mut bytes = 0;
        for entry in fs::read_dir(self.folder.path())? {
            let entry = entry?;
            if entry.file_name() != "jobs.csv" {
                bytes += entry.metadata()?.len();
            }
        }
        Ok(f64::from(u32::try_from(bytes / 1_000)?))
    }
}

/// A folder of so many pictures of about this size, none like another: as whole as a PNG has to be to be sold.
pub(crate) fn pictures(count: u32, bytes: u32) -> Outcome<TempDir> {
    const CHECKSUM: [u8; 4] = [0; 4];
    let folder = folder()?;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for number in 0..count {
        let mut picture_file = BufWriter::new(File::create(picture(&folder, number))?);
        let words = bytes / 8;
        for part in [b"\x89PNG\r\n\x1a\n".as_slice(), &(words * 8).to_be_bytes(), b"IDAT"] {
            picture_file.write_all(part)?;
        }
        for _ in 0..words {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            picture_file.write_all(&random.to_le_bytes())?;
        }
        for part in [CHECKSUM, [0; 4], *b"IEND", CHECKSUM] {
            picture_file.write_all(&part)?;
        }
        picture_file.flush()?;
    }
    Ok(folder)
}

fn picture(folder: &TempDir, number: u32) -> PathBuf {
    folder.path().join(format!("{number}.png"))
}
