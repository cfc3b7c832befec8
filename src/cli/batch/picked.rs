//! The folder `picked` of a batch's downloads, as its marks say.

use std::path::{Path, PathBuf};

use crate::cli::batch::download_setup::template;
use crate::cli::{CommandError, Failure};
use crate::download::name::{PICKED_FOLDER, Template};
use crate::download::{TakeFile, keep_picked};
use crate::error::Hinted as _;
use crate::ledger::port::{Batches as _, Marks as _, Views as _};
use crate::ledger::{Batch, OpenLedger, TakeMark, TakeRow};

/// Puts what is picked of the batch of that name there, and takes away what is picked no more; gives what could not be done, in words: it
/// ends nothing. Nothing where the batch has no folder, or nothing was ever picked.
pub(in crate::cli) fn keep(ledger: &OpenLedger, name: &str) -> Vec<String> {
    let kept = || ledger.batch(name)?.map_or(Ok(Vec::new()), |batch| try_keep(ledger, &batch));
    kept().unwrap_or_else(|failure: Failure| vec![format!("{PICKED_FOLDER}: {failure}")])
}

fn try_keep(ledger: &OpenLedger, batch: &Batch) -> Result<Vec<String>, Failure> {
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

/// The take's file, where it has one.
fn file_of(template: &Template, take: &TakeRow) -> Option<TakeFile> {
    let file = PathBuf::from(take.row.file.as_ref()?);
    let sha256 =
        data_encoding::HEXLOWER_PERMISSIVE.decode(take.row.sha256.as_ref()?.as_bytes()).ok()?.try_into().ok()?;
    let ending = file.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let name = format!("{}{ending}", template.stem_of_picked(&take.row));
    Some(TakeFile { file, sha256, name, is_picked: take.marked.mark == Some(TakeMark::Pick) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Marked, UNKNOWN_CONTENT, fixtures};

    #[test]
    fn a_file_whose_digest_the_ledger_does_not_know_is_left_alone() {
        let named = |sha256: &str| {
            let file = Some("/films/a-take2.mp4".to_owned());
            let row = crate::ledger::ResultRow { file, sha256: Some(sha256.to_owned()), ..fixtures::result_row() };
            let (content, marked) = (UNKNOWN_CONTENT, Marked::default());
            let take = TakeRow { row, content, paid: None, is_replaced: false, marked };
            file_of(&"{id}".parse().unwrap(), &take).map(|file| file.name)
        };
        assert!(named(&"ab".repeat(32)).is_some_and(|name| name.ends_with(".mp4")));
        for damaged in ["", "ab", &"ab".repeat(33), &"zz".repeat(32)] {
            assert_eq!(named(damaged), None, "{damaged}");
        }
    }
}
