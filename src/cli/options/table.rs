//! The options. An entry here is all that a new one needs, besides its use; [`declare`](crate::cli::options::declare) says what an entry is.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;
use clap::builder::{PathBufValueParser, TypedValueParser};
use url::Url;

use crate::cli::command_line::CommandLine;
use crate::cli::node::NETWORK_DEFAULT;
use crate::cli::options::layer::{CertificateText, MacaroonFile, Secret};
use crate::cli::options::value::{Kept, Typed, Value, stacked, tightest};
use crate::cli::options::values::{Condition, Deadline, FormatWord, ManifestFormat, Pair, TrustWord};
use crate::cli::options::{CERTIFICATE, Declaration, FORMAT, Group, MACAROON, Who, values};
use crate::download::name::{DEFAULT_TEMPLATE, Template};
use crate::fiat::Currency;
use crate::ledger::LedgerAddress;
use crate::manifest::{Duplicates, HiddenRows};
use crate::money::Sats;
use crate::plan::column::Column;
use crate::plan::{FEE_FLOOR_DEFAULT, MAX_FEE_PPM_DEFAULT};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

options! {
    /// Where the ledger is.
    LedgerArgs, "Ledger" {
        /// The durable record of every batch, on a local disk
        /// [default: $STATE_DIRECTORY/ledger.db, else $XDG_STATE_HOME/l402-batch/ledger.db]
        lasting ledger: Option<LedgerAddress>, [
            long,
            value_name = "FILE",
            value_hint = ValueHint::AnyPath,
            value_parser = PathBufValueParser::new().try_map(values::ledger_at)
        ], text values::ledger;
    }

    /// The batch's name, and how its manifest is written.
    BatchArgs {
        /// How the manifest is written, where its name does not tell (needed for -)
        passing manifest_format: Option<ManifestFormat>, [long, value_name = "FORMAT"], text values::word;
        /// The batch's name in the ledger [default: the manifest's name, else the file's stem]
        passing batch: Option<String>, [long, value_name = "NAME"], by values::name;
    }

    /// How the manifest's jobs are read.
    JobReadingArgs, "Manifest" {
        /// A TOML file with [endpoint.NAME] tables that adds endpoints or overrides keys of known ones (repeatable; a later
        /// one wins)
        lasting catalog: Vec<PathBuf>, [long, value_name = "FILE"], text values::path, split ':', merged stacked;
        /// A parameter for every job that does not give it, also endpoint=NAME and repeat=TAKES (repeatable)
        passing default: Vec<Pair>, [long, value_name = "KEY=VALUE"], text str::parse, split '\n';
        /// A CSV column under another header: Seconds=duration (repeatable)
        passing column: Vec<Pair>, [long, value_name = "HEADER=NAME"], text str::parse, split '\n';
    }

    /// How the manifest's table is written.
    TableArgs, "Manifest" {
        /// The CSV's delimiter: one character, or tab [default: found from the header]
        passing delimiter: Option<u8>, [long, value_name = "CHAR"], by values::delimiter;
        /// The workbook's sheet: its name, or its number from 1 [default: the only one that shows anything]
        passing sheet: Option<String>, [long, value_name = "NAME|N"], by values::sheet;
        /// The line of a CSV, or the row of a sheet, in which the columns have their names, from 1 [default: the first that is not blank]
        passing header_row: Option<u32>, [long, value_name = "N"], by values::from_one;
        /// What a workbook's hidden rows are: read them as jobs, or skip them [default: they are an error]
        passing hidden_rows: Option<HiddenRows>, [long, value_name = "read|skip"], text str::parse;
    }

    /// What may be spent. Where several sources set one of these, the tightest wins.
    LimitArgs, "Limits (of flag, variable, manifest and configuration the tightest wins)" {
        /// The most that the batch may cost over all its runs, in sats, routing fees included
        limit max_sats: Option<Sats>, [long, value_name = "SATS"], by values::sats, merged tightest;
        /// The most that one job may cost, in sats, routing fee included
        limit max_sats_per_job: Option<Sats>, [long, value_name = "SATS"], by values::sats, merged tightest;
        /// The most that may be spent in a day, in sats, over all batches of the ledger; the rest stays pending
        limit max_sats_per_day: Option<Sats>, [long, value_name = "SATS"], by values::sats, merged tightest;
        /// The most that may be spent in a month, in sats, over all batches of the ledger; the rest stays pending
        limit max_sats_per_month: Option<Sats>, [long, value_name = "SATS"], by values::sats, merged tightest;
        /// The most that an origin that has never delivered to this ledger may get in all, in a run that nobody watches (--yes, a
        /// saved plan, no terminal), in sats; the rest stays pending
        limit max_sats_new_origin: Option<Sats>, [long, value_name = "SATS"], by values::sats, merged tightest;
        /// The IANA time zone in which days and months begin [default: the system's]
        limit time_zone: Option<String>, [long, value_name = "ZONE"], by values::time_zone;
        /// A payment's routing-fee ceiling, in parts per million of its amount
        limit max_fee_ppm: Option<u64>, [long, value_name = "PPM"], by values::ppm,
            untold MAX_FEE_PPM_DEFAULT, merged tightest;
        /// A payment's routing-fee ceiling is never below this, in sats
        limit fee_floor_sats: Option<Sats>, [long, value_name = "SATS"], by values::sats,
            untold FEE_FLOOR_DEFAULT, merged tightest;
        /// Buy what fits into --max-sats instead of refusing to start
        lasting partial: bool, [long], text values::boolean, untold false;
        /// Refuse an invoice below the plan's price, too, instead of buying for less (not of capped prices: there the invoice decides)
        lasting exact_price: bool, [long], text values::boolean, untold false;
    }

    /// The node that pays. A macaroon never stands in a manifest, in the configuration file or on the command line.
    NodeArgs, "Node" {
        /// LND's REST address [default: https://127.0.0.1:8080, where a macaroon is named or found]
        lasting lnd_url: Option<Url>, [long, value_name = "URL"], by values::url;
        /// The file with the macaroon, binary or hex [default: payer.macaroon, else admin.macaroon, where lnd keeps them]. Its
        /// hex may stand in $L402_BATCH_LND_MACAROON instead, or a command in lnd_macaroon_command may say it
        lasting lnd_macaroon_file: Option<MacaroonFile>, [
            long,
            value_name = "FILE",
            value_hint = ValueHint::AnyPath,
            value_parser = PathBufValueParser::new().try_map(|path| values::path_at(path).map(MacaroonFile::from))
        ], text MacaroonFile::read, family MACAROON;
        /// The macaroon itself, in hex or base64
        secret lnd_macaroon: Option<Secret>, [skip], text Secret::read, family MACAROON;
        /// A program and its arguments that print the macaroon
        command lnd_macaroon_command: Option<CommandLine>, [skip], text CommandLine::from_words, family MACAROON;
        /// The node's own tls.cert, which is then the only certificate that is trusted [default: tls.cert where lnd keeps it]
        lasting lnd_cert_file: Option<PathBuf>, [long, value_name = "FILE"], text values::certificate, family CERTIFICATE;
        /// The certificate itself, as PEM or in base64
        secret lnd_cert: Option<CertificateText>, [skip], text CertificateText::read, family CERTIFICATE;
        /// A program and its arguments that print the certificate
        command lnd_cert_command: Option<CommandLine>, [skip], text CommandLine::from_words, family CERTIFICATE;
        /// lnd's own folder, for what is not named [default: ~/.lnd, for a node on this machine]
        lasting lnd_dir: Option<PathBuf>, [long, value_name = "DIR"], text values::path;
        /// Of which network the macaroon in lnd's folder is: mainnet, testnet, signet, regtest, …
        lasting lnd_network: Option<String>, [long, value_name = "NETWORK"], by values::lnd_network, default NETWORK_DEFAULT;
    }

    /// How fast, how long and how persistently.
    SteadyPaceArgs, "Pace" => Pace {
        /// Jobs between their first request and their result, at most
        lasting jobs_in_flight: Option<u32>, [long, value_name = "N"], by values::jobs_in_flight, default 64u32;
        /// Payments on their way at the node, at most (1 to 256)
        lasting payments_in_flight: Option<u32>, [long, value_name = "N"], by values::payments_in_flight, default 16u32;
        /// Requests a second to one host
        lasting requests_per_second: Option<u32>, [long, value_name = "N"], by values::from_one, default 10u32;
        /// Stop buying from an endpoint that took this many payments in a row without delivering; until its first delivery
        /// in this run, no more of its purchases are under way together
        lasting max_undelivered: Option<u32>, [long, value_name = "N"], by values::from_one, default 3u32;
        /// Buy nothing new while this many payments are in doubt
        lasting max_doubt: Option<u32>, [long, value_name = "N"], by values::from_one, default 16u32;
        /// With nothing left to do but payments in doubt, wait this long before ending (90s, 10m, 2h30m)
        lasting wait_doubt: Option<Duration>, [long, value_name = "DURATION"], by values::duration, default MINUTE * 10;
        /// Refuse an invoice that can be paid for longer than this: while it can, a doubt about it does not end
        // A day more than the week that other nodes' invoices live by default; lnd's live a day.
        lasting max_invoice_life: Option<Duration>, [long, value_name = "DURATION"], by values::duration, default DAY * 8;
    }

    /// When to begin no more.
    DeadlineArgs, "Pace" {
        /// Begin no purchase after this: a duration (8h), a local time (06:30) or an RFC 3339 time
        passing deadline: Option<Deadline>, [long, value_name = "TIME|DURATION"], text str::parse;
    }

    /// Where results are written as files, and under which names.
    DownloadToArgs, "Downloads" {
        /// Fetch every result into this folder as it comes; it is made where it is missing
        lasting download: Option<PathBuf>, [long, value_name = "DIR"], text values::path;
        /// How files are called: {id}, {endpoint}, {date}, {take}, a parameter or an x_* column in braces; a / leads into
        /// folders ({x_scene}/{id}), the ending follows from the content
        lasting download_name: Option<Template>, [long, value_name = "TEMPLATE"], text str::parse, default DEFAULT_TEMPLATE;
        /// Put FILE.json beside each file: what was asked for, what it cost, digests and times; nothing in it proves or buys anything
        lasting sidecars: bool, [long], text values::boolean, untold false;
    }

    /// How fast results are fetched.
    FetchPaceArgs, "Downloads" {
        /// Fetches that begin at one host, a second, at most [default: 10 where the seller serves them itself, elsewhere as
        /// many as the host bears]
        lasting downloads_per_second: Option<u32>, [long, value_name = "N"], by values::from_one;
    }

    /// How results are fetched.
    FetchArgs, "Downloads" => Fetching {
        /// Files that are fetched at once
        lasting downloads_in_flight: Option<u32>, [long, value_name = "N"], by values::downloads_in_flight, default 8u32;
        /// A result that is larger is not fetched, in MiB
        lasting max_file_mib: Option<u32>, [long, value_name = "MIB"], by values::file_mib, default 1_024u32;
        /// Break a fetch off, and try again, where nothing to speak of comes for this long
        lasting download_idle: Option<Duration>, [long, value_name = "DURATION"], by values::idle, default MINUTE;
    }

    /// How results are printed.
    FormatArgs, "Output" {
        /// How results are written to standard output [default: table]
        passing format: Option<FormatWord>, [long, value_name = "FORMAT"], text values::word, family FORMAT;
        /// Short for --format json (JSON Lines for run)
        passing json: bool, [long, conflicts_with = "format"], text values::boolean, family FORMAT;
    }

    /// How much is printed.
    QuietArgs, "Output" {
        /// Print only what needs a person; nothing at all on success
        lasting quiet: bool, [long, short], text values::boolean, untold false;
    }

    /// By what jobs are summed.
    SumArgs, "Output" {
        /// Sum jobs by what stands in this column: endpoint, a parameter or an x_*
        passing sum_by: Option<Column>, [long, value_name = "COLUMN"], by values::column;
    }

    /// What amounts are worth in another currency.
    RateFileArgs, "Fiat" {
        /// A file of lines `time, price of one bitcoin`; the last line at or before now counts, and nothing is fetched
        lasting rate_file: Option<PathBuf>, [long, value_name = "FILE"], text values::path;
        /// The currency of its prices, by three letters; of several columns the one that is headed so
        lasting currency: Option<Currency>, [long, value_name = "CODE"], by values::currency;
    }

    /// How old a rate may be.
    RateAgeArgs, "Fiat" => Fiat {
        /// A rate that is older does not count: there is no figure then
        lasting max_rate_age: Option<Duration>, [long, value_name = "DURATION"], by values::duration, default DAY;
    }

    /// Whether it is asked, and whether anything is bought.
    AskArgs, "What to buy" {
        /// Do not ask; without a terminal this and a cap (--max-sats) are needed
        passing yes: bool, [long, short], text values::boolean;
        /// Check plan, limits, node and balance, and stop there: no origin is asked, nothing is spent
        passing dry_run: bool, [long], text values::boolean;
    }

    /// Which jobs are bought, and which are bought once more.
    JobChoiceArgs, "What to buy" {
        /// Buy at most N jobs in this run: a trial first
        passing limit: Option<u64>, [long, value_name = "N"], by values::count;
        /// Buy only these jobs in this run: ids, globs (shot-1*), or @FILE with one of them a line
        passing only: Vec<String>, [long, value_name = "ID|GLOB|@FILE,…", value_delimiter = ','], by values::name, split ',';
        /// Buy only jobs whose COLUMN (a parameter, id, endpoint, x_…) is like GLOB in this run (repeatable: all must hold)
        passing r#where: Vec<Condition>, [long, value_name = "COLUMN=GLOB"], text str::parse, split '\n';
        /// Buy one more take in the place of these, which have ended (ID alone: its first): this spends again, once a word
        word retake: Vec<String>, [long, value_name = "ID[@TAKE],…", value_delimiter = ','], by values::name;
        /// Buy anew every delivered job whose content has changed in the manifest, to what no take of it has delivered: this
        /// spends again
        word retake_changed: bool, [long], text values::boolean;
        /// Buy anew every job whose money came back for the first time: this spends again
        word retake_refunded: bool, [long], text values::boolean;
        /// Buy anew every delivered job whose latest take is rejected (see `takes`) and of which none is picked, each rejected take once:
        /// this spends again
        word retake_rejected: bool, [long], text values::boolean;
        /// Jobs that are delivered, paid or open already under another id or in another batch: ask, skip (they are left out), or
        /// buy them once more, which spends again [default: ask on a terminal, else skip]
        passing duplicates: Option<Duplicates>, [
            long,
            value_name = "ask|skip|buy",
            value_parser = values::duplicates
        ], text values::duplicates_of_variable;
    }

    /// How a batch is begun, or gone on with.
    BeginArgs, "What to buy" {
        /// Let one purchase begin at an origin (host or URL) that gets no more payments. The words for an origin are numbered:
        /// each is carried out once, however often it is said, and ORIGIN alone is ORIGIN@1
        word trust: Vec<TrustWord>, [long, value_name = "ORIGIN[@N],…", value_delimiter = ','], by values::trust;
        /// Go on with a batch that is there; refuse to begin a new one
        passing resume: bool, [long], text values::boolean;
        /// Take over a batch of this name that was begun from a manifest at another path
        word adopt: bool, [long], text values::boolean;
    }

    /// Where results and receipts are written.
    FileArgs, "Files" {
        /// The results, one row a job [default: STEM.results.csv beside the manifest]
        passing results: Option<PathBuf>, [long, value_name = "FILE"], text values::path;
        /// The receipts, one row a settlement [default: STEM.receipts.csv beside the manifest]
        passing receipts: Option<PathBuf>, [long, value_name = "FILE"], text values::path;
        /// Replace a results or receipts file that this batch did not write, or write the contact sheet into a folder that holds something else
        word overwrite: bool, [long], text values::boolean;
    }

    /// Whether a contact sheet is written at the end.
    ReportToArgs, "Files" {
        /// Write a contact sheet into this folder at the end, as `report` does
        passing report: Option<PathBuf>, [long, value_name = "DIR"], text values::path;
    }

    /// Whether it is play money.
    PlayArgs, "Sandbox" {
        /// Play money: a stand-in API and node inside the process, a fresh ledger, no question, no configured node
        passing sandbox: bool, [
            long,
            conflicts_with_all = ["lnd_url", "lnd_macaroon_file", "lnd_cert_file", "lnd_dir", "lnd_network", "ledger"]
        ], text values::boolean;
    }
}

