//! From what was typed to what a command works with: flag beats variable beats manifest beats file, except limits, of which
//! the tightest wins.

mod resolved;
#[cfg(test)]
mod tests;

use crate::ledger::{Decision, LedgerAddress, Reopening, TakeMark};
use std::path::{Path, PathBuf};

use crate::l402::Network;
use crate::manifest::{self, normal_id};

use crate::cli::args::{
    AuditArgs, BatchesArgs, CatalogShowArgs, CatalogViewArgs, DoctorArgs, DownloadCommandArgs, ExportArgs, GetArgs,
    InitArgs, LedgerMergeArgs, PlanArgs, RecoverArgs, RefundsClaimArgs, RefundsListArgs, ReportArgs, ResolveArgs,
    RunArgs, ShowArgs, StatusArgs, TakesListArgs, TakesMarkArgs, TakesReadArgs,
};
use crate::cli::options::config::{
    AuditOptions, BatchesOptions, CatalogOptions, DoctorOptions, DownloadCommand, ExportOptions, GetOptions, GetWay,
    InitOptions, LedgerMergeOptions, ManifestSource, PlanOptions, RecoverOptions, RefundsClaimOptions,
    RefundsListOptions, ReportOptions, ResolveOptions, ResolveWord, RunOptions, SaveTo, Select, ShowOptions,
    StatusOptions, TakesListOptions, TakesMarkOptions, TakesReadOptions, UpdateFile,
};
use crate::cli::options::flags::{ManifestArgs, TargetArgs};
use crate::cli::options::layer::Layers;
use crate::cli::options::values::{DecisionWord, Format, FormatWord, Pair, TakesWord};
use crate::cli::options::{
    ChoiceArgs, Group, JobReadingArgs, Layer, LedgerArgs, NodeArgs, OPTIONS, OutputArgs, ReadingArgs, file,
};
use crate::cli::{CommandError, Environment, Failure, node};

