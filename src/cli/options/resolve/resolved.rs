//! All sources laid over each other, and what commands work with from there.

use std::path::{Path, PathBuf};

use crate::cli::options::config::{
    Buying, Choice, DownloadOptions, Fetching, Files, ManifestOptions, ManifestSource, NodeOptions, Output, Pace,
    Payment, RateOptions, Select, Target,
};
use crate::cli::options::displayed::Displayed;
use crate::cli::options::flags::TargetArgs;
use crate::cli::options::layer::Layers;
use crate::cli::options::values::{self, FormatWord, ManifestFormat};
use crate::cli::options::{Fiat, Layer, flag, variable};
use crate::cli::{CommandError, Environment, Failure, node};
use crate::command::set_context;
use crate::ledger::{ByKind, LedgerAddress, OutputKind};
use crate::manifest::{FORMAT_UNTOLD, GivenBy, SheetChoice, TableOptions, format_help, normal_id};
use crate::time::UnixMs;

use super::none;

/// All layers in one, and what lies around them.
pub(super) struct Resolved {
    pub(super) layer: Layer,
    pub(super) environment: Environment,
    /// The configuration file, where it was named.
    pub(super) named_config: Option<PathBuf>,
    /// The options that flags give.
    pub(super) typed: Vec<&'static str>,
    /// The flags that name the node as flags and variables do: the configuration file is there for every command.
    pub(super) node: Vec<String>,
}

impl Resolved {
    /// Where the ledger is.
    pub(super) fn ledger(&self) -> Result<LedgerAddress, Failure> {
        let default =
            || self.environment.state_directory().map(|folder| LedgerAddress::of_file(folder.join("ledger.db")));
        let ledger = self
            .layer
            .ledger
            .clone()
            .or_else(default)
            .ok_or_else(|| usage("no home folder for the ledger; give --ledger FILE"))?;
        // One that is named and lacks something is told by whoever asks it.
        let has_node = !self.environment.is_process || !matches!(self.node(), Ok(None));
        self.carry(&ledger, self.node.clone(), has_node);
        match std::fs::read_link(ledger.file()) {
            Ok(leads) if !ledger.exists() => {
                let message = format!("the ledger {ledger} is a link to {}, which is not there", leads.display());
                Err(CommandError::usage(message)
                    .hint("is its disk mounted? Mount it, or name another with --ledger")
                    .into())
            }
            Ok(_) | Err(_) => Ok(ledger),
        }
    }

    /// The ledger of a run with play money: one of its own, which stays after it, so that what it recorded can be looked at.
    fn play_ledger(&self) -> Result<LedgerAddress, Failure> {
        if !self.environment.is_process {
            return Ok(none());
        }
        let folder = tempfile::Builder::new().prefix("l402-batch-sandbox-").tempdir();
        let folder = folder.map_err(|error| CommandError::internal("no temporary folder").because(error))?.keep();
        let ledger = LedgerAddress::of_file(folder.join("ledger.db"));
        // Its node ends with it.
        self.carry(&ledger, Vec::new(), true);
        Ok(ledger)
    }

    /// Has every command that is printed from here on name that ledger, unless it is the one by default of whoever types that:
    /// variables, files and a service's folders may not be there then. `node`: flags that name the node; `has_node`: some node is known,
    /// whatever names it.
    fn carry(&self, ledger: &LedgerAddress, node: Vec<String>, has_node: bool) {
        if self.environment.is_process {
            let usual = self.environment.state_home.as_ref().map(|home| home.join("l402-batch").join("ledger.db"));
            let is_usual = usual.as_deref() == Some(ledger.file());
            set_context(ledger.file(), is_usual, self.named_config.as_deref(), node, has_node);
        }
    }

    pub(super) fn output(&self) -> Result<Output, Failure> {
        match self.layer.output_format().and_then(FormatWord::page) {
            Some(_) => {
                Err(usage("html and md are how `plan` writes an estimate; everything else is table, json or csv"))
            }
            None => Ok(self.layer.output()),
        }
    }

    /// How amounts are told in another currency.
    pub(super) fn rates(&self) -> RateOptions {
        RateOptions {
            file: self.layer.rate_file.clone(),
            currency: self.layer.currency.clone(),
            max_age: Fiat::from(&self.layer).max_rate_age,
        }
    }

