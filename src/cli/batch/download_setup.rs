//! Where results go as files, and what fetches them beside a run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::options::config::DownloadOptions;
use crate::cli::{CommandError, Failure};
use crate::download::name::{DEFAULT_TEMPLATE, Template};
use crate::download::{Downloads, Feed, Fetched, LocalDisk, Settings, Wanted, file, full_words};
use crate::event::{Event, Listener};
use crate::ledger::port::Batches;
use crate::ledger::{BatchKey, DownloadTo, FilesOf, LedgerError, LedgerHandle, OpenLedger};
use crate::manifest::JobSource;
use crate::origin::Fetcher;
use crate::plan::Plan;
use crate::run::{Control, SystemClock};

use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::room::{ROOM_BYTES_MIN, lacking, unusable, while_there_is_room};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Few writes, and little that a killed process has to fetch once more.
const GATHERED_BYTES: usize = 1 << 20;
const CHECKPOINT_BYTES: u64 = 8 << 20;
/// A run ends, however slowly a host sends: in that time 1 GiB comes at 50 kB a second.
const FILE_MS_MAX: u64 = 6 * 3_600_000;

/// Where files go: as the options say, else where those of the batch went before. None where nobody says.
pub(in crate::cli) fn destination(
    options: &DownloadOptions,
    remembered: Option<&DownloadTo>,
) -> Result<Option<DownloadTo>, Failure> {
    let name = options.name.as_ref().map(ToString::to_string);
    let Some(folder) = &options.folder else {
        return Ok(remembered.map(|to| DownloadTo { name: name.unwrap_or_else(|| to.name.clone()), ..to.clone() }));
    };
    let path = std::path::absolute(folder).map_err(|error| CommandError::usage("--download").because(error))?;
    let Some(text) = path.to_str() else {
        return Err(CommandError::usage(format!(
            "--download {}: the ledger keeps no path that is not UTF-8",
            path.display()
        ))
        .into());
    };
    let folder = if text == "/" { text } else { text.trim_end_matches('/') }.to_owned();
    Ok(Some(DownloadTo { folder, name: name.unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned()), device: None }))
}

/// Refuses a template with a name that no job has.
pub(in crate::cli) fn check_template(to: &DownloadTo, source: &dyn JobSource, plan: &Plan) -> Result<(), Failure> {
    let template = template(to)?;
    let params = plan.endpoints().iter().flat_map(|endpoint| &endpoint.params);
    let mut known: HashSet<String> = params.map(|param| param.name.clone()).collect();
    if template.unknown(&known).is_none() {
        return Ok(());
    }
    for job in plan.jobs(source) {
        known.extend(job.map_err(Failure::Input)?.extra.into_iter().map(|(name, _)| name));
    }
    match template.unknown(&known) {
        None => Ok(()),
        Some(name) => Err(CommandError::usage(format!(
            "--download-name {}: no job has a {{{name}}}; there are {{id}}, {{endpoint}}, {{date}}, {{take}}, parameters and \
             x_* columns; nothing was bought",
            to.name
        )).into()),
    }
}

pub(in crate::cli) fn template(to: &DownloadTo) -> Result<Template, Failure> {
    to.name.parse().map_err(|error| CommandError::usage(format!("--download-name {}: {error}", to.name)).into())
}

/// The device on which the folder was when files last went into it, of whichever batch and however it was written.
fn device_before(to: &DownloadTo, ledger: &OpenLedger) -> Result<Option<i64>, LedgerError> {
    let is_it = |files: &FilesOf| files.has_files && file::is_same(Path::new(&files.to.folder), Path::new(&to.folder));
    Ok(ledger.files()?.into_iter().filter(is_it).find_map(|files| files.to.device))
}

/// The device on which the folder is; refused where files went to another one before, and nothing stands here.
fn device_of(to: &DownloadTo) -> Result<i64, Failure> {
    let folder = Path::new(&to.folder);
    let device = file::device(folder).map_err(|error| unusable(&to.folder, error))?;
    let is_other = to.device.is_some_and(|known| known != device);
    if is_other && file::is_bare(folder).map_err(|error| unusable(&to.folder, error))? {
        return Err(CommandError::usage(format!(
            "--download {}: nothing stands there, and it is on another disk than when files went there before: nothing was fetched \
             or bought",
            to.folder
        ))
        .hint("is that disk mounted? Mount it, or name another folder").into());
    }
    Ok(device)
}

fn has_room(to: &DownloadTo, bytes: u64) -> Result<(), Failure> {
    if bytes >= ROOM_BYTES_MIN {
        return Ok(());
    }
    let there = Path::new(&to.folder).ancestors().find(|path| path.exists());
    if there.and_then(|path| rustix::fs::statvfs(path).ok()).is_some_and(|disk| disk.f_blocks == 0) {
        return Err(unusable(&to.folder, std::io::Error::other("it is on no disk")));
    }
    let full = full_words(&to.folder, ROOM_BYTES_MIN);
    Err(CommandError::usage(format!("--download: {full}; nothing was fetched or bought")).into())
}

/// What fetches results into files.
pub(in crate::cli) struct DownloadSetup {
    settings: Settings,
    wanted: Wanted,
    fetcher: Fetcher,
    device: i64,
    made: Made,
}

/// Folders that a run has made, the lowest first.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Made(Vec<PathBuf>);

