//! Where files are written: a port, so that a simulation can have a disk of its own.

use std::future::Future;
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::file::{self, Part};

/// Where files are written. Paths are absolute.
pub trait Disk {
    /// The part of a file, held by nobody else.
    type Part: PartFile;

    /// Makes the folders that lead from `folder`, which is there, to one below it (`a/b`), for good.
    ///
    /// # Errors
    /// Where they cannot be made; [`io::ErrorKind::NotADirectory`] where a file stands in the place of one.
    fn make_folders(&self, folder: &str, below: &str) -> impl Future<Output = io::Result<()>>;

    /// Whether anything stands there.
    ///
    /// # Errors
    /// Where nobody can say.
    fn is_taken(&self, file: &str) -> impl Future<Output = io::Result<bool>>;

    /// Begins the part of a new file; none where somebody's part stands there.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    fn begin(&self, file: &str) -> impl Future<Output = io::Result<Option<Self::Part>>>;

    /// Goes on with the part of a file that an earlier run began, and keeps its first `bytes`; none where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn go_on(&self, file: &str, bytes: u64) -> impl Future<Output = io::Result<Option<Self::Part>>>;

    /// Whether a file of that SHA-256 stands under its name; if so, it does for good once this returns.
    ///
    /// # Errors
    /// Where it cannot be read, or the folder not be synced.
    fn is_whole(&self, file: &str, sha256: [u8; 32]) -> impl Future<Output = io::Result<bool>>;

    /// Bytes that can still be written into the folder.
    ///
    /// # Errors
    /// Where nobody can say.
    fn room(&self, folder: &str) -> impl Future<Output = io::Result<u64>>;
}

/// A part of a file.
pub trait PartFile {
    /// How many bytes it has.
    fn bytes(&self) -> u64;

    /// The SHA-256 of what it has.
    fn sha256(&self) -> [u8; 32];

    /// Adds these pieces, in their order.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn add(&mut self, pieces: Vec<Bytes>) -> impl Future<Output = io::Result<()>>;

    /// Forgets all that it has, for good.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn begin_anew(&mut self) -> impl Future<Output = io::Result<()>>;

    /// Returns once all that it has is on the disk.
    ///
    /// # Errors
    /// Where the disk says otherwise.
    fn sync(&mut self) -> impl Future<Output = io::Result<()>>;

    /// Gives the whole, synced file its name for good, where nothing stands there: false where something does.
    ///
    /// # Errors
    /// Where the file system cannot do that.
    fn publish(&mut self, file: &str) -> impl Future<Output = io::Result<bool>>;

    /// Removes it.
    ///
    /// # Errors
    /// Where it cannot be removed.
    fn discard(&mut self) -> impl Future<Output = io::Result<()>>;
}

/// The machine's own file systems. The thread that pays never waits for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

/// A part on one of them; none while it is written to.
#[derive(Debug)]
pub struct LocalPart(Option<Part>);

impl Disk for LocalDisk {
    type Part = LocalPart;

    async fn make_folders(&self, folder: &str, below: &str) -> io::Result<()> {
        let (folder, below) = (folder.to_owned(), below.to_owned());
        elsewhere(move || file::make_folders_below(Path::new(&folder), Path::new(&below))).await
    }

    async fn is_taken(&self, file: &str) -> io::Result<bool> {
        Ok(file::is_taken(Path::new(file)))
    }

    async fn begin(&self, file: &str) -> io::Result<Option<LocalPart>> {
        let file = file.to_owned();
        elsewhere(move || Ok(Part::begin(Path::new(&file))?.map(|part| LocalPart(Some(part))))).await
    }

    async fn go_on(&self, file: &str, bytes: u64) -> io::Result<Option<LocalPart>> {
        let file = file.to_owned();
        elsewhere(move || Ok(Part::go_on(Path::new(&file), bytes)?.map(|part| LocalPart(Some(part))))).await
    }

    async fn is_whole(&self, file: &str, sha256: [u8; 32]) -> io::Result<bool> {
        let file = file.to_owned();
        elsewhere(move || {
            let is_whole = file::is_whole(Path::new(&file), &sha256)?;
            if is_whole {
                file::sync_folder(Path::new(&file))?;
            }
            Ok(is_whole)
        })
        .await
    }

    async fn room(&self, folder: &str) -> io::Result<u64> {
        file::room(Path::new(folder))
    }
}

impl LocalPart {
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Part) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let Some(mut part) = self.0.take() else { return Err(io::Error::other("the part of a file was lost")) };
        let (part, result) = elsewhere(move || {
            let result = work(&mut part);
            Ok((part, result))
        })
        .await?;
        self.0 = Some(part);
        result
    }
}

impl PartFile for LocalPart {
    fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, Part::bytes)
    }

    fn sha256(&self) -> [u8; 32] {
        self.0.as_ref().map_or([0; 32], Part::sha256)
    }

    async fn add(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        self.with(move |part| part.add_all(&pieces)).await
    }

    async fn begin_anew(&mut self) -> io::Result<()> {
        self.with(|part| part.begin_anew().and_then(|()| part.sync())).await
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.with(|part| part.sync()).await
    }

    async fn publish(&mut self, file: &str) -> io::Result<bool> {
        let file = file.to_owned();
        self.with(move |part| part.publish(Path::new(&file))).await
    }

    async fn discard(&mut self) -> io::Result<()> {
        self.with(Part::discard).await
    }
}

/// On a thread that may wait for a disk.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
