//! The ledger's file: on a local disk, for its owner alone, and ours.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::ledger::LedgerError;

/// The first bytes of every SQLite file (sqlite.org/fileformat.html, 1.3).
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";
const SQLITE_HEADER_BYTES: usize = 100;

/// `path` with `suffix` added to its whole name: `ledger.db` and `.bodies` give `ledger.db.bodies`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes sure that a ledger can be written there: folders (0700) and file (0600) are created where they are missing.
pub(super) fn prepare_writable(path: &Path) -> Result<(), LedgerError> {
    create_folder(folder_of(path)).map_err(|error| io(path, &error))?;
    refuse_remote(folder_of(path))?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(path, &error)),
    }
    prepare_readable(path)?;
    refuse_second_name(path)
}

/// SQLite's log and our locks stand beside the name by which the file was opened: by two hard links it would be written
/// by two runs that do not see each other.
fn refuse_second_name(path: &Path) -> Result<(), LedgerError> {
    let names = std::fs::metadata(path).map_err(|error| io(path, &error))?.nlink();
    if names <= 1 {
        return Ok(());
    }
    Err(LedgerError::Io(format!(
        "{}: the file has {names} names (hard links), and a ledger must have one; remove the others, or name a copy \
         with --ledger",
        path.display()
    )))
}

/// Where a ledger stands, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether there is one.
    pub exists: bool,
    /// Bytes that are free on its disk.
    pub free_bytes: u64,
}

/// Whether a ledger can be written at `path`: looks, and creates nothing.
///
/// # Errors
/// Where it cannot be, or what is there is none.
pub fn check_place(path: &Path) -> Result<Place, LedgerError> {
    let exists = path.exists();
    // SQLite writes its log beside the ledger, so that the folder counts as well.
    let mut folder = folder_of(path);
    while !folder.exists() {
        folder = folder_of(folder);
    }
    if exists {
        prepare_readable(path)?;
        writable(path)?;
    } else {
        refuse_remote(folder)?;
    }
    writable(folder)?;
    if !folder.is_dir() {
        return Err(LedgerError::Io(format!("{} is no folder", folder.display())));
    }
    let disk = rustix::fs::statvfs(folder).map_err(|errno| io(folder, &errno.into()))?;
    if disk.f_blocks == 0 {
        return Err(LedgerError::Io(format!("{} is on no disk", folder.display())));
    }
    Ok(Place { exists, free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize) })
}

fn writable(path: &Path) -> Result<(), LedgerError> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|errno| io(path, &errno.into()))
}

/// Takes from everyone else the right to read a ledger. Only for a file that is known to be ours.
pub(super) fn close_to_others(path: &Path) -> Result<(), LedgerError> {
    let mode = std::fs::metadata(path).map_err(|error| io(path, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| io(path, &error))?;
    }
    Ok(())
}

/// The one name of a ledger, whatever links lead to it: bodies and locks stand beside it. Folders are created where they
/// are missing; the file itself need not be there.
pub(super) fn true_path(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_folder(folder_of(path))?;
            let name = path.file_name().ok_or(error)?;
            Ok(folder_of(path).canonicalize()?.join(name))
        }
        found => found,
    }
}

/// Makes sure that what is there can be a ledger.
pub(super) fn prepare_readable(path: &Path) -> Result<(), LedgerError> {
    refuse_remote(folder_of(path))?;
    // A link may lead to another file system than its folder's.
    refuse_remote(path)?;
    if !std::fs::metadata(path).map_err(|error| io(path, &error))?.is_file() {
        return Err(foreign(path));
    }
    let mut head = Vec::with_capacity(SQLITE_HEADER_BYTES);
    File::open(path)
        .and_then(|file| file.take(SQLITE_HEADER_BYTES as u64).read_to_end(&mut head))
        .map_err(|error| io(path, &error))?;
    // An empty file is what a process leaves that was stopped before it created the tables.
    if !head.is_empty() && !head.starts_with(SQLITE_MAGIC) {
        return Err(foreign(path));
    }
    // Only without a log: what was not copied from it yet may be missing in the file.
    let logged = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let length = std::fs::metadata(path).map_err(|error| io(path, &error))?.len();
    if !logged && bytes_of_pages(&head).is_some_and(|whole| length < whole) {
        return Err(LedgerError::Foreign(format!(
            "the ledger {} is damaged: its end is missing; restore it from a backup",
            path.display()
        )));
    }
    Ok(())
}

/// How long a database is by its own header, where the header knows (sqlite.org/fileformat.html, 1.3.7). SQLite looks at
/// pages as it needs them, and would read half a ledger as if it were a short one.
fn bytes_of_pages(head: &[u8]) -> Option<u64> {
    let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let size = u16::from_be_bytes(head.get(16..18)?.try_into().ok()?);
    let size = if size == 1 { 65_536 } else { u64::from(size) };
    let (pages, is_known) = (number(28)?, number(24)? == number(92)?);
    is_known.then_some(size.saturating_mul(u64::from(pages)))
}

