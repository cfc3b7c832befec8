//! Options as resolved from flags, variables, manifest and configuration file: what a command works with.

use crate::ledger::{ByKind, Decision, LedgerAddress, Reopening, TakeMark};
use std::path::PathBuf;
use std::time::Duration;

use crate::catalog::Endpoint;
use crate::download::name::Template;
use crate::fiat::Currency;
use crate::l402::Network;
use crate::manifest::{Duplicates, GivenBy, Limits, TableOptions};
use crate::plan::column::Column;
use crate::plan::compare::Axis;
use crate::plan::view::Page;
use crate::time::UnixMs;
use url::Url;

use crate::cli::Failure;
use crate::cli::options::displayed::Displayed;
use crate::cli::options::layer::Layers;
use crate::cli::options::tables::Tables;
use crate::cli::options::values::{Condition, Format, ManifestFormat, Pair, RequestMethod, TrustWord};

pub use crate::cli::node::NodeOptions;
pub use crate::cli::options::resolve::Config;
pub use crate::cli::options::{Fetching, Pace};

/// The manifest, and how to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestOptions {
    /// The file, or standard input.
    pub source: ManifestSource,
    /// The batch's name, where it is given.
    pub batch: Option<String>,
    /// Catalogue files, in order: a later one overrides an earlier one.
    pub catalogs: Vec<PathBuf>,
    /// `--default KEY=VALUE`, in order.
    pub defaults: Vec<Pair>,
    /// `--column HEADER=NAME`, in order.
    pub columns: Vec<Pair>,
    /// How its table is written.
    pub table: TableOptions,
    /// What gave defaults and columns, for what is wrong with them.
    pub given_by: GivenBy,
    /// What a saved plan says of endpoints and limits.
    pub frozen: Option<Frozen>,
}

/// What counts whatever manifest and catalogues say: a saved plan has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Endpoints as they are bought from.
    pub endpoints: Vec<Endpoint>,
    /// Limits that are never loosened.
    pub limits: Limits,
}

/// Where the manifest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestSource {
    /// A file, as it was named, and how it is written.
    File(PathBuf, ManifestFormat),
    /// Standard input.
    Stdin(ManifestFormat),
}

/// The batch that a command is about: at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its manifest, as it was named, and how it is written.
    pub manifest: Option<(PathBuf, ManifestFormat)>,
    /// Its name. It beats the manifest's.
    pub batch: Option<String>,
}

impl Choice {
    /// Whether it says anything of which jobs are bought.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.limit.is_some()
            || self.select.is_any()
            || !self.retake.is_empty()
            || self.retake_changed
            || self.retake_refunded
            || self.retake_rejected
            || self.duplicates.is_some()
    }
}

/// How and how much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// How results are written.
    pub format: Format,
    /// Print only what needs a person.
    pub quiet: bool,
    /// Standard output is for something else: words at the end go to standard error, too.
    pub stdout_is_taken: bool,
}

/// Whether and how results are fetched into files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// The folder; none where none is named.
    pub folder: Option<PathBuf>,
    /// How files are called; none where nobody says.
    pub name: Option<Template>,
    /// Each file gets a sidecar.
    pub sidecars: bool,
    /// Fetches a second at one host, at most; none where nobody says.
    pub per_second: Option<u32>,
    /// How many at once, and how large a file may be.
    pub fetching: Fetching,
}

/// Where results and receipts are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The file of each kind; beside the manifest where none is given.
    pub paths: ByKind<Option<PathBuf>>,
    /// Replace a file that this batch did not write.
    pub overwrite: bool,
}

impl Files {
    /// What is given, and else as `usual`.
    #[must_use]
    pub fn or(&self, usual: &ByKind<PathBuf>) -> ByKind<PathBuf> {
        ByKind::of(|kind| self.paths[kind].as_ref().unwrap_or(&usual[kind]).clone())
    }
}

