//! The folder of a contact sheet: the page, and links to what was delivered. It replaces its own page alone, and removes nothing.

use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::Hinted;
use crate::ledger::TakeRow;
use crate::report::{Rows, replace_whole, try_out};

use super::media::{MEDIA, Media};
use super::page::{ContactFacts, MARKER};

/// The page.
const PAGE: &str = "index.html";
/// Prompts and results are the person's own.
const MODE: u32 = 0o700;
/// So far into a page its marker is looked for.
const HEAD_BYTES: u64 = 4_096;

/// A folder into which a contact sheet may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactFolder {
    folder: PathBuf,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Files that could not be linked, and stay where they are.
    pub left: u64,
}

/// Why no contact sheet is written there. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum FolderRefused {
    /// It is a file.
    #[error("{0} is no folder")]
    NoFolder(String),
    /// It holds something that is no contact sheet of this batch.
    #[error("the folder {0} already holds something that is no contact sheet of this batch")]
    Foreign(String),
    /// It cannot be written to, or looked at.
    #[error("the folder {folder} cannot be used")]
    Unusable {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Hinted for FolderRefused {
    fn hint(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::NoFolder(_) | Self::Unusable { .. } => Some("name another folder".into()),
            Self::Foreign(_) => Some(
                "name another folder, or give --overwrite, which replaces its index.html and removes nothing".into(),
            ),
        }
    }
}

impl ContactFolder {
    /// The folder, where it is empty, not there yet, or holds a contact sheet of the same batch of that `owner`; or whatever it holds, where
    /// it may be written over.
    ///
    /// # Errors
    /// Where it is refused.
    pub fn at(folder: &Path, owner: Option<&str>, overwrite: bool) -> Result<Self, FolderRefused> {
        let name = || folder.display().to_string();
        let unusable = |source| FolderRefused::Unusable { folder: name(), source };
        match fs::metadata(folder) {
            Ok(meta) if !meta.is_dir() => return Err(FolderRefused::NoFolder(name())),
            Ok(_) => {
                try_out(&folder.join(PAGE)).map_err(unusable)?;
                let is_empty = fs::read_dir(folder).map_err(unusable)?.next().is_none();
                let is_own = || owner.is_some_and(|owner| owner_of(&folder.join(PAGE)).as_deref() == Some(owner));
                if !is_empty && !overwrite && !is_own() {
                    return Err(FolderRefused::Foreign(name()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let above = std::path::absolute(folder).map_err(unusable)?;
                let above = above.ancestors().skip(1).find(|above| above.exists());
                above.map_or(Ok(()), |above| try_out(&above.join(MARKER))).map_err(unusable)?;
            }
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Whether the page of a sheet in that folder, or what it links, would stand where that file or folder does.
    #[must_use]
    pub fn covers(folder: &Path, other: &Path) -> bool {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (folder, other) = (absolute(folder), absolute(other));
        other == folder || other == folder.join(PAGE) || other.starts_with(folder.join(MEDIA))
    }

    /// Writes the page anew, and links what was delivered.
    ///
    /// # Errors
    /// Where that cannot be done; the old page is then as it was.
    pub fn write(&self, facts: &ContactFacts, rows: Rows<'_, TakeRow>) -> io::Result<Written> {
        DirBuilder::new().recursive(true).mode(MODE).create(self.folder.join(MEDIA))?;
        let (mut media, page) = (Media::of(&self.folder), self.folder.join(PAGE));
        replace_whole(&page, |out| facts.write(out, rows, &mut |take| media.place(take)))?;
        Ok(Written { page, left: media.left })
    }
}

/// Of which ledger's batch the page there is, where it is a contact sheet.
fn owner_of(page: &Path) -> Option<String> {
    let mut head = Vec::new();
    fs::File::open(page).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    let marker = format!("<meta name=\"{MARKER}\" content=\"");
    let (_, rest) = head.split_once(&marker)?;
    let (owner, _) = rest.split_once('"')?;
    Some(unescaped(owner))
}

/// Text as it was before the template escaped it.
fn unescaped(text: &str) -> String {
    let signs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    signs.iter().fold(text.to_owned(), |text, (escaped, sign)| text.replace(escaped, sign))
}
