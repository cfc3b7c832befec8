//! What was delivered, as a page shows it: by what its file is, and where it stands.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use url::Url;

use crate::ledger::TakeRow;

use super::text::{clean, file_name};

/// The folder in the page's own that has the links.
pub(super) const MEDIA: &str = "media";
/// Of a text so much is shown; the file is linked.
const TEXT_BYTES_MAX: u64 = 20_000;
/// An id may be longer than a name in a folder.
const ID_CHARS_MAX: usize = 60;

/// One thing that was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// By the address of its file, relative to the page where it stands in its folder.
    Video(String),
    Audio(String),
    Image(String),
    /// An image that is a page of its own where it is opened, in which a seller's script would run: it is shown, and leads nowhere.
    Drawing(String),
    Text(String),
    /// Another file that runs nothing where a browser opens it, and its name.
    File(String, String),
    /// It is not here: its address, which a person may follow, and how that is told.
    Link(String, String),
    /// It is not here, and nobody can follow it.
    Words(String),
}

/// Where files of takes are put so that the page finds them.
pub(super) struct Media {
    /// The folder's own for them.
    folder: PathBuf,
    /// Files that stay where they are, since they cannot be linked.
    pub(super) left: u64,
}

impl Media {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.join(MEDIA), left: 0 }
    }

    /// How what was delivered of a take is shown, each result by itself.
    pub(super) fn place(&mut self, take: &TakeRow) -> Vec<Shown> {
        let row = &take.row;
        let more = row.more.iter().map(|one| {
            let file = one.mark.as_ref().map(|mark| mark.file.as_str());
            (Some(one.url.as_str()), file.filter(|_| row.file.is_some()))
        });
        let results = std::iter::once((row.url.as_deref(), row.file.as_deref())).chain(more);
        results.flat_map(|(url, file)| self.result(take, url, file)).collect()
    }

    fn result(&mut self, take: &TakeRow, url: Option<&str>, file: Option<&str>) -> Vec<Shown> {
        let path = file.map(Path::new);
        match path.map(|path| (path, fs::metadata(path))) {
            Some((path, Ok(meta))) if meta.is_file() => {
                let src = self.address(take, path, &meta);
                shown_file(path, src)
            }
            Some(_) => {
                let gone = Shown::Words("the file is no longer where it was downloaded".to_owned());
                std::iter::once(gone).chain(away(url)).collect()
            }
            None => away(url).into_iter().collect(),
        }
    }

    /// The address of a file as the page names it. A hard link in the page's own folder takes no room, and goes wherever that goes.
    fn address(&mut self, take: &TakeRow, path: &Path, meta: &fs::Metadata) -> String {
        let name = name_of(take, path, meta);
        let link = self.folder.join(&name);
        // Copied with its folder it is another file, of the same name, which tells its path and its times.
        let is_there = || fs::symlink_metadata(&link).is_ok_and(|known| known.is_file() && known.len() == meta.len());
        // A link to what is itself a link would lead nowhere from here.
        let whole = fs::canonicalize(path);
        if is_there() || whole.as_ref().is_ok_and(|path| fs::hard_link(path, &link).is_ok()) && is_there() {
            return format!("{}/{name}", MEDIA);
        }
        self.left = self.left.saturating_add(1);
        whole.ok().and_then(|path| Url::from_file_path(path).ok()).map(String::from).unwrap_or_default()
    }
}

/// The name of a file in the folder: told by id and take, and the same for as long as the file is the same.
fn name_of(take: &TakeRow, path: &Path, meta: &fs::Metadata) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let id: String = take.row.id.chars().take(ID_CHARS_MAX).map(safe).collect();
    let told = format!("{}:{}:{}:{}", path.display(), meta.len(), meta.mtime(), meta.mtime_nsec());
    let digest = HEXLOWER.encode(&Sha256::digest(told));
    let ending = ending_of(path).filter(|ending| !ending.is_empty() && ending.chars().all(|c| safe(c) == c));
    let ending = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
    format!("{id}-{}-{}{ending}", take.row.take, digest.get(..10).unwrap_or_default())
}

fn ending_of(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

fn shown_file(path: &Path, src: String) -> Vec<Shown> {
    match ending_of(path).as_deref() {
        Some("mp4" | "m4v" | "mov" | "webm" | "mkv" | "ogv") => vec![Shown::Video(src)],
        Some("mp3" | "m4a" | "aac" | "wav" | "flac" | "ogg" | "oga" | "opus") => vec![Shown::Audio(src)],
        Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "bmp") => vec![Shown::Image(src)],
        Some("svg") => vec![Shown::Drawing(src)],
        Some("txt" | "md" | "json" | "csv" | "srt" | "vtt") => {
            let text = text_of(path).map(Shown::Text);
            text.into_iter().chain([other_file(path, src)]).collect()
        }
        Some(_) | None => vec![other_file(path, src)],
    }
}

/// By its address only where no browser takes it for a page: a page of a seller's would share marks with this one.
fn other_file(path: &Path, src: String) -> Shown {
    match ending_of(path).as_deref() {
        Some("txt" | "json" | "csv" | "pdf" | "zip") => Shown::File(src, file_name(path)),
        Some(_) | None => Shown::Words(format!("the file {}", file_name(path))),
    }
}

/// The beginning of a text; none where it is none.
fn text_of(path: &Path) -> Option<String> {
    let (mut bytes, most) = (Vec::new(), TEXT_BYTES_MAX);
    fs::File::open(path).ok()?.take(most + 1).read_to_end(&mut bytes).ok()?;
    let is_cut = u64::try_from(bytes.len()).is_ok_and(|length| length > most);
    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        // A character may be cut in two.
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    Some(format!("{}{}", clean(text), if is_cut { "…" } else { "" }))
}

/// What is not here.
fn away(url: Option<&str>) -> Option<Shown> {
    let url = url?;
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    Some(match parsed.as_ref().and_then(|url| url.host_str()) {
        Some(host) => Shown::Link(url.to_owned(), format!("at {}", clean(host))),
        None => Shown::Words("delivered with the answer, and not fetched into a file yet".to_owned()),
    })
}
