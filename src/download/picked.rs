//! The folder of what a person has picked: each film under its name without a take, so that an edit that names it there shows whichever
//! take is picked now.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::file::{is_whole, make_folder, make_folders_below, sync_folder};
use super::name::PICKED_FOLDER;

/// How a link or a copy is called until it has its name.
const TEMPORARY_SUFFIX: &str = ".l402-batch.tmp";

/// A file of a take, and what a person says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeFile {
    /// The file: its absolute path.
    pub file: PathBuf,
    /// Its SHA-256, as the ledger knows it.
    pub sha256: [u8; 32],
    /// Its name without a take, from the folder of all files (`harbour/kite.mp4`).
    pub name: String,
    /// It is the one that is picked.
    pub is_picked: bool,
}

/// What could not be done, of one name.
#[derive(Debug, thiserror::Error)]
pub enum PickRefused {
    /// Two takes of one name are picked.
    #[error("{name}: more than one take is picked")]
    Two {
        /// The name.
        name: String,
    },
    /// What stands there is no take's file.
    #[error("{path} is somebody else's file")]
    Foreign {
        /// Where it stands.
        path: String,
    },
    /// The take's file is not where it was, or is another one now.
    #[error("{file} is not as it was downloaded")]
    Changed {
        /// The take's file.
        file: String,
    },
    /// The file system refuses.
    #[error("{path} cannot be put there")]
    Io {
        /// Where it would stand.
        path: String,
        /// What it says.
        source: io::Error,
    },
}

impl crate::error::Hinted for PickRefused {
    fn hint(&self) -> Option<std::borrow::Cow<'_, str>> {
        let hint = match self {
            Self::Two { .. } => "reject all but one of them; where they are of two jobs, put {id} into --download-name",
            Self::Foreign { .. } => "move it away; then the same command puts the picked take there",
            Self::Changed { .. } => "`download --missing` fetches once more what is gone",
            Self::Io { .. } => return None,
        };
        Some(hint.into())
    }
}

/// Puts what is picked into `picked` of the folder of all files, as hard links, or as copies where there can be none; takes away what is
/// picked no more. Only what is one of these files is ever replaced or removed. What is refused keeps no other name from being put right.
///
/// # Errors
/// Where `folder` is not there: its disk may be gone.
pub fn keep_picked(folder: &Path, takes: &[TakeFile]) -> io::Result<Vec<PickRefused>> {
    fs::metadata(folder)?;
    let picked = folder.join(PICKED_FOLDER);
    let mut names: Vec<&str> = takes.iter().map(|take| take.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut refused = Vec::new();
    for name in names {
        let of_name: Vec<&TakeFile> = takes.iter().filter(|take| take.name == name).collect();
        let mut chosen = of_name.iter().filter(|take| take.is_picked);
        let done = match (chosen.next(), chosen.next()) {
            (Some(_), Some(_)) => Err(PickRefused::Two { name: name.to_owned() }),
            (Some(take), None) => put(&picked, take, &of_name),
            (None, _) => remove(&picked.join(name), &of_name),
        };
        refused.extend(done.err());
    }
    Ok(refused)
}

/// The take whose file stands there, if one does.
fn standing<'t>(path: &Path, takes: &[&'t TakeFile]) -> io::Result<Option<&'t TakeFile>> {
    let there = match path.symlink_metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_link_of = |take: &&&TakeFile| {
        let about = take.file.symlink_metadata();
        about.is_ok_and(|about| about.is_file() && (about.dev(), about.ino()) == (there.dev(), there.ino()))
    };
    if let Some(take) = takes.iter().find(is_link_of) {
        return Ok(Some(take));
    }
    for take in takes {
        if is_whole(path, &take.sha256)? {
            return Ok(Some(take));
        }
    }
    Err(io::Error::other(Foreign))
}

/// What stands there is no take's file.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it is somebody else's")]
struct Foreign;

fn told(path: &Path, error: io::Error) -> PickRefused {
    let path = path.display().to_string();
    if error.get_ref().is_some_and(|why| why.is::<Foreign>()) {
        PickRefused::Foreign { path }
    } else {
        PickRefused::Io { path, source: error }
    }
}

fn put(picked: &Path, take: &TakeFile, of_name: &[&TakeFile]) -> Result<(), PickRefused> {
    let path = picked.join(&take.name);
    let before = standing(&path, of_name).map_err(|error| told(&path, error))?;
    if before.is_some_and(|before| before.sha256 == take.sha256) {
        return Ok(());
    }
    if !is_whole(&take.file, &take.sha256).map_err(|error| told(&take.file, error))? {
        return Err(PickRefused::Changed { file: take.file.display().to_string() });
    }
    place(picked, &path, take).map_err(|error| told(&path, error))
}

/// Puts the file there in one step, whatever of ours stands there.
fn place(picked: &Path, path: &Path, take: &TakeFile) -> io::Result<()> {
    make_folder(picked)?;
    let below = path.strip_prefix(picked).ok().and_then(Path::parent).unwrap_or(Path::new(""));
    make_folders_below(picked, below)?;
    let folder = path.parent().unwrap_or(picked);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary =
        tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(TEMPORARY_SUFFIX).make_in(folder, |at| {
            match fs::hard_link(&take.file, at) {
                // Another disk, or one that knows no links.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy(take, at),
                linked => linked,
            }
        })?;
    temporary.persist(path).map_err(|failed| failed.error)?;
    sync_folder(path)
}

