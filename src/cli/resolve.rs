//! From what was typed to what a command works with: flag beats variable beats manifest beats file, except limits, of which
//! the tightest wins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::carry;
use crate::download::name::DEFAULT_TEMPLATE;
use crate::l402::Network;
use crate::ledger::sqlite::{Decision, Reopening};
use crate::manifest::{format_help, normal_id};
use crate::plan::{FEE_FLOOR_DEFAULT, MAX_FEE_PPM_DEFAULT};

use super::args::{
    AuditArgs, BatchesArgs, CatalogViewArgs, DoctorArgs, DownloadCommandArgs, ExportArgs, JobChoiceArgs,
    LedgerMergeArgs, PlanArgs, RecoverArgs, RefundsClaimArgs, RefundsListArgs, ResolveArgs, RunArgs, ShowArgs,
    StatusArgs,
};
use super::config::{
    AuditOptions, BatchesOptions, CatalogOptions, Choice, DoctorOptions, DownloadCommand, DownloadOptions,
    ExportOptions, Files, LedgerMergeOptions, LimitLayers, ManifestOptions, ManifestSource, NodeOptions, Output, Pace,
    Payment, PlanOptions, RecoverOptions, RefundsClaimOptions, RefundsListOptions, ResolveOptions, ResolveWord,
    RunOptions, ShowOptions, StatusOptions, Target,
};
use super::config_show::Layers;
use super::flags::{NodeArgs, TargetArgs};
use super::layer::{self, Layer, said};
use super::shown::Shown;
use super::values::{DecisionWord, Format, ManifestFormat};
use super::{Environment, Failure, file, node};

const JOBS_IN_FLIGHT: u32 = 64;
const PAYMENTS_IN_FLIGHT: u32 = 16;
const REQUESTS_PER_SECOND: u32 = 10;
const MAX_UNDELIVERED: u32 = 3;
const MAX_DOUBT: u32 = 16;
const WAIT_DOUBT: Duration = Duration::from_secs(10 * 60);
/// A day more than the week that other nodes' invoices live by default; lnd's live a day.
const MAX_INVOICE_LIFE: Duration = Duration::from_secs(8 * 24 * 3_600);
const DOWNLOADS_IN_FLIGHT: u32 = 8;
const DOWNLOADS_PER_SECOND: u32 = 10;
const MAX_FILE_MIB: u32 = 1_024;
const DOWNLOAD_IDLE: Duration = Duration::from_secs(60);

/// What environment and configuration file say, before any flag.
#[derive(Clone, Debug)]
pub struct Config {
    environment: Environment,
    variables: Layer,
    file: Layer,
    /// The file's path, where it was read.
    file_path: Option<PathBuf>,
    /// It was named, by flag or variable.
    is_named: bool,
}

impl Config {
    /// Reads the configuration file: the one that was named, else the variable's, else the default where it is there.
    ///
    /// # Errors
    /// Everything that is wrong with it or with a variable.
    pub fn load(named: Option<PathBuf>, environment: Environment) -> Result<Self, Failure> {
        let variables = environment.layer().map_err(|wrong| Failure::Usage(wrong.join("\n")))?;
        let named = named.or_else(|| environment.config_file());
        let default = environment.config_home.as_ref().map(|home| home.join("l402-batch").join("config.toml"));
        let is_named = named.is_some();
        let path = named.or(default);
        let read = path.as_ref().map(|path| file::read(path, is_named, environment.home.as_deref()));
        let file = read.transpose().map_err(Failure::Input)?.flatten();
        let file_path = path.filter(|_| file.is_some());
        Ok(Self { environment, variables, file: file.unwrap_or_default(), file_path, is_named })
    }

