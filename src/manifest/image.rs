//! Images of a manifest: recognised by content and hashed while planning, loaded and compared again when a job runs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use super::image_end::has_end;
use super::missing;
use super::takes::{Content, Takes};
use super::values::{Help, Wrong, repeated};
use crate::catalog::{ImageKind, ImageRef, ImageSource};
use crate::error::Hinted;
use crate::media;
use crate::safe_open::{self, Opened};

/// The largest image that is sent, in bytes.
pub const IMAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Longer values are never tried as paths.
const PATH_BYTES_MAX: usize = 4_096;
const HASH_CHUNK_BYTES: usize = 64 * 1024;
/// So much of an image is in memory at once: a multiple of three bytes, as base64 takes them.
const PIECE_BYTES: usize = 3 * 64 * 1024;
/// What to do about an image that is cut.
const CUT_HELP: &str = "copy or download it anew, or open it and save it anew where it looks whole";
/// So many of a file's first bytes tell what it is.
const SIGNATURE_BYTES: usize = 4 * 1024;

/// Why a planned image cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageProblem {
    /// It cannot be read now.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// Its bytes are not those that were planned.
    #[error("the file has changed since the plan")]
    Changed,
}

impl Hinted for ImageProblem {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unreadable(_) => None,
            Self::Changed => Some("plan again to send the new one".into()),
        }
    }
}

/// Reads a planned image again, in pieces, of which each but the last is a multiple of three bytes long, and compares it with
/// its digest: what it gave is the image only where it then says so.
///
/// # Errors
/// Where it cannot be read, is larger than [`IMAGE_BYTES_MAX`], or has changed since it was planned.
pub fn read(image: &ImageRef, each: &mut dyn FnMut(&[u8])) -> Result<(), ImageProblem> {
    let unreadable = |problem: &dyn std::fmt::Display| ImageProblem::Unreadable(problem.to_string());
    let (mut hash, mut read) = (Sha256::new(), 0);
    let mut piece = |bytes: &[u8]| {
        hash.update(bytes);
        read += bytes.len() as u64;
        each(bytes);
    };
    match &image.source {
        ImageSource::Inline(text) => piece(&BASE64.decode(text.as_bytes()).map_err(|e| unreadable(&e))?),
        ImageSource::File(path) => {
            let of_file = |e: io::Error| unreadable(&format!("{}: {e}", path.display()));
            let mut file = regular(path).map_err(of_file)?.take(IMAGE_BYTES_MAX + 1);
            pieces(&mut file, &mut piece).map_err(of_file)?;
        }
    }
    let is_planned = read <= IMAGE_BYTES_MAX && hex(&hash.finalize()) == image.sha256;
    if is_planned { Ok(()) } else { Err(ImageProblem::Changed) }
}

/// Reads in pieces of which each but the last is whole. A file ends where a piece is short, even if it has grown by then.
fn pieces(from: &mut dyn Read, piece: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(PIECE_BYTES);
    loop {
        bytes.clear();
        let read = (&mut *from).take(PIECE_BYTES as u64).read_to_end(&mut bytes)?;
        if read > 0 {
            piece(&bytes);
        }
        if read < PIECE_BYTES {
            return Ok(());
        }
    }
}

