//! Files that are replaced whole: a reader sees the old one or the new one, never half of either.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tempfile::{NamedTempFile, PersistError};

/// Receipts hold preimages: nobody else reads them.
const MODE: u32 = 0o600;

const TEMPORARY_SUFFIX: &str = ".l402-batch.tmp";

/// Replaces the file at `path` by what `write` writes: a temporary file (mode 0600) in the same folder, synced, renamed
/// over it, and the folder synced. A symbolic link there is replaced as well: what it points to stays as it is. Gives the file's mark, by
/// which [`file_mark`] knows it.
///
/// # Errors
/// Where anything of that fails, `write` included. The old file is then as it was, and no temporary one stays.
pub fn replace_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    placed(path, write, |file| file.persist(path))
}

/// The same, where nothing stands at `path` so far: what came to stand there meanwhile stays.
///
/// # Errors
/// As [`replace_whole`], and where something stands there.
pub fn place_new(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    placed(path, write, |file| file.persist_noclobber(path))
}

fn placed(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    place: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> io::Result<String> {
    check_replaced(path)?;
    let folder = folder_of(path);
    let mut temporary = tempfile::Builder::new()
        .prefix(&temporary_prefix(path))
        .suffix(TEMPORARY_SUFFIX)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    let mut buffered = BufWriter::with_capacity(1 << 16, temporary.as_file_mut());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    temporary.as_file().sync_all()?;
    let file = place(temporary).map_err(|failed| failed.error)?;
    sync_folder(folder)?;
    Ok(mark_of(&file.metadata()?))
}

/// By what the file there is known to be the one that was written, untouched since: its inode and its length, and when it was last written
/// to and changed. None where no file stands there.
#[must_use]
pub fn file_mark(path: &Path) -> Option<String> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|meta| mark_of(&meta))
}

fn mark_of(meta: &fs::Metadata) -> String {
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(|time| time.to_string());
    format!("{}:{}:{}:{}", meta.dev(), meta.ino(), meta.len(), times.join(":"))
}

/// Whether a file could be put at `path`: the folder is there and can be written to, and what stands there already is a
/// file. Leaves nothing behind.
///
/// # Errors
/// Where it could not.
pub fn try_out(path: &Path) -> io::Result<()> {
    check_replaced(path)?;
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(io::Error::other(format!("there is no folder {}", folder.display())));
    }
    let tried = tempfile::Builder::new().prefix(&temporary_prefix(path)).suffix(TEMPORARY_SUFFIX).tempfile_in(folder);
    // The error names the temporary file, of which nobody has heard; what is wrong is its kind.
    tried.map(drop).map_err(|error| io::Error::from(error.kind()))
}

/// Removes the temporary files that a kill has left beside `path`. For the only writer of that file.
pub(super) fn sweep(path: &Path) {
    let prefix = temporary_prefix(path);
    let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
    for entry in entries.flatten() {
        let ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(&prefix) && name.ends_with(TEMPORARY_SUFFIX));
        if ours {
            // What cannot be removed is only untidy.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Says what cannot be replaced by a file: a device or a folder. A link can, whatever it points to.
fn check_replaced(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Err(io::Error::other("it is a folder")),
        Ok(meta) if !meta.is_file() && !meta.is_symlink() => Err(io::Error::other("it is not a regular file")),
        _ => Ok(()),
    }
}

/// The folder in which a path lies; the current one for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn temporary_prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Makes a rename in the folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems cannot sync a folder. The views are rebuilt from the ledger, so that is no loss.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        fs::write(&path, "old and longer").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace_whole(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(names(folder.path()), ["results.csv"]);
    }

    #[test]
    fn a_failure_leaves_the_old_file_whole_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        fs::write(&path, "old").unwrap();
        let failed = replace_whole(&path, |out| {
            out.write_all(&vec![b'x'; 1 << 20])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["results.csv"]);
    }

    #[test]
    fn what_a_kill_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        // A kill between writing and renaming: the temporary file is never dropped.
        let killed = tempfile::Builder::new()
            .prefix(&temporary_prefix(&path))
            .suffix(TEMPORARY_SUFFIX)
            .tempfile_in(folder.path())
            .unwrap();
        let (_file, _path) = killed.keep().unwrap();
        for other in ["results.csv", ".results.csv.tmp", ".receipts.csv.a.l402-batch.tmp"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        assert_eq!(names(folder.path()).len(), 4);
        sweep(&path);
        assert_eq!(names(folder.path()), [".receipts.csv.a.l402-batch.tmp", ".results.csv.tmp", "results.csv"]);
    }

    #[test]
    fn a_link_is_replaced_and_never_followed_and_a_device_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link.csv"), folder.path().join("target.csv"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace_whole(&link, |out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(
            (fs::read_to_string(&link).unwrap(), fs::read_to_string(&target).unwrap()),
            ("new".into(), "old".into())
        );
        for gone in ["nowhere.csv", "/dev/null"] {
            fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink(folder.path().join(gone), &link).unwrap();
            replace_whole(&link, |out| out.write_all(b"newer")).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_file(), "{gone}");
        }
        assert!(try_out(Path::new("/dev/null")).is_err());
        assert!(try_out(folder.path()).is_err());
        assert!(try_out(&folder.path().join("none/results.csv")).is_err());
        assert!(try_out(&link).is_ok());
        assert_eq!(names(folder.path()), ["link.csv", "target.csv"]);
    }
}
