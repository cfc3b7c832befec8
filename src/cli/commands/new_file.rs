//! A file that a command writes for a person to read: it replaces none without being told to.

use crate::cli::options::config::UpdateFile;
use crate::cli::{CommandError, Failure};
use crate::report::replace_whole;

/// Refuses a file that is there already, unless it may be replaced.
pub(in crate::cli) fn refuse_known(file: &UpdateFile) -> Result<(), Failure> {
    if file.path.exists() && !file.overwrite {
        return Err(CommandError::usage(format!("{} is there already", file.path.display()))
            .hint("name another with --out, or give --overwrite")
            .into());
    }
    Ok(())
}

/// Writes it whole.
pub(in crate::cli) fn write(file: &UpdateFile, text: &str) -> Result<(), Failure> {
    let whole = |out: &mut dyn std::io::Write| out.write_all(text.as_bytes());
    let unwritten = |error: std::io::Error| {
        CommandError::usage(format!("{} cannot be written", file.path.display()))
            .because(error)
            .hint("name another with --out")
    };
    if file.overwrite {
        return Ok(replace_whole(&file.path, whole).map(drop).map_err(unwritten)?);
    }
    // Whatever came there meanwhile is not replaced.
    let mut new = std::fs::File::create_new(&file.path).map_err(unwritten)?;
    Ok(whole(&mut new).and_then(|()| new.sync_all()).map_err(unwritten)?)
}
