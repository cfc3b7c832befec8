//! Files that cannot be read: why, and which one beside it was most likely meant.

use std::io::{self, ErrorKind};
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;

use super::{Diagnostic, closest};

/// Names in a folder that are looked at.
const NAMES_MAX: usize = 10_000;
/// Names that are compared letter by letter, which takes time.
const COMPARED_MAX: usize = 1_000;
/// Shorter names are not compared so, the ending included.
const COMPARED_CHARS_MIN: usize = 8;
/// Of files that a person writes.
const ENDINGS: [&str; 7] = [".csv", ".toml", ".tsv", ".txt", ".xlsx", ".xlsm", ".ods"];

/// The error of a file that cannot be read, and what to do about it.
#[must_use]
pub fn unread(file: &str, error: &io::Error) -> Diagnostic {
    if error.kind() != ErrorKind::NotFound {
        return Diagnostic::error(file, format!("cannot be read: {error}"));
    }
    let path = Path::new(file);
    let missing = Diagnostic::error(file, "there is no such file");
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => missing.help(format!("there is no folder {}", folder.display())),
        None => match similar(path, &ENDINGS) {
            Some(known) => missing.help(format!("did you mean \"{}\"?", path.with_file_name(known).display())),
            None => missing,
        },
    }
}

/// The name of a file beside a missing one that differs from its name by case, by one of these endings, or by little.
#[must_use]
pub fn similar(path: &Path, endings: &[&str]) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = std::fs::read_dir(folder).ok()?;
    let names: Vec<String> =
        beside.take(NAMES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let folded = |name: &str| name.nfc().flat_map(char::to_lowercase).collect::<String>();
    let (is, stem) =
        (folded(wanted), |name: &str| Path::new(name).file_stem().map(|stem| folded(&stem.to_string_lossy())));
    let same = names.iter().find(|name| folded(name) == is && *name != wanted);
    let has_ending = |name: &str| endings.iter().any(|ending| folded(name).ends_with(ending));
    let with_other_ending =
        || names.iter().find(|name| has_ending(name) && stem(name) == stem(wanted) && *name != wanted);
    // Of short and of numbered names the nearest is another file.
    let is_close = |name: &&str| digits(name) == digits(wanted) && wanted.chars().count() >= COMPARED_CHARS_MIN;
    let close = || closest(wanted, names.iter().map(String::as_str).take(COMPARED_MAX).filter(is_close));
    same.or_else(with_other_ending).map(String::as_str).or_else(close).map(str::to_owned)
}

fn digits(name: &str) -> String {
    name.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_called_that_and_the_one_that_was_meant_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["Trailers.csv", "june.toml", "other.results.csv"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let help = |name: &str| {
            let path = folder.path().join(name).display().to_string();
            let error = unread(&path, &std::fs::read(&path).unwrap_err());
            assert_eq!(error.message, "there is no such file");
            error.help.unwrap_or_default().replace(&format!("{}/", folder.path().display()), "")
        };
        assert_eq!(help("trailers.csv"), "did you mean \"Trailers.csv\"?");
        assert_eq!(help("june.csv"), "did you mean \"june.toml\"?");
        assert_eq!(help("trailer.csv"), "did you mean \"Trailers.csv\"?");
        assert_eq!(help("unlike.csv"), "");
        assert_eq!(help("no/unlike.csv"), "there is no folder no");
    }
}
