//! Hands out what came: to standard output, or into a file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::cli::options::config::GetOptions;
use crate::cli::{CommandError, Failure, terminal};
use crate::ledger::ResultRow;

const CHUNK_BYTES: usize = 64 * 1024;

/// Whether the file of what came is where it was.
pub(super) fn is_here(row: &ResultRow) -> bool {
    row.file.as_ref().is_some_and(|file| Path::new(file).is_file())
}

/// That nothing is replaced that nobody said: before anything is bought.
pub(super) fn check_out(options: &GetOptions, before: Option<&ResultRow>) -> Result<(), Failure> {
    let Some(out) = options.out.as_deref().filter(|out| !options.overwrite && out.exists()) else { return Ok(()) };
    let kept = before.and_then(|row| row.file.as_deref());
    if kept.is_some_and(|kept| same(Path::new(kept), out).unwrap_or(false)) {
        return Ok(());
    }
    let message = format!("{} is there already; nothing was bought", out.display());
    Err(CommandError::usage(message).hint("name another file, or replace it with --overwrite").into())
}

/// Whether two files hold the same.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut here, mut there) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    loop {
        let read = one.read(&mut here)?;
        if read == 0 {
            return Ok(true);
        }
        let (Some(here), Some(there)) = (here.get(..read), there.get_mut(..read)) else { return Ok(false) };
        other.read_exact(there)?;
        if here != there {
            return Ok(false);
        }
    }
}

/// Hands out what is here. What is not fetched yet is the next command's: why was told.
pub(super) fn hand_out(options: &GetOptions, row: &ResultRow, quiet: bool) -> Result<(), Failure> {
    let Some(file) = row.file.as_ref().filter(|_| is_here(row)) else { return Ok(()) };
    let mut from =
        File::open(file).map_err(|error| CommandError::unwritten(format!("{file} cannot be read")).because(error))?;
    let Some(out) = &options.out else {
        let mut to = io::stdout().lock();
        return io::copy(&mut from, &mut to).and_then(|_| to.flush()).map_err(Failure::printing);
    };
    let unwritten = |error: io::Error| {
        CommandError::unwritten(format!("{} cannot be written; what came is {file}", out.display())).because(error)
    };
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut to = tempfile::NamedTempFile::new_in(folder).map_err(unwritten)?;
    io::copy(&mut from, &mut to).and_then(|_| to.as_file().sync_all()).map_err(unwritten)?;
    to.persist(out).map_err(|error| unwritten(error.error))?;
    if !quiet {
        terminal::say(&format!("written to {}\n", out.display()));
    }
    Ok(())
}