    /// Of a command that tells what happens: CSV has no place there.
    pub(super) fn output_without_csv(&self, command: &str) -> Result<Output, Failure> {
        match self.layer.output_format() {
            Some(FormatWord::Csv) => Err(usage(format!(
                "{command} prints table or json; rows go to files, with run --results and --receipts or with export"
            ))),
            Some(FormatWord::Table | FormatWord::Json | FormatWord::Html | FormatWord::Md) | None => self.output(),
        }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace::from(&self.layer)
    }

    /// When no purchase begins any more.
    pub(super) fn deadline(&self) -> Result<Option<UnixMs>, Failure> {
        let deadline = self.layer.deadline.as_ref().map(|deadline| deadline.resolve(&self.environment.now));
        Ok(deadline.transpose().map_err(CommandError::usage)?)
    }

    pub(super) fn downloads(&self) -> DownloadOptions {
        let layer = &self.layer;
        DownloadOptions {
            folder: layer.download.clone(),
            name: layer.download_name.clone(),
            sidecars: layer.sidecars.unwrap_or_default(),
            per_second: layer.downloads_per_second,
            fetching: Fetching::from(layer),
        }
    }

    /// The node, where one is named or found where lnd keeps its files.
    pub(super) fn node(&self) -> Result<Option<NodeOptions>, Failure> {
        node::resolve(&self.layer, &self.environment)
    }

    /// Whether play money is asked for. `named`: by flags, a node or a ledger that such a run would not use.
    pub(super) fn is_play(&self, named: bool) -> Result<bool, Failure> {
        match self.layer.sandbox == Some(true) {
            true if named => Err(usage(format!(
                "{} asks for play money and the flags name a node or a ledger; keep one",
                variable("sandbox")
            ))),
            true if cfg!(not(feature = "sandbox")) => {
                Err(usage("this build has no sandbox; build it with the feature \"sandbox\""))
            }
            is_asked => Ok(is_asked),
        }
    }

    pub(super) fn payment(&self, named: bool) -> Result<Payment, Failure> {
        if self.is_play(named)? {
            return Ok(Payment::Sandbox(self.play_ledger()?));
        }
        let node = self.node()?.ok_or_else(|| {
            usage(
                "no node to pay, and none found where lnd keeps its files; give --lnd-url, --lnd-macaroon-file and \
                 --lnd-cert-file, or --lnd-dir, or try it with --sandbox",
            )
        })?;
        Ok(Payment::Node(node, self.ledger()?))
    }

    /// The manifest at that path, and how it is read.
    pub(super) fn manifest(&self, path: &Path) -> Result<ManifestOptions, Failure> {
        let layer = &self.layer;
        let by = |name: &str| if self.typed.contains(&name) { flag(name) } else { variable(name) };
        Ok(ManifestOptions {
            source: source(path, layer.manifest_format)?,
            batch: layer.batch.clone(),
            catalogs: layer.catalog.clone(),
            defaults: layer.default.clone(),
            columns: layer.column.clone(),
            table: TableOptions {
                delimiter: layer.delimiter,
                sheet: layer.sheet.as_deref().map(SheetChoice::from),
                header_row: layer.header_row,
                hidden_rows: layer.hidden_rows,
            },
            given_by: GivenBy { defaults: by("default"), columns: by("column") },
            frozen: None,
        })
    }

    /// What a saved plan is run with; what it is about, it says itself.
    ///
    /// # Errors
    /// Where a flag says what the plan says, or something else.
    pub(super) fn of_saved_plan(&self, path: &Path) -> Result<ManifestOptions, Failure> {
        if let Some(name) = OF_SAVED.iter().find(|name| self.typed.contains(*name)) {
            let words = format!("{} says itself what is bought, and takes no {}", path.display(), flag(name));
            return Err(CommandError::usage(words).hint("leave it out, or save a plan that has it").into());
        }
        // The source is the plan's manifest, once it is read.
        Ok(ManifestOptions {
            source: ManifestSource::File(path.to_owned(), ManifestFormat::Toml),
            batch: None,
            catalogs: self.layer.catalog.clone(),
            defaults: Vec::new(),
            columns: Vec::new(),
            table: TableOptions::default(),
            given_by: GivenBy::default(),
            frozen: None,
        })
    }

    /// How a manifest is bought: for a run, and for whatever foretells one.
    pub(super) fn buying(&self, limits: Layers) -> Result<Buying, Failure> {
        Ok(Buying {
            choice: self.choice(),
            limits,
            pace: self.pace(),
            deadline: self.deadline()?,
            files: self.files(),
            downloads: self.downloads(),
            system_time_zone: self.system_time_zone(),
        })
    }