/// Whether a ledger lies where nothing can be written beside it, and no log waits there: SQLite then reads it only where
/// it is told that nobody writes it.
pub(super) fn is_on_read_only_medium(path: &Path) -> bool {
    let unwritable = rustix::fs::access(folder_of(path), rustix::fs::Access::WRITE_OK).is_err();
    unwritable && !beside(path, "-wal").exists()
}

/// The URI by which SQLite opens a file that nobody writes.
pub(super) fn immutable_uri(path: &Path) -> Option<String> {
    let mut uri = url::Url::from_file_path(std::path::absolute(path).ok()?).ok()?;
    uri.set_query(Some("immutable=1"));
    Some(uri.into())
}

/// Creates a folder and those above it, for their owner alone.
pub(super) fn create_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn foreign(path: &Path) -> LedgerError {
    LedgerError::Foreign(format!(
        "{} is no ledger of l402-batch, or is damaged; name another file with --ledger, or restore it from a backup",
        path.display()
    ))
}

fn io(path: &Path, error: &std::io::Error) -> LedgerError {
    LedgerError::Io(format!("{}: {error}", path.display()))
}

fn refuse_remote(path: &Path) -> Result<(), LedgerError> {
    match remote_name(path).map_err(|errno| io(path, &errno.into()))? {
        Some(name) => Err(LedgerError::NotLocal(name.to_owned())),
        None => Ok(()),
    }
}

/// The name of the network or user-space file system that holds `path`, if it is one.
#[cfg(target_os = "linux")]
fn remote_name(path: &Path) -> rustix::io::Result<Option<&'static str>> {
    // The field's width and sign differ by architecture; a magic number is 32 bits.
    let magic = format!("{:08x}", rustix::fs::statfs(path)?.f_type);
    Ok(remote_magic(magic.get(magic.len().saturating_sub(8)..).unwrap_or_default()))
}

/// See `linux/magic.h` and `statfs(2)`.
#[cfg(target_os = "linux")]
fn remote_magic(magic: &str) -> Option<&'static str> {
    match magic {
        "00006969" => Some("NFS"),
        "ff534d42" => Some("CIFS"),
        "fe534d42" => Some("SMB2"),
        "0000517b" => Some("SMB"),
        "65735546" => Some("FUSE"),
        "01021997" => Some("9p"),
        "5346414f" | "6b414653" => Some("AFS"),
        "00c36400" => Some("Ceph"),
        "73757245" => Some("Coda"),
        "0000564c" => Some("NCP"),
        "0bd00bd0" => Some("Lustre"),
        "01161970" => Some("GFS2"),
        "7461636f" => Some("OCFS2"),
        "47504653" => Some("GPFS"),
        "19830326" => Some("BeeGFS"),
        "786f4256" => Some("vboxsf"),
        _ => None,
    }
}

/// The name of the network file system that holds `path`, if it is one.
#[cfg(target_os = "macos")]
fn remote_name(path: &Path) -> rustix::io::Result<Option<&'static str>> {
    /// `MNT_LOCAL` of `sys/mount.h`.
    const MNT_LOCAL: u32 = 0x1000;
    let local = rustix::fs::statfs(path)?.f_flags & MNT_LOCAL != 0;
    Ok(if local { None } else { Some("network") })
}

/// Elsewhere nothing is known of the file system.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn remote_name(_: &Path) -> rustix::io::Result<Option<&'static str>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_goes_after_the_whole_name() {
        assert_eq!(beside(Path::new("a/ledger.db"), ".bodies"), Path::new("a/ledger.db.bodies"));
        assert_eq!(folder_of(Path::new("ledger.db")), Path::new("."));
    }

    #[test]
    fn a_place_is_looked_at_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/ledger.db");
        assert!(!check_place(&path).unwrap().exists);
        assert!(!folder.path().join("a").exists());
        std::fs::write(folder.path().join("a"), "a file").unwrap();
        assert!(check_place(&path).is_err());
        let text = folder.path().join("notes.txt");
        std::fs::write(&text, "no ledger").unwrap();
        assert!(matches!(check_place(&text), Err(LedgerError::Foreign(_))));
        #[cfg(target_os = "linux")]
        assert!(check_place(Path::new("/proc/ledger.db")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not_refused() {
        assert_eq!(remote_magic("00006969"), Some("NFS"));
        assert_eq!(remote_magic("65735546"), Some("FUSE"));
        assert_eq!(remote_magic("0000ef53"), None, "ext4");
        assert_eq!(remote_magic("01021994"), None, "tmpfs");
        assert_eq!(remote_name(Path::new("/proc")), Ok(None));
    }
}