use resolved::{Resolved, ids, is_saved_plan, target, usage};

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
        let variables = environment.layer().map_err(|wrong| CommandError::usage(wrong.join("\n")))?;
        let named = match named {
            Some(named) => Some(named),
            None => environment.config_file().map_err(CommandError::usage)?,
        };
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
        let PlanArgs { manifest: what, choice, limits, output, download, ledger, sums, rates, .. } = &args;
        let (all, limits) = self.lay(&[&what.reading, choice, limits, output, download, ledger, sums, rates]);
        let play = all.is_play(*ledger != LedgerArgs::default())?;
        Ok(PlanOptions {
            manifest: all.manifest(&what.manifest)?,
            buying: all.buying(limits)?,
            jobs: args.jobs,
            compare: args.compare.clone(),
            live: args.live,
            save: args.out.clone().map(|path| SaveTo { path, overwrite: args.overwrite }),
            // Whatever is wrong with how it is named, is a run's to tell.
            node_url: all.node().ok().flatten().filter(|node| !node.found.url).map(|node| node.url),
            network: all.layer.lnd_network.as_deref().and_then(Network::from_name),
            page: all.layer.output_format().and_then(FormatWord::page),
            sum_by: all.layer.sum_by.clone(),
            rates: all.rates(),
            output: all.layer.output(),
            ledger: if play { none() } else { all.ledger()? },
            play,
        })
    }

    /// Resolves `run`.
    ///
    /// # Errors
    /// Where something that is needed is missing, or two things do not go together.
    pub fn run(self, args: RunArgs) -> Result<RunOptions, Failure> {
        let RunArgs {
            manifest: what,
            choice,
            limits,
            node,
            pace,
            files: to,
            report,
            downloads,
            output,
            ledger,
            play,
            sums,
            ..
        } = &args;
        let (all, limits) =
            self.lay(&[&what.reading, choice, limits, node, pace, to, report, downloads, output, ledger, play, sums]);
        let is_named = !play.sandbox && (*node != NodeArgs::default() || *ledger != LedgerArgs::default());
        let saved_plan = Some(&what.manifest).filter(|path| is_saved_plan(path)).cloned();
        let manifest = match &saved_plan {
            Some(path) => all.of_saved_plan(path)?,
            None => all.manifest(&what.manifest)?,
        };
        if matches!(manifest.source, ManifestSource::Stdin(_)) && manifest.batch.is_none() {
            return Err(usage("a manifest from standard input needs --batch NAME"));
        }
        let (buying, output) = (all.buying(limits)?, all.output_without_csv("run")?);
        let (sum_by, report) = (all.layer.sum_by.clone(), all.layer.report.clone());
        // Last, as play money gets a folder for its ledger.
        Ok(RunOptions { manifest, saved_plan, payment: all.payment(is_named)?, buying, sum_by, report, output })
    }

    /// Resolves `get`: as a run of a manifest that is still to be made.
    ///
    /// # Errors
    /// As `run`.
    pub fn get(mut self, args: GetArgs) -> Result<GetOptions, Failure> {
        for layer in [&mut self.variables, &mut self.file] {
            (layer.default, layer.column, layer.batch, layer.sum_by) = (Vec::new(), Vec::new(), None, None);
            layer.report = None;
            (layer.delimiter, layer.sheet, layer.header_row, layer.hidden_rows) = (None, None, None, None);
        }
        let GetArgs { target, params, json, method, catalog, out, overwrite, ask, limits, node, quiet, .. } = args;
        // As everywhere, `-` is standard output.
        let out = out.filter(|out| out.as_os_str() != "-");
        let reading = JobReadingArgs { catalog, ..JobReadingArgs::default() };
        // How it is called says only how it is written.
        let reading = ReadingArgs { jobs: reading, ..ReadingArgs::default() };
        let manifest = ManifestArgs { manifest: PathBuf::from("get.toml"), reading };
        let output = OutputArgs { quiet, ..OutputArgs::default() };
        let network = [&node.lnd_network, &self.variables.lnd_network, &self.file.lnd_network];
        let network = network.into_iter().flatten().next().and_then(|name| Network::from_name(name));
        let is_play = args.play.sandbox || self.variables.sandbox == Some(true);
        let is_dry = ask.dry_run || self.variables.dry_run == Some(true);
        let way = if is_dry && !is_play {
            let plan = PlanArgs { manifest, limits, output, ledger: args.ledger, ..PlanArgs::default() };
            GetWay::Ask(Box::new(self.plan(plan)?))
        } else {
            let choice = ChoiceArgs { ask, ..ChoiceArgs::default() };
            let run = RunArgs {
                manifest,
                choice,
                limits,
                node,
                output,
                ledger: args.ledger,
                play: args.play,
                ..RunArgs::default()
            };
            let mut run = self.run(run)?;
            // What is typed is all of it: no variable says what is bought.
            (run.buying.choice.limit, run.buying.choice.select) = (None, Select::default());
            GetWay::Buy(Box::new(run))
        };
        Ok(GetOptions { target, params, json, method, out, overwrite, network, way })
    }

    /// Resolves `recover`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn recover(self, args: RecoverArgs) -> Result<RecoverOptions, Failure> {
        let RecoverArgs { target: of, node, pace, downloads, output, ledger, .. } = &args;
        let (all, _) = self.lay(&[&of.batch, node, pace, downloads, output, ledger]);
        let target = if args.all { None } else { Some(target(&args.target, &all.layer, ", or --all")?) };
        Ok(RecoverOptions {
            target,
            node: all.node()?,
            pace: all.pace(),
            deadline: all.deadline()?,
            downloads: all.downloads(),
            tables: all.layer.tables.clone(),
            output: all.output_without_csv("recover")?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `download`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn download(self, args: DownloadCommandArgs) -> Result<DownloadCommand, Failure> {
        let (all, _) = self.lay(&[&args.target.batch, &args.output, &args.downloads, &args.ledger]);
        Ok(DownloadCommand {
            target: target(&args.target, &all.layer, "")?,
            jobs: ids(&args.job),
            missing: args.missing,
            downloads: all.downloads(),
            pace: all.pace(),
            output: all.output_without_csv("download")?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `refunds list`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn refunds_list(self, args: RefundsListArgs) -> Result<RefundsListOptions, Failure> {
        let (all, _) = self.lay(&[&args.target.batch, &args.output, &args.ledger]);
        let target = if args.all { None } else { Some(target(&args.target, &all.layer, ", or --all")?) };
        Ok(RefundsListOptions {
            target,
            jobs: ids(&args.job),
            proof: args.proof,
            output: all.output()?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `ledger merge`.
    ///
    /// # Errors
    /// Where no place for the ledger is known.
    pub fn ledger_merge(self, args: LedgerMergeArgs) -> Result<LedgerMergeOptions, Failure> {
        let (all, _) = self.lay(&[&args.ledger]);
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
        let (all, _) = self.lay(&[&args.target.batch, &args.node, &args.ledger]);
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
            max_undelivered: all.pace().max_undelivered,
            node: all.node()?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `audit`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn audit(self, args: AuditArgs) -> Result<AuditOptions, Failure> {
        let (all, _) = self.lay(&[&args.node, &args.output, &args.ledger]);
        Ok(AuditOptions { node: all.node()?, output: all.output()?, ledger: all.ledger()? })
    }

    /// Resolves `doctor`. A node that is named and lacks something is no error here: it is what is to be told.
    ///
    /// # Errors
    /// Where there is no place for a ledger, or the manifest's kind cannot be told.
    pub fn doctor(self, args: DoctorArgs) -> Result<DoctorOptions, Failure> {
        let config_file = self.file_path.clone();
        let (all, limits) = self.lay(&[&args.reading, &args.limits, &args.output, &args.node, &args.ledger]);
        let output = all.output()?;
        if output.format == Format::Csv {
            return Err(usage("doctor prints table or json"));
        }
        Ok(DoctorOptions {
            manifest: args.manifest.map(|path| all.manifest(&path)).transpose()?,
            buying: all.buying(limits)?,
            node: all.node(),
            ask: !args.no_ask,
            play: all.layer.sandbox == Some(true),
            output,
            ledger: all.ledger()?,
            config_file,
        })
    }

    /// Resolves `catalog`.
    ///
    /// # Errors
    /// Where the manifest's kind cannot be told.
    pub fn catalog(self, args: CatalogViewArgs) -> Result<CatalogOptions, Failure> {
        self.catalog_show(CatalogShowArgs { view: args, prices: false })
    }

    /// Resolves `catalog show`.
    ///
    /// # Errors
    /// Where the manifest's kind cannot be told.
    pub fn catalog_show(self, args: CatalogShowArgs) -> Result<CatalogOptions, Failure> {
        let CatalogShowArgs { view: args, prices } = args;
        let (all, _) = self.lay(&[&args.reading, &args.output]);
        let output = all.output()?;
        if output.format == Format::Csv && !prices {
            return Err(usage("catalog prints table or json, and csv with show --prices"));
        }
        Ok(CatalogOptions {
            catalogs: all.layer.catalog.clone(),
            manifest: args.manifest.map(|path| all.manifest(&path)).transpose()?,
            endpoints: args.endpoint,
            prices,
            network: all.layer.lnd_network.as_deref().and_then(Network::from_name),
            tables: all.layer.tables.clone(),
            output,
        })
    }

    /// Resolves `config show`.
    ///
    /// # Errors
    /// Where the manifest's kind cannot be told.
    pub fn show(self, args: ShowArgs) -> Result<ShowOptions, Failure> {
        let file = self.file_path.clone();
        let ShowArgs { reading, limits, node, pace, downloads, output, ledger, .. } = &args;
        let (all, layers) = self.lay(&[reading, limits, node, pace, downloads, output, ledger]);
        let output = all.output()?;
        if output.format == Format::Csv {
            return Err(usage("config show prints table or json"));
        }
        Ok(ShowOptions {
            layers,
            manifest: args.manifest.map(|path| all.manifest(&path)).transpose()?,
            // What is wrong with how a node is named is doctor's to tell.
            node: all.node().ok().flatten(),
            found: all.found(),
            file,
            output,
        })
    }

    /// Resolves `status`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn status(self, args: StatusArgs) -> Result<StatusOptions, Failure> {
        let (all, _) = self.lay(&[&args.target.batch, &args.output, &args.ledger, &args.sums, &args.rates]);
        Ok(StatusOptions {
            target: target(&args.target, &all.layer, "")?,
            all: args.all,
            jobs: ids(&args.job),
            proof: args.proof,
            sum_by: all.layer.sum_by.clone(),
            rates: all.rates(),
            output: all.output()?,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `export`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn export(self, args: ExportArgs) -> Result<ExportOptions, Failure> {
        let (all, _) = self.lay(&[&args.target.batch, &args.files, &args.rates, &args.quiet, &args.ledger]);
        Ok(ExportOptions {
            target: target(&args.target, &all.layer, "")?,
            files: all.files(),
            every_take: args.takes == TakesWord::All,
            books: args.books,
            template: args.template,
            rates: all.rates(),
            quiet: all.output()?.quiet,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `report`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn report(self, args: ReportArgs) -> Result<ReportOptions, Failure> {
        let (all, _) = self.lay(&[&args.target.batch, &args.quiet, &args.ledger]);
        Ok(ReportOptions {
            target: target(&args.target, &all.layer, "")?,
            folder: args.folder,
            overwrite: args.overwrite,
            quiet: all.output()?.quiet,
            ledger: all.ledger()?,
        })
    }

    /// Resolves `takes list`.
    ///
    /// # Errors
    /// Where something that is needed is missing.
    pub fn takes_list(self, args: TakesListArgs) -> Result<TakesListOptions, Failure> {
        let (all, _) = self.lay(&[&args.target.batch, &args.output, &args.ledger]);
        let target = target(&args.target, &all.layer, "")?;
        Ok(TakesListOptions { target, all: args.all, output: all.output()?, ledger: all.ledger()? })
    }

    /// Resolves `takes pick`, `takes reject` and `takes clear`. Without `--batch` a first word that is called as manifests are is one.
    ///
    /// # Errors
    /// Where no take is named.
    pub fn takes_mark(self, args: TakesMarkArgs, mark: Option<TakeMark>) -> Result<TakesMarkOptions, Failure> {
        let (all, _) = self.lay(&[&args.batch, &args.quiet, &args.ledger]);
        let mut words = args.words;
        let is_manifest = |word: &&String| all.layer.batch.is_none() && manifest::Format::of(Path::new(word)).is_some();
        let manifest = words.first().filter(is_manifest).map(PathBuf::from);
        let target = if manifest.is_some() || all.layer.batch.is_some() {
            words.drain(..usize::from(manifest.is_some()));
            Some(target(&TargetArgs { manifest, batch: args.batch }, &all.layer, "")?)
        } else {
            None
        };
        if words.is_empty() {
            return Err(CommandError::usage("which takes? name each as ID@TAKE after the manifest")
                .hint("an id alone is enough where the job has one take")
                .into());
        }
        let note = if mark.is_none() { Some(args.note.unwrap_or_default()) } else { args.note };
        let (takes, quiet) = (ids(&words), all.output()?.quiet);
        Ok(TakesMarkOptions { target, takes, mark, note, quiet, ledger: all.ledger()? })
    }

    /// Resolves `takes read`.
    ///
    /// # Errors
    /// Where there is no place for a ledger.
    pub fn takes_read(self, args: TakesReadArgs) -> Result<TakesReadOptions, Failure> {
        let (all, _) = self.lay(&[&args.batch, &args.quiet, &args.ledger]);
        let (batch, quiet) = (all.layer.batch.clone(), all.output()?.quiet);
        Ok(TakesReadOptions { file: args.file, batch, quiet, ledger: all.ledger()? })
    }

    /// Resolves `batches`.
    ///
    /// # Errors
    /// Where there is no place for a ledger.
    pub fn batches(self, args: BatchesArgs) -> Result<BatchesOptions, Failure> {
        let (all, _) = self.lay(&[&args.output, &args.ledger]);
        Ok(BatchesOptions { output: all.output()?, ledger: all.ledger()? })
    }

    /// Resolves `init`.
    ///
    /// # Errors
    /// Where the sheet's kind cannot be told, or a parameter is given that the manifest itself would have to say.
    pub fn init(self, args: InitArgs) -> Result<InitOptions, Failure> {
        let (all, limits) = self.lay(&[&args.reading]);
        let mut manifest = all.manifest(&args.from)?;
        let is_endpoint = |pair: &Pair| pair.key.trim().eq_ignore_ascii_case("endpoint");
        if let Some(pair) = manifest.defaults.iter().find(|pair| !is_endpoint(pair)) {
            let words = format!("init takes --default endpoint=NAME alone, not {}", pair.key);
            return Err(CommandError::usage(words)
                .hint("write it under [defaults] of the manifest that is made")
                .into());
        }
        let endpoint = std::mem::take(&mut manifest.defaults).pop().map(|pair| pair.value.trim().to_owned());
        let path = args.out.unwrap_or_else(|| args.from.with_extension("toml"));
        Ok(InitOptions { manifest, endpoint, limits, file: UpdateFile { path, overwrite: args.overwrite } })
    }

    /// Lays the flags over variables and file, and keeps apart what each says.
    fn lay(self, flags: &[&dyn Group]) -> (Resolved, Layers) {
        let layers =
            Layers { flags: Layer::of(flags), variables: self.variables, manifest: Layer::default(), file: self.file };
        let above = layers.flags.clone().over(layers.variables.clone());
        let node = node::flags(&above);
        let typed = OPTIONS.iter().filter(|option| (option.is_given)(&layers.flags)).map(|option| option.name);
        let laid = Resolved {
            typed: typed.collect(),
            layer: above.over(layers.file.clone()),
            environment: self.environment,
            named_config: self.file_path.filter(|_| self.is_named),
            node,
        };
        (laid, layers)
    }
}

/// Where no ledger is.
fn none() -> LedgerAddress {
    LedgerAddress::of_file(std::env::temp_dir().join(format!("l402-batch-sandbox-{}/ledger.db", std::process::id())))
}