/// What of the manifest to buy, and whether to ask first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Do not ask.
    pub yes: bool,
    /// Stop before the first request to an origin.
    pub dry_run: bool,
    /// At most so many purchases in this run.
    pub limit: Option<u64>,
    /// Of which jobs alone something is bought in this run, as it was typed.
    pub select: Select,
    /// The ids that it comes to, once the jobs are known; all where empty.
    pub only: Vec<String>,
    /// Takes to replace by one more, as typed: `ID` or `ID@TAKE`.
    pub retake: Vec<String>,
    /// Buy anew what was delivered and has changed since.
    pub retake_changed: bool,
    /// Buy anew what was refunded.
    pub retake_refunded: bool,
    /// Buy anew what was rejected.
    pub retake_rejected: bool,
    /// What becomes of jobs that are bought already elsewhere, where the command says it.
    pub duplicates: Option<Duplicates>,
    /// Origins that are trusted with one purchase, although they get no more payments.
    pub trust: Vec<TrustWord>,
    /// Refuse to begin a new batch.
    pub resume: bool,
    /// Take over a batch from a manifest at another path.
    pub adopt: bool,
    /// Buy what fits into the batch's limit.
    pub partial: bool,
    /// Refuse an invoice below the plan's price, too.
    pub exact_price: bool,
}

/// Which of the jobs a command is about, as it was typed: those that one of `only` names, as far as all of `conditions` hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Ids, globs and `@FILE`; every job where empty.
    pub only: Vec<String>,
    /// What each of the jobs has to be like.
    pub conditions: Vec<Condition>,
}

impl Select {
    /// Whether it leaves any job out.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        !self.only.is_empty() || !self.conditions.is_empty()
    }
}

/// How a manifest is bought: all that flags, variables and the configuration file say of it, but who pays. Whatever foretells a run has
/// it from the same hand as the run, so that it passes over nothing that the run obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buying {
    /// What of the manifest.
    pub choice: Choice,
    /// What may be spent.
    pub limits: Layers,
    /// How many at once, how fast, and how long.
    pub pace: Pace,
    /// No purchase begins after this.
    pub deadline: Option<UnixMs>,
    /// Where results and receipts go.
    pub files: Files,
    /// Whether results are fetched.
    pub downloads: DownloadOptions,
    /// The time zone in which days begin, where no limit names one.
    pub system_time_zone: String,
}

/// Who pays for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// A node, and the ledger that records it.
    Node(NodeOptions, LedgerAddress),
    /// Play money, and the ledger of that run alone.
    Sandbox(LedgerAddress),
}

/// What `plan` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// What to buy.
    pub manifest: ManifestOptions,
    /// How a run would buy it.
    pub buying: Buying,
    /// Whether to show every job.
    pub jobs: bool,
    /// What is tried in other ways.
    pub compare: Vec<Axis>,
    /// The page that is written, instead of what else is printed.
    pub page: Option<Page>,
    /// By what jobs are summed.
    pub sum_by: Option<Column>,
    /// How amounts are told in another currency.
    pub rates: RateOptions,
    /// Whether to ask what it costs now.
    pub live: bool,
    /// Where the plan is to be saved.
    pub save: Option<SaveTo>,
    /// The network that the node is said to be on.
    pub network: Option<Network>,
    /// The address of the node, where one is named.
    pub node_url: Option<Url>,
    /// How to print.
    pub output: Output,
    /// Where the batch may have run already; it need not exist.
    pub ledger: LedgerAddress,
    /// For play money: each such run begins with a ledger of its own, and nothing is there.
    pub play: bool,
}

/// How amounts are told in another currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateOptions {
    /// The file that says what a bitcoin costs.
    pub file: Option<PathBuf>,
    /// In which currency.
    pub currency: Option<Currency>,
    /// An older rate does not count.
    pub max_age: Duration,
}

/// Where a plan is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveTo {
    /// The path of the file.
    pub path: PathBuf,
    /// Replace what is there, whatever it is.
    pub overwrite: bool,
}

/// What `run` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// What to buy.
    pub manifest: ManifestOptions,
    /// The saved plan that says what, where one is named instead of a manifest.
    pub saved_plan: Option<PathBuf>,
    /// Within which limits, how fast, and which of the jobs.
    pub buying: Buying,
    /// Who pays, and where it is recorded.
    pub payment: Payment,
    /// By what jobs are summed at its end.
    pub sum_by: Option<Column>,
    /// The folder of a contact sheet that is written at its end.
    pub report: Option<PathBuf>,
    /// How to print.
    pub output: Output,
}