fn copy(take: &TakeFile, at: &Path) -> io::Result<()> {
    let mut to = fs::File::options().write(true).create_new(true).open(at)?;
    io::copy(&mut fs::File::open(&take.file)?, &mut to)?;
    to.sync_all()
}

fn remove(path: &Path, of_name: &[&TakeFile]) -> Result<(), PickRefused> {
    match standing(path, of_name) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => fs::remove_file(path).and_then(|()| sync_folder(path)).map_err(|error| told(path, error)),
        // Nobody has picked anything of that name: whatever stands there is not ours to tell of.
        Err(error) if error.get_ref().is_some_and(|why| why.is::<Foreign>()) => Ok(()),
        Err(error) => Err(told(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    struct Films(tempfile::TempDir);

    impl Films {
        /// Two takes of one film, of which the second is picked.
        fn new() -> (Self, Vec<TakeFile>) {
            let films = Self(tempfile::tempdir().unwrap());
            fs::create_dir(films.at("harbour")).unwrap();
            let take = |file: &str, is_picked| {
                fs::write(films.at(file), file).unwrap();
                let (sha256, name) = (Sha256::digest(file).into(), "harbour/kite.mp4".to_owned());
                TakeFile { file: films.at(file), sha256, name, is_picked }
            };
            let takes = vec![take("harbour/kite.mp4", false), take("harbour/kite-take2.mp4", true)];
            (films, takes)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn keep(&self, takes: &[TakeFile]) -> Vec<String> {
            keep_picked(self.0.path(), takes).unwrap().iter().map(ToString::to_string).collect()
        }

        fn picked(&self) -> Option<String> {
            fs::read_to_string(self.at("picked/harbour/kite.mp4")).ok()
        }

        fn pick(takes: &mut [TakeFile], which: Option<usize>) {
            takes.iter_mut().enumerate().for_each(|(at, take)| take.is_picked = Some(at) == which);
        }
    }

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn the_picked_take_stands_under_the_name_without_one() {
        let (films, mut takes) = Films::new();
        assert!(films.keep(&takes).is_empty());
        assert_eq!(films.picked().as_deref(), Some("harbour/kite-take2.mp4"));
        let place = films.at("picked/harbour/kite.mp4");
        assert_eq!(inode(&place), inode(&takes[1].file), "a link takes no room");
        Films::pick(&mut takes, Some(0));
        assert!(films.keep(&takes).is_empty());
        assert_eq!(films.picked().as_deref(), Some("harbour/kite.mp4"));
        assert_eq!(fs::read_dir(films.at("picked/harbour")).unwrap().count(), 1, "nothing else is left");
        Films::pick(&mut takes, None);
        assert!(films.keep(&takes).is_empty());
        assert_eq!(films.picked(), None);
        assert!(takes.iter().all(|take| take.file.exists()), "films stay where they are");
    }

    #[test]
    fn a_copy_is_known_by_its_content_and_somebody_s_file_stays() {
        let (films, mut takes) = Films::new();
        films.keep(&takes);
        let place = films.at("picked/harbour/kite.mp4");
        fs::remove_file(&place).unwrap();
        fs::copy(&takes[1].file, &place).unwrap();
        let copy = inode(&place);
        assert!(films.keep(&takes).is_empty());
        assert_eq!(inode(&place), copy, "it is as it should be");
        Films::pick(&mut takes, Some(0));
        assert!(films.keep(&takes).is_empty());
        assert_eq!(inode(&place), inode(&takes[0].file), "a copy of ours is replaced");
        fs::remove_file(&place).unwrap();
        fs::write(&place, "cut by hand").unwrap();
        assert_eq!(films.keep(&takes), [format!("{} is somebody else's file", place.display())]);
        Films::pick(&mut takes, None);
        assert!(films.keep(&takes).is_empty());
        assert_eq!(films.picked().as_deref(), Some("cut by hand"));
    }

    #[test]
    fn nothing_that_is_not_whole_is_put_there_and_two_are_none() {
        let (films, mut takes) = Films::new();
        fs::write(&takes[1].file, "spoiled").unwrap();
        assert_eq!(films.keep(&takes), [format!("{} is not as it was downloaded", takes[1].file.display())]);
        takes[0].is_picked = true;
        assert_eq!(films.keep(&takes), ["harbour/kite.mp4: more than one take is picked"]);
        assert_eq!(films.picked(), None);
        let gone = keep_picked(&films.at("gone"), &takes);
        assert!(gone.is_err() && !films.at("gone").exists(), "its disk may be gone");
    }

    #[test]
    fn a_link_there_is_followed_by_nobody() {
        let (films, takes) = Films::new();
        fs::create_dir_all(films.at("picked/harbour")).unwrap();
        std::os::unix::fs::symlink(&takes[1].file, films.at("picked/harbour/kite.mp4")).unwrap();
        assert_eq!(films.keep(&takes).len(), 1);
        assert!(films.at("picked/harbour/kite.mp4").is_symlink());
    }
}