    fn system_time_zone(&self) -> String {
        self.environment.now.time_zone().iana_name().unwrap_or("UTC").to_owned()
    }

    fn choice(&self) -> Choice {
        let layer = self.layer.clone();
        Choice {
            yes: layer.yes.unwrap_or_default(),
            dry_run: layer.dry_run.unwrap_or_default(),
            limit: layer.limit,
            select: Select { only: layer.only, conditions: layer.r#where },
            only: Vec::new(),
            retake: ids(&layer.retake),
            retake_changed: layer.retake_changed.unwrap_or_default(),
            retake_refunded: layer.retake_refunded.unwrap_or_default(),
            retake_rejected: layer.retake_rejected.unwrap_or_default(),
            duplicates: layer.duplicates,
            trust: layer.trust,
            resume: layer.resume.unwrap_or_default(),
            adopt: layer.adopt.unwrap_or_default(),
            partial: layer.partial.unwrap_or_default(),
            exact_price: layer.exact_price.unwrap_or_default(),
        }
    }

    pub(super) fn files(&self) -> Files {
        let layer = &self.layer;
        let paths = ByKind::of(|kind| match kind {
            OutputKind::Results => layer.results.clone(),
            OutputKind::Receipts => layer.receipts.clone(),
        });
        Files { paths, overwrite: layer.overwrite.unwrap_or_default() }
    }

    /// What counts where nobody says anything, of the options whose default is no fixed value.
    pub(super) fn found(&self) -> Vec<(&'static str, Displayed)> {
        let ledger = self.ledger().ok().map(|ledger| ("ledger", Displayed::Text(ledger.to_string())));
        ledger.into_iter().chain([("time_zone", Displayed::Text(self.system_time_zone()))]).collect()
    }
}

/// Options that a saved plan has itself, or that would buy something else than it says.
const OF_SAVED: [&str; 16] = [
    "batch",
    "manifest_format",
    "catalog",
    "default",
    "column",
    "delimiter",
    "sheet",
    "header_row",
    "hidden_rows",
    "retake",
    "retake_changed",
    "retake_refunded",
    "retake_rejected",
    "duplicates",
    "adopt",
    "sandbox",
];

/// Whether a path is that of a saved plan, by its ending.
pub(super) fn is_saved_plan(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("plan"))
}

fn source(path: &Path, given: Option<ManifestFormat>) -> Result<ManifestSource, Failure> {
    if path.as_os_str() == "-" {
        let words = || values::words::<ManifestFormat>().join("|");
        let untold = || format!("standard input has no name to tell by; give --manifest-format {}", words());
        let format = given.ok_or_else(|| usage(untold()))?;
        return Ok(ManifestSource::Stdin(format));
    }
    if is_saved_plan(path) && given.is_none() {
        let words = format!("{}: a saved plan is bought by `run`, and by nothing else", path.display());
        return Err(CommandError::usage(words).hint("name its manifest").into());
    }
    Ok(ManifestSource::File(path.to_owned(), format(path, given)?))
}

/// How a manifest is written: as was said, else by its extension.
pub(super) fn format(path: &Path, given: Option<ManifestFormat>) -> Result<ManifestFormat, Failure> {
    given
        .or_else(|| crate::manifest::Format::of(path).map(ManifestFormat::from))
        .ok_or_else(|| usage(format!("{}: {FORMAT_UNTOLD}: {}", path.display(), format_help(path))))
}

pub(super) fn target(args: &TargetArgs, layer: &Layer, or: &str) -> Result<Target, Failure> {
    let manifest = match &args.manifest {
        None => None,
        Some(path) if path.as_os_str() == "-" => return Err(usage("give the manifest's path, or --batch NAME")),
        Some(path) => Some((path.clone(), format(path, layer.manifest_format)?)),
    };
    match (manifest, layer.batch.clone()) {
        (None, None) => Err(usage(format!("which batch? give its MANIFEST, or --batch NAME{or}"))),
        (manifest, batch) => Ok(Target { manifest, batch }),
    }
}

/// Ids as they are compared.
pub(super) fn ids(given: &[String]) -> Vec<String> {
    given.iter().map(|id| normal_id(id).into_owned()).collect()
}

pub(super) fn usage(message: impl Into<String>) -> Failure {
    CommandError::usage(message).into()
}