/// What `get` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetOptions {
    /// An address, or the name of an endpoint.
    pub target: String,
    /// Its parameters, in order.
    pub params: Vec<Pair>,
    /// The JSON object to send, or `@FILE` with it.
    pub json: Option<String>,
    /// How an address is asked, where it is said.
    pub method: Option<RequestMethod>,
    /// Where what comes goes; to standard output, where it is not said.
    pub out: Option<PathBuf>,
    /// Replace that file.
    pub overwrite: bool,
    /// The network that the node is said to be on.
    pub network: Option<Network>,
    /// What is done about it. Its manifest is still to be made.
    pub way: GetWay,
}

/// Whether `get` buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetWay {
    /// It asks what it costs.
    Ask(Box<PlanOptions>),
    /// It buys as a run does.
    Buy(Box<RunOptions>),
}

/// What `recover` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverOptions {
    /// Which batch; all of them with none.
    pub target: Option<Target>,
    /// The node, where one is given: what is paid is redeemed without.
    pub node: Option<NodeOptions>,
    /// How many at once, how fast, and how long.
    pub pace: Pace,
    /// No purchase begins after this.
    pub deadline: Option<UnixMs>,
    /// Whether results are fetched.
    pub downloads: DownloadOptions,
    /// The tables of the configuration file.
    pub(in crate::cli) tables: Tables,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `download` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadCommand {
    /// The batch, named by its manifest or by its name.
    pub target: Target,
    /// Only these jobs.
    pub jobs: Vec<String>,
    /// Those too whose file is not where it was.
    pub missing: bool,
    /// Where the files go, how they are called, and how they are fetched.
    pub downloads: DownloadOptions,
    /// How long and how persistently.
    pub pace: Pace,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `refunds list` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundsListOptions {
    /// Which batch; all of them with none.
    pub target: Option<Target>,
    /// Only of these jobs; of all where empty.
    pub jobs: Vec<String>,
    /// With links and invoices.
    pub proof: bool,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `refunds claim` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundsClaimOptions {
    /// Only of these jobs; of all where empty.
    pub jobs: Vec<String>,
    /// Which batch, who receives, how.
    pub recover: RecoverOptions,
}

/// What a person says of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveWord {
    /// What became of it.
    Decide(Decision),
    /// How what is paid for goes on.
    Reopen(Reopening),
    /// What was delivered stays as it is.
    Keep,
}

/// What `resolve` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveOptions {
    /// The batch, named by its manifest or by its name.
    pub target: Target,
    /// The id of the job that is decided on.
    pub job: String,
    /// What is decided.
    pub word: ResolveWord,
    /// Why, as the person says it: it is kept with the decision.
    pub note: String,
    /// Payments in a row that an endpoint may take without delivering.
    pub max_undelivered: u32,
    /// The node, where one is given.
    pub node: Option<NodeOptions>,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `audit` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    /// The node, where one is given.
    pub node: Option<NodeOptions>,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `catalog` works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogOptions {
    /// The files over the built-in catalogue, a later one above.
    pub catalogs: Vec<PathBuf>,
    /// A manifest, whose endpoints stand above them.
    pub manifest: Option<ManifestOptions>,
    /// Only these endpoints; all where empty.
    pub endpoints: Vec<String>,
    /// Whether a price list is shown, and nothing else.
    pub prices: bool,
    /// The network that the user's node is said to be on.
    pub network: Option<Network>,
    /// The tables of the configuration file.
    pub(in crate::cli) tables: Tables,
    /// How to print.
    pub output: Output,
}

/// What `init` works with, every option resolved.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// The table, and how to read it.
    pub manifest: ManifestOptions,
    /// The endpoint of its rows, where it is named.
    pub endpoint: Option<String>,
    /// What would limit a run.
    pub limits: Layers,
    /// The manifest to write.
    pub file: UpdateFile,
}