impl Made {
    /// Those that are still to be made so that this one is there.
    fn of(folder: &Path) -> Self {
        let missing = |above: &&Path| !above.as_os_str().is_empty() && !above.exists();
        Self(folder.ancestors().take_while(missing).map(Path::to_owned).collect())
    }

    /// Removes what nothing was put into.
    pub(in crate::cli) fn remove(&self) {
        // What is not empty stays, and so does all above it.
        self.0.iter().all(|folder| std::fs::remove_dir(folder).is_ok());
    }
}

impl DownloadSetup {
    /// Makes the folder and sees that files can be written there, and that it is the one into which files went before. With
    /// `play` no proxy is asked.
    pub(in crate::cli) fn prepare(
        options: &DownloadOptions,
        to: &DownloadTo,
        wanted: Wanted,
        play: bool,
    ) -> Result<Self, Failure> {
        let folder = Path::new(&to.folder);
        let unusable = |error| unusable(&to.folder, error);
        let device = device_of(to)?;
        let made = Made::of(folder);
        file::make_folder(folder).map_err(unusable)?;
        let fit = file::probe(folder).and_then(|()| file::room(folder)).map_err(unusable);
        if let Err(failure) = fit.and_then(|room| has_room(to, room)) {
            made.remove();
            return Err(failure);
        }
        let fetcher = Fetcher::new(CONNECT_TIMEOUT, !play)
            .map_err(|error| CommandError::internal("no client for downloads").because(error))?;
        let settings = Settings {
            folder: to.folder.clone(),
            name: template(to)?,
            in_flight: options.fetching.downloads_in_flight as usize,
            per_second: options.per_second.and_then(std::num::NonZeroU32::new),
            bytes_max: u64::from(options.fetching.max_file_mib) << 20,
            idle_ms: u64::try_from(options.fetching.download_idle.as_millis()).unwrap_or(u64::MAX),
            file_ms_max: FILE_MS_MAX,
            room_min: ROOM_BYTES_MIN,
            gathered_bytes: GATHERED_BYTES,
            checkpoint_bytes: CHECKPOINT_BYTES,
        };
        Ok(Self { settings, wanted, fetcher, device, made })
    }

    /// What [`Self::of_run`] would refuse of the folder, as far as that is seen without writing there.
    pub(in crate::cli) fn look(to: &DownloadTo, ledger: Option<&OpenLedger>) -> Result<(), Failure> {
        let device = ledger.map(|ledger| device_before(to, ledger)).transpose()?.flatten();
        let to = DownloadTo { device, ..to.clone() };
        device_of(&to)?;
        file::look(Path::new(&to.folder))
            .map_err(|error| unusable(&to.folder, error))
            .and_then(|room| has_room(&to, room))
    }

    /// That what waits for the disk of its folder needs more room than there is.
    pub(in crate::cli) fn lacking(
        &self,
        ledger: &OpenLedger,
        batch: BatchKey,
        buys: bool,
    ) -> Result<Option<String>, Failure> {
        lacking(&self.settings.folder, ledger, Some(batch), buys)
    }

    /// Has the run beside `feed` buy nothing more once what is to come to that disk needs more room than there is. Never returns.
    pub(in crate::cli) async fn while_there_is_room(&self, ledger: &LedgerHandle, batch: BatchKey, feed: &Feed) {
        while_there_is_room(&self.settings.folder, ledger, batch, feed).await;
    }

    /// What was made for it.
    pub(in crate::cli) fn made(&self) -> Made {
        self.made.clone()
    }

    /// The same for a run, and where files go: with the device that it is on now, for the next one to know.
    pub(in crate::cli) fn of_run(
        options: &DownloadOptions,
        to: Option<DownloadTo>,
        ledger: &OpenLedger,
        play: bool,
    ) -> Result<(Option<Self>, Option<DownloadTo>), Failure> {
        let Some(to) = to else { return Ok((None, None)) };
        let to = DownloadTo { device: device_before(&to, ledger)?, ..to };
        let download_setup = Self::prepare(options, &to, Wanted::OfRun, play)?;
        let to = download_setup.remembered(&to);
        Ok((Some(download_setup), Some(to)))
    }

    /// Where files go, for the next run to know.
    pub(in crate::cli) fn remembered(&self, to: &DownloadTo) -> DownloadTo {
        DownloadTo { device: Some(self.device), ..to.clone() }
    }

    /// Whether every job of the batch is meant.
    pub(in crate::cli) fn is_of_all(&self) -> bool {
        match &self.wanted {
            Wanted::OfRun => true,
            Wanted::Missing(only) => only.is_empty(),
        }
    }

    /// Fetches what there is and what the run beside it delivers.
    pub(in crate::cli) async fn fetch(
        &self,
        batch: BatchKey,
        ledger: &LedgerHandle,
        reporter: &Reporter,
        control: Control,
        feed: &Feed,
    ) -> Result<Fetched, LedgerError> {
        let both = Both(reporter, feed);
        let downloads = Downloads {
            ledger,
            fetch: &self.fetcher,
            disk: &LocalDisk,
            clock: &SystemClock,
            listener: &both as &dyn Listener,
            settings: &self.settings,
            control,
            feed,
        };
        downloads.run(batch, self.wanted.clone()).await
    }
}

/// The reporter, and the downloads beside the run.
pub(in crate::cli) struct Both<'a>(pub(in crate::cli) &'a Reporter, pub(in crate::cli) &'a Feed);

impl Listener for Both<'_> {
    fn hear(&self, event: &Event) {
        self.0.hear(event);
        self.1.hear(event);
    }
}
