//! The folder `picked` of a batch's downloads, as its marks say.

use std::path::{Path, PathBuf};

use crate::cli::batch::download_setup::template;
use crate::cli::batch::reporter::Reporter;
use crate::cli::{CommandError, Failure};
use crate::download::name::{PICKED_FOLDER, Template};
use crate::download::{TakeFile, keep_picked};
use crate::error::Hinted as _;
use crate::ledger::port::{Batches as _, Marks as _, Views as _};
use crate::ledger::{Batch, OpenLedger, TakeMark, TakeRow};

/// Puts what is picked of the batch there, and takes away what is picked no more; gives what could not be done, in words. Nothing where the
/// batch has no folder, or nothing was ever picked.
pub(in crate::cli) fn keep(ledger: &OpenLedger, batch: &Batch) -> Result<Vec<String>, Failure> {
    let Some(to) = &batch.remembered.download else { return Ok(Vec::new()) };
    let folder = Path::new(&to.folder);
    if !ledger.has_picks(batch.key)? && !folder.join(PICKED_FOLDER).exists() {
        return Ok(Vec::new());
    }
    let (template, mut takes) = (template(to)?, Vec::new());
    let read = ledger.all_takes(batch.key, &mut |take| {
        takes.extend(file_of(&template, &take));
        Ok(())
    })?;
    read.map_err(|error| CommandError::internal("takes cannot be kept in memory").because(error))?;
    Ok(match keep_picked(folder, &takes) {
        Ok(refused) => refused.iter().map(|why| format!("{PICKED_FOLDER}: {}", why.told())).collect(),
        Err(error) => vec![format!("{} cannot be kept: {error}", folder.join(PICKED_FOLDER).display())],
    })
}

/// The same of the batch of that name, where its files may have come meanwhile. What could not be done is a warning, and ends nothing.
pub(in crate::cli) fn keep_of(ledger: &OpenLedger, name: &str, reporter: &Reporter) {
    let kept = || ledger.batch(name)?.map_or(Ok(Vec::new()), |batch| keep(ledger, &batch));
    let told = kept().unwrap_or_else(|failure: Failure| vec![format!("{PICKED_FOLDER}: {failure}")]);
    told.into_iter().for_each(|words| reporter.warn(words));
}

/// The take's file, where it has one.
fn file_of(template: &Template, take: &TakeRow) -> Option<TakeFile> {
    let file = PathBuf::from(take.row.file.as_ref()?);
    let mut sha256 = [0; 32];
    data_encoding::HEXLOWER_PERMISSIVE
        .decode_mut(take.row.sha256.as_ref()?.as_bytes(), &mut sha256)
        .ok()
        .filter(|length| *length == sha256.len())?;
    let ending = file.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let name = format!("{}{ending}", template.stem_of_picked(&take.row));
    Some(TakeFile { file, sha256, name, is_picked: take.marked.mark == Some(TakeMark::Pick) })
}