groups! {
    /// How to read a manifest.
    ReadingArgs, "Manifest" {
        /// The name of the batch.
        batch: BatchArgs,
        /// How its rows and jobs are read.
        jobs: JobReadingArgs,
        /// How its table is written.
        table: TableArgs,
    }

    /// How fast, how long and how persistently.
    PaceArgs {
        /// At any time.
        steady: SteadyPaceArgs,
        /// After which nothing more is begun.
        deadline: DeadlineArgs,
    }

    /// Whether results are fetched into files, where to and how.
    DownloadArgs {
        /// The folder of the files, and what they are called.
        to: DownloadToArgs,
        /// How fast.
        fetch_pace: FetchPaceArgs,
        /// How many files at once, and how large one may be.
        fetch: FetchArgs,
    }

    /// What amounts are worth in another currency.
    RateArgs {
        /// By which file.
        file: RateFileArgs,
        /// How old.
        age: RateAgeArgs,
    }

    /// How much is printed, and how.
    OutputArgs {
        /// In which format results are printed.
        format: FormatArgs,
        /// Whether only what needs a person is printed.
        quiet: QuietArgs,
    }

    /// What of the manifest to buy, and whether to ask first.
    ChoiceArgs {
        /// Whether to ask.
        ask: AskArgs,
        /// Which of the jobs are bought, and which once more.
        jobs: JobChoiceArgs,
        /// Of which batch.
        begin: BeginArgs,
    }
}
