//! Hands out what came: to standard output, or into a file.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use data_encoding::HEXLOWER;

use crate::cli::options::config::GetOptions;
use crate::cli::{CommandError, Failure, terminal};
use crate::download::file::is_whole;
use crate::ledger::ResultRow;
use crate::report::{place_new, replace_whole, try_out};
use crate::terminal_text::printable_char;

const CHUNK_BYTES: usize = 64 * 1024;

/// Whether the file of what came is where it was.
pub(super) fn is_here(row: &ResultRow) -> bool {
    row.file.iter().any(|file| Path::new(file).is_file())
        && row.more_files().iter().all(|file| Path::new(file).is_file())
}

/// Refuses to hand out for what came a file that is not the same any more.
pub(super) fn check_kept(row: &ResultRow) -> Result<(), Failure> {
    let Some(file) = row.file.as_ref().filter(|_| is_here(row)) else { return Ok(()) };
    let unreadable = |error| CommandError::unwritten(format!("{file} cannot be read")).because(error);
    let digest = row.sha256.as_ref().and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok());
    match digest.map(|digest| is_whole(Path::new(file), &digest)).transpose().map_err(unreadable)? {
        Some(false) => Err(CommandError::unwritten(format!("{file} is not what came any more; nothing was paid"))
            .hint("move it away, and the same command fetches it again")
            .into()),
        Some(true) | None => Ok(()),
    }
}

/// That what comes can be written there, and replaces nothing that nobody said: before anything is bought.
pub(super) fn check_out(options: &GetOptions, before: Option<&ResultRow>) -> Result<(), Failure> {
    let Some(out) = options.out.as_deref() else { return Ok(()) };
    let kept = before.and_then(|row| row.file.as_deref());
    if kept.is_some_and(|kept| is_same(Path::new(kept), out)) {
        return Ok(());
    }
    if !options.overwrite && out.is_file() {
        let message = format!("{} is there already; nothing was bought", out.display());
        return Err(CommandError::usage(message).hint("name another file, or replace it with --overwrite").into());
    }
    let message = || CommandError::usage(format!("{} cannot be written; nothing was bought", out.display()));
    Ok(try_out(out).map_err(|error| message().because(error))?)
}

/// Whether the file there is one that holds the same.
fn is_same(kept: &Path, out: &Path) -> bool {
    out.is_file() && same(kept, out).unwrap_or(false)
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
    if !quiet {
        row.more_files().iter().for_each(|file| terminal::say(&format!("a further result is {file}\n")));
    }
    let mut from =
        File::open(file).map_err(|error| CommandError::unwritten(format!("{file} cannot be read")).because(error))?;
    let Some(out) = &options.out else {
        if io::stdout().is_terminal() {
            return show(file, from);
        }
        let mut to = io::stdout().lock();
        return io::copy(&mut from, &mut to).and_then(|_| to.flush()).map_err(Failure::printing);
    };
    if is_same(Path::new(file), out) {
        return Ok(());
    }
    let write = |to: &mut dyn Write| io::copy(&mut from, to).map(drop);
    let written = if options.overwrite { replace_whole(out, write) } else { place_new(out, write) };
    written.map_err(|error| {
        CommandError::unwritten(format!("{} cannot be written; what came is {file}", out.display())).because(error)
    })?;
    if !quiet {
        terminal::say(&format!("written to {}\n", out.display()));
    }
    Ok(())
}

/// Shows on a terminal what is text, and where it stands what is none.
fn show(file: &str, mut from: File) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(Failure::printing)?;
    match shown(&bytes) {
        Some(text) => {
            let mut to = io::stdout().lock();
            to.write_all(text.as_bytes()).and_then(|()| to.flush()).map_err(Failure::printing)
        }
        None => {
            terminal::say(&format!(
                "what came is no text for a terminal: it is {file}, and -o FILE writes it elsewhere\n"
            ));
            Ok(())
        }
    }
}

/// Text, without what steers a terminal; it ends its last line.
fn shown(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    let mut shown: String =
        text.chars().map(|c| if matches!(c, '\n' | '\t') { c } else { printable_char(c) }).collect();
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_text_that_does_not_steer_it() {
        assert_eq!(shown(b"a\tb\n\x1b[2Jc").as_deref(), Some("a\tb\n\u{fffd}[2Jc\n"));
        assert_eq!(shown("é\n".as_bytes()).as_deref(), Some("é\n"));
        for none in [&b"\xff\xd8\xff"[..], b"\0asm"] {
            assert_eq!(shown(none), None);
        }
    }
}