    /// Resolves `plan`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn plan(self, args: PlanArgs) -> Result<PlanOptions, Failure> {
        let flags = Layer::default().reading(&args.manifest.reading).limits(&args.limits).output(&args.output);
        let flags = chosen(flags.download_to(&args.download), &args.choice);
        let system_time_zone = self.system_time_zone();
        let (all, limits) = self.lay(flags.ledger(&args.ledger));
        Ok(PlanOptions {
            manifest: manifest(&args.manifest.manifest, &all.layer)?,
            choice: all.choice(args.choice),
            limits,
            partial: all.layer.partial.unwrap_or_default(),
            jobs: args.jobs,
            downloads: all.downloads(),
            output: all.output(),
            ledger: all.ledger()?,
            system_time_zone,
        })
    }

    /// Resolves `run`.
    ///
    /// # Errors
    /// Where something that is needed is missing, or two things do not go together.
    pub fn run(self, args: RunArgs) -> Result<RunOptions, Failure> {
        let flags = Layer::default().reading(&args.manifest.reading).limits(&args.limits).output(&args.output);
        let flags = flags.ledger(&args.ledger).node(&args.node).pace(&args.pace).downloads(&args.downloads);
        let flags = Layer {
            yes: said(args.choice.yes),
            dry_run: said(args.choice.dry_run),
            resume: said(args.choice.resume),
            results: args.files.results.clone(),
            receipts: args.files.receipts.clone(),
            sandbox: said(args.sandbox),
            ..chosen(flags, &args.choice.jobs)
        };
        let system_time_zone = self.system_time_zone();
        let (all, limits) = self.lay(flags);
        if !args.sandbox && all.layer.sandbox == Some(true) && (typed(&args.node) || args.ledger.ledger.is_some()) {
            let variable = layer::variable("sandbox");
            return Err(usage(format!(
                "{variable} asks for play money and the flags name a node or a ledger; keep one"
            )));
        }
        let manifest = manifest(&args.manifest.manifest, &all.layer)?;
        if matches!(manifest.source, ManifestSource::Stdin(_)) && manifest.batch.is_none() {
            return Err(usage("a manifest from standard input needs --batch NAME"));
        }
        Ok(RunOptions {
            manifest,
            limits,
            payment: all.payment()?,
            pace: all.pace()?,
            files: files(&all.layer, args.files.overwrite),
            downloads: all.downloads(),
            output: all.output_without_csv("run")?,
            choice: Choice { trust: args.choice.trust, adopt: args.choice.adopt, ..all.choice(args.choice.jobs) },
            system_time_zone,
        })
    }

    /// Resolves `recover`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn recover(self, args: RecoverArgs) -> Result<RecoverOptions, Failure> {
        let flags = Layer::default().target(&args.target).node(&args.node).pace(&args.pace).output(&args.output);
        let (all, _) = self.lay(flags.ledger(&args.ledger).downloads(&args.downloads));
        let target = if args.all { None } else { Some(target(&args.target, &all.layer, ", or --all")?) };
        Ok(RecoverOptions {
            target,
            node: all.node()?,
            pace: all.pace()?,
            downloads: all.downloads(),
            output: all.output_without_csv("recover")?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `download`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn download(self, args: DownloadCommandArgs) -> Result<DownloadCommand, Failure> {
        let flags = Layer::default().target(&args.target).output(&args.output).downloads(&args.downloads);
        let (all, _) = self.lay(flags.ledger(&args.ledger));
        Ok(DownloadCommand {
            target: target(&args.target, &all.layer, "")?,
            jobs: ids(&args.job),
            missing: args.missing,
            downloads: all.downloads(),
            pace: all.pace()?,
            output: all.output_without_csv("download")?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `refunds list`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn refunds_list(self, args: RefundsListArgs) -> Result<RefundsListOptions, Failure> {
        let flags = Layer::default().target(&args.target).output(&args.output).ledger(&args.ledger);
        let (all, _) = self.lay(flags);
        let target = if args.all { None } else { Some(target(&args.target, &all.layer, ", or --all")?) };
        Ok(RefundsListOptions {
            target,
            jobs: ids(&args.job),
            proof: args.proof,
            output: all.output(),
            ledger: all.ledger()?,
        })
    }

    /// Resolves `ledger merge`.
    ///
    /// # Errors
    /// Where no place for the ledger is known.
    pub fn ledger_merge(self, args: LedgerMergeArgs) -> Result<LedgerMergeOptions, Failure> {
        let (all, _) = self.lay(Layer::default().ledger(&args.ledger));
        Ok(LedgerMergeOptions { file: args.file, discard: args.discard, ledger: all.ledger()? })
    }

    /// Resolves `refunds claim`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn refunds_claim(self, args: RefundsClaimArgs) -> Result<RefundsClaimOptions, Failure> {
        let recover = self.recover(args.recover)?;
        if recover.node.is_none() {
            return Err(usage("a refund comes to the node that paid: name it with --lnd-url and --lnd-macaroon-file"));
        }
        Ok(RefundsClaimOptions { jobs: ids(&args.job), recover })
    }

    /// Resolves `resolve`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn resolve(self, args: ResolveArgs) -> Result<ResolveOptions, Failure> {
        let (all, _) = self.lay(Layer::default().target(&args.target).node(&args.node).ledger(&args.ledger));
        Ok(ResolveOptions {
            target: target(&args.target, &all.layer, "")?,
            job: normal_id(&args.job).into_owned(),
            word: match args.decision {
                DecisionWord::Unpaid => ResolveWord::Decide(Decision::Unpaid),
                DecisionWord::Lost => ResolveWord::Decide(Decision::Lost),
                DecisionWord::Rebuy => ResolveWord::Decide(Decision::Rebuy),
                DecisionWord::Keep => ResolveWord::Keep,
                DecisionWord::Retry => ResolveWord::Reopen(Reopening::Retry),
                DecisionWord::Delivered => ResolveWord::Reopen(Reopening::Delivered),
            },
            note: args.note,
            node: all.node()?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `audit`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn audit(self, args: AuditArgs) -> Result<AuditOptions, Failure> {
        let (all, _) = self.lay(Layer::default().node(&args.node).output(&args.output).ledger(&args.ledger));
        Ok(AuditOptions { node: all.node()?, output: all.output(), ledger: all.ledger()? })
    }

    /// Resolves `doctor`. A node that is named and lacks something is no error here: it is what is to be told.
    ///
    /// # Errors
    /// Where there is no place for a ledger, or the manifest's kind cannot be told.
    pub fn doctor(self, args: DoctorArgs) -> Result<DoctorOptions, Failure> {
        let flags = Layer::default().reading(&args.reading).limits(&args.limits).output(&args.output);
        let (config_file, system_time_zone) = (self.file_path.clone(), self.system_time_zone());
        let (all, limits) = self.lay(flags.node(&args.node).ledger(&args.ledger));
        let output = all.output();
        if output.format == Format::Csv {
            return Err(usage("doctor prints table or json"));
        }
        Ok(DoctorOptions {
            manifest: args.manifest.map(|path| manifest(&path, &all.layer)).transpose()?,
            limits,
            partial: all.layer.partial.unwrap_or_default(),
            node: all.node(),
            ask: !args.no_ask,
            output,
            ledger: all.ledger()?,
            config_file,
            system_time_zone,
        })
    }

    /// Resolves `catalog`.
    ///
    /// # Errors
    /// Where the manifest's kind cannot be told.
    pub fn catalog(self, args: CatalogViewArgs) -> Result<CatalogOptions, Failure> {
        let flags = Layer::default().reading(&args.reading).output(&args.output);
        let (all, _) = self.lay(flags);
        let output = all.output();
        if output.format == Format::Csv {
            return Err(usage("catalog prints table or json"));
        }
        Ok(CatalogOptions {
            catalogs: all.layer.catalog.clone(),
            manifest: args.manifest.map(|path| manifest(&path, &all.layer)).transpose()?,
            endpoints: args.endpoint,
            network: all.layer.lnd_network.as_deref().and_then(Network::from_name),
            output,
        })
    }

    /// Resolves `config show`.
    ///
    /// # Errors
    /// Where the manifest's kind cannot be told.
    pub fn show(self, args: ShowArgs) -> Result<ShowOptions, Failure> {
        let flags = Layer::default().reading(&args.reading).limits(&args.limits).output(&args.output);
        let flags = flags.node(&args.node).pace(&args.pace).ledger(&args.ledger).downloads(&args.downloads);
        let (variables, file) = (self.variables.clone(), self.file.clone());
        let layers = Layers { flags: flags.clone(), variables, manifest: Layer::default(), file };
        let (system_time_zone, file) = (self.system_time_zone(), self.file_path.clone());
        let (all, _) = self.lay(flags);
        let output = all.output();
        if output.format == Format::Csv {
            return Err(usage("config show prints table or json"));
        }
        Ok(ShowOptions {
            layers,
            manifest: args.manifest.map(|path| manifest(&path, &all.layer)).transpose()?,
            // What is wrong with how a node is named is doctor's to tell.
            node: all.node().ok().flatten(),
            defaults: defaults(all.ledger().ok(), system_time_zone),
            file,
            output,
        })
    }

    /// Resolves `status`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn status(self, args: StatusArgs) -> Result<StatusOptions, Failure> {
        let flags = Layer::default().target(&args.target).output(&args.output).ledger(&args.ledger);
        let (all, _) = self.lay(flags);
        Ok(StatusOptions {
            target: target(&args.target, &all.layer, "")?,
            all: args.all,
            jobs: ids(&args.job),
            proof: args.proof,
            output: all.output(),
            ledger: all.ledger()?,
        })
    }

    /// Resolves `export`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn export(self, args: ExportArgs) -> Result<ExportOptions, Failure> {
        let flags = Layer::default().target(&args.target).ledger(&args.ledger);
        let flags = Layer {
            results: args.files.results.clone(),
            receipts: args.files.receipts.clone(),
            quiet: said(args.quiet),
            ..flags
        };
        let (all, _) = self.lay(flags);
        Ok(ExportOptions {
            target: target(&args.target, &all.layer, "")?,
            files: files(&all.layer, args.files.overwrite),
            quiet: all.output().quiet,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `batches`.
    ///
    /// # Errors
    /// Where there is no place for a ledger.
    pub fn batches(self, args: BatchesArgs) -> Result<BatchesOptions, Failure> {
        let (all, _) = self.lay(Layer::default().output(&args.output).ledger(&args.ledger));
        Ok(BatchesOptions { output: all.output(), ledger: all.ledger()? })
    }

    fn system_time_zone(&self) -> String {
        self.environment.now.time_zone().iana_name().unwrap_or("UTC").to_owned()
    }

    /// Lays the flags over variables and file. Limits keep apart what stands above the manifest and what below.
    fn lay(self, flags: Layer) -> (Laid, LimitLayers) {
        let limits = LimitLayers {
            flags: flags.limits.clone(),
            above: self.variables.limits.clone(),
            below: self.file.limits.clone(),
        };
        let above = flags.over(self.variables);
        let node = node::flags(&above);
        let laid = Laid {
            layer: above.over(self.file),
            environment: self.environment,
            named_config: self.file_path.filter(|_| self.is_named),
            node,
        };
        (laid, limits)
    }
}

/// All layers in one, and what lies around them.
struct Laid {
    layer: Layer,
    environment: Environment,
    /// The configuration file, where it was named.
    named_config: Option<PathBuf>,
    /// The flags that name the node as flags and variables do: the configuration file is there for every command.
    node: Vec<String>,
}

impl Laid {
    /// The ledger's path. Every command that is printed from here on names it, unless it is the one by default of whoever
    /// types that: variables, files and a service's folders may not be there then.
    fn ledger(&self) -> Result<PathBuf, Failure> {
        let default = || self.environment.state_directory().map(|folder| folder.join("ledger.db"));
        let ledger = self
            .layer
            .ledger
            .clone()
            .or_else(default)
            .ok_or_else(|| usage("no home folder for the ledger; give --ledger FILE"))?;
        if self.environment.is_process {
            let usual = self.environment.state_home.as_ref().map(|home| home.join("l402-batch").join("ledger.db"));
            carry(
                Some(&ledger).filter(|ledger| usual.as_ref() != Some(ledger)).map(PathBuf::as_path),
                self.named_config.as_deref(),
                self.node.clone(),
            );
        }
        Ok(ledger)
    }

    fn output(&self) -> Output {
        Output { format: self.layer.format.unwrap_or_default(), quiet: self.layer.quiet.unwrap_or_default() }
    }

    /// Of a command that tells what happens: CSV has no place there.
    fn output_without_csv(&self, command: &str) -> Result<Output, Failure> {
        match self.layer.format {
            Some(Format::Csv) => Err(usage(format!(
                "{command} prints table or json; rows go to files, with run --results and --receipts or with export"
            ))),
            Some(Format::Table | Format::Json) | None => Ok(self.output()),
        }
    }

    fn pace(&self) -> Result<Pace, Failure> {
        let layer = &self.layer;
        let deadline = layer.deadline.as_ref().map(|deadline| deadline.resolve(&self.environment.now)).transpose();
        Ok(Pace {
            jobs_in_flight: layer.jobs_in_flight.unwrap_or(JOBS_IN_FLIGHT),
            payments_in_flight: layer.payments_in_flight.unwrap_or(PAYMENTS_IN_FLIGHT),
            requests_per_second: layer.requests_per_second.unwrap_or(REQUESTS_PER_SECOND),
            max_undelivered: layer.max_undelivered.unwrap_or(MAX_UNDELIVERED),
            max_doubt: layer.max_doubt.unwrap_or(MAX_DOUBT),
            wait_doubt: layer.wait_doubt.unwrap_or(WAIT_DOUBT),
            max_invoice_life: layer.max_invoice_life.unwrap_or(MAX_INVOICE_LIFE),
            deadline: deadline.map_err(Failure::Usage)?,
        })
    }

    fn downloads(&self) -> DownloadOptions {
        let layer = &self.layer;
        DownloadOptions {
            folder: layer.download.clone(),
            name: layer.download_name.clone(),
            in_flight: layer.downloads_in_flight.unwrap_or(DOWNLOADS_IN_FLIGHT),
            per_second: layer.downloads_per_second.unwrap_or(DOWNLOADS_PER_SECOND),
            max_file_mib: layer.max_file_mib.unwrap_or(MAX_FILE_MIB),
            idle: layer.download_idle.unwrap_or(DOWNLOAD_IDLE),
        }
    }

    /// The node, where one is named or found where lnd keeps its files.
    fn node(&self) -> Result<Option<NodeOptions>, Failure> {
        node::resolve(&self.layer, &self.environment)
    }

    fn payment(&self) -> Result<Payment, Failure> {
        if self.layer.sandbox == Some(true) {
            return if cfg!(feature = "sandbox") {
                Ok(Payment::Sandbox)
            } else {
                Err(usage("this build has no sandbox; build it with the feature \"sandbox\""))
            };
        }
        let node = self.node()?.ok_or_else(|| {
            usage(
                "no node to pay, and none found where lnd keeps its files; give --lnd-url, --lnd-macaroon-file and \
                 --lnd-cert-file, or --lnd-dir, or try it with --sandbox",
            )
        })?;
        Ok(Payment::Node(node, self.ledger()?))
    }

    fn choice(&self, args: JobChoiceArgs) -> Choice {
        let layer = &self.layer;
        Choice {
            yes: layer.yes.unwrap_or_default(),
            dry_run: layer.dry_run.unwrap_or_default(),
            limit: layer.limit,
            only: ids(&layer.only),
            retake: ids(&args.retake),
            retake_changed: args.retake_changed,
            retake_refunded: args.retake_refunded,
            duplicates: layer.duplicates,
            trust: Vec::new(),
            resume: layer.resume.unwrap_or_default(),
            adopt: false,
            partial: layer.partial.unwrap_or_default(),
        }
    }
}

/// What counts where nobody says anything, of the options that have such a value.
fn defaults(ledger: Option<PathBuf>, time_zone: String) -> Vec<(&'static str, Shown)> {
    let number = |number: u32| Shown::Number(number.into());
    let mut defaults = vec![
        ("time_zone", Shown::Text(time_zone)),
        ("max_fee_ppm", Shown::Number(MAX_FEE_PPM_DEFAULT)),
        ("fee_floor_sats", Shown::Number(FEE_FLOOR_DEFAULT.get())),
        ("partial", Shown::Truth(false)),
        ("lnd_network", Shown::Text(node::NETWORK_DEFAULT.to_owned())),
        ("jobs_in_flight", number(JOBS_IN_FLIGHT)),
        ("payments_in_flight", number(PAYMENTS_IN_FLIGHT)),
        ("requests_per_second", number(REQUESTS_PER_SECOND)),
        ("max_undelivered", number(MAX_UNDELIVERED)),
        ("max_doubt", number(MAX_DOUBT)),
        ("wait_doubt", Shown::Text(format!("{}s", WAIT_DOUBT.as_secs()))),
        ("max_invoice_life", Shown::Text(format!("{}s", MAX_INVOICE_LIFE.as_secs()))),
        ("download_name", Shown::Text(DEFAULT_TEMPLATE.to_owned())),
        ("downloads_in_flight", number(DOWNLOADS_IN_FLIGHT)),
        ("downloads_per_second", number(DOWNLOADS_PER_SECOND)),
        ("max_file_mib", number(MAX_FILE_MIB)),
        ("download_idle", Shown::Text(format!("{}s", DOWNLOAD_IDLE.as_secs()))),
        ("quiet", Shown::Truth(false)),
    ];
    defaults.extend(ledger.map(|path| ("ledger", Shown::Text(path.display().to_string()))));
    defaults
}

fn chosen(flags: Layer, choice: &JobChoiceArgs) -> Layer {
    Layer { limit: choice.limit, only: choice.only.clone(), duplicates: choice.duplicates, ..flags }
}

fn typed(node: &NodeArgs) -> bool {
    let files = [&node.lnd_macaroon_file, &node.lnd_cert_file, &node.lnd_dir];
    node.lnd_url.is_some() || node.lnd_network.is_some() || files.iter().any(|file| file.is_some())
}

fn files(layer: &Layer, overwrite: bool) -> Files {
    Files { results: layer.results.clone(), receipts: layer.receipts.clone(), overwrite }
}

fn manifest(path: &Path, layer: &Layer) -> Result<ManifestOptions, Failure> {
    Ok(ManifestOptions {
        source: source(path, layer.manifest_format)?,
        batch: layer.batch.clone(),
        catalogs: layer.catalog.clone(),
        defaults: layer.default.clone(),
        columns: layer.column.clone(),
        delimiter: layer.delimiter,
    })
}

fn source(path: &Path, given: Option<ManifestFormat>) -> Result<ManifestSource, Failure> {
    if path.as_os_str() == "-" {
        let format =
            given.ok_or_else(|| usage("standard input has no name to tell by; give --manifest-format toml|csv|tsv"))?;
        return Ok(ManifestSource::Stdin(format));
    }
    Ok(ManifestSource::File(path.to_owned(), format(path, given)?))
}

/// How a manifest is written: as was said, else by its extension.
fn format(path: &Path, given: Option<ManifestFormat>) -> Result<ManifestFormat, Failure> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match (given, extension.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, Some("toml")) => Ok(ManifestFormat::Toml),
        (None, Some("csv" | "txt")) => Ok(ManifestFormat::Csv),
        (None, Some("tsv")) => Ok(ManifestFormat::Tsv),
        (None, Some(_) | None) => {
            Err(usage(format!("{}: cannot tell whether this is TOML or CSV: {}", path.display(), format_help(path))))
        }
    }
}

fn target(args: &TargetArgs, layer: &Layer, or: &str) -> Result<Target, Failure> {
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
fn ids(given: &[String]) -> Vec<String> {
    given.iter().map(|id| normal_id(id).into_owned()).collect()
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::Usage(words.into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::*;
    use crate::cli::args::{self, Command};
    use crate::cli::layer::{CertSource, MacaroonSource};
    use crate::manifest::Limits;
    use crate::money::Sats;

    /// A home folder with that configuration file.
    fn home(file: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".config/l402-batch")).unwrap();
        fs::write(home.path().join(".config/l402-batch/config.toml"), file).unwrap();
        home
    }

    fn config(home: &Path, variables: &[(&str, &str)]) -> Result<Config, Failure> {
        let now = "2026-11-20T22:00:00+01:00[Europe/Berlin]".parse().unwrap();
        Config::load(None, Environment::made_up(variables, home, now))
    }

    fn command(line: &str) -> Command {
        let words = std::iter::once("l402-batch").chain(line.split_whitespace());
        args::parse(words.map(OsString::from)).unwrap().command
    }

    /// `run a.toml` and the flags, under these variables and that file.
    fn run(flags: &str, variables: &[(&str, &str)], file: &str) -> Result<RunOptions, String> {
        let home = home(file);
        let Command::Run(args) = command(&format!("run a.toml {flags}")) else { panic!("{flags}") };
        config(home.path(), variables).and_then(|config| config.run(*args)).map_err(|error| match error {
            Failure::Input(wrong) => format!("{} {:?}", wrong[0], wrong[0].help),
            other => other.to_string(),
        })
    }

    const NODE: &str = "--lnd-url https://127.0.0.1:8080 --lnd-macaroon-file m";

    #[test]
    fn flag_beats_variable_beats_file() {
        let variable = [("L402_BATCH_JOBS_IN_FLIGHT", "8")];
        let jobs = |flags: &str, variables: &[(&str, &str)], file: &str| {
            run(&format!("{NODE} {flags}"), variables, file).unwrap().pace.jobs_in_flight
        };
        assert_eq!(jobs("", &[], ""), 64);
        assert_eq!(jobs("", &[], "jobs_in_flight = 4"), 4);
        assert_eq!(jobs("", &variable, "jobs_in_flight = 4"), 8);
        assert_eq!(jobs("--jobs-in-flight 16", &variable, "jobs_in_flight = 4"), 16);
    }

    #[test]
    fn a_variable_can_take_back_what_the_file_says() {
        let quiet = |variables: &[(&str, &str)]| run(NODE, variables, "quiet = true").unwrap().output.quiet;
        assert!(quiet(&[]));
        assert!(!quiet(&[("L402_BATCH_QUIET", "no")]));
    }

    #[test]
    fn the_tightest_limit_wins_whoever_says_it() {
        let manifest = |sats| Limits { max_sats: Some(Sats::new(sats)), ..Limits::default() };
        for (flag, variable, in_manifest, in_file, expected) in
            [(1, 2, 3, 4, 1), (2, 1, 3, 4, 1), (3, 2, 1, 4, 1), (4, 3, 2, 1, 1)]
        {
            let options = run(
                &format!("{NODE} --max-sats {flag}"),
                &[("L402_BATCH_MAX_SATS", &variable.to_string())],
                &format!("max_sats = {in_file}"),
            );
            let limits = options.unwrap().limits.with_manifest(&manifest(in_manifest));
            assert_eq!(limits.max_sats, Some(Sats::new(expected)), "{flag} {variable} {in_manifest} {in_file}");
        }
        let one_source = run(NODE, &[], "fee_floor_sats = 7\nmax_fee_ppm = 100").unwrap().limits;
        let limits = one_source.with_manifest(&Limits { max_fee_ppm: Some(50), ..Limits::default() });
        assert_eq!((limits.fee_floor_sats, limits.max_fee_ppm), (Some(Sats::new(7)), Some(50)));
        assert_eq!(limits.max_sats, None);
    }

    #[test]
    fn the_time_zone_goes_by_precedence() {
        let manifest = Limits { time_zone: Some("Asia/Tokyo".to_owned()), ..Limits::default() };
        let file = "time_zone = \"America/Lima\"";
        let variable = [("L402_BATCH_TIME_ZONE", "Europe/Paris")];
        let zone = |flags: &str, variables: &[(&str, &str)], manifest: &Limits| {
            let options = run(&format!("{NODE} {flags}"), variables, file).unwrap();
            options.limits.with_manifest(manifest).time_zone.unwrap()
        };
        assert_eq!(zone("", &[], &Limits::default()), "America/Lima");
        assert_eq!(zone("", &[], &manifest), "Asia/Tokyo");
        assert_eq!(zone("", &variable, &manifest), "Europe/Paris");
        assert_eq!(zone("--time-zone UTC", &variable, &manifest), "UTC");
        assert_eq!(run(NODE, &[], "").unwrap().system_time_zone, "Europe/Berlin");
    }

    #[test]
    fn catalogues_add_up_and_the_nearest_comes_last() {
        let variables = [("L402_BATCH_CATALOG", "v1.toml:v2.toml")];
        let options = run(&format!("{NODE} --catalog f.toml"), &variables, "catalog = [\"/c.toml\"]").unwrap();
        let expected = ["/c.toml", "v1.toml", "v2.toml", "f.toml"];
        assert_eq!(options.manifest.catalogs, expected.map(PathBuf::from));
    }

    #[test]
    fn the_ledger_has_a_place_by_itself() {
        let home = home("");
        let ledger = |variables: &[(&str, &str)], line: &str| {
            let Command::Batches(args) = command(line) else { panic!("{line}") };
            config(home.path(), variables).unwrap().batches(args).unwrap().ledger
        };
        let systemd = ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b");
        assert_eq!(ledger(&[], "batches"), home.path().join(".local/state/l402-batch/ledger.db"));
        assert_eq!(ledger(&[systemd], "batches"), Path::new("/var/lib/a/ledger.db"));
        assert_eq!(ledger(&[systemd, ("L402_BATCH_LEDGER", "v.db")], "batches"), Path::new("v.db"));
        assert_eq!(ledger(&[("L402_BATCH_LEDGER", "v.db")], "batches --ledger f.db"), Path::new("f.db"));
    }

    #[test]
    fn paths_in_the_file_are_relative_to_it() {
        let home = home("lnd_url = \"https://n:8080\"\nlnd_macaroon_file = \"m\"\nlnd_cert_file = \"~/tls.cert\"");
        let Command::Run(args) = command("run a.toml") else { panic!() };
        let Payment::Node(node, _) = config(home.path(), &[]).unwrap().run(*args).unwrap().payment else { panic!() };
        assert_eq!(node.macaroon, MacaroonSource::File(home.path().join(".config/l402-batch/m")));
        assert_eq!(node.cert, Some(CertSource::File(home.path().join("tls.cert"))));
    }

    #[test]
    fn a_macaroon_in_the_environment_does_not_show() {
        let variables = [("L402_BATCH_LND_MACAROON", "c0ffee00"), ("L402_BATCH_LND_URL", "https://n:8080")];
        let options = run("", &variables, "lnd_macaroon_file = \"m\"").unwrap();
        assert!(!format!("{options:?}").contains("c0ffee"), "{options:?}");
        let Payment::Node(node, _) = options.payment else { panic!() };
        assert!(matches!(node.macaroon, MacaroonSource::Text(hex) if hex.reveal() == "c0ffee00"));
        let environment = Environment::made_up(&variables, Path::new("/"), jiff::Zoned::default());
        assert!(!format!("{environment:?}").contains("c0ffee"));
        let twice = [variables[0], ("L402_BATCH_LND_MACAROON_FILE", "m")];
        assert!(run("", &twice, "").unwrap_err().contains("given twice"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (flags, variables, file, words) in [
            ("", &[][..], "", "no node to pay"),
            ("--lnd-url https://n:8080", &[], "", "needs a macaroon"),
            ("--sandbox --format csv", &[], "", "run prints table or json"),
            ("--sandbox --deadline 2026-11-20T20:00:00Z", &[], "", "has passed"),
            ("--sandbox", &[("L402_BATCH_MAX_SAT", "5")], "", "did you mean L402_BATCH_MAX_SATS?"),
            ("--sandbox", &[("L402_BATCH_MAX_SATS", "")], "", "L402_BATCH_MAX_SATS: is set to nothing"),
            ("--sandbox", &[("L402_BATCH_RETAKE", "a")], "", "on the command line only"),
            ("--lnd-url https://n:8080", &[("L402_BATCH_SANDBOX", "1")], "", "asks for play money"),
            (
                "--sandbox",
                &[],
                "max_sat = 5",
                "config.toml:1:1: unknown key \"max_sat\" Some(\"did you mean \\\"max_sats",
            ),
            ("--sandbox", &[], "\nquiet = 3", "config.toml:2:9: quiet: expected true or false"),
            ("--sandbox", &[], "max_sats = 1.5", "expected a text, a whole number"),
            ("--sandbox", &[], "max_sats = 0x10", "expected a text, a whole number"),
            ("--sandbox", &[], "yes = true", "for one command only: --yes"),
            ("--sandbox", &[], "lnd_macaroon = \"00\"", "its own file"),
            ("--sandbox", &[], "max_sats = ", "config.toml:1:"),
        ] {
            let said = run(flags, variables, file).unwrap_err();
            assert!(said.contains(words), "{flags} {variables:?} {file}: {said}");
        }
    }

    #[test]
    fn every_error_of_the_file_comes_in_one_pass() {
        let home = home("a = 1\nmax_sats = -1\nb = 2\n");
        match config(home.path(), &[]) {
            Err(Failure::Input(wrong)) => assert_eq!(wrong.len(), 3),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let home = home("");
        let missing = [("L402_BATCH_CONFIG", "/nowhere/config.toml")];
        assert!(matches!(config(home.path(), &missing), Err(Failure::Input(_))));
        fs::remove_dir_all(home.path().join(".config")).unwrap();
        assert!(config(home.path(), &[]).is_ok());
    }

    #[test]
    fn manifests_are_known_by_their_names() {
        let stdin = |flags: &str| {
            let Command::Run(args) = command(&format!("run - --sandbox {flags}")) else { panic!() };
            config(Path::new("/nowhere"), &[]).and_then(|config| config.run(*args)).map(|run| run.manifest.source)
        };
        assert_eq!(format(Path::new("a.CSV"), None).ok(), Some(ManifestFormat::Csv));
        assert_eq!(format(Path::new("a.csv"), Some(ManifestFormat::Tsv)).ok(), Some(ManifestFormat::Tsv));
        assert!(format(Path::new("a.xlsx"), None).is_err() && format(Path::new("toml"), None).is_err());
        assert!(stdin("").is_err() && stdin("--manifest-format csv").is_err());
        let named = stdin("--manifest-format csv --batch june");
        assert!(matches!(named, Ok(ManifestSource::Stdin(ManifestFormat::Csv))), "{named:?}");
    }

    #[test]
    fn a_batch_is_named_somehow() {
        let status = |line: &str, variables: &[(&str, &str)]| {
            let Command::Status(args) = command(line) else { panic!("{line}") };
            config(Path::new("/nowhere"), variables).and_then(|config| config.status(args)).map(|status| status.target)
        };
        assert!(status("status", &[]).is_err());
        assert!(status("status -", &[]).is_err());
        assert_eq!(status("status", &[("L402_BATCH_BATCH", "june")]).unwrap().batch.as_deref(), Some("june"));
        let both = status("status a.toml --batch june", &[]).unwrap();
        assert_eq!(both.manifest, Some((PathBuf::from("a.toml"), ManifestFormat::Toml)));
        assert_eq!(both.batch.as_deref(), Some("june"));
    }
}
