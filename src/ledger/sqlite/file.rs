//! The ledger's file: on a local disk, for its owner alone, and ours.
//!
//! It belongs to SQLite. Its locks are the process's: whoever opens and closes the file beside SQLite's connection drops
//! all of them, and the next reader takes the live log for a leftover and deletes it. So nothing here opens it: what can
//! be told without a descriptor is asked of the file system, all else of SQLite itself.

use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error::Fault;
use crate::ledger::{Damage, LedgerError, Location, Obstacle};

/// `path` with `suffix` added to its whole name: `ledger.db` and `.bodies` give `ledger.db.bodies`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file of a ledger, and those that SQLite keeps beside it while it is open.
pub fn files(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| beside(path, suffix))
}

/// Makes sure that a ledger can be written there: folders (0700) and file (0600) are created where they are missing.
pub(super) fn prepare_writable(path: &Path) -> Result<(), LedgerError> {
    create_folder(folder_of(path)).map_err(|error| io(path, error))?;
    refuse_remote(folder_of(path))?;
    match create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(path, error)),
    }
    prepare_readable(path)?;
    refuse_second_name(path)
}

/// Makes an empty file for its owner alone, and never opens one that is there.
#[cfg(target_os = "linux")]
fn create(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    Ok(mknodat(CWD, path, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0)?)
}

/// Makes an empty file for its owner alone. Nobody holds a lock on what has just been made.
#[cfg(not(target_os = "linux"))]
fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// SQLite's log and our locks stand beside the name by which the file was opened: by two hard links it would be written
/// by two runs that do not see each other.
fn refuse_second_name(path: &Path) -> Result<(), LedgerError> {
    let names = std::fs::metadata(path).map_err(|error| io(path, error))?.nlink();
    if names <= 1 {
        return Ok(());
    }
    Err(LedgerError::Io(Obstacle::Names(names)).at(path.display()))
}

/// Whether a ledger can be written at `path`: looks, and creates nothing.
///
/// # Errors
/// Where it cannot be, or what is there is none.
pub fn check_location(path: &Path) -> Result<Location, LedgerError> {
    let exists = path.exists();
    // SQLite writes its log beside the ledger, so that the folder counts as well.
    let mut folder = folder_of(path);
    while !folder.exists() {
        folder = folder_of(folder);
    }
    if exists {
        prepare_readable(path)?;
        writable(path)?;
        let look = || check_whole(&connect_to_read(path)?, path);
        look().map_err(|fault| named(fault, path))?;
    } else {
        refuse_remote(folder)?;
    }
    writable(folder)?;
    if !folder.is_dir() {
        return Err(LedgerError::Io(Obstacle::NoFolder).at(folder.display()));
    }
    match free_bytes(path)? {
        Some(free_bytes) => Ok(Location { exists, free_bytes }),
        None => Err(LedgerError::Io(Obstacle::NoDisk).at(folder.display())),
    }
}

/// Bytes that are free on the disk of the ledger at that path, or of the nearest folder where it would be; none where its disk does not
/// say.
///
/// # Errors
/// Where the disk cannot be asked.
pub fn free_bytes(path: &Path) -> Result<Option<u64>, LedgerError> {
    // A link may lead to another disk than its folder's.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut folder = folder_of(&path);
    while !folder.exists() {
        folder = folder_of(folder);
    }
    let disk = rustix::fs::statvfs(folder).map_err(|errno| io(folder, errno))?;
    Ok((disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize)))
}

fn writable(path: &Path) -> Result<(), LedgerError> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|errno| io(path, errno))
}

/// Takes from everyone else the right to read a ledger. Only for a file that is known to be ours.
pub(super) fn close_to_others(path: &Path) -> Result<(), LedgerError> {
    let mode = std::fs::metadata(path).map_err(|error| io(path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| io(path, error))?;
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
    let kind = std::fs::metadata(path).map_err(|error| io(path, error))?.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a pipe",
        _ => "no file",
    };
    Err(Damage::NoFile { file: path.display().to_string(), what }.into())
}

/// A connection to what is there, which writes nothing. Whether it is a database shows with the first look into it.
pub(super) fn connect_to_read(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_ONLY;
    Ok(match immutable_uri(path).filter(|_| is_on_read_only_medium(path)) {
        Some(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?,
        None => Connection::open_with_flags(path, flags)?,
    })
}

/// That what SQLite has opened is as long as it says of itself. SQLite counts in pages as it needs them, and would take
/// one that was cut within a page for a whole one.
pub(super) fn check_whole(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let path = path.canonicalize()?;
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    // In one transaction, so that nobody grows it between the looks.
    let snapshot = conn.unchecked_transaction()?;
    let whole = number("page_count")?.saturating_mul(number("page_size")?);
    // What a log holds was not copied yet, and may be missing in the file.
    let logged = std::fs::metadata(beside(&path, "-wal")).is_ok_and(|log| log.len() > 0);
    let length = std::fs::metadata(&path)?.len();
    snapshot.commit()?;
    if !logged && length < u64::try_from(whole).unwrap_or(0) {
        return Err(LedgerError::from(Damage::Cut(path.display().to_string())).into());
    }
    Ok(())
}

/// What went wrong when that file was opened, with its name.
pub(super) fn named(fault: Fault, path: &Path) -> LedgerError {
    fault.into_error().at(path.display())
}

/// Whether a ledger lies where nothing can be written beside it, and no log waits there: SQLite then reads it only where
/// it is told that nobody writes it.
fn is_on_read_only_medium(path: &Path) -> bool {
    let unwritable = rustix::fs::access(folder_of(path), rustix::fs::Access::WRITE_OK).is_err();
    unwritable && !beside(path, "-wal").exists()
}

/// The URI by which SQLite opens a file that nobody writes.
fn immutable_uri(path: &Path) -> Option<String> {
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

pub(super) fn foreign(path: &Path) -> LedgerError {
    Damage::Unreadable { file: Some(path.display().to_string()) }.into()
}

fn io(path: &Path, error: impl Into<std::io::Error>) -> LedgerError {
    LedgerError::system(error.into()).at(path.display())
}

fn refuse_remote(path: &Path) -> Result<(), LedgerError> {
    match remote_name(path).map_err(|errno| io(path, errno))? {
        Some(name) => Err(LedgerError::NotLocal(name)),
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
        assert!(!check_location(&path).unwrap().exists);
        assert!(!folder.path().join("a").exists());
        std::fs::write(folder.path().join("a"), "a file").unwrap();
        assert!(check_location(&path).is_err());
        let text = folder.path().join("notes.txt");
        std::fs::write(&text, "no ledger").unwrap();
        assert!(matches!(check_location(&text), Err(LedgerError::Foreign(_))));
        #[cfg(target_os = "linux")]
        assert!(check_location(Path::new("/proc/ledger.db")).is_err());
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