/// The file that `catalog update`, `catalog import` or `init` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFile {
    /// The path of the file.
    pub path: PathBuf,
    /// Replace what is there.
    pub overwrite: bool,
}

/// What `doctor` works with, every option resolved.
#[derive(Debug)]
pub struct DoctorOptions {
    /// What to buy, where it is named.
    pub manifest: Option<ManifestOptions>,
    /// How a run would buy it, as variables and configuration file say.
    pub buying: Buying,
    /// The node, where there is one, or what is wrong with how it is named.
    pub node: Result<Option<NodeOptions>, Failure>,
    /// Whether endpoints are asked.
    pub ask: bool,
    /// A run would be for play money.
    pub play: bool,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
    /// The configuration file, where one was read.
    pub config_file: Option<PathBuf>,
}

/// What `config show` works with, every option resolved.
#[derive(Clone, Debug)]
pub struct ShowOptions {
    /// What each source says.
    pub(in crate::cli) layers: Layers,
    /// A manifest, where one is named.
    pub(in crate::cli) manifest: Option<ManifestOptions>,
    /// The node, where there is one.
    pub(in crate::cli) node: Option<NodeOptions>,
    /// What is found where nobody says anything, of the options whose default is no fixed value.
    pub(in crate::cli) found: Vec<(&'static str, Displayed)>,
    /// The configuration file, where one was read.
    pub(in crate::cli) file: Option<PathBuf>,
    /// How to print.
    pub(in crate::cli) output: Output,
}

/// What `status` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusOptions {
    /// The batch, named by its manifest or by its name.
    pub target: Target,
    /// Show every job, and not only those that need something.
    pub all: bool,
    /// Only these jobs.
    pub jobs: Vec<String>,
    /// With their invoices and preimages.
    pub proof: bool,
    /// By what jobs are summed.
    pub sum_by: Option<Column>,
    /// How amounts are told in another currency.
    pub rates: RateOptions,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `export` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// The batch, named by its manifest or by its name.
    pub target: Target,
    /// Where results and receipts are written.
    pub files: Files,
    /// Results have a row for every take.
    pub every_take: bool,
    /// Where the books are written; none are where nobody says.
    pub books: Option<PathBuf>,
    /// By which template: its name, or its file.
    pub template: Option<PathBuf>,
    /// How amounts are told in another currency.
    pub rates: RateOptions,
    /// Print only what needs a person.
    pub quiet: bool,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `report` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportOptions {
    /// The batch, named by its manifest or by its name.
    pub target: Target,
    /// The folder to write.
    pub folder: PathBuf,
    /// It may hold something else.
    pub overwrite: bool,
    /// Print only what needs a person.
    pub quiet: bool,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `takes list` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakesListOptions {
    /// The batch, named by its manifest or by its name.
    pub target: Target,
    /// Every delivered take, and not only those of which something is said.
    pub all: bool,
    /// How to print.
    pub output: Output,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `takes pick`, `takes reject` and `takes clear` work with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakesMarkOptions {
    /// The batch; the only one of the ledger where none is named.
    pub target: Option<Target>,
    /// The takes, as typed: `ID` or `ID@TAKE`.
    pub takes: Vec<String>,
    /// What is said of them; none takes back what was said.
    pub mark: Option<TakeMark>,
    /// Why, where it is said.
    pub note: Option<String>,
    /// Print only what needs a person.
    pub quiet: bool,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `takes read` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakesReadOptions {
    /// The file.
    pub file: PathBuf,
    /// The batch that alone is meant, where one is named.
    pub batch: Option<String>,
    /// Print only what needs a person.
    pub quiet: bool,
    /// Where it is recorded.
    pub ledger: LedgerAddress,
}

/// What `ledger merge` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerMergeOptions {
    /// What is brought in, or given up.
    pub file: LedgerAddress,
    /// It is given up.
    pub discard: bool,
    /// Into which ledger.
    pub ledger: LedgerAddress,
}

/// What `batches` works with, every option resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchesOptions {
    /// How to print.
    pub output: Output,
    /// Where they are recorded.
    pub ledger: LedgerAddress,
}