/// The whole image.
#[cfg(test)]
pub(crate) fn load(image: &ImageRef) -> Result<Vec<u8>, ImageProblem> {
    let mut bytes = Vec::new();
    read(image, &mut |piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}

/// The format of an image, by its first bytes.
#[must_use]
pub fn recognise(bytes: &[u8]) -> Option<ImageKind> {
    Takes::Image.kind(Content::of(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Turns the image values of one manifest into references, hashing each file once a pass.
pub(super) struct Images {
    folder: PathBuf,
    known: Mutex<HashMap<Version, Known>>,
}

/// A file as it was when it was read.
#[derive(PartialEq, Eq, Hash)]
struct Version {
    /// Of its path: a file system that makes up its inodes may give two files one number.
    path: u64,
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// What was read of it: about a hundred bytes together, less than a job's own row. So all of them are remembered.
#[derive(Clone, Copy)]
struct Known {
    sha256: [u8; 32],
    content: Content,
}

impl Images {
    /// For paths relative to `folder`, which is absolute.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// The image, or the file, that `value` means.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the parameter's name.
    pub(super) fn resolve(&self, value: &str, takes: Takes<'_>) -> Result<ImageRef, Wrong> {
        if value.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:")) {
            return data_uri(value, takes).map_err(Wrong::new);
        }
        if let Some(path) = self.existing(value) {
            return self.file(path, takes);
        }
        // Words may be base64 by chance; what begins as a file of a known kind is none.
        let is_one = |bytes: &Vec<u8>| media::recognise(bytes).is_some() && takes.kind(Content::of(bytes)).is_some();
        match decode_base64(value).filter(is_one) {
            Some(bytes) => inline(&bytes, takes).map_err(Wrong::new),
            None => Err(self.missing(value)),
        }
    }

    fn missing(&self, value: &str) -> Wrong {
        let is_link = missing::is_link(value);
        let words = if is_link { "a link is no image file" } else { "no such file" };
        let wrong = Wrong::new(format!("{words}: {}", repeated(value))).quoting(value);
        if value.len() > PATH_BYTES_MAX {
            return wrong;
        }
        if !is_link && self.folder.join(value).symlink_metadata().is_ok() {
            let message = format!("{} is a symbolic link that leads to no file", repeated(value));
            return Wrong { message, ..wrong };
        }
        // A wrong folder is one mistake, however many rows name a file in it.
        let folder = value.rfind(['/', '\\']).filter(|_| !is_link).map_or("", |at| &value[..at]);
        let help = Help::Missing { given: value.to_owned(), folder: self.folder.clone() };
        let has_folder = || self.folder.join(folder.replace('\\', "/")).is_dir();
        let of = match is_link {
            true if missing::is_share(value) => "a service",
            true => "the web",
            // Nor is a folder for each row one that nobody has.
            false if !has_folder() => "folders that are not there",
            false => folder,
        };
        Wrong { kind: Some(format!("{words} in {of}")), help, ..wrong }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Version, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn existing(&self, value: &str) -> Option<PathBuf> {
        if value.is_empty() || value.len() > PATH_BYTES_MAX {
            return None;
        }
        let there = |name: &str| Some(self.folder.join(name)).filter(|path| path.exists());
        let slashed = || Some(value.replace('\\', "/")).filter(|slashed| slashed != value);
        // A Mac writes `é` in a file's name as two characters, and a spreadsheet as one.
        let other = |normal: fn(&str) -> String| (!value.is_ascii()).then(|| normal(value));
        let composed = || other(|name| name.nfc().collect()).and_then(|name| there(&name));
        let decomposed = || other(|name| name.nfd().collect()).and_then(|name| there(&name));
        there(value).or_else(|| there(&slashed()?)).or_else(composed).or_else(decomposed)
    }

    fn file(&self, path: PathBuf, takes: Takes<'_>) -> Result<ImageRef, Wrong> {
        let wrong =
            |words: &str| Wrong { kind: Some(words.to_owned()), ..Wrong::new(format!("{} {words}", path.display())) };
        let unreadable = |e: io::Error| wrong(&format!("cannot be read: {e}"));
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(wrong("is not a file"));
        }
        if metadata.len() > IMAGE_BYTES_MAX {
            return Err(Wrong::new(too_large()));
        }
        let (device, inode, bytes) = (metadata.dev(), metadata.ino(), metadata.len());
        let mut hash = DefaultHasher::new();
        path.hash(&mut hash);
        let version = Version { path: hash.finish(), device, inode, bytes, modified: metadata.modified().ok() };
        let known = self.known().get(&version).copied();
        if let Some((known, kind)) = known.and_then(|known| Some((known, takes.kind(known.content)?))) {
            return Ok(known.at(path, kind));
        }
        if bytes == 0 {
            return Err(wrong("is empty"));
        }
        let (start, sha256) = hash_file(&path).map_err(unreadable)?;
        let content = Content::of(&start);
        let kind = takes.kind(content).ok_or_else(|| {
            let wrong = wrong(&format!("is {}", takes.none_of()));
            match missing::format_advice(&start).filter(|_| takes.is_image()) {
                Some(advice) => Wrong { kind: Some(advice.clone()), ..wrong }.help(advice),
                None => wrong,
            }
        })?;
        if !regular(&path).and_then(|mut file| has_end(kind, &mut file)).map_err(unreadable)? {
            return Err(wrong("is cut: its end is missing").help(CUT_HELP));
        }
        let read = Known { sha256, content };
        self.known().insert(version, read);
        Ok(read.at(path, kind))
    }
}

impl Known {
    fn at(self, path: PathBuf, kind: ImageKind) -> ImageRef {
        ImageRef { source: ImageSource::File(path), sha256: hex(&self.sha256), kind }
    }
}

/// Opens a regular file. What was one a moment ago may be a pipe by now.
fn regular(path: &Path) -> io::Result<File> {
    match safe_open::open(path)? {
        Opened::File(file) => Ok(file),
        Opened::Pipe(_) => Err(io::Error::other("is not a file")),
    }
}

/// The first bytes, and the digest.
fn hash_file(path: &Path) -> io::Result<(Vec<u8>, [u8; 32])> {
    // A file that grows while it is read is cut here; `load` then finds it changed.
    let mut file = regular(path)?.take(IMAGE_BYTES_MAX);
    let mut start = Vec::with_capacity(SIGNATURE_BYTES);
    file.by_ref().take(SIGNATURE_BYTES as u64).read_to_end(&mut start)?;
    let mut hash = Sha256::new();
    hash.update(&start);
    hash_rest(&mut file, &mut hash)?;
    Ok((start, hash.finalize().into()))
}

/// Hashes a reader to its end.
pub(super) fn hash_rest(from: &mut dyn Read, hash: &mut Sha256) -> io::Result<()> {
    let mut chunk = vec![0; HASH_CHUNK_BYTES];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => hash.update(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn data_uri(value: &str, takes: Takes<'_>) -> Result<ImageRef, String> {
    let (head, body) = value.split_once(',').ok_or("expected a data URI with base64 after a comma")?;
    if !head.to_ascii_lowercase().ends_with(";base64") {
        return Err("expected a data URI that says ;base64 before the comma".to_owned());
    }
    let bytes = decode_base64(body).ok_or("the data URI holds no valid base64")?;
    inline(&bytes, takes)
}

fn inline(bytes: &[u8], takes: Takes<'_>) -> Result<ImageRef, String> {
    if bytes.len() as u64 > IMAGE_BYTES_MAX {
        return Err(too_large());
    }
    let start = bytes.get(..SIGNATURE_BYTES).unwrap_or(bytes);
    let kind = takes.kind(Content::of(start)).ok_or_else(|| format!("expected {}", takes.one_of()))?;
    if !has_end(kind, &mut Cursor::new(bytes)).unwrap_or_default() {
        return Err("the image is cut: its end is missing".to_owned());
    }
    Ok(ImageRef { source: ImageSource::Inline(BASE64.encode(bytes)), sha256: hex(&Sha256::digest(bytes)), kind })
}

fn too_large() -> String {
    format!("larger than {} MiB, the most that is sent", IMAGE_BYTES_MAX / (1024 * 1024))
}

/// Standard base64, padded or not, with white space anywhere (a wrapped cell).
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let unpadded = packed.iter().rposition(|b| *b != b'=').map_or(0, |at| at + 1);
    BASE64.decode(&packed).ok().or_else(|| BASE64_NOPAD.decode(&packed[..unpadded]).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A second pass over many pictures reads none of them again.
    #[test]
    fn a_picture_is_read_once_however_many_there_are() {
        const MANY: usize = 5_000;
        const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\xae\x42\x60\x82";
        let folder = tempfile::tempdir().unwrap();
        let name = |number: usize| format!("{number}.png");
        let with = |number: usize| [PNG, &number.to_be_bytes()].concat();
        let images = Images::new(folder.path().to_owned());
        let resolved = |number: usize| {
            let found = images.resolve(&name(number), Takes::Image);
            found.unwrap_or_else(|wrong| panic!("{number}: {}", wrong.message))
        };
        for number in 0..MANY {
            fs::write(folder.path().join(name(number)), with(number)).unwrap();
            resolved(number);
        }
        let first = File::options().write(true).open(folder.path().join(name(0))).unwrap();
        let modified = first.metadata().unwrap().modified().unwrap();
        io::Write::write_all(&mut &first, &with(MANY)).unwrap();
        first.set_modified(modified).unwrap();
        let known = |number: usize| resolved(number).sha256;
        assert_eq!(known(0), hex(&Sha256::digest(with(0))), "nothing tells that it has changed");
        first.set_modified(modified + std::time::Duration::from_secs(1)).unwrap();
        assert_eq!(known(0), hex(&Sha256::digest(with(MANY))));
        let before = images.known().len();
        fs::hard_link(folder.path().join(name(1)), folder.path().join("of the same inode.png")).unwrap();
        images.resolve("of the same inode.png", Takes::Image).ok().unwrap();
        assert_eq!(images.known().len(), before + 1, "an inode alone does not tell that it is the same file");
    }

    /// A file that is being written anew: it ends here, and has gone on a moment later.
    struct Growing(VecDeque<Vec<u8>>);

    impl Read for Growing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let next = self.0.pop_front().unwrap_or_default();
            into[..next.len()].copy_from_slice(&next);
            Ok(next.len())
        }
    }

    #[test]
    fn nothing_is_read_after_a_short_piece() {
        let mut told = Vec::new();
        let mut file = Growing([vec![1; 1_000], vec![2; 100], vec![], vec![3; 1_000]].into());
        pieces(&mut file, &mut |piece| told.push(piece.len())).unwrap();
        assert_eq!(told, [1_100], "base64 would be padded in its middle");
        let mut whole = io::repeat(7).take(2 * PIECE_BYTES as u64 + 1);
        told.clear();
        pieces(&mut whole, &mut |piece| told.push(piece.len())).unwrap();
        assert_eq!(told, [PIECE_BYTES, PIECE_BYTES, 1]);
    }
}
