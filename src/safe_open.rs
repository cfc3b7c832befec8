//! Opens what a path names without ever hanging on it: a regular file as it is, a pipe with patience for its writer, and
//! nothing else. A device such as `/dev/zero` has no end. What is the address of something elsewhere names no file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;

/// Which file of all that there are and were: its device and inode, and when it was made where that is known, as another
/// file gets the inode of one that is gone.
type Identity = (u64, u64, Option<SystemTime>);

/// Files that one part of this process has to itself; as often as they are kept.
static KEPT: Mutex<Vec<Identity>> = Mutex::new(Vec::new());

/// A file that no other part of this process opens, until this is dropped.
#[derive(Debug)]
pub struct Kept(Identity);

/// Keeps a file from every other part of this process. Its locks are the process's, and closing any descriptor of it drops
/// them all: an image or a download of that name must not be opened. None where there is no such file.
pub fn keep_from_others(path: &Path) -> Option<Kept> {
    let file = identity(path)?;
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    Some(Kept(file))
}

/// Refuses a file that is kept from others.
///
/// # Errors
/// Where it is.
pub fn refuse_kept(path: &Path) -> io::Result<()> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    match identity(path) {
        Some(file) if kept.contains(&file) => Err(io::Error::other("is the ledger, which is in use")),
        Some(_) | None => Ok(()),
    }
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino(), meta.created().ok()))
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|file| *file == self.0) {
            kept.swap_remove(at);
        }
    }
}

/// The `https` of what begins with `https://` and its like, which is no path. A drive's letter is none.
#[must_use]
pub fn scheme(path: &Path) -> Option<&str> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let end = bytes.windows(3).position(|window| window == b"://")?;
    let scheme = std::str::from_utf8(&bytes[..end]).ok()?;
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_one = scheme.len() > 1 && scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_one && scheme.chars().all(is_of_scheme)).then_some(scheme)
}

/// How often a pipe is looked at again that has nothing to read.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// So often a pipe is looked at that nobody has opened for writing: for five seconds in all.
const LOOKS_MAX: u32 = 250;

/// What a path names.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    File(File),
    /// A pipe, named or of the shell's `<(…)`.
    Pipe(Pipe),
}

/// Opens a file or a pipe.
///
/// # Errors
/// Where it cannot be opened, or is neither.
pub fn open(path: &Path) -> io::Result<Opened> {
    refuse_kept(path)?;
    // Without this flag the mere opening of a pipe waits until someone writes to it. Regular files do not know it.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        Ok(Opened::File(file))
    } else if kind.is_fifo() {
        Ok(Opened::Pipe(Pipe { file, has_writer: false, looks_left: LOOKS_MAX }))
    } else if kind.is_dir() {
        Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"))
    } else {
        Err(io::Error::other("is neither a file nor a pipe"))
    }
}

/// The reading end of a pipe. It waits as long as a writer keeps it open, and a few seconds for the first one.
#[derive(Debug)]
pub struct Pipe {
    file: File,
    has_writer: bool,
    looks_left: u32,
}

/// Reads the whole of a small file, such as a certificate, or of a pipe: at most `bytes_max` bytes.
///
/// # Errors
/// Where it cannot be read, is neither, or is longer (`InvalidData`).
pub fn read_small(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = bytes_max.saturating_add(1);
    match open(path)? {
        Opened::File(file) => file.take(most).read_to_end(&mut bytes)?,
        Opened::Pipe(pipe) => pipe.take(most).read_to_end(&mut bytes)?,
    };
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("is longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(0) if !self.has_writer && !buffer.is_empty() => {
                    if self.looks_left == 0 {
                        return Err(io::Error::other("is a pipe that nobody writes to"));
                    }
                    self.looks_left -= 1;
                }
                Ok(n) => {
                    self.has_writer = true;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.has_writer = true,
                Err(error) => return Err(error),
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// Whether everybody on this machine can read the file.
#[cfg(unix)]
#[must_use]
pub fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o004;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & OTHERS_READ != 0)
}

/// Whether everybody on this machine can read the file; nobody knows here.
#[cfg(not(unix))]
#[must_use]
pub const fn is_readable_by_all(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_pipe_that_nobody_writes_to_is_given_up() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let Opened::Pipe(mut pipe) = open(&path).unwrap() else { panic!("no pipe") };
        pipe.looks_left = 2;
        let error = pipe.read(&mut [0; 9]).unwrap_err();
        assert_eq!(error.to_string(), "is a pipe that nobody writes to");
    }

    #[test]
    fn what_is_kept_from_others_is_opened_by_nobody_until_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("f"), folder.path().join("g"));
        std::fs::write(&path, "1").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (kept, again) = (keep_from_others(&path), keep_from_others(&path));
        drop(again);
        assert!(read_small(&link, 5).unwrap_err().to_string().contains("is the ledger"));
        drop(kept);
        assert_eq!(read_small(&link, 5).unwrap(), b"1");
        assert!(keep_from_others(&folder.path().join("none")).is_none());
    }

    #[test]
    fn a_file_with_the_inode_of_one_that_has_gone_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        std::fs::write(&path, "1").unwrap();
        let kept = keep_from_others(&path).unwrap();
        thread::sleep(LOOK_EVERY);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "2").unwrap();
        // Some file systems do not tell when a file was made.
        if identity(&path).unwrap().2.is_some() {
            assert_ne!(identity(&path).unwrap(), kept.0);
            assert_eq!(read_small(&path, 5).unwrap(), b"2");
        }
    }

    #[test]
    fn a_small_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_small(&path, 5).unwrap(), b"12345");
        assert_eq!(read_small(&path, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_small(&folder.path().join("g"), 4).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(read_small(folder.path(), 4).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_pipe_of_a_shell_is_read_to_its_end_and_no_further_than_its_bound() {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"1234").unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert!(read_small(Path::new(&path), 3).is_err());
        drop(writer);
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"1234").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(read_small(Path::new(&path), 4).unwrap(), b"1234");
    }
}
