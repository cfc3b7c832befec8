//! Writing a saved plan.

use std::io::{self, Write};

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::ViewError;
use super::json::JobLine;
use crate::manifest::JobSource;
use crate::plan::Plan;
use crate::plan::saved::{End, EndFacts, SavedPlan};

/// A job in a saved plan.
#[derive(Serialize)]
struct SavedLine<'a> {
    #[serde(flatten)]
    job: JobLine<'a>,
    /// SHA-256 of what is bought, in lower-case hex.
    content: String,
}

impl SavedPlan {
    /// Writes it with the jobs of that plan, which it was made from.
    ///
    /// # Errors
    /// Where the output fails, or the manifest has changed; what was written is incomplete then, and has no end.
    pub fn write(&self, plan: &Plan, source: &dyn JobSource, out: &mut dyn Write) -> Result<(), ViewError> {
        let mut out = Hashing { out, digest: Sha256::new() };
        put(&mut out, &self.head)?;
        for endpoint in &self.endpoints {
            put(&mut out, endpoint)?;
        }
        for job in plan.jobs(source) {
            let job = job.map_err(ViewError::Manifest)?;
            put(&mut out, &SavedLine { job: JobLine::of(&job), content: HEXLOWER.encode(&job.content.0) })?;
        }
        let end = EndFacts { sha256: HEXLOWER.encode(&out.digest.clone().finalize()) };
        put(&mut out, &End { end })?;
        Ok(())
    }
}

fn put(out: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(line).map_err(io::Error::from)?;
    writeln!(out, "{text}")
}

/// Hashes what passes through.
struct Hashing<'w> {
    out: &'w mut dyn Write,
    digest: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
